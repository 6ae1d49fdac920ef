//! Registering.

use super::*;

#[test]
fn without_a_bmc_a_host_is_unmanaged_until_it_gets_one() {
    let mut driver = Driver::new(serde_json::json!({ "online": true }));
    driver.settle(20);
    assert_eq!(*driver.state(), State::Unmanaged);
    assert_eq!(
        driver.status().operational_status,
        OperationalStatus::Discovered
    );
    driver.edit(|host| host.spec = serde_json::from_value(plain()).unwrap());
    driver.settle(200);
    assert_eq!(*driver.state(), State::Available);
    assert_eq!(driver.status().operational_status, OperationalStatus::Ok);
}

#[test]
fn a_missing_secret_is_one_error_and_no_pause() {
    let mut driver = Driver::new(plain());
    driver.login.present = false;
    driver.settle(20);
    for _ in 0..10 {
        later(&mut driver, Duration::from_mins(1));
        assert!(!driver.step());
    }
    assert_eq!(*driver.state(), State::Registering);
    assert_eq!(driver.status().error_type, Some(ErrorType::Registration));
    assert_eq!(driver.notes.len(), 1, "{:?}", driver.notes);
    assert_snapshot!(waiting(&driver).unwrap(), @"CredentialsMissing: secret `bmc` not found");
    assert!(driver.effects.is_empty());
    driver.login.present = true;
    now(&mut driver);
    assert_snapshot!(driver.sent().join(" "), @"enroll manage");
    driver.settle(200);
    assert_eq!(*driver.state(), State::Available);
    assert_eq!(waiting(&driver), None);
    assert_eq!(driver.status().error_type, None);
}

#[test]
fn wrong_credentials_rest_and_new_ones_are_tried_at_once() {
    let mut driver = Driver::new(plain());
    driver.login.password = "wrong".into();
    for _ in 0..60 {
        if !driver.step() {
            driver.pass();
        }
        if driver
            .host
            .as_ref()
            .unwrap()
            .status
            .as_ref()
            .is_some_and(|s| s.error_count == 3)
        {
            break;
        }
    }
    let status = driver.status();
    assert_eq!(status.error_count, 3);
    assert_eq!(status.error_type, Some(ErrorType::Registration));
    assert!(status.good_credentials.credentials.is_none());
    assert_eq!(driver.code(), "BackingOff");
    driver.login.password = "right".into();
    driver.login.version += 1;
    let before = driver.now;
    driver.effects.clear();
    now(&mut driver);
    assert_snapshot!(driver.sent().join(" "), @"amend manage");
    assert_eq!(driver.now, before);
    driver.settle(200);
    assert_eq!(driver.status().good_credentials.credentials_version, "v2");
}

#[test]
fn rotated_credentials_are_written_once() {
    let mut driver = provisioned();
    driver.login.version += 1;
    driver.settle(50);
    assert_snapshot!(driver.sent().join(" "), @"amend");
    let status = driver.status();
    assert_eq!(status.tried_credentials.credentials_version, "v2");
    assert_eq!(status.good_credentials, status.tried_credentials);
    // Tried, and good once it is seen.
    assert_eq!(driver.statuses.len(), 2);
}

#[test]
fn a_machine_that_another_node_owns_is_refused_by_name() {
    let mut driver = Driver::new(plain());
    driver.taken = Some("52:54:00:00:00:01 belongs to the node `m~other`".into());
    driver.waits_for("MachineTaken");
    assert!(driver.effects.is_empty());
    assert_eq!(driver.status().error_type, Some(ErrorType::Registration));
    assert_snapshot!(
        waiting(&driver).unwrap(),
        @"MachineTaken: 52:54:00:00:00:01 belongs to the node `m~other`"
    );
    // Nobody tells it that the other one went.
    driver.taken = None;
    assert!(driver.pass(), "it looks again by itself");
    driver.settle(200);
    assert_eq!(*driver.state(), State::Available);
}

#[test]
fn a_machine_that_is_known_already_is_taken_with_its_inventory() {
    // Its host was lost with all that was known of it; the node was not.
    let mut driver = available();
    let host = driver.host.as_mut().unwrap();
    host.status = None;
    host.metadata.finalizers = None;
    driver.settle(200);
    assert_eq!(*driver.state(), State::Available);
    // The credentials that it has are not known, so they are written.
    assert_snapshot!(driver.sent().join(" "), @"amend read-inventory");
}

/// As after the loss of a store: the status went, the machine did not.
#[test]
fn a_machine_that_runs_what_a_new_host_wants_is_taken_as_it_is() {
    let mut driver = provisioned();
    let before = driver.status().clone();
    let host = driver.host.as_mut().unwrap();
    host.status = None;
    host.metadata.finalizers = None;
    driver.settle(100);
    assert_eq!(driver.code(), "Provisioned");
    assert_snapshot!(driver.sent().join(" "), @"amend read-inventory");
    assert_snapshot!(driver.states().join(" > "), @"registering > provisioned");
    assert_eq!(
        driver.status().provisioning.image,
        before.provisioning.image
    );
    assert_eq!(driver.status().hardware, before.hardware);
    assert_eq!(driver.machine.hardware.disk.as_deref(), Some(A));
}

/// The node has the host's name, and is of another machine.
#[test]
fn a_machine_with_another_mac_is_not_taken_for_the_hosts() {
    let mut driver = provisioned();
    let host = driver.host.as_mut().unwrap();
    host.status = None;
    host.spec.boot_mac_address = "52:54:00:99:99:99".to_owned();
    driver.settle(100);
    assert_eq!(driver.code(), "UnexpectedMachineState");
    let text = waiting(&driver).unwrap();
    assert!(
        text.contains("no inventory shows the host's boot MAC address"),
        "{text}"
    );
    assert_eq!(driver.machine.hardware.disk.as_deref(), Some(A));
    assert!(!driver.sent().contains(&"deploy"));
}

#[test]
fn a_machine_that_runs_something_else_is_not_touched_by_a_new_host() {
    for method in [false, true] {
        let mut driver = provisioned();
        driver.host.as_mut().unwrap().status = None;
        driver.edit(|host| {
            if method {
                host.spec.custom_deploy =
                    serde_json::from_value(serde_json::json!({ "method": "install" })).unwrap();
            } else {
                host.spec.image.as_mut().unwrap().url = B.to_owned();
            }
        });
        driver.settle(100);
        assert_eq!(driver.code(), "UnexpectedMachineState");
        assert_eq!(driver.machine.hardware.disk.as_deref(), Some(A));
        assert_eq!(driver.sent(), ["amend"]);
    }
}

#[test]
fn an_unknown_profile_is_an_error_that_is_told_once() {
    let mut driver = Driver::new(plain());
    driver.edit(|host| host.spec.hardware_profile = "hal9000".into());
    driver.settle(100);
    for _ in 0..5 {
        assert!(!driver.step());
    }
    assert_eq!(driver.code(), "ProfileInvalid");
    let errors = driver.notes.iter().filter(|note| note.warning).count();
    assert_eq!(errors, 1, "{:#?}", driver.notes);
    driver.edit(|host| host.spec.hardware_profile = "dell".into());
    driver.settle(200);
    assert_eq!(*driver.state(), State::Available);
    let hints = driver
        .status()
        .provisioning
        .root_device_hints
        .as_ref()
        .unwrap();
    assert_eq!(hints.hctl, "0:0:0:0");
}
