//! HostFirmwareSettings: the BIOS settings that were read, and those that are wanted.

use std::collections::BTreeMap;

use serde_json::Value;

use super::schema::{boolean, problem};
use super::{FoundSetting, Setting, is_judged, is_to_change, message};
use crate::api::{
    AttributeType, ConditionStatus, FirmwareConditionType, FirmwareSchema, FirmwareSettings,
    FirmwareSettingsReason, HostFirmwareSettings, HostFirmwareSettingsStatus, IntOrString, Json,
    SchemaReference, SettingSchema, Shared, Timestamp, conditions, whole_seconds,
};

type Schema = BTreeMap<String, SettingSchema>;

/// True for what is neither shown nor set.
pub(super) fn is_password(setting: &FoundSetting) -> bool {
    setting.name.contains("Password")
        || setting.schema.attribute_type == Some(AttributeType::Password)
}

/// True when the machine's settings are known, and what they may be where that matters.
pub fn is_read(settings: &HostFirmwareSettings, schema: Option<&FirmwareSchema>) -> bool {
    let status = settings.status.as_ref();
    let names_schema = status.is_some_and(|status| status.schema.is_some());
    let needs_schema = names_schema && !settings.spec.settings.is_empty();
    was_read(settings) && (!needs_schema || schema.is_some())
}

/// True when the machine was read at all.
pub(super) fn was_read(settings: &HostFirmwareSettings) -> bool {
    let status = settings.status.as_ref();
    status.is_some_and(|status| status.schema.is_some() || !status.conditions.is_empty())
}

/// True when there is nothing to judge.
pub fn is_settled(settings: &HostFirmwareSettings) -> bool {
    let conditions = settings
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice());
    conditions.is_some_and(|conditions| is_judged(conditions, settings.metadata.generation))
}

/// The status once the machine's settings were read.
pub fn read(
    settings: &HostFirmwareSettings,
    found: &[FoundSetting],
    schema: Option<&FirmwareSchema>,
    now: Timestamp,
) -> HostFirmwareSettingsStatus {
    let values = found.iter().filter(|setting| !is_password(setting));
    let values = values.map(|setting| (setting.name.clone(), setting.value.clone()));
    let values = FirmwareSettings(values.collect());
    let mut status = settings.status.clone().unwrap_or_default();
    // Texts with keys that are texts are JSON.
    status.settings = Json::new(&values).unwrap_or_default();
    status.schema = schema.map(|schema| {
        Shared::new(SchemaReference {
            namespace: text(schema.metadata.namespace.as_deref()),
            name: text(schema.metadata.name.as_deref()),
            ..SchemaReference::default()
        })
    });
    judge(settings, &mut status, schema, now);
    status
}

/// The status once what is wanted was judged, against what was read.
pub fn judged(
    settings: &HostFirmwareSettings,
    schema: Option<&FirmwareSchema>,
    now: Timestamp,
) -> HostFirmwareSettingsStatus {
    let mut status = settings.status.clone().unwrap_or_default();
    judge(settings, &mut status, schema, now);
    status
}

fn judge(
    settings: &HostFirmwareSettings,
    status: &mut HostFirmwareSettingsStatus,
    schema: Option<&FirmwareSchema>,
    now: Timestamp,
) {
    let nothing = Schema::new();
    let schema = schema.map_or(&nothing, |schema| &schema.spec.schema);
    let wanted = &settings.spec.settings;
    let problems: Vec<String> = if schema.is_empty() && !wanted.is_empty() {
        vec!["the machine tells no BIOS settings".to_owned()]
    } else {
        let problems = wanted.iter();
        let problems = problems.filter_map(|(name, value)| problem(name, value, schema));
        problems.collect()
    };
    let changed = !differing(settings, &status.settings, schema).is_empty();
    let valid = problems.is_empty();
    let reason = if valid {
        FirmwareSettingsReason::Success
    } else {
        FirmwareSettingsReason::ConfigurationError
    };
    let list = [
        (
            FirmwareConditionType::Valid,
            valid,
            reason,
            message(&problems),
        ),
        (
            FirmwareConditionType::ChangeDetected,
            changed,
            FirmwareSettingsReason::Success,
            String::new(),
        ),
    ];
    let generation = settings.metadata.generation.unwrap_or_default();
    for (kind, is, reason, message) in list {
        let is = if is {
            ConditionStatus::True
        } else {
            ConditionStatus::False
        };
        let all = &mut status.conditions;
        conditions::set(all, kind, is, reason, message, generation, now);
    }
    if settings.status.as_ref() != Some(&*status) {
        status.last_updated = Some(whole_seconds(now));
    }
}

/// What is wanted, valid and not so: as judged.
pub fn changes(settings: &HostFirmwareSettings, schema: Option<&FirmwareSchema>) -> Vec<Setting> {
    let Some(status) = &settings.status else {
        return Vec::new();
    };
    let schema = schema.map(|schema| &schema.spec.schema);
    match schema {
        Some(schema) if is_to_change(&status.conditions, settings.metadata.generation) => {
            differing(settings, &status.settings, schema)
        }
        _ => Vec::new(),
    }
}

/// Settings that are not as wanted.
fn differing(
    settings: &HostFirmwareSettings,
    present: &Json<FirmwareSettings>,
    schema: &Schema,
) -> Vec<Setting> {
    let wanted = &settings.spec.settings;
    if wanted.is_empty() {
        return Vec::new();
    }
    let present = present.get().unwrap_or_default().0;
    let differs = |(name, value): &(&String, &IntOrString)| {
        let kind = schema.get(*name).and_then(|it| it.attribute_type.as_ref());
        let wanted = value.to_string();
        match present.get(*name) {
            // Ironic's word for it is Python's.
            Some(is) if kind == Some(&AttributeType::Boolean) => !is.eq_ignore_ascii_case(&wanted),
            Some(is) => *is != wanted,
            None => true,
        }
    };
    let wanted = wanted.iter().filter(differs);
    let typed = wanted.map(|(name, value)| Setting {
        name: name.clone(),
        value: typed(value, schema.get(name)),
    });
    typed.collect()
}

/// The value as the machine takes it: BMCs refuse the text of a number for a number.
fn typed(value: &IntOrString, schema: Option<&SettingSchema>) -> Value {
    let text = value.to_string();
    match schema.and_then(|schema| schema.attribute_type.as_ref()) {
        Some(AttributeType::Integer) => text.parse::<i64>().map_or(text.into(), Value::from),
        Some(AttributeType::Boolean) => boolean(&text).map_or(text.into(), Value::from),
        Some(AttributeType::Enumeration | AttributeType::String | AttributeType::Password) => {
            text.into()
        }
        Some(AttributeType::Other(_)) | None => match value {
            IntOrString::Int(number) => (*number).into(),
            IntOrString::String(text) => text.as_str().into(),
        },
    }
}

fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}
