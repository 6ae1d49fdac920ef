//! Secrets of a Kubernetes cluster.
//!
//! Whoever has a turn says which Secrets its host names ([`Secrets::prepare`]); each is read once
//! and kept until it changes. Changes come from a watch of metadata alone, of the Secrets that
//! carry the label `environment.metal3.io=baremetal`, which the first use puts on. Secrets that are
//! not there are looked for every few seconds, for they have no label yet.
//!
//! What a Secret is claimed with (the Bare Metal Operator's own marks, so that either operator
//! finds what the other left):
//!
//! | mark | on | goes |
//! |---|---|---|
//! | label `environment.metal3.io=baremetal` | all that a host names | never |
//! | finalizer `baremetalhost.metal3.io/secret` | BMC credentials, the ramdisk's network data | with the last host that names it |
//! | owner reference to the host | BMC credentials that one host alone names | when another host names them too, or this one others |
//!
//! The other operator gives a shared Secret one owner reference a host: with 3,000 hosts on one
//! Secret each write grows with the fleet, and none of them got past registering in ten minutes.
//! With one that names some hosts only, the Secret would go with the last of those. What that
//! operator left on a Secret that several hosts name goes with the first host that leaves it, all at
//! once; the finalizer keeps the Secret for the others.
//!
//! A Secret that no host holds any more is forgotten within seconds, and so are its contents.
//!
//! The version of credentials in a status is the Secret's `resourceVersion`, as that operator
//! writes it. A change of a Secret that leaves its contents as they are (a label, another host's
//! claim) leaves the version that this process tells, so that nothing is sent to an Ironic for it.

mod changes;
mod claim;
mod flight;
mod object;
mod put;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::BoxStream;
use tokio::time::Instant;

use crate::api::BareMetalHost;
use crate::store::kube::Cluster;
use crate::store::{Key, Kube, Object as _, Patch, Store, StoreError};

use self::claim::Claim;
use self::flight::{Flights, Turn};
use self::object::Stored;
pub use self::put::{Put, is_there, put};
use super::{IsHeld, Others, Secret, SecretError, Secrets, Use, named};

/// How long a Secret that is not there is believed not to be.
const ABSENT: Duration = Duration::from_secs(5);
/// How often a claim is tried again after somebody else changed the Secret meanwhile.
const ATTEMPTS: usize = 5;

/// The Secrets of a cluster. Cheap to clone.
#[derive(Clone)]
pub struct ClusterSecrets {
    store: Kube,
    cluster: Cluster,
    known: Arc<Mutex<HashMap<Key, Known>>>,
    flights: Arc<Flights>,
    /// Those that were missing and were found since, which nobody was told of yet.
    found: Arc<Mutex<BTreeSet<Key>>>,
    /// Nothing is claimed.
    only_reads: bool,
}

impl fmt::Debug for ClusterSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterSecrets").finish_non_exhaustive()
    }
}

/// What is known of one Secret.
#[derive(Clone)]
enum Known {
    Is(Held),
    Absent(Instant),
}

/// A Secret that was read.
#[derive(Clone)]
struct Held {
    secret: Secret,
    /// Its metadata as it was then.
    object: Arc<Stored>,
    /// It changed since: read it again before anything is decided on it.
    stale: bool,
}

impl ClusterSecrets {
    /// The Secrets of this cluster, read and claimed by this store's field manager.
    pub fn new(cluster: Cluster, store: Kube) -> Self {
        Self {
            store,
            cluster,
            known: Arc::default(),
            flights: Arc::default(),
            found: Arc::default(),
            only_reads: false,
        }
    }

    /// The same, without a claim on any.
    #[must_use]
    pub fn only_reading(self) -> Self {
        Self {
            only_reads: true,
            ..self
        }
    }

    /// One Secret as it is now; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn look_up(&self, key: &Key) -> Result<Option<Secret>, StoreError> {
        let turn = self.flights.turn(key).await;
        Ok(match self.fetch(&turn).await? {
            Known::Is(held) => Some(held.secret),
            Known::Absent(_) => None,
        })
    }

    /// Secrets that the host names and that lack a mark, as far as they were read.
    pub fn unmarked(&self, host: &BareMetalHost) -> Vec<String> {
        let namespace = host.key().namespace;
        let lacks = |name: &str, of: Use| {
            let key = Key::new(Arc::clone(&namespace), name);
            match self.current(&key) {
                Some(Known::Is(held)) => Claim::lacks(&held.object.metadata, host, of),
                Some(Known::Absent(_)) | None => false,
            }
        };
        let all = named(host).into_iter();
        all.filter(|(name, of)| lacks(name, *of))
            .map(|(name, _)| name.to_owned())
            .collect()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Key, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn found(&self) -> MutexGuard<'_, BTreeSet<Key>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known and may be used; `None` has to be read.
    fn current(&self, key: &Key) -> Option<Known> {
        match self.known().get(key)? {
            Known::Is(held) if held.stale => None,
            Known::Absent(since) if since.elapsed() >= ABSENT => None,
            known => Some(known.clone()),
        }
    }

    /// Reads a Secret. Contents that are as before keep their version.
    async fn fetch(&self, turn: &Turn<'_>) -> Result<Known, StoreError> {
        let key = turn.key();
        turn.asks();
        let known = match self.store.read_now::<Stored>(key).await {
            Ok(object) => self.held(key, object),
            Err(StoreError::NotFound { .. }) => Known::Absent(Instant::now()),
            Err(error) => return Err(error),
        };
        Ok(self.takes(turn, known))
    }

    /// Takes what an answer told; the watch may have told of a newer version since.
    fn takes(&self, turn: &Turn<'_>, mut known: Known) -> Known {
        if let Known::Is(held) = &mut known {
            held.stale = turn.is_older(held.object.version());
        }
        let key = turn.key();
        let before = self.known().insert(key.clone(), known.clone());
        if let (Some(Known::Absent(_)), Known::Is(_)) = (before, &known) {
            self.found().insert(key.clone());
        }
        known
    }

    fn held(&self, key: &Key, object: Arc<Stored>) -> Known {
        let contents = object.contents();
        let version = match self.known().get(key) {
            Some(Known::Is(before)) if *before.secret.data == contents => {
                before.secret.version.clone()
            }
            _ => object.metadata.resource_version.clone(),
        };
        Known::Is(Held {
            secret: Secret {
                data: Arc::new(contents),
                from: format!("Secret {key}").into(),
                version,
            },
            object,
            stale: false,
        })
    }

    /// Makes sure that one Secret is read, and claimed by a host that stays.
    async fn prepare_one(
        &self,
        key: &Key,
        host: &BareMetalHost,
        of: Use,
        others: Others<'_>,
    ) -> Result<(), StoreError> {
        let goes = self.only_reads || host.metadata.deletion_timestamp.is_some();
        let turn = self.flights.turn(key).await;
        let mut first = false;
        for _ in 0..ATTEMPTS {
            let known = match self.current(key) {
                Some(known) => known,
                None => {
                    first |= !matches!(self.known().get(key), Some(Known::Is(_)));
                    self.fetch(&turn).await?
                }
            };
            let Known::Is(held) = known else {
                return Ok(());
            };
            if goes {
                return Ok(());
            }
            let owners = &held.object.metadata;
            let Some(patch) =
                Claim::of(owners, host, of, |most| others(&key.name, most)).patch(owners)
            else {
                return Ok(());
            };
            turn.asks();
            let store = Store::<Stored>::patch(&self.store, key, Patch::Merge(patch), None);
            match store.await {
                Ok(object) => {
                    // Nobody has noted the version of before, so the one after the claim may count.
                    if first {
                        self.known().remove(key);
                    }
                    self.takes(&turn, self.held(key, object));
                    return Ok(());
                }
                Err(StoreError::Conflict { .. } | StoreError::NotFound { .. }) => {
                    self.turned_stale(key);
                }
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Backend(format!(
            "cannot claim Secret {key}: somebody changes it again and again; its managedFields say who"
        )))
    }

    fn turned_stale(&self, key: &Key) {
        match self.known().get_mut(key) {
            Some(Known::Is(held)) => held.stale = true,
            Some(known @ Known::Absent(_)) => *known = Known::Absent(Instant::now() - ABSENT),
            None => {}
        }
    }
}

impl Secrets for ClusterSecrets {
    fn read(&self, namespace: &str, name: &str) -> Result<Secret, SecretError> {
        let key = Key::new(namespace, name);
        match self.known().get(&key) {
            Some(Known::Is(held)) => Ok(held.secret.clone()),
            Some(Known::Absent(_)) | None => Err(SecretError::Missing {
                name: name.to_owned(),
                tried: format!("Secret {key}"),
            }),
        }
    }

    fn is_ready(&self, host: &BareMetalHost) -> bool {
        let goes = self.only_reads || host.metadata.deletion_timestamp.is_some();
        let key = host.key();
        named(host).into_iter().all(|(name, of)| {
            let key = Key::new(Arc::clone(&key.namespace), name);
            match self.current(&key) {
                Some(Known::Is(held)) => goes || !Claim::lacks(&held.object.metadata, host, of),
                Some(Known::Absent(_)) => true,
                None => false,
            }
        })
    }

    fn prepare<'a>(
        &'a self,
        host: &'a BareMetalHost,
        others: Others<'a>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let namespace = host.key().namespace;
            for (name, of) in named(host) {
                let key = Key::new(Arc::clone(&namespace), name);
                self.prepare_one(&key, host, of, others).await?;
            }
            Ok(())
        }
        .boxed()
    }

    fn release<'a>(
        &'a self,
        host: &'a BareMetalHost,
        name: &'a str,
        others: Others<'a>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let key = Key::new(host.key().namespace, name);
            let turn = self.flights.turn(&key).await;
            for _ in 0..ATTEMPTS {
                let known = match self.current(&key) {
                    Some(known) => known,
                    None => self.fetch(&turn).await?,
                };
                let Known::Is(held) = known else {
                    return Ok(());
                };
                let meta = &held.object.metadata;
                let claim = Claim::without(meta, host, |most| others(name, most));
                let Some(patch) = claim.patch(meta) else {
                    return Ok(());
                };
                let store = Store::<Stored>::patch(&self.store, &key, Patch::Merge(patch), None);
                match store.await {
                    Ok(_) => {
                        self.turned_stale(&key);
                        return Ok(());
                    }
                    Err(StoreError::NotFound { .. }) => return Ok(()),
                    Err(StoreError::Conflict { .. }) => self.turned_stale(&key),
                    Err(error) => return Err(error),
                }
            }
            Err(StoreError::Backend(format!(
                "cannot release Secret {key}: somebody changes it again and again"
            )))
        }
        .boxed()
    }

    fn changes(&self, is_held: IsHeld) -> BoxStream<'static, Key> {
        changes::changes(self, is_held)
    }
}

/// For [`Held::secret`]: what is in a Secret, by key.
type Contents = BTreeMap<String, super::Sealed>;
