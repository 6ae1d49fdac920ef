//! The embedded store: objects in memory, made durable in a file and a log beside it.
//!
//! ```text
//!  write ─► decide against the newest accepted state ─► queue ─► commit (group) ─► publish ─► answer
//!            (under one lock, gives the version)                 (one blocking     readers, watchers
//!                                                                 task at a time)
//! ```
//!
//! A commit takes all that waits when the last one ended, and whoever is about to write too: under
//! load the groups grow by themselves, a lone write waits for nobody.
//! Nothing is visible before it is durable (events are not, see [`Object::DURABLE`]; where there is a
//! queue they take their place in it all the same), and everything becomes visible in order of
//! version. When a commit fails, it and all that was decided on top of it fails with it, and the
//! memory is as it was.
//!
//! Commits run as blocking tasks of the runtime that writes, so tokio's paused clock stands still
//! while one is under way. A store in memory ([`Embedded::memory`]) answers at once and runs
//! nothing: with it a test on one thread is deterministic to the version.

mod commit;
mod decide;
mod meta;
mod options;
mod store;
#[cfg(test)]
mod tests;

use std::any::TypeId;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

pub use options::{Clock, OpenError, Options};

use self::options::Entry;
use super::disk::{Disk, Loaded, Settings, Stored};
use super::managed::Shapes;
use super::record;
use super::table::{Job, Table, kind_name};
use super::{Key, Object, Result, StoreError, Version};

/// The embedded store. Cheap to clone; the last clone closes it.
#[derive(Clone)]
pub struct Embedded {
    shared: Arc<Shared>,
    manager: Arc<str>,
    _open: Arc<Open>,
}

/// Closes the store when the last handle goes.
struct Open(Arc<Shared>);

struct Shared {
    clock: Clock,
    seed: uuid::Uuid,
    salt: [u8; 32],
    tables: Tables,
    accept: Mutex<Accept>,
    /// `None` for a store in memory and once closed.
    disk: Mutex<Option<Disk>>,
    durable: bool,
    notes: Mutex<BTreeMap<String, String>>,
}

/// All that is kept in memory.
struct Tables {
    shapes: Shapes,
    entries: Vec<Entry>,
    /// The last published version.
    published: Arc<AtomicU64>,
}

/// Where writes queue up.
#[derive(Default)]
struct Accept {
    /// The last version given out.
    version: u64,
    queue: Vec<Waiting>,
    /// A task is at the queue.
    draining: bool,
    closed: bool,
}

/// A queued write, or with no job somebody who waits for those before.
struct Waiting {
    job: Option<Box<dyn Job>>,
    told: Option<oneshot::Sender<std::result::Result<(), String>>>,
}

/// More versions than are given to what is not durable ([`Object::DURABLE`]) between two writes
/// that are.
const MEMORY_ONLY: u64 = 1 << 20;

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("version", &self.version())
            .field("durable", &self.shared.durable)
            .finish_non_exhaustive()
    }
}

impl Embedded {
    /// Opens the store in the file at `path`, or makes one there. Blocks for as long as reading
    /// takes (about 0.1 s at 10,000 hosts).
    pub fn open(path: &Path, options: Options) -> std::result::Result<Self, OpenError> {
        let settings = Settings {
            cache: options.cache,
            seed: options.seed,
            salt: options.salt,
            medium: options.medium.clone(),
            fold_entries: options.fold_entries,
        };
        let tables = Tables::new(&options);
        let mut take = |key: &[u8], stored: Stored| tables.restore(key, &stored);
        let (disk, loaded) = Disk::open(path, settings, &mut take)?;
        // Versions of what was in memory only are not in the file, and whoever saw one must not
        // take a later change for an earlier one: go on well above. (Versions that a run gave to
        // events alone, with no durable write after them, are given again.)
        let version = match loaded.version {
            0 => 0,
            last => last + MEMORY_ONLY,
        };
        tables
            .restored(&loaded, Version(version))
            .map_err(|reason| OpenError::Damaged {
                path: path.to_owned(),
                reason,
            })?;
        let (seed, salt) = (loaded.seed, loaded.salt);
        let store = Self::new(options, seed, salt, tables, Some(disk));
        store.accept().version = version;
        *store.notes() = loaded.notes;
        Ok(store)
    }

    /// A store that is gone with the process.
    pub fn memory(options: Options) -> Self {
        let (seed, salt, tables) = (options.seed, options.salt, Tables::new(&options));
        Self::new(options, seed, salt, tables, None)
    }

    fn new(
        options: Options,
        seed: u64,
        salt: [u8; 32],
        tables: Tables,
        disk: Option<Disk>,
    ) -> Self {
        let shared = Arc::new(Shared {
            clock: options.clock,
            seed: uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, &seed.to_be_bytes()),
            salt,
            tables,
            accept: Mutex::default(),
            durable: disk.is_some(),
            disk: Mutex::new(disk),
            notes: Mutex::default(),
        });
        Self {
            _open: Arc::new(Open(Arc::clone(&shared))),
            shared,
            manager: options.manager.into(),
        }
    }

    /// The same store, for somebody else: what this handle creates and patches belongs to
    /// `manager` (the field manager of a Kubernetes request).
    #[must_use]
    pub fn by(&self, manager: &str) -> Self {
        Self {
            manager: manager.into(),
            ..self.clone()
        }
    }

    /// Salts what is told of secrets (the versions of credentials in statuses): random, made with
    /// the store and kept with it, and no part of any object.
    pub fn salt(&self) -> [u8; 32] {
        self.shared.salt
    }

    /// The last visible version of all kinds.
    pub fn version(&self) -> Version {
        Version(self.shared.tables.published.load(Ordering::Acquire))
    }

    /// A small text about the store as a whole, by name.
    pub fn note(&self, name: &str) -> Option<String> {
        self.notes().get(name).cloned()
    }

    /// Keeps such a text, durably. Blocks while it is written; meant for the start of a process.
    ///
    /// # Errors
    /// When it cannot be written: then the old one stays.
    pub fn set_note(&self, name: &str, text: &str) -> Result<()> {
        if self.note(name).as_deref() == Some(text) {
            return Ok(());
        }
        if let Some(disk) = self.shared.disk().as_mut() {
            disk.note(name, text).map_err(StoreError::Backend)?;
        }
        self.notes().insert(name.to_owned(), text.to_owned());
        Ok(())
    }

    fn notes(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        let notes = self.shared.notes.lock();
        notes.unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for all accepted writes, then closes the file and lets go of the lock. Writes through
    /// any handle fail from here on; reads go on, watches end.
    pub async fn close(&self) -> Result<()> {
        let waits = {
            let mut accept = self.accept();
            accept.closed = true;
            Shared::enqueue(&self.shared, &mut accept, None)
        };
        waits.done().await?;
        let disk = self.shared.disk().take();
        for entry in &self.shared.tables.entries {
            entry.kind.close();
        }
        match disk {
            Some(disk) => disk.close().map_err(StoreError::Backend),
            None => Ok(()),
        }
    }

    fn accept(&self) -> MutexGuard<'_, Accept> {
        self.shared.accept()
    }

    fn table<K: Object>(&self) -> Result<Arc<Table<K>>> {
        self.shared.tables.of().ok_or_else(|| {
            StoreError::Backend(format!(
                "this store keeps no {}; name the kind in its options",
                kind_name::<K>()
            ))
        })
    }
}

impl Tables {
    fn new(options: &Options) -> Self {
        let published = Arc::new(AtomicU64::new(0));
        let mut entries: Vec<Entry> = Vec::new();
        for new in &options.kinds {
            let entry = new(options.window, &published);
            if !entries.iter().any(|known| known.of == entry.of) {
                entries.push(entry);
            }
        }
        Self {
            shapes: Shapes::default(),
            entries,
            published,
        }
    }

    fn of<K: Object>(&self) -> Option<Arc<Table<K>>> {
        let entry = self
            .entries
            .iter()
            .find(|entry| entry.of == TypeId::of::<K>())?;
        Arc::clone(&entry.table).downcast().ok()
    }

    fn named(&self, kind: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.kind.name() == kind)
    }

    /// Takes an object from the file. Those of unknown kinds stay there.
    fn restore(&self, key: &[u8], stored: &Stored) -> std::result::Result<(), String> {
        let (kind, namespace, name) = record::parts(key).ok_or("a row has no key")?;
        match self.named(kind) {
            Some(entry) => entry
                .kind
                .restore(Key::new(namespace, name), stored, &self.shapes),
            None => Ok(()),
        }
    }

    /// `version` is the one that the store goes on from.
    fn restored(&self, loaded: &Loaded, version: Version) -> std::result::Result<(), String> {
        self.published.store(version.0, Ordering::Release);
        for entry in &self.entries {
            let ours =
                |key: &[u8]| record::parts(key).is_some_and(|(kind, ..)| kind == entry.kind.name());
            let gone = loaded
                .gone
                .iter()
                .filter(|(_, key, last)| ours(key) && !last.is_empty())
                .map(|(version, _, last)| (Version(*version), last.as_slice()))
                .collect();
            entry.kind.restored(gone, Version(loaded.floor), version)?;
        }
        Ok(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.accept().closed = true;
        // Waits for a commit that is under way, and then lets go of the file at once: who drops
        // a store may open it again. What still waits in the queue fails.
        drop(self.0.disk().take());
        for entry in &self.0.tables.entries {
            entry.kind.close();
        }
    }
}
