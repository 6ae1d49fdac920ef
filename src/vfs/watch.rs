//! When to read again.
//!
//! [`Watch`] looks at the folders that the watched paths are in, never at the files: editors save
//! by renaming, a mounted ConfigMap swaps a link called `..data`, folders vanish and come back. It
//! waits until things have been quiet for a moment, compares contents, and says so only if they
//! differ from what was last read; a checkout of a hundred files is one reload, however long git
//! takes for it, and saving without a change is none. A file that is gone is waited for a little.
//! Where the system does not say what happens, it polls.
//!
//! Nothing is spawned: whoever waits on [`Watch::changed`] does the work. The system's watcher has
//! a thread of its own.

mod checkout;
mod content;
mod trail;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::checkout::Checkouts;
use self::content::{Content, Stamp, content, stamp};
use self::trail::Trail;
use super::Files;

/// How patient a [`Watch`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How long nothing may happen before contents are compared. Raising it merges more changes
    /// into one reload and makes each later.
    pub quiet: Duration,
    /// How long changes may go on until they are looked at all the same.
    pub longest: Duration,
    /// How long a file has to be gone until it counts as gone. Some tools take a file away for a
    /// moment to put another one in its place, and machines go with what is not there.
    pub gone: Duration,
    /// How long git may take to write a checkout. A lock that it holds for longer was left behind,
    /// and is not waited for again.
    pub checkout: Duration,
    /// How often to look without being told.
    pub poll: Duration,
    /// The same where the system's watcher does not work.
    pub poll_alone: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(100),
            longest: Duration::from_secs(3),
            gone: Duration::from_secs(2),
            checkout: Duration::from_secs(30),
            poll: Duration::from_secs(10),
            poll_alone: Duration::from_secs(1),
        }
    }
}

/// Something that is watched has other contents than when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reload {
    /// What differs, in order.
    pub paths: Vec<PathBuf>,
}

#[derive(Debug)]
struct Mark {
    content: Content,
    stamp: Option<Stamp>,
}

/// Changes that have not been looked at yet.
#[derive(Debug, Clone, Copy)]
struct Burst {
    first: Instant,
    last: Instant,
}

/// A watch on a set of paths.
pub struct Watch {
    options: Options,
    system: Option<RecommendedWatcher>,
    events: mpsc::Receiver<notify::Result<Event>>,
    /// The channel was full once; anything may have happened.
    overflow: Arc<AtomicBool>,
    paths: BTreeMap<PathBuf, Mark>,
    trail: Trail,
    checkouts: Checkouts,
    /// Since when git's lock is waited for.
    git_since: Option<Instant>,
    /// What differed and was not told yet; there, but empty, where all is to be read again.
    untold: Option<BTreeSet<PathBuf>>,
    /// Files that were there and are not, and since when.
    vanished: BTreeMap<PathBuf, Instant>,
    /// Folders that the system watches, with their identity then.
    registered: BTreeMap<PathBuf, (u64, u64)>,
    burst: Option<Burst>,
    next_poll: Instant,
    trouble: Option<String>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("paths", &self.paths.keys())
            .field("trouble", &self.trouble)
            .finish_non_exhaustive()
    }
}

impl Watch {
    /// A watch on nothing yet. Where the system's watcher cannot be had it polls; see
    /// [`Watch::trouble`].
    pub fn new(options: Options) -> Self {
        /// Events that may wait; more only cost a look at everything.
        const WAITING: usize = 4096;
        let (sender, events) = mpsc::channel(WAITING);
        let overflow = Arc::new(AtomicBool::new(false));
        let full = Arc::clone(&overflow);
        let handler = move |event: notify::Result<Event>| {
            if matters(&event) && sender.try_send(event).is_err() {
                full.store(true, Ordering::Relaxed);
            }
        };
        let (system, trouble) = match notify::recommended_watcher(handler) {
            Ok(system) => (Some(system), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let next_poll = Instant::now() + options.poll;
        Self {
            options,
            system,
            events,
            overflow,
            paths: BTreeMap::new(),
            trail: Trail::default(),
            checkouts: Checkouts::default(),
            git_since: None,
            untold: None,
            vanished: BTreeMap::new(),
            registered: BTreeMap::new(),
            burst: None,
            next_poll,
            trouble,
        }
    }

    /// Why it polls more than it should, if it does.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Watches `paths` from now on, and nothing else: files, folders whose lists of names matter,
    /// and paths where nothing is yet. `read` holds the texts as they were read, so that a change
    /// since then is not missed.
    ///
    /// False when a file vanished between the last look and the reading: it may be away for a moment
    /// only, and what was read lacks it.
    pub fn replace(&mut self, paths: impl IntoIterator<Item = PathBuf>, read: &Files) -> bool {
        let paths: BTreeSet<PathBuf> = paths
            .into_iter()
            .map(|path| std::path::absolute(&path).unwrap_or(path))
            .collect();
        let mut before = std::mem::take(&mut self.paths);
        self.trail = Trail::of(paths.iter());
        self.register();
        self.checkouts.around(self.trail.folders.iter());
        for path in paths {
            let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            let mark = match (read.find(&real), before.remove(&path)) {
                (Some(id), _) => Mark {
                    content: Content::Known(read.digest(id)),
                    stamp: None,
                },
                (None, Some(mark)) => mark,
                (None, None) => Mark {
                    content: content(&path),
                    stamp: stamp(&path),
                },
            };
            self.paths.insert(path, mark);
        }
        // Gone, or back already in a folder whose list was read without it.
        let lists = |path: &PathBuf| {
            path.parent()
                .is_some_and(|folder| self.paths.contains_key(folder))
        };
        let lost = before.into_iter().filter(|(path, mark)| {
            matches!(mark.content, Content::Known(_))
                && (fs::metadata(path).is_err() || lists(path))
        });
        let lost: Vec<PathBuf> = lost.map(|(path, _)| path).collect();
        let whole = lost.is_empty();
        self.vanish(lost);
        // Look once without being told: something may have changed since it was read.
        self.note();
        whole
    }

    /// Waits until something that is watched differs from what was read. The new contents count as
    /// read then, so that the next call waits for the next change. May be dropped and called again
    /// without losing anything.
    pub async fn changed(&mut self) -> Reload {
        loop {
            let look = self.burst.map(|burst| {
                (burst.last + self.options.quiet).min(burst.first + self.options.longest)
            });
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(look.unwrap_or(self.next_poll)), if look.is_some() => {
                    if self.waits_for_git() {
                        continue;
                    }
                    self.burst = None;
                    self.trail = Trail::of(self.paths.keys());
                    self.register();
                    let differ = self.compare();
                    if !differ.is_empty() {
                        self.untold.get_or_insert_default().extend(differ);
                    }
                    // Git may have begun while files were compared.
                    if self.untold.is_some() && !self.waits_for_git() && !self.waits_for_files() {
                        let paths = self.untold.take().unwrap_or_default();
                        return Reload { paths: paths.into_iter().collect() };
                    }
                }
                Some(event) = self.events.recv() => self.take(&event),
                () = tokio::time::sleep_until(self.next_poll) => self.poll(),
            }
        }
    }

    /// What git has written so far around what is watched; `None` while it writes. What is read
    /// between two equal ones is of one checkout.
    pub fn checkouts(&self) -> Option<impl Eq + use<>> {
        self.checkouts.written()
    }

    /// What was read is of no use: the next call of [`Watch::changed`] returns once git is done.
    pub fn again(&mut self) {
        self.untold.get_or_insert_default();
        self.note();
    }

    /// Whether to leave things alone for now because git is writing them.
    fn waits_for_git(&mut self) -> bool {
        if !self.checkouts.under_way() {
            self.git_since = None;
            return false;
        }
        let now = Instant::now();
        let since = *self.git_since.get_or_insert(now);
        if now >= since + self.options.checkout {
            self.git_since = None;
            self.checkouts.give_up();
            return false;
        }
        self.burst = Some(Burst {
            first: now,
            last: now,
        });
        true
    }

    /// Whether to leave things alone for now because something has just vanished.
    fn waits_for_files(&mut self) -> bool {
        self.vanished.retain(|path, _| fs::metadata(path).is_err());
        let now = Instant::now();
        let gone = self
            .vanished
            .values()
            .map(|since| *since + self.options.gone);
        let Some(until) = gone.max().filter(|until| *until > now) else {
            self.vanished.clear();
            return false;
        };
        self.burst = Some(Burst {
            first: now,
            last: until.checked_sub(self.options.quiet).unwrap_or(now),
        });
        true
    }

    fn vanish(&mut self, paths: Vec<PathBuf>) {
        let now = Instant::now();
        for path in paths {
            self.vanished.entry(path).or_insert(now);
        }
    }

    /// Takes an event: does it concern a path on the trail?
    fn take(&mut self, event: &notify::Result<Event>) {
        let overflowed = self.overflow.swap(false, Ordering::Relaxed);
        let relevant = match event {
            Ok(event) => {
                let renames = !matches!(
                    event.kind,
                    EventKind::Access(_)
                        | EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_))
                );
                event.need_rescan()
                    || event.paths.is_empty()
                    || event
                        .paths
                        .iter()
                        .any(|path| self.trail.concerns(path, renames))
            }
            Err(_) => true,
        };
        if relevant || overflowed {
            self.note();
        }
    }

    fn note(&mut self) {
        let now = Instant::now();
        let first = self.burst.map_or(now, |burst| burst.first);
        self.burst = Some(Burst { first, last: now });
    }

    /// Looks at the stamps of all paths.
    fn poll(&mut self) {
        let alone = self.system.is_none() || self.trouble.is_some();
        let interval = if alone {
            self.options.poll_alone
        } else {
            self.options.poll
        };
        self.next_poll = Instant::now() + interval;
        self.register();
        let differs = self
            .paths
            .iter()
            .any(|(path, mark)| stamp(path) != mark.stamp);
        if (differs || self.overflow.swap(false, Ordering::Relaxed)) && self.burst.is_none() {
            self.note();
        }
    }

    /// Tells the system which folders to watch: those on the trail that it does not watch yet, or
    /// that were replaced by others of the same name.
    fn register(&mut self) {
        let Some(system) = &mut self.system else {
            return;
        };
        self.trouble = None;
        let gone: Vec<PathBuf> = self
            .registered
            .keys()
            .filter(|folder| !self.trail.folders.contains(*folder))
            .cloned()
            .collect();
        for folder in gone {
            self.registered.remove(&folder);
            // It may be gone already.
            system.unwatch(&folder).ok();
        }
        for folder in &self.trail.folders {
            let Some(stamp) = stamp(folder) else { continue };
            if self.registered.get(folder) == Some(&stamp.identity) {
                continue;
            }
            if self.registered.remove(folder).is_some() {
                system.unwatch(folder).ok();
            }
            match system.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.registered.insert(folder.clone(), stamp.identity);
                }
                Err(error) => self.trouble = Some(error.to_string()),
            }
        }
    }

    /// Reads all paths and returns those that differ.
    fn compare(&mut self) -> Vec<PathBuf> {
        let (mut changed, mut lost) = (Vec::new(), Vec::new());
        for (path, mark) in &mut self.paths {
            // The stamp first: a change in between makes it old, not the content.
            mark.stamp = stamp(path);
            let now = content(path);
            if now != mark.content {
                if now == Content::Absent {
                    lost.push(path.clone());
                }
                mark.content = now;
                changed.push(path.clone());
            }
        }
        self.vanish(lost);
        changed
    }
}

/// Whether an event is more than somebody reading.
fn matters(event: &notify::Result<Event>) -> bool {
    match event {
        Ok(event) => match event.kind {
            EventKind::Access(kind) => matches!(kind, AccessKind::Close(AccessMode::Write)),
            _ => true,
        },
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests;
