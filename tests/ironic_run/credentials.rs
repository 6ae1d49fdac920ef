//! Credentials that are wrong and then are not: Ironic's own and those of a BMC.

use crate::fleet::Fleet;
use crate::lab;

#[test]
fn a_bmc_that_refuses_the_credentials_is_tried_again_once_they_are_changed() {
    let Some(lab) = lab::shared() else { return };
    let mut fleet = Fleet::new(&lab, "none", 7, 0);
    fleet.add_redfish("locked", 0);
    fleet
        .project
        .write("secrets/bmc/password", "canary-wrong-password");
    fleet.save();
    let from = lab.mark();
    let running = fleet.run();
    fleet.until("the BMC's refusal is shown", |hosts| {
        hosts
            .iter()
            .any(|host| host["status"]["errorType"] == "registration error")
    });
    let hosts = fleet.project.hosts();
    let text = hosts[0]["status"]["errorMessage"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        text.contains("Redfish") && !text.contains("canary"),
        "{text}"
    );
    assert_eq!(lab.nodes()["locked"].state, "enroll");
    let err = running.err();
    assert!(err.contains("locked") && !err.contains("canary"), "{err}");

    // Corrected: tried at once, not when the pause of a minute and more is over.
    let project = &fleet.project;
    project.write("secrets/bmc/password", lab.text("bmc", "password"));
    let corrected = std::time::Instant::now();
    fleet.until("it goes on", |hosts| {
        hosts[0]["status"]["provisioning"]["state"] != "registering"
    });
    let took = corrected.elapsed();
    assert!(took.as_secs() < 25, "not at once: {took:?}");
    assert_eq!(lab.done("locked", from).get("locked manage"), Some(&2));
    fleet.all("available");

    // Rotated on both sides while the host rests: written to Ironic, nothing else is done.
    let from = lab.mark();
    let project = &fleet.project;
    project.write("secrets/bmc/username", lab.text("bmc", "username"));
    project.write(
        "secrets/bmc/password",
        &format!("{}\n", lab.text("bmc", "password")),
    );
    project.write("secrets/bmc/note", "touched");
    fleet.all("available");
    assert_eq!(lab.done("locked", from).len(), 0);
    running.interrupt().code(0);
    fleet.remove();
}
