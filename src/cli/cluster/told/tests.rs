use serde_json::{Value, json};

use super::*;

/// A host of 10.0.0.1 with this spec and this status.
fn host(spec: Value, status: Value) -> BareMetalHost {
    serde_json::from_value(json!({
        "apiVersion": "metal3.io/v1alpha1",
        "kind": "BareMetalHost",
        "metadata": { "name": "n1", "namespace": "m", "generation": 3 },
        "spec": spec,
        "status": status,
    }))
    .unwrap()
}

fn said(host: &BareMetalHost) -> (String, String, [bool; 3]) {
    let reason = reason(host);
    let flags = [reason.settled, reason.blocked, reason.needs_person];
    (reason.code, reason.text, flags)
}

const SETTLED: [bool; 3] = [true, false, false];
const MOVING: [bool; 3] = [false, false, false];
const HELD: [bool; 3] = [false, true, false];
const PERSON: [bool; 3] = [false, true, true];

fn provisioned() -> Value {
    json!({
        "operationalStatus": "OK",
        "poweredOn": true,
        "provisioning": { "state": "provisioned", "ID": "", "image": { "url": "http://i/a" } },
    })
}

fn with_image(url: &str) -> Value {
    json!({ "online": true, "bmc": { "address": "redfish://10.0.0.1", "credentialsName": "bmc" },
            "image": { "url": url } })
}

#[test]
fn one_that_nobody_looked_at_is_not_settled() {
    let (code, text, flags) = said(&host(with_image("http://i/a"), Value::Null));
    assert_eq!((&*code, flags), ("New", MOVING));
    assert_eq!(text, "no controller has looked at it yet");
}

#[test]
fn a_waiting_condition_says_it_all_and_since_when() {
    let mut status = provisioned();
    status["errorMessage"] = json!("an older word");
    status["conditions"] = json!([{
        "type": "metalform.dev/Waiting", "status": "True", "reason": "CredentialsMissing",
        "message": "the Secret m/bmc is not there", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]);
    let mut waits = host(with_image("http://i/a"), status);
    let (code, text, flags) = said(&waits);
    assert_eq!((&*code, flags), ("CredentialsMissing", PERSON));
    assert_eq!(text, "the Secret m/bmc is not there");
    let since = reason(&waits).since.map(|since| since.to_string());
    assert_eq!(since.as_deref(), Some("2026-01-01T00:00:00Z"));
    assert!(
        next_steps(&waits)
            .unwrap()
            .contains("Goes on as soon as it is there")
    );
    // What is tried again by itself, and what is over.
    let conditions = &mut waits.status.as_mut().unwrap().conditions;
    conditions[0].reason = "BackingOff".into();
    assert_eq!(said(&waits).2, HELD);
    let conditions = &mut waits.status.as_mut().unwrap().conditions;
    conditions[0].status = ConditionStatus::False;
    assert_eq!(said(&waits).1, "an older word");
}

#[test]
fn an_error_of_the_other_operator_is_told_and_tried_again() {
    let mut status = provisioned();
    status["operationalStatus"] = json!("error");
    status["errorType"] = json!("registration error");
    status["errorMessage"] = json!("Failed to get power state for node");
    let failed = host(with_image("http://i/a"), status);
    let (code, text, flags) = said(&failed);
    assert_eq!((&*code, flags), ("RegistrationError", HELD));
    assert_eq!(text, "Failed to get power state for node");
    assert!(next_steps(&failed).unwrap().contains("redfish://10.0.0.1"));
}

#[test]
fn reboot_annotations_are_told_until_they_are_done() {
    let with = |name: &str, on: bool| {
        let mut status = provisioned();
        status["poweredOn"] = json!(on);
        let mut host = host(with_image("http://i/a"), status);
        let annotations = host.metadata.annotations.get_or_insert_default();
        annotations.insert(name, "");
        said(&host)
    };
    let (code, text, flags) = with("reboot.metal3.io", true);
    assert_eq!(
        (&*code, &*text, flags),
        ("ChangingPower", "is to be rebooted", MOVING)
    );
    assert_eq!(with("reboot.metal3.io", false).1, "is to be powered on");
    let held = "reboot.metal3.io/upkeep";
    let (_, text, flags) = with(held, true);
    assert_eq!(
        (&*text, flags),
        ("is to be powered off, as a reboot annotation asks", MOVING)
    );
    let (code, _, flags) = with(held, false);
    assert_eq!((&*code, flags), ("PowerHeldOff", SETTLED));
}

#[test]
fn one_at_rest_is_settled_unless_it_is_wanted_otherwise() {
    let (code, _, flags) = said(&host(with_image("http://i/a"), provisioned()));
    assert_eq!((&*code, flags), ("Provisioned", SETTLED));
    let (code, text, flags) = said(&host(with_image("http://i/b"), provisioned()));
    assert_eq!(
        (&*code, &*text, flags),
        ("Changed", "is to get http://i/b", MOVING)
    );
    let mut off = with_image("http://i/a");
    off["online"] = json!(false);
    assert_eq!(said(&host(off, provisioned())).1, "is to be powered off");
    let mut status = provisioned();
    status["conditions"] = json!([{
        "type": "Ready", "status": "True", "reason": "Provisioned", "observedGeneration": 2,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]);
    let (code, _, flags) = said(&host(with_image("http://i/a"), status.clone()));
    assert_eq!(
        (&*code, flags),
        ("Changed", MOVING),
        "generation 3 was not looked at"
    );
    status["conditions"][0]["observedGeneration"] = json!(3);
    assert_eq!(said(&host(with_image("http://i/a"), status)).2, SETTLED);
}

#[test]
fn an_available_machine_that_is_wanted_off_gets_no_image() {
    let mut spec = with_image("http://i/a");
    let status = json!({ "provisioning": { "state": "available", "ID": "" } });
    assert_eq!(said(&host(spec.clone(), status.clone())).2, MOVING);
    spec["online"] = json!(false);
    assert_eq!(said(&host(spec, status)).2, SETTLED);
}

#[test]
fn the_way_between_two_states_has_a_beginning() {
    let mut status = provisioned();
    status["provisioning"]["state"] = json!("inspecting");
    status["operationHistory"] =
        json!({ "inspect": { "start": "2026-01-01T00:00:00Z", "end": null } });
    let inspecting = host(with_image("http://i/a"), status.clone());
    assert_eq!(said(&inspecting).0, "Inspecting");
    assert!(reason(&inspecting).since.is_some());
    status["provisioning"]["state"] = json!("powering off before delete");
    assert_eq!(
        said(&host(with_image(""), status)).0,
        "PoweringOffBeforeDelete"
    );
}

#[test]
fn one_that_is_left_alone_is_at_rest() {
    let mut paused = host(with_image("http://i/b"), provisioned());
    let mut annotations = crate::api::Tags::default();
    annotations.insert(annotation::PAUSED, "");
    paused.metadata.annotations = Some(annotations);
    assert_eq!(said(&paused).2, SETTLED);
    assert!(next_steps(&paused).unwrap().contains(annotation::PAUSED));
    let mut status = provisioned();
    status["operationalStatus"] = json!("detached");
    assert_eq!(said(&host(with_image("http://i/b"), status)).0, "Detached");
}
