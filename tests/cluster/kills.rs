//! A controller that dies in the middle of its work, again and again.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use serde_json::Value;

use crate::controller::{Site, until};

/// Simulated machines go with the process, so after each death the world has forgotten all that was
/// done to it: harder than life, where machines go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_provisioned_over_many_deaths() {
    let Some(site) = Site::shared("kills").await else {
        return;
    };
    site.crowd(40);
    for death in 0..6_u64 {
        let controller = site.start(&format!("life-{death}"), &["--simulate=10"]);
        let moment = RandomState::new().hash_one(death) % 4000;
        println!("dies {moment} ms after its start");
        std::thread::sleep(Duration::from_millis(moment));
        controller.dies();
        assert_eq!(site.hosts().len(), 40);
    }
    let controller = site.start("last", &["--simulate=10"]);
    site.provisions(40);
    // Machines that were provisioned before are taken over, one by one.
    let is_on = |host: &Value| host["status"]["poweredOn"] == true;
    until(
        || site.hosts().iter().all(is_on),
        || format!("not all are on: {:?}", controller.effects()),
    );
    site.is_whole(40);
    // And those are not deployed anew.
    let effects = controller.effects();
    let did = |effect: &str| -> BTreeSet<&str> {
        let all = effects.keys().filter(|(_, name)| name == effect);
        all.map(|(host, _)| host.as_str()).collect()
    };
    let (deployed, adopted) = (did("deploy"), did("adopt"));
    println!(
        "{} were deployed in the last life, {} taken over",
        deployed.len(),
        adopted.len()
    );
    let both: Vec<_> = deployed.intersection(&adopted).collect();
    assert!(both.is_empty(), "{both:?}");
    assert!(did("undeploy").is_empty());
    controller.stop();
}
