use jiff::SignedDuration;
use serde_json::{Value, json};

use super::super::told::reason;
use super::*;

fn now() -> Timestamp {
    "2026-01-01T01:00:00Z".parse().unwrap()
}

/// A lease that was renewed a second ago by one who says this.
fn lead(word: Value) -> Lead {
    Lead {
        namespace: "metalform-system".into(),
        name: "metalform".into(),
        holder: Some("pod_1".into()),
        renewed: Some(now() - SignedDuration::from_secs(1)),
        lasts: SignedDuration::from_secs(15),
        word: Some(serde_json::from_value(word).unwrap()),
        alive: false,
    }
}

fn down() -> Value {
    json!({
        "ironics": [{
            "names": ["default"], "url": "http://i:6385",
            "held": {
                "code": "ProvisionerDown", "since": "2026-01-01T00:57:00Z", "hosts": 5,
                "text": "Ironic at http://i:6385 does not answer: connection refused",
            },
            "slots": { "deploy": { "used": 2, "of": 2, "waiting": 1 } },
        }],
        "leftAlone": 2,
        "store": { "code": "StoreFailed", "hosts": 1, "text": "cannot update m/a:\n no" },
    })
}

fn up(slots: Value) -> Value {
    json!({ "ironics": [{ "names": ["default"], "slots": slots }] })
}

/// A host in this state.
fn host(state: &str) -> BareMetalHost {
    serde_json::from_value(json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": {
            "name": "n1", "namespace": "m", "annotations": {},
            "finalizers": ["baremetalhost.metal3.io"],
        },
        "spec": {
            "online": true, "bmc": { "address": "redfish://10.0.0.1", "credentialsName": "b" },
        },
        "status": {
            "poweredOn": true, "operationalStatus": "OK",
            "provisioning": { "state": state, "ID": "7" },
            "operationHistory": { "provision": { "start": "2026-01-01T00:50:00Z", "end": null } },
        },
    }))
    .unwrap()
}

fn annotated(name: &str, value: &str) -> BareMetalHost {
    let mut host = host("registering");
    host.metadata.annotations = Some([(name, value)].into());
    host
}

fn lines(lead: Lead, hosts: &[BareMetalHost]) -> String {
    Leads(vec![lead])
        .lines(Some("m"), hosts.iter(), now())
        .join("\n")
}

/// What a host waits for, and what is said beside.
fn waits(lead: Lead, host: &BareMetalHost) -> String {
    let leads = Leads(vec![lead]);
    let mut reason = reason(host);
    leads.amend(&mut reason, host, now());
    let since = reason.since.map(|since| since.to_string());
    format!(
        "{} {}: {}",
        reason.code,
        since.unwrap_or_default(),
        reason.text
    )
}

#[test]
fn what_holds_up_all_is_told_line_by_line() {
    insta::assert_snapshot!(lines(lead(down()), &[host("registering")]), @r"
    ProvisionerDown for 3m, 5 hosts wait: Ironic at http://i:6385 does not answer: connection refused
    WaitingForDeploySlot, 1 host waits: 2 of 2 slots to deploy are in use
    NoProvisioner, 2 hosts are left alone: nothing that the controller knows drives their machines
    StoreFailed, 1 host waits: cannot update m/a: no
    ");
    assert_eq!(lines(lead(up(json!({}))), &[host("registering")]), "");
    let mut starting = down();
    starting["ironics"][0]["held"] = json!({ "code": "ProvisionerStarting", "text": "not yet" });
    insta::assert_snapshot!(
        lines(lead(starting), &[]).lines().next().unwrap(),
        @"ProvisionerStarting: Ironic at http://i:6385: not yet"
    );
}

#[test]
fn simulated_machines_are_told_loudly_with_or_without_a_lease() {
    let simulated = lead(json!({ "simulated": true }));
    let loud = "MACHINES ARE SIMULATED: no real machine is driven, whatever a host says";
    assert_eq!(lines(simulated, &[]), loud);
    let invented = annotated(annotation::SIMULATED, "true");
    let none = Leads::default();
    let all = none.lines(Some("m"), [&invented].into_iter(), now());
    assert_eq!(all, [loud]);
    let real = host("registering");
    let some = none.lines(None, [&real, &invented].into_iter(), now());
    assert_eq!(
        some,
        ["1 OF 2 HOSTS HAVE SIMULATED MACHINES: there are no real ones"]
    );
    assert!(none.lines(None, [&real].into_iter(), now()).is_empty());
}

#[test]
fn one_whom_nobody_drives_says_so() {
    let silent = Lead {
        renewed: Some(now() - SignedDuration::from_mins(5)),
        ..lead(down())
    };
    insta::assert_snapshot!(lines(silent.clone(), &[]), @"NoController for 5m: the controller pod_1 has not been heard of, and no other one took the lease metalform-system/metalform");
    let free = Lead {
        holder: None,
        word: None,
        ..silent.clone()
    };
    insta::assert_snapshot!(lines(free.clone(), &[]), @"NoController: no controller of metalform's holds the lease metalform-system/metalform; nobody drives these hosts, unless another operator does");
    let moving = host("registering");
    insta::assert_snapshot!(waits(silent, &moving), @"NoController 2026-01-01T00:55:00Z: the controller pod_1 has not been heard of, and no other one took the lease metalform-system/metalform");
    // One that goes on may be the Bare Metal Operator's.
    assert!(waits(free.clone(), &moving).starts_with("Registering "));
    let mut new = moving.clone();
    new.status = None;
    assert!(waits(free.clone(), &new).starts_with("NoController "));
    // Another one speaks for this namespace; or one holds it who says nothing, as the Bare Metal
    // Operator does.
    let both = Leads(vec![free.clone(), lead(up(json!({})))]);
    assert_eq!(both.cause(&moving, now()), None);
    let far = Lead {
        namespace: "far".into(),
        ..free.clone()
    };
    assert!(Leads(vec![far.clone()]).cause(&moving, now()).is_some());
    assert_eq!(Leads(vec![far.clone(), far]).cause(&moving, now()), None);
    let other = Lead {
        holder: Some("theirs".into()),
        ..free
    };
    assert_eq!(lines(other.clone(), &[]), "");
    assert_eq!(Leads(vec![other]).cause(&moving, now()), None);
}

#[test]
fn a_host_on_its_way_says_what_holds_up_all() {
    let moving = host("registering");
    insta::assert_snapshot!(waits(lead(down()), &moving), @"ProvisionerDown 2026-01-01T00:57:00Z: Ironic at http://i:6385 does not answer: connection refused");
    assert!(waits(lead(up(json!({}))), &moving).starts_with("Registering "));
    // One without a machine needs no Ironic.
    let mut bare = moving;
    bare.spec.bmc = Default::default();
    bare.status.as_mut().unwrap().provisioning.id = String::new();
    assert!(waits(lead(down()), &bare).starts_with("Registering "));
    // What is about the host alone, and rest, stay as they are.
    let rests = host("externally provisioned");
    assert!(waits(lead(down()), &rests).starts_with("ExternallyProvisioned "));
    assert_eq!(
        Leads(vec![lead(down())])
            .cause(&rests, now())
            .map(|cause| cause.code),
        Some("ProvisionerDown".into())
    );
}

#[test]
fn a_host_of_an_unknown_ironic_or_of_another_world_says_so() {
    let unknown = annotated(annotation::IRONIC, "hel1");
    insta::assert_snapshot!(waits(lead(up(json!({}))), &unknown), @"NoProvisioner : the controller knows no Ironic named `hel1`; it knows default");
    let invented = annotated(annotation::SIMULATED, "true");
    insta::assert_snapshot!(waits(lead(up(json!({}))), &invented), @"NoProvisioner : the host's machine was simulated, and the controller drives real ones; it is left alone");
    let elsewhere = lead(json!({ "namespaces": ["other"] }));
    assert!(waits(elsewhere, &unknown).starts_with("Registering "));
}

#[test]
fn a_host_that_waits_for_a_slot_says_for_which_and_how_many_do() {
    let mut host = host("provisioning");
    let slots = json!({ "deploy": { "used": 2, "of": 2, "waiting": 7 } });
    assert!(waits(lead(up(slots.clone())), &host).starts_with("Provisioning "));
    host.status.as_mut().unwrap().operational_status = OperationalStatus::Delayed;
    let text = waits(lead(up(slots.clone())), &host);
    assert!(text.starts_with("WaitingForDeploySlot "), "{text}");
    assert!(
        text.ends_with(": 2 of 2 slots to deploy are in use, 7 hosts wait"),
        "{text}"
    );
    // It does not say for which, where more than one sort is waited for.
    let mut both = slots;
    both["clean"] = json!({ "used": 1, "of": 1, "waiting": 1 });
    let text = waits(lead(up(both)), &host);
    assert!(text.starts_with("Delayed "), "{text}");
    assert!(
        text.ends_with(
            ": waits for a free slot: 1 of 1 slots to clean are in use, 1 host waits; 2 of 2 slots to \
             deploy are in use, 7 hosts wait"
        ),
        "{text}"
    );
    assert!(waits(lead(up(json!({}))), &host).starts_with("Delayed "));
}

#[test]
fn all_that_is_told_of_hosts_has_a_next_step() {
    for code in [
        NO_CONTROLLER,
        "ProvisionerStarting",
        "ProvisionerDown",
        "ProvisionerUnauthorized",
        "NoProvisioner",
        "WaitingForInspectSlot",
        "WaitingForCleanSlot",
        "WaitingForDeploySlot",
        "StoreFailed",
    ] {
        assert!(Shared::new(code, "").next_steps().is_some(), "{code}");
    }
}
