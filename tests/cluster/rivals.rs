//! Two controllers for the same hosts, with no lease between them. Nobody should do that; what holds
//! all the same is that each write is based on what is there: no host, Secret or inventory is lost,
//! every host ends provisioned, and none is marked as failed.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::controller::Site;

/// Each has simulated machines of its own, so they find different things and may correct each other
/// for as long as both are there (with one Ironic between them they see the same).
#[tokio::test(flavor = "multi_thread")]
async fn two_controllers_without_a_lease_corrupt_nothing() {
    let Some(site) = Site::shared("rivals").await else {
        return;
    };
    site.crowd(20);
    let one = site.start("one", &["--simulate=10"]);
    let two = site.start("two", &["--simulate=10"]);
    site.provisions(20);
    std::thread::sleep(Duration::from_secs(5));
    site.is_whole(20);
    // Each Secret, inventory and finalizer is there once.
    for host in site.hosts() {
        let finalizers = host["metadata"]["finalizers"].as_array().unwrap();
        let unique: BTreeSet<String> = finalizers.iter().map(ToString::to_string).collect();
        assert_eq!(finalizers.len(), unique.len(), "{finalizers:?}");
        let name = host["metadata"]["name"].as_str().unwrap();
        let data = site.get(&format!("hardwaredata/{name}"));
        assert_eq!(
            data["spec"]["hardware"], host["status"]["hardware"],
            "{name}"
        );
    }
    // With one of them gone, the other comes to rest.
    two.stop();
    std::thread::sleep(Duration::from_secs(2));
    let columns = "-o=custom-columns=:.metadata.name,:.metadata.resourceVersion";
    let versions = || site.kubectl(&["get", "bmh,hardwaredata,secrets", "--no-headers", columns]);
    let before = versions();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(versions(), before);
    one.stop();
}
