//! Externally provisioned, detached, paused.

use super::*;

#[test]
fn an_externally_provisioned_host_is_adopted_and_keeps_its_disk() {
    let mut driver = Driver::new(plain());
    driver.edit(|host| host.spec.externally_provisioned = true);
    driver.machine.hardware.disk = Some("somebody's".into());
    driver.machine.troubles.next.push_back(Task::Adopt);
    driver.settle(200);
    assert_eq!(*driver.state(), State::ExternallyProvisioned);
    assert_snapshot!(driver.sent().join(" "), @"enroll manage read-firmware adopt adopt power");
    assert!(
        driver
            .statuses
            .iter()
            .any(|status| status.error_type == Some(ErrorType::ProvisionedRegistration))
    );
    driver.delete();
    driver.settle(200);
    assert!(driver.host.is_none());
    assert_eq!(driver.machine.hardware.disk.as_deref(), Some("somebody's"));
}

#[test]
fn what_is_external_no_more_is_kept_with_an_image_and_deprovisioned_without() {
    for image in [true, false] {
        let mut driver = Driver::new(if image { with_image(A) } else { plain() });
        driver.edit(|host| host.spec.externally_provisioned = true);
        driver.settle(200);
        driver.effects.clear();
        driver.edit(|host| host.spec.externally_provisioned = false);
        driver.settle(200);
        let state = if image {
            State::Provisioned
        } else {
            State::Available
        };
        assert_eq!(*driver.state(), state);
        assert_eq!(driver.sent().contains(&"undeploy"), !image);
    }
}

#[test]
fn a_detached_host_is_forgotten_and_adopted_when_attached() {
    let mut driver = provisioned();
    driver.annotate(annotation::DETACHED, "");
    driver.settle(100);
    assert_eq!(
        driver.status().operational_status,
        OperationalStatus::Detached
    );
    assert!(driver.machine.facts().is_none());
    // Nothing is done while it is detached.
    driver.edit(|host| host.spec.online = false);
    driver.settle(100);
    assert_snapshot!(driver.sent().join(" "), @"forget");
    driver.remove_annotation(annotation::DETACHED);
    driver.settle(200);
    assert_snapshot!(driver.sent().join(" "), @"forget enroll manage adopt power");
    assert_eq!(driver.machine.hardware.disk.as_deref(), Some(A));
    assert_eq!(*driver.state(), State::Provisioned);
}

/// A provisioned host that is detached and deleted, and whose annotation delays that.
fn delayed() -> Driver {
    let mut driver = provisioned();
    driver.annotate(annotation::DETACHED, "{\"deleteAction\":\"delay\"}");
    driver.settle(100);
    driver.delete();
    driver.settle(100);
    assert_eq!(driver.code(), "DeleteDelayed");
    driver
}

#[test]
fn a_detached_host_is_deleted_as_its_annotation_says() {
    let mut driver = delayed();
    driver.annotate(annotation::DETACHED, "");
    driver.settle(100);
    assert!(driver.host.is_none());
    assert_eq!(
        driver.machine.hardware.disk.as_deref(),
        Some(A),
        "it runs on"
    );
}

#[test]
fn a_delayed_deletion_is_like_any_other_once_the_annotation_is_gone() {
    let mut driver = delayed();
    driver.remove_annotation(annotation::DETACHED);
    driver.settle(300);
    assert!(driver.host.is_none());
    // The plan asks for a person's word before this: the disks are cleaned.
    assert!(driver.sent().contains(&"provide"), "{:?}", driver.sent());
}

#[test]
fn only_force_detaches_a_machine_at_work() {
    for (value, detached) in [("", false), ("{\"force\":true}", true)] {
        let mut driver = Driver::new(plain());
        driver.annotate(annotation::DETACHED, value);
        while driver
            .machine
            .facts()
            .is_none_or(|facts| facts.state != NodeState::InspectWait)
        {
            if !driver.step() && !driver.pass() {
                break;
            }
        }
        assert_eq!(driver.machine.facts().is_none(), detached, "{value}");
    }
}

#[test]
fn a_paused_host_is_not_looked_at() {
    let mut driver = Driver::new(plain());
    driver.annotate(annotation::PAUSED, "");
    assert!(!driver.step());
    assert_eq!(driver.code(), "Paused");
    assert!(driver.host.as_ref().unwrap().status.is_none());
}

#[test]
fn a_status_that_was_brought_along_is_taken_over() {
    let before = provisioned();
    let mut driver = Driver::new(with_image(A));
    driver.machine = before.machine.clone();
    driver.boot_mode.clone_from(&before.boot_mode);
    driver.annotate(
        annotation::STATUS,
        &serde_json::to_string(before.status()).unwrap(),
    );
    driver.settle(200);
    assert_eq!(*driver.state(), State::Provisioned);
    // The objects beside the host stayed where it was.
    assert_snapshot!(driver.sent().join(" "), @"read-firmware");
    assert_eq!(
        driver.host.as_ref().unwrap().annotation(annotation::STATUS),
        None
    );
}

#[test]
fn a_host_that_is_detached_is_not_worked_on_any_more() {
    // Also when it is being deleted already.
    let mut driver = Driver::settled(with_image(A));
    driver.delete();
    driver.reach_machine(NodeState::CleanWait);
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
        let mut driver = Driver::settled(with_image(A));
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
