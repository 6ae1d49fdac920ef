//! Plans of whole fleets: with errors, from what is known, in order, and carried out.

use super::*;

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
