//! The evaluated fleet as resources wanted: one BareMetalHost a host.
//!
//! ```text
//!  Fleet, who is in which pool now ──► place ──► lower (schema table) ──► Desired
//! ```
//!
//! Pure. A host is lowered again only when its digest changed: [`desired`] takes the last result
//! and shares what is equal, so that an edit of one host in 10,000 costs one host.

mod lower;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::names::annotation;
use crate::api::{BareMetalHost, BareMetalHostSpec};
use crate::fleet::{Fleet, Host, place};
use crate::store::{Key, Object as _};
use crate::vfs::Files;


/// All resources that a spec wants.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    /// The fleet's name, written to each host.
    pub fleet: Arc<str>,
    /// Wanted hosts.
    pub hosts: BTreeMap<Key, Arc<Wanted>>,
    /// Hosts that the spec declares and that have an error in it: they stay as they are.
    pub held: Vec<Key>,
    /// How a change rolls through each pool.
    pub pools: BTreeMap<Arc<str>, Rollout>,
    /// Pools that want more members than there are hosts: name, wanted, found.
    pub short: Vec<(Arc<str>, u32, u32)>,
    /// False when something of the spec could not be read: then nothing may be removed.
    pub complete: bool,
    /// Tells where things are written; looked at only for what is shown.
    pub sites: Sites,
}

/// Where a host and its fields are written in the spec.
#[derive(Clone, Default)]
pub struct Sites(Option<(Arc<Fleet>, Arc<Files>)>);

impl fmt::Debug for Sites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sites")
    }
}

impl Sites {
    /// Where the host is declared, e.g. `racks/r01.kdl:28`.
    pub fn origin(&self, host: &str) -> Option<String> {
        let (fleet, files) = self.0.as_ref()?;
        Some(fleet.host(host)?.origin.show(files))
    }

    /// Where the value of a field of the object (`spec.image.url`) is written.
    pub fn field(&self, host: &str, path: &str) -> Option<String> {
        let (fleet, files) = self.0.as_ref()?;
        let host = fleet.host(host)?;
        let dotted = format!(".{path}");
        let lowers = |found: &crate::fleet::Found<'_>| {
            found.schema.crd_path().is_some_and(|crd| {
                let crd = crd.split("[]").next().unwrap_or_default();
                dotted.starts_with(crd) && (crd.len() == dotted.len() || !crd.is_empty())
            })
        };
        let own = host.fields.iter().filter(lowers).max_by_key(|found| found.schema.crd_path());
        if let Some(found) = own {
            return Some(found.origin.show(files));
        }
        let deployment = host.deployment(fleet, true);
        let image = deployment.image?;
        let entity = image.fields.iter().find(lowers).map(|found| found.origin);
        entity.map(|origin| origin.show(files))
    }
}

/// One host wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    /// The spec, complete.
    pub spec: BareMetalHostSpec,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the spec's own; ours are added by [`Desired::object`].
    pub annotations: BTreeMap<String, String>,
    /// Digest of the evaluated host and what it is deployed with.
    pub digest: Arc<str>,
    /// Its pool.
    pub pool: Option<Arc<str>>,
    /// Its rack.
    pub rack: Option<Arc<str>>,
    /// The Ironic that drives it, when the fleet has several.
    pub ironic: Option<Arc<str>>,
    /// No plan may destroy it, whoever allows it (`lifecycle prevent-destroy=#true`).
    pub prevent_destroy: bool,
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

/// Lowers a fleet. `observed` tells which hosts are in which pool now, so that members keep their
/// seats; `previous` is the last result, of which equal hosts are shared.
pub fn desired(
    fleet: &Arc<Fleet>,
    files: &Arc<Files>,
    complete: bool,
    observed: &[Arc<BareMetalHost>],
    previous: Option<&Desired>,
) -> Desired {
    let current = members(fleet, observed);
    let placement = place(fleet, &current);
    let hosts = fleet
        .hosts
        .iter()
        .map(|host| {
            let key = Key::new(Arc::clone(&fleet.namespace), Arc::clone(&host.name));
            let pool = placement.pool_of(&host.name);
            let known = previous.and_then(|previous| previous.hosts.get(&key));
            let wanted = wanted(fleet, host, pool, known);
            (key, wanted)
        })
        .collect();
    let key = |name: &Arc<str>| Key::new(Arc::clone(&fleet.namespace), Arc::clone(name));
    Desired {
        fleet: Arc::clone(&fleet.name),
        hosts,
        held: fleet.held.iter().map(|held| key(&held.name)).collect(),
        pools: fleet.pools.iter().map(|pool| (Arc::clone(&pool.name), pool.rollout.into())).collect(),
        short: placement.short,
        complete,
        sites: Sites(Some((Arc::clone(fleet), Arc::clone(files)))),
    }
}

impl From<crate::fleet::Rollout> for Rollout {
    fn from(rollout: crate::fleet::Rollout) -> Self {
        Self { max_unavailable: rollout.max_unavailable as usize, by_rack: rollout.by_rack }
    }
}

/// The pool of each host of this fleet that is in one now, by name.
fn members(fleet: &Fleet, observed: &[Arc<BareMetalHost>]) -> BTreeMap<Arc<str>, Arc<str>> {
    observed
        .iter()
        .filter(|host| host.annotation(annotation::FLEET) == Some(&*fleet.name))
        .filter(|host| host.metadata.deletion_timestamp.is_none())
        .filter_map(|host| Some((host.key().name, Arc::from(host.annotation(annotation::POOL)?))))
        .collect()
}

fn wanted(
    fleet: &Fleet,
    host: &Host,
    pool: Option<&Arc<str>>,
    known: Option<&Arc<Wanted>>,
) -> Arc<Wanted> {
    let deployment = host.deployment(fleet, pool.is_some());
    let protected = pool.and_then(|pool| fleet.pool(pool)).is_some_and(|pool| pool.prevent_destroy);
    let prevent_destroy = host.prevent_destroy() || protected;
    if let Some(known) = known
        && *known.digest == *deployment.digest.to_string()
        && known.pool.as_ref() == pool
        && known.rack == host.rack
        && known.prevent_destroy == prevent_destroy
    {
        return Arc::clone(known);
    }
    let mut wanted = lower::lower(host, &deployment);
    wanted.pool = pool.cloned();
    wanted.prevent_destroy = prevent_destroy;
    Arc::new(wanted)
}

impl Desired {
    /// The object to apply: exactly the fields that the spec owns.
    pub fn object(&self, key: &Key, wanted: &Wanted) -> Value {
        let mut annotations = wanted.annotations.clone();
        let mut own = |name: &str, value: Option<String>| {
            value.map(|value| annotations.insert(name.to_owned(), value));
        };
        own(annotation::FLEET, Some(self.fleet.to_string()));
        own(annotation::SPEC_DIGEST, Some(wanted.digest.to_string()));
        own(annotation::ORIGIN, self.sites.origin(&key.name));
        own(annotation::POOL, wanted.pool.as_deref().map(str::to_owned));
        own(annotation::RACK, wanted.rack.as_deref().map(str::to_owned));
        own(annotation::IRONIC, wanted.ironic.as_deref().map(str::to_owned));
        let mut metadata = json!({
            "name": *key.name,
            "namespace": *key.namespace,
            "annotations": annotations,
        });
        if !wanted.labels.is_empty() {
            metadata["labels"] = json!(wanted.labels);
        }
        json!({
            "apiVersion": crate::api::API_VERSION,
            "kind": "BareMetalHost",
            "metadata": metadata,
            // A spec always serialises: it has string keys and no foreign types.
            "spec": serde_json::to_value(&wanted.spec).unwrap_or_default(),
        })
    }
}
