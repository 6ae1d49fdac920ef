//! Inspecting.

use super::*;

#[test]
fn a_failed_inspection_rests_is_tried_again_and_forgotten() {
    let mut driver = Driver::new(plain());
    driver
        .machine
        .troubles
        .next
        .extend([Task::Inspect, Task::Inspect]);
    driver.settle(300);
    assert_eq!(*driver.state(), State::Available);
    let most = driver
        .statuses
        .iter()
        .map(|status| status.error_count)
        .max();
    assert_eq!(most, Some(2));
    assert_eq!(driver.status().error_count, 0);
    let failed: Vec<&BareMetalHostStatus> = driver
        .statuses
        .iter()
        .filter(|status| status.error_type == Some(ErrorType::Inspection))
        .collect();
    assert_snapshot!(failed[0].error_message, @"Inspect failed in the simulation");
    // 2^1 and 2^2 minutes, each less up to half.
    let took = driver
        .now
        .duration_since("2026-01-01T00:00:00Z".parse().unwrap());
    assert!(
        took >= SignedDuration::from_mins(3) && took <= SignedDuration::from_mins(7),
        "{took}"
    );
}

#[test]
fn an_edit_tries_again_at_once() {
    let mut driver = Driver::new(plain());
    driver.machine.troubles.next.push_back(Task::Inspect);
    driver.reach(&State::Inspecting);
    while driver.code() != "BackingOff" {
        if !driver.step() {
            driver.pass();
        }
    }
    let before = driver.now;
    driver.effects.clear();
    driver.edit(|host| host.spec.description = "looked at".into());
    now(&mut driver);
    assert_eq!(
        (driver.sent().join(" "), driver.now),
        ("inspect".into(), before)
    );
}

#[test]
fn an_inspection_that_leaves_nothing_is_an_error_not_a_loop() {
    let mut driver = Driver::new(plain());
    driver.reach(&State::Inspecting);
    while driver.machine.facts().is_none_or(|facts| !facts.inspected) {
        if !driver.step() {
            driver.pass();
        }
    }
    driver.effects.clear();
    driver.outcome = Some(Outcome {
        effect: Effect::ReadInventory,
        generation: 1,
        result: Ok(Ack::Inventory(None)),
    });
    now(&mut driver);
    assert_eq!(driver.code(), "BackingOff");
    assert!(driver.effects.is_empty());
    // The next try inspects again instead of reading again.
    driver.settle(200);
    assert_eq!(*driver.state(), State::Available);
    assert_snapshot!(driver.sent()[..2].join(" "), @"inspect read-inventory");
}

#[test]
fn the_inspect_annotation_inspects_an_available_host_again() {
    let mut driver = available();
    driver.annotate(annotation::INSPECT, "");
    driver.settle(300);
    assert_snapshot!(driver.states().join(" > "), @"inspecting > preparing > available");
    assert_snapshot!(driver.sent().join(" "), @"inspect read-inventory power");
    assert_eq!(
        driver
            .host
            .as_ref()
            .unwrap()
            .annotation(annotation::INSPECT),
        None
    );
}

#[test]
fn inspection_can_be_disabled_and_details_brought_along() {
    let mut driver = Driver::new(plain());
    driver.edit(|host| host.spec.inspection_mode = Some(InspectionMode::Disabled));
    driver.annotate(annotation::HARDWARE_DETAILS, r#"{"hostname":"brought"}"#);
    driver.settle(200);
    assert_snapshot!(driver.sent().join(" "), @"enroll manage read-firmware power");
    let hardware = driver.status().hardware.as_ref().unwrap();
    assert_eq!(hardware.get().unwrap().hostname, "brought");
    assert_eq!(
        driver
            .host
            .as_ref()
            .unwrap()
            .annotation(annotation::HARDWARE_DETAILS),
        None
    );
}

#[test]
fn a_forced_reboot_starts_a_waiting_inspection_again() {
    let mut driver = Driver::new(plain());
    while driver
        .machine
        .facts()
        .is_none_or(|facts| facts.state != NodeState::InspectWait)
    {
        if !driver.step() {
            driver.pass();
        }
    }
    driver.effects.clear();
    driver.annotate(annotation::REBOOT, r#"{"force":true}"#);
    driver.settle(200);
    assert_snapshot!(driver.sent().join(" "), @"abort inspect read-inventory read-firmware power");
    assert!(driver.statuses.iter().all(|status| status.error_count == 0));
}
