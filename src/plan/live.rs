//! The hosts that are there, by key, without making keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::BareMetalHost;
use crate::store::Key;

/// Observed hosts, in order of key whatever order they came in.
pub(crate) struct Live<'a>(BTreeMap<(&'a str, &'a str), &'a BareMetalHost>);

impl<'a> Live<'a> {
    pub fn of(observed: &'a [Arc<BareMetalHost>]) -> Self {
        let named = |host: &'a Arc<BareMetalHost>| (names(host), &**host);
        Self(observed.iter().map(named).collect())
    }

    pub fn get(&self, key: &Key) -> Option<&'a BareMetalHost> {
        self.0.get(&(&*key.namespace, &*key.name)).copied()
    }

    pub fn remove(&mut self, host: &'a BareMetalHost) {
        self.0.remove(&names(host));
    }

    /// In order of key.
    pub fn iter(&self) -> impl Iterator<Item = &'a BareMetalHost> {
        self.0.values().copied()
    }
}

fn names(host: &BareMetalHost) -> (&str, &str) {
    let meta = &host.metadata;
    (
        meta.namespace.as_deref().unwrap_or_default(),
        meta.name.as_deref().unwrap_or_default(),
    )
}
