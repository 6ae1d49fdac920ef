//! What is everybody's trouble is nobody's error.

use super::*;

#[test]
fn busy_unreachable_and_unauthorized_are_waits() {
    for fault in [
        Fault::Busy {
            what: "locked".into(),
            retry: Duration::from_secs(1),
        },
        Fault::Unreachable("connection refused".into()),
        Fault::Unauthorized("401".into()),
        Fault::Gone,
    ] {
        let mut driver = Driver::new(plain());
        driver.answers = vec![fault.clone(); 4];
        driver.settle(300);
        assert_eq!(*driver.state(), State::Available, "{fault:?}");
        assert!(
            driver.statuses.iter().all(|status| status.error_count == 0),
            "{fault:?}"
        );
        assert!(driver.notes.iter().all(|note| !note.warning), "{fault:?}");
    }
}

#[test]
fn a_locked_machine_is_asked_again_after_one_to_three_seconds() {
    let mut driver = Driver::new(plain());
    driver.answers = vec![Fault::Busy {
        what: "locked".into(),
        retry: Duration::ZERO,
    }];
    now(&mut driver);
    let Some(Wake::After(pause)) = driver.last.as_ref().map(|step| step.wake) else {
        panic!("{:?}", driver.last);
    };
    assert!(
        pause >= Duration::from_secs(1) && pause <= Duration::from_secs(3),
        "{pause:?}"
    );
    assert_eq!(driver.code(), "Busy");
}

#[test]
fn a_provisioner_that_is_down_is_waited_for_without_a_trace() {
    let mut driver = available();
    driver.down = true;
    driver.edit(|host| host.spec.online = false);
    driver.settle(20);
    assert_eq!(driver.code(), "ProvisionerDown");
    assert_eq!(waiting(&driver), None);
    assert_eq!(driver.status().operational_status, OperationalStatus::Ok);
    driver.down = false;
    driver.settle(100);
    assert!(!driver.machine.hardware.power);
}

/// A restart begins like this, too: nobody is seen at first.
#[test]
fn what_a_host_waits_for_outlasts_a_provisioner_that_is_down() {
    let mut driver = provisioned();
    driver.machine.set_reachable(false, driver.now);
    driver.edit(|host| host.spec.online = false);
    driver.settle(100);
    assert_eq!(driver.code(), "PowerFault");
    let before = driver.status().clone();
    assert!(before.condition(&ConditionType::Waiting).is_some());
    let written = driver.statuses.len();
    driver.down = true;
    driver.settle(20);
    assert_eq!(driver.code(), "ProvisionerDown");
    driver.down = false;
    driver.settle(100);
    assert_eq!(driver.code(), "PowerFault");
    assert_eq!(*driver.status(), before);
    assert_eq!(driver.statuses.len(), written, "nothing is written");
}

#[test]
fn a_provisioner_that_refuses_our_credentials_is_a_persons_matter() {
    let mut driver = available();
    (driver.down, driver.unauthorized) = (true, true);
    driver.edit(|host| host.spec.online = false);
    driver.settle(20);
    assert_eq!(driver.code(), "ProvisionerUnauthorized");
    assert!(driver.last.as_ref().is_some_and(|step| step.why.blocked));
    assert_eq!(waiting(&driver), None, "it is no condition of the host");
}
