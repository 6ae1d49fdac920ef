//! Several Ironics: each drives the machines that say so, and one that is away holds up only its own.

use crate::fleet::Fleet;
use crate::lab::{self, wait_for};

#[test]
fn each_ironic_drives_its_own_machines() {
    // In this order, as nobody else holds both.
    let (Some(one), Some(two)) = (lab::shared(), lab::shared_with_login()) else {
        return;
    };
    let mut fleet = Fleet::new(&one, "several", 11, 4);
    fleet.name = "site-one".into();
    fleet.more = format!(
        "ironic site-two {{\n    url \"{}\"\n    auth (secret)two\n}}",
        two.url()
    );
    for (index, machine) in fleet.machines.iter_mut().enumerate() {
        let site = ["site-one", "site-two"][index % 2];
        machine.more = format!("driven-by {site}");
    }
    let project = &fleet.project;
    project.write("secrets/two/username", two.text("ironic", "username"));
    project.write("secrets/two/password", two.text("ironic", "password"));
    fleet.save();
    // The second one is away from the start.
    two.tell("pause", &[]);
    let running = fleet.run();
    let available = |hosts: &[serde_json::Value]| {
        let at = |host: &&serde_json::Value| host["status"]["provisioning"]["state"] == "available";
        hosts.iter().filter(at).count()
    };
    fleet.until("those of the first are available", |hosts| {
        available(hosts) == 2
    });
    two.tell("resume", &[]);
    fleet.all("available");
    let names = |lab: &lab::Lab| lab.nodes_of("several").into_keys().collect::<Vec<_>>();
    assert_eq!(names(&one), ["several-1", "several-3"]);
    assert_eq!(names(&two), ["several-2", "several-4"]);

    // One goes away while both deploy.
    one.tell("pause", &[]);
    let only_second = |asked: &lab::Asked| asked.target == "active" && asked.is_done();
    let from = (one.mark(), two.mark());
    fleet.image = Some(0);
    fleet.save();
    wait_for("the second one deploys", || {
        two.nodes_of("several")
            .values()
            .all(|node| node.state == "active")
    });
    assert!(!one.asked(from.0).iter().any(only_second));
    one.tell("resume", &[]);
    fleet.all_provisioned();
    for (lab, from) in [(&one, from.0), (&two, from.1)] {
        assert_eq!(
            lab.asked(from)
                .iter()
                .filter(|asked| only_second(asked))
                .count(),
            2
        );
    }
    running.interrupt().code(0);
    fleet.remove();
    assert!(two.nodes_of("several").is_empty());
}
