//! What is known of one kind in one namespace, or in all: what its watch told, and what writes
//! answered since.

mod known;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use futures::future::{BoxFuture, FutureExt as _};
use tokio::sync::watch;

use crate::store::log::{Changes, Place, Start};
use crate::store::{Change, Key, Object, Snapshot, Version};

use self::known::{Ahead, Coming, Known};
use super::CAUGHT_UP;

/// See the module.
#[derive(Debug)]
pub(super) struct Shard<K> {
    /// `None`: all.
    namespace: Option<Arc<str>>,
    known: RwLock<Known<K>>,
    /// Moves with everything that is told or written.
    news: watch::Sender<bool>,
}

/// What was known of a key before a request about it.
#[derive(Debug)]
pub(super) struct Seen {
    /// The uid and the version of the object; `None`: there was none.
    object: Option<(Option<Arc<str>>, Version)>,
}

impl<K: Object> Shard<K> {
    /// Nothing is known yet. So many changes are kept for those who watch.
    pub fn new(namespace: Option<Arc<str>>, window: usize) -> Self {
        Self {
            namespace,
            known: RwLock::new(Known::new(window)),
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
        known.whole |= known.synced && known.unreadable.is_empty();
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
            Some(Ahead::Gone(..)) | None => None,
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

    /// What is known of this key now, for [`Shard::missed`].
    pub fn seen(&self, key: &Key) -> Seen {
        let known = self.read();
        let object = known.get(key);
        Seen {
            object: object.map(|object| (object.meta().uid.clone(), object.version())),
        }
    }

    /// Takes that the object of this uid is no more.
    pub fn removed(&self, key: &Key, uid: Option<&Arc<str>>) {
        self.change(|known| known.goes(key, |object| object.meta().uid.as_ref() == uid));
    }

    /// Takes that a request found nothing of this name. What was there before it is gone; what came
    /// while it was under way may be a new object, of which the answer says nothing. The watch tells
    /// of that one.
    pub fn missed(&self, key: &Key, seen: &Seen) {
        let Some((uid, version)) = &seen.object else {
            return;
        };
        self.change(|known| {
            known.goes(key, |object| {
                // One without a uid may be another one as soon as it is newer.
                object.meta().uid == *uid && (uid.is_some() || object.version() == *version)
            });
        });
    }

    /// The watch begins to tell all objects anew.
    pub fn begins(&self) {
        self.change(|known| {
            known.coming = Some(Coming {
                objects: BTreeMap::new(),
                unreadable: BTreeMap::new(),
            });
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
                coming.objects.insert(key, own.unwrap_or(object));
            }
        });
    }

    /// One of them, or one that came or changed, that cannot be read and is not known.
    pub fn cannot_read(&self, key: Key, reason: String) {
        self.change(|known| {
            let unreadable = match &mut known.coming {
                Some(coming) => &mut coming.unreadable,
                None => &mut known.unreadable,
            };
            unreadable.insert(key, reason);
        });
    }

    /// What is not known though it is there, as a text.
    pub fn unreadable(&self) -> Option<String> {
        let known = self.read();
        let (key, reason) = known.unreadable.first_key_value()?;
        let more = match known.unreadable.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        Some(format!(
            "{} {key} is there and cannot be read: {reason}{more}; nobody can tell what is to be \
             done before it fits its definition",
            K::KIND
        ))
    }

    /// That were all. Whoever watches and may have missed something is told all.
    pub fn is_whole(&self) {
        self.change(|known| {
            let Some(coming) = known.coming.take() else {
                return;
            };
            known.unreadable = coming.unreadable;
            let coming = coming.objects;
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
                    // A list that was begun after that and has it knows better than the answer.
                    (Ahead::Gone(uid, since), told) => {
                        *since == lists && told.is_some_and(|told| told.meta().uid == *uid)
                    }
                });
        });
    }

    /// The watch tells that an object came or changed.
    pub fn applied(&self, object: impl Into<Arc<K>>) {
        let object = object.into();
        self.change(|known| {
            let (key, version) = (object.key(), object.version());
            known.unreadable.remove(&key);
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
                Ahead::Gone(uid, _) => object.meta().uid != *uid,
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
                Ahead::Gone(uid, _) => object.meta().uid == *uid,
            });
            if settled {
                known.ahead.remove(&key);
            }
            known.version = known.version.max(version);
            known.objects.remove(&key);
            known.recent.push(version, Change::Deleted(object));
        });
    }

    /// The watch tells that one went that nobody knew.
    pub fn is_no_more(&self, key: &Key) {
        self.change(|known| drop(known.unreadable.remove(key)));
    }

    /// Ready once all objects were told, and all of them could be read.
    pub async fn synced(&self) {
        self.until(|known| known.whole).await;
    }

    /// Ready once the watch told of all that is written by now.
    pub async fn caught_up(&self) {
        let (newest, gone) = {
            let known = self.read();
            let gone = known.ahead.iter().filter_map(|(key, ahead)| match ahead {
                Ahead::Is(..) => None,
                Ahead::Gone(uid, _) => Some((key.clone(), uid.clone())),
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

    /// With a limit: whoever follows is told the rest when the watch tells it, and one answer that
    /// the watch never confirms must not keep all changes from them.
    fn settled(&self) -> BoxFuture<'_, ()> {
        let caught_up = tokio::time::timeout(CAUGHT_UP, self.caught_up());
        caught_up.map(|_| ()).boxed()
    }

    fn after(&self, place: Place) -> Option<(Place, VecDeque<Change<K>>)> {
        self.read().recent.after(place)
    }

    fn news(&self) -> watch::Receiver<bool> {
        self.news.subscribe()
    }
}
