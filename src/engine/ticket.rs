//! What the scheduler knows of a host: its name and no more.
//!
//! kube-runtime's `applier` asks a reflector store for the object of each request. Ours holds
//! tickets instead of whole hosts (the store has those already), so that 10,000 hosts cost a few
//! megabytes less and a change of a host is not copied once more.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::runtime::reflector::ObjectRef;

use crate::store::Key;

/// A host by name.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    meta: ObjectMeta,
}

impl Ticket {
    /// The ticket of a host.
    pub fn new(key: &Key) -> Self {
        let meta = ObjectMeta {
            name: Some(key.name.to_string()),
            namespace: Some(key.namespace.to_string()),
            ..ObjectMeta::default()
        };
        Self { meta }
    }

    /// The host.
    pub fn key(&self) -> Key {
        Key::new(
            self.meta.namespace.as_deref().unwrap_or_default(),
            self.meta.name.as_deref().unwrap_or_default(),
        )
    }

    /// The scheduler's name of a host.
    pub fn of(key: &Key) -> ObjectRef<Self> {
        ObjectRef::new(&key.name).within(&key.namespace)
    }
}

impl Resource for Ticket {
    type DynamicType = ();
    type Scope = kube::core::NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "BareMetalHost".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "metal3.io".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1alpha1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "baremetalhosts".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}
