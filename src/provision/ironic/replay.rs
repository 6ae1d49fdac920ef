//! What the Bare Metal Operator wrote to a real Ironic, against what metalform writes for the same
//! hosts (`tests/data/peer-ironic`, one file a scenario, writes only).
//!
//! Each recorded write stands for an effect; the effects are run in that order against an Ironic in
//! this process. Two things are compared at every change of state: the node as all writes so far
//! made it, and the calls that are no writes to the node (ports, provision, power, RAID,
//! maintenance), bodies and all.
//!
//! What differs, on purpose:
//! - one POST carries what takes the peer a POST and one or two PATCHes;
//! - new credentials do not lose the ramdisk on the way, nor the boot device setting for good;
//! - a node that is enrolled again comes with its deployment;
//! - the reason for maintenance names metalform.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::fake::Fake;
use super::{Endpoint, Ironic, Options, Ramdisk};
use crate::api::{BareMetalHost, HostFirmwareComponents, HostFirmwareSettings, SettingSchema};
use crate::firmware::{Changes, FoundSetting, Standing, components, schema, settings as bios};
use crate::provision::{Ack, Effect, Fault, Job, PowerTarget, Provisioner as _, Sight};
use crate::secrets::{JobSecrets, Sealed};

fn lines(scenario: &str) -> Vec<Value> {
    let path = format!("tests/data/peer-ironic/{scenario}.jsonl");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Writes of a recording that Ironic took.
fn writes(scenario: &str) -> Vec<Value> {
    let taken = |line: &Value| line["status"].as_u64().is_some_and(|status| status < 300);
    lines(scenario).into_iter().filter(taken).collect()
}

fn host(name: &str, spec: &Value) -> BareMetalHost {
    let mut host = json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": { "namespace": "m", "name": name },
        "spec": { "online": true, "bmc": { "credentialsName": "bmc" } },
    });
    json_patch::merge(&mut host["spec"], spec);
    serde_json::from_value(host).unwrap()
}

fn secrets() -> JobSecrets {
    JobSecrets {
        bmc: Some((Sealed::new("admin"), Sealed::new("password"))),
        ..JobSecrets::default()
    }
}

fn ironic(fake: &Fake) -> Ironic {
    let mut options = Options::new(Endpoint::parse(&fake.url).unwrap());
    options.ramdisk = Ramdisk {
        kernel: Some("http://127.0.0.1:16386/ipa.kernel".into()),
        initramfs: Some("http://127.0.0.1:16386/ipa.initramfs".into()),
        iso: None,
    };
    let ironic = Ironic::new(options).unwrap();
    ironic.core.up();
    ironic
}

/// The node as these writes made it, at each call that is no write to the node, and those calls.
fn story(writes: impl Iterator<Item = (String, Value)>) -> (Vec<Value>, Vec<String>) {
    let (mut node, mut nodes, mut calls) = (Value::Null, Vec::new(), Vec::new());
    for (what, mut body) in writes {
        match what.as_str() {
            "POST /v1/nodes" => {
                node = json!({ "driver_info": {}, "instance_info": {} });
                json_patch::merge(&mut node, &body);
            }
            what if what.starts_with("PATCH") => {
                let patch: json_patch::Patch = serde_json::from_value(body).unwrap();
                json_patch::patch(&mut node, &patch).unwrap();
            }
            what => {
                if what.ends_with("/maintenance") {
                    body["reason"] = "(reason)".into();
                }
                if body["target"] == "deleted" {
                    // Ironic takes these away itself.
                    node["instance_info"] = json!({});
                    node.as_object_mut().unwrap().remove("instance_uuid");
                }
                let mut shown = node.clone();
                // Whatever the deploy interface was before, null is Ironic's default.
                if let Some(node) = shown.as_object_mut() {
                    node.retain(|_, value| !value.is_null());
                }
                nodes.push(shown);
                calls.push(format!("{what} {body}"));
            }
        }
    }
    (nodes, calls)
}

/// Runs the effects that a recording stands for.
async fn replay(scenario: &str, host: BareMetalHost, secrets: JobSecrets) -> Ran {
    replay_with(scenario, host, secrets, None).await
}

/// The same, with these changes of firmware in each cleaning.
async fn replay_with(
    scenario: &str,
    mut host: BareMetalHost,
    secrets: JobSecrets,
    firmware: Option<Arc<Changes>>,
) -> Ran {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    let recorded = writes(scenario);
    let mut ours = Vec::new();
    let name = host.metadata.name.clone().unwrap();
    let mut uuid = String::new();
    let mut forced = false;
    for write in &recorded {
        let path = write["path"].as_str().unwrap();
        let target = write["body"]["target"].as_str().unwrap_or_default();
        let last = path.rsplit('/').next().unwrap();
        let effect = match (write["method"].as_str().unwrap(), last) {
            ("POST", "nodes") => Effect::Enroll {
                credentials: "1".into(),
            },
            // The first patches belong to enrolling, the others to deploying and cleaning.
            ("PATCH", _) if write["body"][0]["path"] == "/driver_info" => Effect::Amend {
                credentials: Some("2".into()),
            },
            ("PATCH", _) | ("POST", "ports") | ("PUT", "raid") => continue,
            ("PUT", "provision") => match target {
                "manage" => Effect::Manage,
                "inspect" => Effect::Inspect,
                "provide" => Effect::Provide,
                "clean" => Effect::Clean {
                    firmware: firmware.clone(),
                },
                "adopt" => Effect::Adopt,
                "active" => Effect::Deploy,
                "deleted" => Effect::Undeploy,
                other => panic!("{other}"),
            },
            ("PUT", "power") => Effect::Power(match target {
                "power on" => PowerTarget::On,
                "power off" => PowerTarget::HardOff,
                "soft power off" => PowerTarget::SoftOff,
                other => panic!("{other}"),
            }),
            ("PUT", "maintenance") => {
                forced = true;
                continue;
            }
            ("DELETE", _) => Effect::Forget {
                force: std::mem::take(&mut forced),
            },
            other => panic!("{other:?}"),
        };
        // The UID that the recording has, from where it is written.
        if let Some(uid) = recorded.iter().find_map(|write| {
            let ops = write["body"].as_array()?;
            ops.iter().find(|op| op["path"] == "/instance_uuid")?["value"].as_str()
        }) {
            host.metadata.uid = Some(uid.into());
        }
        let facts = match ironic.sight(&host) {
            Sight::Present(facts) => Some(facts),
            _ => None,
        };
        let shared = Arc::new(host.clone());
        let job = Job {
            host: shared,
            effect: effect.clone(),
            secrets: secrets.clone(),
            facts,
            fence: crate::fence::Fence::none(),
        };
        let ack = ironic
            .run(job)
            .await
            .unwrap_or_else(|fault| panic!("{effect:?}: {fault}"));
        if let Ack::Enrolled(id) = ack {
            uuid = id.to_string();
        }
        // The look that would come now.
        fake.books(|books| {
            for node in books.nodes.values() {
                let node = serde_json::from_value(node.clone().into()).unwrap();
                ironic.core.mirror().put(&node, Instant::now());
            }
        });
        for seen in fake.take_writes() {
            let what = seen.what().replace(&uuid, "{node}");
            let body = serde_json::from_str(&seen.body.to_string().replace(&uuid, "{node}"));
            ours.push((what, body.unwrap()));
        }
    }
    let theirs = recorded.iter().map(|write| {
        let what = format!(
            "{} {}",
            write["method"].as_str().unwrap(),
            write["path"].as_str().unwrap()
        );
        (what, write["body"].clone())
    });
    let count = ours.len();
    let (nodes, calls) = story(ours.into_iter());
    let (peer_nodes, peer_calls) = story(theirs);
    assert_eq!(calls, peer_calls, "{name}");
    Ran {
        nodes,
        calls,
        peer_nodes,
        writes: count,
        peer_writes: recorded.len(),
    }
}

struct Ran {
    nodes: Vec<Value>,
    calls: Vec<String>,
    peer_nodes: Vec<Value>,
    writes: usize,
    peer_writes: usize,
}

impl Ran {
    /// From the first change of state on the peer's node is what ours was from the start; before
    /// that (its port and `manage`) it lacks what the patches bring.
    fn same_nodes(&self) {
        let settled = self
            .calls
            .iter()
            .position(|call| call.contains("\"manage\""))
            .unwrap()
            + 1;
        for (at, (ours, theirs)) in self.nodes.iter().zip(&self.peer_nodes).enumerate() {
            if at >= settled {
                assert_eq!(ours, theirs, "at {}", self.calls[at]);
            }
        }
        assert!(
            self.writes < self.peer_writes,
            "{} of {}",
            self.writes,
            self.peer_writes
        );
    }
}

const HASH: &str = "92c53ae581d2618a192daeb6c5a60852b93019da54d0d2f541765d50a7bec575";

fn image() -> Value {
    let url = "http://127.0.0.1:16386/img.qcow2";
    json!({ "url": url, "checksum": HASH, "checksumType": "sha256", "format": "qcow2" })
}

/// The plain host of number `n`, with the root device that BMO takes by default in its status.
fn plain(name: &str, n: u8, spec: &Value) -> BareMetalHost {
    let system = format!("11110000-0000-0000-0000-0000000000{n:02x}");
    let mut full = json!({
        "bmc": {
            "address":
                format!("redfish-virtualmedia+http://127.0.0.1:18000/redfish/v1/Systems/{system}"),
            "disableCertificateVerification": true,
        },
        "automatedCleaningMode": "metadata",
        "bootMACAddress": format!("52:54:00:aa:00:{n:02x}"),
    });
    json_patch::merge(&mut full, spec);
    let mut host = host(name, &full);
    let mut status = crate::api::BareMetalHostStatus::default();
    status.provisioning.root_device_hints =
        host.spec
            .root_device_hints
            .clone()
            .or(Some(crate::api::Shared::new(crate::api::RootDeviceHints {
                device_name: "/dev/sda".into(),
                ..Default::default()
            })));
    host.status = Some(status);
    host
}

#[tokio::test]
async fn a_whole_life() {
    let mut secrets = secrets();
    secrets.user_data = Some(Sealed::new("#cloud-config\nhostname: a\n"));
    secrets.meta_data = Some(Sealed::new("custom: x\n"));
    secrets.network_data = Some(Sealed::new(
        "links:\n- {id: e0, type: phy, ethernet_mac_address: '52:54:00:aa:00:01'}\n\
         networks:\n- {id: n0, link: e0, type: ipv4_dhcp}\nservices: []\n",
    ));
    let host = plain("s01-life", 1, &json!({ "image": image() }));
    let mut ran = replay("s01-life", host, secrets).await;
    // After the new credentials the peer's node has lost more than the ramdisk.
    for node in ran.nodes.iter_mut().rev().take(2) {
        let info = node["driver_info"].as_object_mut().unwrap();
        assert_eq!(
            info.remove("force_persistent_boot_device"),
            Some("Default".into())
        );
    }
    ran.same_nodes();
    assert_eq!((ran.writes, ran.peer_writes), (19, 21));
}

#[tokio::test]
async fn images() {
    let sha512 = "a".repeat(128);
    let url = "http://127.0.0.1:16386/img.qcow2";
    let sum = "http://127.0.0.1:16386/img.sha256";
    let hints = json!({
        "deviceName": "/dev/sda", "hctl": "0:0:0:0", "model": "SimDisk", "vendor": "SIM",
        "serialNumber": "S1", "minSizeGigabytes": 50, "wwn": "0x5000c500",
        "wwnWithExtension": "0x5000c50001", "wwnVendorExtension": "0x01", "rotational": false,
    });
    for (scenario, n, spec) in [
        (
            "s02-liveiso",
            2,
            json!({ "image": { "url": "http://127.0.0.1:16386/live.iso", "format": "live-iso" } }),
        ),
        (
            "s03-custom",
            3,
            json!({ "customDeploy": { "method": "install_coreos" } }),
        ),
        (
            "s04-checksum-url",
            4,
            json!({ "image": { "url": url, "checksum": sum, "checksumType": "auto" } }),
        ),
        (
            "s05-raw",
            5,
            json!({ "image": { "url": url, "checksum": sha512, "checksumType": "sha512", "format": "raw" } }),
        ),
        (
            "s06-hints",
            6,
            json!({ "rootDeviceHints": hints, "image": image() }),
        ),
        (
            "s09-secureboot",
            9,
            json!({ "bootMode": "UEFISecureBoot", "image": image() }),
        ),
        (
            "s12-noclean",
            12,
            json!({ "automatedCleaningMode": "disabled", "image": image() }),
        ),
    ] {
        let ran = replay(scenario, plain(scenario, n, &spec), secrets()).await;
        ran.same_nodes();
    }
}

#[tokio::test]
async fn settings() {
    let by_path = json!({ "rootDeviceHints": { "deviceName": "/dev/disk/by-path/pci-0" } });
    for (scenario, n, spec) in [
        ("s07-bypath", 7, by_path),
        ("s08-legacy", 8, json!({ "bootMode": "legacy" })),
        ("s13-external", 13, json!({ "externallyProvisioned": true })),
        ("s14-fast-inspect", 14, json!({ "inspectionMode": "fast" })),
        ("s18-aarch64", 18, json!({ "architecture": "aarch64" })),
        ("s20-no-power-off", 20, json!({ "disablePowerOff": true })),
        ("s21-oci", 21, json!({})),
    ] {
        let ran = replay(scenario, plain(scenario, n, &spec), secrets()).await;
        ran.same_nodes();
    }
}

#[tokio::test]
async fn raid() {
    let disk = |hctl: &str| json!({ "hctl": hctl });
    let software = json!({ "raid": { "softwareRAIDVolumes": [
        { "level": "1", "physicalDisks": [disk("0:0:0:0"), disk("0:0:1:0")] },
    ] } });
    replay(
        "s10-softraid",
        plain("s10-softraid", 10, &software),
        secrets(),
    )
    .await
    .same_nodes();
    let hardware = json!({ "raid": { "hardwareRAIDVolumes": [
        { "level": "1", "name": "root", "sizeGibibytes": 100, "numberOfPhysicalDisks": 2, "rotational": false },
    ] } });
    replay("s11-hwraid", plain("s11-hwraid", 11, &hardware), secrets())
        .await
        .same_nodes();
}

/// What the recorded wishes come to, judged against what Ironic told of the emulator.
fn changes(settings: &Value, updates: &Value) -> Option<Arc<Changes>> {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let found =
        [("BootMode", "Uefi"), ("ProcTurboMode", "Enabled")].map(|(name, value)| FoundSetting {
            name: name.into(),
            value: value.into(),
            schema: SettingSchema::default(),
        });
    let schema = schema::of(&found, None, "m");
    let beside = |spec: &Value| json!({ "metadata": { "generation": 2 }, "spec": spec });
    let mut wanted: HostFirmwareSettings =
        serde_json::from_value(beside(&json!({ "settings": settings }))).unwrap();
    wanted.status = Some(bios::read(&wanted, &found, schema.as_ref(), now));
    let mut firmware: HostFirmwareComponents =
        serde_json::from_value(beside(&json!({ "updates": updates }))).unwrap();
    firmware.status = Some(components::read(&firmware, Vec::new(), None, now));
    Standing::of(Some(&wanted), schema.as_ref(), Some(&firmware)).changes
}

#[tokio::test]
async fn bios_settings() {
    let host = plain("s15-bios-settings", 15, &json!({}));
    // What is so already is not asked for.
    let wanted = changes(
        &json!({ "ProcTurboMode": "Disabled", "BootMode": "Uefi" }),
        &json!([]),
    );
    let ran = replay_with("s15-bios-settings", host, secrets(), wanted);
    ran.await.same_nodes();
}

#[tokio::test]
async fn firmware() {
    let host = plain("s16-firmware-update", 16, &json!({}));
    let url = "http://127.0.0.1:16386/img.qcow2";
    let wanted = changes(&json!({}), &json!([{ "component": "bios", "url": url }]));
    let ran = replay_with("s16-firmware-update", host, secrets(), wanted);
    ran.await.same_nodes();
}

#[tokio::test]
async fn network_of_the_ramdisk() {
    let mut secrets = secrets();
    secrets.preprovisioning_network_data =
        Some(Sealed::new("links: []\nnetworks: []\nservices: []\n"));
    let host = plain("s19-preprov-network", 19, &json!({}));
    replay("s19-preprov-network", host, secrets)
        .await
        .same_nodes();
}

/// Enrolled again while provisioned: the peer's node knows nothing of its deployment.
#[tokio::test]
async fn detached_and_back() {
    let host = plain("s17-detach", 17, &json!({ "image": image() }));
    let ran = replay("s17-detach", host, secrets()).await;
    let provided = ran
        .calls
        .iter()
        .position(|call| call.contains("\"provide\""))
        .unwrap();
    assert_eq!(
        ran.nodes[provided..provided + 2],
        ran.peer_nodes[provided..provided + 2]
    );
}

#[tokio::test]
async fn every_address() {
    let fake = Fake::start().await;
    let ironic = {
        let options = Options::new(Endpoint::parse(&fake.url).unwrap());
        Ironic::new(options).unwrap()
    };
    let recorded = lines("enrol-by-scheme");
    assert_eq!(recorded.len(), 25);
    for (at, line) in recorded.iter().enumerate() {
        let host = host(
            &format!("b{at:02}"),
            &json!({
                "bmc": {
                    "address": line["address"],
                    "disableCertificateVerification": line["disableCertificateVerification"],
                },
                // Where the driver wants one (libvirt).
                "bootMACAddress": format!("52:54:00:bb:00:{at:02x}"),
            }),
        );
        let effect = Effect::Enroll {
            credentials: "1".into(),
        };
        let job = Job {
            host: Arc::new(host),
            effect,
            secrets: secrets(),
            facts: None,
            fence: crate::fence::Fence::none(),
        };
        let result = ironic.run(job).await;
        let mut written = fake.take_writes();
        if line["post"].is_null() {
            let refused = Fault::Refused(line["errorMessage"].as_str().unwrap().into());
            assert_eq!(result, Err(refused));
            assert!(written.is_empty());
            continue;
        }
        assert!(matches!(result, Ok(Ack::Enrolled(_))), "{result:?}");
        let post = written.remove(0).body;
        let mut wanted = line["post"].clone();
        // The peer brings this with a patch.
        wanted["automated_clean"] = true.into();
        assert_eq!(post, wanted, "{}", line["address"]);
    }
}

/// The body of a node of `fake-hardware://NAME`, as the test lab wants it.
#[tokio::test]
async fn a_fake_machine() {
    let fake = Fake::start().await;
    let ironic = Ironic::new(Options::new(Endpoint::parse(&fake.url).unwrap())).unwrap();
    let host = host("n1", &json!({ "bmc": { "address": "fake-hardware://n1" } }));
    let effect = Effect::Enroll {
        credentials: "1".into(),
    };
    let job = Job {
        host: Arc::new(host),
        effect,
        secrets: JobSecrets::default(),
        facts: None,
        fence: crate::fence::Fence::none(),
    };
    ironic.run(job).await.unwrap();
    let written = fake.take_writes();
    assert_eq!(written.len(), 1, "no MAC address, no port");
    assert_eq!(
        written[0].body,
        json!({
            "name": "m~n1", "driver": "fake-hardware",
            "power_interface": "fake", "management_interface": "noop", "boot_interface": "fake",
            "bios_interface": "fake", "firmware_interface": "fake", "vendor_interface": "fake",
            "inspect_interface": "agent", "deploy_interface": "direct", "raid_interface": "agent",
            "driver_info": {}, "automated_clean": true, "disable_power_off": false,
            "properties": { "capabilities": "boot_mode:uefi", "cpu_arch": "x86_64" },
        })
    );
}
