//! What a controller may not do, it names.

use serde_json::{Value, json};

use crate::controller::Site;

const READ: &[&str] = &["get", "list", "watch"];
const MAKE: &[&str] = &["get", "list", "watch", "create", "patch"];
const LOSE: &[&str] = &["get", "list", "watch", "create", "delete"];
const METAL3: &str = "metal3.io";

/// What is granted, one after the other, and before it what the controller says is missing: verb,
/// group, resource, and what it gets.
const STEPS: [(&str, &str, &str, &[&str]); 12] = [
    ("watch", METAL3, "baremetalhosts", READ),
    ("watch", METAL3, "firmwareschemas", LOSE),
    ("watch", METAL3, "hostfirmwaresettings", MAKE),
    ("watch", METAL3, "hostfirmwarecomponents", MAKE),
    ("watch", METAL3, "hostupdatepolicies", READ),
    ("get", "", "secrets", &["get"]),
    ("patch", "", "secrets", &["patch"]),
    ("list", "", "secrets", READ),
    ("patch", METAL3, "baremetalhosts", &["patch"]),
    ("update", METAL3, "baremetalhosts/status", &["update"]),
    ("create", "", "events", &["create", "patch"]),
    ("patch", METAL3, "hardwaredata", &["get", "create", "patch"]),
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
    // Of simulated machines there is nothing to say in these.
    let unasked: &[(&str, &str, &[&str])] = &[
        (METAL3, "hostfirmwaresettings/status", &["update"]),
        (METAL3, "hostfirmwarecomponents/status", &["update"]),
    ];
    let mut granted = unasked.to_vec();
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
