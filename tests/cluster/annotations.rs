//! What annotations ask for, and what they say that is of no use.

use std::time::Duration;

use serde_json::{Value, json};

use crate::controller::{Site, until};

impl Site {
    fn annotates(&self, host: &str, name: &str, value: Option<&str>) {
        let patch = json!({ "metadata": { "annotations": { name: value } } });
        self.patch(&format!("bmh/{host}"), &patch);
    }

    fn annotation(&self, host: &str, name: &str) -> Value {
        self.get(&format!("bmh/{host}"))["metadata"]["annotations"][name].clone()
    }

    /// Waits until the host's machine is on, or off.
    #[track_caller]
    fn is_on(&self, host: &str, on: bool) {
        let status = || self.get(&format!("bmh/{host}"))["status"].clone();
        until(
            || status()["poweredOn"] == on,
            || format!("{host}: {}", status()),
        );
    }
}

const STATUS: &str = "baremetalhost.metal3.io/status";
const PAUSED: &str = "baremetalhost.metal3.io/paused";
const DETACHED: &str = "baremetalhost.metal3.io/detached";

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_told_of_and_stops_nothing() {
    let Some(site) = Site::shared("garbage").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    let mut host = Site::host("a", 1);
    host["metadata"]["annotations"] = json!({
        "inspect.metal3.io/hardwaredetails": "[1, 2",
        "inspect.metal3.io": "perhaps",
        "reboot.metal3.io": "{{{",
        "baremetalhost.metal3.io/nonsense": "\u{1F926} \\ \"",
    });
    site.create(&host);
    let controller = site.simulate("garbage", &[]);
    site.comes_to("a", "provisioned");
    site.is_on("a", true);
    let warnings = || site.kubectl(&["get", "events", "--field-selector=type=Warning"]);
    let told = |text: &str| {
        let events = warnings();
        events.lines().filter(|line| line.contains(text)).count()
    };
    let name = "inspect.metal3.io/hardwaredetails";
    until(|| told(&format!("{name} is not valid")) == 1, warnings);
    assert!(site.annotation("a", name).is_null());
    // A status that comes when the host has one.
    site.annotates("a", STATUS, Some("{ no status"));
    until(|| site.annotation("a", STATUS).is_null(), warnings);
    until(|| told("the host has a status already") == 1, warnings);
    assert_eq!(site.state("a"), "provisioned");
    // What somebody else may mean something by stays.
    assert!(
        site.annotation("a", "baremetalhost.metal3.io/nonsense")
            .is_string()
    );
    // A detached host is detached, whatever else is said of it.
    site.annotates("a", DETACHED, Some("{{{"));
    let status = || site.get("bmh/a")["status"].clone();
    until(
        || status()["operationalStatus"] == "detached",
        || status().to_string(),
    );
    site.annotates("a", DETACHED, None);
    until(
        || status()["operationalStatus"] == "OK",
        || status().to_string(),
    );
    assert_eq!(site.state("a"), "provisioned");
    controller.did_once("deploy", 1);
    controller.stop();
}

/// A host that moved here and whose status nobody can read is not a new one: that would be deployed.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_status_cannot_be_read_waits_for_a_person() {
    let Some(site) = Site::shared("unreadable-status").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    let mut host = Site::host("a", 1);
    host["metadata"]["annotations"] = json!({ STATUS: "{ no status" });
    site.create(&host);
    let mut other = Site::host("b", 2);
    other["metadata"]["annotations"] = json!({ STATUS: "{ no status" });
    site.create(&other);
    let controller = site.simulate("unreadable-status", &[]);
    let text = site.waits("a", "StatusUnreadable");
    assert!(text.contains("correct it, or remove it"), "{text}");
    assert_eq!(site.annotation("a", STATUS), "{ no status");
    assert_eq!(
        site.get("bmh/a")["status"]["errorType"],
        "registration error"
    );
    site.waits("b", "StatusUnreadable");
    site.kubectl(&["delete", "bmh/b", "--wait=false"]);
    until(|| site.get("bmh/b").is_null(), || "b is still there".into());
    assert!(
        controller.effects().is_empty(),
        "{:?}",
        controller.effects()
    );
    site.annotates("a", STATUS, None);
    site.comes_to("a", "provisioned");
    controller.did_once("deploy", 1);
    controller.stop();
}

/// Somebody wrote the inventory of a machine that is not to be inspected.
#[tokio::test(flavor = "multi_thread")]
async fn hardware_data_that_is_there_is_the_hosts_inventory() {
    let Some(site) = Site::shared("known").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    let hardware = json!({
        "systemVendor": { "manufacturer": "ACME", "productName": "", "serialNumber": "7" },
        "firmware": { "bios": {} }, "hostname": "known", "ramMebibytes": 1024,
        "cpu": { "arch": "aarch64", "count": 4 },
        "nics": [{ "mac": "52:54:00:00:01:01", "pxe": true }],
    });
    site.create(&json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "HardwareData",
        "metadata": { "name": "a" }, "spec": { "hardware": hardware },
    }));
    let mut host = Site::host("a", 1);
    host["spec"]["inspectionMode"] = "disabled".into();
    site.create(&host);
    let controller = site.simulate("known", &[]);
    site.comes_to("a", "provisioned");
    let status = site.get("bmh/a")["status"].clone();
    assert_eq!(status["hardware"]["systemVendor"]["manufacturer"], "ACME");
    assert_eq!(status["hardware"]["cpu"]["arch"], "aarch64");
    let data = site.get("hardwaredata/a");
    assert_eq!(
        data["spec"]["hardware"]["systemVendor"]["serialNumber"],
        "7"
    );
    // It goes with its host from here on.
    assert_eq!(data["metadata"]["ownerReferences"][0]["name"], "a");
    controller.did_once("deploy", 1);
    controller.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_host_is_left_alone_and_goes_on_where_it_was() {
    let Some(site) = Site::shared("paused").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    site.create(&Site::host("a", 1));
    let controller = site.start("paused", &["--simulate=2"]);
    site.comes_to("a", "provisioning");
    site.annotates("a", PAUSED, Some(""));
    // What was on its way when the annotation came is written by now.
    std::thread::sleep(Duration::from_secs(1));
    let version = || site.get("bmh/a")["metadata"]["resourceVersion"].clone();
    site.patch("bmh/a", &json!({ "spec": { "online": false } }));
    let before = version();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(version(), before);
    assert_eq!(site.state("a"), "provisioning");
    // Nor is it deleted.
    site.create(&Site::host("b", 2));
    site.comes_to("b", "provisioned");
    site.annotates("b", PAUSED, Some("capi"));
    site.kubectl(&["delete", "bmh/b", "--wait=false"]);
    site.annotates("a", PAUSED, None);
    site.comes_to("a", "provisioned");
    site.is_on("a", false);
    assert!(site.get("bmh/b")["metadata"]["finalizers"].is_array());
    site.annotates("b", PAUSED, None);
    until(|| site.get("bmh/b").is_null(), || "b is still there".into());
    controller.did_once("deploy", 2);
    controller.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_host_comes_back_as_it_was() {
    let Some(site) = Site::shared("detached").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    site.create(&Site::host("a", 1));
    let controller = site.simulate("detached", &[]);
    site.comes_to("a", "provisioned");
    site.annotates("a", DETACHED, Some(r#"{"deleteAction":"delay"}"#));
    let status = || site.get("bmh/a")["status"].clone();
    until(
        || status()["operationalStatus"] == "detached",
        || status().to_string(),
    );
    // Nobody here knows its machine any more, so nothing is done to it.
    site.patch("bmh/a", &json!({ "spec": { "online": false } }));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(status()["poweredOn"], true);
    site.kubectl(&["delete", "bmh/a", "--wait=false"]);
    let delayed = || site.waits("a", "DeleteDelayed");
    assert!(delayed().contains("detached"), "{}", delayed());
    assert_eq!(site.state("a"), "provisioned");
    site.annotates("a", DETACHED, None);
    until(
        || site.get("bmh/a").is_null(),
        || format!("still there: {}", status()),
    );
    // Attached once more it was cleaned, as before the image, and forgotten.
    controller.did_once("deploy", 1);
    let key = |effect: &str| (format!("{}/a", site.namespace), effect.to_owned());
    for effect in ["enroll", "provide", "forget"] {
        assert_eq!(controller.effects()[&key(effect)], 2, "{effect}");
    }
    controller.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reboot_is_done_once_and_held_as_long_as_it_is_asked_for() {
    let Some(site) = Site::shared("reboots").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    site.create(&Site::host("a", 1));
    let controller = site.simulate("reboots", &[]);
    site.comes_to("a", "provisioned");
    site.is_on("a", true);
    let key = (format!("{}/a", site.namespace), "power".to_owned());
    let changes = || controller.effects().get(&key).copied().unwrap_or_default();
    for mode in ["", r#"{"mode":"hard"}"#, r#"{"mode":"soft"}"#, "nonsense"] {
        let before = changes();
        site.annotates("a", "reboot.metal3.io", Some(mode));
        until(
            || changes() == before + 2 && site.annotation("a", "reboot.metal3.io").is_null(),
            || format!("{mode:?}: {} of {before} + 2", changes()),
        );
        site.is_on("a", true);
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(changes(), before + 2, "off and on, once: {mode:?}");
    }
    // Two hold it off; it comes back with the last.
    let before = changes();
    site.annotates("a", "reboot.metal3.io/one", Some(""));
    site.annotates("a", "reboot.metal3.io/two", Some(r#"{"mode":"hard"}"#));
    site.is_on("a", false);
    site.annotates("a", "reboot.metal3.io/one", None);
    std::thread::sleep(Duration::from_secs(2));
    site.is_on("a", false);
    assert!(site.annotation("a", "reboot.metal3.io/two").is_string());
    site.annotates("a", "reboot.metal3.io/two", None);
    site.is_on("a", true);
    assert_eq!(changes(), before + 2);
    controller.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hosts_with_one_mac_the_second_waits() {
    let Some(site) = Site::shared("twins").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    site.create(&Site::host("first", 1));
    let controller = site.simulate("twins", &[]);
    site.comes_to("first", "provisioned");
    site.create(&Site::host("second", 1));
    let text = site.waits("second", "MachineTaken");
    assert!(text.contains("52:54:00:00:01:01"), "{text}");
    assert_eq!(site.state("second"), "registering");
    assert_eq!(site.state("first"), "provisioned");
    // It comes to nobody's harm when it goes, and to its own when it stays.
    site.kubectl(&["delete", "bmh/second", "--wait=false"]);
    until(|| site.get("bmh/second").is_null(), || "still there".into());
    Site::is_well(&site.get("bmh/first"));
    site.create(&Site::host("third", 1));
    site.waits("third", "MachineTaken");
    site.kubectl(&["delete", "bmh/first", "--wait=false"]);
    site.comes_to("third", "provisioned");
    assert!(site.get("bmh/first").is_null());
    controller.did_once("deploy", 2);
    controller.stop();
}
