//! The two racks of language.md section 6, less what a later version brings.

use super::*;

const FILES: &[(&str, &str)] = &[
    (
        "fleet.kdl",
        include_str!("../../../tests/specs/two-racks/fleet.kdl"),
    ),
    (
        "ironic.kdl",
        include_str!("../../../tests/specs/two-racks/ironic.kdl"),
    ),
    (
        "pools.kdl",
        include_str!("../../../tests/specs/two-racks/pools.kdl"),
    ),
    (
        "profiles.kdl",
        include_str!("../../../tests/specs/two-racks/profiles.kdl"),
    ),
    (
        "racks/r01.kdl",
        include_str!("../../../tests/specs/two-racks/racks/r01.kdl"),
    ),
    (
        "racks/r02.kdl",
        include_str!("../../../tests/specs/two-racks/racks/r02.kdl"),
    ),
];

#[test]
fn the_numbers_of_the_design() {
    let evaluation = evaluate_files(FILES);
    assert_eq!(findings(&evaluation), Vec::<String>::new());
    assert!(evaluation.complete);
    let fleet = &evaluation.fleet;
    assert_eq!(fleet.hosts.len(), 24);
    assert!(fleet.held.is_empty());
    let placement = place(fleet, &Seats::new());
    let members = |pool: &str| -> Vec<String> {
        placement
            .members(pool)
            .iter()
            .map(ToString::to_string)
            .collect()
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
    let text = |host: &str, path: &str| {
        fleet
            .host(host)
            .unwrap()
            .fields
            .text(path)
            .unwrap()
            .to_string()
    };
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
    insta::assert_snapshot!(raid("r01-c19"), @r#"
    raid = "hardware"
    raid.hardware.volume.data = there
    raid.hardware.volume.data.controller = "RAID.SL.3-1"
    raid.hardware.volume.data.disks = 5
    raid.hardware.volume.data.level = "5"
    raid.hardware.volume.data.size = 7152GiB
    raid.hardware.volume.root = there
    raid.hardware.volume.root.controller = "AHCI.Integrated.1-1"
    raid.hardware.volume.root.disks = 2
    raid.hardware.volume.root.level = "1"
    raid.hardware.volume.root.size = 446GiB
    "#);
    insta::assert_snapshot!(raid("r02-s03"), @r#"
    raid = "software"
    raid.software.volume.root = there
    raid.software.volume.root.disk."hctl=0:0:0:0" = there
    raid.software.volume.root.disk."hctl=0:0:0:0".hctl = "0:0:0:0"
    raid.software.volume.root.disk."hctl=0:0:1:0" = there
    raid.software.volume.root.disk."hctl=0:0:1:0".hctl = "0:0:1:0"
    raid.software.volume.root.level = "1"
    raid.software.volume.root.root = #true
    "#);
}

#[test]
fn a_field_explains_itself() {
    let evaluation = evaluate_files(FILES);
    let ladder = |host: &str, path: &str| explain(&evaluation, host, path).unwrap().to_string();
    insta::assert_snapshot!(ladder("r01-n07", "boot.mac"), @r#"
    boot.mac = "b0:7b:25:ff:07:00"
      wins   racks/r01.kdl:28  refine r01-n07    plain, exact refine  "b0:7b:25:ff:07:00"
      loses  racks/r01.kdl:14  each in rack r01  plain, rack          "b0:7b:25:01:00:70"  = mac('b0:7b:25:01:00:00', 7 * 16)
    compiles to BareMetalHost/r01-n07 .spec.bootMACAddress   disruption: destroy (immutable once set)
    "#);
    insta::assert_snapshot!(ladder("r01-n07", "raid"), @r#"
    raid is not set
      wins   profiles.kdl:43  host r01-n07, profile worker         default, host  #null
      loses  profiles.kdl:12  each in rack r01, profile dell-r650  default, rack  "hardware"
    "#);
    insta::assert_snapshot!(ladder("r01-n07", "user-data"), @r"
    user-data is not set
    compiles to BareMetalHost/r01-n07 .spec.userData   disruption: none
    ");
    insta::assert_snapshot!(ladder("r02-n01", "bmc.address"), @r#"
    bmc.address = "redfish-virtualmedia://10.20.2.11/redfish/v1/Systems/1"
      wins   racks/r02.kdl:18  each in rack r02  plain, rack  "redfish-virtualmedia://10.20.2.11/redfish/v1/Systems/1"  = redfish-virtualmedia://${ip('10.20.2.0/24', 1 + 10)}/redfish/v1/Systems/1
    compiles to BareMetalHost/r02-n01 .spec.bmc.address   disruption: destroy (immutable once set)
    "#);
    insta::assert_snapshot!(ladder("r02-n01", "description"), @r"
    description is not set
    compiles to BareMetalHost/r02-n01 .spec.description   disruption: none
    ");
}

#[test]
fn what_cannot_be_explained_is_said() {
    let evaluation = evaluate_files(FILES);
    let error = |host: &str, path: &str| explain(&evaluation, host, path).unwrap_err().to_string();
    insta::assert_snapshot!(error("r01-n77", "boot.mac"), @"no host is called `r01-n77`; did you mean `r01-n07`?");
    insta::assert_snapshot!(error("r01-n07", "bootMACAddress"), @r"
    a host has no field `bootMACAddress`; did you mean `boot.mac`?
    ");
    insta::assert_snapshot!(error("r01-n07", "boot"), @r"
    `boot` has no value of its own; ask for `boot.mac`, `boot.mode`
    ");
}

#[test]
fn rendered_it_evaluates_to_the_same() {
    let evaluation = evaluate_files(FILES);
    let text = crate::fleet::to_kdl(&evaluation.fleet);
    let again = evaluate_files(&[("fleet.kdl", &text)]);
    assert_eq!(findings(&again), Vec::<String>::new(), "{text}");
    let digests = |fleet: &Fleet| -> Vec<(String, String, String)> {
        fleet
            .hosts
            .iter()
            .map(|host| {
                let member = host.deployment(fleet, true);
                (
                    host.name.to_string(),
                    host.digest.to_string(),
                    member.digest.to_string(),
                )
            })
            .collect()
    };
    assert_eq!(digests(&evaluation.fleet), digests(&again.fleet));
    assert_eq!(text, crate::fleet::to_kdl(&again.fleet));
    insta::assert_snapshot!(text.lines().take(60).collect::<Vec<_>>().join("\n"), @r#"
    /- kdl-version 2
    spec fra1 edition="2026" namespace=metal3
    ironic fra1 {
        url "http://172.22.0.2:6385"
        auth (secret)ironic-api
        ca (configmap)bmc-ca-bundle
        limits inspect=20 clean=20 deploy=10
    }
    image flatcar-4230 {
        url "oci://registry.example.net/flatcar:4230.2.1"
    }
    image ubuntu-24.04 {
        url "https://images.example.net/ubuntu-24.04-20260801.qcow2"
        checksum "sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
        format qcow2
    }
    pool ceph {
        select {
            match role storage
        }
        replicas all
        lifecycle prevent-destroy=#true
        deploy {
            image flatcar-4230
            user-data (secret)ceph-userdata
        }
    }
    pool control-plane {
        select {
            match role control-plane
        }
        replicas 3
        spread across=rack
        deploy {
            image ubuntu-24.04
            user-data (secret)control-plane-userdata
        }
    }
    pool workers {
        select {
            lacks quarantine
            match role worker
        }
        replicas all
        rollout max-unavailable=2 by=rack
        deploy {
            image ubuntu-24.04
            meta-data (secret)"${host.pool_meta_data}"
            user-data (secret)workers-userdata
        }
    }
    rack r01 index=1 leaf_a="44:38:39:00:01:0a" leaf_b="44:38:39:00:01:0b" row=b {
        host r01-c19 slot=19 {
            online #true
            bmc {
                address "idrac-virtualmedia://10.20.1.29/redfish/v1/Systems/System.Embedded.1"
                credentials (secret)bmc-r01-c19
                verify-ca #true
            }
            boot mode=UEFISecureBoot mac="b0:7b:25:01:01:30"
    "#);
}
