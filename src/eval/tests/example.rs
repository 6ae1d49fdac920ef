//! The two racks of language.md section 6, less what a later version brings.

use super::*;

const FILES: &[(&str, &str)] = &[
    ("fleet.kdl", include_str!("../../../tests/specs/two-racks/fleet.kdl")),
    ("ironic.kdl", include_str!("../../../tests/specs/two-racks/ironic.kdl")),
    ("pools.kdl", include_str!("../../../tests/specs/two-racks/pools.kdl")),
    ("profiles.kdl", include_str!("../../../tests/specs/two-racks/profiles.kdl")),
    ("racks/r01.kdl", include_str!("../../../tests/specs/two-racks/racks/r01.kdl")),
    ("racks/r02.kdl", include_str!("../../../tests/specs/two-racks/racks/r02.kdl")),
];

#[test]
fn the_numbers_of_the_design() {
    let evaluation = evaluate_files(FILES);
    assert_eq!(findings(&evaluation), Vec::<String>::new());
    assert!(evaluation.complete);
    let fleet = &evaluation.fleet;
    assert_eq!(fleet.hosts.len(), 24);
    assert!(fleet.held.is_empty());
    let placement = place(fleet, &BTreeMap::new());
    let members = |pool: &str| -> Vec<String> {
        placement.members(pool).iter().map(ToString::to_string).collect()
    };
    assert_eq!(members("control-plane"), ["r01-c19", "r01-c20", "r02-c01"]);
    assert_eq!(members("workers").len(), 18);
    assert_eq!(members("ceph"), ["r02-s03", "r02-s04"]);
    let distinct = |path: &str| -> usize {
        let values: std::collections::BTreeSet<String> = fleet
            .hosts
            .iter()
            .filter_map(|host| Some(host.fields.text(path)?.to_string()))
            .collect();
        values.len()
    };
    assert_eq!(distinct("boot.mac"), 24);
    assert_eq!(distinct("bmc.address"), 24);
    let text = |host: &str, path: &str| fleet.host(host).unwrap().fields.text(path).unwrap().to_string();
    assert!(text("r01-n18", "bmc.address").contains("10.20.1.28"));
    assert_eq!(text("r01-n01", "boot.mac"), "b0:7b:25:01:00:10");
    assert_eq!(text("r01-n07", "boot.mac"), "b0:7b:25:ff:07:00");
    assert!(fleet.host("r01-n13").is_none());
}

#[test]
fn a_worker_has_no_raid_and_a_control_plane_host_keeps_it() {
    let evaluation = evaluate_files(FILES);
    insta::assert_snapshot!(show(&evaluation, "r01-n07"), @r#"
    annotations."example.net/address" = "172.22.1.17/20"
    annotations."example.net/mtu" = "9000"
    annotations."example.net/nics" = "eno1,eno2"
    annotations."example.net/ports" = "44:38:39:00:01:0a/swp7,44:38:39:00:01:0b/swp7"
    bmc.address = "idrac-virtualmedia://10.20.1.17/redfish/v1/Systems/System.Embedded.1"
    bmc.credentials = (secret)bmc-r01-n07
    bmc.verify-ca = #true
    boot.mac = "b0:7b:25:ff:07:00"
    boot.mode = "UEFISecureBoot"
    cleaning = "metadata"
    inspection = "agent"
    labels."topology.kubernetes.io/zone" = "fra1-b"
    labels.model = "r650"
    labels.quarantine = "true"
    labels.rack = "r01"
    labels.role = "worker"
    labels.site = "fra1"
    labels.vendor = "dell"
    online = #true
    root-device.serial = "S6EWNX0T812345"
    "#);
    let raid = |host: &str| -> String {
        let all = show(&evaluation, host);
        let lines: Vec<&str> = all
            .lines()
            .filter(|line| line.starts_with("raid") || line.starts_with("root-device"))
            .collect();
        lines.join("\n")
    };
    insta::assert_snapshot!(raid("r01-c19"), @"");
    insta::assert_snapshot!(raid("r02-s03"), @"");
}
