//! What a change of a field does to a machine, by its class and the host's state.

use super::*;

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
fn a_custom_deploy_in_place_of_an_image_reprovisions() {
    insta::assert_snapshot!(edit(&two("refine n01 { custom-deploy install_os; }")), @r"
    update reprovision n01 spec.customDeploy.method spec.image.checksum spec.image.checksumType spec.image.url
    1 unchanged
    ");
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
