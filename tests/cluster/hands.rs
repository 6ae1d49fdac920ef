//! Objects that somebody else writes while the controller works: specs by `kubectl apply`, statuses
//! by hand.

use std::time::Duration;

use serde_json::{Value, json};

use crate::controller::{Site, until};

impl Site {
    /// Changes a host's status as `kubectl edit --subresource=status` does.
    #[track_caller]
    fn edit_status(&self, host: &str, patch: &Value) {
        let what = format!("bmh/{host}");
        let patch = patch.to_string();
        self.kubectl(&[
            "patch",
            &what,
            "--subresource=status",
            "--type=json",
            "-p",
            &patch,
        ]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spec_that_is_applied_again_and_again_disturbs_nothing() {
    let Some(site) = Site::shared("applied").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    let apply = |host: &Value| {
        let all = ["-n", &site.namespace, "apply", "--server-side", "-f", "-"];
        site.server.kubectl_with(&all, &host.to_string());
    };
    let mut hosts: Vec<Value> = (1..=4)
        .map(|slot| Site::host(&format!("h{slot}"), slot))
        .collect();
    hosts.iter().for_each(apply);
    let controller = site.start("applied", &["--simulate=3"]);
    for round in 0..12 {
        for host in &mut hosts {
            host["metadata"]["labels"] = json!({ "round": round.to_string() });
            host["spec"]["description"] = format!("round {round}").into();
            apply(host);
        }
    }
    site.provisions(4);
    site.is_whole(4);
    controller.did_once("deploy", 4);
    for host in site.hosts() {
        // Neither took anything of the other's away.
        assert_eq!(host["spec"]["description"], "round 11");
        assert_eq!(host["metadata"]["labels"]["round"], "11");
        assert_eq!(
            host["metadata"]["finalizers"],
            json!(["baremetalhost.metal3.io"])
        );
        let seen = &host["status"]["conditions"][0]["observedGeneration"];
        assert!(seen.is_null() || seen.is_number(), "{seen}");
    }
    controller.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_was_edited_by_hand_is_put_right_or_named() {
    let Some(site) = Site::shared("edited").await else {
        return;
    };
    site.crowd(3);
    let controller = site.simulate("edited", &[]);
    site.provisions(3);
    let whole = site.get("bmh/h1")["status"].clone();
    // Conditions and numbers are what follows from the rest.
    site.edit_status(
        "h1",
        &json!([
            { "op": "replace", "path": "/status/conditions", "value": [] },
            { "op": "replace", "path": "/status/poweredOn", "value": false },
        ]),
    );
    let status = |host: &str| site.get(&format!("bmh/{host}"))["status"].clone();
    until(
        || {
            status("h1")["conditions"].as_array().map(Vec::len)
                == whole["conditions"].as_array().map(Vec::len)
                && status("h1")["poweredOn"] == true
        },
        || format!("h1: {}", status("h1")),
    );
    // A state that nobody knows is left alone, and said.
    let nonsense = |state: &str| json!([{ "op": "replace", "path": "/status/provisioning/state", "value": state }]);
    site.edit_status("h2", &nonsense("levitating"));
    let text = site.waits("h2", "UnknownState");
    assert!(text.contains("levitating"), "{text}");
    assert_eq!(site.state("h2"), "levitating");
    site.edit_status("h2", &nonsense("provisioned"));
    let waits = || status("h2")["conditions"].to_string().contains("Waiting");
    until(|| !waits(), || format!("h2: {}", status("h2")));
    // One that was a while ago is gone through again, and nothing is done anew to a machine that
    // runs what it shall.
    site.edit_status("h3", &json!([{ "op": "remove", "path": "/status" }]));
    site.comes_to("h3", "provisioned");
    std::thread::sleep(Duration::from_secs(2));
    site.is_whole(3);
    controller.did_once("deploy", 3);
    controller.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inventory_goes_with_its_host_whoever_holds_it() {
    let Some(site) = Site::shared("inventory").await else {
        return;
    };
    site.crowd(2);
    let controller = site.simulate("inventory", &[]);
    site.provisions(2);
    // As the other operator leaves it.
    let theirs = "baremetalhost.metal3.io/hardwareData";
    site.patch(
        "hardwaredata/h1",
        &json!({ "metadata": { "finalizers": [theirs] } }),
    );
    site.patch(
        "hardwaredata/h2",
        &json!({ "metadata": { "finalizers": [theirs, "example.com/own"] } }),
    );
    site.kubectl(&["delete", "bmh/h1", "bmh/h2", "--wait=false"]);
    for name in ["h1", "h2"] {
        until(
            || site.get(&format!("bmh/{name}")).is_null(),
            || format!("{name} is still there"),
        );
    }
    let data = |name: &str| site.get(&format!("hardwaredata/{name}"));
    until(|| data("h1").is_null(), || data("h1").to_string());
    // A third one's finalizer is a third one's business.
    assert_eq!(
        data("h2")["metadata"]["finalizers"],
        json!(["example.com/own"])
    );
    site.patch(
        "hardwaredata/h2",
        &json!({ "metadata": { "finalizers": null } }),
    );
    controller.stop();
}
