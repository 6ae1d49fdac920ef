//! BIOS settings and firmware as Ironic lists them. Reads what is there: machines leave out much.

use serde_json::{Map, Value};

use super::wire::str_of;
use crate::api::{AttributeType, FirmwareComponentStatus, SettingSchema};
use crate::firmware::FoundSetting;

/// The settings in an answer to `GET /v1/nodes/ID/bios?detail=true`.
pub fn settings(answer: &Value) -> Vec<FoundSetting> {
    items(answer, "bios").map(setting).collect()
}

/// The parts in an answer to `GET /v1/nodes/ID/firmware`.
pub fn components(answer: &Value) -> Vec<FirmwareComponentStatus> {
    let mut all: Vec<_> = items(answer, "firmware").map(component).collect();
    all.sort_by(|a, b| a.component.cmp(&b.component));
    all
}

fn items<'a>(answer: &'a Value, key: &str) -> impl Iterator<Item = &'a Map<String, Value>> {
    let items = answer.get(key).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_object)
}

fn setting(found: &Map<String, Value>) -> FoundSetting {
    let number = |key: &str| found.get(key).and_then(Value::as_i64);
    let flag = |key: &str| found.get(key).and_then(Value::as_bool);
    let kind = str_of(found, "attribute_type");
    let values = found.get("allowable_values").and_then(Value::as_array);
    FoundSetting {
        name: str_of(found, "name").to_owned(),
        value: found.get("value").map(as_text).unwrap_or_default(),
        schema: SettingSchema {
            attribute_type: (!kind.is_empty()).then(|| AttributeType::from(kind)),
            allowable_values: values.into_iter().flatten().map(as_text).collect(),
            lower_bound: number("lower_bound"),
            upper_bound: number("upper_bound"),
            min_length: number("min_length"),
            max_length: number("max_length"),
            read_only: flag("read_only"),
            unique: flag("unique"),
            extra: Map::new(),
        },
    }
}

/// A value as a text: Ironic keeps texts, and null for what a machine does not tell.
fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn component(found: &Map<String, Value>) -> FirmwareComponentStatus {
    let text = |key: &str| str_of(found, key).to_owned();
    FirmwareComponentStatus {
        component: text("component"),
        initial_version: text("initial_version"),
        current_version: text("current_version"),
        last_version_flashed: text("last_version_flashed"),
        updated_at: str_of(found, "updated_at").parse().ok(),
        extra: Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_json_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_read_with_what_they_may_be() {
        let answer = json!({ "bios": [
            {
                "name": "NumCores", "value": "10", "attribute_type": "Integer",
                "allowable_values": [], "lower_bound": 10, "upper_bound": 20, "min_length": null,
                "max_length": null, "read_only": false, "reset_required": true, "unique": null,
                "created_at": "2026-11-23T09:02:20+00:00", "links": [],
            },
            { "name": "AssetTag", "value": null, "attribute_type": null },
            7,
        ] });
        let found = settings(&answer);
        assert_eq!(found.len(), 2);
        assert_eq!((&*found[0].name, &*found[0].value), ("NumCores", "10"));
        assert_json_snapshot!(found[0].schema, @r#"
        {
          "attribute_type": "Integer",
          "lower_bound": 10,
          "upper_bound": 20,
          "read_only": false
        }
        "#);
        assert_eq!(
            (&*found[1].value, &found[1].schema.attribute_type),
            ("", &None)
        );
        assert!(settings(&json!({ "bios": null })).is_empty());
    }

    #[test]
    fn parts_are_read_in_order() {
        let answer = json!({ "firmware": [
            {
                "component": "bmc", "initial_version": "1.00", "current_version": null,
                "last_version_flashed": null, "updated_at": null,
            },
            {
                "component": "bios", "initial_version": "1.0.0", "current_version": "1.1.0",
                "last_version_flashed": "1.1.0", "updated_at": "2026-11-23T09:02:20.250627+00:00",
            },
        ] });
        assert_json_snapshot!(components(&answer), @r#"
        [
          {
            "component": "bios",
            "initialVersion": "1.0.0",
            "currentVersion": "1.1.0",
            "lastVersionFlashed": "1.1.0",
            "updatedAt": "2026-11-23T09:02:20Z"
          },
          {
            "component": "bmc",
            "initialVersion": "1.00"
          }
        ]
        "#);
    }
}
