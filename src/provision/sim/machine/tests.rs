//! The model against Ironic's own rules.

use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::node::after;
use super::*;
use crate::api::CleaningMode;
use crate::provision::sim::inventory;
use crate::provision::sim::script::{Span, Task};
use crate::provision::{Footing, PowerTarget};

const MAC: &str = "52:54:00:00:00:01";

fn host(image: &str) -> BareMetalHost {
    serde_json::from_value(serde_json::json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": { "name": "h", "namespace": "m", "uid": "u" },
        "spec": { "online": true, "image": { "url": image } },
    }))
    .unwrap()
}

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A machine and its time.
struct Bench {
    machine: Machine,
    now: Timestamp,
    dice: Dice,
    host: BareMetalHost,
    /// States in the order in which they were seen.
    seen: Vec<NodeState>,
}

impl Bench {
    fn new() -> Self {
        Self {
            machine: Machine::new(Hardware::new(MAC), Arc::default()),
            now: start(),
            dice: Dice::new(1),
            host: host("http://i/a"),
            seen: Vec::new(),
        }
    }

    fn enrolled() -> Self {
        let mut bench = Self::new();
        bench
            .ask(&Effect::Enroll {
                credentials: "v1".into(),
            })
            .unwrap();
        bench
    }

    fn ask(&mut self, effect: &Effect) -> Result<Ack, Fault> {
        let order = Order {
            effect,
            host: &self.host,
            password: Some("p"),
        };
        let result = self.machine.apply(&order, self.now, &mut self.dice);
        self.look();
        result
    }

    fn look(&mut self) {
        if let Some(facts) = self.machine.facts()
            && self.seen.last() != Some(&facts.state)
        {
            self.seen.push(facts.state);
        }
    }

    /// Asks and waits until it rests.
    fn carry_out(&mut self, effect: &Effect) {
        self.ask(effect).unwrap();
        while let Some(next) = self.machine.next_event() {
            assert!(next >= self.now, "time goes on");
            self.now = next;
            assert!(self.machine.advance(self.now));
            self.look();
        }
    }

    fn facts(&self) -> &Facts {
        self.machine.facts().unwrap()
    }

    fn run(&mut self, effects: &[Effect]) -> String {
        self.seen.clear();
        for effect in effects {
            self.carry_out(effect);
        }
        self.seen
            .iter()
            .map(|state| state.as_str())
            .collect::<Vec<_>>()
            .join(" > ")
    }
}

#[test]
fn a_life_goes_through_ironics_states() {
    let mut bench = Bench::enrolled();
    insta::assert_snapshot!(
        bench.run(&[Effect::Manage, Effect::Inspect]),
        @"verifying > manageable > inspecting > inspect wait > inspecting > manageable"
    );
    assert!(bench.facts().inspected);
    insta::assert_snapshot!(
        bench.run(&[Effect::Provide, Effect::Deploy]),
        @"cleaning > clean wait > cleaning > available > deploying > wait call-back > deploying > active"
    );
    assert_eq!(bench.facts().image.as_deref(), Some("http://i/a"));
    assert_eq!(bench.machine.hardware.disk.as_deref(), Some("http://i/a"));
    assert_eq!(bench.facts().power, Some(true));
    insta::assert_snapshot!(
        bench.run(&[Effect::Undeploy]),
        @"deleting > cleaning > clean wait > cleaning > available"
    );
    assert_eq!(
        (
            bench.facts().image.clone(),
            bench.machine.hardware.disk.clone()
        ),
        (None, None)
    );
    insta::assert_snapshot!(bench.run(&[Effect::Manage, Effect::Clean { firmware: None }, Effect::Adopt]), @"manageable > cleaning > clean wait > cleaning > manageable > adopting > active");
}

#[test]
fn failures_end_where_ironic_ends_them() {
    use Effect::{Deploy, Inspect, Manage, Provide, Undeploy};
    let fails = |task, effects: &[Effect]| {
        let mut bench = Bench::enrolled();
        bench.machine.troubles.next.push_back(task);
        for effect in effects {
            bench.carry_out(effect);
        }
        let facts = bench.facts();
        assert!(facts.last_error.is_some());
        let fault = facts.fault.as_deref().unwrap_or("no fault");
        let target = facts.target.map_or("no target", NodeState::as_str);
        format!(
            "{}, {target}, maintenance {}, {fault}",
            facts.state, facts.maintenance
        )
    };
    insta::assert_snapshot!(fails(Task::Verify, &[Manage]), @"enroll, no target, maintenance false, no fault");
    insta::assert_snapshot!(fails(Task::Inspect, &[Manage, Inspect]), @"inspect failed, manageable, maintenance false, no fault");
    insta::assert_snapshot!(fails(Task::Clean, &[Manage, Provide]), @"clean failed, available, maintenance true, clean failure");
    insta::assert_snapshot!(fails(Task::Deploy, &[Manage, Provide, Deploy]), @"deploy failed, active, maintenance false, no fault");
    insta::assert_snapshot!(fails(Task::Undeploy, &[Manage, Provide, Deploy, Undeploy]), @"error, no target, maintenance false, no fault");
    insta::assert_snapshot!(fails(Task::Adopt, &[Manage, Effect::Adopt]), @"adopt failed, active, maintenance false, no fault");
}

#[test]
fn a_locked_node_is_busy_and_a_waiting_one_can_be_aborted() {
    let mut bench = Bench::enrolled();
    bench.carry_out(&Effect::Manage);
    bench.ask(&Effect::Inspect).unwrap();
    let busy = bench.ask(&Effect::Power(PowerTarget::On)).unwrap_err();
    assert!(matches!(busy, Fault::Busy { .. }), "{busy:?}");
    bench.now = bench.machine.next_event().unwrap();
    bench.machine.advance(bench.now);
    assert_eq!(bench.facts().state, NodeState::InspectWait);
    bench.ask(&Effect::Abort).unwrap();
    assert_eq!(bench.facts().state, NodeState::InspectFailed);
    assert_eq!(bench.machine.next_event(), None);
}

#[test]
fn what_a_state_does_not_allow_is_refused() {
    let mut bench = Bench::enrolled();
    for effect in [
        Effect::Inspect,
        Effect::Provide,
        Effect::Deploy,
        Effect::Undeploy,
    ] {
        let refused = bench.ask(&effect).unwrap_err();
        assert!(
            matches!(refused, Fault::Refused(_)),
            "{effect:?}: {refused:?}"
        );
    }
    // A second node with the name.
    let again = bench.ask(&Effect::Enroll {
        credentials: "v1".into(),
    });
    assert!(matches!(again, Err(Fault::Refused(_))), "{again:?}");
    // An active machine goes only by force.
    bench.run(&[Effect::Manage, Effect::Adopt]);
    assert!(matches!(
        bench.ask(&Effect::Forget { force: false }),
        Err(Fault::Refused(_))
    ));
    bench.ask(&Effect::Forget { force: true }).unwrap();
    assert!(bench.machine.facts().is_none());
    assert_eq!(bench.ask(&Effect::Manage), Err(Fault::Gone));
}

#[test]
fn maintenance_takes_no_verb_until_it_is_cleared() {
    let mut bench = Bench::enrolled();
    bench.machine.troubles.next.push_back(Task::Clean);
    bench.run(&[Effect::Manage, Effect::Provide]);
    assert!(matches!(bench.ask(&Effect::Manage), Err(Fault::Refused(_))));
    bench.ask(&Effect::Unlock).unwrap();
    bench.ask(&Effect::Manage).unwrap();
    assert_eq!(bench.facts().state, NodeState::Manageable);
    // The error stays until something starts.
    assert!(bench.facts().last_error.is_some());
    bench.carry_out(&Effect::Provide);
    assert_eq!(bench.facts().last_error, None);
}

#[test]
fn a_wrong_password_fails_verification() {
    let mut bench = Bench::new();
    bench.machine.hardware.password = Some("right".into());
    bench
        .ask(&Effect::Enroll {
            credentials: "v1".into(),
        })
        .unwrap();
    bench.carry_out(&Effect::Manage);
    assert_eq!(bench.facts().state, NodeState::Enroll);
    bench.machine.hardware.password = Some("p".into());
    bench.carry_out(&Effect::Manage);
    assert_eq!(bench.facts().state, NodeState::Manageable);
}

#[test]
fn power_changes_after_a_while_or_not_at_all() {
    let mut bench = Bench::enrolled();
    bench.carry_out(&Effect::Manage);
    bench.ask(&Effect::Power(PowerTarget::On)).unwrap();
    assert!(bench.facts().power_changing && bench.facts().power == Some(false));
    bench.now = bench.machine.next_event().unwrap();
    bench.machine.advance(bench.now);
    assert!(!bench.facts().power_changing && bench.facts().power == Some(true));
    bench.machine.troubles.next.push_back(Task::Power);
    bench.carry_out(&Effect::Power(PowerTarget::HardOff));
    assert_eq!(bench.facts().power, Some(true));
    assert!(
        bench
            .facts()
            .last_error
            .as_deref()
            .unwrap()
            .contains("power state")
    );
    bench.machine.hardware.soft_off = false;
    assert!(bench.ask(&Effect::Power(PowerTarget::SoftOff)).is_err());
}

#[test]
fn without_automated_cleaning_a_machine_is_available_at_once() {
    let mut bench = Bench::enrolled();
    bench.host.spec.automated_cleaning_mode = Some(CleaningMode::Disabled);
    bench.ask(&Effect::Amend { credentials: None }).unwrap();
    insta::assert_snapshot!(
        bench.run(&[Effect::Manage, Effect::Provide, Effect::Deploy, Effect::Undeploy]),
        @"verifying > manageable > available > deploying > wait call-back > deploying > active > deleting > available"
    );
}

#[test]
fn the_hardware_outlives_its_record() {
    let mut bench = Bench::enrolled();
    bench.run(&[Effect::Manage, Effect::Provide, Effect::Deploy]);
    let id = bench.facts().id.clone();
    bench.machine.lose();
    assert_eq!(bench.machine.next_event(), None);
    bench
        .ask(&Effect::Enroll {
            credentials: "v1".into(),
        })
        .unwrap();
    assert_ne!(bench.facts().id, id);
    bench.run(&[Effect::Manage, Effect::Adopt]);
    assert_eq!(bench.facts().power, Some(true));
    assert_eq!(bench.machine.hardware.disk.as_deref(), Some("http://i/a"));
    assert_eq!(bench.machine.hardware.writes, 1);
}

#[test]
fn an_inventory_is_there_after_an_inspection_and_always_the_same() {
    let mut bench = Bench::enrolled();
    assert_eq!(bench.ask(&Effect::ReadInventory), Ok(Ack::Inventory(None)));
    bench.run(&[Effect::Manage, Effect::Inspect]);
    let Ok(Ack::Inventory(Some(found))) = bench.ask(&Effect::ReadInventory) else {
        panic!("no inventory");
    };
    assert_eq!(found, inventory::of(MAC, "h"));
    assert_eq!(found.get().unwrap().nics[0].mac, MAC);
}

#[test]
fn a_slow_bmc_takes_longer() {
    let time = |slow| {
        let mut bench = Bench::enrolled();
        Arc::make_mut(&mut bench.machine.pace).verify = Span::millis(1000, 1000);
        bench.machine.troubles.slow = slow;
        bench.carry_out(&Effect::Manage);
        bench.now.duration_since(start())
    };
    assert_eq!(time(0), SignedDuration::from_secs(1));
    assert_eq!(time(5), SignedDuration::from_secs(5));
}

fn effects() -> impl Strategy<Value = Effect> {
    prop::sample::select(vec![
        Effect::Manage,
        Effect::Inspect,
        Effect::Clean { firmware: None },
        Effect::Provide,
        Effect::Deploy,
        Effect::Undeploy,
        Effect::Adopt,
        Effect::Abort,
        Effect::Unlock,
        Effect::Power(PowerTarget::On),
        Effect::Power(PowerTarget::HardOff),
        Effect::Forget { force: true },
        Effect::Enroll {
            credentials: "v1".into(),
        },
    ])
}

proptest! {
    /// Whatever is asked of it, time goes forward, it comes to rest, and the same seed gives the
    /// same machine.
    #[test]
    fn a_machine_comes_to_rest_and_repeats(
        asked in prop::collection::vec((effects(), 0u64..3000), 0..60),
        permille in 0u32..300,
        seed: u64,
    ) {
        let live = || {
            let mut bench = Bench::enrolled();
            bench.dice = Dice::new(seed);
            bench.machine.troubles.permille = permille;
            for (effect, pause) in &asked {
                bench.ask(effect).ok();
                bench.now = after(bench.now, Duration::from_millis(*pause));
                bench.machine.advance(bench.now);
                if let Some(next) = bench.machine.next_event() {
                    assert!(next > bench.now, "what is due has happened");
                }
            }
            let mut events = 0;
            while let Some(next) = bench.machine.next_event() {
                bench.machine.advance(next);
                events += 1;
                assert!(events < 10, "it comes to rest");
            }
            if let Some(facts) = bench.machine.facts() {
                assert_ne!(facts.state.footing(), Footing::Busy);
                assert!(!facts.power_changing);
            }
            bench.machine
        };
        prop_assert_eq!(live(), live());
    }
}
