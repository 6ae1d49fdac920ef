//! A real Ironic that is away while hosts are deleted, and one that comes back without its database.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::controller::{Controller, Site, until};
use crate::lab::{self, Lab, wait_for};

/// A lab that only one test has, and a site to work on it.
async fn own(name: &str) -> Option<(Site, Lab)> {
    if !lab::is_wanted() {
        return None;
    }
    let site = Site::shared(name).await?;
    let state = tempfile::tempdir().unwrap().keep();
    let lab = Lab::start(&state, 1, &["--temporary", "--power-sync", "8"]);
    site.credentials("bmc", lab.text("bmc", "password"));
    Some((site, lab))
}

/// The node of a host: its state, without the namespace.
fn states(lab: &Lab) -> BTreeMap<String, String> {
    let short = |name: &str| name.rsplit('~').next().unwrap_or_default().to_owned();
    let nodes = lab.nodes().into_iter();
    nodes
        .map(|(name, node)| (short(&name), node.state))
        .collect()
}

/// A host with a fake machine of this lab and its first image, and more of its spec.
pub fn host(lab: &Lab, name: &str, slot: u8, more: &Value) -> Value {
    let mut host = json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": { "name": name },
        "spec": {
            "online": true,
            "bootMACAddress": format!("52:54:00:f8:00:{slot:02x}"),
            "bmc": { "address": format!("fake-hardware://{name}"), "credentialsName": "bmc" },
            "image": lab.image(0),
        },
    });
    json_patch::merge(&mut host["spec"], more);
    host
}

fn start(site: &Site, lab: &Lab, name: &str) -> Controller {
    site.start(name, &lab.flags())
}

/// In each state a deletion waits for an Ironic that is away, and ends when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn deletions_wait_for_an_ironic_that_is_away() {
    let Some((site, lab)) = own("gone-ironic").await else {
        return;
    };
    // Where each of them stays, and what its machine is at there.
    let silent = |name: &str| lab.agent(&format!("{}~{name}", site.namespace), "silent", -1);
    for name in ["inspecting", "provisioning"] {
        silent(name);
    }
    let none = json!({});
    let bare = json!({ "image": null });
    let raid = json!({ "image": null, "raid": { "softwareRAIDVolumes": [{ "level": "1" }] } });
    // Its agent is needed for the deployment only.
    let skip = json!({ "inspectionMode": "disabled", "automatedCleaningMode": "disabled" });
    let external = json!({ "externallyProvisioned": true });
    // No BMC of the lab takes this password.
    site.credentials("wrong", "wrong");
    let about = &lab.about["redfish"][0];
    let refused = json!({
        "bootMACAddress": about["mac"],
        "bmc": {
            "address": about["address"], "credentialsName": "wrong",
            "disableCertificateVerification": true,
        },
    });
    let hosts = [
        ("registering", "enroll", &refused),
        ("inspecting", "inspect wait", &none),
        ("preparing", "clean wait", &raid),
        ("available", "manageable", &bare),
        ("provisioning", "wait call-back", &skip),
        ("provisioned", "active", &none),
        ("deprovisioning", "clean wait", &none),
        ("external", "active", &external),
    ];
    for (slot, (name, _, more)) in (1..).zip(&hosts) {
        if *name == "preparing" {
            continue;
        }
        site.create(&host(&lab, name, slot, more));
    }
    let controller = start(&site, &lab, "gone-ironic");
    for name in ["provisioned", "deprovisioning"] {
        site.comes_to(name, "provisioned");
    }
    // From here on its cleanings hang.
    silent("deprovisioning");
    silent("preparing");
    site.patch("bmh/deprovisioning", &json!({ "spec": { "image": null } }));
    let prepared = json!({ "inspectionMode": "disabled" });
    let mut last = host(&lab, "preparing", 99, &raid);
    json_patch::merge(&mut last["spec"], &prepared);
    site.create(&last);
    let wanted: BTreeMap<String, String> = hosts
        .iter()
        .map(|(name, state, _)| ((*name).to_owned(), (*state).to_owned()))
        .collect();
    until(|| states(&lab) == wanted, || format!("{:#?}", states(&lab)));

    lab.tell("pause", &[]);
    controller.says("is down");
    site.kubectl(&["delete", "bmh", "--all", "--wait=false"]);
    std::thread::sleep(std::time::Duration::from_secs(8));
    let left: Vec<_> = site.hosts();
    assert_eq!(left.len(), hosts.len());
    for host in &left {
        // The finalizer is what the machine hangs on.
        let meta = &host["metadata"];
        assert_eq!(
            meta["finalizers"],
            json!(["baremetalhost.metal3.io"]),
            "{meta}"
        );
    }
    let mark = lab.mark();
    lab.tell("resume", &[]);
    // What hangs in the ramdisk is ended by nobody but the ramdisk, or its time-out.
    for name in ["deprovisioning", "preparing"] {
        lab.agent(&format!("{}~{name}", site.namespace), "silent", 0);
    }
    until(
        || site.hosts().is_empty(),
        || {
            format!(
                "{:#?} {:#?}",
                states(&lab),
                site.kubectl(&["get", "bmh", "-o", "wide"])
            )
        },
    );
    assert!(states(&lab).is_empty(), "{:?}", states(&lab));
    // Whatever was asked, what nobody deployed was not taken off, and each node went once.
    let asked = lab.asked(mark);
    let done = |method: &str| {
        let is_it = |asked: &&lab::Asked| {
            let node = asked.path.strip_prefix("/v1/nodes/").unwrap_or_default();
            asked.method == method && asked.is_done() && !node.contains('/') && !node.is_empty()
        };
        asked.iter().filter(is_it).count()
    };
    assert_eq!(done("DELETE"), hosts.len());
    controller.stop();
}

/// Nodes come back as they were, and no machine is touched: what ran goes on running.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_costs_no_machine_anything() {
    let Some((site, lab)) = own("lost-ironic").await else {
        return;
    };
    let hosts = [
        ("available", json!({ "image": null })),
        ("external", json!({ "externallyProvisioned": true })),
        ("one", json!({})),
        ("two", json!({})),
    ];
    for (slot, (name, more)) in (1..).zip(&hosts) {
        site.create(&host(&lab, name, slot, more));
    }
    let state = |name: &str| match name {
        "available" => "available",
        "external" => "externally provisioned",
        _ => "provisioned",
    };
    let controller = start(&site, &lab, "lost-ironic");
    for (name, _) in &hosts {
        site.comes_to(name, state(name));
        site.is_powered(name, true);
    }
    let before = states(&lab);
    let mark = lab.mark();
    lab.tell("wipe", &[]);
    let there = || {
        let now = states(&lab);
        now.len() == hosts.len()
            && now.iter().all(|(name, state)| match name.as_str() {
                "available" => state == "manageable" || state == "available",
                _ => state == "active",
            })
    };
    until(there, || format!("{:#?}", states(&lab)));
    let well = || {
        let hosts = site.hosts();
        hosts.iter().all(|host| {
            let name = host["metadata"]["name"].as_str().unwrap_or_default();
            host["status"]["provisioning"]["state"] == state(name)
                && host["status"]["operationalStatus"] == "OK"
                && host["status"]["poweredOn"] == true
        })
    };
    until(well, || format!("{:#?}", site.hosts()));
    assert_eq!(before.len(), hosts.len());
    let own = format!("{}~", site.namespace);
    wait_for("all is as it was", || {
        let done = lab.done(&own, mark);
        let adopted = done.keys().filter(|what| what.ends_with(" adopt"));
        adopted.count() == 3
    });
    let done = lab.done(&own, mark);
    for verb in [
        "active",
        "deleted",
        "inspect",
        "provide",
        "clean",
        "power off",
        "rebooting",
    ] {
        let did: Vec<_> = done
            .keys()
            .filter(|what| what.ends_with(&format!(" {verb}")))
            .collect();
        assert!(did.is_empty(), "{did:?}");
    }
    assert!(done.values().all(|times| *times == 1), "{done:?}");
    site.kubectl(&["delete", "bmh", "--all", "--wait=false"]);
    until(
        || site.hosts().is_empty(),
        || format!("{:#?}", states(&lab)),
    );
    assert!(states(&lab).is_empty());
    controller.stop();
}
