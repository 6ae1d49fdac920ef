//! Plans that are saved: carried out as they are, or not at all. Beside a spec here; of a cluster in
//! `tests/cluster`.

use serde_json::Value;

use crate::project::Project;

#[test]
fn a_saved_plan_is_carried_out_as_it_is() {
    let project = Project::workers();
    project.run(&["plan", "-o", "one.plan"]).code(0);
    let saved: Value = serde_json::from_str(&project.read("one.plan")).unwrap();
    assert_eq!(saved["format"], "metalform.dev/plan");
    assert_eq!(saved["plan"]["summary"]["create"], 4);
    let text = project.read("one.plan");
    assert!(
        !text.contains("calvin") && !text.contains("#cloud-config"),
        "{text}"
    );
    project
        .run(&["apply", "--yes", "--plan", "one.plan"])
        .code(0);
    assert_eq!(project.names(), ["w1", "w2", "w3", "w4"]);
    let again = project
        .run(&["apply", "--yes", "--plan", "one.plan"])
        .code(5);
    assert!(
        again.err.contains("w1 has nothing left to change"),
        "{}",
        again.err
    );
}

#[test]
fn one_of_another_text_is_5_and_changes_nothing() {
    let project = Project::workers();
    project.run(&["plan", "-o", "one.plan"]).code(0);
    project.edit("fleet.kdl", "w[slot=1-4]", "w[slot=1-5]");
    let done = project
        .run(&["apply", "--yes", "--plan", "one.plan"])
        .code(5);
    assert!(
        done.err.contains("one.plan is not current any more"),
        "{}",
        done.err
    );
    assert!(
        done.err
            .contains("w5 has a change that was not planned: create"),
        "{}",
        done.err
    );
    assert!(project.names().is_empty());
}

#[test]
fn a_file_that_is_no_plan_is_2() {
    let project = Project::workers();
    let done = project
        .run(&["apply", "--yes", "--plan", "fleet.kdl"])
        .code(2);
    insta::assert_snapshot!(done.err, @r"
    error: fleet.kdl is no saved plan
      help: `metalform plan -o FILE` saves one
    ");
}

#[test]
fn flags_for_a_cluster_want_one() {
    let project = Project::workers();
    for flag in ["--wait", "--dry-run=server", "--force-conflicts"] {
        let done = project.run(&["apply", "--yes", flag]).code(2);
        assert!(done.err.contains("is for a cluster"), "{}", done.err);
    }
    let done = project.run(&["plan", "--context", "prod"]).code(2);
    assert!(
        done.err.contains("cannot read the kubeconfig"),
        "{}",
        done.err
    );
}
