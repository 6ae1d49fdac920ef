//! One thing at a time, phase by phase.

use std::time::Duration;

use insta::assert_snapshot;
use jiff::SignedDuration;

use super::driver::{Driver, plain, with_image};
use crate::api::names::annotation;
use crate::api::{
    BareMetalHostStatus, ConditionType, ErrorType, InspectionMode, OperationalStatus,
    ProvisioningState as State,
};
use crate::budget::{Grants, SlotKind};
use crate::provision::sim::script::Task;
use crate::provision::{Ack, Effect, Fault, NodeState, PowerTarget};
use crate::reconcile::{Outcome, Wake};

const A: &str = "http://images/a";
const B: &str = "http://images/b";

fn provisioned() -> Driver {
    let mut driver = Driver::new(with_image(A));
    driver.settle(300);
    assert_eq!(*driver.state(), State::Provisioned);
    driver.effects.clear();
    driver.statuses.clear();
    driver.notes.clear();
    driver
}

fn available() -> Driver {
    let mut driver = Driver::new(plain());
    driver.settle(300);
    assert_eq!(*driver.state(), State::Available);
    driver.effects.clear();
    driver.statuses.clear();
    driver.notes.clear();
    driver
}

fn waiting(driver: &Driver) -> Option<String> {
    let condition = driver.status().condition(&ConditionType::Waiting)?;
    Some(format!("{}: {}", condition.reason, condition.message))
}

fn later(driver: &mut Driver, time: Duration) {
    driver.now = driver
        .now
        .checked_add(SignedDuration::try_from(time).unwrap())
        .unwrap();
}

/// Steps without letting time pass.
fn now(driver: &mut Driver) {
    for _ in 0..50 {
        if !driver.step() {
            return;
        }
    }
    panic!("no rest: {:?}", driver.last);
}

// --- Registering.

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
    driver.settle(20);
    assert!(driver.effects.is_empty());
    assert_eq!(driver.status().error_type, Some(ErrorType::Registration));
    assert_snapshot!(
        waiting(&driver).unwrap(),
        @"MachineTaken: 52:54:00:00:00:01 belongs to the node `m~other`"
    );
    driver.taken = None;
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

#[test]
fn a_deployed_machine_is_not_touched_by_a_new_host() {
    let mut driver = provisioned();
    driver.host.as_mut().unwrap().status = None;
    driver.settle(100);
    assert_eq!(driver.code(), "UnexpectedMachineState");
    assert_eq!(driver.machine.hardware.disk.as_deref(), Some(A));
    assert_snapshot!(driver.sent().join(" "), @"amend");
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

// --- What is everybody's trouble is nobody's error.

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

// --- Inspecting.

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
    assert_snapshot!(driver.sent().join(" "), @"enroll manage power");
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
    assert_snapshot!(driver.sent().join(" "), @"abort inspect read-inventory power");
    assert!(driver.statuses.iter().all(|status| status.error_count == 0));
}

// --- Preparing.

#[test]
fn raid_is_made_once_and_made_again_when_it_changes() {
    let raid = |level: &str| {
        serde_json::from_value(serde_json::json!({
            "hardwareRAIDVolumes": [{ "level": level }], "softwareRAIDVolumes": null,
        }))
        .unwrap()
    };
    let mut driver = Driver::new(plain());
    driver.edit(|host| host.spec.raid = raid("1"));
    driver.settle(300);
    let cleans = |driver: &Driver| {
        driver
            .sent()
            .iter()
            .filter(|name| **name == "clean")
            .count()
    };
    assert_eq!((driver.state(), cleans(&driver)), (&State::Available, 1));
    driver.edit(|host| host.spec.raid = raid("0"));
    driver.machine.troubles.next.push_back(Task::Clean);
    driver.settle(300);
    assert_eq!((driver.state(), cleans(&driver)), (&State::Available, 3));
    assert_eq!(driver.status().provisioning.raid, raid("0"));
    assert!(
        driver.sent().contains(&"unlock"),
        "failed cleaning sets maintenance"
    );
    // No wish keeps what is there.
    driver.edit(|host| host.spec.raid = None);
    driver.settle(300);
    assert_eq!(cleans(&driver), 3);
}

#[test]
fn other_root_device_hints_pass_through_preparing() {
    let mut driver = available();
    driver.edit(|host| {
        host.spec.root_device_hints =
            serde_json::from_value(serde_json::json!({ "deviceName": "/dev/nvme0n1" })).unwrap();
    });
    driver.settle(100);
    assert_snapshot!(driver.states().join(" > "), @"preparing > available");
    assert!(driver.effects.is_empty());
}

#[test]
fn states_that_are_only_passed_need_not_be_written() {
    let mut driver = Driver::new(with_image(A));
    driver.policy.write_passing_states = false;
    driver.settle(200);
    assert_snapshot!(
        driver.states().join(" > "),
        @"registering > inspecting > provisioning > provisioned"
    );
    assert_eq!(driver.statuses.len(), 5);
}

// --- Provisioning.

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

// --- Power.

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

// --- Externally provisioned, detached, paused.

#[test]
fn an_externally_provisioned_host_is_adopted_and_keeps_its_disk() {
    let mut driver = Driver::new(plain());
    driver.edit(|host| host.spec.externally_provisioned = true);
    driver.machine.hardware.disk = Some("somebody's".into());
    driver.machine.troubles.next.push_back(Task::Adopt);
    driver.settle(200);
    assert_eq!(*driver.state(), State::ExternallyProvisioned);
    assert_snapshot!(driver.sent().join(" "), @"enroll manage adopt adopt power");
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

#[test]
fn a_detached_host_is_deleted_as_its_annotation_says() {
    let mut driver = provisioned();
    driver.annotate(annotation::DETACHED, "{\"deleteAction\":\"delay\"}");
    driver.settle(100);
    driver.delete();
    driver.settle(100);
    assert_eq!(driver.code(), "DeleteDelayed");
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
    assert!(driver.effects.is_empty(), "{:?}", driver.sent());
    assert_eq!(
        driver.host.as_ref().unwrap().annotation(annotation::STATUS),
        None
    );
}

// --- Losses.

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

// --- Deletion.

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
    driver.settle(10);
    driver.delete();
    driver.settle(50);
    assert!(driver.host.is_none());
    assert!(!driver.sent().contains(&"forget"));
}

// --- Crashes.

#[test]
fn a_crash_at_any_point_does_nothing_twice() {
    let life = |crash_at: Option<usize>| {
        let mut driver = Driver::new(with_image(A));
        driver.edit(|host| {
            host.spec.raid = serde_json::from_value(serde_json::json!({
                "hardwareRAIDVolumes": [{ "level": "1" }], "softwareRAIDVolumes": null,
            }))
            .unwrap();
        });
        for step in 0..400 {
            if crash_at == Some(step) {
                driver.restart();
            }
            if !driver.step() && !driver.pass() {
                break;
            }
        }
        driver.settle(300);
        assert_eq!(*driver.state(), State::Provisioned);
        let mut sent = driver.sent();
        // Writing the same credentials or reading again is no harm.
        sent.retain(|name| *name != "amend" && *name != "read-inventory");
        sent.join(" ")
    };
    let whole = life(None);
    assert_snapshot!(whole, @"enroll manage inspect clean provide deploy");
    for crash_at in 0..120 {
        assert_eq!(life(Some(crash_at)), whole, "crash before step {crash_at}");
    }
}
