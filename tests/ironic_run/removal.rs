//! Hosts that are removed in the middle of things, each in another state of its machine.

use serde_json::Value;

use crate::fleet::Fleet;
use crate::lab::{self, wait_for};

#[test]
fn hosts_are_removed_from_every_kind_of_state() {
    let Some(lab) = lab::shared() else { return };
    let mut fleet = Fleet::new(&lab, "left", 9, 9);
    fleet.add_redfish("left-locked", 1);
    // The BMC of the last one lets nobody in.
    lab.tell("bmc-rule", &["*", "unauthorized"]);
    lab.agent("left-1", "silent", -1);
    lab.agent("left-2", "inspect", -1);
    fleet.machines[4].more = "cleaning disabled".into();
    fleet.machines[6].more = "online #false".into();
    fleet.save();
    let running = fleet.run();
    fleet.until("seven are available", |hosts| {
        let at = |host: &&Value| host["status"]["provisioning"]["state"] == "available";
        hosts.iter().filter(at).count() == 7
    });
    lab.reaches("left-1", "inspect wait");
    lab.reaches("left-2", "inspect failed");
    // Cleaning fails, cleaning hangs, deployment hangs, deployment fails; 7 stays as it is, 8 and 9
    // are deployed.
    lab.agent("left-3", "clean", 1);
    lab.agent("left-4", "silent", -1);
    lab.agent("left-5", "silent", -1);
    lab.agent("left-6", "deploy", -1);
    fleet.image = Some(0);
    fleet.save();
    lab.reaches("left-3", "clean failed");
    lab.reaches("left-4", "clean wait");
    lab.reaches("left-5", "wait call-back");
    lab.reaches("left-8", "active");
    lab.reaches("left-9", "active");
    fleet.machines[8].more = "online #false".into();
    fleet.save();
    wait_for("left-9 is off", || {
        lab.nodes()["left-9"].power == "power off"
    });
    fleet.until("what fails has failed", |hosts| {
        let failed = |name: &str, kind: &str| {
            hosts
                .iter()
                .any(|host| host["metadata"]["name"] == name && host["status"]["errorType"] == kind)
        };
        failed("left-2", "inspection error")
            && failed("left-6", "provisioning error")
            && failed("left-locked", "registration error")
    });
    let states: Vec<String> = lab
        .nodes_of("left")
        .into_iter()
        .map(|(name, node)| format!("{name}: {} {}", node.state, node.maintenance))
        .collect();
    println!("removed from {states:#?}");
    running.interrupt().code(0);
    // A cleaning that is under way comes to its end: who stops it does not know what is on the disks.
    lab.agent("left-4", "silent", 0);
    fleet.remove();
}
