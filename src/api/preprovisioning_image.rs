//! PreprovisioningImage: an agent ramdisk that is built for one machine.
//!
//! One a host, of the same name. Whoever drives the host asks for it and says which formats the
//! machine can boot; an image builder answers in the status.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::kind;
use super::status::Condition;
use super::text::text_enum;
use super::wire::Extra;

text_enum! {
    schema: closed;
    /// Format of an agent ramdisk.
    pub enum PreprovisioningImageFormat {
        /// An ISO, for virtual media.
        Iso = "iso",
        /// A ramdisk and a kernel, for network boot.
        InitRd = "initrd",
    }
}

text_enum! {
    schema: open;
    /// Name of a condition of a PreprovisioningImage.
    pub enum PreprovisioningImageConditionType {
        /// The image is there.
        Ready = "Ready",
        /// The image cannot be built.
        Error = "Error",
    }
}

text_enum! {
    schema: open;
    /// Reason of a condition of a PreprovisioningImage.
    pub enum PreprovisioningImageReason {
        /// Built, or being built.
        ImageSuccess = "ImageSuccess",
        /// What is asked for cannot be had.
        ConfigurationError = "ConfigurationError",
        /// The Secret with the network data is not there.
        MissingNetworkData = "MissingNetworkData",
        /// What is asked for is not valid.
        ImageBuildInvalid = "ImageBuildInvalid",
    }
}

/// A condition of a PreprovisioningImage.
pub type PreprovisioningImageCondition =
    Condition<PreprovisioningImageConditionType, PreprovisioningImageReason>;

/// What image is asked for.
#[expect(
    clippy::duplicated_attributes,
    reason = "columns have the same type and priority"
)]
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "PreprovisioningImage",
    plural = "preprovisioningimages",
    singular = "preprovisioningimage",
    shortname = "ppimg",
    namespaced,
    root = "PreprovisioningImageCrd",
    status = "PreprovisioningImageStatus",
    doc = "An agent ramdisk that is built for the host of the same name.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        description = "Whether the image is there",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        description = "Why it is there or not",
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    )
)]
#[serde(rename_all = "camelCase", default)]
pub struct PreprovisioningImageSpec {
    /// Name of the Secret with the network data to build in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub network_data_name: String,
    /// CPU architecture of the machine.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// Formats that the machine can boot.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accept_formats: Vec<PreprovisioningImageFormat>,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

kind! {
    /// An agent ramdisk that is built for the host of the same name.
    pub struct PreprovisioningImage ("PreprovisioningImage") {
        /// What is asked for.
        spec: PreprovisioningImageSpec,
        status: PreprovisioningImageStatus,
    }
}

/// What image was built.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PreprovisioningImageStatus {
    /// Where the image is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub image_url: String,
    /// Where its kernel is; of initrd only.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kernel_url: String,
    /// Further kernel parameters; of initrd only.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub extra_kernel_params: String,
    /// Its format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<PreprovisioningImageFormat>,
    /// The network data that is built in.
    // Always written, as Go does.
    pub network_data: SecretStatus,
    /// The architecture that it is for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// Conditions, one of a type.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend(
        "x-kubernetes-list-map-keys" = ["type"],
        "x-kubernetes-list-type" = "map"
    ))]
    pub conditions: Vec<PreprovisioningImageCondition>,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

/// A Secret at one version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SecretStatus {
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its version; never its content.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}
