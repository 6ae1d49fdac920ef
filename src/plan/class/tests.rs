//! What the schema says a change does at worst is what the plan says in the worst state.

use serde_json::json;

use super::*;
use crate::api::Tags;
use crate::schema::{self, Field, Kind, Lower};

const STATES: [&str; 11] = [
    "",
    "unmanaged",
    "registering",
    "inspecting",
    "preparing",
    "available",
    "provisioning",
    "provisioned",
    "externally provisioned",
    "deprovisioning",
    "deleting",
];

/// The worst class of a change at this path, over the states of a host.
fn worst(path: &str) -> Disruption {
    let spec = json!({
        "online": false,
        "raid": { "hardwareRAIDVolumes": [{ "level": "1" }] },
    });
    let wanted = Wanted {
        spec: serde_json::from_value(spec).unwrap(),
        labels: Tags::default(),
        annotations: Tags::default(),
        digest: crate::fleet::Digest::default(),
        pool: None,
        rack: None,
        ironic: None,
        prevent_destroy: false,
    };
    let deployment = match path {
        "spec.externallyProvisioned" => Disruption::Destroy,
        _ => Disruption::Reprovision,
    };
    let of = |state: &str| {
        let host = json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": { "name": "h" }, "spec": { "online": true },
            "status": { "provisioning": { "state": state } },
        });
        let host: BareMetalHost = serde_json::from_value(host).unwrap();
        disruption(&host, &wanted, path, deployment)
    };
    STATES.into_iter().map(of).max().unwrap()
}

fn leaves(fields: &'static [Field], all: &mut Vec<&'static Field>) {
    for field in fields {
        match field.kind {
            Kind::Leaf(_) => all.push(field),
            Kind::Union(variants) => leaves(variants, all),
            _ => leaves(field.fields(), all),
        }
    }
}

#[test]
fn the_schema_says_what_the_plan_says_at_worst() {
    let mut all = Vec::new();
    leaves(schema::Entity::Host.fields(), &mut all);
    let mut compared = 0;
    for field in all {
        // An image by name stands for the URL that it has; what is immutable is refused.
        let is_name = matches!(field.lower, Lower::Image(_));
        let is_fixed = field.class == schema::Disruption::Immutable;
        let Some(path) = field
            .crd_path()
            .and_then(|path| path.strip_prefix(".spec."))
        else {
            continue;
        };
        if is_name || is_fixed {
            continue;
        }
        compared += 1;
        let path = format!("spec.{path}");
        assert_eq!(worst(&path).word(), field.class.to_string(), "{path}");
    }
    assert!(compared > 40, "{compared}");
}
