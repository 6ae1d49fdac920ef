//! Each rule by an example that breaks it, and nothing said of what is fine.

#![expect(
    clippy::needless_pass_by_value,
    reason = "a table of literals reads better so"
)]

use serde_json::{Value, json};

use super::*;

fn host(changes: Value) -> Box<BareMetalHost> {
    let mut value = json!({
        "metadata": { "name": "r01-n01", "namespace": "m" },
        "spec": {
            "bmc": {
                "address": "redfish-virtualmedia://10.0.0.1/redfish/v1/Systems/1",
                "credentialsName": "c",
            },
            "bootMACAddress": "52:54:00:aa:00:01",
            "online": true,
        },
    });
    json_patch::merge(&mut value, &changes);
    serde_json::from_value(value).unwrap()
}

fn spec(changes: Value) -> Box<BareMetalHost> {
    host(json!({ "spec": changes }))
}

fn said(hosts: impl IntoIterator<Item = Box<BareMetalHost>>) -> String {
    hosts
        .into_iter()
        .map(|host| {
            let all = validate(&host, None);
            let all: Vec<_> = all.iter().map(ToString::to_string).collect();
            if all.is_empty() {
                "fine".to_owned()
            } else {
                all.join("\n")
            }
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn address(address: &str) -> Value {
    json!({ "address": address })
}

#[test]
fn bmc_and_name() {
    let none = Value::Null;
    let hosts = [
        spec(json!({})),
        spec(json!({ "bmc": none, "bootMACAddress": none })),
        host(json!({ "metadata": { "name": "a~b" } })),
        host(json!({ "metadata": { "name": "1b4e28ba-2fa1-11d2-883f-0016d3cca427" } })),
        spec(json!({ "bmc": address("idarc-redfish://10.0.0.1") })),
        spec(json!({ "bmc": address("redfish://under_score") })),
        spec(json!({ "bmc": address("libvirt://10.0.0.1"), "bootMACAddress": none })),
        spec(json!({ "bootMACAddress": none, "inspectionMode": "disabled" })),
        spec(json!({ "bootMACAddress": "52:54:00:aa:00" })),
        spec(
            json!({ "bmc": address("ipmi://10.0.0.1"), "bootMode": "UEFISecureBoot",
            "inspectionMode": "fast", "raid": { "hardwareRAIDVolumes": [{ "level": "1" }] } }),
        ),
        spec(json!({ "firmware": { "sriovEnabled": true } })),
        spec(
            json!({ "bootMode": "uefi", "automatedCleaningMode": "full", "inspectionMode": "none",
            "hardwareProfile": "hp" }),
        ),
        spec(json!({ "online": false, "disablePowerOff": true })),
    ];
    insta::assert_snapshot!(said(hosts), @r"
    fine
    fine
    metadata.name: has '~'; only letters, digits, '.', '_' and '-'
    metadata.name: must not be a UUID, which Ironic would take for a node's
    spec.bmc.address: failed to parse BMC address information: Unknown BMC type 'idarc-redfish' for address idarc-redfish://10.0.0.1; did you mean 'idrac-redfish'?
    spec.bmc.address: failed to parse BMC address information: BMC address hostname/IP : [under_score] is invalid
    spec.bootMACAddress: is missing; BMC driver libvirt needs it
    spec.bootMACAddress: is missing; BMC driver redfish-virtualmedia needs it while inspection is disabled
    spec.bootMACAddress: '52:54:00:aa:00' is no MAC address (aa:bb:cc:dd:ee:ff)
    spec.raid.hardwareRAIDVolumes: BMC driver ipmi does not support configuring RAID
    spec.bootMode: BMC driver ipmi does not support secure boot
    spec.inspectionMode: BMC driver ipmi cannot inspect without the agent; only Redfish ones can
    spec.firmware: is no longer supported by any driver; use a HostFirmwareSettings resource
    spec.bootMode: 'uefi' is none of UEFI, UEFISecureBoot, legacy
    spec.automatedCleaningMode: 'full' is none of metadata, disabled
    spec.inspectionMode: 'none' is none of disabled, agent, fast
    spec.hardwareProfile: 'hp' is none of unknown, libvirt, dell, dell-raid, openstack, empty
    spec.online: is false while disablePowerOff is true; the machine cannot be both off and never off
    ");
}

#[test]
fn images() {
    let image = |image: Value| spec(json!({ "image": image }));
    let sha = "a".repeat(64);
    let hosts = [
        image(json!({ "url": "http://i/x", "checksum": sha, "checksumType": "sha256" })),
        image(json!({ "url": "http://i/x", "checksum": sha, "checksumType": "auto" })),
        image(
            json!({ "url": "https://i/x", "checksum": "https://i/SUMS", "checksumType": "auto" }),
        ),
        image(json!({ "url": "http://i/x.iso", "format": "live-iso" })),
        image(json!({ "url": "OCI://i/x:1" })),
        image(json!({ "url": "oci://i/x:1", "checksum": sha })),
        image(json!({ "url": "http://i/x" })),
        image(json!({ "url": "http://i/x", "checksum": sha })),
        image(json!({ "url": "http://i/x", "checksum": "abc", "checksumType": "auto" })),
        image(json!({ "url": "http://i/x", "checksum": "abc", "checksumType": "sha512" })),
        image(json!({ "url": "", "checksum": "z".repeat(32), "checksumType": "md5" })),
        image(
            json!({ "url": "file:///x", "checksum": sha, "checksumType": "crc", "format": "vhd" }),
        ),
        image(json!({ "url": "img.qcow2", "format": "live-iso" })),
        spec(json!({ "customDeploy": {} })),
    ];
    insta::assert_snapshot!(said(hosts), @r"
    fine
    fine
    fine
    fine
    fine
    spec.image.checksum: must not be set for an oci:// image, which carries its own digest
    spec.image.checksum: is missing; only live-iso and oci:// images need none
    fine
    spec.image.checksum: has the length of no known algorithm, and checksumType is auto
    spec.image.checksum: is no sha512 checksum, which has 128 hex digits
    spec.image.url: is missing
    spec.image.checksumType: 'crc' is none of md5, sha256, sha512, auto
    spec.image.format: 'vhd' is none of raw, qcow2, vdi, vmdk, live-iso
    spec.image.url: scheme 'file' is none of http, https, ftp, gopher, oci
    spec.image.url: 'img.qcow2' is no URL
    spec.customDeploy.method: is missing; name the deploy step
    ");
}

#[test]
fn raid_and_hints() {
    let raid = |raid: Value| spec(json!({ "raid": raid }));
    let root = json!({ "level": "1", "rootVolume": true });
    let hosts = [
        raid(
            json!({ "hardwareRAIDVolumes": [{ "level": "1+0", "numberOfPhysicalDisks": 2,
            "controller": "c", "physicalDisks": ["a", "b"] }] }),
        ),
        raid(json!({ "softwareRAIDVolumes": [{ "level": "1" }, { "level": "0" }] })),
        raid(json!({ "hardwareRAIDVolumes": [], "softwareRAIDVolumes": [] })),
        raid(json!({ "hardwareRAIDVolumes": [{ "level": "1" }],
            "softwareRAIDVolumes": [{ "level": "1" }] })),
        raid(
            json!({ "hardwareRAIDVolumes": [{ "level": "7", "numberOfPhysicalDisks": 0,
            "name": "n".repeat(65), "sizeGibibytes": -1 }] }),
        ),
        raid(
            json!({ "hardwareRAIDVolumes": [{ "level": "1", "numberOfPhysicalDisks": 3,
            "physicalDisks": ["a", "b"] }] }),
        ),
        raid(json!({ "softwareRAIDVolumes": [{ "level": "0" }, { "level": "5" }, root] })),
        raid(json!({ "softwareRAIDVolumes": [root, root] })),
        raid(json!({ "softwareRAIDVolumes": [{ "level": "1", "physicalDisks": [{}] }] })),
        spec(json!({ "raid": { "softwareRAIDVolumes": [root] },
            "rootDeviceHints": { "deviceName": "/dev/disk/by-path/pci-0" } })),
        spec(json!({ "rootDeviceHints": { "deviceName": "/dev/disk/by-id/x" } })),
        spec(json!({ "rootDeviceHints": { "deviceName": "sda", "minSizeGigabytes": -1 } })),
    ];
    insta::assert_snapshot!(said(hosts), @r"
    fine
    fine
    fine
    spec.raid: hardware and software volumes cannot be set together
    spec.raid.hardwareRAIDVolumes[0].level: '7' is none of 0, 1, 2, 5, 6, 1+0, 5+0, 6+0
    spec.raid.hardwareRAIDVolumes[0].sizeGibibytes: is negative
    spec.raid.hardwareRAIDVolumes[0].name: has more than 64 characters
    spec.raid.hardwareRAIDVolumes[0].numberOfPhysicalDisks: is less than 1
    spec.raid.hardwareRAIDVolumes[0].controller: is missing; physicalDisks are named by their controller
    spec.raid.hardwareRAIDVolumes[0].numberOfPhysicalDisks: is 3, but physicalDisks names 2
    spec.raid.softwareRAIDVolumes: has more than 2 volumes
    spec.raid.softwareRAIDVolumes[0].level: the first volume holds the image and must be RAID 1
    spec.raid.softwareRAIDVolumes[1].level: '5' is none of 0, 1, 1+0
    spec.raid.softwareRAIDVolumes[1].rootVolume: volume 0 is the root volume already
    spec.raid.softwareRAIDVolumes[0].physicalDisks: has one entry; at least 2 disks make a volume
    spec.raid.softwareRAIDVolumes[0].rootVolume: cannot be set together with rootDeviceHints
    spec.rootDeviceHints.deviceName: '/dev/disk/by-id/x' is neither /dev/NAME nor /dev/disk/by-path/NAME
    spec.rootDeviceHints.minSizeGigabytes: is negative
    spec.rootDeviceHints.deviceName: 'sda' is neither /dev/NAME nor /dev/disk/by-path/NAME
    ");
}

#[test]
fn references() {
    let nic = |nics: Value| spec(json!({ "networkInterfaces": nics }));
    let hosts = [
        spec(json!({ "userData": { "name": "u", "namespace": "m" }, "metaData": { "name": "d" } })),
        spec(json!({ "userData": { "name": "u", "namespace": "other" },
            "networkData": { "name": "u", "namespace": "other" } })),
        nic(json!([{ "name": "eth0" }, { "macAddress": "52:54:00:aa:00:01" }])),
        nic(json!([{ "name": "eth0" }, { "name": "eth0", "macAddress": "52:54:00:aa:00:01" }, {}])),
        nic(json!([{ "name": "eth 0" }, { "macAddress": "x",
            "switchPort": { "switchID": "s", "portID": "" } }])),
    ];
    insta::assert_snapshot!(said(hosts), @r"
    fine
    spec.userData.namespace: 'other' is not the host's namespace 'm'; a Secret of another one is not read
    spec.networkData.namespace: 'other' is not the host's namespace 'm'; a Secret of another one is not read
    fine
    spec.networkInterfaces[1]: has both name and macAddress; one says which NIC
    spec.networkInterfaces[1]: name eth0 is there twice
    spec.networkInterfaces[2]: has neither name nor macAddress
    spec.networkInterfaces[0].name: 'eth 0' is no name of a NIC
    spec.networkInterfaces[1].macAddress: 'x' is no MAC address
    spec.networkInterfaces[1].switchPort.switchID: 's' is no MAC address
    spec.networkInterfaces[1].switchPort.portID: is missing
    ");
}

#[test]
fn annotations() {
    let with = |name: &str, value: &str, spec: Value| {
        host(json!({ "metadata": { "annotations": { name: value } }, "spec": spec }))
    };
    let off = || json!({ "inspectionMode": "disabled" });
    let hosts = [
        with(annotation::REBOOT, "", json!({})),
        with(
            annotation::REBOOT,
            r#"{"mode":"hard","force":true}"#,
            json!({}),
        ),
        with("reboot.metal3.io/mine", r#"{"mode":"gentle"}"#, json!({})),
        with(annotation::REBOOT, "soft", json!({})),
        with(annotation::INSPECT, "", json!({})),
        with(annotation::INSPECT, "disabled", json!({})),
        with(annotation::INSPECT, "no", json!({})),
        with(
            annotation::INSPECT,
            "disabled",
            json!({ "inspectionMode": "agent" }),
        ),
        with(
            annotation::HARDWARE_DETAILS,
            r#"{"cpu":{"count":0},"hostname":"a"}"#,
            off(),
        ),
        with(annotation::HARDWARE_DETAILS, "{}", json!({})),
        with(
            annotation::HARDWARE_DETAILS,
            r#"{"nics":[{"name":"a"},{"mca":"b"}]}"#,
            off(),
        ),
        with(annotation::HARDWARE_DETAILS, r#"{"nics":3}"#, off()),
        with(
            annotation::STATUS,
            r#"{"operationalStatus":"servicing"}"#,
            json!({}),
        ),
        with(
            annotation::STATUS,
            r#"{"operationalStatus":"good"}"#,
            json!({}),
        ),
        with(
            annotation::STATUS,
            r#"{"errorType":"detach error"}"#,
            json!({}),
        ),
        with(
            annotation::STATUS,
            r#"{"provisioning":{"progress":1},"x":2}"#,
            json!({}),
        ),
        with(annotation::STATUS, "ok", json!({})),
        with(annotation::DETACHED, "anything", json!({})),
    ];
    insta::assert_snapshot!(said(hosts), @r#"
    fine
    fine
    metadata.annotations["reboot.metal3.io/mine"]: mode 'gentle' is neither 'hard' nor 'soft'
    metadata.annotations["reboot.metal3.io"]: is not empty and not JSON of mode and force: expected value at line 1 column 1
    fine
    fine
    metadata.annotations["inspect.metal3.io"]: 'no' is neither 'disabled' nor empty
    spec.inspectionMode: 'agent' contradicts the annotation inspect.metal3.io: disabled
    fine
    metadata.annotations["inspect.metal3.io/hardwaredetails"]: needs inspection to be disabled (inspectionMode: disabled)
    metadata.annotations["inspect.metal3.io/hardwaredetails"]: has an unknown field: nics[1].mca
    metadata.annotations["inspect.metal3.io/hardwaredetails"]: is no inventory: invalid type: integer `3`, expected a sequence
    fine
    metadata.annotations["baremetalhost.metal3.io/status"]: operationalStatus: 'good' is none of OK, discovered, error, delayed, detached, servicing
    metadata.annotations["baremetalhost.metal3.io/status"]: errorType: 'detach error' is none of provisioned registration error, registration error, inspection error, preparation error, provisioning error, power management error, servicing error
    metadata.annotations["baremetalhost.metal3.io/status"]: has unknown fields: x, provisioning.progress
    metadata.annotations["baremetalhost.metal3.io/status"]: is no status: expected value at line 1 column 1
    fine
    "#);
}

#[test]
fn changes() {
    let in_state = |state: &str, operational: &str| json!({ "status": { "operationalStatus": operational, "provisioning": { "state": state } } });
    let other = json!({ "spec": { "bmc": { "address": "ipmi://10.0.0.9" } } });
    let check = |what: &str, state: &str, operational: &str, change: &Value| {
        let old = host(in_state(state, operational));
        let mut new = in_state(state, operational);
        json_patch::merge(&mut new, change);
        let all = validate(&host(new), Some(&old));
        format!(
            "{what}: {}",
            all.first()
                .map_or_else(|| "fine".to_owned(), ToString::to_string)
        )
    };
    let mac = |mac: &str| json!({ "spec": { "bootMACAddress": mac } });
    let external = json!({ "spec": { "externallyProvisioned": true } });
    let table = [
        check("address, registering", "registering", "OK", &other),
        check("address, detached", "provisioned", "detached", &other),
        check("address, provisioned", "provisioned", "OK", &other),
        check(
            "MAC, letter case",
            "available",
            "OK",
            &mac("52:54:00:AA:00:01"),
        ),
        check("MAC, another", "available", "OK", &mac("52:54:00:aa:00:02")),
        check("MAC, none", "registering", "OK", &mac("")),
        check("external, available", "available", "OK", &external),
        check("external, inspecting", "inspecting", "OK", &external),
    ];
    insta::assert_snapshot!(table.join("\n"), @r"
    address, registering: fine
    address, detached: fine
    address, provisioned: spec.bmc.address: cannot be changed unless the host is registering or detached (annotation baremetalhost.metal3.io/detached)
    MAC, letter case: fine
    MAC, another: spec.bootMACAddress: cannot be changed once it is set
    MAC, none: spec.bootMACAddress: cannot be changed once it is set
    external, available: fine
    external, inspecting: spec.externallyProvisioned: can only be switched on while the host is available, not in 'inspecting'
    ");
    // At creation it may be set.
    assert_eq!(validate(&host(external), None), []);
}

/// Every host that was recorded was let in by the real webhook.
#[test]
fn recorded_hosts_are_fine() {
    let mut seen = 0;
    for (name, text) in crate::api::host::tests::RECORDED {
        for line in text.lines() {
            let change: Value = serde_json::from_str(line).unwrap();
            for part in ["spec", "annotations"] {
                let Some(value) = change.get(part) else {
                    continue;
                };
                let changes = if part == "spec" {
                    json!({ "spec": value })
                } else {
                    json!({ "metadata": { "annotations": value } })
                };
                seen += 1;
                assert_eq!(validate(&host(changes), None), [], "{name} {line}");
            }
        }
    }
    assert!(seen > 20);
}
