//! How an embedded store is opened, and why it is not.

use std::any::{Any, TypeId};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::api::{
    BareMetalHost, Event, FirmwareSchema, HardwareData, HostFirmwareComponents,
    HostFirmwareSettings, HostUpdatePolicy, Timestamp,
};
use crate::store::disk::Medium;
use crate::store::table::{Kind, Table};
use crate::store::{Holder, Object};

/// The clock that a store is given.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How a store works.
#[derive(Clone)]
pub struct Options {
    /// What is written as creation and deletion time.
    pub clock: Clock,
    /// Seeds the uids of objects. Only a new store takes it: a file keeps its own.
    pub seed: u64,
    /// Salts what is told of secrets, see [`Embedded::salt`](super::Embedded::salt). Only a new
    /// store takes it: a file keeps its own.
    pub salt: [u8; 32],
    /// Whom changes by create and patch belong to, see [`Embedded::by`].
    pub manager: String,
    /// Changes of each kind that are kept for watchers who come late. More costs memory: the old
    /// states of objects stay that long.
    pub window: usize,
    /// Bytes of the file's pages that are kept in memory. Folding the log needs them;
    /// reads and commits never do.
    pub cache: usize,
    pub(super) kinds: Vec<NewTable>,
    pub(super) medium: Option<Medium>,
    pub(super) fold_entries: usize,
}

pub(super) type NewTable = fn(usize, &Arc<AtomicU64>) -> Entry;

/// A table, by what it holds.
pub(super) struct Entry {
    pub of: TypeId,
    pub kind: Arc<dyn Kind>,
    pub table: Arc<dyn Any + Send + Sync>,
}

fn entry<K: Object>(window: usize, version: &Arc<AtomicU64>) -> Entry {
    let table = Arc::new(Table::<K>::new(window, Arc::clone(version)));
    Entry {
        of: TypeId::of::<K>(),
        kind: Arc::clone(&table) as Arc<dyn Kind>,
        table,
    }
}

impl Default for Options {
    /// The system's clock, a random seed and salt, and all kinds that metalform keeps.
    fn default() -> Self {
        let options = Self {
            clock: Arc::new(Timestamp::now),
            seed: RandomState::new().hash_one(std::process::id()),
            salt: crate::dice::unpredictable(),
            manager: "metalform".into(),
            window: 1024,
            cache: 1 << 20,
            kinds: Vec::new(),
            medium: None,
            fold_entries: 0,
        };
        options
            .kind::<BareMetalHost>()
            .kind::<HardwareData>()
            .kind::<HostFirmwareSettings>()
            .kind::<FirmwareSchema>()
            .kind::<HostFirmwareComponents>()
            .kind::<HostUpdatePolicy>()
            .kind::<Event>()
    }
}

impl Options {
    /// Keeps one more kind.
    #[must_use]
    pub fn kind<K: Object>(mut self) -> Self {
        self.kinds.push(entry::<K>);
        self
    }

    /// With this clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// With this seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// With this salt.
    #[must_use]
    pub fn salt(mut self, salt: [u8; 32]) -> Self {
        self.salt = salt;
        self
    }

    /// Folds the log at this many entries, for tests and benches; 0 is the default.
    #[doc(hidden)]
    #[must_use]
    pub fn fold_entries(mut self, entries: usize) -> Self {
        self.fold_entries = entries;
        self
    }

    #[cfg(test)]
    pub(super) fn medium(mut self, medium: Medium) -> Self {
        self.medium = Some(medium);
        self
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("manager", &self.manager)
            .field("window", &self.window)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

/// Why a store could not be opened. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds it.
    #[error("the store {} is in use by {holder}{}", path.display(), way_out(holder))]
    Held {
        /// The store.
        path: PathBuf,
        /// Who, as far as known.
        holder: Holder,
    },
    /// A newer program wrote it.
    #[error(
        "the store {} has format {found}, this metalform reads up to {known}; use the metalform \
         that wrote it, or a newer one", path.display()
    )]
    Newer {
        /// The store.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest format known here.
        known: u64,
    },
    /// It cannot be read.
    #[error(
        "the store {0} is damaged ({reason}) and was left as it is; put copies of it and of its \
         .log back, or move both away to start with an empty one (machines are found again where \
         they are enrolled)",
        path.display()
    )]
    Damaged {
        /// The store.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system said no.
    #[error("cannot {action} the store {}: {source}", path.display())]
    Io {
        /// The store.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What came of it.
        source: io::Error,
    },
}

fn way_out(holder: &Holder) -> String {
    match &holder.by {
        None => "; stop that process, or leave it running: `metalform get`, `plan` and `apply` \
                 talk to it"
            .to_owned(),
        Some(by) => format!(
            ", which drives this spec by another path; leave it running and use that path, {}, or \
             stop it first",
            by.display()
        ),
    }
}

impl OpenError {
    /// A stable label.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Held { .. } => "StoreHeld",
            Self::Newer { .. } => "StoreNewer",
            Self::Damaged { .. } => "StoreDamaged",
            Self::Io { .. } => "StoreIo",
        }
    }
}
