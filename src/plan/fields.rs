//! Objects as leaves, and who owns which.

use serde_json::Value;

/// The leaves of a JSON value as (dotted path, value), in order. Lists are leaves: they change
/// whole, as they do in the spec language. An empty record is a leaf too.
pub(super) fn leaves<'a>(prefix: &str, value: &'a Value, out: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                leaves(&format!("{prefix}.{}", escaped(name)), value, out);
            }
        }
        _ => out.push((prefix.to_owned(), value)),
    }
}

/// A key that has dots of its own is put in brackets, as JSONPath has it.
fn escaped(name: &str) -> String {
    if name.contains(['.', '/']) { format!("['{name}']") } else { name.to_owned() }
}

/// True when `fields` (managedFields in FieldsV1 form) has the path or a parent of it as a whole.
pub(super) fn owns(fields: &Value, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    match fields.get(format!("f:{first}")) {
        None => false,
        // `{}`: the value as a whole, atomic or a scalar.
        Some(Value::Object(inner)) if inner.is_empty() => true,
        Some(inner) => owns(inner, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_and_empty_records_are_leaves() {
        let value = json!({"a": {"b": 1, "c": [1, 2], "d": {}}, "e.f/g": "x"});
        let mut out = Vec::new();
        leaves("spec", &value, &mut out);
        let paths: Vec<&str> = out.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["spec.a.b", "spec.a.c", "spec.a.d", "spec.['e.f/g']"]);
    }

    #[test]
    fn ownership_of_a_parent_counts() {
        let fields = json!({"f:spec": {"f:image": {"f:url": {}}, "f:userData": {}}});
        assert!(owns(&fields, &["spec", "image", "url"]));
        assert!(owns(&fields, &["spec", "userData", "name"]));
        assert!(!owns(&fields, &["spec", "image", "format"]));
        assert!(!owns(&fields, &["spec", "consumerRef"]));
    }
}
