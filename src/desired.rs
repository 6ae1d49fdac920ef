//! The evaluated fleet as resources wanted: one BareMetalHost a host.
//!
//! ```text
//!  Fleet, who is in which pool now ──► place ──► lower (schema table) ──► Desired
//! ```
//!
//! Pure. A host is lowered again only when its digest changed: [`desired`] takes the last result
//! and shares what is equal, so that an edit of one host in 10,000 costs one host. One that the
//! evaluation took over from the last one is not even looked at.

mod lower;
pub(crate) mod path;
mod share;
mod sites;
#[cfg(test)]
mod tests;
mod unmoved;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::names::{annotation, applyset};
use crate::api::{BareMetalHost, BareMetalHostSpec, ProvisioningState, Tags};
use crate::fleet::{Digest, Fleet, Host, Seat, Seats, place};
use crate::store::{Key, Object as _};
use crate::vfs::Files;

use self::share::Sharing;
pub use self::sites::{HostSites, Sites};
use self::unmoved::Unmoved;

/// All resources that a spec wants.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    /// The fleet's name, written to each host.
    pub fleet: Arc<str>,
    /// The namespace of its hosts. A fleet is its name and this, see [`is_of`].
    pub namespace: Arc<str>,
    /// Digest of the evaluated fleet ([`Fleet::digest`]): which text this is. Who has a seat in
    /// which pool is not in it.
    pub digest: Digest,
    /// Wanted hosts.
    pub hosts: BTreeMap<Key, Arc<Wanted>>,
    /// Hosts that the spec declares and that have an error in it: they stay as they are. See
    /// [`Fleet::held`].
    pub held: BTreeSet<Key>,
    /// How a change rolls through each pool.
    pub pools: BTreeMap<Arc<str>, Rollout>,
    /// Pools that want more members than there are hosts: name, wanted, found.
    pub short: Vec<(Arc<str>, u32, u32)>,
    /// Hosts that are to leave their pool and still run, with the pool: nobody is given their seat.
    /// When one has left it is time to lower the fleet again, see [`Desired::has_free_seat`].
    pub leaving: BTreeMap<Key, Arc<str>>,
    /// False when something of the spec could not be read: then nothing may be removed. Commands
    /// refuse such a spec; this is for whoever goes on with the rest.
    pub complete: bool,
    /// The set (ApplySet) that all hosts are members of, see [`Desired::in_set`]; `None` in a store
    /// of our own. Then only members are removed.
    pub set: Option<Arc<str>>,
    /// Tells where things are written; looked at only for what is shown.
    pub sites: Sites,
}

/// One host wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    /// The spec, complete.
    pub spec: BareMetalHostSpec,
    /// Labels.
    pub labels: Tags,
    /// Annotations of the spec's own; ours are added by [`Desired::object`].
    pub annotations: Tags,
    /// Digest of the evaluated host and what it is deployed with.
    pub digest: Digest,
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
        Self {
            max_unavailable: 1,
            by_rack: false,
        }
    }
}

impl From<crate::fleet::Rollout> for Rollout {
    fn from(rollout: crate::fleet::Rollout) -> Self {
        Self {
            max_unavailable: rollout.max_unavailable as usize,
            by_rack: rollout.by_rack,
        }
    }
}

/// Lowers a fleet. `observed` tells which hosts are in which pool now, so that members keep their
/// seats; `previous` is the last result, of which equal hosts are shared, and which gave seats to
/// hosts that are not observed in them yet. The order of `observed` does not matter.
pub fn desired(
    fleet: &Arc<Fleet>,
    files: &Arc<Files>,
    complete: bool,
    observed: &[Arc<BareMetalHost>],
    previous: Option<&Desired>,
) -> Desired {
    let placement = place(fleet, &seats(fleet, observed, previous));
    let key = |name: &Arc<str>| Key::new(Arc::clone(&fleet.namespace), Arc::clone(name));
    let mut held: BTreeSet<Key> = fleet.held.iter().map(|held| key(&held.name)).collect();
    let mut unmoved = Unmoved::of(fleet, previous);
    let mut sharing = Sharing::new(observed);
    let mut hosts = Vec::with_capacity(fleet.hosts.len());
    for host in &fleet.hosts {
        let key = key(&host.name);
        let pool = placement.pool_of(&host.name);
        let known = previous.and_then(|previous| previous.hosts.get(&key));
        let same = known.filter(|known| unmoved.has(host) && known.pool.as_ref() == pool);
        if let Some(same) = same {
            hosts.push((key, Arc::clone(same)));
            continue;
        }
        match wanted(fleet, host, pool, known) {
            Some(mut wanted) => {
                if known.is_none_or(|known| !Arc::ptr_eq(known, &wanted)) {
                    sharing.share(&key, &mut wanted);
                }
                hosts.push((key, wanted));
            }
            // It stays as it is, as any host with an error does.
            None => {
                held.insert(key);
            }
        }
    }
    let hosts = hosts.into_iter().collect();
    let rollouts = fleet
        .pools
        .iter()
        .map(|pool| (Arc::clone(&pool.name), pool.rollout.into()));
    Desired {
        fleet: Arc::clone(&fleet.name),
        namespace: Arc::clone(&fleet.namespace),
        digest: fleet.digest(),
        hosts,
        held,
        pools: rollouts.collect(),
        short: placement.short,
        leaving: placement
            .leaving
            .into_iter()
            .map(|(host, pool)| (key(&host), pool))
            .collect(),
        complete,
        set: None,
        sites: Sites::new(Arc::clone(fleet), Arc::clone(files)),
    }
}

/// True for a host of the fleet of this name in this namespace. One of the same name in another
/// namespace is another fleet: a controller of a whole cluster sees the hosts of both.
pub fn is_of(fleet: &str, namespace: &str, host: &BareMetalHost) -> bool {
    host.annotation(annotation::FLEET) == Some(fleet)
        && host.metadata.namespace.as_deref() == Some(namespace)
}

/// Who has a seat in a pool of this fleet now, or was given one by the last result and is on the
/// way. A host that is being deleted has given up the seat that it is seen in.
fn seats(fleet: &Fleet, observed: &[Arc<BareMetalHost>], previous: Option<&Desired>) -> Seats {
    let mut seats = Seats::new();
    if fleet.pools.is_empty() {
        return seats;
    }
    let mut sit = |pool: Arc<str>, host: Arc<str>, seat: Seat| {
        seats.entry(pool).or_default().entry(host).or_insert(seat);
    };
    let ours = |host: &&Arc<BareMetalHost>| is_of(&fleet.name, &fleet.namespace, host);
    for host in observed.iter().filter(ours) {
        if let Some(pool) = pool_of(host) {
            let seat = Seat {
                rack: host.annotation(annotation::RACK).map(Arc::from),
                running: is_running(host),
            };
            sit(pool.into(), host.key().name, seat);
        }
    }
    let given = previous.filter(|previous| previous.fleet == fleet.name);
    for (key, wanted) in given.iter().flat_map(|given| &given.hosts) {
        if let Some(pool) = &wanted.pool
            && key.namespace == fleet.namespace
        {
            let seat = Seat {
                rack: wanted.rack.clone(),
                running: false,
            };
            sit(Arc::clone(pool), Arc::clone(&key.name), seat);
        }
    }
    seats
}

/// The pool that a host has a seat in.
fn pool_of(host: &BareMetalHost) -> Option<&str> {
    let staying = host.metadata.deletion_timestamp.is_none();
    host.annotation(annotation::POOL).filter(|_| staying)
}

/// True when the host does not leave its pool without a person's word.
fn is_running(host: &BareMetalHost) -> bool {
    matches!(
        host.state(),
        ProvisioningState::Provisioned | ProvisioningState::ExternallyProvisioned
    )
}

/// One host lowered; `None` where its fields do not make a host, which the schema rules out.
fn wanted(
    fleet: &Fleet,
    host: &Host,
    pool: Option<&Arc<str>>,
    known: Option<&Arc<Wanted>>,
) -> Option<Arc<Wanted>> {
    let deployment = host.deployment(fleet, pool.is_some());
    let digest = deployment.digest;
    let protected = pool
        .and_then(|pool| fleet.pool(pool))
        .is_some_and(|pool| pool.prevent_destroy);
    let prevent_destroy = host.prevent_destroy() || protected;
    // A fleet with one Ironic needs no mark: all hosts are its own, whatever it is called.
    let ironic = (fleet.ironics.len() > 1)
        .then(|| host.fields.text("driven-by"))
        .flatten()
        .map(|name| &**name);
    if let Some(known) = known
        && known.digest == digest
        && known.pool.as_ref() == pool
        && known.rack == host.rack
        && known.prevent_destroy == prevent_destroy
        && known.ironic.as_deref() == ironic
    {
        return Some(Arc::clone(known));
    }
    let lowered = lower::lower(host, &deployment).ok()?;
    Some(Arc::new(Wanted {
        spec: lowered.spec,
        labels: lowered.labels.into_iter().collect(),
        annotations: lowered.annotations.into_iter().collect(),
        digest,
        pool: pool.cloned(),
        rack: host.rack.clone(),
        ironic: ironic.map(Arc::from),
        prevent_destroy,
    }))
}

impl Wanted {
    /// Our own annotations that say more than a digest and are compared: name, what a plan calls
    /// it, value.
    pub(crate) fn marks(&self) -> [(&'static str, &'static str, Option<&str>); 4] {
        let prevent = self.prevent_destroy.then_some("true");
        [
            (annotation::POOL, "pool", self.pool.as_deref()),
            (annotation::RACK, "rack", self.rack.as_deref()),
            (annotation::IRONIC, "ironic", self.ironic.as_deref()),
            (annotation::PREVENT_DESTROY, "prevent-destroy", prevent),
        ]
    }
}

impl Desired {
    /// True for a host of this fleet, whether it is still wanted or not.
    pub fn owns(&self, host: &BareMetalHost) -> bool {
        is_of(&self.fleet, &self.namespace, host)
    }

    /// True when a host that was to leave its pool has left by now: lowering the fleet again gives
    /// its seat to another one.
    pub fn has_free_seat(&self, host: impl Fn(&Key) -> Option<Arc<BareMetalHost>>) -> bool {
        self.leaving.iter().any(|(key, pool)| {
            let stays =
                |host: Arc<BareMetalHost>| pool_of(&host) == Some(&**pool) && is_running(&host);
            !host(key).is_some_and(stays)
        })
    }

    /// The same fleet lowered again, as hosts have other seats by now. `None` for a value that was
    /// not made by [`desired`].
    #[must_use]
    pub fn again(&self, observed: &[Arc<BareMetalHost>]) -> Option<Self> {
        self.lowered(observed, Some(self))
    }

    /// The same fleet lowered as if for the first time: seats are those that hosts have by now.
    #[must_use]
    pub fn anew(&self, observed: &[Arc<BareMetalHost>]) -> Option<Self> {
        self.lowered(observed, None)
    }

    fn lowered(&self, observed: &[Arc<BareMetalHost>], previous: Option<&Self>) -> Option<Self> {
        let (fleet, files) = self.sites.parts()?;
        let again = desired(fleet, files, self.complete, observed, previous);
        Some(match &self.set {
            Some(id) => again.in_set(id),
            None => again,
        })
    }

    /// The same with all hosts as members of a set, by its id.
    #[must_use]
    pub fn in_set(mut self, id: &str) -> Self {
        for wanted in self.hosts.values_mut() {
            if wanted.labels.get(applyset::PART_OF) != Some(id) {
                Arc::make_mut(wanted).labels.insert(applyset::PART_OF, id);
            }
        }
        self.set = Some(id.into());
        self
    }

    /// The same, sharing its specs with the hosts that have them by now: for one that was applied
    /// and stays.
    #[must_use]
    pub fn shared(&self, observed: &[Arc<BareMetalHost>]) -> Self {
        let mut shared = self.clone();
        let mut sharing = Sharing::new(observed);
        for (key, wanted) in &mut shared.hosts {
            sharing.share(key, wanted);
        }
        shared
    }

    /// The object to apply: exactly the fields that the spec owns.
    pub fn object(&self, key: &Key, wanted: &Wanted) -> Value {
        let mut annotations = wanted.annotations.clone();
        let mut own = |name: &str, value: &str| {
            annotations.insert(name, value);
        };
        own(annotation::FLEET, &self.fleet);
        own(annotation::SPEC_DIGEST, &wanted.digest.to_string());
        if let Some(origin) = self.sites.origin(&key.name) {
            own(annotation::ORIGIN, &origin);
        }
        for (name, _, value) in wanted.marks() {
            if let Some(value) = value {
                own(name, value);
            }
        }
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
            "spec": spec_value(&wanted.spec),
        })
    }
}

/// A spec as JSON.
pub(crate) fn spec_value(spec: &BareMetalHostSpec) -> Value {
    serde_json::to_value(spec).expect("a spec has text for keys, which is all that JSON asks for")
}
