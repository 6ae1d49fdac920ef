//! Keeps once what is equal: ten thousand wanted hosts stay in memory beside those of the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::api::BareMetalHost;
use crate::store::Key;

use super::Wanted;

/// Makes wanted hosts share their spec with the host that has it already, and their labels and
/// annotations with the host before them.
pub(super) fn share(hosts: &mut BTreeMap<Key, Arc<Wanted>>, observed: &[Arc<BareMetalHost>]) {
    let named = observed.iter().filter_map(|host| {
        let meta = &host.metadata;
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        Some(((namespace, meta.name.as_deref()?), &host.spec))
    });
    let specs: HashMap<(&str, &str), _> = named.collect();
    let mut last: Option<Arc<Wanted>> = None;
    for (key, wanted) in hosts {
        if let Some(spec) = specs.get(&(&*key.namespace, &*key.name))
            && !wanted.spec.is_shared_with(spec)
            && wanted.spec == **spec
        {
            Arc::make_mut(wanted).spec = (*spec).clone();
        }
        if let Some(last) = &last {
            if !Arc::ptr_eq(&wanted.labels, &last.labels) && wanted.labels == last.labels {
                Arc::make_mut(wanted).labels = Arc::clone(&last.labels);
            }
            let other = !Arc::ptr_eq(&wanted.annotations, &last.annotations);
            if other && wanted.annotations == last.annotations {
                Arc::make_mut(wanted).annotations = Arc::clone(&last.annotations);
            }
        }
        last = Some(Arc::clone(wanted));
    }
}
