use std::path::Path;

use serde_json::json;

use super::*;

fn data(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(path);
    std::fs::read_to_string(path).unwrap()
}

fn mapped(inventory: &str) -> Value {
    let found = serde_json::from_str(&data(&format!("inventories/{inventory}.json"))).unwrap();
    serde_json::to_value(hardware(&found)).unwrap()
}

/// HardwareData as the Bare Metal Operator made it of the same inventory.
fn recorded(host: &str) -> Value {
    let text = data("peer-hosts/hd.jsonl");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut lines = lines.filter(|line| line["metadata"]["name"] == host);
    lines.next().unwrap()["spec"]["hardware"].take()
}

#[test]
fn an_agents_inventory_as_recorded() {
    assert_eq!(mapped("agent"), recorded("s01-life"));
}

#[test]
fn a_bmcs_inventory_as_recorded() {
    assert_eq!(mapped("redfish"), recorded("s14-fast-inspect"));
}

/// A NIC with an IPv4 and an IPv6 address is two.
#[test]
fn a_real_agents_inventory() {
    let found = mapped("real-agent");
    let nic = |ip: &str| {
        json!({
            "name": "eth0", "model": "0x1af4 0x0001", "mac": "52:54:00:dd:00:01", "ip": ip,
            "pciAddress": "virtio0",
        })
    };
    assert_eq!(
        found["nics"],
        json!([nic("10.0.2.15"), nic("fec0::5054:ff:fedd:1")])
    );
    assert_eq!(
        found["storage"],
        json!([{
            "name": "/dev/disk/by-path/pci-0000:00:1f.2-ata-1",
            "alternateNames": ["/dev/sda", "/dev/disk/by-path/pci-0000:00:1f.2-ata-1"],
            "rotational": true, "type": "HDD", "sizeBytes": 8_589_934_592_u64, "vendor": "ATA",
            "model": "QEMU HARDDISK", "serialNumber": "SIM0001", "hctl": "0:0:0:0",
        }])
    );
    assert_eq!(found["cpu"]["count"], 2);
    assert!(
        found["cpu"].get("clockMegahertz").is_none(),
        "the agent did not know"
    );
}

#[test]
fn what_a_switch_tells() {
    let found = json!({
        "inventory": { "interfaces": [{ "name": "eno1", "mac_address": "52:54:00:00:00:01" }] },
        "plugin_data": {
            "all_interfaces": { "eno1": { "pxe_enabled": true } },
            "parsed_lldp": { "eno1": {
                "switch_chassis_id": "aa:bb:cc:dd:ee:ff", "switch_port_id": "Eth1/7",
                "switch_system_name": "tor-1", "switch_port_untagged_vlan_id": 101,
                "switch_port_vlans": [{ "id": 101, "name": "prov" }, { "id": 9000, "name": "?" }],
            } },
        },
    });
    let details = hardware(&serde_json::from_value(found).unwrap());
    assert_eq!(
        serde_json::to_value(&details.nics).unwrap(),
        json!([{
            "name": "eno1", "mac": "52:54:00:00:00:01", "pxe": true, "vlanId": 101,
            "vlans": [{ "id": 101, "name": "prov" }],
            "lldp": {
                "switchID": "aa:bb:cc:dd:ee:ff", "portID": "Eth1/7", "switchSystemName": "tor-1",
            },
        }])
    );
}

#[test]
fn nothing_is_enough() {
    for odd in [
        json!({}),
        json!({ "inventory": { "interfaces": 3, "cpu": [], "disks": [7] } }),
    ] {
        let details = hardware(&serde_json::from_value(odd).unwrap());
        assert_eq!(details, HardwareDetails::default());
    }
}
