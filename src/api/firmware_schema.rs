//! FirmwareSchema: which values the BIOS settings of a machine may have.
//!
//! Machines with equal schemas share one object: BMO names it by a digest of the schema, and each
//! HostFirmwareSettings that uses it is an owner.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::kind;
use super::text::text_enum;
use super::wire::Extra;

text_enum! {
    schema: closed;
    /// Type of a BIOS setting.
    pub enum AttributeType {
        /// One of the allowable values.
        Enumeration = "Enumeration",
        /// A text with bounds of its length.
        String = "String",
        /// A number with bounds.
        Integer = "Integer",
        /// `true` or `false`.
        Boolean = "Boolean",
        /// A password; it can be neither read nor set.
        Password = "Password",
    }
}

/// What a FirmwareSchema says.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "FirmwareSchema",
    plural = "firmwareschemas",
    singular = "firmwareschema",
    namespaced,
    root = "FirmwareSchemaCrd",
    doc = "Which values the BIOS settings of machines may have."
)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-go" = { "required": ["schema"] }))]
pub struct FirmwareSchemaSpec {
    /// Who made the machines.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hardware_vendor: String,
    /// Their model.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hardware_model: String,
    /// What is known of each setting, by its name.
    pub schema: BTreeMap<String, SettingSchema>,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

kind! {
    /// Which values the BIOS settings of machines may have.
    pub struct FirmwareSchema ("FirmwareSchema") {
        /// What is known of the settings.
        spec: FirmwareSchemaSpec,
    }
}

/// What is known of a BIOS setting. Its fields have the names that Ironic gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SettingSchema {
    /// Type; absent where the machine does not tell it, and then any value may be tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute_type: Option<AttributeType>,
    /// The values that an Enumeration may have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowable_values: Vec<String>,
    /// The least that an Integer may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower_bound: Option<i64>,
    /// The most that an Integer may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upper_bound: Option<i64>,
    /// The fewest bytes that a String may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<i64>,
    /// The most bytes that a String may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<i64>,
    /// It cannot be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// Its value is this machine's own, as a serial number is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique: Option<bool>,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}
