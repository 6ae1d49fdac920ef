//! What takes a machine away, and the words that allow it.

use super::*;

#[test]
fn taking_the_image_away_destroys_and_needs_a_word() {
    insta::assert_snapshot!(edit(&two("").replace("deploy a; ", "")), @r"
    update destroy n01 spec.image.checksum spec.image.checksumType spec.image.url ! provisioned, and loses what is deployed on it
    update destroy n02 spec.image.checksum spec.image.checksumType spec.image.url ! provisioned, and loses what is deployed on it
    0 unchanged
    ");
}

#[test]
fn leaving_a_pool_needs_a_word_whatever_becomes_of_the_machine() {
    // Out of any pool, with its image: out, but as it is.
    insta::assert_snapshot!(edit(&two("refine n01 { labels role=spare; }")), @r"
    update destroy n01 metadata.labels.role pool spec.image.checksum spec.image.checksumType spec.image.url ! provisioned, and leaves pool `workers`, what is deployed on it goes
    1 unchanged
    ");
    insta::assert_snapshot!(edit(&two("refine n01 { labels role=spare; deploy a; }")), @r"
    update none n01 metadata.labels.role pool ! provisioned, and leaves pool `workers`
    1 unchanged
    ");
    // To another pool, with the same image and with another.
    let other =
        "refine n01 { labels role=storage; }; pool storage { select role=storage; deploy a; }";
    insta::assert_snapshot!(edit(&two(other)), @r"
    update none n01 metadata.labels.role pool ! provisioned, and moves from pool `workers` to `storage`
    1 unchanged
    ");
    insta::assert_snapshot!(edit(&two(&other.replace("deploy a", "deploy b"))), @r"
    update reprovision n01 metadata.labels.role pool spec.image.checksum spec.image.url ! provisioned, and moves from pool `workers` to `storage`, it is deployed anew there
    1 unchanged
    ");
}

#[test]
fn who_is_not_deployed_moves_freely() {
    let text = two("refine n01 { labels role=spare; }");
    insta::assert_snapshot!(edit_in(ProvisioningState::Available, &text), @"update none n01 metadata.labels.role pool spec.image.checksum spec.image.checksumType spec.image.url");
    insta::assert_snapshot!(edit_in(ProvisioningState::Provisioning, &text), @"update clean n01 metadata.labels.role pool spec.image.checksum spec.image.checksumType spec.image.url");
}

#[test]
fn a_smaller_pool_lets_go_of_its_last() {
    insta::assert_snapshot!(edit(&two("").replace("deploy a", "replicas 1; deploy a")), @r"
    update destroy n02 pool spec.image.checksum spec.image.checksumType spec.image.url ! provisioned, and leaves pool `workers`, what is deployed on it goes
    1 unchanged
    ");
}

#[test]
fn hosts_that_the_spec_says_no_more_are_deleted() {
    insta::assert_snapshot!(edit(&workers(1, "")), @r"
    delete destroy n02 ! provisioned, and in the spec no more
    1 unchanged
    ");
    let deletion = |state| {
        let mut lab = Lab::provisioned(&two(""));
        lab.state("n02", state);
        brief(&lab.edit(&workers(1, "")))
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    insta::assert_snapshot!(deletion(ProvisioningState::ExternallyProvisioned), @"delete destroy n02 ! externally provisioned, and in the spec no more; its machine is powered off");
    assert_eq!(
        deletion(ProvisioningState::Provisioning),
        "delete clean n02"
    );
    assert_eq!(deletion(ProvisioningState::Available), "delete none n02");
    assert_eq!(deletion(ProvisioningState::Registering), "delete none n02");
}

#[test]
fn a_detached_machine_is_not_harmed_by_a_deletion() {
    let detached = "baremetalhost.metal3.io/detached";
    let deletion = |annotation: Option<&str>| {
        let mut lab = Lab::provisioned(&two(""));
        lab.status("n02", |status| {
            status.operational_status = crate::api::OperationalStatus::Detached
        });
        let annotations = json!({ "metadata": { "annotations": { detached: annotation } } });
        lab.patch("n02", annotations);
        brief(&lab.edit(&workers(1, "")))
    };
    for given_away in ["", "true", "{\"deleteAction\":\"delete\"}"] {
        let plan = deletion(Some(given_away));
        assert_eq!(plan, "delete none n02\n1 unchanged", "{given_away}");
    }
    // These machines come back before the host is deleted, and then it is deleted like any other.
    for coming_back in [None, Some("{\"deleteAction\":\"delay\"}")] {
        assert_eq!(
            deletion(coming_back),
            "delete destroy n02 ! provisioned, and in the spec no more\n1 unchanged",
            "{coming_back:?}"
        );
    }
}

#[test]
fn a_state_of_a_newer_operator_may_be_a_deployment() {
    let mut lab = Lab::provisioned(&two(""));
    lab.state("n02", ProvisioningState::from("servicing"));
    insta::assert_snapshot!(brief(&lab.edit(&workers(1, ""))), @r"
    delete destroy n02 ! servicing, and in the spec no more
    1 unchanged
    ");
    let bare = two("").replace("deploy a; ", "");
    let plan = brief(&lab.edit(&bare));
    let loses = "! servicing, and loses what is deployed on it";
    assert!(plan.contains(loses), "{plan}");
}

#[test]
fn prevent_destroy_refuses_what_a_word_would_allow() {
    let guarded = two("each { lifecycle prevent-destroy=#true; }");
    let mut lab = Lab::provisioned(&guarded);
    insta::assert_snapshot!(brief(&lab.edit(&guarded.replace("deploy a; ", ""))), @r"
    update destroy n01 spec.image.checksum spec.image.checksumType spec.image.url ! provisioned, and loses what is deployed on it x MF7101
    update destroy n02 spec.image.checksum spec.image.checksumType spec.image.url ! provisioned, and loses what is deployed on it x MF7101
    0 unchanged
    ");
    // A new image is another matter: it rolls.
    let rolls = lab.edit(&guarded.replace("deploy a", "deploy b"));
    assert!(rolls.actions.iter().all(|action| action.refusal.is_none()));
    // Taking the whole host out of the text does not take the protection off the machine.
    insta::assert_snapshot!(brief(&lab.edit(&workers(1, ""))), @r"
    delete destroy n02 ! provisioned, and in the spec no more x MF7101
    update none n01 prevent-destroy
    0 unchanged
    ");
    // Its line goes first.
    lab.edit(&two(""));
    lab.apply();
    let plan = lab.edit(&workers(1, ""));
    assert!(plan.actions[0].refusal.is_none() && plan.actions[0].guard.is_some());
}

#[test]
fn a_token_names_the_change() {
    let token = |lab: &mut Lab, text: &str| {
        let plan = lab.edit(text);
        let action = plan
            .actions
            .iter()
            .find(|action| action.guard.is_some())
            .unwrap();
        (
            action.host.name.to_string(),
            action.guard.clone().unwrap().token,
        )
    };
    let lab = &mut Lab::provisioned(&two(""));
    let spare = two("refine n02 { labels role=spare; }");
    let other = two("refine n02 { labels role=spare; deploy b; }");
    let tokens = [
        token(lab, &workers(1, "")),
        token(lab, &spare),
        token(lab, &other),
    ];
    assert_eq!(
        token(lab, &spare),
        tokens[1],
        "the same change has the same token"
    );
    let mut different: BTreeSet<&String> = tokens.iter().map(|(_, token)| token).collect();
    assert_eq!(different.len(), 3, "{tokens:?}");
    // The machine has something else by now: another change.
    lab.status("n02", |status| {
        status.provisioning.image.url = "http://x/other".into()
    });
    let later = token(lab, &workers(1, ""));
    assert!(different.insert(&later.1), "{later:?}");
}

#[test]
fn a_token_is_for_one_text() {
    let lab = &mut Lab::provisioned(&two(""));
    let token = |lab: &mut Lab, more: &str| {
        let plan = lab.edit(&workers(1, more));
        let going = plan.actions.iter().find(|one| &*one.host.name == "n02");
        going.unwrap().guard.clone().unwrap().token
    };
    let one = token(lab, "");
    assert_eq!(token(lab, "# a comment\n".replace('#', "//").as_str()), one);
    assert_ne!(token(lab, "refine n01 { description d; }"), one);
}

/// A pool that protects its members.
fn protected(more: &str) -> String {
    two(more).replace("deploy a;", "deploy a; lifecycle prevent-destroy=#true;")
}

#[test]
fn a_pool_protects_those_that_leave_it() {
    let refused = |from: &str, to: &str| {
        let plan = Lab::provisioned(from).edit(to);
        let refused = plan.actions.iter().filter(|one| one.refusal.is_some());
        let refused = refused.map(|one| {
            let code = one.refusal.as_ref().unwrap().code;
            format!("{} {} {code}", one.disruption.word(), one.host.name)
        });
        refused.collect::<Vec<_>>().join(", ")
    };
    let pool = protected("");
    let spare = "refine n02 { labels role=spare; }";
    let gone = "destroy n02 MF7101";
    // By its label, by the number of members, by going.
    assert_eq!(refused(&pool, &protected(spare)), gone);
    assert_eq!(
        refused(&pool, &pool.replace("deploy a;", "deploy a; replicas 1;")),
        gone
    );
    assert_eq!(refused(&pool, &pool.replace("01-02", "01-01")), gone);
    // With the pool itself.
    let without = two("").replace("pool workers { select role=worker; deploy a; }", "");
    assert_eq!(
        refused(&pool, &without),
        "destroy n01 MF7101, destroy n02 MF7101"
    );
    // A host that drops its own protection with its label.
    let own = two("refine n02 { lifecycle prevent-destroy=#true; }");
    assert_eq!(refused(&own, &two(spare)), gone);
    // The line goes first, and is applied; then a word will do.
    let lab = &mut Lab::provisioned(&own);
    assert_eq!(
        brief(&lab.edit(&two(""))),
        "update none n02 prevent-destroy\n1 unchanged"
    );
    lab.apply();
    let plan = lab.edit(&two(spare));
    assert!(plan.actions[0].guard.is_some() && plan.actions[0].refusal.is_none());
}

/// Between two deployments nothing runs on a machine, and it is no less needed.
#[test]
fn a_machine_that_rolls_is_guarded_as_before() {
    let started = |lab: &Lab, state: ProvisioningState| {
        lab.status("n02", |status| {
            status.provisioning.state = state;
            let began = &mut status.operation_history.deprovision.start;
            *began = Some("2026-01-01T00:00:00Z".parse().unwrap());
        });
    };
    let protected = |count: usize| workers(count, "each { lifecycle prevent-destroy=#true; }");
    for state in
        ["deprovisioning", "available", "preparing", "provisioning"].map(ProvisioningState::from)
    {
        let mut lab = Lab::provisioned(&two(""));
        started(&lab, state.clone());
        assert_eq!(
            brief(&lab.edit(&workers(1, ""))),
            format!("delete destroy n02 ! {state}, and in the spec no more\n1 unchanged")
        );
        let plan = brief(&lab.edit(&two("refine n02 { labels role=spare; }")));
        assert!(
            plan.contains("! ") && plan.contains("leaves pool"),
            "{plan}"
        );
        let mut lab = Lab::provisioned(&protected(2));
        started(&lab, state.clone());
        let plan = lab.edit(&protected(1));
        assert_eq!(
            plan.actions[0].refusal.as_ref().unwrap().code,
            "MF7101",
            "{state}"
        );
    }
    // The first deployment, or one that failed, is nothing to lose, but a word was said.
    let mut lab = Lab::provisioned(&protected(2));
    lab.state("n02", ProvisioningState::Provisioning);
    let plan = lab.edit(&protected(1));
    assert_eq!(plan.actions[0].refusal.as_ref().unwrap().code, "MF7101");
    let mut lab = Lab::provisioned(&two(""));
    started(&lab, ProvisioningState::Provisioning);
    lab.status("n02", |status| status.provisioning_fail_count = 1);
    assert_eq!(
        brief(&lab.edit(&workers(1, ""))),
        "delete clean n02\n1 unchanged"
    );
}

#[test]
fn a_new_image_for_a_machine_that_is_wanted_off_takes_the_old_one_away() {
    let off = "each { online #false; }";
    let mut lab = Lab::provisioned(&two(""));
    assert_eq!(
        brief(&lab.edit(&two(off))),
        "update reboot n01 spec.online\nupdate reboot n02 spec.online\n0 unchanged"
    );
    let plan = brief(&lab.edit(&two(off).replace("deploy a", "deploy b")));
    assert_eq!(plan.matches("update destroy n0").count(), 2, "{plan}");
    assert_eq!(
        plan.matches("loses what is deployed on it").count(),
        2,
        "{plan}"
    );
}
