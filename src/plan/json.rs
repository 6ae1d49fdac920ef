//! The plan for machines: a committed shape (minor versions only add).

use std::collections::BTreeMap;

use serde::Serializer;
use serde_json::{Value, json};

use crate::store::Key;

use super::masked::mask;
use super::{Disruption, Plan, Ruling, Verb};

/// Version of the shape. Minor: fields were added. Major: readers have to change.
pub const FORMAT_VERSION: &str = "1.0";

pub(super) fn key<S: Serializer>(key: &Key, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(key)
}

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
pub(super) fn optional_key<S: Serializer>(
    key: &Option<Key>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match key {
        Some(key) => serializer.collect_str(key),
        None => serializer.serialize_none(),
    }
}

/// The plan as JSON: `format_version`, `fleet`, `complete`, `summary`, `actions[]` (host, verb,
/// disruption, changes, pool, rack, guard, refusal, hold), `kept[]`. `docs/plan.md` describes it.
/// Secrets appear as references only, and of a URL no password.
pub fn to_json(plan: &Plan, rulings: &[Ruling<'_>]) -> Value {
    let actions: Vec<Value> = rulings
        .iter()
        .map(|ruling| {
            let mut action = serde_json::to_value(ruling.action)
                .expect("an action has text for keys, which is all that JSON asks for");
            mask(&mut action["changes"]);
            if let Some(hold) = &ruling.hold {
                action["hold"] = json!({ "code": hold.code.as_str(), "text": *hold.text });
            }
            action
        })
        .collect();
    json!({
        "format_version": FORMAT_VERSION,
        "fleet": *plan.fleet,
        "complete": plan.complete,
        "summary": summary(plan, rulings),
        "actions": actions,
        "kept": plan.kept,
    })
}

fn summary(plan: &Plan, rulings: &[Ruling<'_>]) -> Value {
    let count = |verb: Verb| {
        rulings
            .iter()
            .filter(|ruling| ruling.action.verb == verb)
            .count()
    };
    let classes: BTreeMap<&str, usize> = Disruption::ALL
        .into_iter()
        .map(|class| {
            let alike = |ruling: &&Ruling<'_>| ruling.action.disruption == class;
            (class.word(), rulings.iter().filter(alike).count())
        })
        .collect();
    json!({
        "create": count(Verb::Create),
        "update": count(Verb::Update),
        "delete": count(Verb::Delete),
        "unchanged": plan.unchanged,
        "kept": plan.kept.len(),
        "held": rulings.iter().filter(|ruling| ruling.hold.is_some()).count(),
        "disruption": classes,
    })
}
