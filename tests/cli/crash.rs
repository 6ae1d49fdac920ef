//! `kill -9` at any point, and store files that are not as they were left.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::project::{Project, provisioned, text};

#[test]
fn killed_again_and_again_no_machine_is_lost() {
    let lab = Project::lab(4);
    // Not evenly spaced, so that they hit different phases; the process's id makes them others
    // each time.
    let mut noise = u64::from(std::process::id());
    for round in 0..6 {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let running = lab.start(&["run"]);
        std::thread::sleep(Duration::from_millis(
            150 + round * 100 + (noise >> 33) % 500,
        ));
        running.kill();
    }
    let seen: BTreeSet<String> = lab
        .hosts()
        .iter()
        .map(|host| text(&host["metadata"]["uid"]))
        .collect();
    lab.run(&["run", "--until-settled"]).code(0);
    let hosts = lab.hosts();
    assert!(provisioned(&hosts, 40), "{hosts:#?}");
    let ids: BTreeSet<String> = hosts
        .iter()
        .map(|host| text(&host["status"]["provisioning"]["ID"]))
        .collect();
    assert_eq!(ids.len(), 40, "each has a machine of its own");
    let uids: BTreeSet<String> = hosts
        .iter()
        .map(|host| text(&host["metadata"]["uid"]))
        .collect();
    assert!(seen.is_subset(&uids), "what was acknowledged is there");
}

#[test]
fn a_store_that_is_cut_off_is_not_taken_for_an_empty_one() {
    let project = Project::workers();
    project.run(&["run", "--until-settled"]).code(0);
    let store = project.path(".metalform/store.redb");
    let length = fs::metadata(&store).unwrap().len();
    fs::OpenOptions::new()
        .write(true)
        .open(&store)
        .unwrap()
        .set_len(length / 3)
        .unwrap();
    for args in [&["run", "--until-settled"][..], &["get"], &["plan"]] {
        let done = project.run(args).code(4);
        assert!(done.err.contains("store.redb"), "{}", done.err);
    }
    assert_eq!(
        fs::metadata(&store).unwrap().len(),
        length / 3,
        "it is left as it is"
    );
}

#[test]
fn a_store_that_was_lost_finds_its_machines_again_as_they_are() {
    let project = Project::workers();
    project.run(&["run", "--until-settled"]).code(0);
    let journal = || project.read(".metalform/machines.journal");
    let deployments = |journal: &str| journal.matches("\"what\":\"deploy\"").count();
    let before = journal();
    let ids = |project: &Project| -> Vec<String> {
        let hosts = project.hosts();
        let id = |host: &serde_json::Value| text(&host["status"]["provisioning"]["ID"]);
        hosts.iter().map(id).collect()
    };
    let known = ids(&project);
    for file in ["store.redb", "store.redb.log"] {
        fs::remove_file(project.path(&format!(".metalform/{file}"))).unwrap();
    }
    project.run(&["run", "--until-settled"]).code(0);
    assert!(provisioned(&project.hosts(), 4));
    assert_eq!(ids(&project), known);
    assert!(deployments(&before) > 0, "{before}");
    assert_eq!(deployments(&journal()), deployments(&before), "{before}");
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    let project = Project::workers();
    project.run(&["run", "--until-settled"]).code(0);
    let format = |number: u64| {
        let store = project.path(".metalform/store.redb");
        let database = redb::Database::open(store).unwrap();
        let transaction = database.begin_write().unwrap();
        let meta: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("meta");
        let mut meta = transaction.open_table(meta).unwrap();
        let before = meta.insert("format", number).unwrap().unwrap().value();
        drop(meta);
        transaction.commit().unwrap();
        before
    };
    let ours = format(99);
    for args in [
        &["run", "--until-settled"][..],
        &["get"],
        &["plan"],
        &["apply", "--yes"],
    ] {
        let done = project.run(args).code(4);
        let said = "use the metalform that wrote it, or a newer one";
        assert!(done.err.contains(said), "{}", done.err);
    }
    assert_eq!(format(ours), 99);
    assert!(provisioned(&project.hosts(), 4));
}

#[test]
fn a_file_that_is_no_store_is_left_alone() {
    let project = Project::workers();
    project.write(".metalform/store.redb", "notes of somebody");
    for args in [&["run", "--until-settled"][..], &["get"]] {
        let done = project.run(args).code(4);
        assert!(done.err.contains("store.redb is damaged"), "{}", done.err);
    }
    assert_eq!(project.read(".metalform/store.redb"), "notes of somebody");
}

#[test]
fn a_full_disk_stops_nothing_for_good() {
    let lab = Project::lab(50);
    lab.run(&["run", "--until-settled"]).code(0);
    lab.edit("pools.kdl", "debian-13-20261101", "debian-13-20261201");
    let most = fs::metadata(lab.path(".metalform/store.redb"))
        .unwrap()
        .len();
    // No file may be larger than half of the rows: the system says so as it does of a disk that is
    // full. That the rows may not grow would not do, for there is free space inside.
    let limited = format!(
        "trap '' XFSZ; ulimit -f {}; exec \"$0\" run \"$@\"",
        most / 2 / 512
    );
    let done = Command::new("sh")
        .args([
            "-c",
            &limited,
            env!("CARGO_BIN_EXE_metalform"),
            "--until-settled",
            "--timeout",
            "5",
        ])
        .current_dir(lab.path("."))
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&done.stderr);
    // What came through is in the log, and stays there as it cannot become rows.
    assert_eq!(done.status.code(), Some(1), "{err}");
    assert!(err.contains("not settled after 5 s"), "{err}");
    assert!(err.contains("cannot write the store"), "{err}");
    assert!(err.contains("The next write tries again"), "{err}");
    lab.run(&["run", "--until-settled"]).code(0);
    assert!(provisioned(&lab.hosts(), 40));
}
