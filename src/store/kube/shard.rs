//! What is known of one kind in one namespace, or in all: what its watch told, and what writes
//! answered since.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::sync::watch;

use crate::store::log::{self, Changes, Place, Start};
use crate::store::{Change, Key, Object, Snapshot, Version};

use super::recent::Recent;

/// See the module.
#[derive(Debug)]
pub(super) struct Shard<K> {
    /// `None`: all.
    namespace: Option<Arc<str>>,
    known: RwLock<Known<K>>,
    /// Moves with everything that is told or written.
    news: watch::Sender<bool>,
}

#[derive(Debug)]
struct Known<K> {
    objects: BTreeMap<Key, Arc<K>>,
    /// What writes answered and the watch has not told of yet.
    ahead: BTreeMap<Key, Ahead<K>>,
    recent: Recent<K>,
    /// The newest version that the watch told of.
    version: Version,
    /// All objects were told once.
    synced: bool,
    /// A new list that is not whole yet.
    coming: Option<BTreeMap<Key, Arc<K>>>,
    /// Lists that were begun: what was written before one is in it.
    lists: u64,
}

#[derive(Debug)]
enum Ahead<K> {
    /// It is so, answered after this many lists were begun.
    Is(Arc<K>, u64),
    /// The object of this uid is gone.
    Gone(Option<Arc<str>>),
}

/// All objects of some shards, and the newest version of all.
pub(super) fn all<K: Object>(shards: &[Arc<Shard<K>>]) -> Snapshot<K> {
    together(shards.iter().map(|shard| shard.all().0))
}

fn together<K: Object>(all: impl Iterator<Item = Snapshot<K>>) -> Snapshot<K> {
    let mut whole = Snapshot {
        objects: Vec::new(),
        version: Version::default(),
    };
    for own in all {
        whole.objects.extend(own.objects);
        whole.version = whole.version.max(own.version);
    }
    whole.objects.sort_by_cached_key(|object| object.key());
    whole
}

/// The changes of several shards, after all objects of all of them.
pub(super) fn watch_all<K: Object>(
    shards: Arc<Vec<Arc<Shard<K>>>>,
) -> BoxStream<'static, Change<K>> {
    let begin = async move {
        for shard in shards.iter() {
            shard.synced().await;
            shard.caught_up().await;
        }
        let (all, places): (Vec<_>, Vec<_>) = shards.iter().map(|shard| shard.all()).unzip();
        let first = Change::Reset(together(all.into_iter()));
        let each: Vec<_> = shards
            .iter()
            .zip(places)
            .map(|(shard, place)| log::follow(Arc::clone(shard), Some(place.into())))
            .collect();
        // A shard that lost its place knows of its own objects only.
        let whole = move |change| match change {
            Change::Reset(_) => Change::Reset(self::all(&shards)),
            change => change,
        };
        let rest = stream::select_all(each).map(whole);
        stream::once(std::future::ready(first)).chain(rest)
    };
    stream::once(begin).flatten().boxed()
}

impl<K: Object> Shard<K> {
    /// Nothing is known yet. So many changes are kept for those who watch.
    pub fn new(namespace: Option<Arc<str>>, window: usize) -> Self {
        Self {
            namespace,
            known: RwLock::new(Known {
                objects: BTreeMap::new(),
                ahead: BTreeMap::new(),
                recent: Recent::new(window),
                version: Version(0),
                synced: false,
                coming: None,
                lists: 0,
            }),
            news: watch::Sender::new(false),
        }
    }

    /// The namespace of which it knows; `None` is all.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// True when it would know of an object of this key.
    pub fn holds(&self, key: &Key) -> bool {
        self.namespace().is_none_or(|own| *own == *key.namespace)
    }

    fn read(&self) -> RwLockReadGuard<'_, Known<K>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known, and says so.
    fn change(&self, change: impl FnOnce(&mut Known<K>)) {
        let mut known: RwLockWriteGuard<'_, Known<K>> =
            self.known.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut known);
        drop(known);
        self.news.send_modify(|_| {});
    }

    /// Nobody watches this kind: there is nothing to wait for.
    pub fn is_not_watched(&self) {
        self.change(|known| known.synced = true);
    }

    /// The object, as it was told or written last.
    pub fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.read().get(key).cloned()
    }

    /// The object of exactly this version, if it is in memory: what a write answered, or what was
    /// told before.
    pub fn at_version(&self, key: &Key, version: Version) -> Option<Arc<K>> {
        let known = self.read();
        let told = known.objects.get(key);
        let written = match known.ahead.get(key) {
            Some(Ahead::Is(written, _)) => Some(written),
            Some(Ahead::Gone(_)) | None => None,
        };
        [written, told]
            .into_iter()
            .flatten()
            .find(|object| object.version() == version)
            .cloned()
    }

    /// All objects in order of key, as they were told or written last.
    pub fn list(&self) -> Vec<Arc<K>> {
        let known = self.read();
        if known.ahead.is_empty() {
            return known.objects.values().cloned().collect();
        }
        let mut all = known.objects.clone();
        for key in known.ahead.keys() {
            match known.get(key) {
                Some(object) => drop(all.insert(key.clone(), Arc::clone(object))),
                None => drop(all.remove(key)),
            }
        }
        all.into_values().collect()
    }

    /// Takes what a write answered. Older than what is known it says nothing.
    pub fn wrote(&self, object: &Arc<K>) {
        if !K::CACHED {
            return;
        }
        self.change(|known| {
            let key = object.key();
            // What is not there at a version that the watch has told of went by then.
            let newest = known
                .get(&key)
                .map_or(known.version, |known| known.version());
            let is_late = newest >= object.version();
            if !is_late && !known.is_gone(object) {
                let written = Ahead::Is(Arc::clone(object), known.lists);
                known.ahead.insert(key, written);
            }
        });
    }

    /// Takes that the object of this uid is no more; without one, whatever is known of this key.
    pub fn removed(&self, key: &Key, uid: Option<&Arc<str>>) {
        self.change(|known| {
            let Some(object) = known.get(key) else {
                return;
            };
            let own = object.meta().uid.clone();
            if uid.is_none() || uid == own.as_ref() {
                known.ahead.insert(key.clone(), Ahead::Gone(own));
            }
        });
    }

    /// The watch begins to tell all objects anew.
    pub fn begins(&self) {
        self.change(|known| {
            known.coming = Some(BTreeMap::new());
            known.lists += 1;
        });
    }

    /// One of them.
    pub fn comes(&self, object: impl Into<Arc<K>>) {
        let object = object.into();
        self.change(|known| {
            let key = object.key();
            // What is known stays as it is in memory; and a server that is behind the one that
            // told before (one of several) is not to take anything back.
            let own = known.objects.get(&key);
            let own = own.filter(|own| own.version() >= object.version()).cloned();
            if let Some(coming) = &mut known.coming {
                coming.insert(key, own.unwrap_or(object));
            }
        });
    }

    /// That were all. Whoever watches and may have missed something is told all.
    pub fn is_whole(&self) {
        self.change(|known| {
            let Some(coming) = known.coming.take() else {
                return;
            };
            let pairs = known.objects.values().zip(coming.values());
            let same = known.synced
                && known.objects.len() == coming.len()
                && pairs
                    .into_iter()
                    .all(|(one, other)| Arc::ptr_eq(one, other));
            if !same {
                let newest = coming.values().map(|object| object.version()).max();
                known.version = known.version.max(newest.unwrap_or_default());
                known.recent.forget(known.version);
                known.objects = coming;
            }
            known.synced = true;
            let (objects, lists, version) = (&known.objects, known.lists, known.version);
            known
                .ahead
                .retain(|key, ahead| match (ahead, objects.get(key)) {
                    (Ahead::Is(written, _), Some(told)) => told.version() < written.version(),
                    (Ahead::Is(written, since), None) => {
                        *since == lists && written.version() > version
                    }
                    (Ahead::Gone(uid), told) => told.is_some_and(|told| told.meta().uid == *uid),
                });
        });
    }

    /// The watch tells that an object came or changed.
    pub fn applied(&self, object: impl Into<Arc<K>>) {
        let object = object.into();
        self.change(|known| {
            let (key, version) = (object.key(), object.version());
            let own = known.objects.get(&key).map(|own| own.version());
            if own.is_some_and(|own| own >= version) {
                return;
            }
            let object = match known.ahead.get(&key) {
                // The same in memory as the writer has it.
                Some(Ahead::Is(written, _)) if written.version() == version => Arc::clone(written),
                _ => object,
            };
            let settled = known.ahead.get(&key).is_some_and(|ahead| match ahead {
                Ahead::Is(written, _) => written.version() <= version,
                Ahead::Gone(uid) => object.meta().uid != *uid,
            });
            if settled {
                known.ahead.remove(&key);
            }
            known.version = known.version.max(version);
            known.objects.insert(key, Arc::clone(&object));
            known.recent.push(version, Change::Applied(object));
        });
    }

    /// The watch tells that an object went; its last state.
    pub fn deleted(&self, object: impl Into<Arc<K>>) {
        let object = object.into();
        self.change(|known| {
            let (key, version) = (object.key(), object.version());
            let own = known.objects.get(&key).map(|own| own.version());
            if own.is_none_or(|own| own >= version) {
                return;
            }
            let settled = known.ahead.get(&key).is_some_and(|ahead| match ahead {
                Ahead::Is(written, _) => written.version() <= version,
                Ahead::Gone(uid) => object.meta().uid == *uid,
            });
            if settled {
                known.ahead.remove(&key);
            }
            known.version = known.version.max(version);
            known.objects.remove(&key);
            known.recent.push(version, Change::Deleted(object));
        });
    }

    /// Ready once all objects were told.
    pub async fn synced(&self) {
        self.until(|known| known.synced).await;
    }

    /// Ready once the watch told of all that is written by now.
    pub async fn caught_up(&self) {
        let (newest, gone) = {
            let known = self.read();
            let gone = known.ahead.iter().filter_map(|(key, ahead)| match ahead {
                Ahead::Is(..) => None,
                Ahead::Gone(uid) => Some((key.clone(), uid.clone())),
            });
            (known.newest(), gone.collect::<Vec<_>>())
        };
        let is_there = |known: &Known<K>, (key, uid): &(Key, Option<Arc<str>>)| {
            let told = known.objects.get(key);
            told.is_some_and(|told| told.meta().uid == *uid)
        };
        self.until(|known| {
            known.version >= newest && !gone.iter().any(|gone| is_there(known, gone))
        })
        .await;
    }

    async fn until(&self, is_so: impl Fn(&Known<K>) -> bool) {
        let mut news = self.news.subscribe();
        // The sender is ours, so this ends by the condition only.
        while !is_so(&self.read()) && news.changed().await.is_ok() {}
    }
}

impl<K: Object> Known<K> {
    fn get(&self, key: &Key) -> Option<&Arc<K>> {
        let told = self.objects.get(key);
        match self.ahead.get(key) {
            None => told,
            Some(Ahead::Is(written, _)) => match told {
                Some(told) if told.version() >= written.version() => Some(told),
                _ => Some(written),
            },
            Some(Ahead::Gone(uid)) => told.filter(|told| told.meta().uid != *uid),
        }
    }

    /// True for one that is known to be no more: an answer that came late.
    fn is_gone(&self, object: &K) -> bool {
        let ahead = self.ahead.get(&object.key());
        matches!(ahead, Some(Ahead::Gone(uid)) if *uid == object.meta().uid)
    }

    /// The newest version that anybody can have seen.
    fn newest(&self) -> Version {
        let ahead = self.ahead.values().filter_map(|ahead| match ahead {
            Ahead::Is(written, _) => Some(written.version()),
            Ahead::Gone(_) => None,
        });
        ahead.max().unwrap_or_default().max(self.version)
    }
}

impl<K: Object> Changes<K> for Shard<K> {
    fn all(&self) -> (Snapshot<K>, Place) {
        let known = self.read();
        let snapshot = Snapshot {
            objects: known.objects.values().cloned().collect(),
            version: known.version,
        };
        (snapshot, known.recent.end())
    }

    fn start(&self, from: Version) -> Option<Start> {
        let known = self.read();
        if !known.synced {
            // Whoever waits from the start is told all of the first list.
            return Some(known.recent.end().into());
        }
        if from > known.newest() {
            return None;
        }
        Some(Start {
            place: known.recent.place(from)?,
            // From a write that the watch has not told of yet.
            after: (from > known.version).then_some(from),
        })
    }

    fn settled(&self) -> BoxFuture<'_, ()> {
        self.caught_up().boxed()
    }

    fn after(&self, place: Place) -> Option<(Place, VecDeque<Change<K>>)> {
        self.read().recent.after(place)
    }

    fn news(&self) -> watch::Receiver<bool> {
        self.news.subscribe()
    }
}
