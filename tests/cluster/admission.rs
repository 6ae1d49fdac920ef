//! What the API server refuses of a host: `deploy/admission`, which says the same as the rules of the library.

use metalform::api::BareMetalHost;
use metalform::api::validate::{Violation, validate};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::controller::{Site, root, until};

/// The policy and its binding, for one namespace alone and under names of its own.
fn policy(site: &Site) -> Vec<Value> {
    let text = std::fs::read_to_string(root("deploy/admission/policy.yaml")).unwrap();
    let all = serde_yaml_ng::Deserializer::from_str(&text);
    let mut all: Vec<Value> = all.map(|it| Value::deserialize(it).unwrap()).collect();
    for object in &mut all {
        object["metadata"]["name"] = site.namespace.as_str().into();
    }
    let binding = &mut all[1]["spec"];
    binding["policyName"] = site.namespace.as_str().into();
    binding["matchResources"] = json!({ "namespaceSelector": {
        "matchLabels": { "kubernetes.io/metadata.name": site.namespace },
    } });
    all
}

/// What the server says to an object that is written as a dry run; nothing when it takes it.
fn refusal(site: &Site, verb: &str, object: &Value) -> Option<String> {
    let dry = ["-n", &site.namespace, verb, "--dry-run=server", "-f", "-"];
    site.server.try_kubectl(&dry, &object.to_string()).err()
}

fn rules(new: &Value, old: Option<&Value>) -> Vec<Violation> {
    let of = |host: &Value| serde_json::from_value::<BareMetalHost>(host.clone()).unwrap();
    validate(&of(new), old.map(of).as_ref())
}

/// The state, what is changed of the host, and whether that is refused.
fn changes() -> Vec<(&'static str, Value, bool)> {
    let address = |text: &str| json!({ "spec": { "bmc": { "address": text } } });
    let other = "redfish-virtualmedia+http://127.0.0.1:1/redfish/v1/Systems/9";
    let mac = |text: &str| json!({ "spec": { "bootMACAddress": text } });
    let external = json!({ "spec": { "externallyProvisioned": true } });
    let inspect =
        |text: &str| json!({ "metadata": { "annotations": { "inspect.metal3.io": text } } });
    vec![
        ("provisioned", address(other), true),
        ("available", address(other), true),
        ("provisioned", json!({ "spec": { "bmc": null } }), true),
        ("registering", address(other), false),
        ("detached", address(other), false),
        ("provisioned", mac("52:54:00:00:01:AA"), false),
        ("provisioned", mac("52:54:00:00:01:ab"), true),
        ("registering", mac("52:54:00:00:01:ab"), true),
        ("provisioned", external.clone(), true),
        ("registering", external.clone(), true),
        ("available", external, false),
        ("provisioned", json!({ "spec": { "online": false } }), false),
        (
            "provisioned",
            json!({ "spec": { "online": false, "disablePowerOff": true } }),
            true,
        ),
        (
            "provisioned",
            json!({ "spec": { "disablePowerOff": true } }),
            false,
        ),
        ("available", inspect(""), false),
        ("available", inspect("disabled"), false),
        ("available", inspect("now"), true),
        (
            "available",
            json!({ "metadata": { "labels": { "a": "b" } } }),
            false,
        ),
        (
            "available",
            json!({ "spec": { "raid": {
            "softwareRAIDVolumes": [{ "level": "1" }],
        } } }),
            false,
        ),
        (
            "available",
            json!({ "spec": { "raid": {
            "softwareRAIDVolumes": [{ "level": "1" }],
            "hardwareRAIDVolumes": [{ "level": "1", "sizeGibibytes": 1 }],
        } } }),
            true,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_cost_a_machine_is_refused_as_the_rules_have_it() {
    let Some(site) = Site::shared("admission").await else {
        return;
    };
    // Before the policy: a host that breaks a rule already.
    let mut broken = Site::host("broken", 3);
    broken["spec"]["online"] = false.into();
    broken["spec"]["disablePowerOff"] = true.into();
    site.create(&broken);
    for object in policy(&site) {
        site.server
            .kubectl_with(&["create", "-f", "-"], &object.to_string());
    }
    let mut uuid = Site::host("1be26c0b-03f2-4d2e-ae87-c02d7f33c123", 2);
    // It takes the API server a moment to hear of it.
    let named = || refusal(&site, "create", &uuid);
    until(|| named().is_some(), || "the policy does nothing".into());
    let said = named().unwrap();
    let rule = rules(&uuid, None)[0].to_string();
    assert!(said.contains(&rule), "{said}: {rule}");
    uuid["metadata"]["name"] = "fine".into();
    assert_eq!(refusal(&site, "create", &uuid), None);

    for (index, (state, change, refused)) in changes().iter().enumerate() {
        let name = format!("h{index}");
        site.create(&Site::host(&name, 0xaa));
        let (state, operational) = match *state {
            "detached" => ("provisioned", "detached"),
            state => (state, "OK"),
        };
        let status = json!({ "status": {
            "provisioning": { "ID": "", "state": state, "image": { "url": "" } },
            "operationalStatus": operational, "errorCount": 0, "errorMessage": "", "poweredOn": true,
        } });
        let (what, text) = (format!("bmh/{name}"), status.to_string());
        // The policy looks at no status.
        site.kubectl(&[
            "patch",
            &what,
            "--subresource=status",
            "--type=merge",
            "-p",
            &text,
        ]);
        let old = site.get(&what);
        let mut new = old.clone();
        json_patch::merge(&mut new, change);
        let rules = rules(&new, Some(&old));
        let said = refusal(&site, "replace", &new);
        assert_eq!(said.is_some(), *refused, "{state} {change}: {said:?}");
        assert_eq!(!rules.is_empty(), *refused, "{state} {change}: {rules:?}");
        if let Some(said) = said {
            assert!(said.contains(&rules[0].to_string()), "{said}: {rules:?}");
        }
    }

    // One that breaks a rule already is looked after all the same, and goes.
    site.kubectl(&["label", "bmh/broken", "a=b"]);
    let finalizers = json!({ "metadata": { "finalizers": ["example.org/own"] } });
    site.patch("bmh/broken", &finalizers);
    let still = site.get("bmh/broken");
    let mut worse = still.clone();
    worse["spec"]["description"] = "still off".into();
    assert!(refusal(&site, "replace", &worse).is_some());
    site.kubectl(&["delete", "bmh/broken", "--wait=false"]);
    site.patch("bmh/broken", &json!({ "metadata": { "finalizers": null } }));
    until(|| site.get("bmh/broken").is_null(), || "still there".into());
    for kind in [
        "validatingadmissionpolicybinding",
        "validatingadmissionpolicy",
    ] {
        site.server.kubectl(&["delete", kind, &site.namespace]);
    }
}
