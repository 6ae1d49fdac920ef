//! What would be done, without doing it: every host is looked at and decided on once.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::Value;

use crate::api::BareMetalHost;
use crate::provision::Effect;
use crate::reconcile::Why;
use crate::store::{Key, Object as _, StoreError};

use super::decide::decide;
use super::turn::needs_machine;
use super::{Engine, Shared, Stores};

/// How long machines may take until all were seen once.
const SEEN: Duration = Duration::from_mins(1);

/// What would be done for one host.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The host as it is.
    pub host: Arc<BareMetalHost>,
    /// Why it would be where it then is.
    pub why: Why,
    /// What would be asked of its machine.
    pub effect: Option<Effect>,
    /// What would be written into the host: `status.poweredOn: false → true`; and the objects beside it
    /// that would be.
    pub writes: Vec<String>,
}

impl Preview {
    /// True when nothing would be done now.
    pub fn is_nothing(&self) -> bool {
        self.effect.is_none() && self.writes.is_empty()
    }
}

impl<S: Stores> Engine<S> {
    /// Looks at all hosts, their secrets and their machines, and says what the first turn of each
    /// would do. Changes nothing. In order of key. For an engine that does not run.
    ///
    /// # Errors
    /// When hosts or secrets cannot be read.
    pub async fn preview(&self) -> Result<Vec<Preview>, StoreError> {
        self.warm().await?;
        let shared = &self.shared;
        let hosts: Vec<Arc<BareMetalHost>> = shared.store.snapshot().await?.objects;
        for (name, machines) in &shared.machines {
            let mut ticks = machines.ticks();
            // The first tick tells of all of them, or that nobody answers, which each host then says.
            tokio::time::timeout(SEEN, ticks.next()).await.ok();
            shared.rebook(name, &hosts);
        }
        shared.holders.note_all(&hosts);
        let mut all = Vec::with_capacity(hosts.len());
        for host in hosts {
            all.push(shared.preview_one(host).await?);
        }
        Ok(all)
    }
}

impl<S: Stores> Shared<S> {
    async fn preview_one(&self, host: Arc<BareMetalHost>) -> Result<Preview, StoreError> {
        let key = host.key();
        let found = self.with_secrets(&key, Arc::clone(&host)).await;
        let now = found.map_err(|(_, error)| error)?;
        let now = now.unwrap_or_else(|| Arc::clone(&host));
        let machines = self.machines_of(&now);
        if machines.is_none() && needs_machine(&now) {
            self.no_machines(&key, &now);
            return Ok(Preview {
                why: self.known_why(&key),
                host,
                effect: None,
                writes: Vec::new(),
            });
        }
        self.seek_hardware_data(&key, &now).await?;
        let decided = decide(&key, self, &now, machines.as_ref());
        let mut writes = differences(&now, &decided.host);
        writes.extend(self.unjudged(&key, &now));
        Ok(Preview {
            writes,
            why: decided.step.why,
            effect: decided.step.effect,
            host,
        })
    }

    fn known_why(&self, key: &Key) -> Why {
        let why = self.memos.with(key, |memo| memo.why.clone());
        let none = || Why::new(crate::reconcile::Code::NoProvisioner, String::new());
        why.map_or_else(none, |why| Why::clone(&why))
    }
}

/// What differs between two states of a host, a line each. The time of the last change says nothing.
fn differences(now: &BareMetalHost, next: &BareMetalHost) -> Vec<String> {
    let value = |host: &BareMetalHost| serde_json::to_value(host).unwrap_or_default();
    let (before, after) = (value(now), value(next));
    let mut lines = Vec::new();
    compare("", &before, &after, &mut lines);
    lines.retain(|line| !line.starts_with("status.lastUpdated"));
    // All conditions tell the same of it.
    let all = lines.len();
    lines.retain(|line| !line.contains("].observedGeneration: "));
    if lines.len() < all {
        let generation = now.metadata.generation.unwrap_or_default();
        lines.push(format!("status.conditions: as of generation {generation}"));
    }
    lines
}

fn compare(path: &str, before: &Value, after: &Value, lines: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => {
            let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}{name}");
                let of = |all: &serde_json::Map<String, Value>| all.get(name).cloned();
                let (one, other) = (of(one).unwrap_or_default(), of(other).unwrap_or_default());
                compare(&path, &one, &other, lines);
            }
        }
        // Conditions and the like: by their type, where they have one.
        (Value::Array(one), Value::Array(other)) if one.iter().chain(other).all(is_typed) => {
            let kinds = |all: &[Value]| -> Vec<String> {
                let kinds = all.iter().filter_map(|item| item["type"].as_str());
                kinds.map(str::to_owned).collect()
            };
            let mut names = [kinds(one), kinds(other)].concat();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let of = |all: &[Value]| all.iter().find(|item| item["type"] == *name).cloned();
                let (mut one, mut other) =
                    (of(one).unwrap_or_default(), of(other).unwrap_or_default());
                for item in [&mut one, &mut other] {
                    if let Some(item) = item.as_object_mut() {
                        item.remove("lastTransitionTime");
                    }
                }
                compare(&format!("{path}[{name}]"), &one, &other, lines);
            }
        }
        (one, other) if one == other => {}
        (one, other) => lines.push(format!("{path}: {} → {}", short(one), short(other))),
    }
}

fn is_typed(item: &Value) -> bool {
    item["type"].is_string()
}

/// A value in a few words.
fn short(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.chars().take(60).collect(),
        Value::Object(_) => "{…}".to_owned(),
        other => other.to_string().chars().take(60).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_named_by_their_places() {
        let before = json!({
            "metadata": { "finalizers": ["a"] },
            "status": {
                "conditions": [
                    { "type": "Ready", "status": "False", "lastTransitionTime": "1" },
                    { "type": "Same", "status": "True", "lastTransitionTime": "1" },
                ],
                "poweredOn": false, "errorMessage": "",
            },
        });
        let after = json!({
            "metadata": { "finalizers": ["a", "b"] },
            "status": {
                "conditions": [
                    { "type": "Ready", "status": "True", "lastTransitionTime": "2" },
                    { "type": "Same", "status": "True", "lastTransitionTime": "2" },
                ],
                "poweredOn": true, "errorMessage": "",
                "hardware": { "cpu": {} },
            },
        });
        let mut lines = Vec::new();
        compare("", &before, &after, &mut lines);
        assert_eq!(
            lines,
            [
                r#"metadata.finalizers: ["a"] → ["a","b"]"#,
                "status.conditions[Ready].status: False → True",
                "status.hardware: nothing → {…}",
                "status.poweredOn: false → true",
            ]
        );
    }
}
