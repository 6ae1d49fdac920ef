//! Secrets: referred to, written from a folder where a person says so, shown never.

use serde_json::{Value, json};

use crate::desk::{Desk, Done};

const PASSWORD: &str = "c4n4ry-pa55w0rd";
const CODED: &str = "YzRuNHJ5LXBhNTV3MHJk";

fn desk_with_secrets(desk: &Desk) {
    desk.fleet("w[slot=1-2]", "");
    desk.write("secrets/bmc/username", "admin");
    desk.write("secrets/bmc/password", PASSWORD);
    desk.write("secrets/other/token", "not named by the spec");
}

fn silent(done: Done) -> Done {
    done.never_says(PASSWORD).never_says(CODED)
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_written_from_a_folder_and_never_shown() {
    let Some(desk) = Desk::new("secret").await else {
        return;
    };
    desk_with_secrets(&desk);
    silent(desk.apply(&[])).code(0);
    assert_eq!(desk.kubectl(&["get", "secrets", "-o", "name"]), "");
    let with = ["--with-secrets", "secrets"];
    let dry = ["--with-secrets", "secrets", "--dry-run=server"];
    silent(desk.apply(&dry)).code(0).says("secret bmc: created");
    assert_eq!(desk.kubectl(&["get", "secrets", "-o", "name"]), "");
    silent(desk.apply(&with))
        .code(0)
        .says("secret bmc: created");
    assert_eq!(
        desk.kubectl(&["get", "secrets", "-o", "name"]),
        "secret/bmc\n"
    );
    let secret = desk.object("secret", "bmc");
    assert_eq!(secret["type"], "Opaque");
    assert_eq!(secret["data"]["password"], CODED);
    assert_eq!(
        secret["metadata"]["labels"]["environment.metal3.io"],
        "baremetal"
    );
    silent(desk.apply(&with)).code(0).never_says("secret bmc");
    let again = desk.object("secret", "bmc");
    assert_eq!(
        again["metadata"]["resourceVersion"],
        secret["metadata"]["resourceVersion"]
    );
    desk.write("secrets/bmc/username", "root");
    silent(desk.apply(&with))
        .code(0)
        .says("secret bmc: changed");
    assert_eq!(desk.object("secret", "bmc")["data"]["username"], "cm9vdA==");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_somebody_else_wrote_is_not_overwritten() {
    let Some(desk) = Desk::new("secret-owned").await else {
        return;
    };
    desk_with_secrets(&desk);
    desk.kubectl(&[
        "create",
        "secret",
        "generic",
        "bmc",
        "--from-literal=password=theirs",
        "--from-literal=username=admin",
        "--field-manager=ann",
    ]);
    silent(desk.apply(&["--with-secrets", "secrets"]))
        .code(1)
        .says("bmc: .data.password held by \"ann\"");
    assert_eq!(desk.names(), "", "nothing was written");
    silent(desk.apply(&["--with-secrets", "secrets", "--force-conflicts"])).code(0);
    assert_eq!(desk.object("secret", "bmc")["data"]["password"], CODED);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_plan_holds_one() {
    let Some(desk) = Desk::new("secret-plan").await else {
        return;
    };
    desk_with_secrets(&desk);
    silent(desk.run(&[
        "plan",
        "--namespace",
        &desk.namespace,
        "-o",
        "one.plan",
        "--json",
    ]))
    .code(0);
    let saved = desk.read("one.plan");
    assert!(
        !saved.contains(PASSWORD) && !saved.contains(CODED),
        "{saved}"
    );
    let saved: Value = serde_json::from_str(&saved).unwrap();
    assert_ne!(saved["plan"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_finds_those_that_are_not_there() {
    let Some(desk) = Desk::new("secret-check").await else {
        return;
    };
    desk_with_secrets(&desk);
    let check = ["check", "--namespace", &desk.namespace, "--deny-warnings"];
    silent(desk.run(&check))
        .code(1)
        .says("MF7122")
        .says(&format!("tried Secret {}/bmc", desk.namespace));
    desk.kubectl(&[
        "create",
        "secret",
        "generic",
        "bmc",
        "--from-literal=username=a",
    ]);
    silent(desk.run(&check)).code(0);
}
