//! The evaluated fleet as resources wanted: one BareMetalHost a host.
//!
//! (Lowering from [`crate::fleet`] follows; these are the types that a plan compares.)

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::BareMetalHostSpec;
use crate::api::names::annotation;
use crate::store::Key;

/// All resources that a spec wants.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    /// The fleet's name, written to each host.
    pub fleet: Arc<str>,
    /// Wanted hosts.
    pub hosts: BTreeMap<Key, Wanted>,
    /// How a change rolls through each pool.
    pub pools: BTreeMap<Arc<str>, Rollout>,
    /// False when something of the spec could not be read: then nothing may be removed.
    pub complete: bool,
}

/// One host wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    /// The spec, complete.
    pub spec: BareMetalHostSpec,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the spec's own; ours are added by [`Wanted::object`].
    pub annotations: BTreeMap<String, String>,
    /// Digest of the evaluated host.
    pub digest: Arc<str>,
    /// Where the host is declared, e.g. `racks/r01.kdl:28`.
    pub origin: Arc<str>,
    /// Where each field's value is written, by dotted path in the object.
    pub sites: Vec<(Arc<str>, Arc<str>)>,
    /// Its pool.
    pub pool: Option<Arc<str>>,
    /// Its rack.
    pub rack: Option<Arc<str>>,
    /// The Ironic that drives it, when the fleet has several.
    pub ironic: Option<Arc<str>>,
    /// A person has to allow its destruction (the default).
    pub protected: bool,
}

impl Wanted {
    /// Where the field's value is written, if the spec says it.
    pub fn site(&self, path: &str) -> Option<Arc<str>> {
        let exact = self.sites.iter().find(|(known, _)| **known == *path);
        let parent = || self.sites.iter().find(|(known, _)| path.starts_with(known.as_ref()));
        exact.or_else(parent).map(|(_, site)| Arc::clone(site))
    }

    /// Our own annotations.
    pub fn own_annotations(&self, fleet: &str) -> BTreeMap<&'static str, String> {
        let mut all = BTreeMap::from([
            (annotation::FLEET, fleet.to_owned()),
            (annotation::ORIGIN, self.origin.to_string()),
            (annotation::SPEC_DIGEST, self.digest.to_string()),
        ]);
        let optional = [
            (annotation::POOL, &self.pool),
            (annotation::RACK, &self.rack),
            (annotation::IRONIC, &self.ironic),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                all.insert(name, value.to_string());
            }
        }
        all
    }

    /// The object to apply: exactly the fields that the spec owns.
    pub fn object(&self, key: &Key, fleet: &str) -> Value {
        let mut annotations: BTreeMap<String, String> = self.annotations.clone();
        annotations
            .extend(self.own_annotations(fleet).into_iter().map(|(k, v)| (k.to_owned(), v)));
        // A spec always serialises: it has string keys and no foreign types.
        let spec = serde_json::to_value(&self.spec).unwrap_or_default();
        let mut metadata = json!({
            "name": *key.name,
            "namespace": *key.namespace,
            "annotations": annotations,
        });
        if !self.labels.is_empty() {
            metadata["labels"] = json!(self.labels);
        }
        json!({
            "apiVersion": crate::api::API_VERSION,
            "kind": "BareMetalHost",
            "metadata": metadata,
            "spec": spec,
        })
    }
}

/// How a change rolls through a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollout {
    /// Machines that may be out of service at once.
    pub max_unavailable: usize,
    /// One rack at a time.
    pub by_rack: bool,
}

impl Default for Rollout {
    /// One machine at a time, the next when the last is provisioned.
    fn default() -> Self {
        Self { max_unavailable: 1, by_rack: false }
    }
}
