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

mod decide;
mod store;
#[cfg(test)]
mod tests;

use std::any::{Any, TypeId};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::disk::{Disk, Loaded, Medium, Settings};
use super::managed::Shapes;
use super::record;
use super::table::{Job, Kind, Rows, Table, kind_name};
use super::{Key, Object, Result, StoreError, Version};
use crate::api::{BareMetalHost, Event, HardwareData, Timestamp};

/// Most changes in one commit: bounds the memory and the time that it takes.
const GROUP: usize = 4096;
/// While writers come in at this pace, a commit waits for more of them…
const GATHER: Duration = Duration::from_micros(50);
/// …but no longer than this.
const GATHER_AT_MOST: Duration = Duration::from_millis(1);

/// The clock that a store is given.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How a store works.
#[derive(Clone)]
pub struct Options {
    /// What is written as creation and deletion time.
    pub clock: Clock,
    /// Seeds the uids of objects. Only a new store takes it: a file keeps its own.
    pub seed: u64,
    /// Whom changes by create and patch belong to, see [`Embedded::by`].
    pub manager: String,
    /// Changes of each kind that are kept for watchers who come late. More costs memory: the old
    /// states of objects stay that long.
    pub window: usize,
    /// Bytes of the file's pages that are kept in memory. Reads of objects never need them;
    /// commits and folds are faster with them.
    pub cache: usize,
    kinds: Vec<NewTable>,
    medium: Option<Medium>,
    fold_entries: usize,
}

type NewTable = fn(usize, &Arc<AtomicU64>) -> Entry;

/// A table, by what it holds.
struct Entry {
    of: TypeId,
    kind: Arc<dyn Kind>,
    table: Arc<dyn Any + Send + Sync>,
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
    /// The system's clock, a random seed, and all kinds that metalform keeps.
    fn default() -> Self {
        let options = Self {
            clock: Arc::new(Timestamp::now),
            seed: RandomState::new().hash_one(std::process::id()),
            manager: "metalform".into(),
            window: 4096,
            cache: 16 << 20,
            kinds: Vec::new(),
            medium: None,
            fold_entries: 0,
        };
        options
            .kind::<BareMetalHost>()
            .kind::<HardwareData>()
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

    /// Folds the log at this many entries, for tests and benches; 0 is the default.
    #[doc(hidden)]
    #[must_use]
    pub fn fold_entries(mut self, entries: usize) -> Self {
        self.fold_entries = entries;
        self
    }

    #[cfg(test)]
    fn medium(mut self, medium: Medium) -> Self {
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
    #[error(
        "the store {} is in use by {holder}; stop that process, or leave it running: \
         `metalform get`, `plan` and `apply` talk to it", path.display()
    )]
    Held {
        /// The store.
        path: PathBuf,
        /// Who, as far as known.
        holder: String,
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
        "the store {} is damaged ({reason}) and was left as it is; put a copy of it back, or move \
         it away to start with an empty one (machines are found again where they are enrolled)",
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

/// What a writer waits for.
enum Waits {
    /// Nothing: it is done.
    Done,
    /// The commit.
    For(oneshot::Receiver<std::result::Result<(), String>>),
}

impl Waits {
    async fn done(self) -> Result<()> {
        match self {
            Self::Done => Ok(()),
            Self::For(told) => match told.await {
                Ok(result) => result.map_err(StoreError::Backend),
                Err(_) => Err(stopped()),
            },
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Backend("the process stopped before the write was durable".into())
}

impl Shared {
    fn accept(&self) -> MutexGuard<'_, Accept> {
        self.accept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disk(&self) -> MutexGuard<'_, Option<Disk>> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job (or with none, waits for those before) and sees to it that somebody works.
    fn enqueue(shared: &Arc<Self>, accept: &mut Accept, job: Option<Box<dyn Job>>) -> Waits {
        if !shared.durable {
            if let Some(job) = job {
                shared.publish(job);
            }
            return Waits::Done;
        }
        let (tell, told) = oneshot::channel();
        accept.queue.push(Waiting {
            job,
            told: Some(tell),
        });
        if !accept.draining {
            accept.draining = true;
            let drain = Drain {
                shared: Arc::clone(shared),
                finished: false,
            };
            match tokio::runtime::Handle::try_current() {
                // Detached on purpose: a writer that gives up waiting must not stop the others.
                Ok(runtime) => drop(runtime.spawn_blocking(|| drain.run())),
                // Outside of a runtime (a test, a tool) a thread does.
                Err(_) => drop(std::thread::spawn(|| drain.run())),
            }
        }
        Waits::For(told)
    }

    fn publish(&self, job: Box<dyn Job>) {
        let version = job.version();
        job.publish();
        self.published.store(version.0, Ordering::Release);
    }

    fn commit(&self, group: &[Waiting]) -> std::result::Result<(), String> {
        let mut records = Vec::with_capacity(group.len());
        for job in group.iter().filter_map(|waiting| waiting.job.as_ref()) {
            records.push((job.version().0, job.record()?));
        }
        if records.is_empty() {
            return Ok(());
        }
        match self.disk().as_mut() {
            Some(disk) => disk.commit(&records),
            None => Err("the store is closed".into()),
        }
    }
}

/// The task at the queue: one at a time, until the queue is empty.
struct Drain {
    shared: Arc<Shared>,
    finished: bool,
}

impl Drain {
    fn run(mut self) {
        loop {
            self.gather();
            let group = {
                let mut accept = self.shared.accept();
                if accept.queue.is_empty() {
                    accept.draining = false;
                    self.finished = true;
                    return;
                }
                let size = accept.queue.len().min(GROUP);
                accept.crowd = size > 1;
                accept.queue.drain(..size).collect::<Vec<_>>()
            };
            match self.shared.commit(&group) {
                Ok(()) => {
                    // First all of it is seen, then it is told: what goes with a write (an event
                    // that expires) is gone when its writer goes on.
                    let mut tell = Vec::with_capacity(group.len());
                    for waiting in group {
                        if let Some(job) = waiting.job {
                            self.shared.publish(job);
                        }
                        tell.extend(waiting.told);
                    }
                    for told in tell {
                        told.send(Ok(())).ok();
                    }
                }
                Err(error) => self.fail(group, &error),
            }
            if let Some(disk) = self.shared.disk().as_mut() {
                disk.tidy();
            }
        }
    }

    /// Lets a crowd come together: whoever was told of the last commit is about to write again,
    /// and one commit for all costs as much as one for each half. A lone writer does not wait.
    fn gather(&self) {
        let queued = || {
            let accept = self.shared.accept();
            let wait = accept.crowd || accept.queue.len() > 1;
            (accept.queue.len(), wait && accept.queue.len() < GROUP)
        };
        let (mut before, mut wait) = queued();
        let mut left = GATHER_AT_MOST;
        while wait && before > 0 && left > Duration::ZERO {
            // This is a blocking task: it is real time that passes here, on any clock.
            std::thread::sleep(GATHER);
            left = left.saturating_sub(GATHER);
            let now = queued();
            wait = now.1 && now.0 > before;
            before = now.0;
        }
    }

    /// A commit failed: what was decided on top of it never was either.
    fn fail(&self, group: Vec<Waiting>, error: &str) {
        let mut accept = self.shared.accept();
        let rest = std::mem::take(&mut accept.queue);
        for entry in &self.shared.tables {
            entry.kind.abandon();
        }
        drop(accept);
        for waiting in group.into_iter().chain(rest) {
            if let Some(told) = waiting.told {
                told.send(Err(error.to_owned())).ok();
            }
        }
    }
}

impl Drop for Drain {
    /// The runtime went away before the task ran.
    fn drop(&mut self) {
        if !self.finished {
            self.fail(
                Vec::new(),
                "the process stopped before the write was durable",
            );
            self.shared.accept().draining = false;
        }
    }
}
