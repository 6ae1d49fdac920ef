//! A host's life with simulated machines: what the controller writes, and what it does not.

use serde_json::{Value, json};

use crate::controller::{Site, until};
use crate::probe::{ask, free_port};

fn conditions(host: &Value) -> Vec<String> {
    let all = host["status"]["conditions"].as_array().unwrap();
    let text = |condition: &Value| {
        let field = |name: &str| condition[name].as_str().unwrap_or_default().to_owned();
        format!("{}={} {}", field("type"), field("status"), field("reason"))
    };
    all.iter().map(text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_provisioned_and_goes() {
    let Some(site) = Site::shared("life").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    site.create(&Site::host("a", 1));
    let controller = site.simulate("life", &[]);
    site.comes_to("a", "provisioned");
    let host = site.get("bmh/a");
    assert_eq!(
        host["metadata"]["finalizers"],
        json!(["baremetalhost.metal3.io"])
    );
    assert_eq!(
        host["metadata"]["annotations"]["metalform.dev/simulated"],
        "true"
    );
    let status = &host["status"];
    let secret = site.get("secret/bmc");
    let version = &secret["metadata"]["resourceVersion"];
    for which in ["goodCredentials", "triedCredentials"] {
        assert_eq!(&status[which]["credentialsVersion"], version, "{which}");
        assert_eq!(status[which]["credentials"]["name"], "bmc");
    }
    assert_eq!(
        conditions(&host),
        [
            "Ready=True Provisioned",
            "AvailableForProvisioning=False NotAvailable",
            "Healthy=Unknown Unknown",
            "Manageable=True Manageable",
            "Progressing=False NotProgressing",
            "Provisioned=True Provisioned",
        ]
    );
    for operation in ["register", "inspect", "provision"] {
        let times = &status["operationHistory"][operation];
        assert!(
            times["start"].is_string() && times["end"].is_string(),
            "{operation}: {times}"
        );
    }
    // The Secret is marked as the other operator marks it.
    let meta = &secret["metadata"];
    assert_eq!(meta["labels"]["environment.metal3.io"], "baremetal");
    assert_eq!(
        meta["finalizers"],
        json!(["baremetalhost.metal3.io/secret"])
    );
    assert_eq!(meta["ownerReferences"][0]["uid"], host["metadata"]["uid"]);
    let data = site.get("hardwaredata/a");
    assert_eq!(data["spec"]["hardware"], status["hardware"]);
    let owner = &data["metadata"]["ownerReferences"][0];
    assert_eq!(
        (&owner["kind"], &owner["controller"]),
        (&json!("BareMetalHost"), &json!(true))
    );
    let reasons = || {
        let events = site.kubectl(&["get", "events", "-o", "json"]);
        let events: Value = serde_json::from_str(&events).unwrap();
        let all = events["items"].as_array().unwrap().iter();
        all.map(|event| event["reason"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for reason in ["Registered", "InspectionComplete", "ProvisioningComplete"] {
        until(
            || reasons().iter().any(|known| known == reason),
            || format!("no {reason}: {:?}", reasons()),
        );
    }
    site.kubectl(&["delete", "bmh/a", "--wait=false"]);
    until(
        || site.get("bmh/a").is_null(),
        || format!("a is still there: {}", site.get("bmh/a")),
    );
    // Nobody else names it, so nothing keeps it.
    let secret = site.get("secret/bmc");
    assert!(secret["metadata"]["finalizers"].is_null(), "{secret}");
    let took = controller.stop();
    assert!(took.as_secs() < 20, "it took {took:?} to stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_for_hosts_that_are_settled() {
    let Some(site) = Site::shared("settled").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    for slot in 1..=5 {
        site.create(&Site::host(&format!("h{slot}"), slot));
    }
    let _controller = site.simulate("settled", &[]);
    for slot in 1..=5 {
        site.comes_to(&format!("h{slot}"), "provisioned");
    }
    let versions = || {
        let columns = "-o=custom-columns=:.kind,:.metadata.name,:.metadata.resourceVersion";
        site.kubectl(&[
            "get",
            "bmh,hardwaredata,secrets,events",
            "--no-headers",
            columns,
        ])
    };
    // Events are written once a second.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let before = versions();
    std::thread::sleep(std::time::Duration::from_secs(10));
    assert_eq!(versions(), before);
    // Five hosts share the Secret: it belongs to none of them.
    let owners = &site.get("secret/bmc")["metadata"]["ownerReferences"];
    assert!(owners.is_null(), "{owners}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_followed_and_told_of() {
    let Some(site) = Site::shared("fleet").await else {
        return;
    };
    let namespace = &site.namespace;
    let fleet = |last: u8, more: &str| {
        let text = format!(
            "/- kdl-version 2\nspec small namespace={namespace} {{ simulated; }}\n\
             each {{\n bmc address=\"redfish://127.0.0.1:${{8000 + host.slot}}/redfish/v1/Systems/1\" credentials=(secret)bmc\n \
             boot mac=\"${{mac('52:54:00:02:00:00', host.slot)}}\"\n}}\nhost \"w[slot=1-{last}]\"\n{more}"
        );
        std::fs::create_dir_all(site.path("specs")).unwrap();
        // As editors save: whole, by rename.
        std::fs::write(site.path("specs/new~"), text).unwrap();
        std::fs::rename(site.path("specs/new~"), site.path("specs/fleet.kdl")).unwrap();
    };
    fleet(3, "");
    site.credentials("bmc", "calvin");
    let specs = site.path("specs");
    let port = free_port();
    let listen = format!("--listen=127.0.0.1:{port}");
    let specs = ["--specs", specs.to_str().unwrap(), &listen];
    let controller = site.simulate("fleet", &specs);
    let tells = |line: &str| {
        until(
            || {
                ask(port, "/metrics", None)
                    .1
                    .lines()
                    .any(|found| found == line)
            },
            || format!("{line}: {}", ask(port, "/metrics", None).1),
        );
    };
    let condition = |kind: &str| {
        let fleet = site.get("fleets/small");
        let all = fleet["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let found = all.into_iter().find(|condition| condition["type"] == kind);
        let found = found.unwrap_or_default();
        let field = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
        (field("status"), field("reason"), field("message"))
    };
    let is = |kind: &str, reason: &str| {
        until(
            || condition(kind).1 == reason,
            || format!("{kind} is {:?}", condition(kind)),
        );
    };
    is("Ready", "Settled");
    tells("metalform_spec_followed 1");
    let good = site.get("fleets/small");
    assert_eq!(good["status"]["hosts"]["ready"], 3);
    assert_eq!(
        good["status"]["digest"],
        good["status"]["lastGood"]["digest"]
    );
    // A file that does not parse costs nothing.
    fleet(3, "host {");
    is("Ready", "SpecErrors");
    tells("metalform_spec_followed 0");
    let (_, _, message) = condition("Valid");
    assert!(message.contains("fleet.kdl:"), "{message}");
    let broken = site.get("fleets/small");
    assert_eq!(broken["status"]["findings"][0]["severity"], "error");
    assert_eq!(broken["status"]["lastGood"], good["status"]["lastGood"]);
    assert_eq!(broken["status"]["hosts"]["total"], 3);
    // Paused, what is read is told and not done.
    site.patch("fleets/small", &json!({ "spec": { "paused": true } }));
    controller.says("the fleet is paused");
    fleet(4, "");
    is("Synced", "Paused");
    assert!(site.get("bmh/w4").is_null());
    site.patch("fleets/small", &json!({ "spec": { "paused": false } }));
    site.comes_to("w4", "available");
    is("Ready", "Settled");
    tells("metalform_spec_followed 1");
}
