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
