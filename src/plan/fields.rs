//! Objects as leaves, and who owns which.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::Value;

use crate::api::names::annotation;
use crate::api::{BareMetalHost, BareMetalHostSpec};
use crate::desired::{Wanted, path, spec_value};

use super::OWNER;

/// The fields of an object that a plan compares, by path.
pub(super) type Leaves = BTreeMap<String, Value>;

/// The leaves of a wanted host: spec, labels, annotations and our marks; not the origin (a line
/// that moved is no change) and not the digest.
pub(super) fn wanted(wanted: &Wanted) -> Leaves {
    let mut out = spec(&wanted.spec);
    metadata(&mut out, "labels", &wanted.labels);
    metadata(&mut out, "annotations", &wanted.annotations);
    for (_, name, value) in wanted.marks() {
        if let Some(value) = value {
            out.insert(name.to_owned(), Value::from(value));
        }
    }
    out
}

/// The same of a host as it is. Annotations of ours appear as marks only; marks are taken from
/// `like`, which says which there are.
pub(super) fn live(host: &BareMetalHost, like: &Wanted) -> Leaves {
    let mut out = spec(&host.spec);
    let meta = &host.metadata;
    if let Some(labels) = &meta.labels {
        metadata(&mut out, "labels", labels);
    }
    if let Some(annotations) = &meta.annotations {
        let others = annotations
            .iter()
            .filter(|(name, _)| !name.starts_with(annotation::OURS));
        metadata(&mut out, "annotations", others);
    }
    for (annotation, name, _) in like.marks() {
        if let Some(value) = host.annotation(annotation) {
            out.insert(name.to_owned(), Value::from(value));
        }
    }
    out
}

fn metadata<'a>(
    out: &mut Leaves,
    kind: &str,
    entries: impl IntoIterator<Item = (&'a str, &'a str)>,
) {
    let parent = format!("metadata.{kind}");
    let leaf = |(name, text): (&str, &str)| (path::child(&parent, name), Value::from(text));
    out.extend(entries.into_iter().map(leaf));
}

fn spec(spec: &BareMetalHostSpec) -> Leaves {
    let mut out = Leaves::new();
    leaves("spec".to_owned(), spec_value(spec), &mut out);
    out
}

/// Lists are leaves: they change whole, as they do in the spec language. An empty record is a leaf
/// too; null says the same as saying nothing.
fn leaves(at: String, value: Value, out: &mut Leaves) {
    match value {
        Value::Null => {}
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                leaves(path::child(&at, &name), value, out);
            }
        }
        value => {
            out.insert(at, value);
        }
    }
}

/// The first difference within two values of a field: its path and the values there. Lists of
/// different length differ where the shorter one ends.
pub(super) fn difference<'v>(
    path: &str,
    before: Option<&'v Value>,
    after: Option<&'v Value>,
) -> (String, Option<&'v Value>, Option<&'v Value>) {
    match (before, after) {
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            let last = old.len().max(new.len());
            let differs = |index: &usize| old.get(*index) != new.get(*index);
            if let Some(index) = (0..last).find(differs) {
                return difference(&path::item(path, index), old.get(index), new.get(index));
            }
        }
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let names = old.keys().chain(new.keys());
            let differs = |name: &&String| old.get(*name) != new.get(*name);
            if let Some(name) = names.filter(differs).min() {
                return difference(&path::child(path, name), old.get(name), new.get(name));
            }
        }
        _ => {}
    }
    (path.to_owned(), before, after)
}

/// True when we applied the field at this path before. Fields that others set (`consumerRef`, an
/// architecture that was found, a user's annotation) are not ours to take away.
pub(super) fn ours(managed: &[ManagedFieldsEntry], path: &str) -> bool {
    let names = path::names(path);
    managed
        .iter()
        .filter(|entry| entry.manager.as_deref() == Some(OWNER))
        .filter(|entry| entry.operation.as_deref() == Some("Apply"))
        .filter_map(|entry| entry.fields_v1.as_ref())
        .any(|fields| owns(&fields.0, &names))
}

/// True when `fields` (managedFields in FieldsV1 form) has the path or a parent of it as a whole.
fn owns(fields: &Value, names: &[&str]) -> bool {
    let Some((first, rest)) = names.split_first() else {
        return true;
    };
    match fields.get(format!("f:{first}")) {
        None => false,
        // `{}`: the value as a whole, atomic or a scalar.
        Some(Value::Object(inner)) if inner.is_empty() => true,
        Some(inner) => owns(inner, rest),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_and_empty_records_are_leaves_and_nulls_are_nothing() {
        let value = json!({"a": {"b": 1, "c": [1, 2], "d": {}, "n": null}, "e.f/g": "x"});
        let mut out = Leaves::new();
        leaves("spec".to_owned(), value, &mut out);
        let paths: Vec<&str> = out.keys().map(String::as_str).collect();
        assert_eq!(paths, ["spec.a.b", "spec.a.c", "spec.a.d", "spec['e.f/g']"]);
    }

    #[test]
    fn ownership_of_a_parent_counts() {
        let fields = json!({"f:spec": {"f:image": {"f:url": {}}, "f:userData": {}}});
        assert!(owns(&fields, &["spec", "image", "url"]));
        assert!(owns(&fields, &["spec", "userData", "name"]));
        assert!(!owns(&fields, &["spec", "image", "format"]));
        assert!(!owns(&fields, &["spec", "consumerRef"]));
    }

    #[test]
    fn the_first_difference_is_found_within_lists() {
        let volumes = |level: &str, size: i64| json!([{"level": "1"}, {"level": level, "s": size}]);
        let first = |before: &Value, after: &Value| {
            let (path, before, after) = difference("v", Some(before), Some(after));
            format!("{path} {before:?} {after:?}")
        };
        assert!(first(&volumes("0", 1), &volumes("1", 1)).starts_with("v[1].level "));
        assert!(first(&volumes("0", 1), &volumes("0", 2)).starts_with("v[1].s Some(Number(1))"));
        assert_eq!(
            first(&json!([1]), &json!([1, 2])),
            "v[1] None Some(Number(2))"
        );
        assert_eq!(
            first(&json!([1, 2]), &json!([1])),
            "v[1] Some(Number(2)) None"
        );
        assert!(first(&json!("a"), &json!("b")).starts_with("v "));
    }
}
