//! Keeps once what is equal: ten thousand wanted hosts stay in memory beside those of the store.

use std::collections::HashMap;
use std::sync::Arc;

use crate::api::{BareMetalHost, BareMetalHostSpec, Tags};
use crate::store::Key;

use super::Wanted;

/// What wanted hosts may share.
pub(super) struct Sharing<'a> {
    /// Specs that there are, by namespace and name.
    specs: HashMap<(&'a str, &'a str), &'a BareMetalHostSpec>,
    last: Option<Arc<Wanted>>,
}

impl<'a> Sharing<'a> {
    /// With these hosts.
    pub fn new(observed: &'a [Arc<BareMetalHost>]) -> Self {
        let named = observed.iter().filter_map(|host| {
            let meta = &host.metadata;
            let namespace = meta.namespace.as_deref().unwrap_or_default();
            Some(((namespace, meta.name.as_deref()?), &host.spec))
        });
        Self {
            specs: named.collect(),
            last: None,
        }
    }

    /// Makes a wanted host share its spec with the host that has it already, and its labels and
    /// annotations with the one before it.
    pub fn share(&mut self, key: &Key, wanted: &mut Arc<Wanted>) {
        if let Some(spec) = self.specs.get(&(&*key.namespace, &*key.name))
            && !wanted.spec.is_shared_with(spec)
            && wanted.spec == **spec
        {
            Arc::make_mut(wanted).spec = (*spec).clone();
        }
        if let Some(last) = &self.last {
            let same = |one: &Tags, other| !one.is_shared_with(other) && one == other;
            if same(&wanted.labels, &last.labels) {
                Arc::make_mut(wanted).labels = last.labels.clone();
            }
            if same(&wanted.annotations, &last.annotations) {
                Arc::make_mut(wanted).annotations = last.annotations.clone();
            }
        }
        self.last = Some(Arc::clone(wanted));
    }
}
