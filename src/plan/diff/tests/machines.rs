//! Whose machine a host is: of another Ironic, another fleet, a host renamed or taken over.

use super::*;

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
