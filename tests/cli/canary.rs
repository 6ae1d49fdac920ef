//! Secrets never show: two of them are looked for in everything that is printed and kept.

use std::fs;
use std::path::Path;

use base64::Engine as _;

use crate::project::{Done, Project, provisioned};

const PASSWORD: &str = "canary-password-1f7a0c55";
const USER_DATA: &str = "#cloud-config\n# canary-user-data-9be2d4\n";
/// What a line of the user data would show.
const MARK: &str = "canary-user-data-9be2d4";

/// The forms in which a secret could slip out.
fn forms() -> Vec<String> {
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let user_data = base64(USER_DATA);
    vec![
        PASSWORD.into(),
        MARK.into(),
        base64(PASSWORD),
        user_data.trim_end_matches('=').into(),
    ]
}

#[track_caller]
fn clean(what: &str, bytes: &[u8]) {
    for form in forms() {
        let found = bytes
            .windows(form.len())
            .any(|window| window == form.as_bytes());
        assert!(!found, "{what} shows a secret ({form})");
    }
}

#[track_caller]
fn clean_output(what: &str, done: &Done) {
    clean(&format!("{what}: standard output"), done.out.as_bytes());
    clean(&format!("{what}: standard error"), done.err.as_bytes());
}

fn clean_files(dir: &Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count += clean_files(&path);
        } else if path.is_file() {
            clean(&path.display().to_string(), &fs::read(&path).unwrap());
            count += 1;
        }
    }
    count
}

#[test]
fn secrets_never_show() {
    let project = Project::workers();
    project.write("secrets/bmc/password", PASSWORD);
    project.write("secrets/cloud/userData", USER_DATA);
    for (args, variables) in [
        (vec!["plan", "-vvv"], vec![("METALFORM_LOG", "trace")]),
        (
            vec!["run", "--until-settled", "-vvv"],
            vec![("METALFORM_LOG", "trace")],
        ),
    ] {
        let done = project.start_with(&args, &variables).end().code(0);
        clean_output(&args.join(" "), &done);
    }
    assert!(provisioned(&project.hosts(), 4));
    assert!(clean_files(&project.path(".metalform")) >= 2);

    // Help prints what it takes from the environment, but for what may hold a password.
    let url = format!("http://admin:{PASSWORD}@127.0.0.1:9");
    let variable = [("METALFORM_IRONIC", url.as_str())];
    for args in [
        &["run", "--help"][..],
        &["apply", "--help"],
        &["run", "-h"],
        &["run", "-vvv"],
    ] {
        let done = project.start_with(args, &variable).end();
        clean_output(&args.join(" "), &done);
    }

    // Through the socket too, and while things change and go wrong.
    let trace = [("METALFORM_LOG", "trace")];
    let mut running = project.start_with(&["run", "--log-format", "json"], &trace);
    running.says("engine starts");
    project.edit("fleet.kdl", "debian-1.qcow2", "debian-2.qcow2");
    for args in [
        &["get"][..],
        &["get", "-o", "wide"],
        &["get", "-o", "yaml"],
        &["get", "-o", "json"],
        &["plan"],
        &["plan", "--json"],
        &["explain", "host/w1", "bmc.credentials"],
        &["explain", "host/w1", "user-data"],
        &["render"],
        &["render", "--format", "kdl"],
        &["check", "--output-format", "json"],
        &["apply", "--yes"],
    ] {
        let mut args = args.to_vec();
        args.push("-vvv");
        clean_output(&args.join(" "), &project.start_with(&args, &trace).end());
    }
    fs::remove_file(project.path("secrets/bmc/username")).unwrap();
    running.says("username");
    clean_files(&project.path(".metalform"));
    clean_output("run", &running.interrupt().code(0));
}
