//! A Kubernetes API server as the store.
//!
//! ```text
//!             ┌── watch (kube-runtime) ──► shard: objects + latest changes ──► get, list, snapshot, watch
//!  API server ┤                             ▲
//!             └◄─ create, apply, patch, ────┘ the answer: ahead of the watch until that tells it
//!                 status, delete
//! ```
//!
//! Each kind is watched from the first time that somebody asks for it, all namespaces at once or
//! the given ones one by one (a shard each, for versions of one watch are in order and those of two
//! are not). Reads come from memory. What a write answered is shown at once and replaced when the
//! watch tells of it; [`Store::snapshot`] waits for that, so that a snapshot and what is watched
//! from it fit together. Kinds that are written and never read ([`Object::CACHED`] is false:
//! events, inventories) are not watched.
//!
//! What differs from the embedded store:
//! - `get` and `list` find nothing before the first list of their kind has come: begin with
//!   [`Store::snapshot`], which waits for it.
//! - `update_status` is up to three requests, for `/status` takes no metadata: what metadata gains
//!   goes first (a finalizer is there before what it guards), then the status, then what metadata
//!   loses (a request in an annotation is there until the status says that it was taken). After a
//!   conflict in between, or a crash, the host is decided on anew from what was written.
//! - a write that gets no answer may have been done; so may one whose future is dropped.
//! - an object that does not fit our types and was never read is there and not known. While there is
//!   one, a first [`Store::snapshot`] of its kind waits and every later one fails: whoever plans on
//!   all objects would take it for missing, make it, and write over it. One that was read before
//!   stays as it was. A kind with a gap helps nobody: Secrets, slots and plans count all hosts.
//! - with several namespaces a watch always begins with all objects: what one namespace told after
//!   the version of another would be missed otherwise.
//! - versions are the server's resource versions, which are comparable numbers within a kind on
//!   etcd (KEP-5504).
//!
//! Nothing is repeated here: a 429 is [`StoreError::Busy`] with the server's `Retry-After`, a
//! server that is away [`StoreError::Backend`], and who decided decides again.

mod connect;
mod delta;
mod follow;
mod list;
mod patience;
mod recent;
mod request;
#[cfg(test)]
mod script;
mod shard;
mod told;
mod transport;
mod trouble;
mod union;
mod write;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{BoxStream, StreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::fence::Fence;

use super::{
    Change, Deleted, Key, Object, Patch, Result, Snapshot, Store, StoreError, Version, log,
};

pub use connect::{Cluster, ConnectError};
pub(crate) use follow::Waits;
use shard::Shard;
pub(crate) use trouble::Report;
pub use trouble::{Of, Part, Trouble};

/// Changes of a kind that are kept for those who watch.
const WINDOW: usize = 4096;
/// Requests under way at once, beside the watches. A server takes no more of one account at once anyway
/// (priority and fairness), and with [`ASIDES`] they are fewer than a connection's hundred streams.
const REQUESTS: usize = 48;
/// Requests at once about what may go with the process (events): apart, so that neither they nor what
/// decisions wait for queue behind the other.
const ASIDES: usize = 16;
/// How long a snapshot waits for the watch to tell of writes that were answered.
const CAUGHT_UP: Duration = Duration::from_secs(30);

/// The store. Cheap to clone; all clones share what they watch.
#[derive(Clone)]
pub struct Kube {
    shared: Arc<Shared>,
    manager: Arc<str>,
    fence: Fence,
    /// Writes are asked and not done.
    dry: bool,
}

struct Shared {
    client: kube::Client,
    watches: kube::Client,
    /// For errors: the server's address.
    server: Arc<str>,
    /// Empty: all.
    namespaces: Vec<Arc<str>>,
    /// By kind, what is watched of it.
    kinds: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
    /// The watches; they end with the store.
    tasks: Mutex<JoinSet<()>>,
    trouble: tokio::sync::watch::Sender<Trouble>,
    requests: tokio::sync::Semaphore,
    asides: tokio::sync::Semaphore,
    window: usize,
}

/// What is watched of one kind.
type Shards<K> = Vec<Arc<Shard<K>>>;

impl fmt::Debug for Kube {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kube")
            .field("server", &self.shared.server)
            .field("manager", &self.manager)
            .finish_non_exhaustive()
    }
}

impl Kube {
    /// A store on this cluster. Fields that it writes, but for those of an apply, belong to
    /// `manager`. Nothing is asked of the server before somebody reads or writes.
    ///
    /// Call it within a tokio runtime: watches run there.
    pub fn new(cluster: &Cluster, manager: impl Into<Arc<str>>) -> Self {
        Self::with_window(cluster, manager, WINDOW)
    }

    /// The same with so many changes of a kind kept for those who watch; one who falls behind
    /// further is told all.
    pub fn with_window(cluster: &Cluster, manager: impl Into<Arc<str>>, window: usize) -> Self {
        let shared = Shared {
            client: cluster.client(),
            watches: cluster.watches(),
            server: cluster.server().into(),
            namespaces: cluster.namespaces().to_vec(),
            kinds: Mutex::default(),
            tasks: Mutex::default(),
            trouble: tokio::sync::watch::Sender::default(),
            requests: tokio::sync::Semaphore::new(REQUESTS),
            asides: tokio::sync::Semaphore::new(ASIDES),
            window,
        };
        Self {
            shared: Arc::new(shared),
            manager: manager.into(),
            fence: Fence::none(),
            dry: false,
        }
    }

    /// The same store for another field manager.
    #[must_use]
    pub fn by(&self, manager: impl Into<Arc<str>>) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            manager: manager.into(),
            fence: self.fence.clone(),
            dry: self.dry,
        }
    }

    /// The same store, whose writes are refused while the fence is closed.
    #[must_use]
    pub fn behind(&self, fence: Fence) -> Self {
        Self {
            fence,
            ..self.clone()
        }
    }

    /// The same store, whose writes are only tried: the server judges each as it would for good
    /// (`dryRun=All`) and answers what would come of it, and nothing changes. Reads show none of it.
    /// A write that is several requests ([`Store::update_status`]) is judged as if each stood alone.
    #[must_use]
    pub fn dry_run(&self) -> Self {
        Self {
            dry: true,
            ..self.clone()
        }
    }

    /// Why what is read may be old or not all, as it changes.
    pub fn trouble(&self) -> tokio::sync::watch::Receiver<Trouble> {
        self.shared.trouble.subscribe()
    }

    /// Where a watch of a kind tells how it is.
    pub(crate) fn report<K: Object>(&self, namespace: Option<Arc<str>>) -> Report {
        let (server, trouble) = (&self.shared.server, &self.shared.trouble);
        Report::new::<K>(Arc::clone(server), namespace, trouble.clone())
    }

    /// The shards of a kind; it is watched from now on.
    fn shards<K: Object>(&self) -> Arc<Shards<K>> {
        let mut kinds = self
            .shared
            .kinds
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = kinds.get(&TypeId::of::<K>()).cloned();
        if let Some(shards) = known.and_then(|any| any.downcast::<Shards<K>>().ok()) {
            return shards;
        }
        let scopes: Vec<Option<Arc<str>>> = match self.shared.namespaces.as_slice() {
            [] => vec![None],
            some => some.iter().cloned().map(Some).collect(),
        };
        let mut tasks = self
            .shared
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let shards: Shards<K> = scopes
            .into_iter()
            .map(|namespace| {
                let shard = Arc::new(Shard::new(namespace.clone(), self.shared.window));
                if K::CACHED {
                    tasks.spawn(follow::follow(
                        self.shared.watches.clone(),
                        Arc::clone(&self.shared.server),
                        Arc::clone(&shard),
                        self.report::<K>(namespace),
                    ));
                } else {
                    shard.is_not_watched();
                }
                shard
            })
            .collect();
        let shards = Arc::new(shards);
        kinds.insert(TypeId::of::<K>(), Arc::clone(&shards) as _);
        shards
    }

    /// The shard that a key belongs to; `None` outside of the namespaces of this store.
    fn shard<K: Object>(&self, key: &Key) -> Option<Arc<Shard<K>>> {
        let shards = self.shards::<K>();
        shards.iter().find(|shard| shard.holds(key)).cloned()
    }

    async fn caught_up<K: Object>(&self) -> Result<()> {
        for shard in self.shards::<K>().iter() {
            shard.synced().await;
            let caught_up = tokio::time::timeout(CAUGHT_UP, shard.caught_up());
            caught_up.await.map_err(|_| {
                StoreError::Backend(format!(
                    "{} took a write of {} and its watch did not tell of it in {} s",
                    self.shared.server,
                    K::PLURAL,
                    CAUGHT_UP.as_secs()
                ))
            })?;
            if let Some(text) = shard.unreadable() {
                return Err(StoreError::Backend(text));
            }
        }
        Ok(())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let tasks = self.tasks.get_mut();
        tasks.unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

impl<K: Object> Store<K> for Kube {
    fn snapshot(&self) -> BoxFuture<'_, Result<Snapshot<K>>> {
        async move {
            self.caught_up::<K>().await?;
            Ok(union::all(&self.shards::<K>()))
        }
        .boxed()
    }

    fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.shard::<K>(key)?.get(key)
    }

    fn read<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Arc<K>>> {
        self.read_now(key).boxed()
    }

    fn collects_garbage(&self) -> bool {
        true
    }

    fn list(&self) -> Vec<Arc<K>> {
        let mut all: Vec<Arc<K>> = Vec::new();
        for shard in self.shards::<K>().iter() {
            all.extend(shard.list());
        }
        all.sort_by_key(|object| object.key());
        all
    }

    fn watch(&self, from: Version) -> BoxStream<'static, Change<K>> {
        let shards = self.shards::<K>();
        let changes: BoxStream<'static, Change<K>> = match shards.as_slice() {
            [only] => log::watch(Arc::clone(only), from),
            _ => union::watch_all(shards),
        };
        // The watch goes on as long as somebody looks.
        let shared = Arc::clone(&self.shared);
        changes
            .inspect(move |_| {
                let _alive = &shared;
            })
            .boxed()
    }

    fn create(&self, object: K) -> BoxFuture<'_, Result<Arc<K>>> {
        self.do_create(object).boxed()
    }

    fn apply<'a>(
        &'a self,
        key: &'a Key,
        wanted: Value,
        owner: &'a str,
        force: bool,
    ) -> BoxFuture<'a, Result<Arc<K>>> {
        self.do_apply(key, wanted, owner, force).boxed()
    }

    fn patch<'a>(
        &'a self,
        key: &'a Key,
        patch: Patch,
        expected: Option<Version>,
    ) -> BoxFuture<'a, Result<Arc<K>>> {
        self.do_patch(key, patch, expected).boxed()
    }

    fn update_status(&self, object: K, expected: Version) -> BoxFuture<'_, Result<Arc<K>>> {
        self.do_update_status(object, expected).boxed()
    }

    fn delete<'a>(
        &'a self,
        key: &'a Key,
        expected: Option<Version>,
    ) -> BoxFuture<'a, Result<Deleted>> {
        self.do_delete::<K>(key, expected).boxed()
    }

    fn managed_fields<'a>(
        &'a self,
        key: &'a Key,
    ) -> BoxFuture<'a, Result<Vec<ManagedFieldsEntry>>> {
        self.owners::<K>(key).boxed()
    }
}
