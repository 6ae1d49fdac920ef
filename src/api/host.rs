//! BareMetalHost and what its spec holds.

mod disk;
mod image;
mod network;

use std::ops::{Deref, DerefMut};

use k8s_openapi::api::core::v1::{ObjectReference, Taint};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::kind::kind;
use super::names::annotation;
use super::shared::{Recent, Shared};
use super::status::{BareMetalHostStatus, CredentialsStatus, ProvisioningState};
use super::text::text_enum;
use super::wire::{Extra, is_zero};

pub use disk::{HardwareRaidVolume, RaidConfig, RaidLevel, RootDeviceHints, SoftwareRaidVolume};
pub use image::{ChecksumType, CustomDeploy, Image, ImageFormat};
pub use network::{HostNetworkAttachmentRef, NetworkInterface, SwitchPort};

text_enum! {
    schema: closed;
    /// How a machine boots.
    #[derive(Default)]
    pub enum BootMode {
        /// UEFI; what an absent `bootMode` means.
        #[default]
        Uefi = "UEFI",
        /// UEFI with secure boot.
        UefiSecureBoot = "UEFISecureBoot",
        /// BIOS.
        Legacy = "legacy",
    }
}

text_enum! {
    schema: closed;
    /// Whether disks are cleaned before a machine is available and after it was provisioned.
    #[derive(Default)]
    pub enum CleaningMode {
        /// Partition tables and file system signatures are wiped; what an absent field means.
        #[default]
        Metadata = "metadata",
        /// No automated cleaning.
        Disabled = "disabled",
    }
}

text_enum! {
    schema: closed;
    /// How the hardware is found out.
    #[derive(Default)]
    pub enum InspectionMode {
        /// Not at all.
        Disabled = "disabled",
        /// By the agent ramdisk; what an absent field means.
        #[default]
        Agent = "agent",
        /// By the BMC alone, in seconds, with less detail.
        Fast = "fast",
    }
}

/// What is wanted of a machine: a [`HostSpec`] that is shared until somebody changes it.
///
/// A status write makes a new version of a host, of which the last few thousand are kept for those
/// who watch; all have the spec of the first one, and so has what the fleet wants.
#[expect(
    clippy::duplicated_attributes,
    reason = "columns have the same type and priority"
)]
#[derive(CustomResource, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "BareMetalHost",
    plural = "baremetalhosts",
    singular = "baremetalhost",
    shortname = "bmh",
    shortname = "bmhost",
    namespaced,
    root = "BareMetalHostCrd",
    status = "BareMetalHostStatus",
    doc = "A physical machine and what is wanted of it.",
    printcolumn(
        name = "Status",
        type_ = "string",
        description = "Operational status",
        json_path = ".status.operationalStatus",
        priority = 1
    ),
    printcolumn(
        name = "State",
        type_ = "string",
        description = "Provisioning state",
        json_path = ".status.provisioning.state"
    ),
    printcolumn(
        name = "Consumer",
        type_ = "string",
        description = "Who uses this host",
        json_path = ".spec.consumerRef.name"
    ),
    printcolumn(
        name = "BMC",
        type_ = "string",
        description = "Address of the management controller",
        json_path = ".spec.bmc.address",
        priority = 1
    ),
    printcolumn(
        name = "Online",
        type_ = "string",
        description = "Whether the host is wanted powered on",
        json_path = ".spec.online"
    ),
    printcolumn(
        name = "Error",
        type_ = "string",
        description = "Kind of the latest error",
        json_path = ".status.errorType"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        description = "Time since the host was created",
        json_path = ".metadata.creationTimestamp"
    )
)]
pub struct BareMetalHostSpec(Shared<HostSpec>);

kind! {
    /// A physical machine and what is wanted of it.
    pub struct BareMetalHost ("BareMetalHost") {
        /// What is wanted.
        spec: BareMetalHostSpec,
        status: BareMetalHostStatus,
    }
}

/// What is wanted of a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-go" = { "required": ["online"] }))]
pub struct HostSpec {
    /// Never implemented by anybody; kept for round trips.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<Taint>,
    /// How the management controller is reached.
    #[serde(default)]
    pub bmc: Bmc,
    /// RAID volumes to make before the machine is available. Absent: left as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raid: Option<Box<RaidConfig>>,
    /// Refused by the webhook: no driver supports it any more. Use HostFirmwareSettings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<FirmwareConfig>,
    /// Deprecated; one of unknown, libvirt, dell, dell-raid, openstack, empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hardware_profile: String,
    /// Which disk the image is written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_device_hints: Option<Shared<RootDeviceHints>>,
    /// How the machine boots; UEFI when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_mode: Option<BootMode>,
    /// MAC address of the NIC that boots (never the BMC's).
    #[serde(
        rename = "bootMACAddress",
        default,
        skip_serializing_if = "String::is_empty"
    )]
    #[schemars(extend("pattern" = "[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}"))]
    pub boot_mac_address: String,
    /// Whether the machine is to be powered on. Nothing is provisioned while false.
    #[serde(default)]
    pub online: bool,
    /// Who uses the host, a Cluster API machine for instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub consumer_ref: Option<Box<ObjectReference>>,
    /// The image to provision; setting it starts provisioning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Shared<Image>>,
    /// Secret with the user-data of the config drive (key `userData` or `value`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<SecretReference>,
    /// Name of the Secret with the network configuration of the agent ramdisk (key `networkData`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub preprovisioning_network_data_name: String,
    /// Secret with the network-data of the config drive (key `networkData` or `value`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_data: Option<SecretReference>,
    /// Secret with meta-data that is laid over the generated one (key `metaData` or `value`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<SecretReference>,
    /// Free text for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Something else put the image on the machine; only its power is managed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub externally_provisioned: bool,
    /// Whether disks are cleaned before and after provisioning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-go" = { "default": "metadata" }))]
    pub automated_cleaning_mode: Option<CleaningMode>,
    /// A deploy step of a site's own ramdisk instead of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_deploy: Option<CustomDeploy>,
    /// CPU architecture, e.g. x86_64 or aarch64; filled in from the inventory when absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// The machine must not be powered off; it is rebooted instead.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub disable_power_off: bool,
    /// How the hardware is found out: disabled, agent (when absent) or fast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inspection_mode: Option<InspectionMode>,
    /// Networks that the NICs are attached to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub network_interfaces: Vec<NetworkInterface>,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

/// What hosts of late have in common.
static IMAGES: Recent<Image> = Recent::new();
static HINTS: Recent<RootDeviceHints> = Recent::new();
static CREDENTIALS: Recent<CredentialsStatus> = Recent::new();

impl Deref for BareMetalHostSpec {
    type Target = HostSpec;

    fn deref(&self) -> &HostSpec {
        &self.0
    }
}

/// Changing it takes a copy where others have it too.
impl DerefMut for BareMetalHostSpec {
    fn deref_mut(&mut self) -> &mut HostSpec {
        &mut self.0
    }
}

impl From<HostSpec> for BareMetalHostSpec {
    fn from(spec: HostSpec) -> Self {
        Self(Shared::new(spec))
    }
}

impl BareMetalHostSpec {
    /// Shares what other specs have too. One that is shared itself stays.
    pub fn compact(&mut self) {
        if !self.0.is_alone() {
            return;
        }
        if let Some(image) = IMAGES.other_of(self.image.as_ref()) {
            self.image = Some(image);
        }
        if let Some(hints) = HINTS.other_of(self.root_device_hints.as_ref()) {
            self.root_device_hints = Some(hints);
        }
    }

    /// True for the very same fields in memory.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        self.0.is_shared_with(&other.0)
    }
}

impl JsonSchema for BareMetalHostSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "BareMetalHostSpec".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        HostSpec::json_schema(generator)
    }
}

impl Serialize for BareMetalHostSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// A host may come without a spec (the CRD does not ask for one); that is an empty spec, as in Go.
/// A missing field is offered to the type as an option, so this asks for an option.
impl<'de> Deserialize<'de> for BareMetalHostSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Optional;
        impl<'de> de::Visitor<'de> for Optional {
            type Value = BareMetalHostSpec;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the spec of a BareMetalHost")
            }
            fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(BareMetalHostSpec::default())
            }
            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(BareMetalHostSpec::default())
            }
            fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
                HostSpec::deserialize(from).map(BareMetalHostSpec::from)
            }
        }
        deserializer.deserialize_option(Optional)
    }
}

/// How the management controller (BMC) of a machine is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-go" = { "required": ["address", "credentialsName"] }))]
pub struct Bmc {
    /// URL whose scheme chooses the driver.
    pub address: String,
    /// Secret with the keys `username` and `password`.
    pub credentials_name: String,
    /// Accept any TLS certificate of the BMC.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub disable_certificate_verification: bool,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

/// BIOS settings of old; refused by the webhook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FirmwareConfig {
    /// CPU virtualisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = [true, false]))]
    pub virtualization_enabled: Option<bool>,
    /// Simultaneous multithreading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = [true, false]))]
    pub simultaneous_multithreading_enabled: Option<bool>,
    /// SR-IOV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = [true, false]))]
    pub sriov_enabled: Option<bool>,
}

/// A Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct SecretReference {
    /// Name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Namespace; only the host's own is allowed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

impl BareMetalHost {
    /// Makes it as small as it can be, for one that stays in memory with thousands of others.
    pub fn compact(&mut self) {
        self.metadata.compact();
        self.spec.compact();
        let Some(status) = &mut self.status else {
            return;
        };
        status.conditions.shrink_to_fit();
        if let Some(image) = IMAGES.other_of(status.last_attempted_image.as_ref()) {
            status.last_attempted_image = Some(image);
        }
        for credentials in [&mut status.good_credentials, &mut status.tried_credentials] {
            if let Some(other) = CREDENTIALS.other(credentials) {
                *credentials = other;
            }
        }
        let provisioning = &mut status.provisioning;
        if let Some(image) = IMAGES.other(&provisioning.image) {
            provisioning.image = image;
        }
        if let Some(hints) = HINTS.other_of(provisioning.root_device_hints.as_ref()) {
            provisioning.root_device_hints = Some(hints);
        }
    }

    /// The provisioning state; [`ProvisioningState::None`] for a host without a status.
    pub fn state(&self) -> &ProvisioningState {
        self.status
            .as_ref()
            .map_or(&ProvisioningState::None, |status| {
                &status.provisioning.state
            })
    }

    /// The boot mode that is wanted.
    pub fn boot_mode(&self) -> BootMode {
        self.spec.boot_mode.clone().unwrap_or_default()
    }

    /// The boot mode that goes for the machine as it is: the one that its status says was set, which
    /// follows the spec only when the machine is registered, inspected or provisioned, else the
    /// spec's.
    pub fn boot_mode_in_force(&self) -> BootMode {
        let status = self.status.as_ref();
        let set = status.and_then(|status| status.provisioning.boot_mode.clone());
        set.unwrap_or_else(|| self.boot_mode())
    }

    /// True when a BMC address or its credentials are given: the host can be registered.
    pub fn has_bmc_details(&self) -> bool {
        !self.spec.bmc.address.is_empty() || !self.spec.bmc.credentials_name.is_empty()
    }

    /// True when `inspectionMode` or the old annotation switches inspection off.
    pub fn inspection_disabled(&self) -> bool {
        self.spec.inspection_mode == Some(InspectionMode::Disabled)
            || self.annotation(annotation::INSPECT) == Some("disabled")
    }

    /// True when metalform (or BMO) put an image or a custom deploy on the machine.
    pub fn was_provisioned(&self) -> bool {
        !self.spec.externally_provisioned
            && self.status.as_ref().is_some_and(|status| {
                let now = &status.provisioning;
                !now.image.url.is_empty() || now.custom_deploy.is_some()
            })
    }

    /// The value of an annotation.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(name)
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
pub(crate) mod tests;
