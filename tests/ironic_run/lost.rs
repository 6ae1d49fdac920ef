//! Ironic does what it is asked, but the answer is lost: nothing is done twice, nothing is left out.

use serde_json::json;

use crate::fleet::Fleet;
use crate::lab::{self, Lab, wait_for};
use crate::outages::once_each;

/// The next answer to such a request is lost.
fn lose(lab: &Lab, method: &str, path: &str) {
    lab.fault(&json!({ "what": "lose", "method": method, "path": path }));
}

#[test]
fn answers_that_are_lost() {
    let Some(lab) = lab::shared() else { return };
    let mut fleet = Fleet::new(&lab, "lost", 5, 2);
    fleet.save();
    let from = lab.mark();
    // Enrolment: the node, its port, and the first verb of each machine.
    lose(&lab, "POST", "/v1/nodes");
    lose(&lab, "POST", "/v1/ports");
    let running = fleet.run();
    wait_for("both are known", || lab.nodes_of("lost").len() == 2);
    let nodes = lab.nodes_of("lost");
    fleet.all("available");
    let made = |path: &str| {
        let is_made = |asked: &&crate::lab::Asked| {
            asked.method == "POST" && asked.path.starts_with(path) && asked.is_done()
        };
        lab.asked(from).iter().filter(is_made).count()
    };
    // Inspection makes the second NIC's.
    assert_eq!((made("/v1/nodes"), made("/v1/ports")), (2, 2));
    once_each(&lab, &fleet, from, "lost", &["manage", "inspect"]);

    // Deployment: both its requests.
    let from = lab.mark();
    for node in nodes.values() {
        lose(&lab, "PATCH", &node.uuid);
        lose(&lab, "PUT", &format!("{}/states/provision", node.uuid));
    }
    fleet.image = Some(0);
    fleet.save();
    fleet.all_provisioned();
    once_each(&lab, &fleet, from, "lost", &["provide", "active"]);

    // Power, off and on.
    for (online, power) in [("#false", "power off"), ("#true", "power on")] {
        let from = lab.mark();
        for node in nodes.values() {
            lose(&lab, "PUT", &format!("{}/states/power", node.uuid));
        }
        for machine in &mut fleet.machines {
            machine.more = format!("online {online}");
        }
        fleet.save();
        wait_for(power, || {
            lab.nodes_of("lost")
                .values()
                .all(|node| node.power == power)
        });
        let wanted = online == "#true";
        fleet.until(power, |hosts| {
            hosts
                .iter()
                .all(|host| host["status"]["poweredOn"] == wanted)
        });
        let done = lab.done("lost", from);
        assert!(
            done.len() == 2 && done.values().all(|times| *times == 1),
            "{done:?}"
        );
    }

    // Undeployment and the next deployment.
    let from = lab.mark();
    for node in nodes.values() {
        lose(&lab, "PUT", &format!("{}/states/provision", node.uuid));
    }
    fleet.image = Some(1);
    fleet.save();
    fleet.all_provisioned();
    once_each(&lab, &fleet, from, "lost", &["deleted", "active"]);

    // The removal.
    for node in nodes.values() {
        lose(&lab, "DELETE", &node.uuid);
    }
    running.interrupt().code(0);
    fleet.remove();
}

/// The store is lost with all statuses; what is deployed stays as it is.
#[test]
fn a_store_that_was_lost_finds_its_machines_again_as_they_are() {
    let Some(lab) = lab::shared() else { return };
    let mut fleet = Fleet::new(&lab, "books", 12, 2);
    fleet.image = Some(0);
    fleet.save();
    fleet.settle(&[]);
    let before = lab.nodes_of("books");
    for file in ["store.redb", "store.redb.log"] {
        let path = fleet.project.path(&format!(".metalform/{file}"));
        std::fs::remove_file(path).unwrap();
    }
    let from = lab.mark();
    fleet.settle(&[]);
    fleet.all_provisioned();
    let after = lab.nodes_of("books");
    let ids = |nodes: &std::collections::BTreeMap<String, lab::Node>| -> Vec<String> {
        nodes.values().map(|node| node.uuid.clone()).collect()
    };
    assert_eq!(ids(&after), ids(&before));
    assert!(
        lab.done("books", from).is_empty(),
        "{:?}",
        lab.done("books", from)
    );
    let known = |host: &serde_json::Value| host["status"]["hardware"]["nics"].is_array();
    assert!(fleet.project.hosts().iter().all(known));
    fleet.remove();
}
