//! HostFirmwareSettings: the BIOS settings of a machine, as they are and as they are wanted.
//!
//! One a host, of the same name. BMO makes it when the machine is registered, with no wishes.

use std::collections::BTreeMap;
use std::fmt;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::json::Json;
use super::kind::kind;
use super::shared::{Recent, Shared};
use super::status::Condition;
use super::text::text_enum;
use super::wire::{self, Extra};

text_enum! {
    schema: open;
    /// Name of a condition of HostFirmwareSettings and of HostFirmwareComponents.
    pub enum FirmwareConditionType {
        /// What is wanted can be set on this machine.
        Valid = "Valid",
        /// What is wanted is not what is.
        ChangeDetected = "ChangeDetected",
    }
}

text_enum! {
    schema: open;
    /// Reason of a condition of HostFirmwareSettings.
    pub enum FirmwareSettingsReason {
        /// The settings were looked at.
        Success = "Success",
        /// A wanted setting is not in the schema, or its value is not one that the schema allows.
        ConfigurationError = "ConfigurationError",
    }
}

/// A condition of HostFirmwareSettings.
pub type FirmwareSettingsCondition = Condition<FirmwareConditionType, FirmwareSettingsReason>;

/// What is wanted of the settings.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "HostFirmwareSettings",
    plural = "hostfirmwaresettings",
    singular = "hostfirmwaresettings",
    shortname = "hfs",
    namespaced,
    root = "HostFirmwareSettingsCrd",
    status = "HostFirmwareSettingsStatus",
    doc = "BIOS settings of the host of the same name, as they are and as they are wanted."
)]
#[serde(default)]
#[schemars(extend("x-go" = { "required": ["settings"] }))]
pub struct HostFirmwareSettingsSpec {
    /// Settings to set, by name. Those that are not named stay as they are.
    pub settings: BTreeMap<String, IntOrString>,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

kind! {
    /// BIOS settings of the host of the same name, as they are and as they are wanted.
    pub struct HostFirmwareSettings ("HostFirmwareSettings") {
        /// What is wanted.
        spec: HostFirmwareSettingsSpec,
        status: HostFirmwareSettingsStatus,
    }
}

static SCHEMAS: Recent<SchemaReference> = Recent::new();
static CONDITIONS: Recent<Vec<FirmwareSettingsCondition>> = Recent::new();

impl HostFirmwareSettings {
    /// Makes it as small as it can be: what others have too is shared.
    pub fn compact(&mut self) {
        self.metadata.compact();
        let Some(status) = &mut self.status else {
            return;
        };
        if let Some(schema) = SCHEMAS.other_of(status.schema.as_ref()) {
            status.schema = Some(schema);
        }
        status.conditions.compact(&CONDITIONS);
    }
}

/// The settings as last read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-go" = { "required": ["settings"] }))]
pub struct HostFirmwareSettingsStatus {
    /// The FirmwareSchema that says what values the settings may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Shared<SchemaReference>>,
    /// All settings of the machine, by name; passwords are left out.
    // As text: a machine has hundreds, and the next one of its model has nearly the same.
    pub settings: Json<FirmwareSettings>,
    /// When this status was written.
    #[serde(skip_serializing_if = "Option::is_none", with = "wire::optional_time")]
    #[schemars(schema_with = "wire::time_schema")]
    pub last_updated: Option<Timestamp>,
    /// Conditions, one of a type.
    // Machines that were read in one second have the same.
    #[serde(skip_serializing_if = "Shared::is_empty")]
    #[schemars(extend(
        "x-kubernetes-list-map-keys" = ["type"],
        "x-kubernetes-list-type" = "map"
    ))]
    pub conditions: Shared<Vec<FirmwareSettingsCondition>>,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

/// Settings of a machine with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct FirmwareSettings(pub BTreeMap<String, String>);

/// Where a FirmwareSchema is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("x-go" = { "required": ["name", "namespace"] }))]
pub struct SchemaReference {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

/// A number or a text, as it was written: to a machine `4` and `"4"` are one value, to whoever wrote
/// it they are not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a whole number or a text")]
pub enum IntOrString {
    /// A number. The API machinery's Go type ends at 32 bits, a server does not.
    Int(i64),
    /// A text.
    String(String),
}

impl fmt::Display for IntOrString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(f),
            Self::String(text) => text.fmt(f),
        }
    }
}

impl JsonSchema for IntOrString {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IntOrString".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [{ "type": "integer" }, { "type": "string" }],
            "x-kubernetes-int-or-string": true
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_a_number_or_a_text_as_it_was_written() {
        let spec: HostFirmwareSettingsSpec =
            serde_json::from_str(r#"{"settings":{"A":4,"B":"4","C":-9000000000}}"#).unwrap();
        assert_eq!(spec.settings["A"], IntOrString::Int(4));
        assert_eq!(spec.settings["B"], IntOrString::String("4".into()));
        let shown: Vec<_> = spec.settings.values().map(ToString::to_string).collect();
        assert_eq!(shown, ["4", "4", "-9000000000"]);
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(text, r#"{"settings":{"A":4,"B":"4","C":-9000000000}}"#);
        for wrong in ["true", "1.5", "null", "{}"] {
            let text = format!(r#"{{"settings":{{"A":{wrong}}}}}"#);
            let error = serde_json::from_str::<HostFirmwareSettingsSpec>(&text).unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains("expected a whole number or a text"),
                "{error}"
            );
        }
    }
}
