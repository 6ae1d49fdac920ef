//! Ironic's JSON as far as it is read. Lenient: what is of another type than expected counts as
//! absent, so that one odd node does not hide all others.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::api::Timestamp;

/// The fields of a node that are read in bulk; `health` comes on top where the API has it.
pub const NODE_FIELDS: &str = "uuid,name,driver,provision_state,target_provision_state,\
power_state,target_power_state,maintenance,fault,last_error,reservation,automated_clean,\
disable_power_off,instance_uuid,instance_info,properties,driver_info,network_data,boot_interface,\
deploy_interface,inspect_interface,raid_interface,inspection_finished_at";

/// The fields of a port that are read.
pub const PORT_FIELDS: &str = "uuid,address,node_uuid";

/// A node, from any of the requests that show nodes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Node {
    /// UUID.
    #[serde(deserialize_with = "text")]
    pub uuid: String,
    /// Name.
    #[serde(deserialize_with = "some_text")]
    pub name: Option<String>,
    /// Driver.
    #[serde(deserialize_with = "text")]
    pub driver: String,
    /// Provision state.
    #[serde(deserialize_with = "text")]
    pub provision_state: String,
    /// Where it goes.
    #[serde(deserialize_with = "text")]
    pub target_provision_state: String,
    /// Power state.
    #[serde(deserialize_with = "text")]
    pub power_state: String,
    /// Power state that it goes to.
    #[serde(deserialize_with = "text")]
    pub target_power_state: String,
    /// In maintenance.
    #[serde(deserialize_with = "flag")]
    pub maintenance: bool,
    /// Why Ironic itself set maintenance.
    #[serde(deserialize_with = "text")]
    pub fault: String,
    /// Text of the last failure.
    #[serde(deserialize_with = "text")]
    pub last_error: String,
    /// Conductor that holds the lock.
    #[serde(deserialize_with = "text")]
    pub reservation: String,
    /// Cleaned automatically; null means Ironic's own default.
    #[serde(deserialize_with = "some_flag")]
    pub automated_clean: Option<bool>,
    /// Must not be powered off; somebody may have made it null, which is no.
    #[serde(deserialize_with = "flag")]
    pub disable_power_off: bool,
    /// Instance.
    #[serde(deserialize_with = "text")]
    pub instance_uuid: String,
    /// What is or was to be deployed.
    #[serde(deserialize_with = "map")]
    pub instance_info: Map<String, Value>,
    /// Capabilities, architecture.
    #[serde(deserialize_with = "map")]
    pub properties: Map<String, Value>,
    /// How the BMC is reached; passwords are masked.
    #[serde(deserialize_with = "map")]
    pub driver_info: Map<String, Value>,
    /// Network data of the ramdisk.
    #[serde(deserialize_with = "map")]
    pub network_data: Map<String, Value>,
    /// Deploy interface.
    #[serde(deserialize_with = "text")]
    pub deploy_interface: String,
    /// Inspect interface.
    #[serde(deserialize_with = "text")]
    pub inspect_interface: String,
    /// RAID interface.
    #[serde(deserialize_with = "text")]
    pub raid_interface: String,
    /// Health as the BMC reports it.
    #[serde(deserialize_with = "text")]
    pub health: String,
    /// Last change; not in bulk reads by fields, and null until the first change.
    #[serde(deserialize_with = "time")]
    pub updated_at: Option<Timestamp>,
    /// When an inspection last finished.
    #[serde(deserialize_with = "text")]
    pub inspection_finished_at: String,
    /// Boot interface.
    #[serde(deserialize_with = "text")]
    pub boot_interface: String,
    /// BIOS interface; this and the following are not read in bulk.
    #[serde(deserialize_with = "text")]
    pub bios_interface: String,
    /// Firmware interface.
    #[serde(deserialize_with = "text")]
    pub firmware_interface: String,
    /// Management interface.
    #[serde(deserialize_with = "text")]
    pub management_interface: String,
    /// Power interface.
    #[serde(deserialize_with = "text")]
    pub power_interface: String,
    /// Vendor interface.
    #[serde(deserialize_with = "text")]
    pub vendor_interface: String,
}

/// One page of nodes.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct NodePage {
    /// Nodes.
    pub nodes: Vec<Node>,
    /// The next page.
    #[serde(default)]
    pub next: Option<String>,
}

/// A port.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Port {
    /// UUID.
    #[serde(deserialize_with = "text")]
    pub uuid: String,
    /// MAC address.
    #[serde(deserialize_with = "text")]
    pub address: String,
    /// Node that has it.
    #[serde(deserialize_with = "text")]
    pub node_uuid: String,
}

/// One page of ports.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct PortPage {
    /// Ports.
    pub ports: Vec<Port>,
    /// The next page.
    #[serde(default)]
    pub next: Option<String>,
}

/// Path and query of a `next` link. Its host is the one that Ironic believes to have, which need
/// not be the one that we reach it by.
pub fn next_path(link: &str) -> Option<String> {
    let at = link.find("/v1/")?;
    Some(link[at..].to_owned())
}

/// What inspection found.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Inventory {
    /// The hardware.
    pub inventory: Map<String, Value>,
    /// What Ironic's inspection hooks made of it.
    pub plugin_data: Map<String, Value>,
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) => text,
        _ => String::new(),
    })
}

fn some_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Some(text(from)?).filter(|text| !text.is_empty()))
}

fn some_flag<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    Ok(Value::deserialize(from)?.as_bool())
}

fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(some_flag(from)?.unwrap_or_default())
}

fn map<'de, D: Deserializer<'de>>(from: D) -> Result<Map<String, Value>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Object(map) => map,
        _ => Map::new(),
    })
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(text(from)?.parse().ok())
}

/// A text out of a map, empty when it is not there or not a text.
pub fn str_of<'a>(map: &'a Map<String, Value>, key: &str) -> &'a str {
    map.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Keys of `driver_info` that say where the BMC is.
pub const ADDRESS_INFO: &[&str] = &[
    "ipmi_address",
    "ipmi_port",
    "ipmi_priv_level",
    "redfish_address",
    "redfish_system_id",
];
/// Keys of `driver_info` that switch off the check of the BMC's certificate. Only `false` is ours;
/// somebody may have set the path of a CA file.
pub const VERIFY_INFO: &[&str] = &["ipmi_verify_ca", "redfish_verify_ca"];
/// Keys of `driver_info` that say which ramdisk is booted.
pub const RAMDISK_INFO: &[&str] = &["deploy_iso", "deploy_kernel", "deploy_ramdisk"];

/// A digest of what `driver_info` says of the BMC, but for credentials. Equal maps have equal
/// digests within one process.
pub fn address_digest(info: &Map<String, Value>) -> u64 {
    let verify = VERIFY_INFO
        .iter()
        .filter(|key| info.get(**key) == Some(&Value::Bool(false)));
    digest(info, ADDRESS_INFO.iter().chain(verify))
}

/// The same of the ramdisk.
pub fn ramdisk_digest(info: &Map<String, Value>) -> u64 {
    digest(info, RAMDISK_INFO.iter())
}

/// The same of the ramdisk's network data, the order of whose keys does not count.
pub fn network_digest(data: &Map<String, Value>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (key, value) in data {
        (key, value.to_string()).hash(&mut hasher);
    }
    hasher.finish()
}

fn digest<'a>(info: &Map<String, Value>, keys: impl Iterator<Item = &'a &'a str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for key in keys {
        match info.get(*key) {
            None | Some(Value::Null) => {}
            // Numbers and texts stay as they were written: 623 and "623" are one.
            Some(Value::String(text)) => (key, text).hash(&mut hasher),
            Some(other) => (key, other.to_string()).hash(&mut hasher),
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_node_is_read_as_far_as_it_goes() {
        let node: Node = serde_json::from_str(
            r#"{"uuid": "u", "name": null, "fault": 3, "instance_info": [], "health": null,
                "updated_at": "2026-11-23T09:02:20.250627+00:00", "new_field": {"x": 1}}"#,
        )
        .expect("reads");
        assert_eq!((node.name, node.fault.as_str()), (None, ""));
        assert_eq!(
            node.updated_at.map(|t| t.to_string()).as_deref(),
            Some("2026-11-23T09:02:20.250627Z")
        );
    }

    #[test]
    fn no_field_of_one_node_hides_the_others() {
        let fields = NODE_FIELDS.split(',').chain(["health", "updated_at"]);
        for field in fields {
            for odd in ["null", "3", "\"x\"", "[1]", "{\"a\": 1}", "true"] {
                let text = format!(r#"{{"nodes": [{{"uuid": "u"}}, {{"{field}": {odd}}}]}}"#);
                let page: Result<NodePage, _> = serde_json::from_str(&text);
                assert_eq!(page.expect(&text).nodes.len(), 2);
            }
        }
        for field in PORT_FIELDS.split(',') {
            let text = format!(r#"{{"ports": [{{"{field}": null}}, {{"{field}": 3}}]}}"#);
            let page: Result<PortPage, _> = serde_json::from_str(&text);
            assert_eq!(page.expect(&text).ports.len(), 2);
        }
    }

    #[test]
    fn next_links_lose_their_host() {
        let link = "http://10.0.0.1:6385/v1/nodes?limit=1&marker=x";
        assert_eq!(
            next_path(link).as_deref(),
            Some("/v1/nodes?limit=1&marker=x")
        );
        assert_eq!(next_path("http://x/y"), None);
    }
}
