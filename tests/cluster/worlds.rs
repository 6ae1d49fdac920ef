//! Real machines and simulated ones side by side, and namespaces that are somebody else's.

use std::time::Duration;

use serde_json::json;

use crate::controller::{Site, until};

/// Nobody answers there.
const NO_IRONIC: &str = "--ironic=http://127.0.0.1:9";

#[tokio::test(flavor = "multi_thread")]
async fn neither_world_touches_the_hosts_of_the_other() {
    let Some(site) = Site::shared("worlds").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    // Registered by a controller of real machines.
    let mut real = Site::host("real", 1);
    real["metadata"]["finalizers"] = json!(["baremetalhost.metal3.io"]);
    site.create(&real);
    site.create(&Site::host("new", 2));
    let version =
        |host: &str| site.get(&format!("bmh/{host}"))["metadata"]["resourceVersion"].clone();
    let before = version("real");
    let simulates = site.simulate("simulates", &[]);
    site.comes_to("new", "provisioned");
    simulates.says("the host was registered by one that drives real ones; it is left alone");
    site.kubectl(&["delete", "bmh/real", "--wait=false"]);
    let deleted = version("real");
    assert_ne!(deleted, before);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(version("real"), deleted);
    assert!(
        simulates
            .effects()
            .keys()
            .all(|(host, _)| host.ends_with("/new"))
    );
    simulates.stop();
    // And the other way round.
    let drives = site.start("drives", &[NO_IRONIC]);
    drives.says("the host's machine was simulated");
    site.create(&Site::host("another", 3));
    // Of an Ironic that is away the log tells once, and not each host.
    site.comes_to("another", "registering");
    drives.says("Ironic at http://127.0.0.1:9 does not answer");
    site.kubectl(&["delete", "bmh/new", "--wait=false"]);
    std::thread::sleep(Duration::from_secs(3));
    let new = site.get("bmh/new");
    assert_eq!(new["status"]["provisioning"]["state"], "provisioned");
    assert!(new["metadata"]["finalizers"].is_array());
    drives.stop();
    let simulates = site.simulate("again", &[]);
    until(
        || site.get("bmh/new").is_null(),
        || "new is still there".into(),
    );
    simulates.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_namespaces_are_worked_in_and_no_third() {
    let Some(site) = Site::shared("two").await else {
        return;
    };
    let account = format!("--serviceaccount={}:metalform", site.namespace);
    let admin = site.server.admin().await;
    let second = site.server.namespace(&admin, "two").await;
    let third = site.server.namespace(&admin, "two").await;
    for namespace in [&second, &third] {
        // A right that is there and not used.
        let binding = [
            "create",
            "rolebinding",
            "metalform",
            "--clusterrole=metalform",
            &account,
        ];
        let mut all = vec!["-n", namespace];
        all.extend(binding);
        site.server.kubectl(&all);
    }
    let make = |namespace: &str| {
        let all = ["-n", namespace, "create", "-f", "-"];
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "bmc" },
            "stringData": { "username": "root", "password": "calvin" },
        });
        for object in [secret, Site::host("a", 1)] {
            site.server.kubectl_with(&all, &object.to_string());
        }
    };
    for namespace in [&site.namespace, &third] {
        make(namespace);
    }
    let controller = site.simulate("two", &["--namespace", &second]);
    site.comes_to("a", "provisioned");
    // The same name and, elsewhere, the same machine: it is taken.
    make(&second);
    let status = || {
        site.server.kubectl(&[
            "-n",
            &second,
            "get",
            "bmh/a",
            "-o",
            "jsonpath={.status.errorMessage}",
        ])
    };
    until(|| status().contains("52:54:00:00:01:01"), status);
    let patch = json!({ "spec": { "bootMACAddress": "52:54:00:00:02:01" } }).to_string();
    site.server.kubectl(&[
        "-n",
        &second,
        "patch",
        "bmh/a",
        "--type=merge",
        "-p",
        &patch,
    ]);
    let state = |namespace: &str| {
        let path = "jsonpath={.status.provisioning.state}";
        site.server
            .kubectl(&["-n", namespace, "get", "bmh/a", "-o", path])
    };
    until(|| state(&second) == "provisioned", || state(&second));
    assert_eq!(state(&third), "");
    // Secrets of both are followed.
    let patch = json!({ "stringData": { "password": "hobbes" } }).to_string();
    site.server.kubectl(&[
        "-n",
        &second,
        "patch",
        "secret/bmc",
        "--type=merge",
        "-p",
        &patch,
    ]);
    let version = |what: &str, path: &str| {
        let path = format!("jsonpath={path}");
        site.server
            .kubectl(&["-n", &second, "get", what, "-o", &path])
    };
    let used = || version("bmh/a", "{.status.goodCredentials.credentialsVersion}");
    let now = version("secret/bmc", "{.metadata.resourceVersion}");
    until(|| used() == now, || format!("{} is not {now}", used()));
    controller.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_goes_with_the_hosts_in_it() {
    let Some(mut site) = Site::own("ends", &["--controllers"]).await else {
        return;
    };
    // What the account may do does not go with the namespace, nor does the account.
    let account = format!("--serviceaccount={}:metalform", site.namespace);
    let binding = [
        "create",
        "clusterrolebinding",
        "metalform",
        "--clusterrole=metalform",
        &account,
    ];
    site.server.kubectl(&binding);
    site.namespace = site
        .server
        .namespace(&site.server.admin().await, "ends")
        .await;
    site.crowd(20);
    let controller = site.start("ends", &["--simulate=2"]);
    site.provisions(2);
    println!("{:?} when it ends", site.states());
    site.server
        .kubectl(&["delete", "namespace", &site.namespace, "--wait=false"]);
    let left = || site.server.kubectl(&["get", "namespaces", "-o", "name"]);
    let name = format!("namespace/{}", site.namespace);
    until(
        || !left().lines().any(|line| line == name),
        || {
            format!(
                "{:?}\n{}",
                site.states(),
                site.kubectl(&["get", "secrets,hardwaredata"])
            )
        },
    );
    controller.stop();
}
