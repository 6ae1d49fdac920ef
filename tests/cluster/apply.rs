//! `apply` to a cluster: what is written, what is taken away, and what is not.

use serde_json::json;

use crate::desk::Desk;

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_made_once_and_a_second_apply_moves_nothing() {
    let Some(desk) = Desk::new("made").await else {
        return;
    };
    desk.fleet("w[slot=1-3]", "");
    desk.apply(&[])
        .code(0)
        .says("create")
        .says("3 created")
        .says("what happens to the machines now is the controller's");
    let (host, fleet) = (desk.object("bmh", "w1"), desk.object("fleet", "lab"));
    let id = fleet["metadata"]["labels"]["applyset.kubernetes.io/id"].clone();
    assert!(id.as_str().unwrap().starts_with("applyset-"), "{fleet:#}");
    assert_eq!(
        host["metadata"]["labels"]["applyset.kubernetes.io/part-of"],
        id
    );
    let annotations = &fleet["metadata"]["annotations"];
    assert_eq!(
        annotations["applyset.kubernetes.io/tooling"],
        "metalform/v1"
    );
    assert_eq!(
        annotations["applyset.kubernetes.io/contains-group-kinds"],
        "BareMetalHost.metal3.io"
    );
    let managers = host["metadata"]["managedFields"].as_array().unwrap();
    let managers: Vec<_> = managers
        .iter()
        .map(|one| (&one["manager"], &one["operation"]))
        .collect();
    assert_eq!(managers, [(&json!("metalform"), &json!("Apply"))]);

    let before = (
        desk.versions(),
        fleet["metadata"]["resourceVersion"].clone(),
    );
    desk.apply(&[]).code(0).says("No changes");
    let fleet = desk.object("fleet", "lab");
    assert_eq!(
        (
            desk.versions(),
            fleet["metadata"]["resourceVersion"].clone()
        ),
        before
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_annotation_and_a_controllers_status_stay() {
    let Some(desk) = Desk::new("stay").await else {
        return;
    };
    desk.fleet("w[slot=1-1]", "");
    desk.apply(&[]).code(0);
    let note = json!({"metadata": {"annotations": {"example.com/note": "mine"}}});
    desk.patch("bmh", "w1", "ann", &note);
    desk.provisioned("w1");
    desk.fleet("w[slot=1-1]", "refine w1 { description \"the first\"; }");
    desk.apply(&[]).code(0).says("1 changed");
    let host = desk.object("bmh", "w1");
    assert_eq!(host["spec"]["description"], "the first");
    assert_eq!(host["metadata"]["annotations"]["example.com/note"], "mine");
    assert_eq!(host["status"]["provisioning"]["state"], "provisioned");
    // What the spec says no more goes.
    desk.fleet("w[slot=1-1]", "");
    desk.apply(&[]).code(0).says("1 changed");
    assert!(desk.object("bmh", "w1")["spec"]["description"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_members_are_pruned_and_a_deployed_one_by_a_word() {
    let Some(desk) = Desk::new("prune").await else {
        return;
    };
    desk.fleet("w[slot=1-4]", "");
    desk.apply(&[]).code(0);
    desk.provisioned("w4");
    // A host of this name and with this fleet's annotation that is no member, and one of nobody.
    for (name, annotations) in [
        ("w8", json!({"metalform.dev/fleet": "lab"})),
        ("w9", json!({})),
    ] {
        let host = json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": { "name": name, "annotations": annotations },
            "spec": { "online": true },
        });
        let input = host.to_string();
        let args = ["--namespace", &desk.namespace, "create", "-f", "-"];
        desk.server.kubectl_with(&args, &input);
    }
    desk.fleet("w[slot=1-2]", "");
    desk.apply(&[])
        .code(1)
        .says("1 deleted")
        .says("needs --allow-destroy w4")
        .says("left alone, for they are no members of this fleet's set: w8");
    assert_eq!(desk.names(), "w1 w2 w4 w8 w9");
    desk.apply(&["--allow-destroy", "w4"])
        .code(0)
        .says("1 deleted");
    assert_eq!(desk.names(), "w1 w2 w8 w9");
    desk.apply(&[]).code(0).says("No changes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_nobody_is_taken_over_and_one_of_another_set_is_not() {
    let Some(desk) = Desk::new("adopt").await else {
        return;
    };
    for (name, labels) in [
        ("w1", json!({})),
        ("w2", json!({"applyset.kubernetes.io/part-of": "other"})),
    ] {
        let host = json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": { "name": name, "labels": labels },
            "spec": { "online": true },
        });
        let args = ["--namespace", &desk.namespace, "create", "-f", "-"];
        desk.server.kubectl_with(&args, &host.to_string());
    }
    desk.fleet("w[slot=1-2]", "");
    desk.apply(&[])
        .code(1)
        .says("takes over 1 host that is in no fleet: w1")
        .says("it belongs to the set `other`");
    let (first, second) = (desk.object("bmh", "w1"), desk.object("bmh", "w2"));
    assert_eq!(
        first["metadata"]["annotations"]["metalform.dev/fleet"],
        "lab"
    );
    assert!(second["metadata"]["annotations"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_set_is_told_with_who_and_taken_by_force_only() {
    let Some(desk) = Desk::new("owned").await else {
        return;
    };
    desk.fleet("w[slot=1-2]", "");
    desk.apply(&[]).code(0);
    desk.patch("bmh", "w1", "ann", &json!({"spec": {"online": false}}));
    desk.apply(&[])
        .code(1)
        .says("w1: .spec.online held by \"ann\"")
        .says("--force-conflicts");
    assert_eq!(desk.object("bmh", "w1")["spec"]["online"], false);
    desk.apply(&["--dry-run=server"])
        .code(1)
        .says("refused    w1: .spec.online held by \"ann\"");
    desk.apply(&["--force-conflicts"]).code(0).says("1 changed");
    assert_eq!(desk.object("bmh", "w1")["spec"]["online"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_is_judged_by_the_server_and_writes_nothing() {
    let Some(desk) = Desk::new("dry").await else {
        return;
    };
    desk.fleet("w[slot=1-2]", "");
    desk.apply(&["--dry-run=server"])
        .code(0)
        .says("created    w[1-2]")
        .says("created    Fleet lab");
    assert_eq!(desk.names(), "");
    assert_eq!(desk.kubectl(&["get", "fleets", "-o", "name"]), "");
    desk.apply(&[]).code(0);
    let before = desk.versions();
    desk.fleet("w[slot=2-3]", "refine w2 { description d; }");
    desk.apply(&["--dry-run=server"])
        .code(0)
        .says("created    w3")
        .says("changed    w2")
        .says("deleted    w1");
    assert_eq!(desk.versions(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_controller_that_follows_files_nothing_is_written() {
    let Some(desk) = Desk::new("beside").await else {
        return;
    };
    desk.fleet("w[slot=1-1]", "");
    desk.apply(&[]).code(0);
    let status = json!({ "status": {
        "source": { "path": "/specs/fleet.kdl" },
        "hosts": { "total": 1, "ready": 0, "progressing": 1, "failed": 0, "held": 0 },
    }});
    let patch = status.to_string();
    desk.kubectl(&[
        "patch",
        "fleet",
        "lab",
        "--subresource=status",
        "--type=merge",
        "-p",
        &patch,
    ]);
    desk.fleet("w[slot=1-2]", "");
    desk.apply(&[])
        .code(5)
        .says("/specs/fleet.kdl")
        .says("--force-beside-controller");
    assert_eq!(desk.names(), "w1");
    desk.run(&["plan", "--namespace", &desk.namespace])
        .code(0)
        .says("Fleet lab: a controller follows /specs/fleet.kdl");
    desk.apply(&["--force-beside-controller"])
        .code(0)
        .says("1 created");
    let paused = json!({"spec": {"paused": true}});
    desk.patch("fleet", "lab", "ann", &paused);
    desk.fleet("w[slot=1-3]", "");
    desk.apply(&[]).code(0).says("1 created");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_not_there_is_told_with_what_to_do() {
    let Some(desk) = Desk::new("nowhere").await else {
        return;
    };
    desk.fleet("w[slot=1-1]", "");
    desk.run(&["apply", "--yes", "--namespace", "never-made"])
        .code(4)
        .says("kubectl create namespace never-made");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_when_all_hosts_are_settled_or_only_a_person_goes_on() {
    let Some(desk) = Desk::new("wait").await else {
        return;
    };
    desk.fleet("w[slot=1-2]", "");
    desk.apply(&["--wait", "--timeout", "2"])
        .code(1)
        .says("not settled after");
    desk.provisioned("w1");
    desk.provisioned("w2");
    desk.apply(&["--wait", "--timeout", "60"]).code(0);
    // The pool rolls: one machine at a time, the next when the last is well.
    desk.status(
        "w2",
        &json!({
            "operationalStatus": "error", "errorType": "registration error",
            "errorMessage": "no answer", "poweredOn": false, "errorCount": 1,
            "provisioning": { "state": "registering", "ID": "7" },
            "conditions": [{
                "type": "metalform.dev/Waiting", "status": "True", "reason": "CredentialsMissing",
                "message": "no Secret", "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        }),
    );
    desk.apply(&["--wait", "--timeout", "60"])
        .code(1)
        .says("w2: no Secret [CredentialsMissing]");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_goes_one_machine_at_a_time_and_a_wait_goes_on_with_it() {
    let Some(desk) = Desk::new("roll").await else {
        return;
    };
    desk.fleet("w[slot=1-2]", "");
    desk.apply(&[]).code(0);
    desk.provisioned("w1");
    desk.provisioned("w2");
    let text = desk.read("fleet.kdl").replace("debian-1", "debian-2");
    desk.write("fleet.kdl", &text);
    desk.apply(&["--dry-run=server"])
        .code(1)
        .says("changed    w1")
        .says("waits      w2: ");
    desk.apply(&[])
        .code(1)
        .says("1 changed")
        .says("waits: w2: ")
        .says("[Rolling]");
    let image = |name: &str| desk.object("bmh", name)["spec"]["image"]["url"].clone();
    let next = "https://127.0.0.1:8443/debian-2.qcow2";
    assert_ne!(image("w2"), next);
    // A machine that is done lets the next one go.
    desk.deployed("w1", next);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| desk.apply(&["--wait", "--timeout", "60"]));
        let started = std::time::Instant::now();
        while image("w2") != next {
            assert!(started.elapsed().as_secs() < 30, "w2 does not go");
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        desk.deployed("w2", next);
        waits.join().unwrap().code(0);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_in_an_annotation_counts_and_is_used_up() {
    let Some(desk) = Desk::new("word").await else {
        return;
    };
    desk.fleet("w[slot=1-2]", "");
    desk.apply(&[]).code(0);
    desk.provisioned("w1");
    // Out of its pool, and so not deployed any more.
    desk.fleet("w[slot=1-2]", "refine w1 { labels role=none; }");
    let plan = desk
        .run(&["plan", "--json", "--namespace", &desk.namespace])
        .code(0)
        .out;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let action = plan["actions"].as_array().unwrap().iter();
    let guard = action
        .map(|action| &action["guard"]["token"])
        .find(|token| token.is_string());
    desk.apply(&[]).code(1).says("--allow-destroy w1");
    let word =
        json!({"metadata": {"annotations": {"metalform.dev/allow-destroy": guard.unwrap()}}});
    desk.patch("bmh", "w1", "ann", &word);
    desk.apply(&[]).code(0).says("1 changed");
    let annotations = desk.object("bmh", "w1")["metadata"]["annotations"].clone();
    assert!(
        annotations["metalform.dev/allow-destroy"].is_null(),
        "{annotations:#}"
    );
    assert!(
        annotations["metalform.dev/pool"].is_null(),
        "{annotations:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_at_what_the_server_refused() {
    let Some(desk) = Desk::new("refused").await else {
        return;
    };
    desk.fleet("w[slot=1-1]", "");
    desk.apply(&[]).code(0);
    desk.provisioned("w1");
    desk.patch(
        "bmh",
        "w1",
        "ann",
        &json!({"spec": {"description": "hers"}}),
    );
    desk.fleet("w[slot=1-1]", "refine w1 { description ours; }");
    desk.apply(&["--wait", "--timeout", "60"])
        .code(1)
        .says("w1: .spec.description held by \"ann\"")
        .never_says("not settled after");
}
