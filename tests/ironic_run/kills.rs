//! `kill -9` at random points of a run on a real Ironic: no machine is lost, and Ironic is brought
//! to do each thing exactly once.

use crate::dice::Dice;
use crate::fleet::Fleet;
use crate::lab::{self, Lab};
use crate::outages::{LIFE, once_each};

/// Starts and kills until all has the image or so many are killed, then lets the last one finish.
fn run_and_kill(lab: &Lab, fleet: &Fleet<'_>, dice: &mut Dice, most: usize) -> usize {
    let url = fleet.image_url(fleet.image.unwrap());
    let mut killed = 0;
    while killed < most {
        let nodes = lab.nodes_of("killed");
        let is_done = |node: &lab::Node| node.state == "active" && node.image == url;
        if nodes.len() == fleet.machines.len() && nodes.values().all(is_done) {
            break;
        }
        let running = fleet.run();
        std::thread::sleep(dice.pause(150..1950));
        running.kill();
        killed += 1;
    }
    fleet.settle(&[]);
    fleet.all_provisioned();
    killed
}

#[test]
fn killed_at_random_points_nothing_is_lost_or_done_twice() {
    let Some(lab) = lab::shared() else { return };
    let mut fleet = Fleet::new(&lab, "killed", 8, 4);
    let mut dice = Dice::new();

    // From nothing to provisioned.
    fleet.image = Some(0);
    fleet.save();
    let from = lab.mark();
    let killed = run_and_kill(&lab, &fleet, &mut dice, 10);
    let nodes = lab.nodes_of("killed");
    once_each(&lab, &fleet, from, "killed", &LIFE);
    let made = |asked: &&lab::Asked| {
        asked.method == "POST" && asked.path.starts_with("/v1/nodes") && asked.is_done()
    };
    assert_eq!(lab.asked(from).iter().filter(made).count(), 4);

    // A new image rolls.
    fleet.image = Some(1);
    fleet.save();
    let from = lab.mark();
    let more = run_and_kill(&lab, &fleet, &mut dice, 8);
    once_each(&lab, &fleet, from, "killed", &["deleted", "active"]);
    let after = lab.nodes_of("killed");
    for (name, node) in &nodes {
        assert_eq!(node.uuid, after[name].uuid, "{name} is another node now");
        assert_eq!(
            node.instance, after[name].instance,
            "{name} is another instance now"
        );
    }
    println!("killed {killed} and {more} times");
    fleet.remove();
}
