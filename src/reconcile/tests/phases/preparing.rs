//! Preparing.

use super::*;

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
