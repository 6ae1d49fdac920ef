//! All objects of one kind: what is durable, and what is accepted and on its way there.
//!
//! Readers and watchers see `published`. A write is decided against the newest accepted state,
//! which is in `pending` until its commit is through; so two writers in one commit conflict as
//! they would one after the other.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

mod objects;
mod pieces;
mod retained;

use self::objects::Objects;
use self::pieces::draft;
use self::retained::Retained;
use super::disk::Stored;
use super::log::{Changes, Place, Ring, Start};
use super::managed::{Managed, Shapes};
use super::{Change, Key, Object, Retention, Snapshot, Version};
use crate::api::Timestamp;

/// One object with its owners.
#[derive(Debug)]
pub(super) struct Item<K> {
    /// The object, without `managedFields`.
    pub object: Arc<K>,
    /// Its owners.
    pub managed: Managed,
}

impl<K> Clone for Item<K> {
    fn clone(&self) -> Self {
        Self {
            object: Arc::clone(&self.object),
            managed: self.managed.clone(),
        }
    }
}

/// The objects of a kind.
pub(super) struct Table<K: Object> {
    /// `plural.group`, as in the file.
    name: String,
    published: RwLock<Published<K>>,
    pending: Mutex<Pending<K>>,
    /// True once closed; changes are told by it.
    news: tokio::sync::watch::Sender<bool>,
    /// Something was published and not yet told.
    unannounced: AtomicBool,
    /// The last published version of all kinds.
    version: Arc<AtomicU64>,
    window: usize,
}

#[derive(Debug)]
struct Published<K> {
    objects: Objects<K>,
    ring: Ring<K>,
    version: Version,
}

#[derive(Debug)]
struct Pending<K> {
    /// The newest accepted state of what is not yet published; `None` is gone.
    newest: HashMap<Key, (Version, Option<Item<K>>)>,
    retained: Retained,
}

/// One accepted write.
#[derive(Debug)]
pub(super) struct Write<K> {
    /// The object's key.
    pub key: Key,
    /// Its new version.
    pub version: Version,
    /// The state before.
    pub before: Option<Item<K>>,
    /// The state after; `None` when it is gone.
    pub after: Option<Item<K>>,
    /// The last state of an object that is gone.
    pub last: Option<Arc<K>>,
    /// What of it differs from before.
    pub changed: Changed,
}

/// What of an object a write changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Changed {
    /// Metadata, spec or owners.
    pub main: bool,
    /// Status.
    pub status: bool,
}

/// A table whatever its kind.
pub(super) trait Kind: Send + Sync {
    /// `plural.group`.
    fn name(&self) -> &str;
    /// Takes an object from the file.
    fn restore(&self, key: Key, stored: &Stored, shapes: &Shapes) -> Result<(), String>;
    /// All objects are restored: makes up the changes since `floor` from them and from the
    /// deleted ones (version, last state).
    fn restored(
        &self,
        gone: Vec<(Version, &[u8])>,
        floor: Version,
        version: Version,
    ) -> Result<(), String>;
    /// Forgets all that is accepted and not published: its commit failed.
    fn abandon(&self);
    /// Wakes those who watch, if there is something new for them.
    fn announce(&self);
    /// Ends the watches.
    fn close(&self);
}

/// An accepted write whatever its kind.
pub(super) trait Job: Send {
    /// Its version.
    fn version(&self) -> Version;
    /// Something of it goes into the file.
    fn is_durable(&self) -> bool;
    /// What goes into the file; `None` where nothing does.
    fn record(&self) -> Result<Option<Vec<u8>>, String>;
    /// Makes it visible.
    fn publish(self: Box<Self>);
}

impl<K: Object> fmt::Debug for Table<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// `plural.group` of a kind.
pub(super) fn kind_name<K: Object>() -> String {
    if K::GROUP.is_empty() {
        K::PLURAL.to_owned()
    } else {
        format!("{}.{}", K::PLURAL, K::GROUP)
    }
}

impl<K: Object> Table<K> {
    /// An empty table that keeps `window` changes for watchers.
    pub fn new(window: usize, version: Arc<AtomicU64>) -> Self {
        Self {
            name: kind_name::<K>(),
            published: RwLock::new(Published {
                objects: Objects::new(),
                ring: Ring::new(window, Version(0)),
                version: Version(0),
            }),
            pending: Mutex::new(Pending {
                newest: HashMap::new(),
                retained: Retained::default(),
            }),
            news: tokio::sync::watch::Sender::new(false),
            unannounced: AtomicBool::new(false),
            version,
            window,
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Published<K>> {
        self.published
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Published<K>> {
        self.published
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn pending(&self) -> MutexGuard<'_, Pending<K>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A durable object.
    pub fn get(&self, key: &Key) -> Option<Item<K>> {
        self.read().objects.get(key).cloned()
    }

    /// All durable objects.
    pub fn list(&self) -> Vec<Arc<K>> {
        self.read()
            .objects
            .values()
            .map(|item| Arc::clone(&item.object))
            .collect()
    }

    /// All durable objects and the version to watch from.
    pub fn snapshot(&self) -> Snapshot<K> {
        let published = self.read();
        Snapshot {
            objects: published
                .objects
                .values()
                .map(|item| Arc::clone(&item.object))
                .collect(),
            version: self.now(&published),
        }
    }

    /// The version up to which this table is known to be complete. Publication is in order of
    /// version over all kinds, and the shared version moves after the tables.
    fn now(&self, published: &Published<K>) -> Version {
        published
            .version
            .max(Version(self.version.load(Ordering::Acquire)))
    }

    /// The newest accepted state, and whether it is still on its way.
    pub fn newest(&self, key: &Key) -> (Option<Item<K>>, bool) {
        if let Some((_, item)) = self.pending().newest.get(key) {
            return (item.clone(), true);
        }
        (self.get(key), false)
    }

    /// Takes an accepted write, not yet visible.
    pub fn accept(&self, write: &Write<K>) {
        let mut pending = self.pending();
        if write.after.is_none() && K::RETENTION.is_some() {
            pending.retained.forget(&write.key);
        }
        pending
            .newest
            .insert(write.key.clone(), (write.version, write.after.clone()));
    }

    /// Counts an accepted write of a kind that is not kept for ever, and answers with the keys
    /// that are to go because of it.
    pub fn expire(&self, object: &K, rule: Retention, now: Timestamp) -> Vec<Key> {
        let mut pending = self.pending();
        pending.retained.add(object.key(), object.about(), now);
        pending.retained.expire(rule, now)
    }

    /// Makes a durable write visible.
    pub fn publish(&self, write: Write<K>) {
        {
            let mut published = self.write();
            published.version = write.version;
            let change = if let Some(item) = write.after {
                let object = Arc::clone(&item.object);
                match published.objects.get_mut(&write.key) {
                    Some(slot) => *slot = item,
                    None => published.objects.insert(object.key(), item),
                }
                Some(Change::Applied(object))
            } else {
                let before = published.objects.remove(&write.key);
                let last = write.last.or(before.map(|item| item.object));
                last.map(Change::Deleted)
            };
            if let Some(change) = change {
                published.ring.push(write.version, change);
            }
        }
        {
            // After the publication: whoever finds nothing here finds it there.
            let mut pending = self.pending();
            if pending
                .newest
                .get(&write.key)
                .is_some_and(|(version, _)| *version == write.version)
            {
                pending.newest.remove(&write.key);
            }
        }
        self.unannounced.store(true, Ordering::Release);
    }
}

/// A place is the version before it.
impl<K: Object> Changes<K> for Table<K> {
    fn all(&self) -> (Snapshot<K>, Place) {
        let all = self.snapshot();
        let place = Place(all.version.0);
        (all, place)
    }

    fn start(&self, from: Version) -> Option<Start> {
        (from <= self.now(&self.read())).then(|| Place(from.0).into())
    }

    fn after(&self, place: Place) -> Option<(Place, VecDeque<Change<K>>)> {
        let (at, next) = self.read().ring.after(Version(place.0))?;
        Some((Place(at.0), next))
    }

    fn news(&self) -> tokio::sync::watch::Receiver<bool> {
        self.news.subscribe()
    }
}

impl<K: Object> Kind for Table<K> {
    fn name(&self) -> &str {
        &self.name
    }

    fn restore(&self, key: Key, stored: &Stored, shapes: &Shapes) -> Result<(), String> {
        if !K::DURABLE {
            // From a file of a version that kept them.
            return Ok(());
        }
        let item = pieces::restore::<K>(stored, shapes)
            .map_err(|error| format!("{} {key}: {error}", K::KIND))?;
        // The object's own texts, which it shares with others.
        let own = item.object.key();
        if own != key {
            return Err(format!("{} {key}: it calls itself {own}", K::KIND));
        }
        self.write().objects.insert(own, item);
        Ok(())
    }

    fn restored(
        &self,
        gone: Vec<(Version, &[u8])>,
        floor: Version,
        version: Version,
    ) -> Result<(), String> {
        // What is not durable is gone: whoever watched it has to hear so.
        let floor = if K::DURABLE { floor } else { version };
        let mut published = self.write();
        let since = |item: &Item<K>| {
            (
                item.object.version(),
                Change::Applied(Arc::clone(&item.object)),
            )
        };
        let mut changes: Vec<(Version, Change<K>)> = published
            .objects
            .values()
            .map(since)
            .filter(|(version, _)| *version > floor)
            .collect();
        for (version, last) in gone {
            let mut object: K = serde_json::from_slice(last)
                .map_err(|error| format!("a deleted {}: {error}", K::KIND))?;
            object.meta_mut().resource_version = Some(version.0.to_string().into());
            changes.push((version, Change::Deleted(Arc::new(object))));
        }
        changes.sort_by_key(|(version, _)| *version);
        published.ring = Ring::new(self.window, floor);
        for (version, change) in changes {
            published.ring.push(version, change);
        }
        published.version = version;
        drop(published);
        self.abandon();
        Ok(())
    }

    fn abandon(&self) {
        let mut pending = self.pending();
        pending.newest.clear();
        if K::RETENTION.is_some() {
            let published = self.read();
            let mut all: Vec<&Item<K>> = published.objects.values().collect();
            all.sort_by_key(|item| item.object.version());
            pending.retained = Retained::default();
            for item in all {
                let time = item.object.meta().creation_timestamp;
                pending.retained.add(
                    item.object.key(),
                    item.object.about(),
                    time.unwrap_or_default(),
                );
            }
        }
    }

    fn announce(&self) {
        if self.unannounced.swap(false, Ordering::AcqRel) {
            self.news.send_modify(|_| {});
        }
    }

    fn close(&self) {
        self.news.send_modify(|closed| *closed = true);
    }
}

/// A write and the table that it goes to.
pub(super) struct Tabled<K: Object> {
    /// The table.
    pub table: Arc<Table<K>>,
    /// The write.
    pub write: Write<K>,
}

impl<K: Object> Job for Tabled<K> {
    fn version(&self) -> Version {
        self.write.version
    }

    fn is_durable(&self) -> bool {
        K::DURABLE
    }

    fn record(&self) -> Result<Option<Vec<u8>>, String> {
        if !K::DURABLE {
            return Ok(None);
        }
        draft(&self.table.name, &self.write)
            .map(Some)
            .map_err(|error| {
                format!(
                    "cannot write {} {} as JSON: {error}",
                    K::KIND,
                    self.write.key
                )
            })
    }

    fn publish(self: Box<Self>) {
        self.table.publish(self.write);
    }
}
