//! A real Ironic that is away while hosts are deleted, and one that comes back without its database.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::controller::{Controller, Site, until};
use crate::lab::{self, Lab};

/// A lab that only one test has, and a site to work on it.
pub async fn own(name: &str) -> Option<(Site, Lab)> {
    if !lab::is_wanted() {
        return None;
    }
    let site = Site::shared(name).await?;
    let state = tempfile::tempdir().unwrap().keep();
    let lab = Lab::start(&state, 1, &["--temporary", "--power-sync", "8"]);
    site.credentials("bmc", lab.text("bmc", "password"));
    Some((site, lab))
}

/// The state of each host's node, without the namespace.
pub fn states(lab: &Lab) -> BTreeMap<String, String> {
    let short = |name: &str| name.rsplit('~').next().unwrap_or_default().to_owned();
    let nodes = lab.nodes().into_iter();
    nodes
        .map(|(name, node)| (short(&name), node.state))
        .collect()
}

/// A host with a fake machine of this lab and its first image; `slot` makes its MAC address, and its spec
/// has `more`.
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

/// What a host has in its spec that does not get beyond registering: the BMC does not take the
/// password of its Secret, `wrong`.
pub fn refused(site: &Site, lab: &Lab) -> Value {
    site.credentials("wrong", "wrong");
    let about = &lab.about["redfish"][0];
    json!({
        "bootMACAddress": about["mac"],
        "bmc": {
            "address": about["address"], "credentialsName": "wrong",
            "disableCertificateVerification": true,
        },
    })
}

/// A controller of these machines, with these flags besides.
pub fn start(site: &Site, lab: &Lab, name: &str, more: &[&str]) -> Controller {
    site.start(name, &[&lab.flags()[..], more].concat())
}

/// A host, what its spec has besides, where it is, and what Ironic is told once it has lost all nodes.
type Lost = (&'static str, Value, &'static str, &'static [&'static str]);

const ADOPTED: [&str; 2] = ["manage", "adopt"];
const DEPLOYED: [&str; 3] = ["manage", "provide", "active"];

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
    let refused = refused(&site, &lab);
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
    let controller = start(&site, &lab, "gone-ironic", &[]);
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

/// Nodes come back, no machine that runs what it shall is touched, and what was under way begins again.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_costs_no_machine_anything() {
    let Some((site, lab)) = own("lost-ironic").await else {
        return;
    };
    let raid = json!({ "softwareRAIDVolumes": [{ "level": "1" }] });
    // Where each of them is when the database is lost, and what Ironic is told afterwards.
    let resting: [Lost; 4] = [
        (
            "available",
            json!({ "image": null }),
            "available",
            &["manage"],
        ),
        (
            "external",
            json!({ "externallyProvisioned": true }),
            "externally provisioned",
            &ADOPTED,
        ),
        ("one", json!({}), "provisioned", &ADOPTED),
        ("two", json!({}), "provisioned", &ADOPTED),
    ];
    let working: [Lost; 5] = [
        (
            "inspecting",
            json!({ "image": null }),
            "inspect wait",
            &["manage", "inspect"],
        ),
        (
            "preparing",
            json!({ "image": null, "raid": raid, "inspectionMode": "disabled" }),
            "clean wait",
            &["manage", "clean"],
        ),
        (
            "cleaning",
            json!({ "inspectionMode": "disabled" }),
            "clean wait",
            &DEPLOYED,
        ),
        (
            "deploying",
            json!({ "inspectionMode": "disabled", "automatedCleaningMode": "disabled" }),
            "wait call-back",
            &DEPLOYED,
        ),
        (
            "undeploying",
            json!({}),
            "clean wait",
            &["manage", "provide"],
        ),
    ];
    let own = format!("{}~", site.namespace);
    let silent = |name: &str, times: i64| lab.agent(&format!("{own}{name}"), "silent", times);
    for (name, ..) in &working[..4] {
        silent(name, -1);
    }
    let all = || resting.iter().chain(&working);
    for (slot, (name, more, ..)) in (1..).zip(all()) {
        site.create(&host(&lab, name, slot, more));
    }
    let controller = start(&site, &lab, "lost-ironic", &[]);
    for (name, _, state, _) in &resting {
        site.comes_to(name, state);
        site.is_powered(name, true);
    }
    site.comes_to("undeploying", "provisioned");
    silent("undeploying", -1);
    site.patch("bmh/undeploying", &json!({ "spec": { "image": null } }));
    let are_at_work = || {
        let now = states(&lab);
        let is_at = |(name, _, state, _): &Lost| now.get(*name).is_some_and(|now| now == state);
        working.iter().all(is_at)
    };
    until(are_at_work, || format!("{:#?}", states(&lab)));
    let mark = lab.mark();
    lab.tell("wipe", &[]);
    for (name, ..) in &working {
        silent(name, 0);
    }
    let end = |name: &str| match name {
        "available" | "inspecting" | "preparing" | "undeploying" => "available",
        "external" => "externally provisioned",
        _ => "provisioned",
    };
    let well = || {
        let hosts = site.hosts();
        hosts.len() == all().count()
            && hosts.iter().all(|host| {
                let name = host["metadata"]["name"].as_str().unwrap_or_default();
                let status = &host["status"];
                status["provisioning"]["state"] == end(name)
                    && status["operationalStatus"] == "OK"
                    && status["poweredOn"] == true
            })
    };
    let there = || {
        let now = states(&lab);
        let is_there = |(name, ..): &Lost| match (*name, now.get(*name).map(String::as_str)) {
            ("available", Some("manageable" | "available")) => true,
            ("available", _) => false,
            (_, state) => state == Some("active"),
        };
        now.len() == all().count() && resting.iter().all(is_there)
    };
    let wanted: BTreeMap<String, usize> = all()
        .flat_map(|(name, _, _, told)| told.iter().map(move |verb| (*name, *verb)))
        .map(|(name, verb)| (format!("{own}{name} {verb}"), 1))
        .collect();
    let told = || {
        let mut told = lab.done(&own, mark);
        told.retain(|what, _| !what.contains("power") || what.contains(" off"));
        told
    };
    until(
        || told() == wanted && there() && well(),
        || format!("{:#?} {:#?} {:#?}", states(&lab), told(), site.hosts()),
    );
    for host in site.hosts() {
        assert_eq!(host["status"]["errorCount"], 0, "{host:#}");
    }
    let done = lab.done(&own, mark);
    assert!(done.values().all(|times| *times == 1), "{done:?}");
    site.kubectl(&["delete", "bmh", "--all", "--wait=false"]);
    until(
        || site.hosts().is_empty(),
        || format!("{:#?}", states(&lab)),
    );
    assert!(states(&lab).is_empty());
    controller.stop();
}
