//! Hosts as members of a fleet's set.

use super::*;
use crate::api::names::applyset::PART_OF;
use crate::plan::adopted;

const ID: &str = "applyset-of-lab-v1";

/// Two workers that are members of the fleet's set, and a third that is in the text no more.
fn lab(members: &[&str]) -> Lab {
    let mut lab = Lab::new(&workers(3, ""));
    lab.apply();
    for name in members {
        lab.patch(name, json!({"metadata": {"labels": {PART_OF: ID}}}));
    }
    lab.edit(&workers(2, ""));
    lab.desired = lab.desired.clone().in_set(ID);
    lab
}

#[test]
fn only_a_member_is_removed() {
    let all = lab(&["n01", "n02", "n03"]);
    assert!(brief(&all.plan()).contains("n03"), "{}", brief(&all.plan()));
    let two = lab(&["n01", "n02"]);
    let plan = two.plan();
    assert_eq!(brief(&plan), "2 unchanged");
    let notes = adopted(&two.desired, &plan, &two.hosts());
    assert_eq!(
        notes,
        ["not in the spec and left alone, for they are no members of this fleet's set: n03"]
    );
    assert!(is_as_wanted(&two.desired, &two.host("n03")));
}

#[test]
fn one_without_the_label_gets_it_and_is_told_so() {
    let lab = lab(&["n01", "n03"]);
    assert!(!is_as_wanted(&lab.desired, &lab.host("n02")));
    let plan = lab.plan();
    let update = plan
        .actions
        .iter()
        .find(|action| &*action.host.name == "n02");
    let update = update.unwrap();
    assert_eq!(update.disruption, Disruption::None);
    assert_eq!(update.changes[0].after, Some(ID.into()));
    lab.apply();
    assert_eq!(brief(&lab.plan()), "2 unchanged");
}

#[test]
fn one_of_another_set_is_refused_unless_it_is_ours() {
    let lab = lab(&["n01", "n02", "n03"]);
    let other = json!({"metadata": {"labels": {PART_OF: "other"}}});
    lab.patch("n02", other);
    let refusal = |lab: &Lab| {
        let plan = lab.plan();
        let action = plan
            .actions
            .iter()
            .find(|action| &*action.host.name == "n02");
        action.unwrap().refusal.as_ref().map(|refusal| refusal.code)
    };
    assert_eq!(
        refusal(&lab),
        None,
        "its annotation is ours: the label was changed by hand"
    );
    lab.patch(
        "n02",
        json!({"metadata": {"annotations": {annotation::FLEET: null}}}),
    );
    assert_eq!(refusal(&lab), Some("MF7111"));
}
