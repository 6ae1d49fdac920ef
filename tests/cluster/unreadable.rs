//! A host that does not fit our types, as a server takes it whose definition is another one.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use serde_json::json;

use crate::controller::Site;

/// `spec.online` may be anything.
const ANYTHING: &str = r#"[{
    "op": "replace",
    "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/online",
    "value": { "x-kubernetes-preserve-unknown-fields": true }
}]"#;

/// What a controller answers to whether it is ready.
fn ready(address: SocketAddr) -> String {
    let mut text = String::new();
    if let Ok(mut connection) = TcpStream::connect(address) {
        let request = "GET /readyz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        connection.write_all(request.as_bytes()).unwrap();
        connection.read_to_string(&mut text).unwrap();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_begun_while_a_host_is_not_known() {
    let Some(site) = Site::own("unreadable", &[]).await else {
        return;
    };
    let crd = "crd/baremetalhosts.metal3.io";
    let patch = ["patch", crd, "--type=json", "-p", ANYTHING];
    site.server.kubectl(&patch);
    // Until it is served.
    std::thread::sleep(Duration::from_secs(3));
    site.credentials("bmc", "calvin");
    let tomorrow = json!({ "spec": { "online": { "from": "tomorrow" } } });
    let mut odd = Site::host("odd", 1);
    odd["spec"]["online"] = tomorrow["spec"]["online"].clone();
    site.create(&odd);
    site.create(&Site::host("h2", 2));
    let address = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap()
    };
    let controller = site.simulate("unreadable", &[&format!("--listen={address}")]);
    controller.says("odd is there and cannot be read");
    std::thread::sleep(Duration::from_secs(2));
    let answer = ready(address);
    assert!(
        answer.contains("503") && answer.contains("odd is there"),
        "{answer}"
    );
    assert_eq!(site.state("h2"), "");
    site.patch("bmh/odd", &json!({ "spec": { "online": true } }));
    for host in ["odd", "h2"] {
        site.comes_to(host, "provisioned");
    }
    assert!(ready(address).contains("200"), "{}", ready(address));
    // One that is known stays as it was, and the others are worked on.
    site.patch("bmh/odd", &tomorrow);
    controller.says("odd is left as it was known");
    site.patch("bmh/h2", &json!({ "spec": { "online": false } }));
    site.is_powered("h2", false);
    controller.stop();
}
