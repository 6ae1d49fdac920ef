//! A host that is deleted, in each of its states.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::controller::{Site, until};

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

/// Deletes each host as soon as it is in its state. Answers those that never were.
fn delete_each(site: &Site, mut wanted: BTreeMap<String, String>, kept: bool) -> Vec<String> {
    let started = std::time::Instant::now();
    while !wanted.is_empty() && started.elapsed().as_secs() < 40 {
        for host in site.hosts() {
            let name = host["metadata"]["name"].as_str().unwrap();
            let state = &host["status"]["provisioning"]["state"];
            if wanted.get(name).is_none_or(|wanted| *state != **wanted) {
                continue;
            }
            if !kept {
                let secret = format!(
                    "secret/{}",
                    host["spec"]["bmc"]["credentialsName"].as_str().unwrap()
                );
                site.kubectl(&["delete", &secret, "--wait=false"]);
                let patch = json!({ "metadata": { "finalizers": null } });
                site.patch(&secret, &patch);
            }
            site.kubectl(&["delete", &format!("bmh/{name}"), "--wait=false"]);
            wanted.remove(name);
        }
    }
    wanted.into_keys().collect()
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
    let controller = site.start("goes", &["--simulate=1"]);
    let mut wanted = BTreeMap::new();
    for (slot, state) in (1..).zip(STATES) {
        site.create(&host(state, slot));
        let spelled = match state {
            // On the way out of these.
            "deprovisioning" => "provisioned",
            "powering-off" => "available",
            other => other,
        };
        wanted.insert(state.to_owned(), spelled.replace('-', " "));
    }
    assert_eq!(delete_each(&site, wanted, true), Vec::<String>::new());
    all_go(&site);
    let secret = site.get("secret/bmc");
    assert!(secret["metadata"]["finalizers"].is_null(), "{secret}");
    let effects = controller.effects();
    let times = |host: &str, effect: &str| {
        let host = format!("{}/{host}", site.namespace);
        effects.get(&(host, effect.to_owned())).copied()
    };
    // Only what was deployed is taken off, and what somebody else provisioned never is.
    assert_eq!(times("provisioned", "undeploy"), Some(1));
    for host in ["inspecting", "available", "externally-provisioned"] {
        assert_eq!(times(host, "undeploy"), None, "{host}");
    }
    for host in ["unmanaged", "registering"] {
        assert_eq!(times(host, "power"), None, "{host}");
        assert_eq!(times(host, "forget"), None, "{host}");
    }
    controller.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_goes_without_its_secret() {
    let Some(site) = Site::shared("bare").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    let controller = site.start("bare", &["--simulate=1"]);
    let states = ["inspecting", "available", "provisioning", "provisioned"];
    let mut wanted = BTreeMap::new();
    for (slot, state) in (1..).zip(states) {
        // Each has its own, so that none is held up by what another one lost.
        let mut own = host(state, slot);
        let secret = format!("bmc-{state}");
        site.credentials(&secret, "calvin");
        own["spec"]["bmc"]["credentialsName"] = secret.into();
        site.create(&own);
        wanted.insert(state.to_owned(), state.to_owned());
    }
    assert_eq!(delete_each(&site, wanted, false), Vec::<String>::new());
    all_go(&site);
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
