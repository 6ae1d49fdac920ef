//! Losses.

use super::*;

#[test]
fn a_provisioned_machine_that_was_lost_is_adopted_and_nothing_else() {
    let mut driver = provisioned();
    let id = driver.status().provisioning.id.clone();
    driver.machine.lose();
    driver.settle(200);
    assert_snapshot!(driver.sent().join(" "), @"enroll manage adopt");
    assert_eq!(driver.machine.hardware.writes, 1);
    assert_ne!(driver.status().provisioning.id, id);
    assert_snapshot!(driver.states().join(" > "), @"provisioned");
}

#[test]
fn an_available_machine_that_was_lost_is_not_inspected_again() {
    let mut driver = available();
    driver.machine.lose();
    driver.settle(200);
    assert_snapshot!(driver.sent().join(" "), @"enroll manage");
    assert!(driver.status().hardware.is_some());
}

#[test]
fn what_was_undeployed_behind_its_back_is_not_claimed() {
    let mut driver = provisioned();
    let host = driver.host.clone().unwrap();
    let order = crate::provision::sim::machine::Order {
        effect: &Effect::Undeploy,
        host: &host,
        password: None,
    };
    let mut dice = crate::dice::Dice::new(3);
    driver.machine.apply(&order, driver.now, &mut dice).unwrap();
    driver.settle(100);
    assert_eq!(driver.code(), "UnexpectedMachineState");
    assert!(driver.effects.is_empty());
}
