//! `render`: three formats of one fleet.

use serde_json::Value;

use crate::project::Project;

/// Without the annotations that say where a host is written: in KDL it is written elsewhere.
fn without_origin(yaml: &str) -> String {
    let kept = yaml
        .lines()
        .filter(|line| !line.contains("metalform.dev/origin"));
    kept.collect::<Vec<_>>().join("\n")
}

#[test]
fn kdl_evaluates_to_the_same_again() {
    let lab = Project::lab(1);
    let yaml = lab.run(&["render"]).code(0).out;
    let kdl = lab.run(&["render", "--format", "kdl"]).code(0).out;
    let again = Project::empty();
    again.write("fleet.kdl", &kdl);
    again.run(&["check"]).code(0);
    let yaml_again = again.run(&["render", "--format", "yaml"]).code(0).out;
    similar(&without_origin(&yaml), &without_origin(&yaml_again));
    assert_eq!(again.run(&["render", "--format", "kdl"]).code(0).out, kdl);
}

#[track_caller]
fn similar(a: &str, b: &str) {
    let differs = a
        .lines()
        .zip(b.lines())
        .enumerate()
        .find(|(_, (a, b))| a != b);
    assert!(
        differs.is_none() && a.lines().count() == b.lines().count(),
        "differs: {differs:?}"
    );
}

#[test]
fn json_and_yaml_hold_all_hosts() {
    let lab = Project::lab(1);
    let json = lab.run(&["render", "--format", "json"]).code(0).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["items"].as_array().unwrap().len(), 40);
    let yaml = lab.run(&["render"]).code(0).out;
    assert_eq!(yaml.matches("kind: BareMetalHost").count(), 40);
}

#[test]
fn only_what_is_asked_for() {
    let lab = Project::lab(1);
    let yaml = lab.run(&["render", "--host", "r01-n[03-05]"]).code(0).out;
    assert_eq!(yaml.matches("kind: BareMetalHost").count(), 3);
    lab.run(&["render", "--host", "nobody"]).code(1);
}

#[test]
fn a_spec_with_an_error_is_3() {
    let project = Project::of("spec a { simulated; }\nhost h1 { onlin #true; }\n");
    let done = project.run(&["render"]).code(3);
    assert_eq!(done.out, "");
}
