use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::api::ProvisioningState;
use crate::plan::testing::{HOST, IMAGES, Lab, Spec, brief, spec, spec_of, workers};

fn two(more: &str) -> String {
    workers(2, more)
}

/// The plan of an edit of two provisioned workers, in short.
fn edit(to: &str) -> String {
    brief(&Lab::provisioned(&two("")).edit(to))
}

/// The plan of an edit when the first of two hosts is in a state.
fn edit_in(state: ProvisioningState, to: &str) -> String {
    let lab = &mut Lab::provisioned(&two(""));
    lab.state("n01", state);
    let plan = lab.edit(to);
    brief(&plan)
        .lines()
        .filter(|line| line.contains("n01"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn new_hosts_are_created() {
    let lab = Lab::new(&two(""));
    let plan = lab.plan();
    insta::assert_snapshot!(brief(&plan), @r"
    create none n01
    create none n02
    0 unchanged
    ");
    let paths: Vec<&str> = plan.actions[0]
        .changes
        .iter()
        .map(|one| one.path.as_str())
        .collect();
    assert!(
        paths.contains(&"spec.image.url") && paths.contains(&"pool"),
        "{paths:?}"
    );
    assert_eq!(&*plan.actions[0].changes[0].site, "fleet.kdl:7");
}

#[test]
fn what_was_applied_is_as_wanted() {
    let lab = Lab::provisioned(&two(""));
    assert_eq!(brief(&lab.plan()), "2 unchanged");
    assert!(differing(&lab.desired, &lab.hosts()).is_empty());
    assert!(
        lab.hosts()
            .iter()
            .all(|host| is_as_wanted(&lab.desired, host))
    );
}

#[test]
fn a_line_that_moved_is_no_change() {
    assert_eq!(edit(&format!("\n\n{}", two(""))), "2 unchanged");
}

#[test]
fn a_change_without_effect_on_the_object_is_none() {
    // The digest differs, the object does not: no write, and no need to ask who owns what.
    let mut lab = Lab::provisioned(&two(""));
    let plan = lab.edit(&two("each { lifecycle prevent-destroy=#false; }"));
    assert_eq!(brief(&plan), "2 unchanged");
    assert!(differing(&lab.desired, &lab.hosts()).is_empty());
}

#[test]
fn labels_annotations_and_texts_disturb_nobody() {
    insta::assert_snapshot!(
        edit(&two("refine n01 { labels zone=a; annotations \"example.org/n\"=x; description d; }")),
        @r"
        update none n01 metadata.annotations['example.org/n'] metadata.labels.zone spec.description
        1 unchanged
        "
    );
}

#[test]
fn a_new_image_for_a_provisioned_machine_reprovisions() {
    let text = two("").replace("deploy a", "deploy b");
    let mut lab = Lab::provisioned(&two(""));
    let plan = lab.edit(&text);
    insta::assert_snapshot!(brief(&plan), @r"
    update reprovision n01 spec.image.checksum spec.image.url
    update reprovision n02 spec.image.checksum spec.image.url
    0 unchanged
    ");
    let url = plan.actions[0]
        .changes
        .iter()
        .find(|one| one.path == "spec.image.url")
        .unwrap();
    assert_eq!(url.disruption, Disruption::Reprovision);
    assert_eq!(&*url.site, "fleet.kdl:5");
    let sum = plan.actions[0]
        .changes
        .iter()
        .find(|one| one.path == "spec.image.checksum");
    assert_eq!(sum.unwrap().disruption, Disruption::None);
}

#[test]
fn a_corrected_checksum_reprovisions_nobody() {
    insta::assert_snapshot!(edit(&two("").replace("sha256:aa01", "sha256:ac01")), @r"
    update none n01 spec.image.checksum
    update none n02 spec.image.checksum
    0 unchanged
    ");
}

#[test]
fn what_a_new_image_does_depends_on_the_state() {
    let text = two("").replace("deploy a", "deploy b");
    let class = |state| edit_in(state, &text).split(' ').nth(1).unwrap().to_owned();
    assert_eq!(class(ProvisioningState::Provisioned), "reprovision");
    assert_eq!(class(ProvisioningState::Provisioning), "reprovision");
    for state in [
        ProvisioningState::None,
        ProvisioningState::Registering,
        ProvisioningState::Inspecting,
        ProvisioningState::Preparing,
        ProvisioningState::Available,
        ProvisioningState::Deprovisioning,
    ] {
        assert_eq!(class(state.clone()), "none", "{state}");
    }
}

#[test]
fn an_error_makes_a_machine_no_less_deployed() {
    let mut lab = Lab::provisioned(&two(""));
    lab.fail("n01", "the BMC does not answer");
    let plan = lab.edit(&two("").replace("deploy a", "deploy b"));
    assert_eq!(plan.count()[&Disruption::Reprovision], 2);
}

#[test]
fn an_image_that_was_not_there_comes_without_ado() {
    let without = two("").replace("deploy a; ", "");
    let mut lab = Lab::new(&without);
    lab.apply();
    lab.state("n01", ProvisioningState::Available);
    lab.state("n02", ProvisioningState::Available);
    insta::assert_snapshot!(brief(&lab.edit(&two(""))), @r"
    update none n01 spec.image.checksum spec.image.checksumType spec.image.url
    update none n02 spec.image.checksum spec.image.checksumType spec.image.url
    0 unchanged
    ");
}

#[test]
fn taking_the_image_away_destroys_and_needs_a_word() {
    insta::assert_snapshot!(edit(&two("").replace("deploy a; ", "")), @r"
    update destroy n01 spec.image.checksum spec.image.checksumType spec.image.url ! provisioned, and loses what is deployed on it
    update destroy n02 spec.image.checksum spec.image.checksumType spec.image.url ! provisioned, and loses what is deployed on it
    0 unchanged
    ");
}

#[test]
fn a_custom_deploy_in_place_of_an_image_reprovisions() {
    insta::assert_snapshot!(edit(&two("refine n01 { custom-deploy install_os; }")), @r"
    update reprovision n01 spec.customDeploy.method spec.image.checksum spec.image.checksumType spec.image.url
    1 unchanged
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
    let mut lab = Lab::provisioned(&two(""));
    lab.status("n02", |status| {
        status.operational_status = crate::api::OperationalStatus::Detached
    });
    assert_eq!(
        brief(&lab.edit(&workers(1, ""))),
        "delete none n02\n1 unchanged"
    );
}

#[test]
fn power_off_is_a_reboot_for_what_runs() {
    let off = two("refine n01 { online #false; }");
    insta::assert_snapshot!(edit(&off), @r"
    update reboot n01 spec.online
    1 unchanged
    ");
    assert_eq!(
        edit_in(ProvisioningState::Available, &off),
        "update none n01 spec.online"
    );
    let mut lab = Lab::provisioned(&off);
    assert_eq!(
        brief(&lab.edit(&two(""))),
        "update none n01 spec.online\n1 unchanged"
    );
}

#[test]
fn raid_of_an_idle_machine_cleans() {
    let raid = two("refine n01 { raid hardware { volume v { level \"1\"; } } }");
    insta::assert_snapshot!(edit_in(ProvisioningState::Available, &raid), @"update clean n01 spec.raid.hardwareRAIDVolumes");
    // Its turn comes when the machine is deployed anew.
    insta::assert_snapshot!(edit_in(ProvisioningState::Provisioned, &raid), @"update none n01 spec.raid.hardwareRAIDVolumes");
    // What is made already is not made again, and no wish keeps what is there.
    let mut lab = Lab::provisioned(&raid);
    let volumes = lab.host("n01").spec.raid.clone();
    lab.status("n01", |status| {
        status.provisioning.state = ProvisioningState::Available;
        status.provisioning.raid = volumes;
    });
    assert!(brief(&lab.edit(&two(""))).starts_with("update none n01 spec.raid"));
}

#[test]
fn hints_and_boot_mode_wait_for_the_next_deployment() {
    let text = two("refine n01 { root-device serial=X; boot mode=legacy; }");
    for state in [ProvisioningState::Available, ProvisioningState::Provisioned] {
        assert!(edit_in(state, &text).starts_with("update none n01 "));
    }
}

#[test]
fn a_bmc_address_changes_only_while_registering_or_detached() {
    let moved = two("").replace("10.0.0.", "10.9.0.");
    let refused = |state| edit_in(state, &moved);
    assert_eq!(
        refused(ProvisioningState::Provisioned),
        "update none n01 spec.bmc.address x MF7102"
    );
    assert_eq!(
        refused(ProvisioningState::Available),
        "update none n01 spec.bmc.address x MF7102"
    );
    assert_eq!(
        refused(ProvisioningState::Registering),
        "update none n01 spec.bmc.address"
    );
    assert_eq!(
        refused(ProvisioningState::None),
        "update none n01 spec.bmc.address"
    );
    let mut lab = Lab::provisioned(&two(""));
    lab.status("n01", |status| {
        status.operational_status = crate::api::OperationalStatus::Detached
    });
    assert!(lab.edit(&moved).actions[0].refusal.is_none());
}

#[test]
fn a_boot_mac_never_changes_once_set() {
    let moved = two("").replace("52:54:00:00:00:00", "52:54:00:00:01:00");
    for state in [ProvisioningState::None, ProvisioningState::Provisioned] {
        assert_eq!(
            edit_in(state, &moved),
            "update none n01 spec.bootMACAddress x MF7103"
        );
    }
    // In another spelling it is the same.
    let mut lab = Lab::provisioned(&two(""));
    let shouted = lab.host("n01").spec.boot_mac_address.to_uppercase();
    lab.patch(
        "n01",
        json!({"spec": {"bootMACAddress": format!("{shouted}")}}),
    );
    assert!(
        lab.plan()
            .actions
            .iter()
            .all(|action| action.refusal.is_none())
    );
    assert!(brief(&lab.edit(&two(""))).ends_with("unchanged"));
}

#[test]
fn externally_provisioned_is_for_new_and_available_hosts() {
    let external = two("refine n01 { externally-provisioned #true; }");
    let with = |state| edit_in(state, &external);
    assert!(with(ProvisioningState::Provisioned).ends_with("x MF7104"));
    assert!(with(ProvisioningState::Registering).ends_with("x MF7104"));
    assert_eq!(
        with(ProvisioningState::Available),
        "update none n01 spec.externallyProvisioned"
    );
}

#[test]
fn what_is_externally_provisioned_is_taken_as_what_the_spec_says() {
    let external = two("refine n01 { externally-provisioned #true; }");
    let mut lab = Lab::provisioned(&external);
    lab.state("n01", ProvisioningState::ExternallyProvisioned);
    // Another image is not looked at.
    let image = lab.edit(&external.replace("deploy a", "deploy b"));
    let first = image
        .actions
        .iter()
        .find(|action| &*action.host.name == "n01")
        .unwrap();
    assert_eq!(first.disruption, Disruption::None);
    // Without the flag the image is taken to be there.
    assert_eq!(
        brief(&lab.edit(&two(""))),
        "update none n01 spec.externallyProvisioned\n1 unchanged"
    );
    // Without flag and image what is there goes.
    let gone = two("refine n01 { labels role=spare; }");
    insta::assert_snapshot!(brief(&lab.edit(&gone)), @r"
    update destroy n01 metadata.labels.role pool spec.externallyProvisioned spec.image.checksum spec.image.checksumType spec.image.url ! externally provisioned, and leaves pool `workers`, what is deployed on it goes
    1 unchanged
    ");
}

#[test]
fn another_ironic_takes_over_only_what_is_new() {
    let text = |name: &str| {
        format!(
            r#"spec lab
ironic north {{ url "http://10.0.0.1:6385"; }}
ironic south {{ url "http://10.0.0.2:6385"; }}
host "n[slot=01]" {{ {HOST}; driven-by {name}; }}"#
        )
    };
    let mut lab = Lab::new(&text("north"));
    lab.apply();
    assert_eq!(
        brief(&lab.edit(&text("south"))),
        "update none n01 ironic\n0 unchanged"
    );
    lab.state("n01", ProvisioningState::Available);
    assert_eq!(
        brief(&lab.edit(&text("south"))),
        "update none n01 ironic x MF7112\n0 unchanged"
    );
}

#[test]
fn a_second_ironic_gives_hosts_the_name_of_theirs_and_takes_it_away_again() {
    let text = |ironics: &str| {
        format!(
            r#"spec lab
ironic north {{ url "http://10.0.0.1:6385"; }}
{ironics}
host "n[slot=01]" {{ {HOST}; driven-by north; }}"#
        )
    };
    let (one, two) = (
        text(""),
        text("ironic south { url \"http://10.0.0.2:6385\"; }"),
    );
    let mut lab = Lab::new(&one);
    lab.apply();
    lab.state("n01", ProvisioningState::Provisioned);
    assert_eq!(
        brief(&lab.edit(&two)),
        "update none n01 ironic\n0 unchanged"
    );
    lab.apply();
    assert_eq!(
        brief(&lab.edit(&one)),
        "update none n01 ironic\n0 unchanged"
    );
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
fn fields_that_others_set_stay() {
    let mut lab = Lab::provisioned(&two(""));
    lab.patch(
        "n01",
        json!({
            "metadata": {"labels": {"team": "x"}, "annotations": {"example.org/note": "y"}},
            "spec": {"architecture": "x86_64", "consumerRef": {"name": "machine-1"}},
        }),
    );
    assert_eq!(brief(&lab.plan()), "2 unchanged");
    // Also when the text changes, and when the plan is carried out.
    let plan = lab.edit(&two("each { labels zone=a; }"));
    assert_eq!(differing(&lab.desired, &lab.hosts()), [Lab::key("n01")]);
    insta::assert_snapshot!(brief(&plan), @r"
    update none n01 metadata.labels.zone
    update none n02 metadata.labels.zone
    0 unchanged
    ");
    lab.apply();
    assert_eq!(brief(&lab.plan()), "2 unchanged");
    let host = lab.host("n01");
    assert_eq!(host.spec.architecture, "x86_64");
    let labels = host.metadata.labels.as_ref().unwrap();
    assert_eq!(labels.get("team"), Some("x"));
}

#[test]
fn fields_that_were_ours_go_with_the_text() {
    let mut lab = Lab::provisioned(&two(
        "each { labels zone=a; annotations note=x; description d; architecture aarch64; }",
    ));
    insta::assert_snapshot!(brief(&lab.edit(&two(""))), @r"
    update none n01 metadata.annotations.note metadata.labels.zone spec.architecture spec.description
    update none n02 metadata.annotations.note metadata.labels.zone spec.architecture spec.description
    0 unchanged
    ");
    lab.apply();
    assert_eq!(brief(&lab.plan()), "2 unchanged");
    assert_eq!(lab.host("n01").spec.architecture, "");
}

#[test]
fn what_somebody_else_set_to_another_value_is_set_back() {
    let mut lab = Lab::provisioned(&two("each { labels zone=a; }"));
    lab.patch(
        "n01",
        json!({"metadata": {"labels": {"zone": "b"}}, "spec": {"online": false}}),
    );
    insta::assert_snapshot!(brief(&lab.plan()), @r"
    update none n01 metadata.labels.zone spec.online
    1 unchanged
    ");
    assert!(!is_as_wanted(&lab.desired, &lab.host("n01")));
    lab.apply();
    assert_eq!(
        brief(&lab.edit(&two("each { labels zone=a; }"))),
        "2 unchanged"
    );
}

#[test]
fn a_host_of_nobody_is_adopted() {
    let lab = Lab::provisioned(&two(""));
    let mine = json!({"metadata": {"annotations": {"metalform.dev/fleet": null}}});
    lab.patch("n01", mine);
    assert_eq!(brief(&lab.plan()), "update none n01 \n1 unchanged");
    lab.apply();
    assert_eq!(brief(&lab.plan()), "2 unchanged");
    assert_eq!(lab.host("n01").annotation(annotation::FLEET), Some("lab"));
}

#[test]
fn hosts_of_others_are_left_alone() {
    let lab = Lab::provisioned(&two(""));
    let theirs = json!({"metadata": {"annotations": {"metalform.dev/fleet": "other"}}});
    lab.patch("n01", theirs);
    let plan = lab.plan();
    assert_eq!(brief(&plan), "update none n01  x MF7111\n1 unchanged");
    assert!(
        plan.actions[0]
            .refusal
            .as_ref()
            .unwrap()
            .text
            .contains("fleet `other`")
    );
    // Nor are they removed when the text does not say them, nor those of nobody.
    let nobody = json!({"metadata": {"annotations": {"metalform.dev/fleet": null}}});
    lab.patch("n02", nobody);
    let mut lab = lab;
    assert_eq!(brief(&lab.edit("spec lab { simulated; }")), "0 unchanged");
}

#[test]
fn a_host_that_is_being_deleted_comes_back_once_it_is_gone() {
    let mut lab = Lab::provisioned(&two(""));
    lab.finalizer("n02", true);
    lab.edit(&workers(1, ""));
    lab.apply();
    assert!(lab.host("n02").metadata.deletion_timestamp.is_some());
    assert_eq!(brief(&lab.plan()), "1 unchanged", "it is on its way");
    let plan = lab.edit(&two(""));
    assert_eq!(brief(&plan), "create none n02\n1 unchanged");
    assert_eq!(plan.actions[0].machine_of, Some(Lab::key("n02")));
    lab.finalizer("n02", false);
    let plan = lab.plan();
    assert_eq!(
        (plan.actions.len(), &plan.actions[0].machine_of),
        (1, &None)
    );
}

#[test]
fn a_renamed_host_waits_for_its_machine() {
    let mut lab = Lab::provisioned(&two(""));
    let text = two("").replace("host \"n[", "host \"m[");
    let plan = lab.edit(&text);
    insta::assert_snapshot!(brief(&plan), @r"
    delete destroy n01 ! provisioned, and in the spec no more
    delete destroy n02 ! provisioned, and in the spec no more
    create none m01
    create none m02
    0 unchanged
    ");
    let owners: Vec<_> = plan
        .actions
        .iter()
        .filter_map(|one| one.machine_of.clone())
        .collect();
    assert_eq!(owners, [Lab::key("n01"), Lab::key("n02")]);
}

#[test]
fn hosts_with_an_error_stay_as_they_are() {
    let mut lab = Lab::provisioned(&two(""));
    let broken = spec_of(&[("fleet.kdl", &two("refine n02 { boot mac=nonsense; }"))]);
    lab.desired = broken.desired(&lab.hosts());
    assert_eq!(brief(&lab.plan()), "kept Error n02\n1 unchanged");
}

#[test]
fn half_a_spec_removes_nothing_and_disturbs_nobody() {
    let mut lab = Lab::provisioned(&two(""));
    let lowered = |text: &str, lab: &Lab| {
        let Spec { fleet, files, .. } = spec(text);
        crate::desired::desired(&fleet, &files, false, &lab.hosts(), None)
    };
    lab.desired = lowered(&workers(1, ""), &lab);
    assert_eq!(brief(&lab.plan()), "kept Incomplete n02\n1 unchanged");
    lab.desired = lowered(&two("").replace("deploy a", "deploy b"), &lab);
    assert_eq!(
        brief(&lab.plan()),
        "kept Incomplete n01\nkept Incomplete n02\n0 unchanged"
    );
    lab.desired = lowered(&two("refine n02 { labels role=spare; }"), &lab);
    assert_eq!(brief(&lab.plan()), "kept Incomplete n02\n1 unchanged");
    // What harms nobody goes on, and new hosts come.
    lab.desired = lowered(&workers(3, "each { labels zone=a; }"), &lab);
    insta::assert_snapshot!(brief(&lab.plan()), @r"
    create none n03
    update none n01 metadata.labels.zone
    update none n02 metadata.labels.zone
    0 unchanged
    ");
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

#[test]
fn what_is_known_of_a_host_holds_until_it_changes() {
    let mut lab = Lab::provisioned(&workers(3, ""));
    lab.edit(&workers(
        3,
        "each { labels zone=a; }; refine n03 { deploy b; }",
    ));
    let desired = lab.desired.clone();
    let mut comparer = Comparer::new(&desired);
    let first = comparer.diff(&lab.hosts(), &lab.owned());
    assert_eq!(first.actions.len(), 3);
    lab.patch("n02", json!({"metadata": {"labels": {"theirs": "x"}}}));
    lab.state("n03", ProvisioningState::Available);
    assert_eq!(comparer.differing(&lab.hosts()), [Lab::key("n02")]);
    let second = comparer.diff(&lab.hosts(), &lab.owned());
    assert_eq!(second, lab.plan(), "as if nothing had been known");
    let of = |plan: &Plan, name: &str| {
        let found = plan.actions.iter().find(|one| &*one.host.name == name);
        Arc::clone(found.unwrap())
    };
    assert!(Arc::ptr_eq(&of(&first, "n01"), &of(&second, "n01")));
    assert_ne!(of(&first, "n03").disruption, of(&second, "n03").disruption);
}

#[test]
fn what_is_known_of_a_host_holds_for_the_next_text_that_wants_no_other() {
    let mut lab = Lab::provisioned(&workers(4, ""));
    let before = lab.desired.clone();
    let mut comparer = Comparer::new(&before);
    assert!(comparer.differing(&lab.hosts()).is_empty());
    let compared = comparer.into_compared();
    lab.patch("n02", json!({"spec": {"online": false}}));
    lab.desired = desired_after(&workers(4, "refine n03 { description d; }"), &lab, &before);
    let mut comparer = Comparer::after(&lab.desired, &before, compared);
    let known: Vec<bool> = comparer
        .known
        .iter()
        .map(|known| matches!(known, Known::Same(_)))
        .collect();
    assert_eq!(known, [true, true, false, true]);
    let owned = lab.owned();
    assert_eq!(comparer.diff(&lab.hosts(), &owned), lab.plan());
    // Another fleet's hosts are none of ours, whatever was found.
    let other = desired_after(
        &workers(4, "").replace("spec lab", "spec other"),
        &lab,
        &before,
    );
    let comparer = Comparer::after(&other, &lab.desired, comparer.into_compared());
    assert!(
        comparer
            .known
            .iter()
            .all(|known| matches!(known, Known::Nothing))
    );
}

fn desired_after(text: &str, lab: &Lab, last: &Desired) -> Desired {
    let spec = spec(text);
    let hosts = lab.hosts();
    crate::desired::desired(&spec.fleet, &spec.files, spec.complete, &hosts, Some(last))
}

#[test]
fn worst_comes_first_in_natural_order() {
    let hosts = |extra: &str| {
        format!(
            r#"spec lab {{ simulated; }}
{IMAGES}
pool workers {{ select role=worker; deploy a; }}
host "n[slot=1-12]" {{ {HOST}; labels role=worker; }}
{extra}"#
        )
    };
    let mut lab = Lab::provisioned(&hosts(""));
    let plan = lab.edit(
        &hosts(
            "refine n2 { deploy b; }; refine n10 { deploy b; }; refine n3 { labels role=none; }; \
             refine n4 { description d; }; host \"m[slot=90]\" { bmc address=\"redfish://10.0.1.1/x\" credentials=(secret)bmc; }",
        ),
    );
    let order: Vec<String> = plan
        .actions
        .iter()
        .map(|one| format!("{:?} {}", one.disruption, one.host.name))
        .collect();
    assert_eq!(
        order,
        [
            "Destroy n3",
            "Reprovision n2",
            "Reprovision n10",
            "None m90",
            "None n4"
        ]
    );
}

/// Something that happens to a lab.
#[derive(Debug, Clone)]
enum Op {
    Text(u8),
    Provision(u8),
    State(u8, u8),
    Label(u8),
    Apply,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        (0u8..12).prop_map(Op::Text),
        (1u8..5).prop_map(Op::Provision),
        ((1u8..5), (0u8..6)).prop_map(|(host, state)| Op::State(host, state)),
        (1u8..5).prop_map(Op::Label),
        Just(Op::Apply),
    ];
    proptest::collection::vec(op, 1..12)
}

/// Twelve texts of one fleet that change one another in most ways.
fn text(number: u8) -> String {
    let base = workers(4, "");
    match number {
        0 => base,
        1 => workers(2, ""),
        2 => base.replace("deploy a", "deploy b"),
        3 => base.replace("deploy a; ", ""),
        4 => workers(4, "each { labels zone=a; annotations note=x; }"),
        5 => workers(4, "refine n02 { labels role=spare; online #false; }"),
        6 => workers(
            4,
            "refine n03 { raid hardware { volume v { level \"1\"; } }; }",
        ),
        7 => base.replace("deploy a", "replicas 2; deploy a { user-data (secret)u; }"),
        8 => workers(
            4,
            "refine n01 { custom-deploy install; root-device serial=x; }",
        ),
        9 => base.replace("host \"n[", "host \"m["),
        10 => workers(4, "each { lifecycle prevent-destroy=#true; }"),
        _ => workers(
            4,
            "refine n04 { architecture aarch64; consumer m1 kind=Machine; }",
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// What was applied needs nothing more; the order of what is seen does not matter; the same
    /// input gives the same bytes.
    #[test]
    fn a_plan_that_was_carried_out_is_empty(ops in ops()) {
        let mut lab = Lab::new(&text(0));
        for op in ops {
            let exists = |name: &str, lab: &Lab| lab.hosts().iter().any(|host| *host.key().name == *name);
            match op {
                Op::Text(number) => { lab.edit(&text(number)); }
                Op::Provision(host) => {
                    let name = format!("n{host:02}");
                    if exists(&name, &lab) { lab.provision(&name); }
                }
                Op::State(host, state) => {
                    let name = format!("n{host:02}");
                    let state = ProvisioningState::KNOWN[state as usize + 3].clone();
                    if exists(&name, &lab) { lab.state(&name, state); }
                }
                Op::Label(host) => {
                    let name = format!("n{host:02}");
                    if exists(&name, &lab) {
                        lab.patch(&name, json!({"metadata": {"labels": {"theirs": "x"}}}));
                    }
                }
                Op::Apply => lab.apply(),
            }
            let (hosts, owned) = (lab.hosts(), lab.owned());
            let plan = diff(&lab.desired, &hosts, &owned);
            let mut backwards = hosts.clone();
            backwards.reverse();
            prop_assert_eq!(&diff(&lab.desired, &backwards, &owned), &plan);
            let json = |plan: &Plan| {
                let rulings = crate::plan::gate(plan, &lab.desired, &hosts, &crate::plan::Grants::default());
                crate::plan::to_json(plan, &rulings).to_string()
            };
            prop_assert_eq!(json(&diff(&lab.desired, &hosts, &owned)), json(&plan));
            // An action without anything to say is an adoption.
            for action in &plan.actions {
                prop_assert!(action.verb != Verb::Update || !action.changes.is_empty());
            }
        }
        lab.edit(&text(0));
        lab.apply();
        prop_assert_eq!(brief(&lab.plan()), "4 unchanged");
        // The cheap answer says no only where somebody else's fields are.
        for host in lab.hosts() {
            let theirs = host.metadata.labels.iter().flatten().any(|(name, _)| name == "theirs");
            prop_assert!(is_as_wanted(&lab.desired, &host) || theirs);
        }
    }
}
