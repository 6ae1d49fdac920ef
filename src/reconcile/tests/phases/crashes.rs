//! Crashes.

use super::*;

#[test]
fn a_crash_at_any_point_does_nothing_twice() {
    let life = |crash_at: Option<usize>, firmware: bool| {
        let mut driver = Driver::new(with_image(A));
        if firmware {
            driver.firmware.want(&[("NumCores", "12")]);
            driver.firmware.update(Some("http://f/a"));
        }
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
        assert!(driver.firmware.standing().changes.is_none());
        let mut sent = driver.sent();
        // Writing the same credentials or reading again is no harm.
        sent.retain(|name| *name != "amend" && !name.starts_with("read-"));
        sent.join(" ")
    };
    for firmware in [false, true] {
        let whole = life(None, firmware);
        assert_eq!(whole, "enroll manage inspect clean provide deploy");
        for crash_at in 0..130 {
            let again = life(Some(crash_at), firmware);
            assert_eq!(again, whole, "crash before step {crash_at}");
        }
    }
}
