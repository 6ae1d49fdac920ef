//! The embedded store: objects in memory, made durable in one file.
//!
//! ```text
//!  write ─► decide against the newest accepted state ─► queue ─► commit (group) ─► publish ─► answer
//!            (under one lock, gives the version)                 (one blocking     readers, watchers
//!                                                                 task at a time)
//! ```
//!
//! A commit takes all that waits when the last one ended (and, in a crowd, up to a millisecond's
//! worth of newcomers): under load the groups grow by themselves, a lone write waits for nobody. Nothing is visible before it is durable, and
//! everything becomes visible in order of version. When a commit fails, it and all that was decided
//! on top of it fails with it, and the memory is as it was.
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
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::oneshot;

pub use options::{Clock, OpenError, Options};

use self::options::Entry;
use super::disk::{Disk, Loaded, Settings};
use super::managed::Shapes;
use super::record;
use super::table::{Job, Rows, Table, kind_name};
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
    shapes: Shapes,
    tables: Vec<Entry>,
    /// The last published version.
    published: Arc<AtomicU64>,
    accept: Mutex<Accept>,
    /// `None` for a store in memory and once closed.
    disk: Mutex<Option<Disk>>,
    durable: bool,
}

/// Where writes queue up.
#[derive(Default)]
struct Accept {
    /// The last version given out.
    version: u64,
    queue: Vec<Waiting>,
    /// A task is at the queue.
    draining: bool,
    /// The last commit had more than one writer.
    crowd: bool,
    closed: bool,
}

/// A queued write, or with no job somebody who waits for those before.
struct Waiting {
    job: Option<Box<dyn Job>>,
    told: Option<oneshot::Sender<std::result::Result<(), String>>>,
}

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
            medium: options.medium.clone(),
            fold_entries: options.fold_entries,
        };
        let (disk, loaded) = Disk::open(path, settings)?;
        let seed = loaded.seed;
        let version = loaded.version;
        let store = Self::new(options, seed, Some(disk));
        store.load(loaded).map_err(|reason| OpenError::Damaged {
            path: path.to_owned(),
            reason,
        })?;
        store.accept().version = version;
        store.shared.published.store(version, Ordering::Release);
        Ok(store)
    }

    /// A store that is gone with the process.
    pub fn memory(options: Options) -> Self {
        let seed = options.seed;
        Self::new(options, seed, None)
    }

    fn new(options: Options, seed: u64, disk: Option<Disk>) -> Self {
        let published = Arc::new(AtomicU64::new(0));
        let mut tables: Vec<Entry> = Vec::new();
        for new in &options.kinds {
            let entry = new(options.window, &published);
            if !tables.iter().any(|known| known.of == entry.of) {
                tables.push(entry);
            }
        }
        let shared = Arc::new(Shared {
            clock: options.clock,
            seed: uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, &seed.to_be_bytes()),
            shapes: Shapes::default(),
            tables,
            published,
            accept: Mutex::default(),
            durable: disk.is_some(),
            disk: Mutex::new(disk),
        });
        Self {
            _open: Arc::new(Open(Arc::clone(&shared))),
            shared,
            manager: options.manager.into(),
        }
    }

    fn load(&self, mut loaded: Loaded) -> std::result::Result<(), String> {
        for entry in &self.shared.tables {
            let mut rows = Rows {
                floor: Version(loaded.folded),
                version: Version(loaded.version),
                ..Rows::default()
            };
            let mut first = entry.kind.name().as_bytes().to_vec();
            first.push(0);
            let mut ours = loaded.objects.split_off(&first);
            // The key after the last with this prefix; kinds hold no byte 1.
            let mut end = first.clone();
            end.pop();
            end.push(1);
            loaded.objects.append(&mut ours.split_off(&end));
            for (key, stored) in ours {
                let (_, namespace, name) = record::parts(&key).ok_or("a row has no key")?;
                rows.objects.push((Key::new(namespace, name), stored));
            }
            for (version, key, last) in &mut loaded.gone {
                if key.starts_with(&first) && !last.is_empty() {
                    rows.gone.push((Version(*version), std::mem::take(last)));
                }
            }
            entry.kind.load(rows, &self.shared.shapes)?;
        }
        Ok(())
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

    /// The last durable version of all kinds.
    pub fn version(&self) -> Version {
        Version(self.shared.published.load(Ordering::Acquire))
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
        for entry in &self.shared.tables {
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
        self.shared
            .tables
            .iter()
            .find(|entry| entry.of == TypeId::of::<K>())
            .and_then(|entry| Arc::clone(&entry.table).downcast().ok())
            .ok_or_else(|| {
                StoreError::Backend(format!(
                    "this store keeps no {}; name the kind in its options",
                    kind_name::<K>()
                ))
            })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.accept().closed = true;
        // Waits for a commit that is under way, and then lets go of the file at once: who drops
        // a store may open it again. What still waits in the queue fails.
        drop(self.0.disk().take());
        for entry in &self.0.tables {
            entry.kind.close();
        }
    }
}
