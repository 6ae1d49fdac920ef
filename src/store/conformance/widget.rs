//! The kind of the suite.

use crate::api::Metadata;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::store::Object;

/// The kind of the suite: something of everything that the rules speak of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Widget {
    /// `conformance.metalform.dev/v1`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// `Widget`.
    pub kind: String,
    /// Metadata.
    pub metadata: Metadata,
    /// What is wanted: any fields.
    #[serde(default)]
    pub spec: Map<String, Value>,
    /// What is: any fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Map<String, Value>>,
}

impl Object for Widget {
    const GROUP: &'static str = "conformance.metalform.dev";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Widget";
    const PLURAL: &'static str = "widgets";
    const HAS_STATUS: bool = true;
    const LARGE_STATUS: &'static [&'static str] = &["inventory"];
    const ATOMIC: &'static [&'static str] = &["spec.reference"];
    const KEYED: &'static [(&'static str, &'static [&'static str])] =
        &[("spec.ports", &["name"]), ("status.conditions", &["type"])];

    fn meta(&self) -> &Metadata {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }
}

/// The CustomResourceDefinition of [`Widget`], for backends that need one.
pub fn widget_crd() -> Value {
    let any = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let keyed = |key: &str| {
        json!({
            "type": "array",
            "items": {
                "type": "object",
                "properties": { key: { "type": "string" } },
                "required": [key],
                "x-kubernetes-preserve-unknown-fields": true,
            },
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": [key],
        })
    };
    let with = |mut object: Value, properties: Value| {
        object["properties"] = properties;
        object
    };
    let mut reference = any.clone();
    reference["x-kubernetes-map-type"] = "atomic".into();
    let spec = with(
        any.clone(),
        json!({ "ports": keyed("name"), "reference": reference }),
    );
    let status = with(any.clone(), json!({ "conditions": keyed("type") }));
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": "widgets.conformance.metalform.dev" },
        "spec": {
            "group": Widget::GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": Widget::KIND,
                "plural": Widget::PLURAL,
                "singular": "widget",
                "listKind": "WidgetList",
            },
            "versions": [{
                "name": Widget::VERSION,
                "served": true,
                "storage": true,
                "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "properties": { "spec": spec, "status": status },
                } },
            }],
        },
    })
}
