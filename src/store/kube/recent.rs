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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::conformance::Widget;

    fn change(version: u64) -> (Version, Change<Widget>) {
        let widget = json!({
            "apiVersion": "test.metalform.dev/v1", "kind": "Widget", "spec": {},
            "metadata": { "name": "a", "resourceVersion": version.to_string() },
        });
        let widget: Widget = serde_json::from_value(widget).unwrap();
        (Version(version), Change::Applied(widget.into()))
    }

    fn with(capacity: usize, versions: impl IntoIterator<Item = u64>) -> Recent<Widget> {
        let mut recent = Recent::new(capacity);
        for version in versions {
            let (version, change) = change(version);
            recent.push(version, change);
        }
        recent
    }

    /// The versions of what follows a version; `None` when some are gone.
    fn after(recent: &Recent<Widget>, from: u64) -> Option<Vec<u64>> {
        let (_, changes) = recent.after(recent.place(Version(from))?)?;
        let version = |change: Change<Widget>| match change {
            Change::Applied(widget) | Change::Deleted(widget) => widget.version().0,
            Change::Reset(_) => 0,
        };
        Some(changes.into_iter().map(version).collect())
    }

    #[test]
    fn what_is_kept_is_told_from_every_version_on() {
        let recent = with(3, [2, 5, 7]);
        assert_eq!(after(&recent, 0), Some(vec![2, 5, 7]));
        assert_eq!(after(&recent, 2), Some(vec![5, 7]));
        assert_eq!(after(&recent, 6), Some(vec![7]));
        assert_eq!(after(&recent, 7), Some(vec![]));
        assert_eq!(recent.place(Version(9)), Some(recent.end()));
    }

    #[test]
    fn what_was_pushed_out_is_missed_by_those_who_need_it_only() {
        let recent = with(3, [2, 5, 7, 8]);
        assert_eq!(after(&recent, 1), None);
        assert_eq!(after(&recent, 2), Some(vec![5, 7, 8]));
        // An old version that came late takes no newer one along.
        let recent = with(2, [7, 3, 4, 5]);
        assert_eq!(after(&recent, 6), None);
        assert_eq!(after(&recent, 7), Some(vec![]));
    }

    #[test]
    fn after_something_was_missed_every_place_is_lost() {
        let mut recent = with(3, [2, 5]);
        let (place, end) = (recent.place(Version(2)).unwrap(), recent.end());
        recent.forget(Version(6));
        assert!(recent.after(place).is_none() && recent.after(end).is_none());
        assert_eq!(after(&recent, 5), None);
        assert_eq!(after(&recent, 6), Some(vec![]));
    }

    #[test]
    fn changes_come_in_chunks() {
        let all = CHUNK as u64 + 10;
        let recent = with(2 * CHUNK, 1..=all);
        let (place, first) = recent.after(recent.place(Version(0)).unwrap()).unwrap();
        assert_eq!(first.len(), CHUNK);
        let (place, rest) = recent.after(place).unwrap();
        assert_eq!((rest.len(), place), (10, recent.end()));
    }
}
