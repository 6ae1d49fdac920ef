//! Secrets that are not there, of no use, rotated, shared, exchanged and deleted.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::controller::{Site, until};

impl Site {
    /// A host whose credentials are in this Secret.
    #[track_caller]
    fn host_with(&self, name: &str, slot: u8, secret: &str) {
        let mut host = Self::host(name, slot);
        host["spec"]["bmc"]["credentialsName"] = secret.into();
        self.create(&host);
    }

    /// Waits until a host is held up for this reason, and answers the text.
    #[track_caller]
    pub fn waits(&self, host: &str, reason: &str) -> String {
        let waits = || {
            let host = self.get(&format!("bmh/{host}"));
            let all = host["status"]["conditions"].as_array().cloned();
            let mut all = all.unwrap_or_default().into_iter();
            all.find(|condition| condition["type"] == "metalform.dev/Waiting")
                .unwrap_or_default()
        };
        until(
            || waits()["reason"] == reason,
            || format!("{host} waits for {} and not for {reason}", waits()),
        );
        waits()["message"].as_str().unwrap().to_owned()
    }

    /// Waits until the host's machine has the credentials that the Secret has now.
    #[track_caller]
    fn uses(&self, host: &str, secret: &str) {
        let version = self.get(&format!("secret/{secret}"))["metadata"]["resourceVersion"].clone();
        let used = || self.get(&format!("bmh/{host}"))["status"]["goodCredentials"].clone();
        until(
            || used()["credentialsVersion"] == version && used()["credentials"]["name"] == secret,
            || format!("{host} uses {} and not {secret} {version}", used()),
        );
    }

    fn marks(&self, secret: &str) -> Value {
        self.get(&format!("secret/{secret}"))["metadata"]["finalizers"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_no_use_is_named_and_waited_for() {
    let Some(site) = Site::shared("useless").await else {
        return;
    };
    site.create(&json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "partly" },
        "stringData": { "username": "root" },
    }));
    site.credentials("empty", "  ");
    for (slot, secret) in (1..).zip(["missing", "partly", "empty"]) {
        site.host_with(secret, slot, secret);
    }
    let controller = site.simulate("useless", &[]);
    for (secret, reason, word) in [
        ("missing", "CredentialsMissing", "missing"),
        ("partly", "CredentialsInvalid", "password"),
        ("empty", "CredentialsInvalid", "empty"),
    ] {
        let text = site.waits(secret, reason);
        assert!(text.contains(word) && text.contains(secret), "{text}");
        let status = &site.get(&format!("bmh/{secret}"))["status"];
        assert_eq!(status["errorType"], "registration error");
        assert_eq!(status["errorMessage"], text);
        assert_eq!(status["errorCount"], 0, "waiting is no failure");
    }
    // It has no label by which a watch would tell of it.
    site.credentials("missing", "calvin");
    let made = Instant::now();
    let error = || site.get("bmh/missing")["status"]["errorMessage"].clone();
    until(|| error() == "", || format!("still: {}", error()));
    assert!(
        made.elapsed() < Duration::from_secs(9),
        "{:?}",
        made.elapsed()
    );
    for secret in ["partly", "empty"] {
        let whole = json!({ "stringData": { "username": "root", "password": "calvin" } });
        site.patch(&format!("secret/{secret}"), &whole);
    }
    for secret in ["missing", "partly", "empty"] {
        site.comes_to(secret, "provisioned");
        site.uses(secret, secret);
    }
    // No host was touched before its credentials were there.
    controller.did_once("enroll", 3);
    controller.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_secret_stays_as_long_as_its_host() {
    let Some(site) = Site::shared("deleted").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    site.host_with("a", 1, "bmc");
    let controller = site.simulate("deleted", &[]);
    site.comes_to("a", "provisioned");
    site.kubectl(&["delete", "secret/bmc", "--wait=false"]);
    assert!(site.get("secret/bmc")["metadata"]["deletionTimestamp"].is_string());
    // It is used as before.
    site.patch("bmh/a", &json!({ "spec": { "online": false } }));
    let status = || site.get("bmh/a")["status"].clone();
    until(|| status()["poweredOn"] == false, || status().to_string());
    assert_eq!(status()["errorMessage"], "");
    // Somebody tears it away all the same, and puts another one there.
    site.patch("secret/bmc", &json!({ "metadata": { "finalizers": null } }));
    site.waits("a", "CredentialsMissing");
    assert_eq!(site.state("a"), "provisioned");
    site.credentials("bmc", "hobbes");
    site.comes_to("a", "provisioned");
    let error = || status()["errorMessage"].clone();
    until(|| error() == "", || format!("still: {}", error()));
    site.uses("a", "bmc");
    controller.did_once("deploy", 1);
    // The last word of its deletion is the host's.
    site.kubectl(&["delete", "secret/bmc", "--wait=false"]);
    site.kubectl(&["delete", "bmh/a", "--wait=false"]);
    until(|| site.get("bmh/a").is_null(), || "a is still there".into());
    until(
        || site.get("secret/bmc").is_null(),
        || site.get("secret/bmc").to_string(),
    );
    controller.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_concerns_the_hosts_that_name_the_secret() {
    let Some(site) = Site::shared("rotated").await else {
        return;
    };
    for (slot, name) in (1..).zip(["one", "two"]) {
        site.credentials(name, "calvin");
        site.host_with(name, slot, name);
    }
    let controller = site.simulate("rotated", &[]);
    site.provisions(2);
    let two = || site.get("bmh/two")["metadata"]["resourceVersion"].clone();
    let before = two();
    site.patch(
        "secret/one",
        &json!({ "stringData": { "password": "hobbes" } }),
    );
    site.uses("one", "one");
    site.is_whole(2);
    assert_eq!(two(), before);
    controller.did_once("amend", 1);
    controller.did_once("deploy", 2);
    // What is no change of its contents is none for a host.
    let one = || site.get("bmh/one")["metadata"]["resourceVersion"].clone();
    let before = one();
    site.patch(
        "secret/one",
        &json!({ "metadata": { "labels": { "team": "x" } } }),
    );
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(one(), before);
    controller.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_secret_is_let_go_of_by_the_last_host() {
    let Some(site) = Site::shared("shared").await else {
        return;
    };
    for name in ["bmc", "other"] {
        site.credentials(name, "calvin");
    }
    for slot in 1..=3 {
        site.host_with(&format!("h{slot}"), slot, "bmc");
    }
    let controller = site.simulate("shared", &[]);
    site.provisions(3);
    let held = json!(["baremetalhost.metal3.io/secret"]);
    // One takes another Secret, one goes; the third holds it still.
    let other = json!({ "spec": { "bmc": { "credentialsName": "other" } } });
    site.patch("bmh/h1", &other);
    site.uses("h1", "other");
    assert_eq!(site.marks("other"), held);
    site.kubectl(&["delete", "bmh/h2", "--wait=false"]);
    until(
        || site.get("bmh/h2").is_null(),
        || "h2 is still there".into(),
    );
    assert_eq!(site.marks("bmc"), held);
    site.patch("bmh/h3", &other);
    until(
        || site.marks("bmc").is_null(),
        || site.get("secret/bmc").to_string(),
    );
    site.is_whole(2);
    controller.did_once("deploy", 3);
    controller.stop();
}
