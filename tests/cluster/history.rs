//! A watch that lost its place: what changed meanwhile is not in any history any more.

use serde_json::json;

use crate::controller::{Site, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_while_the_controller_was_frozen_is_found() {
    let Some(site) = Site::own("frozen", &["--no-watch-cache"]).await else {
        return;
    };
    site.crowd(5);
    let controller = site.simulate("history", &[]);
    site.provisions(5);
    controller.signal("STOP");
    // One changed, one is to go, one went by hand, one came, and one was replaced by another of its
    // name.
    site.patch("bmh/h1", &json!({ "spec": { "online": false } }));
    site.kubectl(&["delete", "bmh/h2", "--wait=false"]);
    for host in ["bmh/h3", "bmh/h4"] {
        site.patch(host, &json!({ "metadata": { "finalizers": null } }));
        site.kubectl(&["delete", host]);
    }
    site.create(&Site::host("h4", 4));
    site.create(&Site::host("h6", 6));
    let replaced = site.get("bmh/h4")["metadata"]["uid"].clone();
    site.patch(
        "secret/bmc",
        &json!({ "stringData": { "password": "hobbes" } }),
    );
    let rotated = site.get("secret/bmc")["metadata"]["resourceVersion"].clone();
    site.server.is_to("compact");
    controller.signal("CONT");
    until(
        || site.get("bmh/h1")["status"]["poweredOn"] == false,
        || format!("h1 is not off: {}", site.get("bmh/h1")),
    );
    until(
        || site.get("bmh/h2").is_null(),
        || format!("h2 is still there: {}", site.get("bmh/h2")),
    );
    for host in ["h4", "h5", "h6"] {
        site.comes_to(host, "provisioned");
        let version = || {
            let host = site.get(&format!("bmh/{host}"));
            host["status"]["goodCredentials"]["credentialsVersion"].clone()
        };
        until(|| version() == rotated, || format!("{host}: {}", version()));
    }
    assert_eq!(site.get("bmh/h4")["metadata"]["uid"], replaced);
    assert!(site.get("bmh/h3").is_null());
    assert_eq!(site.hosts().len(), 4);
    let warnings = site.kubectl(&["get", "events", "--field-selector=type=Warning"]);
    assert_eq!(warnings, "");
    controller.stop();
}
