//! Metadata of an object, as the API machinery of Kubernetes has it.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::shared::{Recent, Shared};
use super::tags::Tags;
use super::wire::optional_time;

/// `ObjectMeta`, read and written as k8s-openapi does, but in a form that ten thousand objects can
/// have in memory and that costs nothing to copy: texts and maps are shared.
///
/// Fields that are not here are not kept, as with a Go client. `managedFields` is one of them: it is a
/// third of a host on a server, and a store tells it when it is asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Free texts for programs and people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Tags>,
    /// When it was created; set by the store.
    #[serde(
        default,
        with = "optional_time",
        skip_serializing_if = "Option::is_none"
    )]
    pub creation_timestamp: Option<Timestamp>,
    /// Seconds of grace of a deletion; set by the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_grace_period_seconds: Option<i64>,
    /// When its deletion was asked for; set by the store.
    #[serde(
        default,
        with = "optional_time",
        skip_serializing_if = "Option::is_none"
    )]
    pub deletion_timestamp: Option<Timestamp>,
    /// Who has to do something before it may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finalizers: Option<Shared<Vec<Arc<str>>>>,
    /// Beginning of a name that a server is to complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate_name: Option<Arc<str>>,
    /// Counts what was wanted of it; set by the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// By which it is selected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Tags>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    /// With the last of which it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_references: Option<Shared<Vec<OwnerReference>>>,
    /// Its version; set by the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<Arc<str>>,
    /// Of old servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_link: Option<Arc<str>>,
    /// One that no other object ever has; set by the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Arc<str>>,
}

/// Of an object of any kind as a server tells it: who owns which of its fields.
#[derive(Debug, Default, Deserialize)]
pub struct Owners {
    /// What every object has.
    #[serde(default)]
    metadata: OwnersHead,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OwnersHead {
    managed_fields: Vec<ManagedFieldsEntry>,
}

impl From<Owners> for Vec<ManagedFieldsEntry> {
    fn from(owners: Owners) -> Self {
        owners.metadata.managed_fields
    }
}

/// An object with which another goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerReference {
    /// `apiVersion` of the owner.
    pub api_version: Arc<str>,
    /// Its deletion in the foreground waits for the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_owner_deletion: Option<bool>,
    /// True for the one that manages the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<bool>,
    /// Kind of the owner.
    pub kind: Arc<str>,
    /// Name of the owner.
    pub name: Arc<str>,
    /// Its uid.
    pub uid: Arc<str>,
}

impl Metadata {
    /// Who has to do something before it may go.
    pub fn finalizers(&self) -> &[Arc<str>] {
        self.finalizers.as_deref().map_or(&[], Vec::as_slice)
    }

    /// True when this one has to do something before it may go.
    pub fn has_finalizer(&self, name: &str) -> bool {
        self.finalizers().iter().any(|known| **known == *name)
    }

    /// Makes it as small as it can be: it stays in memory with thousands of others. What is shared
    /// was here before and stays.
    pub fn compact(&mut self) {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(namespace) = &mut self.namespace {
            *namespace = known.text(namespace);
        }
        for tags in [&mut self.labels, &mut self.annotations] {
            if let Some(tags) = tags.as_mut().filter(|tags| tags.is_alone()) {
                tags.map(|text| known.text(text));
            }
        }
        if let Some(labels) = &mut self.labels {
            known.share_labels(labels);
        }
        if let Some(all) = self.finalizers.as_mut().filter(|all| all.is_alone()) {
            all.iter_mut().for_each(|name| *name = known.text(name));
            all.shrink_to_fit();
        }
        if let Some(all) = self.owner_references.as_mut().filter(|all| all.is_alone()) {
            for owner in all.iter_mut() {
                owner.api_version = known.text(&owner.api_version);
                owner.kind = known.text(&owner.kind);
                if let Some(name) = self.name.as_ref().filter(|name| **name == owner.name) {
                    owner.name = Arc::clone(name);
                }
            }
            all.shrink_to_fit();
        }
        drop(known);
        if let Some(finalizers) = FINALIZERS.other_of(self.finalizers.as_ref()) {
            self.finalizers = Some(finalizers);
        }
    }
}

static FINALIZERS: Recent<Vec<Arc<str>>> = Recent::new();
/// Nobody can tell whether a text is shared, so there may be one table for all.
static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

/// Texts seen of late, with which equal ones are shared.
#[derive(Default)]
struct Known {
    texts: HashSet<Arc<str>>,
    /// Of the object before: neighbours tend to have the same.
    labels: Option<Tags>,
}

/// Longer texts (digests) are one host's own.
const LONGEST: usize = 40;
/// With so many all are forgotten; those in use go on being shared by those who have them.
const MOST: usize = 4096;

impl Known {
    /// The one to have in place of this equal one.
    fn text(&mut self, text: &Arc<str>) -> Arc<str> {
        if text.len() > LONGEST {
            return Arc::clone(text);
        }
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        if self.texts.len() == MOST {
            self.texts.clear();
        }
        self.texts.insert(Arc::clone(text));
        Arc::clone(text)
    }

    fn share_labels(&mut self, labels: &mut Tags) {
        match &self.labels {
            Some(last) if last == labels => *labels = last.clone(),
            _ => self.labels = Some(labels.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use serde_json::{Value, json};

    use super::*;

    fn whole() -> Value {
        json!({
            "annotations": { "b": "2", "a": "1" },
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "deletionGracePeriodSeconds": 0,
            "deletionTimestamp": "2026-01-02T00:00:00Z",
            "finalizers": ["example.com/keep"],
            "generateName": "h-",
            "generation": 3,
            "labels": { "role": "worker" },
            "managedFields": [{ "manager": "m", "operation": "Apply", "fieldsV1": { "f:spec": {} } }],
            "name": "h",
            "namespace": "m",
            "ownerReferences": [{
                "apiVersion": "v1", "blockOwnerDeletion": true, "controller": true,
                "kind": "Owner", "name": "h", "uid": "u",
            }],
            "resourceVersion": "7",
            "selfLink": "/x",
            "uid": "u-1",
        })
    }

    #[test]
    fn it_is_read_and_written_as_the_api_machinery_does() {
        for value in [
            whole(),
            json!({}),
            json!({ "labels": null, "name": "a", "other": 1 }),
        ] {
            let mut theirs: ObjectMeta = serde_json::from_value(value.clone()).unwrap();
            theirs.managed_fields = None;
            let ours: Metadata = serde_json::from_value(value).unwrap();
            assert_eq!(
                serde_json::to_string(&ours).unwrap(),
                serde_json::to_string(&theirs).unwrap()
            );
        }
    }

    #[test]
    fn owners_are_read_apart() {
        let owners: Owners = serde_json::from_value(json!({ "metadata": whole() })).unwrap();
        let fields: Vec<ManagedFieldsEntry> = owners.into();
        assert_eq!(fields[0].manager.as_deref(), Some("m"));
        let none: Owners = serde_json::from_value(json!({ "metadata": { "name": "a" } })).unwrap();
        assert!(Vec::from(none).is_empty());
    }

    #[test]
    fn being_small_changes_nothing() {
        let mut first: Metadata = serde_json::from_value(whole()).unwrap();
        let mut other = first.clone();
        first.compact();
        assert_eq!(first, other);
        other = serde_json::from_value(whole()).unwrap();
        other.compact();
        assert_eq!(first, other);
        assert!(Arc::ptr_eq(
            first.namespace.as_ref().unwrap(),
            other.namespace.as_ref().unwrap()
        ));
        let (one, two) = (first.finalizers.unwrap(), other.finalizers.unwrap());
        assert!(one.is_shared_with(&two));
    }

    #[test]
    fn texts_are_forgotten_before_they_are_many() {
        let mut known = Known::default();
        for number in 0..=MOST {
            known.text(&number.to_string().into());
        }
        assert_eq!(known.texts.len(), 1);
        let long: Arc<str> = "x".repeat(LONGEST + 1).into();
        assert!(!Arc::ptr_eq(
            &known.text(&long),
            &known.text(&(&*long).into())
        ));
    }
}
