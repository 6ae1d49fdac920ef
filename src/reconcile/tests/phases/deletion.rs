//! Deletion.

use super::*;

/// States with a driver that has just reached each.
fn at(state: &State) -> Driver {
    let mut driver = match state {
        State::Unmanaged => Driver::new(serde_json::json!({ "online": true })),
        State::ExternallyProvisioned => {
            let mut driver = Driver::new(plain());
            driver.edit(|host| host.spec.externally_provisioned = true);
            driver
        }
        _ => Driver::new(with_image(A)),
    };
    if *state == State::Deprovisioning {
        driver.settle(300);
        driver.edit(|host| host.spec.image = None);
    }
    driver.reach(state);
    driver
}

#[test]
fn deletion_ends_from_every_state_whatever_is_missing() {
    let states = [
        State::Unmanaged,
        State::Registering,
        State::Inspecting,
        State::Preparing,
        State::Available,
        State::Provisioning,
        State::Provisioned,
        State::ExternallyProvisioned,
        State::Deprovisioning,
    ];
    for state in &states {
        for (credentials, machine, bmc) in [
            (true, true, true),
            (false, true, true),
            (true, false, true),
            (false, false, true),
            (true, true, false),
        ] {
            for more_steps in 0..12 {
                let mut driver = at(state);
                for _ in 0..more_steps {
                    if !driver.step() {
                        driver.pass();
                    }
                }
                driver.login.present = credentials;
                if !machine {
                    driver.machine.lose();
                }
                driver.machine.set_reachable(bmc, driver.now);
                driver.delete();
                driver.settle(500);
                let place = format!("{state} {credentials} {machine} {bmc} {more_steps}");
                assert!(driver.host.is_none(), "{place}: {:?}", driver.last);
                assert!(driver.machine.facts().is_none(), "{place}");
            }
        }
    }
}

#[test]
fn deletion_waits_for_a_provisioner_that_is_down_and_says_so() {
    let mut driver = provisioned();
    driver.down = true;
    driver.delete();
    driver.settle(50);
    assert_eq!(driver.code(), "ProvisionerDown");
    assert_eq!(*driver.state(), State::Deprovisioning);
    driver.down = false;
    driver.settle(200);
    assert!(driver.host.is_none());
}

#[test]
fn an_unmanaged_host_goes_also_without_a_provisioner() {
    let mut driver = at(&State::Unmanaged);
    driver.settle(10);
    driver.down = true;
    driver.delete();
    driver.settle(10);
    assert!(driver.host.is_none());
}

#[test]
fn a_deletion_gives_up_on_what_fails_more_than_three_times() {
    let mut driver = provisioned();
    driver.machine.troubles.next.extend([Task::Undeploy; 50]);
    driver.machine.troubles.next.extend([Task::Power; 50]);
    driver.delete();
    driver.settle(500);
    assert!(driver.host.is_none());
    let sent = driver.sent();
    assert_eq!(
        sent.iter().filter(|name| **name == "undeploy").count(),
        4,
        "{sent:?}"
    );
    assert_eq!(
        sent.iter().filter(|name| **name == "power").count(),
        4,
        "{sent:?}"
    );
}

#[test]
fn a_machine_that_belongs_to_somebody_else_survives_the_deletion() {
    let mut driver = Driver::new(plain());
    driver.taken = Some("belongs to `m~other`".into());
    driver.waits_for("MachineTaken");
    driver.delete();
    driver.settle(50);
    assert!(driver.host.is_none());
    assert!(!driver.sent().contains(&"forget"));
}
