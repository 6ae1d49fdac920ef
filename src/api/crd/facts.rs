//! A schema path by path, so that two of them can be compared: ours with the facts of BMO's, and with
//! those that a cluster serves.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What a schema says of one path.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// The type, or `int-or-string`.
    pub kind: String,
    /// The object around it has to have it.
    pub required: bool,
    /// Whatever else is said, descriptions aside: enums, patterns, defaults.
    pub constraints: Value,
}

/// By path, as in `.spec.bmc.address`. `[]` is each item of a list, `{}` each value of a map, and `.`
/// the object.
pub type Facts = BTreeMap<String, Fact>;

/// What a schema says. Of what is no schema nothing.
pub fn facts(schema: &Value) -> Facts {
    let mut facts = Facts::new();
    walk("", schema, false, &mut facts);
    facts
}

fn walk(path: &str, schema: &Value, required: bool, facts: &mut Facts) {
    let Some(schema) = schema.as_object() else {
        return;
    };
    let shown = if path.is_empty() { "." } else { path };
    facts.insert(shown.to_owned(), fact(schema, required));
    let needed = schema.get("required").and_then(Value::as_array);
    let is_needed = |name: &str| needed.is_some_and(|names| names.iter().any(|one| one == name));
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (name, property) in properties {
            walk(&format!("{path}.{name}"), property, is_needed(name), facts);
        }
    }
    for (key, each) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(inner) = schema.get(key) {
            walk(&format!("{path}{each}"), inner, false, facts);
        }
    }
}

fn fact(schema: &Map<String, Value>, required: bool) -> Fact {
    const SAID_OTHERWISE: [&str; 7] = [
        "type",
        "description",
        "properties",
        "items",
        "additionalProperties",
        "required",
        "x-kubernetes-int-or-string",
    ];
    let constraints = schema
        .iter()
        .filter(|(key, _)| !SAID_OTHERWISE.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()));
    let kind = match schema.get("x-kubernetes-int-or-string") {
        Some(Value::Bool(true)) => "int-or-string",
        _ => schema
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default(),
    };
    Fact {
        kind: kind.to_owned(),
        required,
        constraints: Value::Object(constraints.collect()),
    }
}

/// What `theirs` knows and `ours` does not: `.spec.newer` for a field, with nothing of what is in it, and
/// `.spec.mode=fast` for a word that ours would refuse.
pub fn lacking(ours: &Facts, theirs: &Facts) -> Vec<String> {
    let mut lacking: Vec<String> = Vec::new();
    for (path, fact) in theirs {
        let is_within = |field: &String| {
            let rest = path.strip_prefix(field.as_str());
            rest.is_some_and(|rest| rest.starts_with(['.', '[', '{']))
        };
        match ours.get(path) {
            None if lacking.iter().any(is_within) => {}
            None => lacking.push(path.clone()),
            Some(known) => lacking.extend(words(known, fact).map(|word| format!("{path}={word}"))),
        }
    }
    lacking
}

/// The words of an enum that another one lacks.
fn words<'a>(ours: &'a Fact, theirs: &'a Fact) -> impl Iterator<Item = &'a str> {
    let of = |fact: &'a Fact| fact.constraints["enum"].as_array();
    let known = of(ours);
    let all = of(theirs).into_iter().flatten();
    all.filter(move |word| known.is_some_and(|known| !known.contains(word)))
        .filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(spec: &Value) -> Facts {
        facts(&json!({ "type": "object", "properties": { "spec": spec } }))
    }

    #[test]
    fn what_only_the_other_one_knows_is_named_once() {
        let ours = of(&json!({
            "type": "object",
            "properties": {
                "mode": { "type": "string", "enum": ["hard", "soft"] },
                "free": { "type": "string" },
                "list": { "type": "array", "items": { "type": "object", "properties": { "a": {} } } },
                "only-ours": { "type": "string" },
            },
        }));
        let theirs = of(&json!({
            "type": "object",
            "properties": {
                "mode": { "type": "string", "enum": ["hard", "fast", "soft"] },
                "free": { "type": "string", "enum": ["a"] },
                "list": { "type": "array", "items": {
                    "type": "object", "properties": { "a": {}, "b": { "type": "string" } },
                } },
                "new": { "type": "object", "properties": { "x": {}, "y": { "type": "array", "items": {} } } },
                "newer": { "type": "object", "additionalProperties": { "type": "string" } },
            },
        }));
        assert_eq!(
            lacking(&ours, &theirs),
            [
                ".spec.list[].b",
                ".spec.mode=fast",
                ".spec.new",
                ".spec.newer"
            ]
        );
        assert_eq!(lacking(&ours, &ours), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_schema_says_nothing() {
        for text in ["null", "[]", "true", "\"a\""] {
            assert!(facts(&serde_json::from_str(text).unwrap()).is_empty());
        }
    }
}
