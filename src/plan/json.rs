//! The plan for machines: a committed shape (minor versions only add).

use serde::Serializer;
use serde_json::{Value, json};

use crate::store::Key;

use super::{Plan, Ruling};

/// Version of the shape. Minor: fields were added. Major: readers have to change.
pub const FORMAT_VERSION: &str = "1.0";

pub(super) fn key<S: Serializer>(key: &Key, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(key)
}

/// The plan as JSON: `format_version`, `complete`, `actions[]` (host, verb, disruption, changes,
/// guard, refusal, hold), `unchanged`, `kept[]`. Secrets appear as references only.
pub fn to_json(plan: &Plan, rulings: &[Ruling<'_>]) -> Value {
    let actions: Vec<Value> = rulings
        .iter()
        .map(|ruling| {
            let mut action = serde_json::to_value(ruling.action).unwrap_or_default();
            if let Some(hold) = &ruling.hold {
                action["hold"] = json!({ "code": hold.code, "text": hold.text });
            }
            action
        })
        .collect();
    let kept: Vec<String> = plan.kept.iter().map(ToString::to_string).collect();
    json!({
        "format_version": FORMAT_VERSION,
        "complete": plan.complete,
        "actions": actions,
        "unchanged": plan.unchanged,
        "kept": kept,
    })
}
