//! The objects of `metal3.io/v1alpha1` that metalform reads and writes, under the API's own names,
//! and its own Fleet.
//!
//! The types carry every field of the CRDs and serialise exactly as the Go types do: what Go omits
//! when empty is omitted, what Go always writes (`online`, most of the status, the explicit nulls
//! of `operationHistory`) is always written. Fields that a newer Bare Metal Operator adds are kept
//! in `extra` maps and written back. Enumerations keep an unknown text as `Other`.
//!
//! Empty text and an absent field are one thing here, as in Go: `String` fields are `""` when not
//! set, and are then not written.
//!
//! - [`host`]: BareMetalHost and its spec; [`status`]: its status; [`inventory`]: HardwareData.
//! - [`firmware_settings`], [`firmware_schema`], [`firmware_components`], [`update_policy`],
//!   [`preprovisioning_image`], [`data_image`]: what stands beside a host, under its name.
//! - [`fleet`]: the Fleet of `metalform.dev/v1alpha1`.
//! - [`Metadata`], [`Tags`]: metadata of all of them, small enough for ten thousand.
//! - [`conditions`]: the six conditions as a pure function; [`event`]: events about a host.
//! - [`bmc`]: BMC addresses and what their scheme says about the driver; [`validate`]: the rules
//!   of the admission webhook, offline.
//! - [`word`]: what a controller says of all its hosts, in its Lease.
//! - [`crd`]: the CRDs, generated from the types; [`names`]: annotations, finalizers, reasons.

pub mod bmc;
pub mod conditions;
pub mod crd;
pub mod data_image;
mod detached;
pub mod event;
pub mod firmware_components;
pub mod firmware_schema;
pub mod firmware_settings;
pub mod fleet;
#[cfg(test)]
pub(crate) mod golden;
pub mod host;
pub mod inventory;
mod json;
mod kind;
mod meta;
pub mod names;
mod payload;
pub mod preprovisioning_image;
mod raid;
mod shared;
pub mod status;
mod tags;
mod text;
pub mod update_policy;
pub mod validate;
mod wire;
pub mod word;

pub use data_image::{
    AttachedImageReference, DataImage, DataImageError, DataImageSpec, DataImageStatus,
};
pub use detached::Detached;
pub use event::Event;
pub use firmware_components::{
    FirmwareComponentStatus, FirmwareComponentsCondition, FirmwareComponentsReason, FirmwareUpdate,
    HostFirmwareComponents, HostFirmwareComponentsSpec, HostFirmwareComponentsStatus,
};
pub use firmware_schema::{AttributeType, FirmwareSchema, FirmwareSchemaSpec, SettingSchema};
pub use firmware_settings::{
    FirmwareConditionType, FirmwareSettings, FirmwareSettingsCondition, FirmwareSettingsReason,
    HostFirmwareSettings, HostFirmwareSettingsSpec, HostFirmwareSettingsStatus, IntOrString,
    SchemaReference,
};
pub use fleet::{
    Finding, FindingSeverity, Fleet, FleetCondition, FleetConditionType, FleetReason, FleetSource,
    FleetSpec, FleetStatus, HostCounts, LastGood,
};
pub use host::{
    BareMetalHost, BareMetalHostSpec, Bmc, BootMode, ChecksumType, CleaningMode, CustomDeploy,
    FirmwareConfig, HardwareRaidVolume, HostNetworkAttachmentRef, HostSpec, Image, ImageFormat,
    InspectionMode, NetworkInterface, RaidConfig, RaidLevel, RootDeviceHints, SecretReference,
    SoftwareRaidVolume, SwitchPort,
};
pub use inventory::{
    Bios, Cpu, DiskType, Firmware, HardwareData, HardwareDataSpec, HardwareDetails, HardwareJson,
    Lldp, Nic, Storage, SystemVendor, Vlan,
};
pub use json::{Json, JsonError};
pub use k8s_openapi::api::core::v1::{ObjectReference, Taint};
pub use meta::{Metadata, OwnerReference, Owners};
pub use payload::Payload;
pub use preprovisioning_image::{
    PreprovisioningImage, PreprovisioningImageCondition, PreprovisioningImageConditionType,
    PreprovisioningImageFormat, PreprovisioningImageReason, PreprovisioningImageSpec,
    PreprovisioningImageStatus, SecretStatus,
};
pub use shared::Shared;
pub use status::{
    BareMetalHostStatus, Condition, ConditionStatus, ConditionType, CredentialsStatus, ErrorType,
    OperationHistory, OperationMetric, OperationalStatus, ProvisionStatus, ProvisioningState,
};
pub use tags::Tags;
pub use update_policy::{
    HostUpdatePolicy, HostUpdatePolicySpec, HostUpdatePolicyStatus, UpdatePolicy,
};
pub use wire::{Extra, whole_seconds};

/// A point in time. On the wire it has whole seconds, see [`whole_seconds`].
pub type Timestamp = jiff::Timestamp;

/// API group of all types here but [`Fleet`].
pub const GROUP: &str = "metal3.io";
/// API version of all types here.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` of all types here but [`Fleet`].
pub const API_VERSION: &str = "metal3.io/v1alpha1";
