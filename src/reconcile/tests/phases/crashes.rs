//! Crashes.

use super::*;

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
