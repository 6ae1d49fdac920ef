//! Where objects live: `trait Store`, and what every backend of it keeps to.
//!
//! A store keeps Kubernetes objects (see [`Object`]) and hands them out as shared, immutable values
//! with a [`Version`] that grows with every change. The embedded backend ([`embedded`]) keeps them
//! in memory and makes them durable on disk; the other one ([`kube`]) is a Kubernetes API server.
//! Both pass the [`conformance`] suite, which is written against the trait.
//!
//! Semantics, as a real API server has them:
//! - a write that changes nothing costs no version and no event;
//! - `metadata.generation` grows when the spec changes, never by status;
//! - an object with finalizers is not removed by `delete` but gets `deletionTimestamp`; it goes
//!   with its last finalizer;
//! - `apply` owns the fields that it sets, removes what it set before and sets no more, and leaves
//!   all other fields (annotations that a user added, say) as they are;
//! - who owns which field is kept as `managedFields` has it, but not in the objects, of which it
//!   would be a large part: objects from a store have no `managedFields`, and
//!   [`Store::managed_fields`] tells them.

mod apply;
pub mod conformance;
mod disk;
pub mod embedded;
mod fields;
mod kinds;
pub mod kube;
mod lock;
mod log;
mod managed;
mod record;
mod rows;
mod table;

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::Metadata;

pub use embedded::{Embedded, OpenError, Options};
pub use kube::Kube;
pub use lock::Holder;
pub(crate) use lock::{Lock, NoLock};

/// Namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

impl Key {
    /// A key from its parts.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

/// A search among ten thousand compares fourteen keys, nearly always of one namespace.
impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.namespace, &other.namespace) {
            return self.name.cmp(&other.name);
        }
        let namespaces = self.namespace.cmp(&other.namespace);
        namespaces.then_with(|| self.name.cmp(&other.name))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A point in a store's history. Opaque but ordered within one store; `resourceVersion` on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Version(pub u64);

/// A kind of object that a store keeps.
pub trait Object:
    Clone + Send + Sync + Serialize + DeserializeOwned + fmt::Debug + 'static
{
    /// API group, empty for the core group.
    const GROUP: &'static str;
    /// Version of the API.
    const VERSION: &'static str;
    /// Kind.
    const KIND: &'static str;
    /// Plural, lower case, as in URLs.
    const PLURAL: &'static str;
    /// True when `/status` is a subresource.
    const HAS_STATUS: bool;
    /// Direct children of `status` that are large and seldom change (an inventory, say). The
    /// embedded store writes them only when they do. Adding a name is a change of the format on
    /// disk only for objects written from then on; removing one is not allowed.
    const LARGE_STATUS: &'static [&'static str] = &[];
    /// Maps that are owned and replaced whole (`x-kubernetes-map-type: atomic`), as dotted paths.
    /// All other maps are merged field by field.
    const ATOMIC: &'static [&'static str] = &[];
    /// Lists that are merged by keys of their items (`x-kubernetes-list-map-keys`), as dotted
    /// paths. All other lists are owned and replaced whole, but `metadata.finalizers` and
    /// `metadata.ownerReferences`, which every kind has.
    const KEYED: &'static [(&'static str, &'static [&'static str])] = &[];
    /// How long objects of this kind are kept; `None` is for ever.
    const RETENTION: Option<Retention> = None;
    /// False for what may go with the process: the embedded store then keeps it in memory only.
    const DURABLE: bool = true;
    /// False for what is written and never read here: a store on a server does not keep a copy of
    /// it, and its `get` and `list` find nothing.
    const CACHED: bool = true;
    /// Metadata.
    fn meta(&self) -> &Metadata;
    /// Metadata, to change.
    fn meta_mut(&mut self) -> &mut Metadata;

    /// The key; objects without a name do not get into a store.
    fn key(&self) -> Key {
        let meta = self.meta();
        Key {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
        }
    }

    /// True when the children that [`Object::LARGE_STATUS`] names are surely equal, told without
    /// looking at all of them; false says nothing.
    fn shares_large_status(&self, _other: &Self) -> bool {
        false
    }

    /// Makes it as small as it can be: it stays in memory with thousands of others.
    fn compact(&mut self) {}

    /// The version that `resourceVersion` tells.
    fn version(&self) -> Version {
        let text = self.meta().resource_version.as_deref().unwrap_or_default();
        Version(text.parse().unwrap_or_default())
    }

    /// What the object is about, for [`Retention::each`].
    fn about(&self) -> Option<String> {
        None
    }

    /// True when all but metadata and status is equal.
    ///
    /// This and the next three take the way over JSON unless a kind that is written often has
    /// something better.
    fn same_spec(&self, other: &Self) -> bool {
        rows::without_meta_and_status(self) == rows::without_meta_and_status(other)
    }

    /// Takes all but metadata and status from `other`.
    fn set_spec(&mut self, other: &Self) {
        rows::take(self, other, rows::Part::Spec);
    }

    /// True when the status is equal.
    fn same_status(&self, other: &Self) -> bool {
        !Self::HAS_STATUS || rows::status_of(self) == rows::status_of(other)
    }

    /// Takes the status from `other`, or loses it.
    fn set_status(&mut self, other: Option<&Self>) {
        if Self::HAS_STATUS {
            match other {
                Some(other) => rows::take(self, other, rows::Part::Status),
                None => rows::drop_status(self),
            }
        }
    }
}

/// How long objects are kept that are not kept for ever. The oldest written go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// At most this many about one thing, see [`Object::about`].
    pub each: usize,
    /// At most this many in all.
    pub total: usize,
    /// None older than this (since last written), looked at when one is written and at opening.
    pub age: Duration,
}

/// All objects of a kind at one version.
#[derive(Debug, Clone)]
pub struct Snapshot<K> {
    /// In order of key.
    pub objects: Vec<Arc<K>>,
    /// To watch from.
    pub version: Version,
}

/// One change.
#[derive(Debug, Clone)]
pub enum Change<K> {
    /// Came or changed.
    Applied(Arc<K>),
    /// Went; its last state.
    Deleted(Arc<K>),
    /// The stream lost its place (too old a version, a dropped connection): all objects anew;
    /// what is not among them is gone.
    Reset(Snapshot<K>),
}

/// How to change an object.
#[derive(Debug, Clone)]
pub enum Patch {
    /// RFC 7396.
    Merge(Value),
    /// RFC 6902.
    Json(json_patch::Patch),
}

/// What came of a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// Gone.
    Gone,
    /// Marked; goes with its last finalizer.
    Marked,
}

/// Why a store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The object changed since it was read: read again and decide again.
    #[error("{kind} {key} changed since it was read (version {expected}, now {found})", expected = expected.0, found = found.0)]
    Conflict {
        /// Kind.
        kind: &'static str,
        /// Object.
        key: Key,
        /// The caller's version.
        expected: Version,
        /// The store's.
        found: Version,
    },
    /// Another owner holds fields that an apply without force wants to set.
    #[error("{kind} {key}: {fields} held by {owner}")]
    Owned {
        /// Kind.
        kind: &'static str,
        /// Object.
        key: Key,
        /// The fields, as dotted paths.
        fields: String,
        /// Who holds them.
        owner: String,
    },
    /// No such object.
    #[error("{kind} {key} not found")]
    NotFound {
        /// Kind.
        kind: &'static str,
        /// Object.
        key: Key,
    },
    /// There is one already.
    #[error("{kind} {key} already exists")]
    Exists {
        /// Kind.
        kind: &'static str,
        /// Object.
        key: Key,
    },
    /// The object is not valid.
    #[error("{kind} {key} is not valid: {reason}")]
    Invalid {
        /// Kind.
        kind: &'static str,
        /// Object.
        key: Key,
        /// What is wrong.
        reason: String,
    },
    /// Overloaded: ask again after this long.
    #[error("the store is busy; asking again in {} ms", .0.as_millis())]
    Busy(Duration),
    /// The backend failed; the text says what was tried and what to do.
    #[error("{0}")]
    Backend(String),
}

impl StoreError {
    /// A stable label for metrics and the wire.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "Conflict",
            Self::Owned { .. } => "FieldOwned",
            Self::NotFound { .. } => "NotFound",
            Self::Exists { .. } => "AlreadyExists",
            Self::Invalid { .. } => "Invalid",
            Self::Busy(_) => "TooManyRequests",
            Self::Backend(_) => "InternalError",
        }
    }
}

/// A result of a store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Where objects of one kind live. One value of a backend implements this for every kind.
///
/// Acknowledged means durable: a future of a write is ready only when the write would survive the
/// end of the process. From then on `get`, `list` and `snapshot` of the same store show it. A write
/// that fails with [`StoreError::Backend`] may still come through where the backend cannot know
/// (a server that did not answer); the embedded store takes it back.
///
/// Writes run when they are polled. One whose future is dropped after that may come through or not
/// (the embedded store carries it out). Fields that `create`, `patch` and `update_status` change
/// belong to the field manager of the store's handle.
pub trait Store<K: Object>: Send + Sync + 'static {
    /// All objects, from memory.
    fn snapshot(&self) -> BoxFuture<'_, Result<Snapshot<K>>>;

    /// One object, from memory.
    fn get(&self, key: &Key) -> Option<Arc<K>>;

    /// One object as it is now where objects live, for those that are not kept in memory
    /// ([`Object::CACHED`]) and for those who cannot wait for a watch.
    fn read<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Arc<K>>> {
        let found = self.get(key).ok_or_else(|| StoreError::NotFound {
            kind: K::KIND,
            key: key.clone(),
        });
        Box::pin(std::future::ready(found))
    }

    /// True when objects go by themselves with those who own them (`ownerReferences`).
    fn collects_garbage(&self) -> bool {
        false
    }

    /// All objects in order of key, from memory.
    fn list(&self) -> Vec<Arc<K>>;

    /// Changes after `from`, in order, without end. When the store has lost that place, the first
    /// item is [`Change::Reset`].
    fn watch(&self, from: Version) -> BoxStream<'static, Change<K>>;

    /// Creates an object; `Exists` when there is one.
    fn create(&self, object: K) -> BoxFuture<'_, Result<Arc<K>>>;

    /// Server-side apply: creates the object or brings the fields of `wanted` (a partial object
    /// with `metadata.name`) to these values, owned by `owner` from now on; fields that `owner`
    /// applied before and that `wanted` lacks are removed. Without `force` a field with another
    /// value that somebody else owns is [`StoreError::Owned`]. Status is not touched.
    fn apply<'a>(
        &'a self,
        key: &'a Key,
        wanted: Value,
        owner: &'a str,
        force: bool,
    ) -> BoxFuture<'a, Result<Arc<K>>>;

    /// Changes anything but status. With `expected` only at that version.
    fn patch<'a>(
        &'a self,
        key: &'a Key,
        patch: Patch,
        expected: Option<Version>,
    ) -> BoxFuture<'a, Result<Arc<K>>>;

    /// Replaces metadata and status of the object at `expected` by those of `object` (compare and
    /// set). The spec is not touched. One write for what a reconcile step decides.
    fn update_status(&self, object: K, expected: Version) -> BoxFuture<'_, Result<Arc<K>>>;

    /// True when writes are decided in the order in which they are first polled, and one that does
    /// not become durable takes those after it with it: then a write that is to follow another
    /// need not wait for it.
    fn keeps_order(&self) -> bool {
        false
    }

    /// Deletes. With `expected` only at that version.
    fn delete<'a>(
        &'a self,
        key: &'a Key,
        expected: Option<Version>,
    ) -> BoxFuture<'a, Result<Deleted>>;

    /// Who owns which fields of an object, as its `metadata.managedFields` says on a server. The
    /// embedded store does not list owners of status: it has one writer.
    fn managed_fields<'a>(&'a self, key: &'a Key)
    -> BoxFuture<'a, Result<Vec<ManagedFieldsEntry>>>;
}
