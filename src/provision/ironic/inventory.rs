//! What inspection found, as hardware details.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::wire::{Inventory, str_of};
use crate::api::{
    Bios, Cpu, DiskType, Firmware, HardwareDetails, Lldp, Nic, Storage, SystemVendor, Vlan,
};

/// The hardware details of an inventory. Reads what is there: agents and BMCs leave out much.
pub fn hardware(found: &Inventory) -> HardwareDetails {
    let inventory = &found.inventory;
    let vendor = part(inventory, "system_vendor");
    let firmware = part(vendor, "firmware");
    HardwareDetails {
        system_vendor: SystemVendor {
            manufacturer: text(vendor, "manufacturer"),
            product_name: text(vendor, "product_name"),
            serial_number: text(vendor, "serial_number"),
        },
        firmware: Firmware {
            bios: Bios {
                date: text(firmware, "build_date"),
                vendor: text(firmware, "vendor"),
                version: text(firmware, "version"),
            },
        },
        ram_mebibytes: number(part(inventory, "memory"), "physical_mb"),
        nics: items(inventory, "interfaces")
            .flat_map(|nic| nics(nic, &found.plugin_data))
            .collect(),
        storage: items(inventory, "disks").map(storage).collect(),
        cpu: cpu(part(inventory, "cpu")),
        hostname: text(inventory, "hostname"),
    }
}

fn part<'a>(map: &'a Map<String, Value>, key: &str) -> &'a Map<String, Value> {
    static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
    map.get(key).and_then(Value::as_object).unwrap_or(&NOTHING)
}

fn items<'a>(
    map: &'a Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = &'a Map<String, Value>> {
    map.get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
}

fn text(map: &Map<String, Value>, key: &str) -> String {
    str_of(map, key).to_owned()
}

fn number(map: &Map<String, Value>, key: &str) -> i64 {
    match map.get(key) {
        Some(Value::Number(number)) => number
            .as_i64()
            .unwrap_or_else(|| number.as_f64().unwrap_or_default() as i64),
        Some(Value::String(text)) => text.trim().parse().unwrap_or_default(),
        _ => 0,
    }
}

fn flag(map: &Map<String, Value>, key: &str) -> bool {
    map.get(key).and_then(Value::as_bool).unwrap_or_default()
}

/// One entry for each address; one without an address when there is none.
fn nics(nic: &Map<String, Value>, plugins: &Map<String, Value>) -> Vec<Nic> {
    let name = text(nic, "name");
    let lldp = part(part(plugins, "parsed_lldp"), &name);
    let model = format!("{} {}", str_of(nic, "vendor"), str_of(nic, "product"));
    let base = Nic {
        model: model.trim_start().to_owned(),
        mac: text(nic, "mac_address"),
        speed_gbps: number(nic, "speed_mbps") / 1000,
        vlans: items(lldp, "switch_port_vlans")
            .filter_map(|tagged| {
                Some(Vlan {
                    id: vlan(tagged, "id")?,
                    name: text(tagged, "name"),
                })
            })
            .collect(),
        vlan_id: vlan(lldp, "switch_port_untagged_vlan_id").unwrap_or_default(),
        pxe: flag(part(part(plugins, "all_interfaces"), &name), "pxe_enabled"),
        lldp: switch(lldp),
        pci_address: text(nic, "pci_address"),
        name,
        ip: String::new(),
    };
    let (v4, v6) = (text(nic, "ipv4_address"), text(nic, "ipv6_address"));
    let addresses = match (v4.is_empty(), v6.is_empty()) {
        (false, false) => vec![v4, v6],
        (true, false) => vec![v6],
        (_, true) => vec![v4],
    };
    addresses
        .into_iter()
        .map(|ip| Nic { ip, ..base.clone() })
        .collect()
}

/// The number of a VLAN, if it is one: the CRD refuses others, and with them all of the inventory.
fn vlan(map: &Map<String, Value>, key: &str) -> Option<i32> {
    i32::try_from(number(map, key))
        .ok()
        .filter(|id| (0..=4094).contains(id))
}

fn switch(lldp: &Map<String, Value>) -> Option<Lldp> {
    let switch = Lldp {
        switch_id: text(lldp, "switch_chassis_id"),
        port_id: text(lldp, "switch_port_id"),
        switch_system_name: text(lldp, "switch_system_name"),
    };
    (switch != Lldp::default()).then_some(switch)
}

fn storage(disk: &Map<String, Value>) -> Storage {
    let (device, by_path) = (text(disk, "name"), text(disk, "by_path"));
    let rotational = flag(disk, "rotational");
    let kind = if rotational {
        DiskType::Hdd
    } else if device.starts_with("/dev/nvme") {
        DiskType::Nvme
    } else {
        DiskType::Ssd
    };
    Storage {
        name: if by_path.is_empty() {
            device.clone()
        } else {
            by_path.clone()
        },
        alternate_names: [device, by_path]
            .into_iter()
            .filter(|name| !name.is_empty())
            .collect(),
        rotational,
        kind: Some(kind),
        size_bytes: number(disk, "size"),
        vendor: text(disk, "vendor"),
        model: text(disk, "model"),
        serial_number: text(disk, "serial"),
        wwn: text(disk, "wwn"),
        wwn_vendor_extension: text(disk, "wwn_vendor_extension"),
        wwn_with_extension: text(disk, "wwn_with_extension"),
        hctl: text(disk, "hctl"),
    }
}

fn cpu(cpu: &Map<String, Value>) -> Cpu {
    // A text from agents ("2500.0000"), a number from some BMCs.
    let frequency = match cpu.get("frequency") {
        Some(Value::String(text)) => text.trim().parse().unwrap_or_default(),
        Some(Value::Number(number)) => number.as_f64().unwrap_or_default(),
        _ => 0.0_f64,
    };
    let flags = cpu
        .get("flags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let mut flags: Vec<String> = flags
        .filter_map(|f| f.as_str().map(str::to_owned))
        .collect();
    flags.sort_unstable();
    Cpu {
        arch: text(cpu, "architecture"),
        model: text(cpu, "model_name"),
        clock_megahertz: frequency.round(),
        flags,
        count: number(cpu, "count"),
    }
}

#[cfg(test)]
mod tests;
