//! What a candidate says beside its record: a word of what it leads, in an annotation of the lease,
//! and a label by which the lease is found. Neither decides anything.
//!
//! They go along with renewals that are written anyway. A server that refuses them (an admission
//! policy, say) must not cost the lease: after a write that failed with them the next ones go
//! without.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::api::names::{annotation, label};

use super::record::Lease;

/// For how long nothing is said after a write that failed with it.
const QUIET: Duration = Duration::from_mins(1);

/// What is said, and whether now.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// The word as it changes; `None` for one who has nothing to say.
    words: Option<watch::Receiver<Arc<str>>>,
    quiet_until: Option<Instant>,
}

impl Telling {
    pub fn new(words: Option<watch::Receiver<Arc<str>>>) -> Self {
        Self {
            words,
            quiet_until: None,
        }
    }

    /// What has to change in the metadata of the lease; `None` when it says all of it already, or
    /// nothing is to be said now.
    pub fn change(&self, lease: &Lease, now: Instant) -> Option<Value> {
        if self.quiet_until.is_some_and(|until| now < until) {
            return None;
        }
        let word = self.words.as_ref()?.borrow().clone();
        let mut change = Map::new();
        if lease.word() != Some(&*word) {
            change.insert("annotations".into(), json!({ annotation::STANDING: *word }));
        }
        let labels = lease.metadata.labels.as_ref();
        if labels.and_then(|all| all.get(label::LEASE)) != Some(label::LEASE_CONTROLLER) {
            let mark = json!({ label::LEASE: label::LEASE_CONTROLLER });
            change.insert("labels".into(), mark);
        }
        (!change.is_empty()).then_some(Value::Object(change))
    }

    /// A write with it failed.
    pub fn failed(&mut self, now: Instant) {
        self.quiet_until = Some(now + QUIET);
    }
}

/// What takes the word off a lease that is given back; `None` when there is none.
pub(super) fn taken_back(lease: &Lease) -> Option<Value> {
    lease.word()?;
    Some(json!({ "annotations": { annotation::STANDING: Value::Null } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(metadata: Value) -> Lease {
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    #[test]
    fn only_what_differs_is_written() {
        let (word, words) = watch::channel(Arc::from("a"));
        let telling = Telling::new(Some(words));
        let now = Instant::now();
        let new = lease(json!({ "annotations": { "of": "others" } }));
        assert_eq!(
            telling.change(&new, now),
            Some(json!({
                "annotations": { "metalform.dev/standing": "a" },
                "labels": { "metalform.dev/lease": "controller" },
            }))
        );
        let told = lease(json!({
            "annotations": { "metalform.dev/standing": "a" },
            "labels": { "metalform.dev/lease": "controller" },
        }));
        assert_eq!(telling.change(&told, now), None);
        word.send_replace("b".into());
        assert_eq!(
            telling.change(&told, now),
            Some(json!({ "annotations": { "metalform.dev/standing": "b" } }))
        );
        assert_eq!(
            taken_back(&told),
            Some(json!({ "annotations": { "metalform.dev/standing": null } }))
        );
        assert_eq!(taken_back(&new), None);
    }

    #[test]
    fn one_who_has_nothing_to_say_changes_nothing() {
        let lease = lease(json!({}));
        assert_eq!(Telling::default().change(&lease, Instant::now()), None);
    }

    #[test]
    fn after_a_write_that_failed_it_is_quiet_for_a_while() {
        let (_word, words) = watch::channel(Arc::from("a"));
        let mut telling = Telling::new(Some(words));
        let (lease, now) = (lease(json!({})), Instant::now());
        telling.failed(now);
        assert_eq!(telling.change(&lease, now + QUIET / 2), None);
        assert!(telling.change(&lease, now + QUIET).is_some());
    }
}
