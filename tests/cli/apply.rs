//! `apply` beside a running process, and without one.

use insta::assert_snapshot;

use crate::project::{Project, provisioned, text};

/// Four workers that settled, and the process that keeps them.
fn settled() -> (Project, crate::project::Running) {
    let project = Project::workers();
    let running = project.start(&["run"]);
    project.until("provisioned", |hosts| provisioned(hosts, 4));
    (project, running)
}

#[test]
fn a_word_for_another_file_is_refused_and_does_not_lie_in_wait() {
    let (project, mut running) = settled();
    let other = project
        .read("fleet.kdl")
        .replace("w[slot=1-4]", "w[slot=1-3]");
    project.write("other.kdl", &other);
    let refused = project
        .run(&["apply", "other.kdl", "--yes", "--allow-destroy", "w4"])
        .code(5);
    assert_snapshot!(refused.err, @r"
        error: the running process follows [project]/fleet.kdl, not [project]/other.kdl
          help: `metalform apply [project]/fleet.kdl`, or stop it and start `metalform run [project]/other.kdl`
        ");
    // Hours later the file that is followed comes to say the same.
    project.edit("fleet.kdl", "w[slot=1-4]", "w[slot=1-3]");
    running.says("needs --allow-destroy w4");
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(project.names(), ["w1", "w2", "w3", "w4"]);
    running.interrupt().code(0);
}

#[test]
fn other_parameters_are_another_text() {
    let project = Project::workers();
    project.edit("fleet.kdl", "each {", "param last 1\neach {");
    project.edit("fleet.kdl", "debian-1.qcow2", "debian-${param.last}.qcow2");
    project.write("params.kdl", "/- kdl-version 2\nparam last 2\n");
    let running = project.start(&["run"]);
    project.until("provisioned", |hosts| provisioned(hosts, 4));
    let refused = project
        .run(&["apply", "--params", "params.kdl", "--yes"])
        .code(5);
    assert_snapshot!(refused.err, @r"
        error: the running process follows this spec with no parameters, not with the parameters of [project]/params.kdl
          help: say `apply` with the same --params, or start the running process with others
        ");
    project.run(&["apply", "--yes"]).code(0);
    running.interrupt().code(0);
}

#[test]
fn apply_waits_for_the_edit_to_be_read() {
    let (project, running) = settled();
    for (from, to) in [(4, 6), (6, 5)] {
        project.edit(
            "fleet.kdl",
            &format!("w[slot=1-{from}]"),
            &format!("w[slot=1-{to}]"),
        );
        let last = format!("w{from}");
        project
            .run(&["apply", "--yes", "--allow-destroy", &last])
            .code(0);
        assert!(provisioned(&project.hosts(), to));
    }
    // Once more: it is done, so there is nothing to allow.
    let again = project
        .run(&["apply", "--yes", "--allow-destroy", "w6"])
        .code(0);
    assert_snapshot!(again.err, @r"
        --allow-destroy w6: nothing is left to allow
        0 of 5 hosts under way, 0 changes held
        ");
    running.interrupt().code(0);
}

#[test]
fn no_wait_hands_over_and_ends() {
    let project = Project::workers();
    // Nobody is there to go on with it: that is said before anything is shown.
    let alone = project.run(&["apply", "--no-wait", "--yes"]).code(2);
    assert_snapshot!(alone.err, @r"
        error: nobody runs who would carry it out after this command ends
          help: leave --no-wait out, or start `metalform run` in another terminal
        ");
    assert_eq!(alone.out, "");
    let running = project.start(&["run"]);
    project.until("provisioned", |hosts| provisioned(hosts, 4));
    project.edit("fleet.kdl", "w[slot=1-4]", "w[slot=1-3]");
    let handed = project
        .run(&["apply", "--no-wait", "--yes", "--allow-destroy", "w4"])
        .code(0);
    assert_snapshot!(handed.err, @"allowed: w4");
    project.until("w4 is gone", |hosts| provisioned(hosts, 3));
    running.interrupt().code(0);
}

#[test]
fn a_renamed_host_is_waited_for() {
    let (project, running) = settled();
    project.edit("fleet.kdl", "host \"w[", "host \"x[");
    project
        .run(&["apply", "--yes", "--allow-destroy", "w[1-4]"])
        .code(0);
    assert_eq!(project.names(), ["x1", "x2", "x3", "x4"]);
    assert!(provisioned(&project.hosts(), 4));
    running.interrupt().code(0);
    // And without a running process.
    project.edit("fleet.kdl", "host \"x[", "host \"y[");
    project
        .run(&["run", "--until-settled", "--allow-destroy", "x[1-4]"])
        .code(0);
    assert_eq!(project.names(), ["y1", "y2", "y3", "y4"]);
    assert!(provisioned(&project.hosts(), 4));
}

#[test]
fn what_only_a_person_can_mend_ends_the_wait() {
    let project = Project::workers();
    std::fs::remove_file(project.path("secrets/bmc/password")).unwrap();
    let done = project.run(&["apply", "--yes"]).code(1);
    let errors: Vec<&str> = done
        .err
        .lines()
        .filter(|line| line.starts_with("error"))
        .collect();
    assert_snapshot!(errors.join("\n"), @"error: w[1-4]: secret `bmc`, key `password`: it is not there: tried ./secrets/bmc/password [CredentialsInvalid]");
    // Beside a running process, too.
    let mut running = project.start(&["run"]);
    running.says("it is not there");
    let told = project.run(&["apply", "--yes"]).code(1);
    assert!(told.err.ends_with("[CredentialsInvalid]\n"), "{}", told.err);
    project.write("secrets/bmc/password", "calvin");
    project.run(&["apply", "--yes"]).code(0);
    running.interrupt().code(0);
}

#[test]
fn a_plan_for_machines_says_what_waits() {
    let project = Project::workers();
    project.run(&["run", "--until-settled"]).code(0);
    project.edit("fleet.kdl", "w[slot=1-4]", "w[slot=1-3]");
    project.edit("fleet.kdl", "debian-1.qcow2", "debian-2.qcow2");
    let done = project.run(&["plan", "--json", "--exit-code"]).code(1);
    let plan: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(plan["format_version"], "1.0");
    assert_eq!(plan["complete"], true);
    assert_eq!(plan["summary"]["held"], 2);
    let actions = plan["actions"].as_array().unwrap();
    let brief = actions.iter().map(|action| {
        let [host, class] = ["host", "disruption"].map(|field| text(&action[field]));
        let hold = action["hold"]["code"].as_str().unwrap_or("goes");
        format!("{host} {class}: {hold}")
    });
    assert_snapshot!(brief.collect::<Vec<_>>().join("\n"), @r"
    metal3/w4 destroy: NeedsAllowDestroy
    metal3/w1 reprovision: goes
    metal3/w2 reprovision: goes
    metal3/w3 reprovision: Rolling
    ");
}

#[test]
fn a_second_apply_waits_with_the_first_and_goes_on_where_that_ended() {
    let project = Project::workers();
    project.edit("fleet.kdl", "pace=50", "pace=2");
    let mut first = project.start(&["apply", "--yes"]);
    first.says("w1  ");
    let mut second = project.start(&["apply", "--yes"]);
    second.says("hosts under way");
    first.end().code(0);
    second.end().code(0);
    assert!(provisioned(&project.hosts(), 4));
    // One that is interrupted leaves the rest to the other.
    project.edit("fleet.kdl", "debian-1.qcow2", "debian-2.qcow2");
    let mut first = project.start(&["apply", "--yes"]);
    first.says("deprovisioning");
    let mut second = project.start(&["apply", "--yes"]);
    second.says("hosts under way");
    first.interrupt();
    second.says("going on where it was");
    second.end().code(0);
    assert!(provisioned(&project.hosts(), 4));
}

#[test]
fn beside_a_run_nothing_is_asked_that_is_done_anyway() {
    let project = Project::workers();
    let mut running = project.start(&["run"]);
    project.until("four", |hosts| provisioned(hosts, 4));
    project.edit("fleet.kdl", "debian-1.qcow2", "debian-2.qcow2");
    // Not on a terminal, where a question would be an error.
    let done = project.run(&["apply"]).code(0);
    assert!(
        done.err.is_empty() || done.err.contains("the running process carries this out"),
        "{}",
        done.err
    );
    running.says("4 to change");
    running.interrupt().code(0);
}

#[test]
fn when_the_time_is_over_what_is_left_is_named() {
    let project = Project::workers();
    project.edit(
        "fleet.kdl",
        "simulated pace=50",
        "simulated pace=50 { faults \"fail deploy w2 always\"; }",
    );
    let done = project
        .run(&["run", "--until-settled", "--timeout", "6"])
        .code(1);
    assert!(done.err.contains("not settled after 6 s"), "{}", done.err);
    let left = done.err.split("not settled after").nth(1).unwrap();
    assert!(left.contains("w2: "), "{left}");
}

/// Stopping the process that rolls is the brake; who only waits does not take it off.
#[test]
fn without_a_yes_apply_does_not_go_on_for_a_run_that_was_stopped() {
    let project = Project::workers();
    project.edit("fleet.kdl", "pace=50", "pace=2");
    project.edit("fleet.kdl", "max-unavailable=2", "max-unavailable=1");
    let mut running = project.start(&["run"]);
    project.until("four", |hosts| provisioned(hosts, 4));
    project.edit("fleet.kdl", "debian-1.qcow2", "debian-2.qcow2");
    running.says("deprovisioning");
    let mut waiting = project.start(&["apply"]);
    waiting.says("hosts under way");
    running.interrupt().code(0);
    let done = waiting.end().code(2);
    assert!(done.err.contains("so nobody can be asked"), "{}", done.err);
    assert!(!done.err.contains("going on"), "{}", done.err);
}

#[test]
fn apply_waits_on_with_a_run_that_is_started_again() {
    let project = Project::workers();
    project.edit("fleet.kdl", "pace=50", "pace=2");
    let mut running = project.start(&["run"]);
    running.says("w1  ");
    let mut waiting = project.start(&["apply"]);
    waiting.says("hosts under way");
    running.interrupt().code(0);
    let running = project.start(&["run"]);
    waiting.end().code(0);
    assert!(provisioned(&project.hosts(), 4));
    running.interrupt().code(0);
}
