//! Provisioning.

use super::*;

#[test]
fn another_image_is_provisioned_after_deprovisioning() {
    let mut driver = provisioned();
    driver.edit(|host| host.spec.image.as_mut().unwrap().url = B.into());
    driver.settle(300);
    assert_snapshot!(
        driver.states().join(" > "),
        @"deprovisioning > available > provisioning > provisioned"
    );
    assert_snapshot!(driver.sent().join(" "), @"undeploy deploy");
    assert_eq!(driver.machine.hardware.disk.as_deref(), Some(B));
}

#[test]
fn another_checksum_or_user_data_provisions_nothing() {
    let mut driver = provisioned();
    driver.edit(|host| {
        host.spec.image.as_mut().unwrap().checksum = "bb".into();
        host.spec.user_data = Some(crate::api::SecretReference::default());
    });
    driver.settle(100);
    assert!(driver.effects.is_empty());
    assert_eq!(*driver.state(), State::Provisioned);
}

#[test]
fn an_image_that_changes_on_the_way_is_never_called_provisioned() {
    let mut driver = available();
    driver.edit(|host| {
        host.spec.image = serde_json::from_value(with_image(A)["image"].clone()).unwrap();
    });
    while driver.machine.facts().unwrap().state != NodeState::DeployWait {
        if !driver.step() {
            driver.pass();
        }
    }
    driver.edit(|host| host.spec.image.as_mut().unwrap().url = B.into());
    driver.settle(300);
    assert_eq!(driver.machine.hardware.disk.as_deref(), Some(B));
    assert_eq!(driver.machine.hardware.writes, 1, "the first was stopped");
    assert_eq!(driver.status().provisioning.image.url, B);
}

#[test]
fn a_failing_image_is_given_up_after_five_tries_and_another_is_tried() {
    let mut driver = available();
    driver.machine.troubles.next.extend([Task::Deploy; 5]);
    driver.edit(|host| {
        host.spec.image = serde_json::from_value(with_image(A)["image"].clone()).unwrap();
    });
    driver.settle(1000);
    assert_eq!(*driver.state(), State::Available);
    assert_eq!(driver.status().provisioning_fail_count, 5);
    assert_snapshot!(
        waiting(&driver).unwrap(),
        @"RetryLimit: provisioning failed 5 times, retry limit (5) reached; change image or reset provisioningFailCount to retry"
    );
    let errors = driver.notes.iter().filter(|note| note.warning).count();
    assert_eq!(errors, 6, "{:#?}", driver.notes);
    driver.edit(|host| host.spec.image.as_mut().unwrap().url = B.into());
    driver.settle(300);
    assert_eq!(*driver.state(), State::Provisioned);
    let status = driver.status();
    assert_eq!((status.provisioning_fail_count, status.error_count), (0, 0));
    assert_eq!(status.error_type, None);
}

#[test]
fn user_data_that_is_missing_is_waited_for_by_name() {
    let mut driver = Driver::new(with_image(A));
    driver.missing = vec!["secret `ud` not found: tried secrets/ud".into()];
    driver.settle(200);
    assert_eq!(*driver.state(), State::Provisioning);
    assert_snapshot!(
        waiting(&driver).unwrap(),
        @"ReferenceMissing: secret `ud` not found: tried secrets/ud"
    );
    assert_eq!(driver.status().operational_status, OperationalStatus::Ok);
    assert_eq!(
        driver.last.as_ref().unwrap().slot,
        None,
        "waiting for a person holds no slot"
    );
    driver.missing.clear();
    driver.settle(200);
    assert_eq!(
        (driver.state(), waiting(&driver)),
        (&State::Provisioned, None)
    );
}

#[test]
fn what_runs_stays_until_the_next_one_could_be_deployed() {
    let mut driver = provisioned();
    driver.missing = vec!["secret `ud` not found: tried secrets/ud".into()];
    driver.edit(|host| host.spec.image.as_mut().unwrap().url = B.into());
    driver.settle(200);
    assert_eq!(*driver.state(), State::Provisioned);
    assert_eq!(driver.sent(), [""; 0]);
    assert_snapshot!(
        waiting(&driver).unwrap(),
        @"ReferenceMissing: secret `ud` not found: tried secrets/ud; what is deployed stays until it is there"
    );
    driver.missing.clear();
    driver.settle(300);
    assert_eq!(driver.status().provisioning.image.url, B);
    // To take it off nothing is needed.
    driver.missing = vec!["secret `ud` not found: tried secrets/ud".into()];
    driver.edit(|host| host.spec.image = None);
    driver.settle(300);
    assert_eq!(*driver.state(), State::Available);
}

#[test]
fn without_slots_a_host_is_delayed_and_costs_nothing() {
    let mut driver = Driver::new(with_image(A));
    driver.grants = Grants::default();
    driver.settle(100);
    assert_eq!(*driver.state(), State::Registering);
    assert_eq!(
        driver.status().operational_status,
        OperationalStatus::Delayed
    );
    assert_eq!(
        driver.last.as_ref().unwrap().wake,
        Wake::OnSlot(SlotKind::Inspect)
    );
    assert_eq!(waiting(&driver), None);
    driver.grants.inspect = true;
    driver.settle(100);
    assert_eq!(*driver.state(), State::Available);
    assert_eq!(
        driver.last.as_ref().unwrap().wake,
        Wake::OnSlot(SlotKind::Clean)
    );
    driver.grants.clean = true;
    driver.settle(100);
    assert_eq!(*driver.state(), State::Provisioning);
    assert_eq!(driver.code(), "WaitingForDeploySlot");
    driver.grants.deploy = true;
    driver.settle(100);
    assert_eq!(*driver.state(), State::Provisioned);
    assert_eq!(driver.status().operational_status, OperationalStatus::Ok);
}
