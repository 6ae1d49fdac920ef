//! Networks that the NICs of a machine are attached to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::wire::Extra;

/// A NIC and the network it is attached to. Nothing acts on it yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInterface {
    /// Name of the NIC in the inventory. Not together with `macAddress`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("pattern" = "^[a-zA-Z0-9._-]+$"))]
    pub name: String,
    /// MAC address of the NIC.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("pattern" = "^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$"))]
    pub mac_address: String,
    /// The HostNetworkAttachment.
    #[serde(default)]
    pub host_network_attachment: HostNetworkAttachmentRef,
    /// The switch port, where LLDP does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switch_port: Option<SwitchPort>,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

/// A HostNetworkAttachment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostNetworkAttachmentRef {
    /// Name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("maxLength" = 253))]
    pub name: String,
    /// Namespace; the host's own when absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("maxLength" = 63))]
    pub namespace: String,
}

/// A port of a switch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("x-go" = { "required": ["portID", "switchID"] }))]
pub struct SwitchPort {
    /// MAC address by which the switch is known.
    #[serde(rename = "switchID")]
    #[schemars(extend("pattern" = "^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$"))]
    pub switch_id: String,
    /// Name of the port.
    #[serde(rename = "portID")]
    pub port_id: String,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}
