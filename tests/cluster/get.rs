//! `get` and `explain` of a cluster, and `kubectl metalform`.

use serde_json::json;

use crate::desk::Desk;

fn waiting(desk: &Desk, name: &str) {
    desk.status(name, &json!({
        "operationalStatus": "OK", "errorMessage": "", "poweredOn": false, "errorCount": 0,
        "provisioningFailCount": 0,
        "provisioning": { "state": "registering", "ID": "" },
        "conditions": [{
            "type": "metalform.dev/Waiting", "status": "True", "reason": "CredentialsMissing",
            "message": "the Secret bmc is not there", "lastTransitionTime": "2026-01-01T00:00:00Z",
        }],
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_shown_with_what_they_wait_for_and_since_when() {
    let Some(desk) = Desk::new("get").await else {
        return;
    };
    desk.fleet("w[slot=1-2]", "");
    desk.apply(&[]).code(0);
    waiting(&desk, "w1");
    desk.provisioned("w2");
    let shown = desk
        .run(&["get", "--namespace", &desk.namespace])
        .code(0)
        .out;
    let lines: Vec<Vec<&str>> = shown
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines[0],
        ["NAME", "STATE", "POWER", "POOL", "AGE", "SINCE", "REASON"]
    );
    assert_eq!(lines[1][..4], ["w1", "registering", "off!", "workers"]);
    assert!(shown.contains("the Secret bmc is not there"), "{shown}");
    assert_eq!(lines[2][..4], ["w2", "provisioned", "on", "workers"]);
    desk.run(&["get", "w3", "--namespace", &desk.namespace])
        .code(1)
        .says("no host matches w3");
    let all = desk.run(&["get", "-A"]).code(0).out;
    assert!(all.starts_with("NAMESPACE"), "{all}");
    assert!(all.contains(&desk.namespace), "{all}");
    let json = desk
        .run(&["get", "w1", "-n", &desk.namespace, "-o", "json"])
        .code(0)
        .out;
    assert!(json.contains("\"metalform.dev/Waiting\""), "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_explained_in_words() {
    let Some(desk) = Desk::new("explain").await else {
        return;
    };
    desk.fleet("w[slot=1-2]", "");
    desk.apply(&[]).code(0);
    waiting(&desk, "w1");
    desk.provisioned("w2");
    let explain = |name: &str| desk.run(&["explain", name, "--namespace", &desk.namespace]);
    explain("host/w1")
        .code(0)
        .says("CredentialsMissing")
        .says("the Secret bmc is not there")
        .says("written fleet.kdl:11, fleet lab, pool workers")
        .says("Goes on as soon as it is there");
    explain("host/w3")
        .code(1)
        .says("no host is called `w3`")
        .says("did you mean `w");
    // What the spec at hand would do, and what that waits for.
    desk.fleet("w[slot=1-1]", "");
    explain("host/w2")
        .code(0)
        .says("the spec has it no more")
        .says("--allow-destroy w2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_the_bare_metal_operator_is_explained_too() {
    let Some(desk) = Desk::new("other").await else {
        return;
    };
    let host = json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": { "name": "old" },
        "spec": { "online": true, "bmc": { "address": "redfish://10.0.0.9", "credentialsName": "b" } },
    });
    let args = ["--namespace", &desk.namespace, "create", "-f", "-"];
    desk.server.kubectl_with(&args, &host.to_string());
    desk.status(
        "old",
        &json!({
            "operationalStatus": "error", "errorType": "registration error", "poweredOn": false,
            "errorMessage": "Failed to get power state for node 7", "errorCount": 3,
            "provisioningFailCount": 0, "provisioning": { "state": "registering", "ID": "7" },
        }),
    );
    desk.run(&["explain", "host/old", "--namespace", &desk.namespace])
        .code(0)
        .says("RegistrationError")
        .says("last word (registration error, 3 times): Failed to get power state for node 7")
        .says("in no spec of metalform's")
        .says("See whether the BMC answers at redfish://10.0.0.9");
    desk.run(&["get", "--namespace", &desk.namespace])
        .code(0)
        .says("Failed to get power state for node 7");
}

#[tokio::test(flavor = "multi_thread")]
async fn as_a_plugin_of_kubectl_it_means_the_cluster() {
    let Some(desk) = Desk::new("plugin").await else {
        return;
    };
    let plugin = desk.path("kubectl-metalform");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_metalform"), &plugin).unwrap();
    desk.fleet("w[slot=1-1]", "");
    desk.run_as(plugin.clone(), &["apply", "--yes"])
        .code(0)
        .says("1 created");
    assert_eq!(desk.names(), "w1");
    desk.run_as(plugin.clone(), &["get"]).code(0).says("w1");
    desk.run_as(plugin, &["plan", "--help"])
        .code(0)
        .says("kubectl metalform plan");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_told_at_once() {
    let Some(desk) = Desk::new("gone").await else {
        return;
    };
    let gone = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "gone",
        "clusters": [{ "name": "gone", "cluster": { "server": "https://127.0.0.1:1" } }],
        "users": [{ "name": "me", "user": {} }],
        "contexts": [{ "name": "gone", "context": { "cluster": "gone", "user": "me" } }],
    });
    desk.write("gone.json", &gone.to_string());
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_metalform"))
        .args(["get", "--context", "gone"])
        .current_dir(desk.path(""))
        .env_clear()
        .env("KUBECONFIG", desk.path("gone.json"))
        .output()
        .unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(4), "{said}");
    assert!(
        said.contains("cannot reach the API server at https://127.0.0.1:1"),
        "{said}"
    );
}
