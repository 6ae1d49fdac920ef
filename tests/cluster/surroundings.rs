//! What `metalform adopt` tells beside the hosts, to an administrator and to accounts that may see less:
//! the other operator at work, objects that nobody would look after, definitions that are newer than ours.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::controller::{Site, until};
use crate::desk::Done;

/// `metalform adopt` of a cluster with simulated machines.
fn adopt(kubeconfig: &Path, arguments: &[&str]) -> Done {
    Command::new(env!("CARGO_BIN_EXE_metalform"))
        .env("KUBECONFIG", kubeconfig)
        .args(["adopt", "--simulate"])
        .args(arguments)
        .output()
        .unwrap()
        .into()
}

/// The other operator's lease, held by it.
fn lease() -> Value {
    let now = jiff::Timestamp::now();
    let now = now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": { "name": "baremetal-operator" },
        // Long, as nobody renews it here.
        "spec": {
            "holderIdentity": "bmo-0_1", "leaseDurationSeconds": 3600,
            "acquireTime": now, "renewTime": now,
        },
    })
}

/// Objects that nothing is done about, and beside them one that is looked after.
fn leave(site: &Site) {
    let objects = [
        ("DataImage", "a", json!({ "url": "http://127.0.0.1/a.iso" })),
        (
            "HostUpdatePolicy",
            "a",
            json!({ "firmwareUpdates": "onReboot" }),
        ),
        (
            "HostUpdatePolicy",
            "b",
            json!({ "firmwareUpdates": "onPreparing" }),
        ),
    ];
    for (kind, name, spec) in objects {
        site.create(&json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": kind,
            "metadata": { "name": name }, "spec": spec,
        }));
    }
    site.create(&lease());
}

const ON_REBOOT: &str = "hostupdatepolicies with onReboot are not looked after yet (firmware of a provisioned \
                         machine stays as it is until it is available), and 1 is there: ";

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_is_told_of_all_that_is_around() {
    let Some(site) = Site::own("around", &[]).await else {
        return;
    };
    let namespace = &site.namespace;
    leave(&site);
    let admin = site.server.kubeconfig();
    let runs = format!("bmo-0_1 holds the lease {namespace}/baremetal-operator");
    let image = format!("(images are not attached), and 1 is there: {namespace}/a");
    let policy = format!("{ON_REBOOT}{namespace}/a\n");
    let places: [&[&str]; 2] = [&[], &["--namespace", namespace]];
    for arguments in places {
        let done = adopt(&admin, arguments).code(0);
        let done = done.says(&runs).says(&image).says(&policy);
        // Kinds that the cluster does not know have no objects.
        done.never_says("hostclaims").never_says("not known");
    }
    // Where that operator is not, it is said where it was looked for.
    let elsewhere = ["--namespace", "default"];
    adopt(&admin, &elsewhere).code(0).says(
        "holds no lease in default, baremetal-operator-system; other namespaces were not looked at",
    );
}

/// What `metalform adopt` says of definitions: words, and as JSON.
fn definitions(site: &Site) -> (String, Value) {
    let admin = site.server.kubeconfig();
    let done = adopt(&admin, &["--json", "--namespace", &site.namespace]).code(0);
    let told: Value = serde_json::from_str(&done.out).unwrap();
    let notes = told["notes"].as_array().unwrap().iter();
    let lines: Vec<&str> = notes.filter_map(Value::as_str).collect();
    (lines.join("\n"), told["definitions"].clone())
}

/// The definitions of a newer operator, and what became of an object if ours took their place.
#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_are_newer_are_left() {
    let Some(site) = Site::own("newer", &[]).await else {
        return;
    };
    let none = "know nothing that ours do not";
    // They are published a moment after they are served.
    let told = |text: &str| {
        until(
            || definitions(&site).0.contains(text),
            || format!("no {text:?}: {}", definitions(&site).0),
        );
    };
    told(none);
    assert_eq!(definitions(&site).1, json!({}));
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    let newer = json!([
        { "op": "add", "path": format!("{spec}/firmwareAge"), "value": { "type": "string" } },
        { "op": "add", "path": format!("{spec}/firmwareUpdates/enum/-"), "value": "atNight" },
    ]);
    let crd = "crd/hostupdatepolicies.metal3.io";
    let patch = ["patch", crd, "--type=json", "-p", &newer.to_string()];
    site.server.kubectl(&patch);
    told(
        "hostupdatepolicies.metal3.io as it is served knows what ours does not: .spec.firmwareAge, \
         .spec.firmwareUpdates=atNight",
    );
    let (words, lacking) = definitions(&site);
    assert!(words.contains("crds.install=false"), "{words}");
    assert!(!words.contains(none), "{words}");
    assert_eq!(
        lacking,
        json!({
            "hostupdatepolicies.metal3.io": [".spec.firmwareAge", ".spec.firmwareUpdates=atNight"],
        })
    );
    // And it is as it says.
    let policy = json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "HostUpdatePolicy",
        "metadata": { "name": "a" }, "spec": { "firmwareAge": "old" },
    });
    // Kubectl has fields refused that no definition knows, so it is taken once this one is served.
    let create = ["-n", &site.namespace, "create", "-f", "-"];
    until(
        || {
            site.server
                .try_kubectl(&create, &policy.to_string())
                .is_ok()
        },
        || "the newer field is not taken".into(),
    );
    let age = || site.get("hostupdatepolicy/a")["spec"]["firmwareAge"].clone();
    assert_eq!(age(), "old");
    for crd in metalform::api::crd::crds().unwrap() {
        site.server.install(&serde_json::to_value(&crd).unwrap());
    }
    told(none);
    site.patch(
        "hostupdatepolicy/a",
        &json!({ "metadata": { "labels": { "a": "b" } } }),
    );
    assert_eq!(age(), Value::Null);
}

/// An account with a controller's rights in one namespace: what it may not see there, it is told.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_account_may_not_see_is_told_as_not_known() {
    let Some(site) = Site::shared("narrow").await else {
        return;
    };
    let namespace = &site.namespace;
    leave(&site);
    let done = adopt(&site.kubeconfig(), &["--namespace", namespace]).code(0);
    // It may read these, for the controller does.
    let done = done.says(&format!("{ON_REBOOT}{namespace}/a\n"));
    let done = done.says(&format!(
        "whether the Bare Metal Operator runs is not known: this account may not get the lease \
         baremetal-operator (coordination.k8s.io) in {namespace}, baremetal-operator-system"
    ));
    let done = done.says(&format!(
        "whether there are objects that are not looked after yet (dataimages, preprovisioningimages, \
         bmceventsubscriptions, hostclaims, hostdeploypolicies, baremetalswitches) is not known: this \
         account may not list them (metal3.io) in {namespace}\n"
    ));
    let done = done.says("this account may not list validatingwebhookconfigurations");
    // These are published to everybody.
    done.says("the definitions of metal3.io that are served know");
}

/// An account that may read hosts and nothing else: it ends, names what is missing, and says what is known.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_sees_hosts_alone_is_told_what_it_lacks() {
    let Some(site) = Site::shared("hosts-alone").await else {
        return;
    };
    let namespace = &site.namespace;
    let bindings = ["metalform", "metalform-fleet", "metalform-lease"];
    site.kubectl(&[&["delete", "rolebinding"][..], &bindings].concat());
    let hosts = "--resource=baremetalhosts.metal3.io";
    site.kubectl(&["create", "role", "hosts", "--verb=get,list,watch", hosts]);
    let account = format!("--serviceaccount={namespace}:metalform");
    site.kubectl(&["create", "rolebinding", "hosts", "--role=hosts", &account]);
    leave(&site);
    let done = adopt(&site.kubeconfig(), &["--namespace", namespace]).code(4);
    let mut done = done.never_says("cannot watch resource \"baremetalhosts\"");
    for kind in [
        "firmwareschemas",
        "hostfirmwaresettings",
        "hostfirmwarecomponents",
        "hostupdatepolicies",
    ] {
        done = done.says(&format!("cannot watch {kind} in {namespace}"));
    }
    let done = done.says("the ClusterRole metalform (deploy/rbac/controller)");
    let done = done.says("whether the Bare Metal Operator runs is not known");
    done.says("baremetalswitches, hostupdatepolicies with onReboot) is not known");
}

/// What the controller would give up is foreseen by its own number.
#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_given_up_when_the_controller_would() {
    let Some(site) = Site::shared("retries").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    let mut host = Site::host("a", 1);
    let image = host["spec"]["image"].take();
    host["spec"].as_object_mut().unwrap().remove("image");
    site.create(&host);
    let journal = site.path("machines");
    let journal = format!("--simulate-journal={}", journal.display());
    let controller = site.simulate("retries", &[&journal]);
    site.comes_to("a", "available");
    controller.stop();
    let failed = json!({
        "status": { "provisioningFailCount": 3, "lastAttemptedImage": &image },
    });
    let status = ["patch", "bmh/a", "--subresource=status", "--type=merge"];
    site.kubectl(&[&status[..], &["-p", &failed.to_string()]].concat());
    site.patch("bmh/a", &json!({ "spec": { "image": image } }));
    let why = |more: &[&str]| {
        let arguments = [
            &["--json", &journal, "--namespace", &site.namespace][..],
            more,
        ]
        .concat();
        let done = adopt(&site.kubeconfig(), &arguments).code(1);
        let told: Value = serde_json::from_str(&done.out).unwrap();
        told["hosts"][0]["why"].as_str().unwrap().to_owned()
    };
    let given_up = why(&["--max-provisioning-retries=3"]);
    assert!(given_up.starts_with("RetryLimit: "), "{given_up}");
    let goes_on = why(&[]);
    assert!(!goes_on.contains("RetryLimit"), "{goes_on}");
}
