//! `run` and those who talk to it.

use std::io::{Read as _, Write as _};

use insta::assert_snapshot;

use crate::project::{Project, provisioned};

#[test]
fn the_lab_settles() {
    let lab = Project::lab(50);
    let done = lab
        .run(&["run", "--until-settled", "--timeout", "80"])
        .code(0);
    assert!(
        done.err
            .ends_with("settled: 40 hosts are as the spec says\n"),
        "{}",
        done.err
    );
    assert!(provisioned(&lab.hosts(), 40));
    // Nothing is left to do, and nothing is done.
    let done = lab.run(&["run", "--until-settled"]).code(0);
    assert!(
        done.err
            .ends_with("settled: 40 hosts are as the spec says\n"),
        "{}",
        done.err
    );
    assert!(!done.err.contains(" to create"), "{}", done.err);
    let plan = lab.run(&["plan", "--exit-code"]).code(0);
    assert_snapshot!(plan.out, @"No changes: the store has 40 hosts as the spec says.");
}

#[test]
fn a_second_process_is_kept_out_and_the_others_answer() {
    let project = Project::workers();
    let mut running = project.start(&["run"]);
    running.says("w4               provisioned    provisioned");
    project.until("provisioned", |hosts| provisioned(hosts, 4));
    let second = project.run(&["run"]).code(5);
    assert!(
        second.err.contains("is in use by process"),
        "{}",
        second.err
    );
    assert!(
        second
            .err
            .contains("`metalform get`, `plan` and `apply` talk to it"),
        "{}",
        second.err
    );
    let get = project.run(&["get"]).code(0);
    assert!(
        get.out
            .lines()
            .skip(1)
            .all(|line| line.ends_with("provisioned")),
        "{}",
        get.out
    );
    assert_snapshot!(project.run(&["plan"]).code(0).out, @"No changes: the store has 4 hosts as the spec says.");
    let done = project.run(&["explain", "host/w2", "boot.mac"]).code(0);
    assert_snapshot!(done.out, @r#"
        boot.mac = "52:54:00:01:00:02"
          wins  fleet.kdl:5   each in the fleet   plain, fleet   "52:54:00:01:00:02"  = mac('52:54:00:01:00:00', 2)
        compiles to BareMetalHost/w2 .spec.bootMACAddress   disruption: destroy (immutable once set)
        MAC address of the card that the machine boots from.
        "#);
    let names = project
        .run(&["get", "hosts", "w[2-3]", "-o", "name"])
        .code(0);
    assert_eq!(names.out, "host/w2\nhost/w3\n");
    project.run(&["get", "host/w9"]).code(1);
    running.interrupt().code(0);
}

#[test]
fn ctrl_c_ends_and_the_same_command_resumes() {
    let lab = Project::lab(4);
    let mut running = lab.start(&["run", "--until-settled"]);
    running.says("inspecting");
    let done = running.interrupt().code(130);
    assert!(
        done.err
            .contains("the same command goes on where this one was"),
        "{}",
        done.err
    );
    let before = lab.hosts();
    assert_eq!(before.len(), 40);
    lab.run(&["run", "--until-settled"]).code(0);
    let after = lab.hosts();
    assert!(provisioned(&after, 40));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before["metadata"]["uid"], after["metadata"]["uid"]);
    }
}

#[test]
fn a_secret_that_is_not_there_is_waited_for() {
    let project = Project::workers();
    std::fs::remove_dir_all(project.path("secrets/cloud")).unwrap();
    let mut running = project.start(&["run"]);
    running.says("secret `cloud` not found: tried ./secrets/cloud");
    assert!(
        project
            .run(&["get"])
            .code(0)
            .out
            .contains("secret `cloud` not found")
    );
    project.write("secrets/cloud/userData", "#cloud-config\n");
    project.until("provisioned", |hosts| provisioned(hosts, 4));
    running.interrupt().code(0);
}

#[test]
fn credentials_that_are_not_there_are_waited_for() {
    let project = Project::workers();
    std::fs::remove_file(project.path("secrets/bmc/password")).unwrap();
    let mut running = project.start(&["run"]);
    running.says("password");
    project.write("secrets/bmc/password", "calvin");
    project.until("provisioned", |hosts| provisioned(hosts, 4));
    let done = running.interrupt().code(0);
    // Once in the host's line, and not as its event once more.
    assert!(!done.err.contains("WARN"), "{}", done.err);
}

#[test]
fn apply_without_a_terminal_does_nothing_unasked() {
    let project = Project::workers();
    let done = project.run(&["apply"]).code(2);
    assert_snapshot!(done.err, @r"
        error: not on a terminal, so nobody can be asked
          help: give --yes to carry out the plan as shown
        ");
    assert!(project.names().is_empty());
    project.run(&["apply", "--yes"]).code(0);
    assert!(provisioned(&project.hosts(), 4));
}

#[test]
fn those_who_read_wait_for_each_other() {
    let project = Project::workers();
    project.run(&["run", "--until-settled"]).code(0);
    let readers: Vec<_> = (0..12)
        .map(|number| project.start(if number % 2 == 0 { &["get"] } else { &["plan"] }))
        .collect();
    let driver = project.start(&["run", "--until-settled"]);
    for reader in readers {
        reader.end().code(0);
    }
    driver.end().code(0);
}

#[test]
fn health_and_metrics_are_told_where_asked() {
    let project = Project::workers();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let running = project.start(&["run", "--listen", &address]);
    project.until("provisioned", |hosts| provisioned(hosts, 4));
    let ask = |path: &str| {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    assert!(ask("/healthz").ends_with("\r\n\r\nok"));
    assert!(ask("/readyz").ends_with("\r\n\r\nok"));
    let metrics = ask("/metrics");
    let hosts = metrics
        .lines()
        .find(|line| line.contains("state=\"provisioned\""));
    assert!(hosts.is_some_and(|line| line.ends_with(" 4")), "{metrics}");
    assert!(
        metrics.contains("\nmetalform_hosts_settled 4\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("\nmetalform_spec_followed 1\n"),
        "{metrics}"
    );
    project.write("fleet.kdl", "host {\n");
    let began = std::time::Instant::now();
    while !ask("/metrics").contains("\nmetalform_spec_followed 0\n") {
        assert!(began.elapsed().as_secs() < 20, "{}", running.err());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    // A second one cannot have the address.
    let other = Project::workers();
    let done = other.run(&["run", "--listen", &address]).code(2);
    assert!(
        done.err.contains(&format!("cannot listen on {address}")),
        "{}",
        done.err
    );
    running.interrupt().code(0);
}
