//! Whole lives.

use insta::assert_snapshot;

use super::driver::{Driver, plain, with_image};
use crate::api::ProvisioningState as State;

#[test]
fn a_life_from_nothing_to_provisioned_and_to_nothing_again() {
    let mut driver = Driver::new(with_image("http://images/a.qcow2"));
    driver.settle(200);
    assert_eq!(*driver.state(), State::Provisioned);
    assert_eq!(
        driver.machine.hardware.disk.as_deref(),
        Some("http://images/a.qcow2")
    );
    assert!(driver.status().powered_on);
    assert_snapshot!(driver.states().join(" > "), @"registering > inspecting > preparing > available > provisioning > provisioned");
    assert_snapshot!(driver.sent().join(" "), @"enroll manage inspect read-inventory read-firmware provide deploy");
    // At the fixpoint nothing is returned.
    assert!(!driver.step());

    driver.delete();
    driver.settle(200);
    assert!(driver.host.is_none());
    assert!(driver.machine.facts().is_none());
    assert!(!driver.machine.hardware.power);
    assert_snapshot!(driver.sent()[7..].join(" "), @"undeploy forget");
}

#[test]
fn available_hosts_are_powered_as_wanted() {
    let mut driver = Driver::new(plain());
    driver.settle(200);
    assert_eq!(*driver.state(), State::Available);
    assert!(driver.machine.hardware.power);
    assert!(driver.status().powered_on);
    driver.edit(|host| host.spec.online = false);
    driver.settle(200);
    assert!(!driver.machine.hardware.power);
    assert!(!driver.status().powered_on);
}
