//! Power.

use super::*;

#[test]
fn a_reboot_annotation_reboots_once_and_goes() {
    let mut driver = provisioned();
    driver.annotate(annotation::REBOOT, "");
    driver.settle(100);
    let sent: Vec<&Effect> = driver.effects.iter().map(|(effect, _)| effect).collect();
    assert_eq!(
        sent,
        [
            &Effect::Power(PowerTarget::SoftOff),
            &Effect::Power(PowerTarget::On)
        ]
    );
    assert_eq!(
        driver.host.as_ref().unwrap().annotation(annotation::REBOOT),
        None
    );
    assert!(driver.status().powered_on);
}

#[test]
fn a_suffixed_annotation_holds_the_power_off_and_hard_wins() {
    let mut driver = provisioned();
    driver.annotate("reboot.metal3.io/a", "{\"mode\":\"soft\"}");
    driver.annotate("reboot.metal3.io/b", "{\"mode\":\"hard\"}");
    driver.settle(100);
    assert_eq!(driver.effects.len(), 1);
    assert_eq!(driver.effects[0].0, Effect::Power(PowerTarget::HardOff));
    assert_eq!(driver.code(), "PowerHeldOff");
    driver.remove_annotation("reboot.metal3.io/a");
    driver.settle(100);
    assert!(!driver.machine.hardware.power);
    driver.remove_annotation("reboot.metal3.io/b");
    driver.settle(100);
    assert!(driver.machine.hardware.power);
}

#[test]
fn what_cannot_be_done_softly_is_done_hard() {
    let mut driver = provisioned();
    driver.machine.hardware.soft_off = false;
    driver.edit(|host| host.spec.online = false);
    driver.settle(100);
    let sent: Vec<&Effect> = driver.effects.iter().map(|(effect, _)| effect).collect();
    assert_eq!(
        sent,
        [
            &Effect::Power(PowerTarget::SoftOff),
            &Effect::Power(PowerTarget::HardOff)
        ]
    );
    assert!(driver.statuses.iter().all(|status| status.error_count == 0));
}

#[test]
fn power_that_does_not_change_is_an_error_and_tried_again_hard() {
    let mut driver = provisioned();
    driver
        .machine
        .troubles
        .next
        .extend([Task::Power, Task::Power]);
    driver.edit(|host| host.spec.online = false);
    driver.settle(100);
    let sent: Vec<&Effect> = driver.effects.iter().map(|(effect, _)| effect).collect();
    let hard = &Effect::Power(PowerTarget::HardOff);
    assert_eq!(sent, [&Effect::Power(PowerTarget::SoftOff), hard, hard]);
    let counts: Vec<i64> = driver
        .statuses
        .iter()
        .map(|status| status.error_count)
        .collect();
    assert_eq!(counts.iter().max(), Some(&2), "{counts:?}");
    assert_eq!(driver.status().error_type, None);
}

#[test]
fn a_lost_bmc_is_shown_and_waited_for() {
    let mut driver = provisioned();
    driver.machine.set_reachable(false, driver.now);
    driver.edit(|host| host.spec.online = false);
    driver.settle(100);
    assert_eq!(driver.code(), "PowerFault");
    let manageable = driver
        .status()
        .condition(&ConditionType::Manageable)
        .unwrap();
    assert_eq!(manageable.reason.as_str(), "PowerFailure");
    assert!(driver.effects.is_empty());
    driver.machine.set_reachable(true, driver.now);
    driver.settle(100);
    assert!(!driver.machine.hardware.power);
    assert_eq!(waiting(&driver), None);
}

#[test]
fn a_machine_that_must_not_be_off_is_rebooted_instead() {
    let mut driver = provisioned();
    driver.edit(|host| host.spec.disable_power_off = true);
    driver.annotate(annotation::REBOOT, "{\"mode\":\"hard\"}");
    driver.settle(100);
    assert_eq!(driver.effects.len(), 1);
    assert_eq!(driver.effects[0].0, Effect::Power(PowerTarget::Reboot));
    // Held off cannot be had: said, not tried again and again.
    driver.annotate("reboot.metal3.io/hold", "");
    driver.settle(100);
    assert_eq!(driver.effects.len(), 1);
    assert_eq!(driver.code(), "PowerOffDisabled");
    driver.delete();
    driver.settle(200);
    assert!(driver.host.is_none());
    assert!(!driver.sent()[1..].contains(&"power"));
}
