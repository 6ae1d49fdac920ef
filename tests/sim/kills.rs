//! `kill -9` at random points of a simulated run: no machine is lost, no effect is done twice.

use std::time::Duration;

use metalform::budget::SlotKind;
use metalform::dice::Dice;
use metalform::provision::sim::script::Task;

use super::play;
use super::stage::Stage;

#[tokio::test(start_paused = true)]
async fn kills_at_random_points_lose_nothing_and_do_nothing_twice() {
    for seed in 0..25 {
        let mut dice = Dice::new(seed);
        let mut stage = Stage::new(play::fleet("9 hosts in 3 racks").unwrap());
        // Slow enough that kills come between a request and its answer.
        stage.fault("api slow 300ms");
        stage.fault("limit inspect 4");
        let mut kills = 0;
        loop {
            stage.start().await;
            let life = dice.between(Duration::from_millis(20), Duration::from_secs(3));
            if stage.pass(life, Stage::is_settled).await {
                break;
            }
            stage.kill();
            kills += 1;
            // Now and then nobody is there for a while.
            if dice.permille(300) {
                tokio::time::sleep(dice.between(Duration::ZERO, Duration::from_secs(5))).await;
            }
            assert!(kills < 500, "seed {seed}: never settles");
        }
        // Also not right after a start, when the machines at work are not booked yet.
        assert!(
            stage.peaks[&SlotKind::Inspect] <= 4,
            "seed {seed}: {:?}",
            stage.peaks
        );
        let hosts = stage.hosts();
        assert_eq!(hosts.len(), 9, "seed {seed}");
        for host in hosts {
            let name = host.metadata.name.clone().unwrap();
            let glance = stage.simulation().hardware(&name).unwrap();
            let seen = format!("seed {seed}, {kills} kills: {name}: {glance:?}");
            assert_eq!(glance.writes, 1, "{seen}");
            for (task, began) in glance.began {
                let once = match task {
                    Task::Verify | Task::Inspect | Task::Clean | Task::Deploy => 1,
                    Task::Undeploy | Task::Adopt | Task::Power => 0,
                };
                assert_eq!(began, once, "{task:?}: {seen}");
            }
        }
    }
}
