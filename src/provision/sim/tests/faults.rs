//! What may happen to a machine, and what is seen of it.

use super::*;

#[tokio::test(start_paused = true)]
async fn rules_strike_as_often_as_they_say() {
    let mut lab = Lab::new("fail inspect n1 2 times\nfail verify n2");
    let (one, two) = (host("n1", 1), host("n2", 2));
    lab.enroll(&one).await.unwrap();
    lab.enroll(&two).await.unwrap();
    assert_eq!(lab.done(&one, Effect::Manage).await, NodeState::Manageable);
    for _ in 0..2 {
        assert_eq!(
            lab.done(&one, Effect::Inspect).await,
            NodeState::InspectFailed
        );
    }
    assert_eq!(lab.done(&one, Effect::Inspect).await, NodeState::Manageable);
    for _ in 0..4 {
        assert_eq!(lab.done(&two, Effect::Manage).await, NodeState::Enroll);
    }
}

#[tokio::test(start_paused = true)]
async fn everything_can_be_slow_or_fast() {
    async fn took(script: &str, pace: u32) -> Duration {
        let mut options = Options {
            pace,
            ..Options::default()
        };
        options.add("test", script).unwrap();
        let mut lab = Lab::of(Simulation::memory(options, clock()));
        let one = host("n1", 1);
        lab.enroll(&one).await.unwrap();
        let start = tokio::time::Instant::now();
        lab.done(&one, Effect::Manage).await;
        start.elapsed()
    }
    let usual = took("", 1).await;
    assert!(took("slow bmc n1 10x", 1).await > usual * 9);
    assert!(took("", 10).await < usual / 2);
    let exact = took("take verify 42s", 1).await;
    assert_eq!(exact.as_secs(), 42);
}

#[tokio::test(start_paused = true)]
async fn an_outage_hides_everything_and_confirms_nothing() {
    let mut lab = Lab::new("api down from 10s to 40s");
    let one = host("n1", 1);
    lab.ticks.next().await;
    lab.enroll(&one).await.unwrap();
    let tick = lab.ticks.next().await.unwrap();
    assert_eq!(tick.changed.len(), 1);
    let down = lab.ticks.next().await.unwrap();
    assert!(down.all && down.as_of.is_none());
    let Sight::Down(outage) = lab.simulation.sight(&one) else {
        panic!("not down")
    };
    assert!(!outage.unauthorized);
    assert_snapshot!(outage.text, @"the simulated machines do not answer since 2026-01-01T00:00:10Z (`api down from 10s to 40s`)");
    assert!(matches!(
        lab.run(&one, Effect::Manage).await,
        Err(Fault::Unreachable(_))
    ));
    let start = tokio::time::Instant::now();
    let up = lab.ticks.next().await.unwrap();
    assert!(up.all && up.as_of.is_some());
    assert_eq!(start.elapsed().as_secs(), 30);
    assert!(lab.facts(&one).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_lost_node_is_absent_and_its_hardware_runs_on() {
    let mut lab = Lab::new("lose node n* at 1m");
    let one = host("n1", 1);
    lab.provision(&one).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    let changed = loop {
        let tick = lab.ticks.next().await.unwrap();
        if !tick.changed.is_empty() && lab.facts(&one).is_none() {
            break tick.changed;
        }
    };
    assert_eq!(changed[0].to_string(), "m/n1");
    assert!(lab.simulation.hardware("n1").unwrap().power);
    // It comes back as another node, which finds the disk as it was.
    lab.enroll(&one).await.unwrap();
    assert_eq!(lab.simulation.hardware("n1").unwrap().writes, 1);
}

#[tokio::test(start_paused = true)]
async fn credentials_are_wrong_until_others_are_written() {
    let mut lab = Lab::new("wrong credentials n1\nwrong credentials n2 until 30s");
    let (one, two) = (host("n1", 1), host("n2", 2));
    lab.enroll(&one).await.unwrap();
    lab.enroll(&two).await.unwrap();
    assert_eq!(lab.done(&one, Effect::Manage).await, NodeState::Enroll);
    assert_eq!(lab.done(&two, Effect::Manage).await, NodeState::Enroll);
    lab.run(
        &one,
        Effect::Amend {
            credentials: Some("v2".into()),
        },
    )
    .await
    .unwrap();
    assert_eq!(lab.done(&one, Effect::Manage).await, NodeState::Manageable);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(lab.done(&two, Effect::Manage).await, NodeState::Manageable);
}

#[tokio::test(start_paused = true)]
async fn a_lost_bmc_is_a_power_failure_until_it_answers() {
    let mut lab = Lab::new("");
    let one = host("n1", 1);
    lab.provision(&one).await;
    lab.simulation.fault("lose bmc n1 until 20s").unwrap();
    lab.ticks.next().await;
    let facts = lab.facts(&one).unwrap();
    assert_eq!(facts.fault.as_deref(), Some("power failure"));
    assert!(facts.maintenance);
    tokio::time::sleep(Duration::from_secs(21)).await;
    lab.ticks.next().await;
    assert!(!lab.facts(&one).unwrap().maintenance);
}

#[tokio::test(start_paused = true)]
async fn busy_slow_and_unauthorized_interfaces() {
    let lab = Lab::new("busy n1 2 times\napi slow 500ms until 1m\napi unauthorized from 2m");
    let one = host("n1", 1);
    let start = tokio::time::Instant::now();
    for _ in 0..2 {
        assert!(matches!(lab.enroll(&one).await, Err(Fault::Busy { .. })));
    }
    assert!(lab.enroll(&one).await.is_ok());
    assert_eq!(start.elapsed(), Duration::from_millis(1500));
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert!(matches!(
        lab.run(&one, Effect::Manage).await,
        Err(Fault::Unauthorized(_))
    ));
    let sight = lab.simulation.sight(&one);
    assert!(matches!(sight, Sight::Down(outage) if outage.unauthorized));
}
