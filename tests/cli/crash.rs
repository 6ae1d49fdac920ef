//! `kill -9` at any point, and store files that are not as they were left.

use std::collections::BTreeSet;
use std::fs;
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
