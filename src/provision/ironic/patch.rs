//! JSON patches: as few operations as bring a node to what is wanted, always in the same order.

use std::fmt;

use serde_json::{Map, Value, json};

use super::map::{self, RamdiskNetwork, Wanted};
use super::wire::{self, ADDRESS_INFO, Node, RAMDISK_INFO, VERIFY_INFO};
use crate::provision::NodeState;
use crate::secrets::Sealed;

/// Operations in the order in which they were added. `Debug` leaves out the values, which may be
/// secrets.
#[derive(Clone, Default, PartialEq)]
pub struct Patch {
    operations: Vec<Value>,
    /// The driver changes: all interfaces that the patch does not set go to the new one's defaults.
    pub resets_interfaces: bool,
}

impl Patch {
    /// Sets a value, whether there is one or not (Ironic's JSON patch takes it so).
    pub fn add(&mut self, path: &str, value: impl Into<Value>) {
        let value: Value = value.into();
        self.operations
            .push(json!({ "op": "add", "path": path, "value": value }));
    }

    /// Removes a value, which has to be there.
    pub fn remove(&mut self, path: &str) {
        self.operations
            .push(json!({ "op": "remove", "path": path }));
    }

    /// Brings the ramdisk's network from what has this digest to what is wanted.
    pub fn network(&mut self, present: u64, wanted: &RamdiskNetwork) {
        let path = "/network_data";
        match wanted {
            RamdiskNetwork::Unknown => {}
            RamdiskNetwork::None if present == wire::network_digest(&Map::new()) => {}
            RamdiskNetwork::None => self.remove(path),
            RamdiskNetwork::Data(data) if present == wire::network_digest(data) => {}
            RamdiskNetwork::Data(data) => self.add(path, data.clone()),
        }
    }

    /// True when there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The body of a PATCH.
    pub fn into_body(self) -> Value {
        self.operations.into()
    }
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |operation: &Value| {
            let text = |key: &str| operation[key].as_str().unwrap_or_default().to_owned();
            format!("{} {}", text("op"), text("path"))
        };
        f.debug_list()
            .entries(self.operations.iter().map(shown))
            .finish()
    }
}

/// The patch that brings a node, as read with all its fields, to what is wanted. With `login`, user
/// and password are written too: they cannot be compared, as Ironic masks them.
///
/// Keys that are not ours stay as they are: other capabilities, other `driver_info`. So do
/// interfaces in a state in which Ironic does not take them; a new driver then gets its defaults.
pub fn amend(
    node: &Node,
    wanted: &Wanted,
    login: Option<&(Sealed, Sealed)>,
    network: &RamdiskNetwork,
    usual: &str,
) -> Patch {
    let mut patch = Patch::default();
    let driver = wanted.driver();
    let state = NodeState::from(node.provision_state.as_str());
    let takes_interfaces = map::takes_interfaces(state, node.maintenance);
    if node.name.as_deref() != Some(wanted.name.as_str()) {
        patch.add("/name", wanted.name.as_str());
    }
    if node.driver != driver.name {
        patch.add("/driver", driver.name);
        patch.resets_interfaces = true;
    }
    let interfaces = wanted.interfaces().filter(|_| takes_interfaces);
    for (name, value) in interfaces {
        let present = match name {
            "bios_interface" => &node.bios_interface,
            "boot_interface" => &node.boot_interface,
            "firmware_interface" => &node.firmware_interface,
            "inspect_interface" => &node.inspect_interface,
            "management_interface" => &node.management_interface,
            "power_interface" => &node.power_interface,
            // Software RAID has taken another one; cleaning sees to it.
            "raid_interface" if !patch.resets_interfaces => continue,
            "raid_interface" => &node.raid_interface,
            _ => &node.vendor_interface,
        };
        if patch.resets_interfaces || present != value {
            patch.add(&format!("/{name}"), value);
        }
    }
    if takes_interfaces
        && patch.resets_interfaces
        && let Some(interface) = map::usual_deploy_interface(driver)
    {
        patch.add("/deploy_interface", interface);
    }
    driver_info(&mut patch, &node.driver_info, wanted, login);
    if node.automated_clean != Some(wanted.automated_clean) {
        patch.add("/automated_clean", wanted.automated_clean);
    }
    if node.disable_power_off != wanted.disable_power_off {
        patch.add("/disable_power_off", wanted.disable_power_off);
    }
    let capabilities = wire::str_of(&node.properties, "capabilities");
    if !wanted.has_capabilities(capabilities) {
        let merged = wanted.merged_capabilities(capabilities);
        patch.add("/properties/capabilities", merged);
    }
    let present = wire::str_of(&node.properties, "cpu_arch");
    if wanted
        .cpu_arch
        .as_deref()
        .map_or(present.is_empty(), |arch| arch != present)
    {
        let arch = wanted.cpu_arch.as_deref().unwrap_or(usual);
        patch.add("/properties/cpu_arch", arch);
    }
    patch.network(wire::network_digest(&node.network_data), network);
    patch
}

fn driver_info(
    patch: &mut Patch,
    present: &Map<String, Value>,
    wanted: &Wanted,
    login: Option<&(Sealed, Sealed)>,
) {
    let path = |key: &str| format!("/driver_info/{key}");
    let keys = wanted.address.credential_keys();
    for key in ADDRESS_INFO.iter().chain(VERIFY_INFO) {
        match (wanted.bmc_info.get(*key), present.get(*key)) {
            (Some(want), Some(have)) if alike(want, have) => {}
            (Some(want), _) => patch.add(&path(key), want.clone()),
            // A CA file that somebody set is no concern of ours.
            (None, Some(have)) if !VERIFY_INFO.contains(key) || *have == Value::Bool(false) => {
                patch.remove(&path(key));
            }
            (None, _) => {}
        }
    }
    if !wanted.ramdisk_info.is_empty() {
        for key in RAMDISK_INFO {
            match (wanted.ramdisk_info.get(*key), present.get(*key)) {
                (Some(want), Some(have)) if alike(want, have) => {}
                (Some(want), _) => patch.add(&path(key), want.clone()),
                (None, Some(_)) => patch.remove(&path(key)),
                (None, None) => {}
            }
        }
    }
    // Credentials of another kind of BMC go with it.
    for key in [
        "ipmi_username",
        "ipmi_password",
        "redfish_username",
        "redfish_password",
    ] {
        let ours = keys.is_some_and(|keys| keys.username == key || keys.password == key);
        if !ours && present.contains_key(key) {
            patch.remove(&path(key));
        }
    }
    if let (Some(keys), Some((user, password))) = (keys, login) {
        patch.add(&path(keys.username), user.reveal());
        patch.add(&path(keys.password), password.reveal());
    }
}

/// Equal, a number and its text too.
fn alike(a: &Value, b: &Value) -> bool {
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    a == b || text(a) == text(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_that_is_shown_shows_no_values() {
        let mut patch = Patch::default();
        patch.add("/driver_info/redfish_password", "hunter2");
        patch.remove("/instance_uuid");
        assert_eq!(
            format!("{patch:?}"),
            r#"["add /driver_info/redfish_password", "remove /instance_uuid"]"#
        );
    }
}
