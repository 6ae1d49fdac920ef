//! What would cost a machine what is on its disks, and is waited for instead.

use super::driver::{Driver, plain, with_image};
use crate::api::names::{annotation, reason};
use crate::api::{
    BootMode, CleaningMode, ErrorType, HardwareJson, OperationalStatus, ProvisioningState as State,
};
use crate::provision::{Drift, Effect, Fault, NodeState};

const A: &str = "http://images/a";

fn settled(spec: serde_json::Value) -> Driver {
    let mut driver = Driver::new(spec);
    driver.settle(400);
    driver.effects.clear();
    driver.notes.clear();
    driver
}

fn reach(driver: &mut Driver, state: NodeState) {
    while driver.machine.facts().map(|facts| facts.state) != Some(state) {
        assert!(driver.step() || driver.pass(), "{:?}", driver.last);
    }
}

fn is_idle(driver: &mut Driver, code: &str) {
    driver.waits_for(code);
    assert_eq!(driver.sent(), [""; 0], "{code}");
}

/// The host of a provisioned machine moved to another cluster: without a status, which an annotation
/// has.
fn moved(driver: &Driver, text: Option<&str>) -> Driver {
    let status = serde_json::to_string(driver.status()).unwrap();
    let mut new = Driver::new(with_image(A));
    new.machine = driver.machine.clone();
    new.boot_mode.clone_from(&driver.boot_mode);
    new.annotate(annotation::STATUS, text.unwrap_or(&status));
    new
}

#[test]
fn a_status_that_cannot_be_read_is_not_no_status() {
    let old = settled(with_image(A));
    for garbage in ["{ no status", "", "[]", r#"{"provisioning": 3}"#] {
        let mut driver = moved(&old, Some(garbage));
        driver.machine.lose();
        is_idle(&mut driver, "StatusUnreadable");
        let kept = |driver: &Driver| {
            let host = driver.host.as_ref().unwrap();
            host.annotation(annotation::STATUS).map(str::to_owned)
        };
        assert_eq!(kept(&driver).as_deref(), Some(garbage));
        assert_eq!(driver.status().error_type, Some(ErrorType::Registration));
        // Corrected, it counts, although the host was looked at meanwhile.
        let status = serde_json::to_string(old.status()).unwrap();
        driver.annotate(annotation::STATUS, &status);
        driver.settle(400);
        assert_eq!(*driver.state(), State::Provisioned);
        assert_eq!(
            driver.sent(),
            ["enroll", "manage", "read-firmware", "adopt"]
        );
        assert_eq!(kept(&driver), None);
        // Without it the host is new, and can be deleted with it.
        let mut driver = moved(&old, Some(garbage));
        driver.machine.lose();
        driver.settle(20);
        driver.remove_annotation(annotation::STATUS);
        driver.settle(400);
        assert_eq!(driver.count("inspect"), 1);
        let mut driver = moved(&old, Some(garbage));
        driver.settle(20);
        driver.delete();
        driver.settle(400);
        assert!(driver.host.is_none());
    }
}

#[test]
fn a_status_that_comes_late_is_dropped_and_told_of_once() {
    let mut driver = settled(with_image(A));
    driver.annotate(
        annotation::STATUS,
        r#"{"provisioning":{"state":"available"}}"#,
    );
    driver.settle(100);
    assert_eq!(*driver.state(), State::Provisioned);
    let host = driver.host.as_ref().unwrap();
    assert_eq!(host.annotation(annotation::STATUS), None);
    let told = driver.notes.iter();
    let told = told.filter(|note| note.reason == reason::INVALID_ANNOTATION_VALUE);
    assert_eq!(told.count(), 1);
}

#[test]
fn a_machine_is_not_made_another_one() {
    for (moved, rewired) in [(true, false), (false, true)] {
        let differs = Drift {
            ports: rewired,
            moved,
            rewired,
            ..Drift::default()
        };
        for spec in [with_image(A), plain()] {
            let mut driver = settled(spec);
            if moved {
                driver.boot_mode = Some(BootMode::Legacy);
            }
            driver.differs = differs;
            is_idle(&mut driver, "AddressChanged");
            assert_eq!(driver.status().error_type, Some(ErrorType::Registration));
            // Put back, all is as it was.
            driver.differs = Drift::default();
            driver.boot_mode = Some(BootMode::Uefi);
            driver.settle(50);
            assert_eq!(driver.status().error_type, None);
            assert_eq!(driver.sent(), [""; 0]);
            // Detached, it is forgotten as it was known, and registered as it is.
            driver.differs = differs;
            driver.annotate(annotation::DETACHED, "");
            driver.settle(50);
            assert_eq!(driver.sent(), ["forget"]);
            // Deleted, the one that was registered goes.
            driver.remove_annotation(annotation::DETACHED);
            driver.differs = Drift::default();
            driver.settle(400);
            driver.differs = differs;
            driver.effects.clear();
            driver.delete();
            driver.settle(400);
            assert!(driver.host.is_none(), "{:?}", driver.last);
            assert!(
                !driver
                    .sent()
                    .iter()
                    .any(|it| ["amend", "ports"].contains(it))
            );
        }
    }
    // A new host's mistake is corrected by an edit.
    let mut driver = Driver::new(plain());
    driver.reach(&State::Registering);
    reach(&mut driver, NodeState::Enroll);
    driver.differs.moved = true;
    driver.boot_mode = Some(BootMode::Legacy);
    while driver.count("amend") == 0 {
        assert!(driver.step() || driver.pass(), "{:?}", driver.last);
    }
    driver.differs = Drift::default();
    driver.settle(400);
    assert_eq!(*driver.state(), State::Available);
}

#[test]
fn disks_that_are_to_be_kept_are_kept_when_a_deployment_is_given_up() {
    let mut driver = Driver::new(with_image(A));
    reach(&mut driver, NodeState::DeployWait);
    driver.differs.cleaned = true;
    driver.effects.clear();
    driver.edit(|host| {
        host.spec.image = None;
        host.spec.automated_cleaning_mode = Some(CleaningMode::Disabled);
    });
    while driver.step() {}
    assert_eq!((driver.code(), driver.sent()), ("MachineBusy", vec![]));
    // Its deployment ends, and what it lacks is written before the image is taken off.
    driver.settle(400);
    assert_eq!(driver.sent()[0], "undeploy");
    assert_eq!(*driver.state(), State::Available);
}

#[test]
fn what_is_said_to_be_somebody_elses_is_not_wiped() {
    let mut driver = settled(with_image(A));
    driver.edit(|host| {
        host.spec.externally_provisioned = true;
        host.spec.image = None;
    });
    is_idle(&mut driver, "ExternalTooLate");
    assert_eq!(*driver.state(), State::Provisioned);
    driver.delete();
    driver.settle(400);
    assert!(driver.host.is_none());
    assert_eq!(driver.sent(), ["power", "forget"]);
    // Nor while it is deployed.
    let mut driver = Driver::new(with_image(A));
    driver.reach(&State::Provisioning);
    driver.edit(|host| {
        host.spec.externally_provisioned = true;
        host.spec.image = None;
    });
    driver.waits_for("ExternalTooLate");
    assert_eq!(driver.count("undeploy"), 0);
    driver.edit(|host| host.spec.externally_provisioned = false);
    driver.settle(400);
    assert_eq!(*driver.state(), State::Available);
}

#[test]
fn a_url_that_redirects_is_one_deployment() {
    let mut driver = Driver::new(with_image(A));
    reach(&mut driver, NodeState::DeployWait);
    // As Ironic does it while it deploys.
    let redirect = |driver: &mut Driver| {
        let now = driver.now;
        let image = Some("http://mirror/a".into());
        driver.machine.tamper(now, |facts| facts.image = image);
    };
    redirect(&mut driver);
    while driver.step() {}
    assert_eq!(driver.code(), "Deploying");
    let now = driver.now;
    let active = |facts: &mut crate::provision::Facts| facts.state = NodeState::Active;
    driver.machine.tamper(now, active);
    driver.settle(400);
    assert_eq!(*driver.state(), State::Provisioned, "{:?}", driver.last);
    assert_eq!((driver.count("deploy"), driver.count("undeploy")), (1, 0));
    // Another image is one all the same, also while the first one is on its way.
    let mut driver = Driver::new(with_image(A));
    reach(&mut driver, NodeState::DeployWait);
    redirect(&mut driver);
    driver.edit(|host| host.spec.image.as_mut().unwrap().url = "http://images/b".into());
    driver.settle(400);
    assert_eq!(driver.deployed.as_ref().unwrap().url, "http://images/b");
    assert_eq!((driver.count("deploy"), driver.count("undeploy")), (2, 1));
}

#[test]
fn an_available_host_whose_machine_runs_something_is_not_deployed_over_it() {
    let mut driver = settled(with_image(A));
    // The store's backup is from before.
    let available = |driver: &mut Driver| {
        let status = driver.host.as_mut().unwrap().status.as_mut().unwrap();
        status.provisioning.state = State::Available;
        status.provisioning.image = crate::api::Shared::default();
    };
    available(&mut driver);
    driver.settle(100);
    assert_eq!(*driver.state(), State::Provisioned);
    assert_eq!(driver.sent(), [""; 0]);
    available(&mut driver);
    driver.edit(|host| host.spec.image.as_mut().unwrap().url = "http://images/b".into());
    is_idle(&mut driver, "UnexpectedMachineState");
}

#[test]
fn a_host_that_is_detached_is_not_worked_on_any_more() {
    // Also when it is being deleted already.
    let mut driver = settled(with_image(A));
    driver.delete();
    reach(&mut driver, NodeState::CleanWait);
    driver.effects.clear();
    driver.annotate(annotation::DETACHED, "");
    while driver.step() {}
    assert_eq!(
        (driver.state(), driver.code()),
        (&State::Deleting, "MachineBusy")
    );
    driver.settle(400);
    assert!(driver.host.is_none());
    assert_eq!(driver.sent(), ["forget"]);
    // What it is at is waited for, unless that is to be ended.
    for (value, effects) in [("", vec![]), (r#"{"force":true}"#, vec!["abort", "forget"])] {
        let mut driver = settled(with_image(A));
        let service = NodeState::ServiceWait;
        driver
            .machine
            .tamper(driver.now, |facts| facts.state = service);
        driver.annotate(annotation::DETACHED, value);
        for _ in 0..50 {
            driver.step();
        }
        assert_eq!(driver.sent(), effects, "{value}");
    }
}

#[test]
fn what_a_person_asks_for_is_tried_at_once() {
    let mut driver = settled(with_image(A));
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

#[test]
fn a_service_that_the_other_operator_began_comes_to_its_end() {
    for error in [false, true] {
        for state in [NodeState::Active, NodeState::ServiceFailed] {
            let mut driver = settled(with_image(A));
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
    let mut driver = settled(with_image(A));
    let failed = NodeState::ServiceFailed;
    driver
        .machine
        .tamper(driver.now, |facts| facts.state = failed);
    is_idle(&mut driver, "UnexpectedMachineState");
}

#[test]
fn maintenance_mode_is_left_to_whoever_set_it_while_there_is_nothing_to_do() {
    for spec in [with_image(A), plain()] {
        let mut driver = settled(spec);
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
fn an_inventory_that_is_there_already_is_the_hosts() {
    let of = |vendor: &str| {
        let text = format!(r#"{{"systemVendor":{{"manufacturer":"{vendor}"}}}}"#);
        serde_json::from_str::<HardwareJson>(&text).unwrap()
    };
    let disabled = || {
        let mut spec = plain();
        spec["inspectionMode"] = "disabled".into();
        Driver::new(spec)
    };
    let vendor = |driver: &Driver| {
        let hardware = driver.status().hardware.as_ref().unwrap();
        hardware.get().unwrap().system_vendor.manufacturer
    };
    // Before the annotation, which goes all the same.
    let mut driver = disabled();
    driver.inventory = Some(of("data"));
    driver.annotate(annotation::HARDWARE_DETAILS, &of("annotation").text());
    driver.settle(400);
    assert_eq!(vendor(&driver), "data");
    let reasons: Vec<_> = driver.notes.iter().map(|note| note.reason).collect();
    assert!(
        reasons.contains(&reason::UPDATE_HARDWARE_DETAILS),
        "{reasons:?}"
    );
    assert!(reasons.contains(&reason::REMOVE_ANNOTATION), "{reasons:?}");
    // An annotation that comes later is news.
    driver.annotate(annotation::HARDWARE_DETAILS, &of("later").text());
    driver.settle(400);
    assert_eq!(vendor(&driver), "later");
    // What an inspection found is not given up for an annotation.
    let mut driver = settled(plain());
    let found = vendor(&driver);
    driver.inventory = Some(of("data"));
    driver.annotate(annotation::HARDWARE_DETAILS, &of("annotation").text());
    driver.settle(400);
    assert_eq!(vendor(&driver), found);
    assert_eq!(driver.notes.len(), 1, "{:?}", driver.notes);
}
