//! Secrets never show, whatever Ironic says: passwords and user data are looked for in everything
//! that a run prints at the most verbose level and keeps.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use serde_json::json;

use crate::fleet::Fleet;
use crate::lab::{self, wait_for};

const BMC: &str = "canary-bmc-77c1";
const USER_DATA: &str = "#cloud-config\npassword: canary-user-data-5d02\n";

#[track_caller]
fn clean(what: &str, bytes: &[u8], forms: &[String]) {
    for form in forms {
        let found = bytes
            .windows(form.len())
            .any(|window| window == form.as_bytes());
        assert!(!found, "{what} shows a secret ({form})");
    }
}

#[track_caller]
fn clean_files(dir: &Path, forms: &[String]) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count += clean_files(&path, forms);
        } else if path.is_file() {
            clean(
                &path.display().to_string(),
                &fs::read(&path).unwrap(),
                forms,
            );
            count += 1;
        }
    }
    count
}

#[test]
fn secrets_never_show_on_a_real_ironic() {
    let Some(lab) = lab::shared_with_login() else {
        return;
    };
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let password = lab.text("ironic", "password").to_owned();
    let forms = vec![
        BMC.to_owned(),
        base64(BMC),
        "canary-user-data-5d02".to_owned(),
        base64(USER_DATA).trim_end_matches('=').to_owned(),
        // As it goes over the line.
        base64(&format!("{}:{password}", lab.text("ironic", "username"))),
        password.clone(),
    ];
    let mut fleet = Fleet::new(&lab, "canary", 10, 2);
    fleet.add_redfish("canary-bmc", 0);
    fleet.ironic = "auth (secret)ironic".into();
    let project = &fleet.project;
    project.write("secrets/bmc/password", BMC);
    project.write("secrets/ud/userData", USER_DATA);
    project.write("secrets/ironic/username", lab.text("ironic", "username"));
    project.write("secrets/ironic/password", &password);
    fleet.save();

    // Errors that quote what was sent: of the enrolment, later of the deployment and the amendment.
    let echo = |method: &str, path: &str, times: u32| {
        lab.fault(&json!({
            "what": "status", "status": 400, "echo": true,
            "method": method, "path": path, "times": times,
        }));
    };
    echo("POST", "/v1/nodes", 3);
    let trace = [("METALFORM_LOG", "trace")];
    let args = ["run", "-vvv", "--log-format", "json"];
    let mut running = fleet.project.start_with(&args, &trace);
    running.says("simulated failure");
    // A refusal counts as the hosts' error, and they rest a minute: a new secret wakes them.
    fleet.until("all are refused", |hosts| {
        hosts.len() == 3
            && hosts
                .iter()
                .all(|host| host["status"]["errorType"] == "registration error")
    });
    let shown = |what: &str| {
        for get in [&["get"][..], &["get", "-o", "json"], &["get", "-o", "yaml"]] {
            let done = fleet.project.start_with(get, &trace).end();
            clean(what, done.out.as_bytes(), &forms);
            clean(what, done.err.as_bytes(), &forms);
        }
    };
    shown("get, refused");
    let done = running.interrupt().code(0);
    clean("the refused run", done.err.as_bytes(), &forms);
    clean("the refused run", done.out.as_bytes(), &forms);
    clean_files(&fleet.project.path(".metalform"), &forms);
    lab.forget_faults();

    // A start anew, on a store without errors: the BMC refuses the wrong password, the others go on.
    fs::remove_dir_all(fleet.project.path(".metalform")).unwrap();
    let running = fleet.project.start_with(&args, &trace);
    fleet.until("the BMC refuses", |hosts| {
        let at = |name: &str, path: &str, wanted: &str| {
            hosts.iter().any(|host| {
                host["metadata"]["name"] == name
                    && host["status"]
                        .pointer(path)
                        .is_some_and(|text| text == wanted)
            })
        };
        at("canary-bmc", "/errorType", "registration error")
            && at("canary-1", "/provisioning/state", "available")
            && at("canary-2", "/provisioning/state", "available")
    });
    for node in lab.nodes_of("canary").values() {
        echo("PUT", &format!("{}/states/provision", node.uuid), 1);
    }
    fleet.image = Some(0);
    fleet.save();
    wait_for("a deployment is refused", || {
        running.err().contains("simulated failure")
    });
    fleet.until("the refusal is shown", |hosts| {
        hosts
            .iter()
            .any(|host| host["status"]["errorType"] == "provisioning error")
    });
    shown("get, while provisioning");
    let done = running.interrupt().code(0);
    clean("the run", done.err.as_bytes(), &forms);
    clean("the run", done.out.as_bytes(), &forms);
    assert!(clean_files(&fleet.project.path(".metalform"), &forms) > 0);
    lab.forget_faults();
    fleet.remove();
}
