//! Machines where this host did not bring them, and what is missing besides.

use super::driver::{Driver, plain, with_image};
use crate::api::names::annotation;
use crate::api::{ErrorType, OperationalStatus, ProvisioningState as State};
use crate::provision::{Effect, Fault, Footing, NodeState, PowerTarget};
use crate::reconcile::Wake;

const A: &str = "http://images/a";

fn now(driver: &mut Driver) {
    for _ in 0..50 {
        if !driver.step() {
            return;
        }
    }
    panic!("no rest: {:?}", driver.last);
}

#[test]
fn deletion_ends_from_whatever_state_the_machine_was_put_in() {
    let states = NodeState::ALL.iter().chain([&NodeState::Unknown]);
    // What the conductor or the ramdisk is at ends by itself, at the latest by a time-out.
    let states = states.filter(|state| {
        state.footing() != Footing::Busy
            && !matches!(state, NodeState::CleanWait | NodeState::RescueWait)
    });
    for state in states {
        for spec in [with_image(A), plain()] {
            let mut driver = Driver::settled(spec);
            driver
                .machine
                .tamper(driver.now, |facts| facts.state = *state);
            driver.delete();
            driver.settle(500);
            assert!(driver.host.is_none(), "{state}: {:?}", driver.last);
            assert!(driver.machine.facts().is_none(), "{state}");
        }
    }
}

#[test]
fn a_machine_in_a_failed_service_gets_its_new_image() {
    for state in [NodeState::ServiceFailed, NodeState::ServiceWait] {
        let mut driver = Driver::settled(with_image(A));
        driver
            .machine
            .tamper(driver.now, |facts| facts.state = state);
        driver.edit(|host| host.spec.image.as_mut().unwrap().url = "http://images/b".into());
        driver.settle(400);
        assert_eq!(*driver.state(), State::Provisioned, "{state}");
    }
}

#[test]
fn a_hold_is_left_to_whoever_set_it_unless_the_host_is_deleted() {
    let mut driver = Driver::settled(with_image(A));
    driver
        .machine
        .tamper(driver.now, |facts| facts.state = NodeState::DeployHold);
    driver.edit(|host| host.spec.image = None);
    driver.settle(50);
    assert_eq!((driver.code(), driver.effects.len()), ("OnHold", 0));
    driver.delete();
    driver.settle(400);
    assert!(driver.host.is_none());
}

#[test]
fn what_enrolling_needs_is_waited_for_by_name_and_without_a_pause() {
    let mut driver = Driver::new(plain());
    driver.unregistrable = Some("secret `net` not found: tried secrets/net".into());
    driver.settle(20);
    assert_eq!(
        (driver.code(), driver.effects.len()),
        ("ReferenceMissing", 0)
    );
    assert_eq!(driver.status().error_type, None);
    driver.unregistrable = None;
    now(&mut driver);
    assert_eq!(driver.sent().join(" "), "enroll manage");
    driver.settle(300);
    assert_eq!(*driver.state(), State::Available);
    // The same with new credentials, and a deletion does without.
    driver.effects.clear();
    driver.unregistrable = Some("secret `net` not found: tried secrets/net".into());
    driver.login.version += 1;
    driver.settle(20);
    assert_eq!(
        (driver.code(), driver.effects.len()),
        ("ReferenceMissing", 0)
    );
    for lost in [false, true] {
        let mut driver = Driver::settled(with_image(A));
        driver.unregistrable = Some("secret `net` not found".into());
        if lost {
            driver.machine.lose();
        }
        driver.delete();
        driver.settle(300);
        assert!(driver.host.is_none(), "{:?}", driver.last);
    }
}

#[test]
fn a_connection_that_was_aborted_is_a_failure_and_counts() {
    let mut driver = Driver::new(plain());
    driver.reach(&State::Inspecting);
    while driver.machine.facts().unwrap().state != NodeState::InspectWait {
        if !driver.step() {
            driver.pass();
        }
    }
    driver.machine.tamper(driver.now, |facts| {
        facts.state = NodeState::InspectFailed;
        facts.last_error = Some("('Connection aborted.', RemoteDisconnected('closed'))".into());
    });
    now(&mut driver);
    assert_eq!(driver.code(), "BackingOff");
    assert_eq!(driver.status().error_type, Some(ErrorType::Inspection));
}

#[test]
fn an_available_host_is_rebooted_only_by_force() {
    for name in [annotation::REBOOT, "reboot.metal3.io/remediation"] {
        let mut driver = Driver::settled(plain());
        driver.annotate(name, "");
        driver.settle(100);
        assert!(driver.effects.is_empty(), "{name}");
        assert!(driver.host.as_ref().unwrap().annotation(name).is_some());
        driver.annotate(name, r#"{"force":true}"#);
        driver.settle(100);
        assert_eq!(
            driver.effects[0].0,
            Effect::Power(PowerTarget::SoftOff),
            "{name}"
        );
    }
}

#[test]
fn a_machine_that_is_held_off_is_not_switched_on_when_its_power_is_not_known() {
    let mut driver = Driver::settled(with_image(A));
    driver.annotate("reboot.metal3.io/remediation", "");
    driver.settle(100);
    assert!(!driver.machine.hardware.power);
    driver.effects.clear();
    driver
        .machine
        .tamper(driver.now, |facts| facts.power = None);
    driver.settle(100);
    let on = Effect::Power(PowerTarget::On);
    assert!(driver.effects.iter().all(|(effect, _)| *effect != on));
    assert_eq!(driver.code(), "PowerHeldOff");
}

/// An outage of one host's conductor must not take the slots from hosts that could use them.
#[test]
fn a_host_that_is_put_off_holds_no_slot() {
    let mut driver = Driver::settled(with_image(A));
    driver.edit(|host| host.spec.image.as_mut().unwrap().url = "http://images/b".into());
    let busy = || Fault::Busy {
        what: "No valid host was found".into(),
        retry: std::time::Duration::from_mins(1),
    };
    driver.answers = vec![busy(); 4];
    now(&mut driver);
    let last = driver.last.as_ref().unwrap();
    assert_eq!((driver.code(), last.slot), ("Busy", None));
    assert!(matches!(last.wake, Wake::After(_)), "{:?}", last.wake);
    driver.answers.clear();
    driver.settle(400);
    assert_eq!(*driver.state(), State::Provisioned);
}

#[test]
fn a_service_that_the_other_operator_began_comes_to_its_end() {
    for error in [false, true] {
        for state in [NodeState::Active, NodeState::ServiceFailed] {
            let mut driver = Driver::settled(with_image(A));
            driver
                .machine
                .tamper(driver.now, |facts| facts.state = state);
            let status = driver.host.as_mut().unwrap().status.as_mut().unwrap();
            if error {
                status.operational_status = OperationalStatus::Error;
                status.error_type = Some(ErrorType::Servicing);
                status.error_count = 2;
            } else {
                status.operational_status = OperationalStatus::Servicing;
            }
            driver.settle(100);
            let status = driver.status();
            assert_eq!(status.operational_status, OperationalStatus::Ok);
            assert_eq!((&status.error_type, status.error_count), (&None, 0));
            assert_eq!(
                driver.count("abort"),
                usize::from(state != NodeState::Active)
            );
            assert_eq!(driver.code(), "Provisioned");
        }
    }
    // One that somebody else began is his.
    let mut driver = Driver::settled(with_image(A));
    let failed = NodeState::ServiceFailed;
    driver
        .machine
        .tamper(driver.now, |facts| facts.state = failed);
    driver.is_idle("UnexpectedMachineState");
}

#[test]
fn maintenance_mode_is_left_to_whoever_set_it_while_there_is_nothing_to_do() {
    for spec in [with_image(A), plain()] {
        let mut driver = Driver::settled(spec);
        let now = driver.now;
        driver.machine.tamper(now, |facts| facts.maintenance = true);
        driver.settle(100);
        assert_eq!(driver.sent(), [""; 0]);
        driver.edit(|host| host.spec.online = false);
        driver.settle(100);
        assert_eq!(driver.sent(), ["unlock", "power"]);
        assert_eq!(
            driver.effects[1].0,
            Effect::Power(crate::provision::PowerTarget::SoftOff)
        );
    }
}

#[test]
fn what_a_person_asks_for_is_tried_at_once() {
    let mut driver = Driver::settled(with_image(A));
    driver.refuses = Some("power");
    driver.edit(|host| host.spec.online = false);
    for _ in 0..60 {
        if !driver.step() {
            driver.pass();
        }
    }
    while driver.step() {}
    assert_eq!(driver.code(), "BackingOff");
    driver.refuses = None;
    driver.effects.clear();
    driver.annotate(annotation::REBOOT, "");
    driver.asked = true;
    while driver.step() {}
    assert_eq!(driver.sent(), ["power"]);
    // And once: what fails again rests again.
    driver.settle(100);
    driver.answers = vec![Fault::Refused("400 no such thing".into())];
    driver.annotate(annotation::DETACHED, "");
    driver.asked = true;
    while driver.step() {}
    assert_eq!(driver.sent(), ["power", "forget"]);
    assert_eq!(driver.code(), "BackingOff");
}
