//! What a host brings along: its status in an annotation, its inventory in one or in HardwareData.

use super::driver::{Driver, plain, with_image};
use crate::api::names::{annotation, reason};
use crate::api::{ErrorType, HardwareJson, ProvisioningState as State};

const A: &str = "http://images/a";

/// The host of a provisioned machine moved to another cluster: without a status, which an annotation
/// has.
fn moved(driver: &Driver, text: Option<&str>) -> Driver {
    let status = serde_json::to_string(driver.status()).unwrap();
    let mut new = Driver::new(with_image(A));
    new.machine = driver.machine.clone();
    new.boot_mode.clone_from(&driver.boot_mode);
    new.annotate(annotation::STATUS, text.unwrap_or(&status));
    new
}

#[test]
fn a_status_that_cannot_be_read_is_not_no_status() {
    let old = Driver::settled(with_image(A));
    for garbage in ["{ no status", "", "[]", r#"{"provisioning": 3}"#] {
        let mut driver = moved(&old, Some(garbage));
        driver.machine.lose();
        driver.is_idle("StatusUnreadable");
        let kept = |driver: &Driver| {
            let host = driver.host.as_ref().unwrap();
            host.annotation(annotation::STATUS).map(str::to_owned)
        };
        assert_eq!(kept(&driver).as_deref(), Some(garbage));
        assert_eq!(driver.status().error_type, Some(ErrorType::Registration));
        // Corrected, it counts, although the host was looked at meanwhile.
        let status = serde_json::to_string(old.status()).unwrap();
        driver.annotate(annotation::STATUS, &status);
        driver.settle(400);
        assert_eq!(*driver.state(), State::Provisioned);
        assert_eq!(
            driver.sent(),
            ["enroll", "manage", "read-firmware", "adopt"]
        );
        assert_eq!(kept(&driver), None);
        // Without it the host is new, and can be deleted with it.
        let mut driver = moved(&old, Some(garbage));
        driver.machine.lose();
        driver.settle(20);
        driver.remove_annotation(annotation::STATUS);
        driver.settle(400);
        assert_eq!(driver.count("inspect"), 1);
        let mut driver = moved(&old, Some(garbage));
        driver.settle(20);
        driver.delete();
        driver.settle(400);
        assert!(driver.host.is_none());
    }
}

#[test]
fn a_status_that_comes_late_is_dropped_and_told_of_once() {
    let mut driver = Driver::settled(with_image(A));
    driver.annotate(
        annotation::STATUS,
        r#"{"provisioning":{"state":"available"}}"#,
    );
    driver.settle(100);
    assert_eq!(*driver.state(), State::Provisioned);
    let host = driver.host.as_ref().unwrap();
    assert_eq!(host.annotation(annotation::STATUS), None);
    let told = driver.notes.iter();
    let told = told.filter(|note| note.reason == reason::INVALID_ANNOTATION_VALUE);
    assert_eq!(told.count(), 1);
}

#[test]
fn an_inventory_that_is_there_already_is_the_hosts() {
    let of = |vendor: &str| {
        let text = format!(r#"{{"systemVendor":{{"manufacturer":"{vendor}"}}}}"#);
        serde_json::from_str::<HardwareJson>(&text).unwrap()
    };
    let disabled = || {
        let mut spec = plain();
        spec["inspectionMode"] = "disabled".into();
        Driver::new(spec)
    };
    let vendor = |driver: &Driver| {
        let hardware = driver.status().hardware.as_ref().unwrap();
        hardware.get().unwrap().system_vendor.manufacturer
    };
    // Before the annotation, which goes all the same.
    let mut driver = disabled();
    driver.inventory = Some(of("data"));
    driver.annotate(annotation::HARDWARE_DETAILS, &of("annotation").text());
    driver.settle(400);
    assert_eq!(vendor(&driver), "data");
    let reasons: Vec<_> = driver.notes.iter().map(|note| note.reason).collect();
    assert!(
        reasons.contains(&reason::UPDATE_HARDWARE_DETAILS),
        "{reasons:?}"
    );
    assert!(reasons.contains(&reason::REMOVE_ANNOTATION), "{reasons:?}");
    // An annotation that comes later is news.
    driver.annotate(annotation::HARDWARE_DETAILS, &of("later").text());
    driver.settle(400);
    assert_eq!(vendor(&driver), "later");
    // What an inspection found is not given up for an annotation.
    let mut driver = Driver::settled(plain());
    let found = vendor(&driver);
    driver.inventory = Some(of("data"));
    driver.annotate(annotation::HARDWARE_DETAILS, &of("annotation").text());
    driver.settle(400);
    assert_eq!(vendor(&driver), found);
    assert_eq!(driver.notes.len(), 1, "{:?}", driver.notes);
}
