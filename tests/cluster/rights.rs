//! What a controller may not do, it names.

use serde_json::{Value, json};

use crate::controller::Site;

/// What is granted, one after the other, and before it what the controller says is missing.
const STEPS: [(&str, &str, &str, &[&str]); 8] = [
    (
        "watch",
        "metal3.io",
        "baremetalhosts",
        &["get", "list", "watch"],
    ),
    ("get", "", "secrets", &["get"]),
    ("patch", "", "secrets", &["get", "patch"]),
    ("list", "", "secrets", &["get", "patch", "list", "watch"]),
    (
        "patch",
        "metal3.io",
        "baremetalhosts",
        &["get", "list", "watch", "patch"],
    ),
    ("update", "metal3.io", "baremetalhosts/status", &["update"]),
    ("create", "", "events", &["create", "patch"]),
    (
        "patch",
        "metal3.io",
        "hardwaredata",
        &["get", "create", "patch"],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_verb_that_is_missing_is_named() {
    let Some(site) = Site::shared("rights").await else {
        return;
    };
    site.kubectl(&["delete", "rolebinding", "metalform", "metalform-fleet"]);
    let account = format!("--serviceaccount={}:metalform", site.namespace);
    let role = |granted: &[(&str, &str, &[&str])]| {
        let rules: Vec<Value> = granted
            .iter()
            .map(|(group, resource, verbs)| {
                json!({ "apiGroups": [group], "resources": [resource], "verbs": verbs })
            })
            .collect();
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": { "name": "partly" }, "rules": rules,
        });
        let all = ["-n", &site.namespace, "apply", "-f", "-"];
        site.server.kubectl_with(&all, &role.to_string());
    };
    let mut granted = Vec::new();
    role(&granted);
    site.kubectl(&["create", "rolebinding", "partly", "--role=partly", &account]);
    site.crowd(1);
    let controller = site.simulate("rights", &[]);
    for (verb, group, resource, verbs) in STEPS {
        controller.says(&format!("cannot {verb} resource \"{resource}\""));
        granted.push((group, resource, verbs));
        role(&granted);
    }
    site.comes_to("h1", "provisioned");
    controller.did_once("deploy", 1);
    controller.stop();
}
