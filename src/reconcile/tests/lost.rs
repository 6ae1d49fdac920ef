//! Answers that get lost, refusals in a row, edits at the worst moment: what was done is known, and
//! nothing is done twice or again and again.

use std::time::Duration;

use serde_json::json;

use super::driver::{Driver, plain, with_image};
use crate::api::names::annotation;
use crate::api::{BootMode, CustomDeploy, ErrorType, ProvisioningState as State, RaidConfig};
use crate::provision::{Fault, NodeState};

const A: &str = "http://images/a";
const B: &str = "http://images/b";

/// Steps without letting time pass.
fn now(driver: &mut Driver) {
    for _ in 0..50 {
        if !driver.step() {
            return;
        }
    }
    panic!("no rest: {:?}", driver.last);
}

fn until(driver: &mut Driver, enough: impl Fn(&Driver) -> bool) {
    for _ in 0..1000 {
        if enough(driver) {
            return;
        }
        if !driver.step() && !driver.pass() {
            break;
        }
    }
    panic!("never: {:?}", driver.last);
}

fn raid(list: &str, levels: &[&str]) -> Option<Box<RaidConfig>> {
    let volumes: Vec<_> = levels
        .iter()
        .map(|level| json!({ "level": level }))
        .collect();
    let raid = json!({ list: volumes });
    Some(Box::new(serde_json::from_value(raid).unwrap()))
}

const HARD: &str = "hardwareRAIDVolumes";
const SOFT: &str = "softwareRAIDVolumes";

fn busy() -> Fault {
    let what = "locked".into();
    let retry = Duration::from_secs(1);
    Fault::Busy { what, retry }
}

// --- Volumes.

#[test]
fn volumes_that_were_edited_while_they_were_made_are_made_again() {
    for lost in [false, true] {
        for crash in [false, true] {
            for more_steps in 0..5 {
                let mut driver = Driver::new(plain());
                driver.edit(|host| host.spec.raid = raid(HARD, &["1"]));
                driver.reach(&State::Preparing);
                driver.lost = usize::from(lost);
                until(&mut driver, |driver| driver.count("clean") == 1);
                for _ in 0..more_steps {
                    if !driver.step() {
                        driver.pass();
                    }
                }
                driver.edit(|host| host.spec.raid = raid(HARD, &["0"]));
                if crash {
                    driver.restart();
                }
                driver.settle(400);
                let case = format!("lost {lost}, crash {crash}, {more_steps} more steps");
                assert_eq!(*driver.state(), State::Available, "{case}");
                assert_eq!(driver.made, raid(HARD, &["0"]), "{case}");
                assert_eq!(driver.status().provisioning.raid, driver.made, "{case}");
            }
        }
    }
}

#[test]
fn volumes_are_made_once_whatever_else_is_edited_or_lost() {
    for lost in [false, true] {
        let mut driver = Driver::new(plain());
        driver.edit(|host| host.spec.raid = raid(HARD, &["1"]));
        driver.reach(&State::Preparing);
        driver.lost = usize::from(lost);
        until(&mut driver, |driver| {
            let facts = driver.machine.facts().unwrap();
            facts.state == NodeState::CleanWait
        });
        now(&mut driver);
        driver.edit(|host| host.spec.description = "looked at".into());
        driver.settle(400);
        assert_eq!(driver.count("clean"), 1, "lost {lost}");
        assert_eq!(driver.status().provisioning.raid, raid(HARD, &["1"]));
    }
}

#[test]
fn an_empty_list_removes_software_volumes_once() {
    let mut driver = Driver::new(plain());
    driver.edit(|host| host.spec.raid = raid(SOFT, &["1"]));
    driver.settle(400);
    driver.edit(|host| host.spec.raid = raid(SOFT, &[]));
    driver.settle(400);
    assert_eq!(driver.count("clean"), 2);
    assert_eq!(driver.status().provisioning.raid, raid(SOFT, &[]));
    // Where there are none, there is nothing to do.
    let mut driver = Driver::settled(plain());
    driver.edit(|host| host.spec.raid = raid(SOFT, &[]));
    driver.settle(400);
    assert!(driver.did.is_empty());
}

#[test]
fn software_volumes_are_made_anew_after_a_deprovisioning_and_others_stay() {
    for (list, cleans) in [(SOFT, 2), (HARD, 1)] {
        let mut driver = Driver::new(with_image(A));
        driver.edit(|host| host.spec.raid = raid(list, &["1"]));
        driver.settle(400);
        assert_eq!(*driver.state(), State::Provisioned);
        driver.edit(|host| host.spec.image.as_mut().unwrap().url = B.into());
        driver.settle(400);
        assert_eq!(*driver.state(), State::Provisioned);
        assert_eq!(driver.count("clean"), cleans, "{list}");
        assert_eq!(driver.deployed.as_ref().unwrap().url, B);
    }
}

// --- Refusals in a row.

#[test]
fn new_credentials_that_cannot_be_written_are_tried_again_after_growing_pauses() {
    let mut driver = Driver::settled(with_image(A));
    // What failed before does not hold them up.
    driver
        .host
        .as_mut()
        .unwrap()
        .status
        .as_mut()
        .unwrap()
        .error_count = 3;
    driver.login.version += 1;
    driver.refuses = Some("amend");
    now(&mut driver);
    assert_eq!(
        (driver.sent().join(" "), driver.status().error_count),
        ("amend".into(), 1)
    );
    assert_eq!(driver.code(), "BackingOff");
    assert_eq!(driver.status().error_type, Some(ErrorType::Registration));
    assert_eq!(driver.status().good_credentials.credentials_version, "v1");
    until(&mut driver, |driver| driver.status().error_count == 4);
    assert_eq!(driver.sent().len(), 4);
    driver.refuses = None;
    // A crash forgets nothing of it.
    driver.restart();
    now(&mut driver);
    assert_eq!(driver.sent().len(), 4);
    driver.settle(300);
    let status = driver.status();
    assert_eq!(status.tried_credentials.credentials_version, "v2");
    assert_eq!(status.good_credentials, status.tried_credentials);
    assert_eq!((status.error_count, &status.error_type), (0, &None));
}

#[test]
fn a_deployment_that_is_refused_five_times_is_given_up() {
    for refused in ["deploy", "provide"] {
        let mut driver = Driver::settled(plain());
        driver.refuses = Some(refused);
        driver.edit(|host| {
            host.spec.image = serde_json::from_value(with_image(A)["image"].clone()).unwrap();
        });
        until(&mut driver, |driver| {
            let status = driver.host.as_ref().and_then(|host| host.status.as_ref());
            status.is_some_and(|status| status.provisioning_fail_count > 0)
        });
        // Whatever cannot be made available cannot be taken off either; that has a count of its own.
        if refused == "provide" {
            let image = driver.status().last_attempted_image.as_ref().unwrap();
            assert_eq!(image.url, A);
            continue;
        }
        driver.settle(1000);
        assert_eq!(driver.code(), "RetryLimit");
        assert_eq!(
            driver
                .sent()
                .iter()
                .filter(|name| **name == "deploy")
                .count(),
            5
        );
        driver.refuses = None;
        driver.edit(|host| host.spec.image.as_mut().unwrap().url = B.into());
        driver.settle(300);
        assert_eq!(*driver.state(), State::Provisioned);
    }
}

// --- What is deployed.

#[test]
fn a_method_that_changes_on_the_way_is_carried_out() {
    let method = |name: &str| {
        Some(CustomDeploy {
            method: name.into(),
        })
    };
    for lost in [false, true] {
        let mut driver = Driver::settled(plain());
        driver.edit(|host| host.spec.custom_deploy = method("a"));
        driver.reach(&State::Provisioning);
        let is_in = |state| {
            move |driver: &Driver| {
                driver
                    .machine
                    .facts()
                    .is_some_and(|facts| facts.state == state)
            }
        };
        until(&mut driver, is_in(NodeState::Available));
        driver.lost = usize::from(lost);
        until(&mut driver, is_in(NodeState::DeployWait));
        driver.edit(|host| host.spec.custom_deploy = method("b"));
        driver.restart();
        driver.settle(400);
        assert_eq!(*driver.state(), State::Provisioned);
        let deployed = driver.deployed.as_ref().unwrap();
        assert_eq!(deployed.method.as_deref(), Some("b"), "lost {lost}");
        assert_eq!(driver.status().provisioning.custom_deploy, method("b"));
    }
}

#[test]
fn another_boot_mode_waits_for_the_next_deployment() {
    let mut driver = Driver::settled(with_image(A));
    driver.edit(|host| host.spec.boot_mode = Some(BootMode::Legacy));
    driver.settle(100);
    assert!(driver.effects.is_empty());
    assert_eq!(driver.boot_mode, Some(BootMode::Uefi));
    driver.edit(|host| host.spec.image.as_mut().unwrap().url = B.into());
    driver.settle(400);
    let deployed = driver.deployed.as_ref().unwrap();
    assert_eq!(deployed.boot_mode, Some(BootMode::Legacy));
    assert_eq!(
        driver.status().provisioning.boot_mode,
        Some(BootMode::Legacy)
    );
    assert_eq!(driver.sent().join(" "), "undeploy amend deploy");
}

// --- Wishes that annotations bring.

#[test]
fn an_inspection_that_was_asked_for_is_done_once_also_when_its_answer_is_lost() {
    for lost in [0, 1] {
        for crash_at in 0..30 {
            let mut driver = Driver::settled(plain());
            driver.annotate(annotation::INSPECT, "");
            driver.lost = lost;
            for step in 0..30 {
                if step == crash_at {
                    driver.restart();
                }
                if !driver.step() {
                    driver.pass();
                }
            }
            driver.settle(300);
            assert_eq!(
                driver.count("inspect"),
                1,
                "lost {lost}, crash at {crash_at}"
            );
            let host = driver.host.as_ref().unwrap();
            assert_eq!(host.annotation(annotation::INSPECT), None);
            assert_eq!(*driver.state(), State::Available);
        }
    }
}

#[test]
fn a_machine_that_must_not_be_off_is_rebooted_once_whatever_is_answered() {
    let soft = r#"{"mode":"soft"}"#;
    let cases: [(&str, Vec<Fault>, usize, bool); 5] = [
        ("lost", vec![], 1, true),
        ("busy", vec![busy(); 3], 0, true),
        ("refused", vec![Fault::Refused("400".into()); 3], 0, true),
        (
            "nobody there",
            vec![Fault::Unreachable("refused".into()); 3],
            0,
            true,
        ),
        ("only hard", vec![], 0, false),
    ];
    for (case, answers, lost, soft_off) in cases {
        for crash_at in (0..20).map(Some).chain([None]) {
            let mut spec = with_image(A);
            spec["disablePowerOff"] = true.into();
            let mut driver = Driver::settled(spec);
            driver.machine.hardware.soft_off = soft_off;
            driver.annotate(annotation::REBOOT, soft);
            (driver.answers, driver.lost) = (answers.clone(), lost);
            now(&mut driver);
            let sent = driver.effects.len();
            assert!(
                sent <= 1 + usize::from(case == "refused" || case == "only hard"),
                "{case}: {sent}"
            );
            for step in 0..20 {
                if Some(step) == crash_at {
                    driver.restart();
                }
                if !driver.step() {
                    driver.pass();
                }
            }
            driver.settle(300);
            // A crash right after a refusal may lose it; nothing repeats it.
            let count = driver.count("power");
            let case = format!("{case}, crash at {crash_at:?}: {:?}", driver.effects);
            assert!(count == 1 || count == 0 && crash_at.is_some(), "{case}");
            let host = driver.host.as_ref().unwrap();
            assert_eq!(host.annotation(annotation::REBOOT), None, "{case}");
            assert_eq!(driver.status().error_type, None, "{case}");
        }
    }
}

#[test]
fn a_busy_machine_is_not_asked_again_before_its_time_whatever_wakes_the_host() {
    let mut driver = Driver::settled(with_image(A));
    driver.answers = vec![busy(); 1];
    driver.edit(|host| host.spec.online = false);
    now(&mut driver);
    assert_eq!(driver.effects.len(), 1);
    driver.edit(|host| host.spec.description = "woken".into());
    now(&mut driver);
    assert_eq!((driver.effects.len(), driver.code()), (1, "Busy"));
    driver.settle(100);
    assert!(!driver.machine.hardware.power);
}
