//! A law of all kinds: what a CRD allows, its type keeps.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::api::*;

fn word() -> BoxedStrategy<String> {
    prop_oneof!["[a-zA-Z0-9:/ ._-]{1,12}", "\\PC{1,6}"].boxed()
}

/// Values that a schema allows. Those of a field that may be absent are not empty, for Go does not
/// write those.
fn allowed(schema: &Value, required: bool) -> BoxedStrategy<Value> {
    if let Some(Value::Array(words)) = schema.get("enum") {
        let words: Vec<Value> = words.iter().filter(|word| **word != "").cloned().collect();
        return proptest::sample::select(words).boxed();
    }
    if schema.get("x-kubernetes-int-or-string").is_some() {
        return prop_oneof![
            any::<i64>().prop_map(Value::from),
            word().prop_map(Value::from)
        ]
        .boxed();
    }
    let least = usize::from(!required);
    match schema["type"].as_str().unwrap() {
        "string" if schema.get("format").is_some_and(|it| it == "date-time") => (0
            ..4_000_000_000_i64)
            .prop_map(|second| json!(Timestamp::from_second(second).unwrap().to_string()))
            .boxed(),
        "string" if required => prop_oneof![4 => word(), 1 => Just(String::new())]
            .prop_map(Value::from)
            .boxed(),
        "string" => word().prop_map(Value::from).boxed(),
        "integer" => (i64::from(!required)..4000).prop_map(Value::from).boxed(),
        "number" => (1..9999_i64).prop_map(|it| json!(it)).boxed(),
        "boolean" if required => any::<bool>().prop_map(Value::from).boxed(),
        "boolean" => Just(json!(true)).boxed(),
        "array" => vec(allowed(&schema["items"], true), least..3)
            .prop_map(Value::from)
            .boxed(),
        "object" if schema.get("additionalProperties").is_some() => btree_map(
            word(),
            allowed(&schema["additionalProperties"], true),
            least..4,
        )
        .prop_map(|map| Value::from(Extra::from_iter(map)))
        .boxed(),
        "object" => object(schema),
        other => panic!("what is a {other}?"),
    }
}

fn object(schema: &Value) -> BoxedStrategy<Value> {
    let needs = |name: &str| {
        let names = schema.get("required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|other| other == name))
    };
    let fields = schema["properties"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, field)| {
            let needed = needs(&name);
            let value = allowed(&field, needed);
            (Just(name), value, any::<bool>())
                .prop_map(move |(name, value, there)| (needed || there).then_some((name, value)))
        })
        .collect();
    fields
        .prop_map(|fields| Value::from(fields.into_iter().flatten().collect::<Extra>()))
        .boxed()
}

/// An object that a CRD allows, with a field that it does not know in each of its halves.
fn whole(crd: &CustomResourceDefinition) -> BoxedStrategy<Value> {
    let (group, kind) = (crd.spec.group.clone(), crd.spec.names.kind.clone());
    (object(&schema_of(crd).unwrap()), word())
        .prop_map(move |(mut object, new)| {
            object["apiVersion"] = json!(format!("{group}/{VERSION}"));
            object["kind"] = json!(kind);
            object["metadata"] = json!({ "name": "a" });
            for half in ["spec", "status"] {
                if let Some(half) = object.get_mut(half) {
                    half["xNew"] = json!({ "said": [new] });
                }
            }
            object
        })
        .boxed()
}

/// The path of a value that is not in `kept` as it was.
fn lost(path: &str, value: &Value, kept: &Value) -> Option<String> {
    match (value, kept) {
        (Value::Object(fields), Value::Object(kept)) => fields.iter().find_map(|(name, field)| {
            let path = format!("{path}.{name}");
            match kept.get(name) {
                Some(kept) => lost(&path, field, kept),
                None => Some(path),
            }
        }),
        (Value::Array(items), Value::Array(kept)) if items.len() == kept.len() => {
            let mut pairs = items.iter().zip(kept);
            pairs.find_map(|(item, kept)| lost(&format!("{path}[]"), item, kept))
        }
        _ => (value != kept).then(|| path.to_owned()),
    }
}

fn keeps<K: Serialize + DeserializeOwned>(crd: &CustomResourceDefinition) {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let law = |value: Value| {
        let read: K = serde_json::from_value(value.clone())
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        let written = serde_json::to_value(&read).unwrap();
        prop_assert_eq!(lost("", &value, &written), None);
        // What Go always writes is there now; from then on nothing changes, by no way.
        let text = serde_json::to_string(&read).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), &written);
        let again: K = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&serde_json::to_value(&again).unwrap(), &written);
        let yaml = serde_yaml_ng::to_string(&read).unwrap();
        let again: K = serde_yaml_ng::from_str(&yaml).unwrap();
        prop_assert_eq!(&serde_json::to_value(&again).unwrap(), &written);
        Ok(())
    };
    if let Err(error) = runner.run(&whole(crd), law) {
        panic!("{}: {error}", crd.spec.names.kind);
    }
}

#[test]
fn what_a_crd_allows_its_type_keeps() {
    for crd in crds().unwrap() {
        match crd.spec.names.kind.as_str() {
            "BareMetalHost" => keeps::<BareMetalHost>(&crd),
            "HardwareData" => keeps::<HardwareData>(&crd),
            "HostFirmwareSettings" => keeps::<HostFirmwareSettings>(&crd),
            "FirmwareSchema" => keeps::<FirmwareSchema>(&crd),
            "HostFirmwareComponents" => keeps::<HostFirmwareComponents>(&crd),
            "HostUpdatePolicy" => keeps::<HostUpdatePolicy>(&crd),
            "PreprovisioningImage" => keeps::<PreprovisioningImage>(&crd),
            "DataImage" => keeps::<DataImage>(&crd),
            "Fleet" => keeps::<Fleet>(&crd),
            other => panic!("what is {other}?"),
        }
    }
}
