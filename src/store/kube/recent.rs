//! The latest changes that a watch told of, for those who watch the store.
//!
//! Places are counted here and are not versions: a server that is behind the one before (one of
//! several) tells of old versions late, and they are not to be passed over.

use std::collections::VecDeque;

use crate::store::log::{CHUNK, Place};
use crate::store::{Change, Object, Version};

/// The last changes, oldest first.
#[derive(Debug)]
pub(super) struct Recent<K> {
    changes: VecDeque<(Version, Change<K>)>,
    /// The place of the first of them.
    first: u64,
    /// Changes up to this version may be gone from here.
    floor: Version,
    capacity: usize,
}

impl<K: Object> Recent<K> {
    /// None yet. At most so many are kept.
    pub fn new(capacity: usize) -> Self {
        Self {
            changes: VecDeque::new(),
            first: 0,
            floor: Version(0),
            capacity: capacity.max(1),
        }
    }

    /// Adds the newest change.
    pub fn push(&mut self, version: Version, change: Change<K>) {
        if self.changes.len() >= self.capacity
            && let Some((gone, _)) = self.changes.pop_front()
        {
            self.first += 1;
            self.floor = self.floor.max(gone);
        }
        self.changes.push_back((version, change));
    }

    /// Something may have been missed: every place before this is lost, every version before
    /// `now` too.
    pub fn forget(&mut self, now: Version) {
        self.first = self.end().0 + 1;
        self.changes.clear();
        self.floor = now;
    }

    /// After the newest change.
    pub fn end(&self) -> Place {
        Place(self.first + self.changes.len() as u64)
    }

    /// The place of the first change after a version; `None` when some of them are gone.
    pub fn place(&self, from: Version) -> Option<Place> {
        if from < self.floor {
            return None;
        }
        let after = self.changes.iter().position(|(version, _)| *version > from);
        Some(after.map_or(self.end(), |index| Place(self.first + index as u64)))
    }

    /// The next changes at a place and where they lead; `None` when some of them are gone.
    pub fn after(&self, place: Place) -> Option<(Place, VecDeque<Change<K>>)> {
        let start = usize::try_from(place.0.checked_sub(self.first)?).ok()?;
        let next = self.changes.iter().skip(start).take(CHUNK);
        let next: VecDeque<Change<K>> = next.map(|(_, change)| change.clone()).collect();
        Some((Place(place.0 + next.len() as u64), next))
    }
}
