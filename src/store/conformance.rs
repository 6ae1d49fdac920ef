//! The suite that every store passes, written against the trait.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Object;

/// The kind of the suite: something of everything that the rules speak of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Widget {
    /// `conformance.metalform.dev/v1`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// `Widget`.
    pub kind: String,
    /// Metadata.
    pub metadata: ObjectMeta,
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

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
