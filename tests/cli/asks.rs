//! What `get` and `explain` answer to those who ask in another way than was thought of.

use insta::assert_snapshot;

use crate::project::Project;

#[test]
fn explain_follows_an_image_to_where_it_is_declared() {
    let project = Project::lab(1);
    let done = project
        .run(&["explain", "host/r01-n07", "image.url"])
        .code(0);
    assert!(
        done.out
            .starts_with("image.url = \"https://127.0.0.1:8443/debian-13-20261101.qcow2\"\n"),
        "{}",
        done.out
    );
    let from = "pools.kdl:3   image debian-13, deployed by pool workers at pools.kdl:20";
    assert!(done.out.contains(from), "{}", done.out);
}

#[test]
fn explain_without_a_field_lists_all_of_them() {
    let project = Project::lab(1);
    let done = project.run(&["explain", "host/r01-n07"]).code(0);
    for line in ["boot.mac ", "deploy.image ", "labels.role "] {
        assert!(done.out.contains(line), "{line}:\n{}", done.out);
    }
    let there = project.path("").display().to_string();
    let again = project.run(&["explain", "host/r01-n07", &there]).code(0);
    assert_eq!(again.out, done.out);
    let near = project.run(&["explain", "host/r01-n7"]).code(1);
    assert!(near.err.contains("did you mean `r01-n07`?"), "{}", near.err);
    let near = project
        .run(&["explain", "host/r01-n07", "root-device.seria"])
        .code(1);
    assert!(near.err.contains("`root-device.serial`?"), "{}", near.err);
    let below = project.run(&["explain", "host/r01-n07", "taint"]).code(1);
    assert!(below.err.contains("`taint.NAME`"), "{}", below.err);
}

#[test]
fn get_says_what_it_did_not_find_and_where_to_look() {
    let project = Project::workers();
    let done = project.run(&["get", "-C", "nowhere"]).code(2);
    assert!(done.err.contains("no spec at nowhere"), "{}", done.err);
    let done = project.run(&["get", "./secrets"]).code(2);
    assert!(done.err.contains("get -C ./secrets"), "{}", done.err);
    let done = project.run(&["get"]).code(0);
    assert!(done.err.contains("metalform run"), "{}", done.err);
    project.run(&["run", "--until-settled"]).code(0);
    let done = project.run(&["get", "w11"]).code(1);
    assert!(done.err.contains("did you mean `w1`?"), "{}", done.err);
    let done = project.run(&["get"]).code(0);
    assert!(done.err.contains("drives these hosts"), "{}", done.err);
}

#[test]
fn explain_tells_of_a_pool_that_takes_some_of_those_it_selects() {
    let project = Project::workers();
    let told = || {
        project
            .run(&["explain", "host/w1", "deploy.image"])
            .code(0)
            .out
    };
    assert!(!told().contains("takes"), "{}", told());
    project.edit("fleet.kdl", "deploy debian", "replicas 2; deploy debian");
    let text =
        "pool `workers` takes 2 of the 4 hosts that it selects: `metalform get` shows who is in it";
    assert!(told().contains(text), "{}", told());
}

#[test]
fn check_says_which_secrets_are_not_there_where_there_are_some() {
    let project = Project::workers();
    let check = || {
        project
            .run(&["check", "--output-format", "concise"])
            .code(0)
            .out
    };
    assert_eq!(check(), "");
    project.edit("fleet.kdl", "(secret)cloud", "(secret)cluod");
    assert_snapshot!(check(), @"fleet.kdl:12:62: warning[MF7122] the secret `cluod` is not there");
    let full = || project.run(&["check"]).code(0).out;
    assert!(full().contains("did you mean `cloud`?"), "{}", full());
    std::fs::remove_dir_all(project.path("secrets")).unwrap();
    assert_eq!(check(), "", "they are not in git");
}

#[test]
fn check_says_when_nothing_drives_the_machines() {
    let project = Project::workers();
    let said = |project: &Project| project.run(&["check"]).code(0).err;
    assert!(!said(&project).contains("nothing says"));
    project.edit("fleet.kdl", "simulated pace=50; ", "");
    assert!(said(&project).contains("nothing says what drives these machines"));
}
