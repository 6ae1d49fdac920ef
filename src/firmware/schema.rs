//! A [`FirmwareSchema`]: its name, and whether a value is one that it allows.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::FoundSetting;
use super::settings::is_password;
use crate::api::{
    AttributeType, FirmwareSchema, FirmwareSchemaSpec, IntOrString, SettingSchema, SystemVendor,
};

/// The schema of settings that were read, in this namespace; `None` where there are no settings.
pub fn of(
    found: &[FoundSetting],
    vendor: Option<&SystemVendor>,
    namespace: &str,
) -> Option<FirmwareSchema> {
    let schema: BTreeMap<String, SettingSchema> = found
        .iter()
        .filter(|setting| !is_password(setting))
        .map(|setting| (setting.name.clone(), setting.schema.clone()))
        .collect();
    if schema.is_empty() {
        return None;
    }
    let name = name(&schema);
    let text = |text: fn(&SystemVendor) -> &String| vendor.map(text).cloned().unwrap_or_default();
    let spec = FirmwareSchemaSpec {
        hardware_vendor: text(|vendor| &vendor.manufacturer),
        hardware_model: text(|vendor| &vendor.product_name),
        schema,
        ..FirmwareSchemaSpec::default()
    };
    let mut object = FirmwareSchema::new(&name, spec);
    object.metadata.namespace = Some(namespace.into());
    Some(object)
}

/// `schema-` and eight digits of the digest of the settings and what they may be: equal schemas
/// have one name, whoever reads them.
fn name(schema: &BTreeMap<String, SettingSchema>) -> String {
    let text = serde_json::to_vec(schema).unwrap_or_default();
    let digest = Sha256::digest(&text);
    let digits = digest[..4].iter().map(|byte| format!("{byte:02x}"));
    format!("schema-{}", digits.collect::<String>())
}

/// What keeps a setting from having this value; `None` when nothing does.
pub(super) fn problem(
    name: &str,
    value: &IntOrString,
    schema: &BTreeMap<String, SettingSchema>,
) -> Option<String> {
    if name.contains("Password") {
        return Some(format!("`{name}` is a password and is not set here"));
    }
    let Some(setting) = schema.get(name) else {
        let near = crate::diag::suggest::similar(name, schema.keys().map(String::as_str));
        let hint = near.map_or_else(String::new, |near| {
            format!(", did you mean `{}`?", near.word)
        });
        return Some(format!("the machine has no setting `{name}`{hint}"));
    };
    if setting.read_only == Some(true) {
        return Some(format!("`{name}` is read-only"));
    }
    let text = value.to_string();
    let wrong = |why: String| Some(format!("`{name}` cannot be `{text}`: {why}"));
    let within = |it: i64, least: Option<i64>, most: Option<i64>| {
        least.is_none_or(|least| it >= least) && most.is_none_or(|most| it <= most)
    };
    let bounds = |least: Option<i64>, most: Option<i64>| match (least, most) {
        (Some(least), Some(most)) => format!("from {least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => "any".to_owned(),
    };
    match &setting.attribute_type {
        Some(AttributeType::Enumeration) => {
            let allowed = &setting.allowable_values;
            (!allowed.contains(&text))
                .then(|| wrong(format!("it is one of {}", allowed.join(", "))))?
        }
        Some(AttributeType::Integer) => {
            let (least, most) = (setting.lower_bound, setting.upper_bound);
            match text.parse::<i64>() {
                Ok(number) if within(number, least, most) => None,
                Ok(_) => wrong(format!("it is a number {}", bounds(least, most))),
                Err(_) => wrong("it is a whole number".to_owned()),
            }
        }
        Some(AttributeType::String) => {
            let (least, most) = (setting.min_length, setting.max_length);
            let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
            (!within(length, least, most))
                .then(|| wrong(format!("its length is {}", bounds(least, most))))?
        }
        Some(AttributeType::Boolean) => boolean(&text)
            .is_none()
            .then(|| wrong("it is true or false".to_owned()))?,
        Some(AttributeType::Password) => {
            Some(format!("`{name}` is a password and is not set here"))
        }
        Some(AttributeType::Other(_)) | None => None,
    }
}

/// `true` and `false`, also as Python writes them.
pub(super) fn boolean(text: &str) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    is("true").then_some(true).or(is("false").then_some(false))
}
