//! The controller as `deploy/` installs it: its arguments, its variables, its account, and probes.

use std::path::Path;
use std::process::Command;

use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::controller::{Controller, Site, root, until};
use crate::probe::{ask, free_port};
use crate::server::Server;

const HOME: &str = "metalform-system";

/// Starts what a Deployment's pod would be, with its account's token and nothing else.
fn start(server: &Server, folder: &Path, port: u16, more: &[&str]) -> Controller {
    let manifest = std::fs::read_to_string(root("deploy/install.yaml")).unwrap();
    let deployment = serde_yaml_ng::Deserializer::from_str(&manifest)
        .map(|document| Value::deserialize(document).unwrap())
        .find(|object| object["kind"] == "Deployment")
        .unwrap();
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let account = pod["serviceAccountName"].as_str().unwrap();

    let token = server.kubectl(&["-n", HOME, "create", "token", account, "--duration=1h"]);
    let mut config = server.config();
    config["users"][0]["user"] = json!({ "token": token.trim() });
    config["contexts"][0]["context"]["namespace"] = HOME.into();
    let kubeconfig = folder.join("kubeconfig");
    std::fs::write(&kubeconfig, config.to_string()).unwrap();

    let mut program = Command::new(env!("CARGO_BIN_EXE_metalform"));
    program
        .env_clear()
        .env("KUBECONFIG", kubeconfig)
        // In a pod others are expected: there is a lease.
        .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        .env("HOSTNAME", "metalform-5d9c");
    for variable in container["env"].as_array().unwrap() {
        let path = &variable["valueFrom"]["fieldRef"]["fieldPath"];
        assert_eq!(path, "metadata.namespace", "{variable}");
        program.env(variable["name"].as_str().unwrap(), HOME);
    }
    for argument in container["args"].as_array().unwrap() {
        let argument = argument.as_str().unwrap();
        // The pod's own port is everybody's here.
        program.arg(argument.replace(":9440", &format!(":{port}")));
    }
    Controller::spawn(program.args(more), folder.join(format!("{port}.log")))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quick_start_does_what_it_says() {
    let Some(server) = Server::own(&["--controllers"]) else {
        return;
    };
    let file = |name: &str| root(name).to_str().unwrap().to_owned();
    server.kubectl(&["apply", "--server-side", "-f", &file("deploy/install.yaml")]);
    until(
        || server.is_served("crd/baremetalhosts.metal3.io"),
        || "hosts are not defined".into(),
    );
    server.kubectl(&["apply", "-f", &file("deploy/examples/three-hosts.yaml")]);

    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let controller = start(&server, folder.path(), port, &[]);
    controller.says("holds the lease metalform-system/metalform");
    let states = || {
        let path = "jsonpath={.items[*].status.provisioning.state}";
        server.kubectl(&["get", "bmh", "-n", "metal3", "-o", path])
    };
    until(
        || states() == "provisioned provisioned available",
        || format!("{}\n{}", states(), controller.log()),
    );
    assert_eq!(ask(port, "/livez", None), (200, "ok".into()));
    assert_eq!(ask(port, "/readyz", None), (200, "ok".into()));
    let (status, metrics) = ask(port, "/metrics", None);
    let counted = "metalform_hosts{state=\"provisioned\"} 2\n";
    assert!(status == 200 && metrics.contains(counted), "{metrics}");
    for line in [
        "metalform_leads 1\n",
        "metalform_ironic_up{ironic=\"default\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let log = controller.log();
    assert!(
        !log.contains("forbidden"),
        "something was not granted: {log}"
    );

    // With the component `metrics-auth`; it takes the lease once that is given back.
    let rights = server.kubectl(&["kustomize", &file("deploy/rbac/metrics")]);
    server.kubectl_with(&["apply", "-f", "-"], &rights);
    let guarded = free_port();
    let second = start(&server, folder.path(), guarded, &["--metrics-auth"]);
    second.says("hosts read");
    controller.stop();
    second.says("holds the lease metalform-system/metalform");
    server.kubectl(&["create", "serviceaccount", "-n", "metal3", "prometheus"]);
    let token = || server.kubectl(&["create", "token", "-n", "metal3", "prometheus"]);
    let first_token = token();
    assert_eq!(ask(guarded, "/metrics", None).0, 401);
    assert_eq!(ask(guarded, "/metrics", Some("nobody's")).0, 403);
    assert_eq!(ask(guarded, "/metrics", Some(first_token.trim())).0, 403);
    server.kubectl(&[
        "create",
        "clusterrolebinding",
        "prometheus",
        "--clusterrole=metalform-metrics-reader",
        "--serviceaccount=metal3:prometheus",
    ]);
    // An answer holds for a minute, for its token.
    until(
        || ask(guarded, "/metrics", Some(token().trim())).0 == 200,
        || "prometheus may not read".into(),
    );
    assert_eq!(ask(guarded, "/livez", None).0, 200);
    second.stop();
}

/// `IRONIC_NAME`: the object says where Ironic is, and may say so later.
#[tokio::test(flavor = "multi_thread")]
async fn an_ironic_that_is_not_ready_holds_up_no_probe() {
    let Some(site) = Site::shared("object").await else {
        return;
    };
    site.server.install(&json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "ironics.ironic.metal3.io" },
        "spec": {
            "group": "ironic.metal3.io", "scope": "Namespaced",
            "names": { "kind": "Ironic", "plural": "ironics", "singular": "ironic", "listKind": "IronicList" },
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                } },
            }],
        },
    }));
    for part in ["role", "binding"] {
        let text = std::fs::read_to_string(root(&format!("deploy/rbac/ironic/{part}.yaml")));
        let text = text.unwrap().replace("namespace: metal3", "namespace: NS");
        let text = text.replace(HOME, &site.namespace);
        let text = text.replace("namespace: NS", &format!("namespace: {}", site.namespace));
        site.server.kubectl_with(&["apply", "-f", "-"], &text);
    }
    site.credentials("bmc", "calvin");
    site.create(&Site::host("a", 1));
    let port = free_port();
    let listen = format!("--listen=[::]:{port}");
    let controller = site.start("object", &["--ironic-name=ironic", &listen]);
    controller.says("hosts read");
    let ready = || ask(port, "/readyz", None);
    until(|| ready().0 == 503, || format!("{:?}", ready()));
    let (_, text) = ready();
    let waits = format!("waiting for Ironic {}/ironic: ", site.namespace);
    assert!(
        text.starts_with(&waits) && text.contains("not found"),
        "{text}"
    );
    assert_eq!(ask(port, "/livez", None), (200, "ok".into()));

    site.credentials("ironic-login", "hobbes");
    site.create(&json!({
        "apiVersion": "ironic.metal3.io/v1alpha1", "kind": "Ironic",
        "metadata": { "name": "ironic" },
        "spec": { "apiCredentialsName": "ironic-login" },
        "status": { "conditions": [{ "type": "Ready", "status": "False", "reason": "InProgress" }] },
    }));
    until(
        || ready().1.ends_with("it is not ready: InProgress "),
        || format!("{:?}", ready()),
    );
    let condition = json!({ "type": "Ready", "status": "True", "observedGeneration": 2 });
    site.patch(
        "ironic/ironic",
        &json!({ "status": { "conditions": [condition] } }),
    );
    until(
        || ready() == (200, "ok".into()),
        || format!("{:?}\n{}", ready(), site.get("ironic/ironic")),
    );
    // Nobody is there, but it is known where.
    controller.says(&format!(
        "http://ironic.{}.svc does not answer",
        site.namespace
    ));
    controller.stop();
}
