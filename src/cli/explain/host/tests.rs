use serde_json::{Value, json};

use super::*;

fn told(host: Value) -> String {
    let host: BareMetalHost = serde_json::from_value(host).unwrap();
    let now = "2026-01-01T01:00:00Z".parse().unwrap();
    let mut lines = Lines::new("n1".to_owned());
    tell(&mut lines, &host, &Leads::default(), now);
    lines.text
}

#[test]
fn a_host_of_ours_is_told_with_its_lines() {
    let text = told(json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": {
            "name": "n1", "namespace": "m",
            "annotations": {
                "metalform.dev/fleet": "fra1", "metalform.dev/origin": "racks/r01.kdl:28",
                "metalform.dev/pool": "workers",
            },
        },
        "spec": { "online": true, "image": { "url": "http://i/a" } },
        "status": {
            "poweredOn": false,
            "provisioning": { "state": "registering", "ID": "" },
            "conditions": [{
                "type": "metalform.dev/Waiting", "status": "True", "reason": "CredentialsMissing",
                "message": "Secret m/bmc is not there", "lastTransitionTime": "2026-01-01T00:50:00Z",
            }],
        },
    }));
    insta::assert_snapshot!(text, @r"
    n1
      is      registering, powered off
      wanted  http://i/a, powered on
      waits   CredentialsMissing for 10m: Secret m/bmc is not there
      Ironic  knows no node of it yet
      written racks/r01.kdl:28, fleet fra1, pool workers
    ");
}

#[test]
fn a_host_of_the_other_operator_is_told_too() {
    let text = told(json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": { "name": "n1", "namespace": "m" },
        "spec": { "online": true, "bmc": { "address": "redfish://10.0.0.1", "credentialsName": "b" } },
        "status": {
            "operationalStatus": "error", "errorType": "registration error", "errorCount": 4,
            "errorMessage": "Failed to get power state for node 7: no\nanswer",
            "poweredOn": false, "lastUpdated": "2026-01-01T00:00:00Z",
            "provisioning": { "state": "registering", "ID": "7" },
            "conditions": [{
                "type": "Manageable", "status": "False", "reason": "RegistrationFailed",
                "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        },
    }));
    insta::assert_snapshot!(text, @r"
    n1
      is      registering, powered off
      wanted  nothing, powered on
      waits   RegistrationError for 60m
      Ironic  node 7; last word (registration error, 4 times): Failed to get power state for node 7: no answer
              not Manageable (RegistrationFailed)
      written in no spec of metalform's: somebody else made this object
    ");
}
