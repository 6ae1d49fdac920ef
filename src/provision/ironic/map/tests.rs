//! What the recordings do not show; [`super::super::replay`] has the rest.

use serde_json::json;

use super::*;
use crate::secrets::Sealed;

fn host(spec: &Value) -> BareMetalHost {
    let mut host = json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": { "namespace": "m", "name": "a", "uid": "7ceeea2c-1e2c-4de0-a4ff-c2cbb8148c2b" },
        "spec": {
            "online": true, "bootMACAddress": "52:54:00:00:00:01",
            "bmc": { "address": "redfish-virtualmedia://192.0.2.1/redfish/v1/Systems/1", "credentialsName": "b" },
        },
    });
    json_patch::merge(&mut host["spec"], spec);
    serde_json::from_value(host).unwrap()
}

fn secrets() -> JobSecrets {
    let bmc = Some((Sealed::new("admin"), Sealed::new("pw")));
    JobSecrets {
        bmc,
        ..JobSecrets::default()
    }
}

fn body(spec: &Value, ramdisk: &Ramdisk) -> Result<Value, String> {
    let host = host(spec);
    Wanted::of(&host, ramdisk).and_then(|wanted| enroll(&host, &wanted, &secrets(), "x86_64"))
}

fn refused(spec: &Value) -> String {
    body(spec, &Ramdisk::default()).unwrap_err()
}

#[test]
fn what_a_driver_cannot_do_is_refused() {
    let ipmi = json!({ "address": "ipmi://192.0.2.1" });
    assert_eq!(
        refused(&json!({ "bmc": ipmi, "inspectionMode": "fast" })),
        "BMC driver ipmi does not support fast (out-of-band) inspection"
    );
    assert_eq!(
        refused(&json!({ "bmc": ipmi, "bootMode": "UEFISecureBoot" })),
        "BMC driver ipmi does not support secure boot"
    );
    let libvirt = json!({ "bmc": { "address": "libvirt://192.0.2.1:6230" }, "bootMACAddress": "" });
    assert_eq!(
        refused(&libvirt),
        "BMC driver libvirt requires a BootMACAddress value"
    );
    let blind = json!({ "inspectionMode": "disabled", "bootMACAddress": "" });
    assert!(refused(&blind).ends_with("requires a BootMACAddress value"));
    assert!(refused(&json!({ "bmc": { "address": "nosuch://x" } })).contains("Unknown BMC type"));
}

#[test]
fn the_ramdisk_is_an_iso_where_the_bmc_takes_one() {
    let ramdisk = Ramdisk {
        kernel: Some("http://k".into()),
        initramfs: Some("http://r".into()),
        iso: Some("http://i".into()),
    };
    let info = |spec: &Value, ramdisk: &Ramdisk| {
        let info = body(spec, ramdisk).unwrap()["driver_info"].take();
        wire::RAMDISK_INFO
            .iter()
            .filter_map(|key| Some(format!("{key}={}", info.get(*key)?.as_str()?)))
            .collect::<Vec<_>>()
    };
    let ipmi = json!({ "bmc": { "address": "ipmi://192.0.2.1" } });
    assert_eq!(info(&json!({}), &ramdisk), ["deploy_iso=http://i"]);
    assert_eq!(
        info(&ipmi, &ramdisk),
        ["deploy_kernel=http://k", "deploy_ramdisk=http://r"]
    );
    let half = Ramdisk {
        initramfs: None,
        iso: None,
        ..ramdisk
    };
    assert!(info(&json!({}), &half).is_empty(), "both or neither");
}

/// A node that was lost with Ironic's database comes back with what is on its machine.
#[test]
fn a_provisioned_host_is_enrolled_with_its_deployment() {
    let enrolled = |image: &Value, custom: &Value| {
        let mut host = host(&json!({}));
        let mut status = crate::api::BareMetalHostStatus::default();
        status.provisioning.state = ProvisioningState::Provisioned;
        status.provisioning.image = serde_json::from_value(image.clone()).unwrap();
        status.provisioning.custom_deploy = serde_json::from_value(custom.clone()).unwrap();
        host.status = Some(status);
        let wanted = Wanted::of(&host, &Ramdisk::default()).unwrap();
        enroll(&host, &wanted, &secrets(), "x86_64").unwrap()
    };
    let image = json!({ "url": "http://i/x.qcow2", "checksum": "c", "checksumType": "sha256" });
    let body = enrolled(&image, &Value::Null);
    assert_eq!(
        body["instance_uuid"],
        "7ceeea2c-1e2c-4de0-a4ff-c2cbb8148c2b"
    );
    assert_eq!(body["instance_info"]["image_source"], "http://i/x.qcow2");
    assert!(body.get("deploy_interface").is_none());
    let live = enrolled(
        &json!({ "url": "http://i/x.iso", "format": "live-iso" }),
        &Value::Null,
    );
    assert_eq!(live["instance_info"]["boot_iso"], "http://i/x.iso");
    assert_eq!(live["deploy_interface"], "ramdisk");
    let custom = enrolled(
        &json!({ "url": "" }),
        &json!({ "method": "install_coreos" }),
    );
    assert_eq!(custom["deploy_interface"], "custom-agent");
    assert_eq!(
        custom["instance_info"],
        json!({ "capabilities": {}, "root_device": {} })
    );
}

#[test]
fn images_that_cannot_be_deployed_are_refused() {
    let patch = |image: &Value| {
        let host = host(&json!({ "image": image }));
        let wanted = Wanted::of(&host, &Ramdisk::default()).unwrap();
        let pull = Sealed::new("user:token");
        instance::patch(&host, &wanted, "direct", Some(&pull))
            .map(super::super::patch::Patch::into_body)
    };
    assert_eq!(
        patch(&json!({ "url": "http://i/x" })).unwrap_err(),
        "Validation failed: checksum is required for normal images"
    );
    assert!(
        patch(&json!({ "url": "oci://r/x", "checksum": "c" }))
            .unwrap_err()
            .contains("OCI")
    );
    assert_eq!(patch(&Value::Null).unwrap_err(), "the host names no image");
    let oci = patch(&json!({ "url": "oci://r/x:1" })).unwrap();
    assert_eq!(
        oci[1]["value"],
        json!({
            "capabilities": {}, "root_device": {}, "image_source": "oci://r/x:1",
            "image_pull_secret": "user:token",
        })
    );
    // The secret goes to a registry only.
    let plain = patch(&json!({ "url": "http://i/x", "checksum": "c" })).unwrap();
    assert!(plain[1]["value"].get("image_pull_secret").is_none());
}

#[test]
fn a_deploy_interface_of_before_does_not_stay() {
    let ops = |spec: &Value, before: &str| {
        let host = host(spec);
        let wanted = Wanted::of(&host, &Ramdisk::default()).unwrap();
        let body = instance::patch(&host, &wanted, before, None)
            .unwrap()
            .into_body();
        let of = |op: &&Value| op["path"] == "/deploy_interface";
        body.as_array()
            .unwrap()
            .iter()
            .find(of)
            .map(|op| (op["op"].clone(), op["value"].clone()))
    };
    let image = json!({ "image": { "url": "http://i/x", "checksum": "c" } });
    assert_eq!(ops(&image, "ramdisk"), Some(("remove".into(), Value::Null)));
    assert_eq!(ops(&image, "direct"), None);
    let custom = json!({ "customDeploy": { "method": "x" } });
    assert_eq!(
        ops(&custom, "direct"),
        Some(("add".into(), "custom-agent".into()))
    );
    assert_eq!(ops(&custom, "custom-agent"), None);
    let fake = json!({
        "bmc": { "address": "fake-hardware://a" }, "image": { "url": "http://i/x", "checksum": "c" },
    });
    assert_eq!(ops(&fake, "ramdisk"), Some(("add".into(), "direct".into())));
}

#[test]
fn the_config_drive_is_what_the_secrets_say() {
    let drive = |meta: &str, network: &str| {
        let secrets = JobSecrets {
            meta_data: Some(Sealed::new(meta)),
            network_data: Some(Sealed::new(network)),
            ..JobSecrets::default()
        };
        configdrive::build(&host(&json!({})), &secrets)
    };
    let built = drive("name: other\n1: one\nx: [1, 2.5, null, {a: true}]\n", "").unwrap();
    assert_eq!(
        built,
        json!({ "meta_data": {
            "uuid": "7ceeea2c-1e2c-4de0-a4ff-c2cbb8148c2b", "metal3-namespace": "m",
            "metal3-name": "a", "local-hostname": "a", "local_hostname": "a", "name": "other",
            "1": "one", "x": [1, 2.5, null, { "a": true }],
        } })
    );
    let merged = drive("", "base: &b {x: 1}\nlinks:\n  <<: *b\n  y: 2\n").unwrap();
    assert_eq!(merged["network_data"]["links"], json!({ "x": 1, "y": 2 }));
    for (meta, network) in [("hunter2: [", ""), ("- hunter2", ""), ("", "'hunter2")] {
        let error = drive(meta, network).unwrap_err();
        assert!(
            error.starts_with("the ") && !error.contains("hunter2"),
            "{error}"
        );
    }
}

#[test]
fn raid_is_left_cleared_or_made() {
    let plan = |spec: &Value, actual: &Value| {
        let mut host = host(&json!({ "raid": spec }));
        let mut status = crate::api::BareMetalHostStatus::default();
        status.provisioning.raid = serde_json::from_value(actual.clone()).unwrap();
        host.status = Some(status);
        let wanted = Wanted::of(&host, &Ramdisk::default()).unwrap();
        clean::plan(&host, wanted.driver(), None)
    };
    let steps = |spec: &Value, actual: &Value| {
        let plan = plan(spec, actual).unwrap();
        let names = plan
            .steps
            .iter()
            .map(|step| step["step"].as_str().unwrap().to_owned());
        (
            plan.raid_interface,
            names.collect::<Vec<_>>(),
            plan.logical_disks,
        )
    };
    let volume = json!({ "level": "1" });
    let hard = json!({ "hardwareRAIDVolumes": [volume] });
    let soft = json!({ "softwareRAIDVolumes": [volume] });
    let none = json!({ "hardwareRAIDVolumes": null, "softwareRAIDVolumes": null });
    assert_eq!(
        steps(&Value::Null, &hard),
        ("redfish", vec![], vec![]),
        "absent: left alone"
    );
    assert_eq!(steps(&none, &hard), ("redfish", vec![], vec![]));
    assert_eq!(
        steps(&hard, &hard),
        ("redfish", vec![], vec![]),
        "there already"
    );
    let cleared = json!({ "hardwareRAIDVolumes": [] });
    assert_eq!(steps(&cleared, &hard).1, ["delete_configuration"]);
    let (interface, names, disks) = steps(&hard, &Value::Null);
    assert_eq!(
        (interface, names),
        (
            "redfish",
            vec!["delete_configuration".into(), "create_configuration".into()]
        )
    );
    // Nothing else says where the image goes.
    assert_eq!(
        disks,
        [json!({ "raid_level": "1", "size_gb": "MAX", "is_root_volume": true })]
    );
    let (interface, names, _) = steps(&soft, &Value::Null);
    assert_eq!((interface, names.len()), ("agent", 3));
    let undone = json!({ "softwareRAIDVolumes": [] });
    assert_eq!(
        steps(&undone, &soft),
        (
            "agent",
            vec![
                "delete_configuration".into(),
                "erase_devices_metadata".into()
            ],
            vec![]
        )
    );
    assert_eq!(steps(&undone, &Value::Null).1, Vec::<String>::new());
    let bad = json!({ "softwareRAIDVolumes": [{ "level": "0" }] });
    assert!(
        plan(&bad, &Value::Null)
            .unwrap_err()
            .contains("must be RAID1")
    );
}
