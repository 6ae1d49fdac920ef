//! How metadata is to change, as merge patches: first what it gains, then what it loses.

use serde_json::{Map, Value, json};

use crate::api::{Metadata, Tags};

/// The parts of metadata that a status write brings along; everything else is the server's.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Delta {
    /// Merge patch of `metadata`: labels and annotations that are new or other, lists that got
    /// longer. `None`: nothing is gained.
    pub gains: Option<Value>,
    /// Merge patch of `metadata` after that.
    pub losses: Option<Value>,
    /// With the losses the object has no finalizer left.
    pub lets_go: bool,
}

impl Delta {
    /// From what is to what is wanted.
    pub fn between(now: &Metadata, wanted: &Metadata) -> Self {
        let (mut gains, mut losses) = (Map::new(), Map::new());
        tags(
            "annotations",
            now.annotations.as_ref(),
            wanted.annotations.as_ref(),
            &mut gains,
            &mut losses,
        );
        tags(
            "labels",
            now.labels.as_ref(),
            wanted.labels.as_ref(),
            &mut gains,
            &mut losses,
        );
        let (own, next) = (now.finalizers(), wanted.finalizers());
        list("finalizers", own, next, &mut gains, &mut losses);
        let owners = |meta: &Metadata| -> Vec<Value> {
            let all = meta.owner_references.iter().flat_map(|all| all.iter());
            all.filter_map(|owner| serde_json::to_value(owner).ok())
                .collect()
        };
        let (own, next) = (owners(now), owners(wanted));
        list("ownerReferences", &own, &next, &mut gains, &mut losses);
        let some = |map: Map<String, Value>| (!map.is_empty()).then_some(Value::Object(map));
        Self {
            lets_go: !now.finalizers().is_empty() && wanted.finalizers().is_empty(),
            gains: some(gains),
            losses: some(losses),
        }
    }
}

/// A merge patch of a whole object at a version.
pub(super) fn at_version(metadata: Value, version: &str) -> Value {
    let mut metadata = metadata;
    metadata["resourceVersion"] = version.into();
    json!({ "metadata": metadata })
}

fn tags(
    name: &str,
    now: Option<&Tags>,
    wanted: Option<&Tags>,
    gains: &mut Map<String, Value>,
    losses: &mut Map<String, Value>,
) {
    let (mut more, mut less) = (Map::new(), Map::new());
    for (key, value) in wanted.into_iter().flatten() {
        if now.and_then(|now| now.get(key)) != Some(value) {
            more.insert(key.to_owned(), value.into());
        }
    }
    for (key, _) in now.into_iter().flatten() {
        if wanted.is_none_or(|wanted| !wanted.contains_key(key)) {
            less.insert(key.to_owned(), Value::Null);
        }
    }
    if !more.is_empty() {
        gains.insert(name.into(), more.into());
    }
    if !less.is_empty() {
        losses.insert(name.into(), less.into());
    }
}

/// Lists are replaced whole by a merge patch, which the version makes safe.
fn list<T: serde::Serialize + PartialEq + Clone>(
    name: &str,
    now: &[T],
    wanted: &[T],
    gains: &mut Map<String, Value>,
    losses: &mut Map<String, Value>,
) {
    if now == wanted {
        return;
    }
    let gained = wanted.iter().filter(|item| !now.contains(item));
    let all: Vec<T> = now.iter().chain(gained).cloned().collect();
    if all.len() > now.len() {
        gains.insert(name.into(), json!(all));
    }
    if all != wanted {
        losses.insert(name.into(), json!(wanted));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    fn meta(value: Value) -> Metadata {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn nothing_changes_nothing() {
        let all = meta(json!({
            "annotations": { "a": "1" }, "labels": { "l": "x" }, "finalizers": ["f"],
            "resourceVersion": "7",
        }));
        let mut other = all.clone();
        other.resource_version = Some("8".into());
        assert_eq!(Delta::between(&all, &other), Delta::default());
    }

    #[test]
    fn what_is_gained_comes_before_what_is_lost() {
        let now = meta(json!({
            "annotations": { "goes": "1", "other": "1", "stays": "1" },
            "finalizers": ["old", "both"],
        }));
        let wanted = meta(json!({
            "annotations": { "other": "2", "stays": "1", "new": "1" },
            "finalizers": ["both", "new"],
        }));
        let delta = Delta::between(&now, &wanted);
        assert_eq!(
            delta.gains,
            Some(json!({
                "annotations": { "other": "2", "new": "1" },
                "finalizers": ["old", "both", "new"],
            }))
        );
        assert_eq!(
            delta.losses,
            Some(json!({ "annotations": { "goes": null }, "finalizers": ["both", "new"] }))
        );
        assert!(!delta.lets_go);
    }

    #[test]
    fn the_last_finalizer_lets_go() {
        let now = meta(json!({ "finalizers": ["f"] }));
        let delta = Delta::between(&now, &Metadata::default());
        assert_eq!(delta.gains, None);
        assert_eq!(delta.losses, Some(json!({ "finalizers": [] })));
        assert!(delta.lets_go);
        assert!(!Delta::between(&Metadata::default(), &Metadata::default()).lets_go);
    }

    fn some_meta() -> impl Strategy<Value = Metadata> {
        let tags = || prop::collection::btree_map("[a-c]", "[12]", 0..3);
        let names = prop::sample::subsequence(vec!["x", "y", "z"], 0..=3).prop_shuffle();
        (tags(), tags(), names).prop_map(|(annotations, labels, finalizers)| {
            meta(json!({
                "annotations": annotations, "labels": labels, "finalizers": finalizers,
            }))
        })
    }

    proptest! {
        #[test]
        fn both_patches_make_what_is_wanted(now in some_meta(), wanted in some_meta()) {
            let delta = Delta::between(&now, &wanted);
            let mut value = serde_json::to_value(&now).unwrap();
            for patch in [delta.gains, delta.losses].into_iter().flatten() {
                json_patch::merge(&mut value, &patch);
            }
            let whole = |meta: &Value| -> Value {
                let texts = |name: &str| meta[name].as_object().cloned().unwrap_or_default();
                json!([texts("annotations"), texts("labels"), meta["finalizers"].as_array()])
            };
            let made = whole(&value);
            prop_assert_eq!(&made[0], &whole(&serde_json::to_value(&wanted).unwrap())[0]);
            prop_assert_eq!(&made[1], &whole(&serde_json::to_value(&wanted).unwrap())[1]);
            let names: BTreeSet<Arc<str>> = wanted.finalizers().iter().cloned().collect();
            let made: Metadata = serde_json::from_value(value).unwrap();
            prop_assert_eq!(made.finalizers().iter().cloned().collect::<BTreeSet<_>>(), names);
        }
    }
}
