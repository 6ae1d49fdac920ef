//! A host that is deleted, in each of its states.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams,
};
use serde_json::{Value, json};

use crate::controller::{PATIENCE, Site, until};

/// Hosts by the state in which each is to be deleted.
const STATES: [&str; 10] = [
    "unmanaged",
    "registering",
    "inspecting",
    "preparing",
    "available",
    "provisioning",
    "provisioned",
    "externally-provisioned",
    "deprovisioning",
    "powering-off",
];

/// What a host is brought to do in one of its states.
#[derive(Clone, Copy)]
enum Act {
    /// Its image is to go.
    Undeploy,
    Delete,
}

/// The states that a host shall be seen in, one after the other, and what is done there. The last one
/// is that by which it is called.
fn way(state: &str) -> VecDeque<(&str, Act)> {
    match state {
        "deprovisioning" => [("provisioned", Act::Undeploy), (state, Act::Delete)].into(),
        // Only a deletion leads there; it is asked for again on its way.
        "powering-off" => [
            ("available", Act::Delete),
            ("powering off before delete", Act::Delete),
        ]
        .into(),
        "externally-provisioned" => [("externally provisioned", Act::Delete)].into(),
        _ => [(state, Act::Delete)].into(),
    }
}

/// A host that comes to this state.
fn host(state: &str, slot: u8) -> Value {
    let mut host = Site::host(state, slot);
    let spec = &mut host["spec"];
    match state {
        "unmanaged" => spec["bmc"] = Value::Null,
        // Stays there.
        "registering" => spec["bmc"]["credentialsName"] = "nowhere".into(),
        "preparing" => {
            spec["raid"] = json!({ "softwareRAIDVolumes": [{ "level": "1" }] });
        }
        "available" | "powering-off" => spec["image"] = Value::Null,
        "externally-provisioned" => spec["externallyProvisioned"] = true.into(),
        _ => {}
    }
    host
}

/// Deletes each host as soon as it is in its state, and right before that its Secret, unless that is
/// `kept`. Fails when one is never seen there.
async fn delete_each(site: &Site, states: &[&str], kept: bool) {
    let client = site.server.admin().await.client();
    let kind = GroupVersionKind::gvk("metal3.io", "v1alpha1", "BareMetalHost");
    let kind = ApiResource::from_gvk(&kind);
    let hosts: Api<DynamicObject> = Api::namespaced_with(client.clone(), &site.namespace, &kind);
    let secrets: Api<Secret> = Api::namespaced(client, &site.namespace);
    let none = PatchParams::default();
    let mut left: BTreeMap<&str, _> = states.iter().map(|state| (*state, way(state))).collect();
    let started = Instant::now();
    while !left.is_empty() {
        let seen = hosts.list(&ListParams::default()).await.unwrap();
        for host in &seen.items {
            let name = host.metadata.name.as_deref().unwrap_or_default();
            let Some(way) = left.get_mut(name) else {
                continue;
            };
            let status = &host.data["status"];
            let (state, act) = way[0];
            // One that is off already passes through powering off in no time.
            let is_off = name == "powering-off" && status["poweredOn"] != true;
            if status["provisioning"]["state"] != state || is_off {
                continue;
            }
            way.pop_front();
            let is_last = way.is_empty();
            if is_last && !kept {
                let secret = host.data["spec"]["bmc"]["credentialsName"]
                    .as_str()
                    .unwrap();
                let patch = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
                // That of a host that goes may be without a finalizer by now.
                secrets.delete(secret, &DeleteParams::default()).await.ok();
                secrets.patch(secret, &none, &patch).await.ok();
            }
            let done = match act {
                Act::Undeploy => {
                    let patch = Patch::Merge(json!({ "spec": { "image": null } }));
                    hosts.patch(name, &none, &patch).await.map(drop)
                }
                Act::Delete => hosts.delete(name, &DeleteParams::default()).await.map(drop),
            };
            done.unwrap();
            if is_last {
                left.remove(name);
            }
        }
        let never: Vec<_> = left.iter().map(|(name, way)| (name, way[0].0)).collect();
        assert!(started.elapsed() < PATIENCE, "never seen in: {never:?}");
        // Some states last for no more than a few tenths of a second.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn all_go(site: &Site) {
    let left = || {
        let all = site.hosts();
        let lines = all
            .iter()
            .map(|host| format!("{}: {}", host["metadata"]["name"], host["status"]));
        lines.collect::<Vec<_>>().join("\n")
    };
    until(|| site.hosts().is_empty(), left);
    let data = || site.kubectl(&["get", "hardwaredata", "--no-headers"]);
    until(|| data().is_empty(), data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_goes_from_each_of_its_states() {
    let Some(site) = Site::shared("goes").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    for (slot, state) in (1..).zip(STATES) {
        site.create(&host(state, slot));
    }
    let controller = site.start("goes", &["--simulate=1"]);
    delete_each(&site, &STATES, true).await;
    all_go(&site);
    let secret = site.get("secret/bmc");
    assert!(secret["metadata"]["finalizers"].is_null(), "{secret}");
    let effects = controller.effects();
    let times = |host: &str, effect: &str| {
        let host = format!("{}/{host}", site.namespace);
        effects.get(&(host, effect.to_owned())).copied()
    };
    // Only what was deployed is taken off, and what somebody else provisioned never is.
    for host in ["provisioned", "deprovisioning"] {
        assert_eq!(times(host, "undeploy"), Some(1), "{host}");
    }
    for host in [
        "inspecting",
        "available",
        "powering-off",
        "externally-provisioned",
    ] {
        assert_eq!(times(host, "undeploy"), None, "{host}");
    }
    for host in ["unmanaged", "registering"] {
        assert_eq!(times(host, "power"), None, "{host}");
        assert_eq!(times(host, "forget"), None, "{host}");
    }
    // All others' machines were known.
    controller.did_once("forget", STATES.len() - 2);
    controller.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_goes_without_its_secret() {
    let Some(site) = Site::shared("bare").await else {
        return;
    };
    // One without a BMC has no Secret to lose.
    let states: Vec<&str> = STATES[1..].to_vec();
    for (slot, state) in (1..).zip(&states) {
        // Each has its own, so that none is held up by what another one lost.
        let mut own = host(state, slot);
        let secret = format!("bmc-{state}");
        // One that is of no use keeps its host in registering.
        let password = if *state == "registering" {
            ""
        } else {
            "calvin"
        };
        site.credentials(&secret, password);
        own["spec"]["bmc"]["credentialsName"] = secret.into();
        site.create(&own);
    }
    let controller = site.start("bare", &["--simulate=1"]);
    delete_each(&site, &states, false).await;
    all_go(&site);
    assert_eq!(site.kubectl(&["get", "secrets", "-o", "name"]), "");
    let effects = controller.effects();
    let undeployed = |name: &str| {
        let host = format!("{}/{name}", site.namespace);
        effects.get(&(host, "undeploy".to_owned())).copied()
    };
    for host in ["provisioned", "deprovisioning"] {
        assert_eq!(undeployed(host), Some(1), "{host}");
    }
    for host in ["available", "powering-off", "externally-provisioned"] {
        assert_eq!(undeployed(host), None, "{host}");
    }
    controller.did_once("forget", states.len() - 1);
    controller.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_go_together_leave_nothing_held() {
    let Some(site) = Site::shared("together").await else {
        return;
    };
    site.crowd(12);
    let controller = site.simulate("together", &[]);
    site.provisions(12);
    // Two at once each see the other still name the Secret.
    site.kubectl(&["delete", "bmh", "--all", "--wait=false"]);
    all_go(&site);
    let secret = site.get("secret/bmc");
    assert!(secret["metadata"]["finalizers"].is_null(), "{secret}");
    controller.did_once("undeploy", 12);
    controller.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_somebody_else_holds_on_to_lets_go_of_what_it_held() {
    let Some(site) = Site::shared("foreign").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    let mut own = Site::host("a", 1);
    own["metadata"]["finalizers"] = json!(["example.com/own"]);
    site.create(&own);
    let controller = site.simulate("foreign", &[]);
    site.comes_to("a", "provisioned");
    site.kubectl(&["delete", "bmh/a", "--wait=false"]);
    let held = |what: &str| site.get(what)["metadata"]["finalizers"].clone();
    until(
        || held("bmh/a") == json!(["example.com/own"]) && held("secret/bmc").is_null(),
        || format!("{} {}", held("bmh/a"), held("secret/bmc")),
    );
    // It rests there.
    let version = || site.get("bmh/a")["metadata"]["resourceVersion"].clone();
    let before = version();
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(version(), before);
    site.patch("bmh/a", &json!({ "metadata": { "finalizers": null } }));
    all_go(&site);
    controller.did_once("forget", 1);
    controller.stop();
}
