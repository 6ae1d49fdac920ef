//! One lease for metalform and for the Bare Metal Operator: whoever holds it works.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::controller::{Controller, Site, root};

const NAME: &str = "baremetal-operator";
/// An identity as controller-runtime makes one: the pod, and a UUID.
const POD: &str = "baremetal-operator-controller-manager-5d9c_8e3f2c60-6a5e-4d3c-9f6e-2f6f7f7b1c11";

/// Metalform as it is installed beside that operator.
fn stands_by(site: &Site, name: &str) -> Controller {
    let arguments = [
        "--leader-elect",
        "--lease-name",
        NAME,
        "--lease-namespace",
        &site.namespace,
        // Looks more often than usual, so that the test is short.
        "--retry-period=1",
    ];
    let controller = site.simulate(name, &arguments);
    controller.says("hosts read");
    controller
}

/// The lease of that operator, held as client-go writes it.
fn held() -> Value {
    let now = jiff::Timestamp::now();
    let now = now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    json!({
        "holderIdentity": POD, "leaseDurationSeconds": 15,
        "acquireTime": now, "renewTime": now, "leaseTransitions": 3,
    })
}

fn renew(site: &Site) {
    let mut spec = held();
    spec.as_object_mut().unwrap().remove("acquireTime");
    site.patch(&format!("lease/{NAME}"), &json!({ "spec": spec }));
}

fn is_idle(site: &Site, controller: &Controller) {
    let log = controller.log();
    assert!(!log.contains("engine starts"), "{log}");
    assert_eq!(site.state("a"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_the_lease_works() {
    let Some(site) = Site::shared("hand-over").await else {
        return;
    };
    // The chart writes the role with the lease's name that it is given.
    let role = std::fs::read_to_string(root("deploy/rbac/lease/role.yaml")).unwrap();
    let role = role
        .replace("metalform-system", &site.namespace)
        .replace("[metalform]", &format!("[{NAME}]"));
    assert!(role.contains(NAME), "the role names another lease: {role}");
    site.server.kubectl_with(&["apply", "-f", "-"], &role);
    site.create(&json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": { "name": NAME }, "spec": held(),
    }));
    site.credentials("bmc", "calvin");
    site.create(&Site::host("a", 1));

    // As long as it is renewed, nothing is done.
    let controller = stands_by(&site, "first");
    for _ in 0..4 {
        std::thread::sleep(Duration::from_secs(2));
        renew(&site);
        is_idle(&site, &controller);
    }
    // That operator is gone without a word: the lease runs out.
    renew(&site);
    let last = Instant::now();
    controller.says("holds the lease");
    let took = last.elapsed();
    assert!(took >= Duration::from_secs(13), "taken after {took:?}");
    site.comes_to("a", "provisioned");
    let lease = site.get(&format!("lease/{NAME}"));
    assert_eq!(lease["spec"]["leaseTransitions"], 4, "{lease}");

    // The way back: at its end it gives the lease up as client-go does, so that operator need not wait.
    controller.stop();
    let lease = site.get(&format!("lease/{NAME}"));
    assert_eq!(lease["spec"]["holderIdentity"], "", "{lease}");
    assert_eq!(lease["spec"]["leaseDurationSeconds"], 1, "{lease}");

    // That operator has it again, and gives it up at its end (`ReleaseOnCancel`).
    site.patch(&format!("lease/{NAME}"), &json!({ "spec": held() }));
    let controller = stands_by(&site, "second");
    std::thread::sleep(Duration::from_secs(3));
    let log = controller.log();
    assert!(!log.contains("engine starts"), "{log}");
    let mut released = held();
    released["holderIdentity"] = "".into();
    released["leaseDurationSeconds"] = 1.into();
    let patch = json!({ "spec": released });
    site.patch(&format!("lease/{NAME}"), &patch);
    let freed = Instant::now();
    controller.says("holds the lease");
    let took = freed.elapsed();
    assert!(took < Duration::from_secs(6), "taken after {took:?}");
}
