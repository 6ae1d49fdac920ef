//! The whole of metalform against a real Ironic: `metalform run` takes twenty machines on Ironic's
//! fake hardware and three Redfish ones from nothing to provisioned, is killed in the middle of a
//! roll, heals after Ironic's database was wiped, and leaves nothing behind.

use std::time::Instant;

use crate::fleet::Fleet;
use crate::lab::{self, Lab, wait_for};
use crate::outages::{LIFE, once_each};

const FAKE: u8 = 20;
const REDFISH: usize = 3;

#[test]
fn a_fleet_on_a_real_ironic() {
    if !lab::is_wanted() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let lab = Lab::start(&scratch.path().join("lab"), REDFISH, &[]);
    let mut fleet = Fleet::new(&lab, "fleet-fake", 0, FAKE);
    for index in 0..REDFISH {
        fleet.add_redfish(&format!("fleet-redfish-{index}"), index);
    }
    let machines = fleet.machines.len();
    let all_active = |url: &str| {
        let nodes = lab.nodes();
        nodes.len() == machines
            && nodes.iter().all(|(name, node)| {
                name.starts_with("fleet-")
                    && node.state == "active"
                    && node.image == url
                    && !node.instance.is_empty()
            })
    };

    // From nothing to provisioned.
    fleet.image = Some(0);
    fleet.save();
    let started = Instant::now();
    fleet.settle(&[]);
    let took = started.elapsed();
    assert!(all_active(&fleet.image_url(0)), "{:#?}", lab.nodes());
    once_each(&lab, &fleet, 0, "fleet-", &LIFE);
    let asked = lab.asked(0);
    let writes = asked.iter().filter(|asked| asked.method != "GET").count();
    println!("{machines} machines provisioned in {took:.1?}, {writes} writes");

    // A new image rolls; metalform is killed on the way, and the same command goes on.
    let from = lab.mark();
    fleet.image = Some(1);
    fleet.save();
    let killed = fleet.run();
    wait_for("a node leaves its first image", || {
        lab.nodes().values().any(|node| node.state != "active")
    });
    killed.kill();
    let started = Instant::now();
    fleet.settle(&[]);
    let took = started.elapsed();
    assert!(all_active(&fleet.image_url(1)), "{:#?}", lab.nodes());
    once_each(&lab, &fleet, from, "fleet-", &["deleted", "active"]);
    println!("a roll with a kill -9 in it took {took:.1?} more");

    // Ironic's database is wiped: the machines are made known again as they are.
    let from = lab.mark();
    lab.tell("wipe", &[]);
    assert!(lab.nodes().is_empty(), "a wiped Ironic knows nobody");
    let started = Instant::now();
    fleet.settle(&[]);
    let took = started.elapsed();
    assert!(
        lab.nodes().values().all(|node| node.state == "active"),
        "{:#?}",
        lab.nodes()
    );
    assert_eq!(lab.nodes().len(), machines);
    once_each(&lab, &fleet, from, "fleet-", &["manage", "adopt"]);
    let asked = lab.asked(from);
    assert!(
        asked.iter().all(|asked| !asked.path.contains("/inventory")),
        "a machine was inspected again"
    );
    println!("a wiped Ironic was healed in {took:.1?}");

    // Two machines leave, then all: each by name, and nothing is left behind.
    let leaving = ["fleet-fake-1", "fleet-redfish-0"];
    fleet
        .machines
        .retain(|machine| !leaving.contains(&machine.name.as_str()));
    fleet.save();
    fleet.settle(&["--allow-destroy", leaving[0], "--allow-destroy", leaving[1]]);
    assert_eq!(lab.nodes().len(), machines - 2);
    fleet.remove();
    assert!(lab.nodes().is_empty(), "{:#?}", lab.nodes());
}
