//! HostFirmwareComponents: the firmware of a machine, part by part, and updates of it.
//!
//! One a host, of the same name. BMO makes it for a machine whose parts Ironic can list.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::firmware_settings::FirmwareConditionType;
use super::kind::kind;
use super::shared::{Recent, Shared};
use super::status::Condition;
use super::text::text_enum;
use super::wire::{self, Extra};

text_enum! {
    schema: open;
    /// Reason of a condition of HostFirmwareComponents.
    pub enum FirmwareComponentsReason {
        /// The updates were looked at.
        Ok = "OK",
        /// An update names a part that cannot be updated: not `bmc`, `bios` or `nic:…`.
        InvalidComponent = "InvalidComponent",
    }
}

/// A condition of HostFirmwareComponents.
pub type FirmwareComponentsCondition = Condition<FirmwareConditionType, FirmwareComponentsReason>;

/// What is wanted of the firmware.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "HostFirmwareComponents",
    plural = "hostfirmwarecomponents",
    singular = "hostfirmwarecomponents",
    namespaced,
    root = "HostFirmwareComponentsCrd",
    status = "HostFirmwareComponentsStatus",
    doc = "Firmware of the host of the same name, part by part, and updates of it."
)]
#[serde(default)]
#[schemars(extend("x-go" = { "required": ["updates"] }))]
pub struct HostFirmwareComponentsSpec {
    /// Updates to install. Parts that are not named stay as they are.
    pub updates: Vec<FirmwareUpdate>,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

kind! {
    /// Firmware of the host of the same name, part by part, and updates of it.
    pub struct HostFirmwareComponents ("HostFirmwareComponents") {
        /// What is wanted.
        spec: HostFirmwareComponentsSpec,
        status: HostFirmwareComponentsStatus,
    }
}

static COMPONENTS: Recent<Vec<FirmwareComponentStatus>> = Recent::new();
static CONDITIONS: Recent<Vec<FirmwareComponentsCondition>> = Recent::new();

impl HostFirmwareComponents {
    /// Makes it as small as it can be: what others have too is shared.
    pub fn compact(&mut self) {
        self.metadata.compact();
        let Some(status) = &mut self.status else {
            return;
        };
        status.components.compact(&COMPONENTS);
        status.conditions.compact(&CONDITIONS);
        status.updates.shrink_to_fit();
    }
}

/// The firmware as last read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HostFirmwareComponentsStatus {
    /// The updates that were installed last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub updates: Vec<FirmwareUpdate>,
    /// Parts of the machine that have firmware.
    // A model has the same, whichever machine.
    #[serde(skip_serializing_if = "Shared::is_empty")]
    pub components: Shared<Vec<FirmwareComponentStatus>>,
    /// When this status was written.
    #[serde(skip_serializing_if = "Option::is_none", with = "wire::optional_time")]
    #[schemars(schema_with = "wire::time_schema")]
    pub last_updated: Option<Timestamp>,
    /// Conditions, one of a type.
    #[serde(skip_serializing_if = "Shared::is_empty")]
    #[schemars(extend(
        "x-kubernetes-list-map-keys" = ["type"],
        "x-kubernetes-list-type" = "map"
    ))]
    pub conditions: Shared<Vec<FirmwareComponentsCondition>>,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

/// An update of one part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("x-go" = { "required": ["component", "url"] }))]
pub struct FirmwareUpdate {
    /// The part: `bmc`, `bios` or `nic:` with the name of a NIC.
    pub component: String,
    /// Where the new firmware is.
    pub url: String,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

/// Firmware of one part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-go" = { "required": ["component", "initialVersion"] }))]
pub struct FirmwareComponentStatus {
    /// The part.
    pub component: String,
    /// Its version when it was first seen.
    pub initial_version: String,
    /// Its version now.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub current_version: String,
    /// The version that was installed last.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_version_flashed: String,
    /// When that was.
    // Go writes null where it never was. The CRD has no null here: a server drops it, and so do we.
    #[serde(skip_serializing_if = "Option::is_none", with = "wire::optional_time")]
    #[schemars(schema_with = "wire::time_schema")]
    pub updated_at: Option<Timestamp>,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}
