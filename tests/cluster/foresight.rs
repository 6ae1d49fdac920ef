//! What is told before a take-over: `metalform adopt` on the hosts that are taken over afterwards.

use std::process::Command;

use serde_json::{Value, json};

use crate::controller::Site;
use crate::settled::TOLD;
use crate::stage::{GIVEN, Stage};

/// `metalform adopt` with the rights of a controller: its exit code, and what it says of the hosts.
#[track_caller]
fn adopt(stage: &Stage, site: &Site, whose: &str) -> (Option<i32>, Vec<Value>) {
    let mark = stage.lab.mark();
    let done = Command::new(env!("CARGO_BIN_EXE_metalform"))
        .env("KUBECONFIG", site.kubeconfig())
        .args(["adopt", "--json", "--namespace", &site.namespace])
        .args(stage.settings())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    let told: Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
    let hosts = told["hosts"].as_array();
    let hosts = hosts.unwrap_or_else(|| panic!("{:?}: {said}", done.status));
    let left = stage.left[whose].as_object().unwrap();
    let ids: Vec<_> = left.values().map(|left| &left["node"]["uuid"]).collect();
    let is_ours = |path: &str| {
        let mut ids = ids.iter().filter_map(|id| id.as_str());
        ids.any(|id| path.contains(id))
    };
    // Others may be at work on their own machines.
    for asked in stage.lab.asked(mark) {
        assert!(asked.method == "GET" || !is_ours(&asked.path), "{asked:?}");
    }
    (done.status.code(), hosts.clone())
}

/// Of the other operator's hosts, those are told of whose status would be written.
pub fn of_taken_hosts(stage: &Stage) {
    let (code, mut hosts) = adopt(stage, &stage.taken, "taken");
    hosts.retain(|host| host["would"] != json!([]));
    let busy: Vec<_> = hosts.iter().map(|host| &host["host"]).collect();
    let told = TOLD.map(|name| json!(format!("{}/{name}", stage.taken.namespace)));
    assert_eq!(busy, told.iter().collect::<Vec<_>>(), "{hosts:#?}");
    let would = hosts
        .iter()
        .flat_map(|host| host["would"].as_array().unwrap());
    let lines: Vec<_> = would.map(|line| line.as_str().unwrap()).collect();
    let is_ours = |line: &&str| line.starts_with("write status.");
    assert!(lines.iter().all(is_ours), "{lines:#?}");
    assert_eq!(code, Some(1));
}

#[test]
fn nothing_would_be_done_for_hosts_of_our_own() {
    let Some(stage) = Stage::shared() else {
        return;
    };
    let (code, hosts) = adopt(stage, &stage.given, "given");
    assert_eq!(hosts.len(), GIVEN.len());
    for host in &hosts {
        assert_eq!(host["would"], json!([]), "{host:#}");
    }
    assert_eq!(code, Some(0));
}
