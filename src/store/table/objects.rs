//! Objects by key, found at once and listed in order.

use std::collections::{BTreeMap, HashMap};

use slab::Slab;

use super::Item;
use crate::store::Key;

/// Objects of a kind. A search in a sorted map compares fourteen keys among ten thousand objects,
/// each with its text elsewhere in memory; it was a twentieth of the life of a fleet. So the order
/// is asked by lists only, and changes only when an object comes or goes.
#[derive(Debug)]
pub(super) struct Objects<K> {
    items: Slab<Item<K>>,
    places: HashMap<Key, usize>,
    order: BTreeMap<Key, usize>,
}

impl<K> Objects<K> {
    /// None.
    pub fn new() -> Self {
        Self {
            items: Slab::new(),
            places: HashMap::new(),
            order: BTreeMap::new(),
        }
    }

    /// The object of this key.
    pub fn get(&self, key: &Key) -> Option<&Item<K>> {
        self.items.get(*self.places.get(key)?)
    }

    /// The object of this key, to be replaced.
    pub fn get_mut(&mut self, key: &Key) -> Option<&mut Item<K>> {
        self.items.get_mut(*self.places.get(key)?)
    }

    /// Adds an object, or takes the place of the one with its key.
    pub fn insert(&mut self, key: Key, item: Item<K>) {
        if let Some(known) = self.get_mut(&key) {
            *known = item;
            return;
        }
        let place = self.items.insert(item);
        self.order.insert(key.clone(), place);
        self.places.insert(key, place);
    }

    /// Takes an object out.
    pub fn remove(&mut self, key: &Key) -> Option<Item<K>> {
        let place = self.places.remove(key)?;
        self.order.remove(key);
        self.items.try_remove(place)
    }

    /// All, in order of key.
    pub fn values(&self) -> impl Iterator<Item = &Item<K>> {
        let places = self.order.values();
        places.filter_map(|place| self.items.get(*place))
    }
}
