//! The status of a BareMetalHost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::host::{
    BootMode, CustomDeploy, FirmwareConfig, Image, RaidConfig, RootDeviceHints, SecretReference,
};
use super::inventory::HardwareJson;
use super::shared::Shared;
use super::text::text_enum;
use super::wire::{self, Extra, is_zero};

text_enum! {
    schema: open;
    /// Where a host is in its life.
    #[derive(Default)]
    pub enum ProvisioningState {
        /// Not looked at yet.
        #[default]
        None = "",
        /// No BMC is given: nothing can be done.
        Unmanaged = "unmanaged",
        /// Access to the BMC is being verified.
        Registering = "registering",
        /// A state of old versions; goes on to preparing.
        MatchProfile = "match profile",
        /// A state of old versions; the same as available.
        Ready = "ready",
        /// Ready to be provisioned.
        Available = "available",
        /// The hardware is being found out.
        Inspecting = "inspecting",
        /// RAID and firmware are being set and disks cleaned.
        Preparing = "preparing",
        /// The image is being written.
        Provisioning = "provisioning",
        /// The image is there.
        Provisioned = "provisioned",
        /// Something else put an image there.
        ExternallyProvisioned = "externally provisioned",
        /// The image is being taken off and disks cleaned.
        Deprovisioning = "deprovisioning",
        /// Powering off, then it goes.
        PoweringOffBeforeDelete = "powering off before delete",
        /// Being forgotten.
        Deleting = "deleting",
    }
}

text_enum! {
    schema: closed;
    /// How a host is doing.
    #[derive(Default)]
    pub enum OperationalStatus {
        /// Not known yet.
        #[default]
        None = "",
        /// Well.
        Ok = "OK",
        /// No BMC is given.
        Discovered = "discovered",
        /// Something failed, see `errorType` and `errorMessage`.
        Error = "error",
        /// Waits for a free slot.
        Delayed = "delayed",
        /// Not managed for now, by annotation.
        Detached = "detached",
        /// Firmware is being changed on a provisioned host.
        Servicing = "servicing",
    }
}

text_enum! {
    schema: closed;
    /// What failed.
    pub enum ErrorType {
        /// A provisioned host could not be registered again.
        ProvisionedRegistration = "provisioned registration error",
        /// The BMC cannot be reached, or its address or credentials are wrong.
        Registration = "registration error",
        /// The hardware could not be found out.
        Inspection = "inspection error",
        /// Cleaning failed.
        Preparation = "preparation error",
        /// Provisioning or deprovisioning failed.
        Provisioning = "provisioning error",
        /// The power could not be changed.
        PowerManagement = "power management error",
        /// Servicing failed.
        Servicing = "servicing error",
    }
}

text_enum! {
    schema: open;
    /// Name of a condition. BMO's six, in the order in which they are recorded, and ours.
    pub enum ConditionType {
        /// Provisioned and well.
        Ready = "Ready",
        /// Can be given an image.
        AvailableForProvisioning = "AvailableForProvisioning",
        /// The BMC reports no fault of the hardware.
        Healthy = "Healthy",
        /// Registered, and its power can be controlled.
        Manageable = "Manageable",
        /// On the way from one stable state to another.
        Progressing = "Progressing",
        /// Has an image.
        Provisioned = "Provisioned",
        /// metalform's own: the host waits for something that a person has to see to.
        Waiting = "metalform.dev/Waiting",
        /// metalform's own: BIOS settings and firmware are being changed. The reason says how far
        /// that is, the message whose wishes they are.
        Firmware = "metalform.dev/Firmware",
    }
}

/// What was last seen of a machine and done to it.
///
/// Serialises as Go does: whatever is not skipped here when empty is always written. A field that
/// is missing is read as empty, as Go does, also those that the CRD requires.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-go" = { "required": [
    "errorCount",
    "errorMessage",
    "operationalStatus",
    "poweredOn",
    "provisioning",
    "provisioningFailCount"
] }))]
pub struct BareMetalHostStatus {
    /// How the host is doing.
    pub operational_status: OperationalStatus,
    /// What failed, when `operationalStatus` is error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<ErrorType>,
    /// When this status was written.
    #[serde(skip_serializing_if = "Option::is_none", with = "wire::optional_time")]
    #[schemars(schema_with = "wire::time_schema")]
    pub last_updated: Option<Timestamp>,
    /// Deprecated; the profile of the hardware.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hardware_profile: String,
    /// The inventory; HardwareData holds the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware: Option<HardwareJson>,
    /// What was applied, and where the host is in its life.
    pub provisioning: ProvisionStatus,
    /// The credentials that last worked.
    pub good_credentials: Shared<CredentialsStatus>,
    /// The credentials that were last tried.
    pub tried_credentials: Shared<CredentialsStatus>,
    /// The last error in words; empty when there is none.
    pub error_message: String,
    /// Whether the machine is powered on, as last seen.
    pub powered_on: bool,
    /// When the phases began and ended.
    pub operation_history: OperationHistory,
    /// Errors since the last success.
    #[schemars(extend("x-go" = { "default": 0 }))]
    pub error_count: i64,
    /// Failed attempts to provision the current image.
    #[schemars(extend("x-go" = { "default": 0 }))]
    pub provisioning_fail_count: i64,
    /// The image of the last attempt to provision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_attempted_image: Option<Shared<Image>>,
    /// Conditions, one of a type.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend(
        "maxItems" = 32,
        "x-kubernetes-list-map-keys" = ["type"],
        "x-kubernetes-list-type" = "map"
    ))]
    pub conditions: Vec<Condition>,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

impl BareMetalHostStatus {
    /// The condition of this type.
    pub fn condition(&self, kind: &ConditionType) -> Option<&Condition> {
        super::conditions::find(&self.conditions, kind)
    }
}

/// What was applied to a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-go" = { "required": ["ID", "state"] }))]
pub struct ProvisionStatus {
    /// Where the host is in its life.
    pub state: ProvisioningState,
    /// UUID of the Ironic node.
    #[serde(rename = "ID")]
    pub id: String,
    /// The image on the machine; an empty URL for none. Always written, as Go does.
    pub image: Shared<Image>,
    /// The hints that the image's disk was chosen by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_device_hints: Option<Shared<RootDeviceHints>>,
    /// The boot mode that was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_mode: Option<BootMode>,
    /// The RAID volumes that were made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raid: Option<Box<RaidConfig>>,
    /// Always empty in practice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<FirmwareConfig>,
    /// The custom deploy step that was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_deploy: Option<CustomDeploy>,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

/// BMC credentials at one version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsStatus {
    /// The Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<SecretReference>,
    /// Its version; never its content.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub credentials_version: String,
}

impl CredentialsStatus {
    /// These credentials at this version.
    pub fn new(namespace: &str, name: &str, version: &str) -> Self {
        let credentials = SecretReference {
            name: name.into(),
            namespace: namespace.into(),
        };
        Self {
            credentials: Some(credentials),
            credentials_version: version.into(),
        }
    }

    /// True when these are the credentials of that Secret at that version.
    pub fn matches(&self, namespace: &str, name: &str, version: &str) -> bool {
        self.credentials_version == version
            && self
                .credentials
                .as_ref()
                .is_some_and(|secret| secret.name == name && secret.namespace == namespace)
    }
}

/// When the phases of a host's life began and ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperationHistory {
    /// Registering.
    #[serde(default)]
    pub register: OperationMetric,
    /// Inspecting.
    #[serde(default)]
    pub inspect: OperationMetric,
    /// Provisioning.
    #[serde(default)]
    pub provision: OperationMetric,
    /// Deprovisioning.
    #[serde(default)]
    pub deprovision: OperationMetric,
}

/// When a phase began and ended; null when it did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperationMetric {
    /// Began.
    #[serde(default, with = "wire::optional_time")]
    #[schemars(schema_with = "wire::nullable_time_schema")]
    pub start: Option<Timestamp>,
    /// Ended.
    #[serde(default, with = "wire::optional_time")]
    #[schemars(schema_with = "wire::nullable_time_schema")]
    pub end: Option<Timestamp>,
}

/// The value of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody knows.
    Unknown,
}

impl ConditionStatus {
    /// The text on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl JsonSchema for ConditionStatus {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ConditionStatus".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "enum": ["True", "False", "Unknown"] })
    }
}

/// One aspect of an object's state; a host's unless the parameters say which object's: its types
/// `K` and its reasons `R`.
///
/// The wire form of the API machinery's Condition, in less memory: every host has six.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(
    description = "One aspect of the object's state.",
    extend("x-go" = { "required": [
        "lastTransitionTime",
        "message",
        "reason",
        "status",
        "type"
    ] })
)]
pub struct Condition<K = ConditionType, R = super::conditions::Reason> {
    /// Which aspect.
    #[serde(rename = "type")]
    #[schemars(extend(
        "maxLength" = 316,
        "pattern" = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
    ))]
    pub kind: K,
    /// Its value.
    pub status: ConditionStatus,
    /// The generation of the object that the value was computed from; 0 when not told.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(extend("minimum" = 0, "x-go" = { "format": "int64" }))]
    pub observed_generation: i64,
    /// When `status` last changed.
    #[serde(with = "wire::time")]
    #[schemars(schema_with = "wire::time_schema")]
    pub last_transition_time: Timestamp,
    /// Why, as one CamelCase word.
    #[schemars(extend(
        "maxLength" = 1024,
        "minLength" = 1,
        "pattern" = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
    ))]
    pub reason: R,
    /// Why, in words; may be empty.
    #[serde(default)]
    #[schemars(extend("maxLength" = 32768))]
    pub message: String,
}
