//! BIOS settings and firmware.

use super::*;
use crate::api::{FirmwareConditionType, FirmwareUpdate};

const TURBO: &str = "ProcTurboMode";

fn cleans(driver: &Driver) -> usize {
    let sent = driver.sent();
    sent.iter().filter(|name| **name == "clean").count()
}

/// What the last cleaning was asked to change.
fn asked(driver: &Driver) -> String {
    let mut effects = driver.did.iter().rev();
    let changes = effects.find_map(|effect| match effect {
        Effect::Clean { firmware } => firmware.clone(),
        _ => None,
    });
    let changes = changes.unwrap();
    let settings = changes.settings.iter();
    let settings = settings.map(|it| format!("{}={}", it.name, it.value));
    let updates = changes.updates.iter();
    let updates = updates.map(|it| format!("{}={}", it.component, it.url));
    settings.chain(updates).collect::<Vec<_>>().join(" ")
}

fn mark(driver: &Driver) -> Option<String> {
    let condition = driver.status().condition(&ConditionType::Firmware)?;
    Some(format!("{}: {}", condition.reason, condition.message))
}

#[test]
fn a_wish_of_an_available_host_is_carried_out_once() {
    let mut driver = available();
    driver.firmware.want(&[
        (TURBO, "Disabled"),
        ("QuietBoot", "true"),
        ("NumCores", "12"),
    ]);
    driver.settle(300);
    assert_snapshot!(driver.states().join(" > "), @"preparing > available");
    assert_snapshot!(driver.sent().join(" "), @"read-firmware clean read-firmware power");
    // Only what differs, each as the machine takes it.
    assert_snapshot!(asked(&driver), @r#"NumCores=12 ProcTurboMode="Disabled""#);
    assert_eq!(driver.firmware.setting(TURBO).as_deref(), Some("Disabled"));
    assert_eq!(mark(&driver), None);
    // No wish keeps what is there.
    driver.firmware.want(&[]);
    driver.settle(300);
    assert_eq!(cleans(&driver), 1);
}

#[test]
fn a_wish_that_was_there_before_the_host_is_part_of_its_first_preparing() {
    let mut driver = Driver::new(with_image(A));
    driver.firmware.want(&[(TURBO, "Disabled")]);
    driver.firmware.update(Some("http://f/bios"));
    driver.settle(300);
    assert_snapshot!(
        driver.sent().join(" "),
        @"enroll manage inspect read-inventory read-firmware clean read-firmware provide deploy"
    );
    assert_snapshot!(asked(&driver), @r#"ProcTurboMode="Disabled" bios=http://f/bios"#);
}

#[test]
fn what_cannot_be_is_said_and_touches_nothing() {
    let mut driver = available();
    driver
        .firmware
        .want(&[(TURBO, "Disabld"), ("AdminPassword", "x")]);
    driver.settle(300);
    assert!(driver.effects.is_empty() && driver.statuses.is_empty());
    let status = driver.firmware.settings.as_ref().unwrap().status.as_ref();
    let conditions = &status.unwrap().conditions;
    let valid = crate::api::conditions::find(conditions, &FirmwareConditionType::Valid).unwrap();
    assert_snapshot!(valid.message, @"`AdminPassword` is a password and is not set here; `ProcTurboMode` cannot be `Disabld`: it is one of Disabled, Enabled");
}

#[test]
fn only_updates_that_are_not_installed_are_installed() {
    let mut driver = available();
    driver.firmware.update(Some("http://f/1"));
    driver.settle(300);
    assert_snapshot!(asked(&driver), @"bios=http://f/1");
    let components = driver.firmware.components.as_mut().unwrap();
    components.spec.updates.push(FirmwareUpdate {
        component: "bmc".into(),
        url: "http://f/2".into(),
        ..FirmwareUpdate::default()
    });
    components.metadata.generation = Some(9);
    driver.settle(300);
    assert_snapshot!(asked(&driver), @"bmc=http://f/2");
    let status = driver.firmware.components.as_ref().unwrap().status.clone();
    let status = status.unwrap();
    let versions = status.components.iter();
    let versions = versions.map(|it| format!("{} {}", it.component, it.current_version));
    assert_snapshot!(versions.collect::<Vec<_>>().join(", "), @"bios 1.1, bmc 2.1");
    assert_eq!(status.updates.len(), 2);
    // What is installed stays, whatever is wanted no more.
    driver.firmware.update(None);
    driver.settle(300);
    assert_eq!(cleans(&driver), 2);
}

#[test]
fn a_failed_cleaning_is_an_error_that_another_wish_ends_at_once() {
    for wish in [&[][..], &[("NumCores", "11")][..]] {
        let mut driver = available();
        driver.firmware.want(&[(TURBO, "Disabled")]);
        driver.machine.troubles.next.push_back(Task::Clean);
        while driver.status().error_type.is_none() {
            if !driver.step() {
                driver.pass();
            }
        }
        now(&mut driver);
        assert_eq!(driver.status().error_type, Some(ErrorType::Preparation));
        let failed = "Failed: HostFirmwareSettings of generation 2";
        assert_eq!(mark(&driver).as_deref(), Some(failed));
        assert_eq!(driver.code(), "BackingOff");
        driver.firmware.want(wish);
        now(&mut driver);
        assert_ne!(driver.code(), "BackingOff");
        driver.settle(300);
        assert_eq!(
            (driver.state(), cleans(&driver)),
            (&State::Available, 1 + wish.len())
        );
        assert_eq!(driver.firmware.setting(TURBO).as_deref(), Some("Enabled"));
    }
}

#[test]
fn a_failed_cleaning_is_tried_again_after_a_pause_and_makes_no_volumes_anew() {
    let mut driver = Driver::new(plain());
    driver.edit(|host| {
        host.spec.raid = serde_json::from_value(serde_json::json!({
            "hardwareRAIDVolumes": [{ "level": "1" }], "softwareRAIDVolumes": null,
        }))
        .unwrap();
    });
    driver.settle(300);
    let volumes = driver.status().provisioning.raid.clone();
    driver.firmware.want(&[(TURBO, "Disabled")]);
    driver.machine.troubles.next.push_back(Task::Clean);
    driver.settle(300);
    assert_eq!((driver.state(), cleans(&driver)), (&State::Available, 3));
    assert!(driver.statuses.iter().all(|status| {
        status.provisioning.state != State::Available || status.provisioning.raid == volumes
    }));
    assert_eq!(driver.firmware.setting(TURBO).as_deref(), Some("Disabled"));
}

#[test]
fn a_machine_that_does_not_keep_a_setting_is_an_error_not_a_loop() {
    let mut driver = available();
    driver.firmware.want(&[(TURBO, "Disabled")]);
    for _ in 0..100 {
        if !driver.step() && (driver.code() == "BackingOff" || !driver.pass()) {
            break;
        }
        driver.machine.hardware.firmware = None;
    }
    assert_eq!((driver.code(), cleans(&driver)), ("BackingOff", 1));
    assert_snapshot!(driver.status().error_message, @"the cleaning succeeded, and these BIOS settings are not as wanted all the same: `ProcTurboMode`");
}

#[test]
fn a_provisioned_host_keeps_its_firmware_until_it_is_available_again() {
    let mut driver = provisioned();
    driver.firmware.want(&[(TURBO, "Disabled")]);
    driver.settle(300);
    assert!(driver.effects.is_empty());
    assert!(
        driver.firmware.standing().changes.is_some(),
        "it is judged all the same"
    );
    driver.edit(|host| host.spec.image = None);
    driver.settle(300);
    assert_snapshot!(driver.states().join(" > "), @"deprovisioning > available > preparing > available");
    assert_eq!(driver.firmware.setting(TURBO).as_deref(), Some("Disabled"));
}

#[test]
fn a_reading_that_is_refused_holds_nothing_up_for_long() {
    let mut driver = Driver::new(with_image(A));
    driver.refuses = Some("read-firmware");
    for _ in 0..400 {
        if !driver.step()
            && (driver.count("inspect") == 1 && driver.code() == "BackingOff" || !driver.pass())
        {
            break;
        }
    }
    assert_eq!(driver.status().error_type, Some(ErrorType::Preparation));
    driver.refuses = None;
    driver.settle(300);
    assert_eq!(*driver.state(), State::Provisioned);
    assert_eq!(driver.status().error_count, 0);
}
