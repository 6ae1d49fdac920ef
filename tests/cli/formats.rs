//! What is printed, for people and for machines, on good days and bad ones.

use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value;

use crate::project::{Done, Project, WORKERS, provisioned, text};

/// All lines of a JSON log.
#[track_caller]
fn events(done: &Done) -> Vec<Value> {
    let parsed = done.err.lines().map(|line| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{}", done.err))
    });
    let events: Vec<Value> = parsed.collect();
    for event in &events {
        assert!(
            event["level"].is_string() && event["timestamp"].is_string(),
            "{event}"
        );
    }
    events
}

#[test]
fn a_json_log_is_json_on_every_line() {
    let project = Project::workers();
    let json = |args: &[&str]| {
        let mut args = args.to_vec();
        args.extend(["--log-format", "json"]);
        project.run(&args)
    };
    let ran = json(&["run", "--until-settled", "-vv"]).code(0);
    let all = events(&ran);
    let has = |test: &dyn Fn(&Value) -> bool| all.iter().any(test);
    assert!(has(
        &|event| event["host"] == "w4" && event["state"] == "provisioned"
    ));
    assert!(has(&|event| event["plan"]["summary"].is_object()));
    assert!(has(
        &|event| text(&event["message"]).starts_with("settled: 4 hosts")
    ));
    assert!(
        has(&|event| text(&event["target"]).starts_with("metalform::")),
        "log lines too"
    );

    project.edit("fleet.kdl", "w[slot=1-4]", "w[slot=1-3]");
    assert!(
        events(&json(&["apply", "--yes"]).code(1))
            .iter()
            .any(|event| event["level"] == "ERROR")
    );
    events(&json(&["apply"]).code(2));
    project.write("fleet.kdl", &format!("{WORKERS}host {{{{\n"));
    for verb in ["run", "plan", "apply", "render"] {
        let all = events(&json(&[verb]).code(3));
        let codes = |event: &&Value| event["diagnostic"]["code"] == "MF1001";
        assert!(all.iter().any(|event| codes(&event)), "{verb}: {all:?}");
    }
    events(&json(&["get", "nobody"]).code(1));
}

#[test]
fn machine_formats_are_whole_when_a_verb_fails() {
    let project = Project::of("spec a { simulated; }\nhost h1 { onlin #true; }\n");
    for args in [&["plan", "--json"][..], &["render", "--format", "json"]] {
        let done = project.run(args).code(3);
        let json: Value = serde_json::from_str(&done.out).unwrap();
        assert_eq!(json["format_version"], "1.0");
        assert_eq!(json["errored"], true);
        assert_eq!(json["diagnostics"][0]["code"], "MF2002", "{json}");
        let mut nowhere = args.to_vec();
        nowhere.push("nowhere");
        let json: Value = serde_json::from_str(&project.run(&nowhere).code(2).out).unwrap();
        assert_eq!(json["failure"], "no spec at nowhere");
    }
    std::fs::create_dir(project.path(".metalform")).unwrap();
    project.write(".metalform/store.redb", "this is no store");
    let json: Value =
        serde_json::from_str(&project.run(&["get", "-o", "json"]).code(4).out).unwrap();
    assert_eq!(
        (&json["kind"], &json["status"]),
        (&"Status".into(), &"Failure".into())
    );
}

#[test]
fn get_shows_what_is_asked_for() {
    let project = Project::workers();
    let json = |args: &[&str], code: i32| -> Value {
        let mut args = args.to_vec();
        args.extend(["-o", "json"]);
        serde_json::from_str(&project.run(&args).code(code).out).unwrap()
    };
    let empty = json(&["get"], 0);
    assert_eq!(
        (&empty["kind"], empty["items"].as_array().unwrap().len()),
        (&"List".into(), 0)
    );
    project.run(&["run", "--until-settled"]).code(0);

    // A name is an object, whatever a pattern finds is a list.
    assert_eq!(json(&["get", "w1"], 0)["kind"], "BareMetalHost");
    assert_eq!(json(&["get", "host/w1"], 0)["metadata"]["name"], "w1");
    for (pattern, count) in [("w[1-1]", 1), ("w*", 4), ("w[1-2]", 2)] {
        assert_eq!(
            json(&["get", pattern], 0)["items"]
                .as_array()
                .unwrap()
                .len(),
            count,
            "{pattern}"
        );
    }
    // What is there is shown, and what is not is an error.
    let done = project.run(&["get", "w1", "nope", "-o", "name"]).code(1);
    assert_eq!(done.out, "host/w1\n");
    assert_snapshot!(done.err, @"error: no host matches nope");
    assert_eq!(
        json(&["get", "nope"], 1)["items"].as_array().unwrap().len(),
        0
    );

    let wide = project.run(&["get", "w1", "-o", "wide"]).code(0).out;
    let rows: Vec<Vec<&str>> = wide
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows[0],
        [
            "NAME", "STATE", "POWER", "POOL", "AGE", "RACK", "BMC", "IMAGE", "ID", "REASON"
        ]
    );
    assert_eq!(&rows[1][..4], ["w1", "provisioned", "on", "workers"]);
    assert_eq!(
        &rows[1][5..8],
        [
            "-",
            "redfish://127.0.0.1:8001/redfish/v1/Systems/1",
            "https://127.0.0.1:8443/debian-1.qcow2"
        ]
    );
    assert_eq!(rows[1][8].len(), 36, "{wide}");

    let yaml = project.run(&["get", "-o", "yaml"]).code(0).out;
    assert_eq!(yaml.matches("---\n").count(), 4);
    let first: Value = serde_yaml_ng::from_str(yaml.split("---\n").nth(1).unwrap()).unwrap();
    assert_eq!(first, json(&["get", "w1"], 0));
}

#[test]
fn colours_are_for_terminals_and_those_who_ask() {
    let project = Project::of("spec a { simulated; }\nhost h1 { onlin #true; }\n");
    let coloured = |args: &[&str], variables: &[(&str, &str)]| {
        let mut all = vec!["check"];
        all.extend(args);
        project
            .start_with(&all, variables)
            .end()
            .code(1)
            .out
            .contains('\u{1b}')
    };
    assert!(!coloured(&[], &[]), "a file is no terminal");
    assert!(coloured(&["--color", "always"], &[]));
    assert!(!coloured(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
    assert!(coloured(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(
        &[],
        &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]
    ));
    assert!(
        coloured(&["--color", "always"], &[("NO_COLOR", "1")]),
        "a flag wins"
    );
}

#[test]
fn quiet_says_only_what_went_wrong() {
    let project = Project::workers();
    let done = project.run(&["run", "--until-settled", "--quiet"]).code(0);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("", ""));
    assert!(provisioned(&project.hosts(), 4));
    project.edit("fleet.kdl", "w[slot=1-4]", "w[slot=1-5]");
    let done = project.run(&["apply", "--yes", "--quiet"]).code(0);
    assert_eq!(done.err, "");
    project.edit("fleet.kdl", "w[slot=1-5]", "w[slot=1-4]");
    let done = project.run(&["apply", "--yes", "--quiet"]).code(1);
    assert!(done.err.contains("NeedsAllowDestroy"), "{}", done.err);
}

#[test]
fn completions_complete() {
    let project = Project::empty();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let done = project.run(&["completions", shell]).code(0);
        for word in ["until-settled", "allow-destroy", "explain"] {
            assert!(done.out.contains(word), "{shell} does not know {word}");
        }
    }
    project.run(&["completions", "tcsh"]).code(2);
}

#[test]
fn an_answer_that_does_not_get_out_is_an_error() {
    let project = Project::workers();
    let end = |command: &str| {
        let done = Command::new("sh")
            .args(["-c", command, env!("CARGO_BIN_EXE_metalform")])
            .current_dir(project.path("."))
            .output()
            .unwrap();
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    for verb in [
        "render",
        "render --format json",
        "plan",
        "check",
        "explain MF2002",
        "completions bash",
    ] {
        let (code, err) = end(&format!("\"$0\" {verb} > /dev/full"));
        // `check` finds nothing here, so there is nothing to write.
        if verb == "check" {
            assert_eq!(code, Some(0), "{err}");
            continue;
        }
        assert_eq!(code, Some(2), "{verb}: {err}");
        assert!(
            err.contains("cannot be written to standard output: No space left"),
            "{err}"
        );
    }
    // Who reads the first line only has seen enough.
    let (code, err) = end("\"$0\" render | head -n 1 > /dev/null");
    assert_eq!((code, err.as_str()), (Some(0), ""));
}

#[test]
fn a_part_of_a_fleet_is_not_rendered_as_a_fleet() {
    let project = Project::workers();
    let done = project
        .run(&["render", "--format", "kdl", "--host", "w1"])
        .code(2);
    assert_eq!(done.out, "");
}
