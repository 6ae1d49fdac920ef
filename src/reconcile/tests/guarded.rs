//! What would cost a machine what is on its disks, and is waited for instead.

use super::driver::{Driver, plain, with_image};
use crate::api::names::annotation;
use crate::api::{BootMode, CleaningMode, ErrorType, ProvisioningState as State};
use crate::provision::{Drift, NodeState, Other};

const A: &str = "http://images/a";

#[test]
fn a_machine_is_not_made_another_one() {
    for other in [Other::Bmc, Other::BootMac] {
        let moved = other == Other::Bmc;
        let differs = Drift {
            ports: !moved,
            other: Some(other),
            ..Drift::default()
        };
        for spec in [with_image(A), plain()] {
            let mut driver = Driver::settled(spec);
            if moved {
                driver.boot_mode = Some(BootMode::Legacy);
            }
            driver.differs = differs;
            driver.is_idle("AddressChanged");
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
    driver.reach_machine(NodeState::Enroll);
    driver.differs.other = Some(Other::Bmc);
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
    driver.reach_machine(NodeState::DeployWait);
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
    let mut driver = Driver::settled(with_image(A));
    driver.edit(|host| {
        host.spec.externally_provisioned = true;
        host.spec.image = None;
    });
    driver.is_idle("ExternalTooLate");
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
    driver.reach_machine(NodeState::DeployWait);
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
    driver.reach_machine(NodeState::DeployWait);
    redirect(&mut driver);
    driver.edit(|host| host.spec.image.as_mut().unwrap().url = "http://images/b".into());
    driver.settle(400);
    assert_eq!(driver.deployed.as_ref().unwrap().url, "http://images/b");
    assert_eq!((driver.count("deploy"), driver.count("undeploy")), (2, 1));
}

#[test]
fn an_available_host_whose_machine_runs_something_is_not_deployed_over_it() {
    let mut driver = Driver::settled(with_image(A));
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
    driver.is_idle("UnexpectedMachineState");
}
