//! What is wanted, judged.

use insta::assert_snapshot;
use serde_json::json;

use super::*;
use crate::api::{AttributeType, SettingSchema, Timestamp};

fn now(hour: u8) -> Timestamp {
    format!("2026-01-01T{hour:02}:00:00Z").parse().unwrap()
}

fn found() -> Vec<FoundSetting> {
    let setting = |name: &str, value: &str, schema| FoundSetting {
        name: name.into(),
        value: value.into(),
        schema,
    };
    let of = |kind| SettingSchema {
        attribute_type: Some(kind),
        ..SettingSchema::default()
    };
    vec![
        setting("AdminPassword", "hunter2", SettingSchema::default()),
        setting("Boot", "True", of(AttributeType::Boolean)),
        setting("Free", "x", SettingSchema::default()),
        setting("Key", "secret", of(AttributeType::Password)),
        setting(
            "Mode",
            "a",
            SettingSchema {
                allowable_values: vec!["a".into(), "b".into(), "4".into()],
                ..of(AttributeType::Enumeration)
            },
        ),
        setting(
            "Number",
            "10",
            SettingSchema {
                lower_bound: Some(1),
                upper_bound: Some(20),
                ..of(AttributeType::Integer)
            },
        ),
        setting(
            "Serial",
            "s",
            SettingSchema {
                read_only: Some(true),
                ..SettingSchema::default()
            },
        ),
        setting(
            "Tag",
            "",
            SettingSchema {
                max_length: Some(3),
                ..of(AttributeType::String)
            },
        ),
    ]
}

fn wanted(settings: &serde_json::Value, generation: i64) -> HostFirmwareSettings {
    let object =
        json!({ "metadata": { "generation": generation }, "spec": { "settings": settings } });
    serde_json::from_value(object).unwrap()
}

/// Reads a machine for these wishes.
fn read(settings: &serde_json::Value) -> (HostFirmwareSettings, FirmwareSchema) {
    let found = found();
    let schema = schema::of(&found, None, "m").unwrap();
    let mut object = wanted(settings, 1);
    object.status = Some(settings::read(&object, &found, Some(&schema), now(1)));
    (object, schema)
}

fn conditions_of(object: &HostFirmwareSettings) -> String {
    let all = &object.status.as_ref().unwrap().conditions;
    let shown = all.iter().map(|it| {
        let (kind, status, of) = (&it.kind, it.status.as_str(), it.observed_generation);
        format!("{kind}={status} {} {of} {}", it.reason, it.message)
    });
    shown
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_machine_that_was_read_shows_its_settings_but_no_passwords() {
    let (object, schema) = read(&json!({}));
    let status = object.status.as_ref().unwrap();
    assert_snapshot!(status.settings.text(), @r#"{"Boot":"True","Free":"x","Mode":"a","Number":"10","Serial":"s","Tag":""}"#);
    assert!(!schema.spec.schema.contains_key("Key"));
    assert!(!schema.spec.schema.contains_key("AdminPassword"));
    assert_eq!(
        schema.metadata.name.as_deref(),
        status.schema.as_ref().map(|schema| schema.name.as_str())
    );
    assert_snapshot!(conditions_of(&object), @r"
    Valid=True Success 1
    ChangeDetected=False Success 1
    ");
    let standing = Standing::of(Some(&object), Some(&schema), None);
    assert_eq!(standing, Standing::default());
}

#[test]
fn a_schema_is_named_by_what_it_says() {
    let name = |found: &[FoundSetting]| {
        let schema = schema::of(found, None, "m").unwrap();
        schema.metadata.name.unwrap().to_string()
    };
    assert_snapshot!(name(&found()), @"schema-618bd8d5");
    let mut other = found();
    other.reverse();
    // Values and order say nothing of what may be.
    other.iter_mut().for_each(|setting| setting.value.clear());
    assert_eq!(name(&other), name(&found()));
    other.pop();
    other.pop();
    assert_ne!(name(&other), name(&found()));
    assert_eq!(schema::of(&[], None, "m"), None);
}

#[test]
fn each_setting_that_cannot_be_is_told() {
    let (object, _) = read(&json!({
        "AdminPassword": "x", "Boot": "yes", "Free": "anything", "Key": "x", "Mode": "c",
        "Number": 21, "Number2": 1, "Serial": "t", "Tag": "four", "boot": "true",
    }));
    assert_snapshot!(conditions_of(&object).replace("; ", "\n"), @r"
    Valid=False ConfigurationError 1 `AdminPassword` is a password and is not set here
    `Boot` cannot be `yes`: it is true or false
    the machine has no setting `Key`
    `Mode` cannot be `c`: it is one of a, b, 4
    `Number` cannot be `21`: it is a number from 1 to 20
    the machine has no setting `Number2`, did you mean `Number`?
    `Serial` is read-only
    `Tag` cannot be `four`: its length is at most 3
    the machine has no setting `boot`, did you mean `Boot`?
    ChangeDetected=True Success 1
    ");
    let (object, _) = read(&json!({ "Number": "ten", "Mode": 4 }));
    assert_snapshot!(conditions_of(&object), @r"
    Valid=False ConfigurationError 1 `Number` cannot be `ten`: it is a whole number
    ChangeDetected=True Success 1
    ");
}

#[test]
fn what_differs_is_to_be_set_as_the_machine_takes_it() {
    let (object, schema) = read(&json!({
        "Boot": "false", "Free": 7, "Mode": 4, "Number": "12", "Tag": "t",
    }));
    let changes = Standing::of(Some(&object), Some(&schema), None)
        .changes
        .unwrap();
    let settings = changes
        .settings
        .iter()
        .map(|it| format!("{}={}", it.name, it.value));
    assert_snapshot!(settings.collect::<Vec<_>>().join(" "), @r#"Boot=false Free=7 Mode="4" Number=12 Tag="t""#);
    assert_snapshot!(changes.of, @"HostFirmwareSettings of generation 1");
    // Equal is what the machine takes for equal.
    let (object, schema) = read(&json!({ "Boot": "true", "Number": 10, "Mode": "a" }));
    assert_eq!(
        Standing::of(Some(&object), Some(&schema), None).changes,
        None
    );
}

#[test]
fn every_judgement_is_of_the_generation_that_it_judged() {
    let (mut object, schema) = read(&json!({ "Mode": "b" }));
    for generation in 2..5 {
        object.metadata.generation = Some(generation);
        assert!(!settings::is_settled(&object));
        // What was wanted before is not what is wanted.
        assert_eq!(
            Standing::of(Some(&object), Some(&schema), None).changes,
            None
        );
        object.status = Some(settings::judged(&object, Some(&schema), now(2)));
        assert!(settings::is_settled(&object));
        assert!(
            Standing::of(Some(&object), Some(&schema), None)
                .changes
                .is_some()
        );
    }
    let status = object.status.clone().unwrap();
    assert_eq!(status.last_updated, Some(now(2)));
    // The same again is no other status.
    assert_eq!(settings::judged(&object, Some(&schema), now(3)), status);
    let transitions = status.conditions.iter().map(|it| it.last_transition_time);
    assert_eq!(transitions.collect::<Vec<_>>(), [now(1), now(1)]);
}

#[test]
fn what_was_never_read_is_to_be_read() {
    let unread = |settings: Option<&HostFirmwareSettings>, schema: Option<&FirmwareSchema>| {
        let Parts {
            settings,
            components,
        } = Standing::of(settings, schema, None).unread;
        (settings, components)
    };
    assert_eq!(unread(None, None), (true, true));
    assert_eq!(unread(Some(&wanted(&json!({}), 1)), None), (true, true));
    let (object, schema) = read(&json!({ "Mode": "b" }));
    assert_eq!(unread(Some(&object), Some(&schema)), (false, false));
    // Nobody can tell what is valid without it; where nothing is wanted, nobody has to.
    assert_eq!(unread(Some(&object), None), (true, false));
    assert_eq!(unread(Some(&read(&json!({})).0), None), (false, false));
    let mut none = wanted(&json!({ "Mode": "b" }), 1);
    none.status = Some(settings::read(&none, &[], None, now(1)));
    assert_eq!(unread(Some(&none), None), (false, false));
    assert_snapshot!(conditions_of(&none), @r"
    Valid=False ConfigurationError 1 the machine tells no BIOS settings
    ChangeDetected=True Success 1
    ");
}

fn parts(updates: &serde_json::Value) -> HostFirmwareComponents {
    let object = json!({ "metadata": { "generation": 1 }, "spec": { "updates": updates } });
    let mut object: HostFirmwareComponents = serde_json::from_value(object).unwrap();
    object.status = Some(components::read(&object, Vec::new(), None, now(1)));
    object
}

#[test]
fn updates_are_of_known_parts_and_from_urls() {
    let update = |component: &str, url: &str| json!({ "component": component, "url": url });
    let problems = |updates: &[serde_json::Value]| {
        let object = parts(&updates.into());
        let conditions = object.status.unwrap().conditions;
        let valid = conditions::find(&conditions, &FirmwareConditionType::Valid).unwrap();
        format!("{} {}", valid.reason, valid.message).replace("; ", "\n")
    };
    let fine = ["bmc", "bios", "nic:NIC.1"].map(|part| update(part, "https://f/a"));
    assert_eq!(problems(&fine), "OK ");
    let wrong = [
        update("cpu", "http://f/a"),
        update("nic:", "http://f/a"),
        update("bios", "f/a"),
        update("bios", "ftp://f/a"),
    ];
    assert_snapshot!(problems(&wrong), @r"
    InvalidComponent `cpu` cannot be updated: parts are `bmc`, `bios` and `nic:` with a name
    `nic:` cannot be updated: parts are `bmc`, `bios` and `nic:` with a name
    `f/a`, the firmware of `bios`, is no URL of http, https or file
    `bios` is updated twice
    `ftp://f/a`, the firmware of `bios`, is no URL of http, https or file
    ");
}

#[test]
fn updates_are_installed_when_what_is_wanted_is_still_what_was_installed() {
    let mut object = parts(&json!([{ "component": "bios", "url": "http://f/a" }]));
    let of = |object: &HostFirmwareComponents| {
        Standing::of(None, None, Some(object))
            .changes
            .map(|changes| changes.of.to_string())
    };
    assert_snapshot!(of(&object).unwrap(), @"HostFirmwareComponents of generation 1");
    let later = components::read(&object, Vec::new(), Some(0), now(2));
    assert!(later.updates.is_empty());
    object.status = Some(components::read(&object, Vec::new(), Some(1), now(2)));
    assert_eq!(of(&object), None);
    assert_eq!(object.status.as_ref().unwrap().updates, object.spec.updates);
}

#[test]
fn a_stamp_is_read_as_it_was_written() {
    for settings in [None, Some(3)] {
        for components in [None, Some(12)] {
            let stamp = Stamp {
                settings,
                components,
            };
            let read = stamp.to_string().parse();
            let is_none = stamp == Stamp::default();
            assert_eq!(
                read,
                if is_none {
                    Err(change::NoStamp)
                } else {
                    Ok(stamp)
                }
            );
        }
    }
    assert!(
        "HostFirmwareSettings of generation x"
            .parse::<Stamp>()
            .is_err()
    );
}
