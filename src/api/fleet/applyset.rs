//! The set that a fleet's objects belong to (ApplySet, KEP-3659). Its parent is the fleet's own object;
//! members carry its id. Only members are ever taken away with the fleet's text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{API_VERSION, Fleet, GROUP};
use crate::api::names::applyset::{CONTAINS_GROUP_KINDS, ID, METALFORM, PART_OF, TOOLING};
use crate::api::{BareMetalHost, Metadata};

/// Kinds of the members.
const KINDS: &str = "BareMetalHost.metal3.io";

/// The id of the set of this fleet.
pub fn id(name: &str, namespace: &str) -> String {
    let parent = format!("{name}.{namespace}.Fleet.{GROUP}");
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(parent));
    format!("applyset-{hash}-v1")
}

/// The parent as it has to be, for an apply: nothing of what is wanted of a controller.
pub fn parent(name: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": "Fleet",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": { ID: id(name, namespace) },
            "annotations": { TOOLING: METALFORM, CONTAINS_GROUP_KINDS: KINDS },
        },
    })
}

/// Whose set this parent keeps, when it is not metalform's.
pub fn foreign(fleet: &Fleet) -> Option<&str> {
    let tool = annotation(&fleet.metadata, TOOLING)?;
    let ours = METALFORM.split('/').next();
    (tool.split('/').next() != ours).then_some(tool)
}

/// True when nothing has to be written for this to be the parent.
pub fn is_parent(fleet: &Fleet, name: &str, namespace: &str) -> bool {
    let labels = fleet.metadata.labels.as_ref();
    let label = labels.and_then(|labels| labels.get(ID));
    label == Some(&*id(name, namespace))
        && annotation(&fleet.metadata, TOOLING) == Some(METALFORM)
        && annotation(&fleet.metadata, CONTAINS_GROUP_KINDS) == Some(KINDS)
}

/// The set that a host is in.
pub fn set_of(host: &BareMetalHost) -> Option<&str> {
    host.metadata.labels.as_ref()?.get(PART_OF)
}

fn annotation<'a>(metadata: &'a Metadata, name: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `printf %s lab.metal3.Fleet.metalform.dev | openssl dgst -sha256 -binary | base64`,
    /// with `-` and `_` for `+` and `/`.
    #[test]
    fn an_id_is_a_label_that_others_can_work_out() {
        let id = id("lab", "metal3");
        assert_eq!(
            id,
            "applyset-S2JyfG2fSeRAuT_cucY9z1OekYYYTuvwNUemBdUXqzE-v1"
        );
        assert!(id.len() <= 63);
    }

    #[test]
    fn a_parent_is_known_again_and_that_of_another_tool_is_not_ours() {
        let mut fleet: Fleet = serde_json::from_value(parent("lab", "metal3")).unwrap();
        assert!(is_parent(&fleet, "lab", "metal3"));
        assert!(!is_parent(&fleet, "lab", "other"));
        assert_eq!(foreign(&fleet), None);
        let annotations = fleet.metadata.annotations.as_mut().unwrap();
        annotations.insert(TOOLING, "metalform/v2");
        assert_eq!(foreign(&fleet), None, "an older or newer one of ours");
        let annotations = fleet.metadata.annotations.as_mut().unwrap();
        annotations.insert(TOOLING, "kubectl/v1.33");
        assert_eq!(foreign(&fleet), Some("kubectl/v1.33"));
        assert_eq!(foreign(&Fleet::default()), None);
    }
}
