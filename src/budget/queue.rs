//! Who waits: first come first served within a rack, round robin over the racks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::store::Key;

/// A queue that is fair to racks. Adding, taking and finding out whether it is empty cost O(log n).
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    /// Those who wait, by rack, with the number under which they came.
    racks: BTreeMap<Arc<str>, BTreeMap<u64, Key>>,
    /// The order of the racks' turns; each rack that waits is in it once.
    turns: VecDeque<Arc<str>>,
    /// Where a host waits.
    places: BTreeMap<Key, (Arc<str>, u64)>,
    /// Number of the next to come.
    next: u64,
}

impl Queue {
    /// Adds a host at the end of its rack's line. A host that waits already keeps its place.
    pub fn push(&mut self, host: Key, rack: &str) {
        if self.places.contains_key(&host) {
            return;
        }
        let known = self
            .racks
            .get_key_value(rack)
            .map(|(rack, _)| Arc::clone(rack));
        let rack = known.unwrap_or_else(|| {
            let rack: Arc<str> = rack.into();
            self.turns.push_back(Arc::clone(&rack));
            rack
        });
        let number = self.next;
        self.next += 1;
        self.racks
            .entry(Arc::clone(&rack))
            .or_default()
            .insert(number, host.clone());
        self.places.insert(host, (rack, number));
    }

    /// Takes the host whose turn it is.
    pub fn pop(&mut self) -> Option<Key> {
        let rack = self.turns.front()?.clone();
        let (_, host) = self.racks.get(&rack)?.first_key_value()?;
        let host = host.clone();
        self.remove(&host);
        // The rack goes to the end of the round, unless it left because it was the last.
        if self.turns.front() == Some(&rack) {
            self.turns.rotate_left(1);
        }
        Some(host)
    }

    /// Takes a host out, wherever it stands.
    pub fn remove(&mut self, host: &Key) {
        let Some((rack, number)) = self.places.remove(host) else {
            return;
        };
        let Some(line) = self.racks.get_mut(&rack) else {
            return;
        };
        line.remove(&number);
        if line.is_empty() {
            self.racks.remove(&rack);
            self.turns.retain(|turn| *turn != rack);
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True when nobody waits.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}
