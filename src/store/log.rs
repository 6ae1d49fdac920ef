//! The recent changes of a kind, for those who watch.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt as _};

use super::table::Table;
use super::{Change, Object, Version};

/// How many changes a watcher takes at once.
const CHUNK: usize = 256;

/// The last changes, oldest first.
#[derive(Debug)]
pub(super) struct Ring<K> {
    changes: VecDeque<(Version, Change<K>)>,
    /// Changes up to here may be gone from the ring.
    floor: Version,
    capacity: usize,
}

impl<K: Object> Ring<K> {
    /// An empty ring that knows nothing of what was up to `floor`.
    pub fn new(capacity: usize, floor: Version) -> Self {
        Self {
            changes: VecDeque::new(),
            floor,
            capacity: capacity.max(1),
        }
    }

    /// Adds the newest change.
    pub fn push(&mut self, version: Version, change: Change<K>) {
        if self.changes.len() >= self.capacity
            && let Some((gone, _)) = self.changes.pop_front()
        {
            self.floor = gone;
        }
        self.changes.push_back((version, change));
    }

    /// The next changes after `from`; `None` when some of them are gone.
    pub fn after(&self, from: Version) -> Option<(Version, VecDeque<Change<K>>)> {
        if from < self.floor {
            return None;
        }
        let start = self
            .changes
            .partition_point(|(version, _)| *version <= from);
        let next = self.changes.range(start..).take(CHUNK);
        let last = next
            .clone()
            .next_back()
            .map_or(from, |(version, _)| *version);
        Some((last, next.map(|(_, change)| change.clone()).collect()))
    }
}

/// Follows a table from a version on. Ends when the store is closed and all is told.
pub(super) fn watch<K: Object>(
    table: Arc<Table<K>>,
    from: Version,
) -> BoxStream<'static, Change<K>> {
    struct Watcher<K: Object> {
        table: Arc<Table<K>>,
        news: tokio::sync::watch::Receiver<bool>,
        at: Version,
        next: VecDeque<Change<K>>,
    }
    let news = table.news();
    let watcher = Watcher {
        table,
        news,
        at: from,
        next: VecDeque::new(),
    };
    stream::unfold(watcher, |mut watcher| async move {
        loop {
            if let Some(change) = watcher.next.pop_front() {
                return Some((change, watcher));
            }
            // Before looking, so that what comes after the look wakes us.
            let closed = *watcher.news.borrow_and_update();
            match watcher.table.after(watcher.at) {
                None => {
                    let snapshot = watcher.table.snapshot();
                    watcher.at = snapshot.version;
                    return Some((Change::Reset(snapshot), watcher));
                }
                Some((at, next)) => {
                    watcher.at = at;
                    watcher.next = next;
                }
            }
            if watcher.next.is_empty() && (closed || watcher.news.changed().await.is_err()) {
                return None;
            }
        }
    })
    .boxed()
}
