//! Destroying needs a person.

use insta::assert_snapshot;

use crate::project::{Project, provisioned};

#[test]
fn run_waits_and_apply_lets_it_go() {
    let project = Project::workers();
    let mut running = project.start(&["run"]);
    project.until("provisioned", |hosts| provisioned(hosts, 4));
    project.edit("fleet.kdl", "w[slot=1-4]", "w[slot=1-3]");
    running.says("needs --allow-destroy w4");
    assert_eq!(project.names(), ["w1", "w2", "w3", "w4"]);
    assert_snapshot!(project.run(&["plan"]).code(0).out, @r"
        destroy        1  w4  ! provisioned, and in the spec no more; needs --allow-destroy w4
        0 to create, 0 to change, 1 to delete, 3 unchanged; 1 of these waits
        ");

    let refused = project.run(&["apply", "--yes"]).code(1);
    assert_snapshot!(refused.err, @r"
        0 of 4 hosts under way, 1 change held
        error: w4: provisioned, and in the spec no more; to go on: metalform apply --allow-destroy w4 [NeedsAllowDestroy]
        ");
    // A name that nothing destroys is a slip.
    let slip = project
        .run(&["apply", "--yes", "--allow-destroy", "w1"])
        .code(2);
    assert_snapshot!(slip.err, @r"
        error: --allow-destroy w1: the plan does not destroy that host
          help: see `metalform plan`; nothing was changed
        ");
    assert_eq!(project.names(), ["w1", "w2", "w3", "w4"]);

    project
        .run(&["apply", "--yes", "--allow-destroy", "w4"])
        .code(0);
    project.until("w4 is gone", |hosts| provisioned(hosts, 3));
    running.interrupt().code(0);
}

#[test]
fn until_settled_says_what_waits_for_a_person() {
    let project = Project::workers();
    project.run(&["run", "--until-settled"]).code(0);
    project.edit("fleet.kdl", "w[slot=1-4]", "w[slot=1-3]");
    let done = project.run(&["run", "--until-settled"]).code(1);
    // What the hosts are at is said in lines that begin with the time.
    let lines = done.err.lines().filter(|line| !is_timed(line));
    assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
        destroy        1  w4  ! provisioned, and in the spec no more; needs --allow-destroy w4
        0 to create, 0 to change, 1 to delete, 3 unchanged; 1 of these waits
        error: w4: provisioned, and in the spec no more; to go on: metalform apply --allow-destroy w4 [NeedsAllowDestroy]
        ");
    assert!(provisioned(&project.hosts(), 4));
    project
        .run(&["run", "--until-settled", "--allow-destroy", "w4"])
        .code(0);
    assert!(provisioned(&project.hosts(), 3));
}

/// Whether a line begins with a time such as `21:01:01`.
fn is_timed(line: &str) -> bool {
    let bytes = line.as_bytes();
    bytes.len() > 8
        && bytes[2] == b':'
        && bytes[5] == b':'
        && bytes[..2].iter().all(u8::is_ascii_digit)
}

#[test]
fn a_name_that_no_host_has_is_told_to_whoever_starts_with_it() {
    let project = Project::workers();
    let done = project
        .run(&["run", "--until-settled", "--allow-destroy", "typo"])
        .code(0);
    let said = "--allow-destroy typo: no host is called so\n";
    assert!(done.err.contains(said), "{}", done.err);
    let name = project.names().remove(0);
    let done = project
        .run(&["run", "--until-settled", "--allow-destroy", &name])
        .code(0);
    assert!(!done.err.contains("no host"), "{}", done.err);
}
