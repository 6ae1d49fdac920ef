//! `plan` of a cluster, and plans that are saved and carried out as they are or not at all.

use serde_json::{Value, json};

use crate::desk::Desk;

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_the_same_text_as_beside_a_spec_and_changes_nothing() {
    let Some(desk) = Desk::new("plan").await else {
        return;
    };
    desk.fleet("w[slot=1-2]", "");
    let here = desk.run(&["plan", "--namespace", &desk.namespace]).code(0);
    assert!(
        here.out.contains("2 to create, 0 to change, 0 to delete"),
        "{}",
        here.out
    );
    assert_eq!(desk.names(), "");
    desk.run(&["plan", "--context", "nobody"])
        .code(2)
        .says("nobody");
    desk.apply(&[]).code(0);
    desk.provisioned("w1");
    desk.fleet("w[slot=2-2]", "");
    desk.run(&["plan", "--namespace", &desk.namespace, "--exit-code"])
        .code(1)
        .says("destroy")
        .says("needs --allow-destroy w1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_namespace_is_the_flags_then_the_specs_then_the_contexts() {
    let Some(desk) = Desk::new("which").await else {
        return;
    };
    let other = format!("{}-other", desk.namespace);
    desk.server.kubectl(&["create", "namespace", &other]);
    desk.fleet("w[slot=1-1]", "");
    desk.run(&["apply", "--yes", "--namespace", &other]).code(0);
    assert_eq!(desk.names(), "", "the flag goes before the spec");
    let context: String = desk.server.kubectl(&["config", "current-context"]);
    desk.run(&["apply", "--yes", "--context", context.trim()])
        .code(0);
    assert_eq!(desk.names(), "w1", "the spec goes before the context");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_is_carried_out_as_it_is() {
    let Some(desk) = Desk::new("saved").await else {
        return;
    };
    desk.fleet("w[slot=1-2]", "");
    desk.run(&["plan", "--namespace", &desk.namespace, "-o", "one.plan"])
        .code(0);
    let saved: Value = serde_json::from_str(&desk.read("one.plan")).unwrap();
    assert_eq!(saved["format"], "metalform.dev/plan");
    assert_eq!(
        saved["target"]["cluster"]["namespace"],
        json!(desk.namespace)
    );
    desk.run(&["apply", "--yes", "--plan", "one.plan"])
        .code(0)
        .says("2 created");
    assert_eq!(desk.names(), "w1 w2");
    desk.run(&["apply", "--yes", "--plan", "one.plan"])
        .code(5)
        .says("w1 has nothing left to change");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_of_which_anything_moved_is_5_and_says_what_and_who() {
    let Some(desk) = Desk::new("stale").await else {
        return;
    };
    desk.fleet("w[slot=1-2]", "");
    desk.apply(&[]).code(0);
    desk.fleet("w[slot=1-2]", "refine \"w*\" { description d; }");
    let save = ["plan", "--namespace", &desk.namespace, "-o", "two.plan"];
    desk.run(&save).code(0);
    let note = json!({"metadata": {"annotations": {"example.com/note": "mine"}}});
    desk.patch("bmh", "w2", "ann", &note);
    let before = desk.versions();
    desk.run(&["apply", "--yes", "--plan", "two.plan"])
        .code(5)
        .says(&format!("{}/w2 changed (version ", desk.namespace))
        .says("last by ann")
        .never_says("/w1 ");
    assert_eq!(desk.versions(), before);
    // Another text.
    desk.run(&save).code(0);
    desk.fleet("w[slot=1-3]", "refine \"w*\" { description d; }");
    desk.run(&["apply", "--yes", "--plan", "two.plan"])
        .code(5)
        .says("the spec says something else than it did")
        .says("w3 has a change that was not planned: create");
    assert_eq!(desk.versions(), before);
    // Another place.
    let other = format!("{}-other", desk.namespace);
    desk.run(&[
        "apply",
        "--yes",
        "--plan",
        "two.plan",
        "--namespace",
        &other,
    ])
    .code(5)
    .says("the plan was made for namespace")
    .says("--context")
    .never_says("make the plan again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_with_a_saved_plan_ends_where_a_host_that_waits_for_its_turn_changed() {
    let Some(desk) = Desk::new("strict").await else {
        return;
    };
    desk.fleet("w[slot=1-2]", "");
    desk.apply(&[]).code(0);
    desk.provisioned("w1");
    desk.provisioned("w2");
    let text = desk.read("fleet.kdl").replace("debian-1", "debian-2");
    desk.write("fleet.kdl", &text);
    desk.run(&["plan", "--namespace", &desk.namespace, "-o", "roll.plan"])
        .code(0);
    let image = |name: &str| desk.object("bmh", name)["spec"]["image"]["url"].clone();
    let next = "https://127.0.0.1:8443/debian-2.qcow2";
    let flags = [
        "apply",
        "--yes",
        "--plan",
        "roll.plan",
        "--wait",
        "--timeout",
        "60",
    ];
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| desk.run(&flags));
        crate::controller::until(|| image("w1") == next, || "w1 does not go".to_owned());
        let note = json!({"metadata": {"annotations": {"example.com/note": "mine"}}});
        desk.patch("bmh", "w2", "ann", &note);
        desk.deployed("w1", next);
        waits
            .join()
            .unwrap()
            .code(5)
            .says("w2: changed since it was looked at")
            .says("make the plan again");
    });
    assert_ne!(image("w2"), next);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_fleet_is_no_kind_a_plan_is_made_and_an_apply_says_which_to_add() {
    let Some(desk) = Desk::where_only(&["baremetalhosts"], "kindless").await else {
        return;
    };
    desk.fleet("w[slot=1-1]", "");
    let add = "metalform crd fleets | kubectl apply --server-side -f -";
    desk.run(&["plan", "--namespace", &desk.namespace])
        .code(0)
        .says("1 to create, 0 to change, 0 to delete")
        .says(add);
    desk.apply(&[]).code(4).says(add);
    desk.apply(&["--dry-run=server"]).code(4).says(add);
    assert_eq!(desk.names(), "");
}
