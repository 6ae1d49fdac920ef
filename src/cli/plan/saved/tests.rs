use super::*;
use crate::plan::testing::{Lab, workers};

fn made(lab: &Lab) -> Made {
    Made {
        desired: lab.desired.clone(),
        plan: lab.plan(),
        observed: lab.hosts(),
    }
}

fn target(namespace: &str) -> Target {
    Target::Cluster {
        server: "https://10.0.0.1:6443".to_owned(),
        namespace: namespace.to_owned(),
    }
}

fn said(moved: &[Moved]) -> Vec<String> {
    moved.iter().map(|one| one.text.clone()).collect()
}

/// Two provisioned workers whose image is edited, and the saved plan of that.
fn edited() -> (Lab, Saved) {
    let mut lab = Lab::provisioned(&workers(2, ""));
    lab.edit(&workers(2, "refine n01 { description d; }"));
    let saved = Saved::of(&made(&lab), target("m"));
    (lab, saved)
}

#[test]
fn the_same_again_is_current_also_after_a_way_through_a_file() {
    let (lab, saved) = edited();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("one.plan");
    std::fs::write(&path, "one of before, for everybody").unwrap();
    saved.write(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let read = Saved::read(&path).unwrap();
    assert_eq!(read, saved);
    assert_eq!(read.moved(&made(&lab), target("m")), []);
}

#[test]
fn a_host_that_changed_is_named_with_its_versions() {
    let (lab, saved) = edited();
    lab.patch(
        "n01",
        serde_json::json!({"metadata": {"annotations": {"a": "b"}}}),
    );
    let moved = saved.moved(&made(&lab), target("m"));
    assert_eq!(moved.len(), 1);
    assert!(moved[0].text.contains("n01 changed (version "), "{moved:?}");
    assert_eq!(moved[0].host, Some(Lab::key("n01")));
    // One that has no part in it may change.
    let (lab, saved) = edited();
    lab.patch(
        "n02",
        serde_json::json!({"metadata": {"annotations": {"a": "b"}}}),
    );
    assert_eq!(saved.moved(&made(&lab), target("m")), []);
}

#[test]
fn another_text_and_what_it_adds_are_told() {
    let (mut lab, saved) = edited();
    lab.edit(&workers(3, "refine n01 { description d; }"));
    let said = said(&saved.moved(&made(&lab), target("m")));
    assert_eq!(said[0], "the spec says something else than it did");
    assert!(
        said[1].ends_with("n03 has a change that was not planned: create"),
        "{said:?}"
    );
}

#[test]
fn another_place_is_enough() {
    let (lab, saved) = edited();
    let said = said(&saved.moved(&made(&lab), target("other")));
    assert_eq!(
        said,
        [
            "the plan was made for namespace m of https://10.0.0.1:6443, and this is namespace other of \
          https://10.0.0.1:6443"
        ]
    );
}

#[test]
fn what_was_carried_out_is_not_carried_out_again() {
    let (lab, saved) = edited();
    lab.apply();
    let said = said(&saved.moved(&made(&lab), target("m")));
    assert!(
        said[0].ends_with("n01 has nothing left to change"),
        "{said:?}"
    );
}

#[test]
fn a_file_that_is_no_plan_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fleet.kdl");
    std::fs::write(&path, "spec a").unwrap();
    assert!(
        Saved::read(&path)
            .unwrap_err()
            .text
            .ends_with("is no saved plan")
    );
    let next = serde_json::json!({"format": FORMAT, "format_version": "2.0"}).to_string();
    std::fs::write(&path, next).unwrap();
    let text = Saved::read(&path).unwrap_err().text;
    assert!(
        text.ends_with("is a plan of version 2.0; this is 1.0"),
        "{text}"
    );
}
