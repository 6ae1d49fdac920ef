//! `kill -9` at random points of a run on a real Ironic: no machine is lost, and Ironic is brought
//! to do each thing exactly once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::fleet::Fleet;
use crate::lab::{self, Lab};
use crate::outages::{LIFE, once_each};

/// Pauses between kills. Other ones each time; the seed is printed and can be given back.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let seed = std::env::var("METALFORM_TEST_SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                now.as_nanos() as u64
            });
        println!("METALFORM_TEST_SEED={seed}");
        Self(seed)
    }

    fn pause(&mut self) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(150 + (self.0 >> 33) % 1800)
    }
}

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
        std::thread::sleep(dice.pause());
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
