//! Credentials that are wrong and then are not: Ironic's own and those of a BMC.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fleet::Fleet;
use crate::lab::{self, wait_for};

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
    fn good(hosts: &[Value]) -> &Value {
        &hosts[0]["status"]["goodCredentials"]["credentialsVersion"]
    }
    let from = lab.mark();
    let project = &fleet.project;
    let before = good(&project.hosts()).clone();
    lab.rotate("canary-rotated");
    project.write("secrets/bmc/password", "canary-rotated\n");
    fleet.until("what was rotated is known to be good", |hosts| {
        let status = &hosts[0]["status"];
        *good(hosts) != before && *good(hosts) == status["triedCredentials"]["credentialsVersion"]
    });
    fleet.all("available");
    assert_eq!(lab.done("locked", from), BTreeMap::new());
    let done = running.interrupt().code(0);
    assert!(!done.err.contains("canary"), "{}", done.err);
    fleet.remove();
}

#[test]
fn an_ironic_that_refuses_the_credentials_is_named_with_what_to_do() {
    let Some(lab) = lab::shared_with_login() else {
        return;
    };
    let mut fleet = Fleet::new(&lab, "auth", 6, 1);
    let project = &fleet.project;
    project.write("secrets/ironic/username", lab.text("ironic", "username"));
    project.write("secrets/ironic/password", "canary-wrong-password");
    let url = lab.url().to_owned();
    for auth in ["", "auth (secret)ironic"] {
        auth.clone_into(&mut fleet.ironic);
        fleet.save();
        let mut running = fleet.run();
        running.says(&format!("at {url} refuses metalform's credentials (401"));
        let hosts = |text: &str| {
            let err = running.err();
            err.lines()
                .any(|line| line.contains("auth-1") && line.contains(text))
        };
        wait_for("the host says so too", || hosts("`auth`"));
        let done = running.interrupt().code(0);
        assert!(!done.err.contains("canary-wrong-password"), "{}", done.err);
        assert!(lab.nodes_of("auth").is_empty());
    }
    let project = &fleet.project;
    project.write("secrets/ironic/password", lab.text("ironic", "password"));
    fleet.settle(&[]);
    fleet.remove();
}
