//! What a shard knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::store::kube::recent::Recent;
use crate::store::{Key, Object, Version};

#[derive(Debug)]
pub(super) struct Known<K> {
    pub objects: BTreeMap<Key, Arc<K>>,
    /// What writes answered and the watch has not told of yet.
    pub ahead: BTreeMap<Key, Ahead<K>>,
    pub recent: Recent<K>,
    /// The newest version that the watch told of.
    pub version: Version,
    /// All objects were told once.
    pub synced: bool,
    /// A new list that is not whole yet.
    pub coming: Option<Coming<K>>,
    /// Objects that are there, cannot be read and were never known, and why.
    pub unreadable: Unreadable,
    /// All that was there was known once.
    pub whole: bool,
    /// Lists that were begun: what was written before one is in it.
    pub lists: u64,
}

#[derive(Debug)]
pub(super) enum Ahead<K> {
    /// It is so, answered after this many lists were begun.
    Is(Arc<K>, u64),
    /// The object of this uid is gone, as an answer told after this many lists were begun.
    Gone(Option<Arc<str>>, u64),
}

/// See [`Known::coming`].
#[derive(Debug)]
pub(super) struct Coming<K> {
    pub objects: BTreeMap<Key, Arc<K>>,
    pub unreadable: Unreadable,
}

pub(super) type Unreadable = BTreeMap<Key, String>;

impl<K: Object> Known<K> {
    /// Nothing yet. So many changes are kept.
    pub fn new(window: usize) -> Self {
        Self {
            objects: BTreeMap::new(),
            ahead: BTreeMap::new(),
            recent: Recent::new(window),
            version: Version(0),
            synced: false,
            coming: None,
            unreadable: BTreeMap::new(),
            whole: false,
            lists: 0,
        }
    }

    /// The object, as it was told or written last.
    pub fn get(&self, key: &Key) -> Option<&Arc<K>> {
        let told = self.objects.get(key);
        match self.ahead.get(key) {
            None => told,
            Some(Ahead::Is(written, _)) => match told {
                Some(told) if told.version() >= written.version() => Some(told),
                _ => Some(written),
            },
            Some(Ahead::Gone(uid, _)) => told.filter(|told| told.meta().uid != *uid),
        }
    }

    /// True for one that is known to be no more: an answer that came late.
    pub fn is_gone(&self, object: &K) -> bool {
        let ahead = self.ahead.get(&object.key());
        matches!(ahead, Some(Ahead::Gone(uid, _)) if *uid == object.meta().uid)
    }

    /// The object of this key is gone, if it is that one.
    pub fn goes(&mut self, key: &Key, is_that: impl FnOnce(&K) -> bool) {
        if let Some(object) = self.get(key).filter(|object| is_that(object)) {
            let gone = Ahead::Gone(object.meta().uid.clone(), self.lists);
            self.ahead.insert(key.clone(), gone);
        }
    }

    /// The newest version that anybody can have seen.
    pub fn newest(&self) -> Version {
        let ahead = self.ahead.values().filter_map(|ahead| match ahead {
            Ahead::Is(written, _) => Some(written.version()),
            Ahead::Gone(..) => None,
        });
        ahead.max().unwrap_or_default().max(self.version)
    }
}
