//! A Fleet that is paused, that is another tool's, or that has a namesake: what its controller leaves
//! alone.

use std::time::Duration;

use serde_json::json;

use crate::controller::{Site, until};

/// Files of a fleet with so many hosts, as editors save them: whole, by rename.
fn save(site: &Site, spec: &str, last: u8, more: &str) {
    let text = format!(
        "/- kdl-version 2\nspec {spec} {{ simulated; }}\n\
         each {{\n bmc address=\"redfish://127.0.0.1:${{8000 + host.slot}}/redfish/v1/Systems/1\" credentials=(secret)bmc\n \
         boot mac=\"${{mac('52:54:00:03:00:00', host.slot)}}\"\n}}\nhost \"w[slot=1-{last}]\"\n{more}"
    );
    std::fs::create_dir_all(site.path("specs")).unwrap();
    std::fs::write(site.path("specs/new~"), text).unwrap();
    std::fs::rename(site.path("specs/new~"), site.path("specs/fleet.kdl")).unwrap();
}

#[track_caller]
fn is(site: &Site, fleet: &str, kind: &str, reason: &str) -> String {
    let condition = || {
        let fleet = site.get(&format!("fleets/{fleet}"));
        let all = fleet["status"]["conditions"].as_array().cloned();
        let mut all = all.unwrap_or_default().into_iter();
        all.find(|condition| condition["type"] == kind)
            .unwrap_or_default()
    };
    until(
        || condition()["reason"] == reason,
        || format!("{kind} is {}", condition()),
    );
    condition()["message"].as_str().unwrap().to_owned()
}

fn pause(site: &Site, paused: bool) {
    site.patch("fleets/lab", &json!({ "spec": { "paused": paused } }));
}

/// Longer than a controller takes for anything.
fn a_while() {
    std::thread::sleep(Duration::from_secs(4));
}

/// `metalform apply` by a person beside the files.
fn apply(site: &Site) {
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_metalform"))
        .env("KUBECONFIG", site.server.kubeconfig())
        .args([
            "apply",
            "--yes",
            "--force-conflicts",
            "--namespace",
            &site.namespace,
        ])
        .arg(site.path("specs"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_fleet_is_paused_nothing_is_taken_back_over_restarts_too() {
    let Some(site) = Site::shared("paused").await else {
        return;
    };
    let spec = format!("lab namespace={}", site.namespace);
    save(&site, &spec, 3, "");
    site.credentials("bmc", "calvin");
    let specs = site.path("specs");
    let arguments = ["--specs", specs.to_str().unwrap()];
    let controller = site.simulate("before", &arguments);
    is(&site, "lab", "Ready", "Settled");
    pause(&site, true);
    let told = is(&site, "lab", "Synced", "Paused");
    assert!(told.contains("spec.paused"), "{told}");
    // Somebody changes a host, deletes one, and applies a text that the files say by then.
    site.patch("bmh/w1", &json!({ "spec": { "online": false } }));
    site.kubectl(&["delete", "bmh/w2"]);
    save(&site, &spec, 4, "refine w3 { description \"by hand\"; }");
    a_while();
    let is_left = |rest: &str| {
        assert_eq!(site.get("bmh/w1")["spec"]["online"], false);
        assert!(site.get("bmh/w2").is_null());
        assert_eq!(site.get("bmh/w4").is_null(), rest.is_empty());
        let description = site.get("bmh/w3")["spec"]["description"].clone();
        assert_eq!(description.as_str().unwrap_or_default(), rest);
    };
    is_left("");
    // Nor does one that starts know better.
    controller.dies();
    let controller = site.simulate("after", &arguments);
    controller.says("the fleet is paused");
    a_while();
    is_left("");
    apply(&site);
    site.patch("bmh/w1", &json!({ "spec": { "online": false } }));
    site.patch(
        "bmh/w3",
        &json!({ "spec": { "description": "by somebody else" } }),
    );
    site.kubectl(&["delete", "bmh/w2"]);
    a_while();
    is_left("by somebody else");
    pause(&site, false);
    let is_back = || {
        site.get("bmh/w1")["spec"]["online"] == true
            && !site.get("bmh/w2").is_null()
            && site.get("bmh/w3")["spec"]["description"] == "by hand"
    };
    until(is_back, || "it does not follow its files again".to_owned());
    is(&site, "lab", "Ready", "Settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_for_a_namespace_that_is_wrong_neither_moves_the_fleet_nor_ends_its_pause() {
    let Some(site) = Site::shared("moved").await else {
        return;
    };
    let spec = format!("lab namespace={}", site.namespace);
    save(&site, &spec, 1, "");
    site.credentials("bmc", "calvin");
    let specs = site.path("specs");
    let controller = site.simulate("moved", &["--specs", specs.to_str().unwrap()]);
    is(&site, "lab", "Ready", "Settled");
    pause(&site, true);
    is(&site, "lab", "Synced", "Paused");
    save(&site, "lab namespace=Not_One", 2, "");
    is(&site, "lab", "Valid", "SpecErrors");
    // One that the controller has no part in.
    save(&site, "lab namespace=kube-public", 2, "");
    controller.says("does not work in namespace `kube-public`");
    until(
        || site.get("fleets/lab")["status"]["findings"][0]["code"] == "MF7123",
        || site.get("fleets/lab")["status"].to_string(),
    );
    is(&site, "lab", "Synced", "Paused");
    a_while();
    assert!(site.get("bmh/w2").is_null());
    let there = ["get", "fleets,bmh", "-n", "kube-public", "-o", "name"];
    assert_eq!(site.server.kubectl(&there), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_of_another_tool_is_left_alone_until_that_tool_gives_it_up() {
    let Some(site) = Site::shared("foreign").await else {
        return;
    };
    let spec = format!("lab namespace={}", site.namespace);
    save(&site, &spec, 1, "");
    site.credentials("bmc", "calvin");
    site.create(&json!({
        "apiVersion": "metalform.dev/v1alpha1", "kind": "Fleet",
        "metadata": {
            "name": "lab",
            "annotations": { "applyset.kubernetes.io/tooling": "kubectl/v1.33" },
        },
    }));
    let specs = site.path("specs");
    let controller = site.simulate("foreign", &["--specs", specs.to_str().unwrap()]);
    controller.says("another tool's");
    let told = is(&site, "lab", "Synced", "ApplyFailed");
    assert!(told.contains("kubectl/v1.33"), "{told}");
    a_while();
    assert!(site.get("bmh/w1").is_null());
    assert!(site.get("fleets/lab")["metadata"]["labels"].is_null());
    // Given up by that tool it becomes the parent, and then there are members.
    let tooling = json!({ "applyset.kubernetes.io/tooling": null });
    site.patch(
        "fleets/lab",
        &json!({ "metadata": { "annotations": tooling } }),
    );
    is(&site, "lab", "Ready", "Settled");
    let id = site.get("fleets/lab")["metadata"]["labels"]["applyset.kubernetes.io/id"].clone();
    let member = &site.get("bmh/w1")["metadata"]["labels"]["applyset.kubernetes.io/part-of"];
    assert_eq!(*member, id);
}
