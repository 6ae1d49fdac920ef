//! Edits while `run` watches.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::project::{Project, Running, provisioned};

fn settled() -> (Project, Running) {
    let project = Project::workers();
    let running = project.start(&["run"]);
    project.until("provisioned", |hosts| provisioned(hosts, 4));
    (project, running)
}

fn image(host: &Value) -> &str {
    host["status"]["provisioning"]["image"]["url"]
        .as_str()
        .unwrap_or_default()
}

#[test]
fn a_saved_edit_is_shown_and_carried_out() {
    let (project, mut running) = settled();
    project.edit("fleet.kdl", "w[slot=1-4]", "w[slot=1-5]");
    running.says("1 to create, 0 to change, 0 to delete, 4 unchanged");
    project.until("five", |hosts| provisioned(hosts, 5));
    project.edit("fleet.kdl", "debian-1.qcow2", "debian-2.qcow2");
    running.says("0 to create, 5 to change, 0 to delete, 0 unchanged");
    project.until("the new image", |hosts| {
        provisioned(hosts, 5)
            && hosts
                .iter()
                .all(|host| image(host).ends_with("debian-2.qcow2"))
    });
    running.interrupt().code(0);
}

#[test]
fn a_broken_file_keeps_the_last_good_fleet() {
    let (project, mut running) = settled();
    let good = project.read("fleet.kdl");
    project.write("fleet.kdl", &format!("{good}host {{{{{{\n"));
    running.says("the last good fleet is kept");
    assert!(running.err().contains("MF1001"), "{}", running.err());
    assert!(provisioned(&project.hosts(), 4));
    project.run(&["plan"]).code(3);
    project.write("fleet.kdl", &good.replace("w[slot=1-4]", "w[slot=1-5]"));
    running.says("1 to create, 0 to change, 0 to delete, 4 unchanged");
    project.until("five", |hosts| provisioned(hosts, 5));
    running.interrupt().code(0);
}

#[test]
fn a_fault_script_that_is_broken_and_mended_is_noticed() {
    let project = Project::of("spec a { simulated { script \"faults.txt\"; }; }\nhost n1\n");
    project.write("faults.txt", "limit inspect 3\n");
    let mut running = project.start(&["run"]);
    running.says("unmanaged");
    project.write("faults.txt", "limti inspect 3\n");
    running.says("the last good fleet is kept");
    project.write("faults.txt", "limit inspect 4\n");
    // The machines play the one of the start.
    running.says("what `simulated` says of faults (its `faults` or `script`) changed, which the process that runs reads at its start only");
    project.write("faults.txt", "limit inspect 3\n");
    running.says("the spec is valid again");
    running.interrupt().code(0);
}

#[test]
fn what_vanishes_and_comes_back_destroys_nothing() {
    let lab = Project::lab(50);
    let mut running = lab.start(&["run"]);
    lab.until("provisioned", |hosts| provisioned(hosts, 40));
    let before: Vec<Value> = lab.hosts();
    fs::rename(lab.path("pools.kdl"), lab.path("pools.away")).unwrap();
    running.says_times("the last good fleet is kept", 1);
    fs::rename(lab.path("pools.away"), lab.path("pools.kdl")).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    fs::rename(lab.path("fleet.kdl"), lab.path("fleet.away")).unwrap();
    running.says_times("the last good fleet is kept", 2);
    fs::rename(lab.path("fleet.away"), lab.path("fleet.kdl")).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    fs::rename(lab.path("racks"), lab.path("racks.away")).unwrap();
    running.says_times("the last good fleet is kept", 3);
    fs::rename(lab.path("racks.away"), lab.path("racks")).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let after = lab.hosts();
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before["metadata"]["uid"], after["metadata"]["uid"]);
        assert_eq!(
            before["status"]["provisioning"],
            after["status"]["provisioning"]
        );
    }
    // It watches what came back.
    lab.edit("pools.kdl", "debian-13-20261101", "debian-13-20261201");
    running.says("to change");
    running.interrupt().code(0);
}

/// One host in a file of its own.
fn host_file(name: usize, image: usize) -> (String, String) {
    let text = format!(
        "/- kdl-version 2\nhost h{name:03} {{ bmc address=\"redfish://10.0.0.{name}/a\" \
         credentials=(secret)bmc; boot mac=\"52:54:00:00:00:{name:02x}\"; deploy i{image}; }}\n"
    );
    (format!("hosts/h{name:03}.kdl"), text)
}

#[test]
fn a_checkout_of_a_hundred_files_is_one_edit() {
    let project = Project::workers();
    fs::create_dir(project.path(".git")).unwrap();
    let image = |name: &str| {
        format!(
            "image {name} {{ url \"https://127.0.0.1:8443/{name}.qcow2\"; checksum \
             \"sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0\"; }}\n"
        )
    };
    project.write(
        "fleet.kdl",
        &format!(
            "/- kdl-version 2\nspec many {{ simulated pace=200; secrets secrets; }}\n\
             import \"hosts/*.kdl\"\n{}{}",
            image("i1"),
            image("i2")
        ),
    );
    for name in 1..=100 {
        let (path, text) = host_file(name, 1);
        project.write(&path, &text);
    }
    let mut running = project.start(&["run"]);
    running.says("100 to create, 0 to change");
    // As git does it: under its lock, with pauses where the disk is slow.
    let files: Vec<_> = (1..=100).map(|name| host_file(name, 2)).collect();
    let lock = project.path(".git/index.lock");
    fs::write(&lock, "").unwrap();
    for (path, text) in &files {
        project.write(path, text);
        if path.ends_with("50.kdl") {
            std::thread::sleep(Duration::from_millis(500));
        }
    }
    fs::remove_file(&lock).unwrap();
    running.says("0 to create, 100 to change");
    let plans = running.err().matches(" unchanged").count();
    assert_eq!(plans, 2, "one for each edit:\n{}", running.err());
    running.interrupt().code(0);
}

#[test]
fn a_link_that_is_swapped_is_an_edit() {
    let project = Project::workers();
    let text = project.read("fleet.kdl");
    let (head, hosts) = text.split_at(text.find("host \"w[").unwrap());
    project.write("v1/hosts.kdl", &format!("/- kdl-version 2\n{hosts}"));
    let five = hosts.replace("w[slot=1-4]", "w[slot=1-5]");
    project.write("v2/hosts.kdl", &format!("/- kdl-version 2\n{five}"));
    let point = |version: &str| {
        // As a ConfigMap's mount does it.
        std::os::unix::fs::symlink(version, project.path("data.new")).unwrap();
        fs::rename(project.path("data.new"), project.path("data")).unwrap();
    };
    point("v1");
    project.write("fleet.kdl", &format!("{head}import \"data/hosts.kdl\"\n"));
    let mut running = project.start(&["run"]);
    running.says("4 to create");
    point("v2");
    running.says("1 to create");
    project.until("five", |hosts| provisioned(hosts, 5));
    running.interrupt().code(0);
}

/// Two versions of a spec, of four and of five machines, and a link to the first; `inner` is the
/// spec's folder in a version.
fn versions(inner: &str) -> Project {
    let project = Project::workers();
    let four = project.read("fleet.kdl");
    let five = four.replace("w[slot=1-4]", "w[slot=1-5]");
    let secrets = project.path("secrets");
    let secrets = format!("secrets \"{}\"", secrets.display());
    for (version, text) in [("v1", &four), ("v2", &five)] {
        let text = text.replace("secrets secrets", &secrets);
        project.write(&format!("{version}/{inner}fleet.kdl"), &text);
    }
    fs::remove_file(project.path("fleet.kdl")).unwrap();
    point(&project, "v1");
    project
}

/// Lets the link `cur` lead there, as git-sync does it.
fn point(project: &Project, version: &str) {
    std::os::unix::fs::symlink(version, project.path("cur.new")).unwrap();
    fs::rename(project.path("cur.new"), project.path("cur")).unwrap();
}

#[test]
fn a_spec_whose_folder_is_a_swapped_link_keeps_its_store() {
    let project = versions("");
    let mut running = project.start(&["run", "cur"]);
    running.says("4 to create");
    // By the path of the folder: nobody begins with an empty store, or sees one.
    for verb in [
        &["run", "v1"][..],
        &["apply", "--yes", "v1"],
        &["get", "-C", "v1", "hosts"],
    ] {
        let told = project.run(verb).code(5);
        assert!(
            told.err.contains("drives this spec by another path"),
            "{}",
            told.err
        );
        assert!(told.err.contains("/cur"), "{}", told.err);
    }
    point(&project, "v2");
    running.says("1 to create");
    project.run(&["run", "v2"]).code(5);
    // The same store, by the same path: another process finds it held.
    project.run(&["run", "cur"]).code(5);
    let names = project.run(&["get", "-C", "cur", "-o", "name"]).code(0);
    assert_eq!(names.out.lines().count(), 5, "{}", names.out);
    project.run(&["plan", "cur"]).code(0);
    running.interrupt().code(0);
    let again = project.run(&["run", "cur", "--until-settled"]).code(0);
    assert!(!again.err.contains("to create"), "{}", again.err);
}

#[test]
fn a_link_that_is_led_to_a_driven_folder_waits_until_it_is_free() {
    let project = versions("");
    let mut rehearsal = project.start(&["run", "v2"]);
    rehearsal.says("5 to create");
    let mut running = project.start(&["run", "cur"]);
    running.says("4 to create");
    point(&project, "v2");
    running.says("the last good fleet is kept");
    running.says("both drive these machines now");
    rehearsal.interrupt().code(0);
    running.says("1 to create");
    running.interrupt().code(0);
}

#[test]
fn all_paths_of_a_command_go_with_the_link_that_its_shell_stands_in() {
    let project = versions("");
    for (version, size) in [("v1", 4), ("v2", 5)] {
        let text = project.read("v1/fleet.kdl");
        let text = text.replace("spec small {", "param size 1\nspec small {");
        let text = text.replace("w[slot=1-4]", "w[slot=1-${param.size}]");
        project.write(
            &format!("{version}/params.kdl"),
            &format!("/- kdl-version 2\nparam size {size}\n"),
        );
        project.write(&format!("{version}/next.kdl"), &text);
    }
    for version in ["v1", "v2"] {
        let next = project.path(&format!("{version}/next.kdl"));
        fs::rename(next, project.path(&format!("{version}/fleet.kdl"))).unwrap();
    }
    let mut running = project.start_in("cur", &["run", "--params", "params.kdl"]);
    running.says("4 to create");
    point(&project, "v2");
    running.says("1 to create");
    running.interrupt().code(0);
}

#[test]
fn a_link_above_the_spec_that_is_swapped_changes_nothing_and_is_said() {
    let project = versions("lab/");
    let mut running = project.start(&["run", "cur/lab"]);
    running.says("4 to create");
    point(&project, "v2");
    running.says("where the store is not; the last good fleet is kept");
    assert!(!running.err().contains("1 to create"));
    point(&project, "v1");
    project.edit("v1/lab/fleet.kdl", "w[slot=1-4]", "w[slot=1-6]");
    running.says("2 to create");
    running.interrupt().code(0);
}
