//! What holds up all hosts is told in the controller's Lease, and by `get` and `explain`: no host's
//! status is written for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::controller::{Site, until};
use crate::desk::Done;

/// Nobody answers there.
const NO_IRONIC: &str = "--ironic=http://admin:hunter2secret@127.0.0.1:9";
const ELECT: &str = "--leader-elect";

/// `metalform` in this namespace with this kubeconfig.
fn run_as(site: &Site, kubeconfig: &Path, args: &[&str]) -> Done {
    Command::new(env!("CARGO_BIN_EXE_metalform"))
        .args(args)
        .args(["--namespace", &site.namespace])
        .current_dir(site.path(""))
        .env_clear()
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .output()
        .unwrap()
        .into()
}

/// The same as administrator.
#[track_caller]
pub fn run(site: &Site, args: &[&str]) -> Done {
    run_as(site, &site.server.kubeconfig(), args).code(0)
}

/// A kubeconfig of an account that may read hosts of this namespace, and nothing else.
fn reader(site: &Site) -> PathBuf {
    let rules = ["--verb=get,list", "--resource=baremetalhosts.metal3.io"];
    let account = format!("--serviceaccount={}:reader", site.namespace);
    site.kubectl(&["create", "serviceaccount", "reader"]);
    site.kubectl(&["create", "role", "reader", rules[0], rules[1]]);
    site.kubectl(&["create", "rolebinding", "reader", "--role=reader", &account]);
    let token = site.kubectl(&["create", "token", "reader"]);
    let mut config = site.server.config();
    config["users"][0]["user"] = json!({ "token": token.trim() });
    let path = site.path("reader");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

/// The word in the lease; null when there is none.
fn word(site: &Site) -> Value {
    let lease = site.get("lease/metalform");
    let text = lease["metadata"]["annotations"]["metalform.dev/standing"].as_str();
    text.map(|text| serde_json::from_str(text).unwrap())
        .unwrap_or_default()
}

fn version(site: &Site, host: &str) -> Value {
    site.get(&format!("bmh/{host}"))["metadata"]["resourceVersion"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ironic_that_is_down_is_told_in_one_place() {
    let Some(site) = Site::shared("word").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    site.create(&Site::host("a", 1));
    site.create(&Site::host("b", 2));
    let mut lost = Site::host("lost", 3);
    lost["metadata"]["annotations"] = json!({ "metalform.dev/ironic": "hel1" });
    site.create(&lost);
    let controller = site.start("down", &[NO_IRONIC, ELECT]);
    site.comes_to("a", "registering");
    site.comes_to("b", "registering");
    until(
        || word(&site)["ironics"][0]["held"]["hosts"] == 2,
        || format!("{}", word(&site)),
    );
    let versions = || ["a", "b", "lost"].map(|host| version(&site, host));
    let before = versions();

    let told = word(&site);
    assert_eq!(told["ironics"][0]["url"], "http://127.0.0.1:9");
    assert_eq!(told["leftAlone"], 1);
    assert_eq!(told["namespaces"], json!([site.namespace]));
    assert!(!told.to_string().contains("hunter2secret"), "{told}");
    let down = "Ironic at http://127.0.0.1:9 does not answer";
    let shown = run(&site, &["get"]);
    println!("{}{}", shown.err, shown.out);
    assert!(shown.err.contains("ProvisionerDown for "), "{}", shown.err);
    shown
        .says(&format!(", 2 hosts wait: {down}"))
        .says("NoProvisioner, 1 host is left alone")
        .never_says("SIMULATED")
        .never_says("hunter2secret");
    // For machines that read, nothing is said.
    let json = run(&site, &["get", "-o", "json"]);
    assert!(!json.err.contains("Provisioner"), "{}", json.err);
    let explained = run(&site, &["explain", "host/a"]);
    println!("{}", explained.out);
    explained
        .says("waits   ProvisionerDown for ")
        .says(down)
        .says("The provisioner does not answer. Goes on when it does.");
    run(&site, &["explain", "host/lost"])
        .says("waits   NoProvisioner")
        .says("the controller knows no Ironic named `hel1`; it knows default");

    // Long enough for some renewals: the word costs the hosts nothing.
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(versions(), before);

    // Given back, the lease says nothing any more, and that nobody holds it is told.
    controller.stop();
    let lease = site.get("lease/metalform");
    assert_eq!(lease["spec"]["holderIdentity"], "");
    assert_eq!(word(&site), Value::Null, "{lease}");
    run(&site, &["get"]).says("NoController: no controller of metalform's holds the lease");
    run(&site, &["explain", "host/a"]).says("beside it NoController");
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_that_are_simulated_are_told_loudly() {
    let Some(site) = Site::shared("loud").await else {
        return;
    };
    const LOUD: &str = "MACHINES ARE SIMULATED: no real machine is driven, whatever a host says";
    site.credentials("bmc", "calvin");
    site.create(&Site::host("a", 1));
    let times = [
        "--lease-duration=4",
        "--renew-deadline=3",
        "--retry-period=1",
    ];
    let controller = site.simulate("loud", &[ELECT, times[0], times[1], times[2]]);
    site.comes_to("a", "provisioned");
    until(
        || word(&site)["simulated"] == true,
        || format!("{}", word(&site)),
    );
    let shown = run(&site, &["get"]).never_says("NoController");
    assert!(shown.err.contains(LOUD), "{}", shown.err);
    run(&site, &["explain", "host/a"]).says("SIMULATED (there is no real machine)");
    // One who may read hosts only is told by their annotations, and of nothing else.
    let shown = run_as(&site, &reader(&site), &["get"]).code(0);
    assert_eq!(shown.err.trim(), LOUD);

    // Killed, it says nothing; the lease is over after its four seconds.
    controller.dies();
    until(
        || run(&site, &["get"]).err.contains("has not been heard of"),
        || run(&site, &["get"]).err,
    );
    // Another one takes the lease, and the word is its own.
    let second = site.simulate("second", &[ELECT]);
    second.says("holds the lease");
    until(
        || {
            let holder = word(&site)["holder"].clone();
            holder
                .as_str()
                .is_some_and(|holder| holder.starts_with("second"))
        },
        || format!("{}", word(&site)),
    );
    run(&site, &["get"]).never_says("NoController");
    second.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_is_refused_does_not_cost_the_lease() {
    let Some(site) = Site::shared("refused").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    // A policy of the cluster that knows nothing of annotations on leases.
    let name = format!("no-words-{}", site.namespace);
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": { "name": name },
        "spec": {
            "matchConstraints": { "resourceRules": [{
                "apiGroups": ["coordination.k8s.io"], "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"], "resources": ["leases"],
            }] },
            "validations": [{
                "expression": "!has(object.metadata.annotations)", "message": "no annotations",
            }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": { "name": name },
        "spec": {
            "policyName": name, "validationActions": ["Deny"],
            "matchResources": { "namespaceSelector": { "matchLabels": {
                "kubernetes.io/metadata.name": site.namespace,
            } } },
        },
    });
    for object in [policy, binding] {
        site.server
            .kubectl_with(&["apply", "-f", "-"], &object.to_string());
    }
    // A new policy works some moments later.
    until(
        || {
            let lease = json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": { "name": "probe", "namespace": site.namespace, "annotations": { "a": "b" } },
            });
            !site.server.takes(&lease)
        },
        || "the policy does not work".into(),
    );
    let controller = site.simulate("refused", &[ELECT]);
    site.create(&Site::host("a", 1));
    site.comes_to("a", "provisioned");
    // Longer than the lease lasts.
    std::thread::sleep(Duration::from_secs(16));
    let lease = site.get("lease/metalform");
    assert_eq!(word(&site), Value::Null, "{lease}");
    assert_eq!(lease["spec"]["leaseTransitions"], 0, "{lease}");
    let log = controller.log();
    assert!(!log.contains("LeaseLost"), "{log}");
    controller.stop();
    for kind in [
        "validatingadmissionpolicybinding",
        "validatingadmissionpolicy",
    ] {
        site.server.kubectl(&["delete", kind, &name]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_slot_is_told_with_how_many_others() {
    let Some(site) = Site::shared("slots").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    for slot in 1..=3 {
        site.create(&Site::host(&format!("h{slot}"), slot));
    }
    // Slow enough to be looked at.
    let arguments = ["--simulate=1", "--provisioning-limit=1", ELECT];
    let controller = site.start("slots", &arguments);
    let slots = || word(&site)["ironics"][0]["slots"]["inspect"].clone();
    let full = json!({ "used": 1, "of": 1, "waiting": 2 });
    until(|| slots() == full, || format!("{}", word(&site)));
    let text = "1 of 1 slots to inspect are in use";
    run(&site, &["get"]).says(&format!("WaitingForInspectSlot, 2 hosts wait: {text}"));
    let explained: Vec<Done> = (1..=3)
        .map(|slot| run(&site, &["explain", &format!("host/h{slot}")]))
        .collect();
    let waits = "waits   WaitingForInspectSlot for ";
    let told = explained.iter().filter(|done| done.out.contains(waits));
    assert_eq!(told.count(), 2, "{explained:?}");
    controller.stop();
}
