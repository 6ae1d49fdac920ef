//! DataImage: a medium with data that is put into a machine's virtual drive.
//!
//! One a host, of the same name; written by people. It is attached and detached while the machine
//! is off, on its way to being on.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::kind::kind;
use super::wire::{self, Extra};

/// What is to be attached.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "DataImage",
    plural = "dataimages",
    singular = "dataimage",
    namespaced,
    root = "DataImageCrd",
    status = "DataImageStatus",
    doc = "A medium with data for the host of the same name."
)]
#[serde(default)]
#[schemars(extend("x-go" = { "required": ["url"] }))]
pub struct DataImageSpec {
    /// Where the medium is.
    pub url: String,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

kind! {
    /// A medium with data for the host of the same name.
    pub struct DataImage ("DataImage") {
        /// What is wanted.
        spec: DataImageSpec,
        status: DataImageStatus,
    }
}

/// What is attached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DataImageStatus {
    /// When it was last looked at.
    #[serde(skip_serializing_if = "Option::is_none", with = "wire::optional_time")]
    #[schemars(schema_with = "wire::time_schema")]
    pub last_reconciled: Option<Timestamp>,
    /// The medium in the drive; an empty URL for none.
    // This and the next are always written, as Go does.
    pub attached_image: AttachedImageReference,
    /// What went wrong.
    pub error: DataImageError,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

/// A medium that is attached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("x-go" = { "required": ["url"] }))]
pub struct AttachedImageReference {
    /// Where it came from.
    pub url: String,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

/// Errors with a medium.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("x-go" = { "required": ["count", "message"] }))]
pub struct DataImageError {
    /// Failed attempts since the last success.
    pub count: i64,
    /// The last error in words; empty when there is none.
    pub message: String,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}
