//! `Lease` of `coordination.k8s.io/v1`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use crate::api::names::annotation;
use crate::api::{Metadata, Timestamp};
use crate::store::{Key, Object};

/// A lease.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Lease {
    /// Its name and version.
    #[serde(default)]
    pub metadata: Metadata,
    /// Who holds it.
    #[serde(default)]
    pub spec: LeaseSpec,
}

/// Who holds a lease.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LeaseSpec {
    /// The holder; empty for nobody.
    pub holder_identity: Option<String>,
    /// For how long after it was renewed.
    pub lease_duration_seconds: Option<i32>,
    /// Since when this holder has it.
    pub acquire_time: Option<MicroTime>,
    /// When it was renewed last.
    pub renew_time: Option<MicroTime>,
    /// How often it went from one holder to another.
    pub lease_transitions: Option<i32>,
}

impl LeaseSpec {
    /// The holder, if there is one.
    pub fn holder(&self) -> Option<&str> {
        self.holder_identity
            .as_deref()
            .filter(|name| !name.is_empty())
    }

    /// The record after its holder gave it back: free at once, for one that waits for the second.
    pub(super) fn released(&self, now: Timestamp) -> Self {
        Self {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            renew_time: Some(MicroTime(now)),
            acquire_time: Some(MicroTime(now)),
            ..self.clone()
        }
    }
}

impl Lease {
    /// A lease that is not there yet.
    pub(super) fn new(key: &Key, spec: LeaseSpec) -> Self {
        let metadata = Metadata {
            name: Some(key.name.clone()),
            namespace: Some(key.namespace.clone()),
            ..Metadata::default()
        };
        Self { metadata, spec }
    }

    /// What its holder says, if that is one who does.
    pub(super) fn word(&self) -> Option<&str> {
        self.metadata
            .annotations
            .as_ref()?
            .get(annotation::STANDING)
    }

    /// A merge patch to another record, for this version only, with another change of the metadata.
    pub(super) fn patch_to(&self, spec: &LeaseSpec, metadata: Option<Value>) -> Value {
        let mut metadata = metadata.unwrap_or_else(|| json!({}));
        metadata["resourceVersion"] = json!(self.metadata.resource_version);
        json!({ "metadata": metadata, "spec": spec })
    }
}

impl Serialize for Lease {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire<'a> {
            api_version: &'static str,
            kind: &'static str,
            metadata: &'a Metadata,
            spec: &'a LeaseSpec,
        }
        let wire = Wire {
            api_version: "coordination.k8s.io/v1",
            kind: "Lease",
            metadata: &self.metadata,
            spec: &self.spec,
        };
        wire.serialize(serializer)
    }
}

impl Object for Lease {
    const GROUP: &'static str = "coordination.k8s.io";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Lease";
    const PLURAL: &'static str = "leases";
    const HAS_STATUS: bool = false;
    const CACHED: bool = false;

    fn meta(&self) -> &Metadata {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }
}
