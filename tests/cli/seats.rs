//! Seats of pools while hosts come and go.

use serde_json::Value;

use crate::project::{Project, text};

/// Names of the members of `workers`, in order.
fn members(hosts: &[Value]) -> Vec<String> {
    let seated = |host: &&Value| {
        let pool = &host["metadata"]["annotations"]["metalform.dev/pool"];
        pool == "workers" && host["status"]["provisioning"]["state"] == "provisioned"
    };
    let all = hosts.iter().filter(seated);
    all.map(|host| text(&host["metadata"]["name"])).collect()
}

#[test]
fn a_seat_is_given_to_another_once_its_holder_has_left() {
    let project = Project::workers();
    project.edit(
        "fleet.kdl",
        "select role=worker;",
        "select role=worker; replicas 2;",
    );
    let mut running = project.start(&["run"]);
    project.until("two members", |hosts| members(hosts) == ["w1", "w2"]);
    // A mistake: nobody takes the seat, and undone it is as before.
    let good = project.read("fleet.kdl");
    project.write(
        "fleet.kdl",
        &format!("{good}refine w1 {{ labels role=wrker; }}\n"),
    );
    running.says("needs --allow-destroy w1");
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(members(&project.hosts()), ["w1", "w2"]);
    project.write("fleet.kdl", &good);
    project.run(&["apply", "--yes"]).code(0);
    let plan = project.run(&["plan", "--exit-code"]).code(0);
    assert_eq!(
        plan.out,
        "No changes: the store has 4 hosts as the spec says.\n"
    );
    // Meant: it leaves, and another one takes its place.
    project.write(
        "fleet.kdl",
        &format!("{good}refine w1 {{ labels role=spare; }}\n"),
    );
    project
        .run(&["apply", "--yes", "--allow-destroy", "w1"])
        .code(0);
    project.until("w3 takes the seat", |hosts| members(hosts) == ["w2", "w3"]);
    running.interrupt().code(0);
}
