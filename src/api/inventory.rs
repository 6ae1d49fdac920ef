//! HardwareData: what inspection found in a machine.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::Json;
use super::kind::kind;
use super::text::text_enum;
use super::wire::{self, Extra, is_zero};

/// The inventory of a machine as its JSON text.
pub type HardwareJson = Json<HardwareDetails>;

text_enum! {
    schema: closed;
    /// Kind of a disk.
    pub enum DiskType {
        /// Rotational.
        Hdd = "HDD",
        /// Solid state.
        Ssd = "SSD",
        /// Solid state on NVMe.
        Nvme = "NVME",
    }
}

/// Holds the inventory of the host of the same name.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "HardwareData",
    plural = "hardwaredata",
    singular = "hardwaredata",
    shortname = "hd",
    namespaced,
    root = "HardwareDataCrd",
    doc = "What inspection found in the machine of the host of the same name.",
    printcolumn(
        name = "Age",
        type_ = "date",
        description = "Time since the inventory was written",
        json_path = ".metadata.creationTimestamp"
    )
)]
pub struct HardwareDataSpec {
    /// The inventory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<HardwareJson>,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

kind! {
    /// What inspection found in the machine of the host of the same name.
    pub struct HardwareData ("HardwareData") {
        /// What was found.
        spec: HardwareDataSpec,
    }
}

/// The inventory of a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HardwareDetails {
    /// Who made the machine.
    #[serde(default)]
    pub system_vendor: SystemVendor,
    /// Its firmware.
    #[serde(default)]
    pub firmware: Firmware,
    /// Memory in MiB.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ram_mebibytes: i64,
    /// Network interfaces; one with two addresses is listed twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nics: Vec<Nic>,
    /// Disks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storage: Vec<Storage>,
    /// Processors.
    #[serde(default)]
    pub cpu: Cpu,
    /// Host name at the time of inspection.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hostname: String,
}

/// Who made a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SystemVendor {
    /// Maker.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub manufacturer: String,
    /// Product.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub product_name: String,
    /// Serial number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub serial_number: String,
}

/// Firmware of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Firmware {
    /// BIOS.
    #[serde(default)]
    pub bios: Bios,
}

/// BIOS of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bios {
    /// Day of the release, as the vendor writes it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub date: String,
    /// Vendor.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vendor: String,
    /// Version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// Processors of a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cpu {
    /// Architecture, as x86_64.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub arch: String,
    /// Model.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// Clock in MHz.
    #[serde(default, skip_serializing_if = "is_zero", with = "wire::float")]
    #[schemars(with = "f64", extend("x-go" = { "format": "double" }))]
    pub clock_megahertz: f64,
    /// Features, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// How many, threads included.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub count: i64,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Nic {
    /// Name, as eth0.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Vendor and product, as `0x8086 0x1572`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// MAC address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("pattern" = "[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}"))]
    pub mac: String,
    /// IPv4 or IPv6 address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ip: String,
    /// Speed in Gbit/s.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub speed_gbps: i64,
    /// Tagged VLANs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vlans: Vec<Vlan>,
    /// The untagged VLAN.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(extend("minimum" = 0, "maximum" = 4094, "x-go" = { "format": "int32" }))]
    pub vlan_id: i32,
    /// Boots from the network.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pxe: bool,
    /// What the switch tells of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lldp: Option<Lldp>,
    /// PCI address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pci_address: String,
}

/// A VLAN.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Vlan {
    /// Number.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(extend("minimum" = 0, "maximum" = 4094, "x-go" = { "format": "int32" }))]
    pub id: i32,
    /// Name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// What a switch tells by LLDP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lldp {
    /// Chassis.
    #[serde(rename = "switchID", default, skip_serializing_if = "String::is_empty")]
    pub switch_id: String,
    /// Port.
    #[serde(rename = "portID", default, skip_serializing_if = "String::is_empty")]
    pub port_id: String,
    /// Name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub switch_system_name: String,
}

/// A disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Device name, a stable one (by-path) where there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Further device names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternate_names: Vec<String>,
    /// Rotational; `type` says more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rotational: bool,
    /// Kind.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<DiskType>,
    /// Size in bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(extend("x-go" = { "format": "int64" }))]
    pub size_bytes: i64,
    /// Vendor.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vendor: String,
    /// Model.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// Serial number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub serial_number: String,
    /// World Wide Name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub wwn: String,
    /// Vendor's extension of the World Wide Name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub wwn_vendor_extension: String,
    /// World Wide Name with the vendor's extension.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub wwn_with_extension: String,
    /// SCSI address, as 0:0:0:0.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hctl: String,
}
