//! An Ironic that is away, hangs, crawls or fails, before and in the middle of work. In the end all
//! is as it would have been, and Ironic was brought to do each thing once.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::fleet::Fleet;
use crate::lab::{self, Lab, wait_for};

/// The verbs of a life from nothing to provisioned.
pub const LIFE: [&str; 4] = ["manage", "inspect", "provide", "active"];

/// Fails unless each machine was brought to do each of these once, and nothing else (power aside).
#[track_caller]
pub fn once_each(lab: &Lab, fleet: &Fleet<'_>, from: usize, prefix: &str, verbs: &[&str]) {
    let mut done = lab.done(prefix, from);
    done.retain(|what, _| !what.contains("power") && !what.contains("reboot"));
    let wanted: BTreeMap<String, usize> = fleet
        .machines
        .iter()
        .flat_map(|machine| {
            verbs
                .iter()
                .map(|verb| (format!("{} {verb}", machine.name), 1))
        })
        .collect();
    assert_eq!(done, wanted);
}

#[test]
fn an_ironic_that_is_down_at_the_start_and_goes_away_in_the_middle() {
    let Some(lab) = lab::shared() else { return };
    let mut fleet = Fleet::new(&lab, "away", 1, 3);
    for machine in &mut fleet.machines {
        machine.more = "cleaning disabled".into();
    }
    fleet.save();
    lab.tell("pause", &[]);
    let from = lab.mark();
    let mut running = fleet.run();
    running.says_times("does not answer", 3);
    lab.tell("resume", &[]);
    fleet.all("available");
    // The agents do not call: the deployments wait, and Ironic goes away.
    lab.agent("*", "silent", -1);
    fleet.image = Some(0);
    fleet.save();
    wait_for("all wait for their agents", || {
        let nodes = lab.nodes_of("away");
        nodes.values().all(|node| node.state == "wait call-back")
    });
    let told = running.err().matches("does not answer").count();
    lab.tell("pause", &[]);
    running.says_times("does not answer", told + 3);
    lab.tell("resume", &[]);
    lab.agent("*", "silent", 0);
    fleet.all_provisioned();
    once_each(&lab, &fleet, from, "away", &LIFE);
    running.interrupt().code(0);
    fleet.remove();
}

/// Taken connections that nobody answers are given up, and what was sent on them is done all the
/// same once Ironic goes on: nothing is done twice.
#[test]
fn an_ironic_that_hangs() {
    let Some(lab) = lab::shared() else { return };
    let mut fleet = Fleet::new(&lab, "hangs", 2, 3);
    fleet.save();
    let from = lab.mark();
    let mut running = fleet.run();
    fleet.all("available");
    fleet.image = Some(0);
    lab.tell("freeze", &[]);
    // Decided while Ironic still seems well: the requests hang.
    fleet.save();
    running.says("does not answer");
    lab.tell("thaw", &[]);
    fleet.all_provisioned();
    once_each(&lab, &fleet, from, "hangs", &LIFE);
    running.interrupt().code(0);
    fleet.remove();
}

/// Each answer takes half a second more, looks and effects alike.
#[test]
fn an_ironic_that_crawls() {
    let Some(lab) = lab::shared() else { return };
    let mut fleet = Fleet::new(&lab, "crawls", 3, 2);
    fleet.image = Some(0);
    fleet.save();
    lab.fault(&json!({ "what": "slow", "seconds": 0.5, "times": -1 }));
    let from = lab.mark();
    let running = fleet.run();
    fleet.all_provisioned();
    once_each(&lab, &fleet, from, "crawls", &LIFE);
    let err = running.err();
    assert!(!err.contains("does not answer"), "{err}");
    running.interrupt().code(0);
    lab.forget_faults();
    fleet.remove();
}

/// First only changes are answered with 500, then everything is.
#[test]
fn an_ironic_that_answers_500() {
    let Some(lab) = lab::shared() else { return };
    let mut fleet = Fleet::new(&lab, "fails", 4, 3);
    fleet.save();
    for method in ["POST", "PUT", "PATCH"] {
        lab.fault(&json!({ "what": "status", "status": 500, "method": method, "times": -1 }));
    }
    let from = lab.mark();
    let mut running = fleet.run();
    running.says("simulated failure");
    lab.forget_faults();
    fleet.all("available");
    lab.fault(&json!({ "what": "status", "status": 500, "times": -1 }));
    fleet.image = Some(0);
    fleet.save();
    let told = running.err().matches("simulated failure").count();
    running.says_times("simulated failure", told + 3);
    std::thread::sleep(Duration::from_secs(2));
    lab.forget_faults();
    fleet.all_provisioned();
    once_each(&lab, &fleet, from, "fails", &LIFE);
    // Ironic's failures are not the hosts'.
    for host in fleet.project.hosts() {
        assert_eq!(host["status"]["errorCount"], 0, "{host:#}");
    }
    running.interrupt().code(0);
    fleet.remove();
}
