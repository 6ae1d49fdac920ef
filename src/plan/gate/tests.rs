use serde_json::json;

use super::*;
use crate::api::{OperationalStatus, ProvisioningState};
use crate::plan::testing::{HOST, IMAGES, Lab, workers};
use crate::store::Object as _;

/// `count` workers in racks `r1`, `r2`, … of five, provisioned with image `a`.
fn racks(count: usize, rollout: &str) -> String {
    let racks: Vec<String> = (0..count.div_ceil(5))
        .map(|rack| {
            let (first, last) = (rack * 5 + 1, count.min(rack * 5 + 5));
            format!(
                "rack r{} {{ host \"n[slot={first:02}-{last:02}]\" {{ {HOST}; labels role=worker; }} }}",
                rack + 1
            )
        })
        .collect();
    format!(
        "spec lab {{ simulated; }}\n{IMAGES}\npool workers {{ select role=worker; deploy a; {rollout} }}\n{}",
        racks.join("\n")
    )
}

fn to_b(text: &str) -> String {
    text.replace("deploy a", "deploy b")
}

/// A line a ruling: the host and why it waits.
fn rulings(lab: &Lab, names: &[&str]) -> Vec<String> {
    let plan = lab.plan();
    let show = |ruling: &Ruling<'_>| match &ruling.hold {
        None => format!("{} goes", ruling.action.host.name),
        Some(hold) => format!("{} {}: {}", ruling.action.host.name, hold.code, hold.text),
    };
    lab.gate(&plan, names).iter().map(show).collect()
}

/// The names of those that go.
fn going(lab: &Lab) -> Vec<String> {
    let plan = lab.plan();
    let rulings = lab.gate(&plan, &[]);
    let going = rulings.iter().filter(|ruling| ruling.hold.is_none());
    going
        .map(|ruling| ruling.action.host.name.to_string())
        .collect()
}

#[test]
fn one_machine_at_a_time_by_default() {
    let mut lab = Lab::provisioned(&workers(3, ""));
    lab.edit(&to_b(&workers(3, "")));
    insta::assert_snapshot!(rulings(&lab, &[]).join("\n"), @r"
    n01 goes
    n02 Rolling: pool `workers`: 1 of at most 1 out of service: n01
    n03 Rolling: pool `workers`: 1 of at most 1 out of service: n01
    ");
}

#[test]
fn as_many_as_the_pool_says() {
    let text = racks(20, "rollout max-unavailable=4;");
    let mut lab = Lab::provisioned(&text);
    lab.edit(&to_b(&text));
    assert_eq!(going(&lab), ["n01", "n02", "n03", "n04"]);
    // Who is out for another reason counts.
    lab.state("n20", ProvisioningState::Registering);
    lab.state("n19", ProvisioningState::Deprovisioning);
    assert_eq!(
        going(&lab),
        ["n01", "n02", "n19", "n20"],
        "they take it at once"
    );
}

/// A file that was away for a moment takes its hosts with it and brings them back.
#[test]
fn members_that_are_made_anew_are_out_of_service() {
    let text = racks(10, "rollout max-unavailable=2;");
    let mut lab = Lab::provisioned(&text);
    lab.edit(&text.replace("slot=01-05", "slot=03-05"));
    lab.apply();
    lab.edit(&to_b(&text));
    assert_eq!(
        going(&lab),
        ["n01", "n02"],
        "they are created, and no other rolls"
    );
}

#[test]
fn what_disturbs_nobody_goes_at_once() {
    let mut lab = Lab::provisioned(&workers(5, ""));
    lab.edit(&workers(5, "each { labels zone=a; }"));
    assert_eq!(going(&lab).len(), 5);
    lab.edit(&workers(5, "each { online #false; }"));
    assert_eq!(going(&lab).len(), 5, "who is wanted off is not rolled");
}

#[test]
fn machines_that_are_out_change_freely() {
    let mut lab = Lab::provisioned(&workers(4, ""));
    lab.state("n02", ProvisioningState::Available);
    lab.state("n03", ProvisioningState::Provisioning);
    lab.fail("n03", "no space on the disk");
    lab.edit(&to_b(&workers(4, "")));
    // The failed one is mended by the very change; the others wait for it.
    insta::assert_snapshot!(rulings(&lab, &[]).join("\n"), @r"
    n01 RollStopped: the roll of pool `workers` stopped: n03 failed: no space on the disk; it goes on when that machine recovers or leaves the pool
    n03 goes
    n04 RollStopped: the roll of pool `workers` stopped: n03 failed: no space on the disk; it goes on when that machine recovers or leaves the pool
    n02 goes
    ");
}

#[test]
fn a_failed_machine_stops_the_roll_until_it_recovers_or_leaves() {
    let text = to_b(&workers(3, ""));
    let mut lab = Lab::provisioned(&workers(3, ""));
    lab.edit(&text);
    let plan = lab.plan();
    lab.carry_out(&plan.actions[0]);
    lab.state("n01", ProvisioningState::Provisioning);
    lab.fail("n01", "deploying failed:\n  timeout");
    insta::assert_snapshot!(rulings(&lab, &[]).join("\n"), @r"
    n02 RollStopped: the roll of pool `workers` stopped: n01 failed: deploying failed: timeout; it goes on when that machine recovers or leaves the pool
    n03 RollStopped: the roll of pool `workers` stopped: n01 failed: deploying failed: timeout; it goes on when that machine recovers or leaves the pool
    ");
    // It recovers.
    lab.provision("n01");
    assert_eq!(going(&lab), ["n02"]);
    // It leaves the pool: a failed machine needs no word where nothing is lost.
    lab.state("n01", ProvisioningState::Provisioning);
    lab.fail("n01", "again");
    assert!(going(&lab).is_empty());
    lab.edit(&to_b(&workers(3, "refine n01 { labels role=broken; }")));
    assert_eq!(going(&lab), ["n01"], "first it leaves");
    let plan = lab.plan();
    let leaving = plan
        .actions
        .iter()
        .find(|action| &*action.host.name == "n01")
        .unwrap();
    lab.carry_out(leaving);
    assert_eq!(going(&lab), ["n02"]);
}

#[test]
fn many_failed_are_counted() {
    let mut lab = Lab::provisioned(&workers(4, ""));
    lab.edit(&to_b(&workers(4, "")));
    lab.fail("n02", "one");
    lab.fail("n03", &"very long ".repeat(40));
    let text = rulings(&lab, &[]).remove(0);
    assert!(
        text.contains("n02 failed: one (and 1 more failed)"),
        "{text}"
    );
    let plan = lab.plan();
    lab.carry_out(
        plan.actions
            .iter()
            .find(|action| &*action.host.name == "n02")
            .unwrap(),
    );
    lab.provision("n02");
    let text = rulings(&lab, &[]).remove(0);
    assert!(
        text.contains("n03 failed: very long") && text.contains(" …; it goes on"),
        "{text}"
    );
    assert!(text.len() < 320, "{text}");
}

#[test]
fn a_trouble_that_all_share_lets_none_go() {
    // Their systems run; only their BMCs are away.
    let mut lab = Lab::provisioned(&racks(6, "rollout max-unavailable=2;"));
    for host in lab.hosts() {
        lab.fail(&host.key().name, "the BMC does not answer");
    }
    lab.edit(&to_b(&racks(6, "rollout max-unavailable=2;")));
    assert_eq!(going(&lab), [] as [&str; 0]);
    insta::assert_snapshot!(rulings(&lab, &[])[0], @"n01 RollStopped: the roll of pool `workers` stopped: n02 failed: the BMC does not answer (and 4 more failed); it goes on when that machine recovers or leaves the pool");
    // Without the error they roll as ever.
    for host in lab.hosts() {
        lab.recover(&host.key().name);
    }
    assert_eq!(going(&lab), ["n01", "n02"]);
}

#[test]
fn one_sick_machine_may_be_mended_by_the_change() {
    let mut lab = Lab::provisioned(&workers(4, ""));
    lab.fail("n03", "power failure");
    lab.edit(&to_b(&workers(4, "")));
    assert_eq!(going(&lab), ["n03"], "the others wait for it");
    let plan = lab.plan();
    let action = plan.actions.iter().find(|one| &*one.host.name == "n03");
    lab.carry_out(action.unwrap());
    assert_eq!(going(&lab), [] as [&str; 0]);
    lab.provision("n03");
    assert_eq!(going(&lab), ["n01"]);
}

#[test]
fn a_sick_machine_waits_while_another_is_out() {
    let mut lab = Lab::provisioned(&workers(4, ""));
    lab.edit(&to_b(&workers(4, "")));
    let plan = lab.plan();
    lab.carry_out(&plan.actions[0]);
    lab.fail("n03", "power failure");
    insta::assert_snapshot!(rulings(&lab, &[]).join("\n"), @r"
    n02 RollStopped: the roll of pool `workers` stopped: n03 failed: power failure; it goes on when that machine recovers or leaves the pool
    n03 Rolling: pool `workers`: 1 of at most 1 out of service: n01
    n04 RollStopped: the roll of pool `workers` stopped: n03 failed: power failure; it goes on when that machine recovers or leaves the pool
    ");
}

#[test]
fn machines_that_nobody_misses_do_not_count() {
    let mut lab = Lab::provisioned(&workers(4, "refine n04 { online #false; }"));
    lab.state("n04", ProvisioningState::Available);
    lab.status("n03", |status| {
        status.provisioning.state = ProvisioningState::ExternallyProvisioned;
    });
    lab.edit(&to_b(&workers(4, "refine n04 { online #false; }")));
    // n03 is in service as what it is; n04 is wanted off; both change without a roll.
    assert_eq!(going(&lab), ["n01", "n03", "n04"]);
}

#[test]
fn pools_of_other_fleets_do_not_count() {
    let mut lab = Lab::provisioned(&workers(3, ""));
    let other = json!({"metadata": {"annotations": {"metalform.dev/fleet": "other"}}});
    lab.patch("n03", other);
    lab.fail("n03", "x");
    lab.edit(&to_b(&workers(2, "")));
    assert_eq!(going(&lab), ["n01"]);
}

#[test]
fn a_pool_of_a_fleet_of_the_same_name_elsewhere_does_not_count() {
    let mut lab = Lab::provisioned(&workers(2, ""));
    lab.edit(&to_b(&workers(2, "")));
    let plan = lab.plan();
    lab.fail("n02", "x");
    let failed = lab.host("n02");
    lab.recover("n02");
    let mut elsewhere = BareMetalHost::clone(&failed);
    elsewhere.metadata.namespace = Some("elsewhere".into());
    let mut observed = lab.hosts();
    observed.push(Arc::new(elsewhere));
    let rulings = gate(&plan, &lab.desired, &observed, &Grants::default());
    let going = rulings.iter().filter(|ruling| ruling.hold.is_none());
    let going: Vec<&str> = going.map(|ruling| &*ruling.action.host.name).collect();
    assert_eq!(going, ["n01"]);
}

#[test]
fn a_rack_after_the_other() {
    let text = racks(12, "rollout by=rack max-unavailable=10;");
    let mut lab = Lab::provisioned(&text);
    lab.edit(&to_b(&text));
    assert_eq!(going(&lab), ["n01", "n02", "n03", "n04", "n05"]);
    insta::assert_snapshot!(rulings(&lab, &[])[5], @"n06 Rolling: pool `workers` rolls by rack; rack `r1` comes first");
    // The rack that is under way is finished before another begins.
    lab.state("n07", ProvisioningState::Deprovisioning);
    assert_eq!(going(&lab), ["n06", "n08", "n09", "n10", "n07"]);
    // A machine that is out in a rack with nothing to do holds all.
    lab.provision("n07");
    for name in ["n11", "n12"] {
        let action = lab
            .plan()
            .actions
            .iter()
            .find(|one| *one.host.name == *name)
            .cloned();
        lab.carry_out(&action.unwrap());
    }
    lab.provision("n12");
    assert!(going(&lab).is_empty());
    insta::assert_snapshot!(rulings(&lab, &[])[0], @"n01 Rolling: pool `workers` rolls by rack; a machine in rack `r3` is out of service");
}

#[test]
fn a_word_by_name_lets_a_destruction_go() {
    let mut lab = Lab::provisioned(&workers(5, ""));
    lab.edit(&workers(1, ""));
    insta::assert_snapshot!(rulings(&lab, &["n03"]).join("\n"), @r"
    n02 NeedsAllowDestroy: provisioned, and in the spec no more; to go on: metalform apply --allow-destroy n02
    n03 goes
    n04 NeedsAllowDestroy: provisioned, and in the spec no more; to go on: metalform apply --allow-destroy n04
    n05 NeedsAllowDestroy: provisioned, and in the spec no more; to go on: metalform apply --allow-destroy n05
    ");
    let free = |names: &[&str]| {
        rulings(&lab, names)
            .iter()
            .filter(|line| line.ends_with("goes"))
            .count()
    };
    assert_eq!(free(&[]), 0);
    assert_eq!(free(&["n[02-04]", "n05"]), 4);
    assert_eq!(
        free(&["n*", "*", "n[", "N03"]),
        0,
        "who allows a destruction says of which"
    );
}

#[test]
fn a_word_in_an_annotation_is_for_one_change() {
    let mut lab = Lab::provisioned(&workers(2, ""));
    let note = |lab: &Lab, token: &str| {
        lab.patch(
            "n02",
            json!({"metadata": {"annotations": {annotation::ALLOW_DESTROY: token}}}),
        );
    };
    let plan = lab.edit(&workers(1, ""));
    let token = grant_of(&plan.actions[0]).unwrap().to_owned();
    note(&lab, "true");
    assert!(going(&lab).is_empty());
    note(&lab, &token);
    assert_eq!(going(&lab), ["n02"]);
    // The same word for another change of the same host.
    lab.edit(&workers(2, "refine n02 { labels role=spare; }"));
    assert!(going(&lab).is_empty());
    // And once the machine was deployed anew.
    lab.edit(&workers(1, ""));
    lab.status("n02", |status| {
        status.provisioning.image.url = "http://x/new".into()
    });
    assert!(going(&lab).is_empty());
}

#[test]
fn no_word_allows_what_is_refused() {
    let text = workers(2, "each { lifecycle prevent-destroy=#true; }");
    let mut lab = Lab::provisioned(&text);
    lab.edit(&workers(1, ""));
    insta::assert_snapshot!(rulings(&lab, &["n02"]).join("\n"), @r"
    n02 Refused: provisioned, and in the spec no more; `lifecycle prevent-destroy=#true` forbids it: apply the spec without that line first [MF7101]
    n01 goes
    ");
}

#[test]
fn names_become_the_changes_of_one_plan() {
    let text = workers(3, "refine n02 { lifecycle prevent-destroy=#true; }");
    let mut lab = Lab::provisioned(&text);
    let plan = lab.edit(&workers(1, ""));
    let bound = Grants::named(["n[02-03]".to_owned()]).bound(&plan);
    assert!(bound.names.is_empty());
    let hosts: Vec<&str> = bound.tokens.keys().map(|key| &*key.name).collect();
    assert_eq!(hosts, ["n03"], "no word lies in wait for a refusal to go");
    let free = |lab: &Lab, plan: &Plan| {
        let rulings = gate(plan, &lab.desired, &lab.hosts(), &bound);
        rulings
            .iter()
            .filter(|ruling| ruling.hold.is_none())
            .count()
    };
    assert_eq!(free(&lab, &plan), 1);
    // The same host, another text.
    let plan = lab.edit(&workers(1, "refine n01 { description d; }"));
    assert_eq!(plan.actions.len(), 3);
    assert_eq!(free(&lab, &plan), 1, "n01's description");
}

#[test]
fn a_granted_destruction_does_not_wait_for_the_roll() {
    let mut lab = Lab::provisioned(&workers(4, ""));
    lab.fail("n01", "x");
    lab.edit(&to_b(&workers(3, "")));
    let lines = rulings(&lab, &["n04"]);
    assert_eq!(lines[0], "n04 goes");
    assert!(lines[2].starts_with("n02 RollStopped"), "{lines:?}");
}

/// Each host leaves a pool, which a person allowed, and is in the new one: that one's roll holds.
#[test]
fn a_renamed_pool_rolls() {
    let mut lab = Lab::provisioned(&workers(3, ""));
    lab.edit(&to_b(&workers(3, "")).replace("pool workers", "pool compute"));
    let names = ["n01", "n02", "n03"];
    insta::assert_snapshot!(rulings(&lab, &names).join("\n"), @r"
    n01 goes
    n02 Rolling: pool `compute`: 1 of at most 1 out of service: n01
    n03 Rolling: pool `compute`: 1 of at most 1 out of service: n01
    ");
    let plan = lab.plan();
    lab.carry_out(&plan.actions[0]);
    let lines = rulings(&lab, &names);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines.iter().all(|line| line.contains(" Rolling: ")),
        "{lines:?}"
    );
}

#[test]
fn a_new_host_waits_for_its_machine() {
    let mut lab = Lab::provisioned(&workers(1, ""));
    lab.edit(&workers(1, "").replace("host \"n[", "host \"m["));
    insta::assert_snapshot!(rulings(&lab, &[]).join("\n"), @r"
    n01 NeedsAllowDestroy: provisioned, and in the spec no more; to go on: metalform apply --allow-destroy n01
    m01 MachineTaken: its machine is that of `n01`; it waits until that host is gone
    ");
    lab.finalizer("n01", true);
    let plan = lab.plan();
    lab.carry_out(
        plan.actions
            .iter()
            .find(|action| &*action.host.name == "n01")
            .unwrap(),
    );
    insta::assert_snapshot!(rulings(&lab, &[]).join("\n"), @"m01 MachineTaken: its machine is still that of `n01`, which is being deleted");
    lab.finalizer("n01", false);
    assert_eq!(rulings(&lab, &[]), ["m01 goes"]);
}

#[test]
fn a_host_comes_back_once_it_is_gone() {
    let mut lab = Lab::provisioned(&workers(2, ""));
    lab.finalizer("n02", true);
    lab.edit(&workers(1, ""));
    lab.apply();
    lab.edit(&workers(2, ""));
    insta::assert_snapshot!(rulings(&lab, &[]).join("\n"), @"n02 MachineTaken: it is being deleted, and created anew once it is gone");
}

/// Rolls a pool of twenty, judging anew after each machine that is done; true at each moment: no
/// more than `most` out. Returns the order and how often it was judged.
fn simulate(rollout: &str, most: usize, fail: Option<&str>) -> (Vec<String>, usize) {
    let text = racks(20, rollout);
    let mut lab = Lab::provisioned(&text);
    lab.edit(&to_b(&text));
    let (mut order, mut busy) = (Vec::new(), std::collections::VecDeque::new());
    let mut failed = fail.map(str::to_owned);
    for judged in 1.. {
        assert!(judged < 200, "it does not end");
        let plan = lab.plan();
        for ruling in lab
            .gate(&plan, &[])
            .iter()
            .filter(|ruling| ruling.hold.is_none())
        {
            lab.carry_out(ruling.action);
            let name = ruling.action.host.name.to_string();
            lab.state(&name, ProvisioningState::Deprovisioning);
            order.push(name.clone());
            busy.push_back(name);
        }
        let out = lab
            .hosts()
            .iter()
            .filter(|host| {
                *host.state() != ProvisioningState::Provisioned
                    || host.status.as_ref().unwrap().operational_status == OperationalStatus::Error
            })
            .count();
        assert!(out <= most, "{out} are out of service, {most} may be");
        let Some(done) = busy.pop_front() else {
            assert!(
                lab.plan().is_empty(),
                "it stopped half way: {:?}",
                rulings(&lab, &[])
            );
            return (order, judged);
        };
        if failed.as_ref() == Some(&done) {
            lab.fail(&done, "no answer");
            let before = order.len();
            assert_eq!(going(&lab), [] as [&str; 0]);
            assert_eq!(order.len(), before);
            failed = None;
            busy.push_back(done);
        } else {
            lab.provision(&done);
        }
    }
    unreachable!("the loop ends or panics")
}

#[test]
fn a_roll_ends_and_never_takes_more_than_it_may() {
    let (order, judged) = simulate("", 1, None);
    assert_eq!((order.len(), judged), (20, 21));
    assert_eq!(simulate("rollout max-unavailable=3;", 3, None).0.len(), 20);
    assert_eq!(
        simulate("rollout max-unavailable=50;", 20, None).0.len(),
        20
    );
}

#[test]
fn a_roll_by_rack_takes_racks_in_order() {
    let (order, _) = simulate("rollout by=rack max-unavailable=3;", 3, None);
    let mut sorted = order.clone();
    sorted.sort();
    assert_eq!(order, sorted);
}

#[test]
fn a_roll_goes_on_when_a_failed_machine_recovers() {
    assert_eq!(
        simulate("rollout max-unavailable=2;", 2, Some("n07"))
            .0
            .len(),
        20
    );
}
