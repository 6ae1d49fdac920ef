//! HostUpdatePolicy: when firmware of a provisioned machine may be changed.
//!
//! One a host, of the same name; written by people. Without it nothing changes on a machine that is
//! provisioned.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::kind;
use super::text::text_enum;
use super::wire::Extra;

text_enum! {
    schema: closed;
    /// When something may be changed.
    #[derive(Default)]
    pub enum UpdatePolicy {
        /// While the machine is being prepared only; what an absent field means.
        #[default]
        OnPreparing = "onPreparing",
        /// Also when a provisioned machine is rebooted.
        OnReboot = "onReboot",
    }
}

/// When firmware may be changed.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "HostUpdatePolicy",
    plural = "hostupdatepolicies",
    singular = "hostupdatepolicy",
    namespaced,
    root = "HostUpdatePolicyCrd",
    status = "HostUpdatePolicyStatus",
    doc = "When firmware of the host of the same name may be changed."
)]
#[serde(rename_all = "camelCase", default)]
pub struct HostUpdatePolicySpec {
    /// When its BIOS settings may be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware_settings: Option<UpdatePolicy>,
    /// When its firmware may be updated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware_updates: Option<UpdatePolicy>,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

kind! {
    /// When firmware of the host of the same name may be changed.
    pub struct HostUpdatePolicy ("HostUpdatePolicy") {
        /// When.
        spec: HostUpdatePolicySpec,
        status: HostUpdatePolicyStatus,
    }
}

/// Empty, and no subresource: whoever writes the object writes this too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostUpdatePolicyStatus {
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}
