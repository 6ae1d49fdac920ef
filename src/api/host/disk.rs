//! Disks: how they are joined, and which one the image goes to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::text::text_enum;
use crate::api::wire::is_zero;

text_enum! {
    schema: closed;
    /// RAID level of a volume.
    pub enum RaidLevel {
        /// Striping.
        Raid0 = "0",
        /// Mirroring.
        Raid1 = "1",
        /// Bit-level parity.
        Raid2 = "2",
        /// Striping with parity.
        Raid5 = "5",
        /// Striping with double parity.
        Raid6 = "6",
        /// Striped mirrors.
        Raid10 = "1+0",
        /// Striped RAID 5.
        Raid50 = "5+0",
        /// Striped RAID 6.
        Raid60 = "6+0",
    }
}

/// RAID volumes. An empty list clears, null keeps what is there; null is always written, as Go does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RaidConfig {
    /// Volumes of a RAID controller. Not together with software volumes.
    #[serde(rename = "hardwareRAIDVolumes", default)]
    #[schemars(extend("x-go" = { "nullable": true }))]
    pub hardware_raid_volumes: Option<Vec<HardwareRaidVolume>>,
    /// Volumes made by the operating system, at most two, the first a RAID 1.
    #[serde(rename = "softwareRAIDVolumes", default)]
    #[schemars(extend("maxItems" = 2, "x-go" = { "nullable": true }))]
    pub software_raid_volumes: Option<Vec<SoftwareRaidVolume>>,
}

/// A volume of a RAID controller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HardwareRaidVolume {
    /// Size in GiB; absent or 0 for all there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 0))]
    pub size_gibibytes: Option<i64>,
    /// RAID level.
    pub level: RaidLevel,
    /// Name of the volume, unique within the machine.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("maxLength" = 64))]
    pub name: String,
    /// Only rotational disks (true), only others (false), or any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotational: Option<bool>,
    /// How many disks to use; by default as few as the level needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 1))]
    pub number_of_physical_disks: Option<i64>,
    /// Name of the controller.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub controller: String,
    /// Disks by the names that the controller gives them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub physical_disks: Vec<String>,
}

/// A volume made by the operating system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SoftwareRaidVolume {
    /// The image goes here. At most one volume.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(extend("x-go" = { "default": false }))]
    pub root_volume: bool,
    /// Size in GiB; absent or 0 for all there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 0))]
    pub size_gibibytes: Option<i64>,
    /// RAID level: 0, 1 or 1+0.
    #[schemars(extend("enum" = ["0", "1", "1+0"]))]
    pub level: RaidLevel,
    /// Hints for the disks, at least two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("minItems" = 2))]
    pub physical_disks: Vec<RootDeviceHints>,
}

/// What the disk for the image must be like; all that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RootDeviceHints {
    /// Exact device name: /dev/sda or /dev/disk/by-path/….
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub device_name: String,
    /// Exact SCSI address, as 0:0:0:0.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hctl: String,
    /// Part of the model.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// Part of the vendor.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vendor: String,
    /// Exact serial number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub serial_number: String,
    /// At least this large, in GB; 0 for any size.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(extend("minimum" = 0))]
    pub min_size_gigabytes: i64,
    /// Exact World Wide Name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub wwn: String,
    /// Exact World Wide Name with the vendor's extension.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub wwn_with_extension: String,
    /// Exact vendor's extension of the World Wide Name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub wwn_vendor_extension: String,
    /// Rotational (true) or not (false).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotational: Option<bool>,
}
