//! The recent changes of a kind, for those who watch.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};

use super::{Change, Object, Snapshot, Version};

/// How many changes a watcher takes at once.
pub(super) const CHUNK: usize = 256;

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

/// A place in the changes of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(pub u64);

/// Where somebody starts to follow.
pub(super) struct Start {
    pub place: Place,
    /// What comes there of this version or before is known to them.
    pub after: Option<Version>,
}

impl From<Place> for Start {
    fn from(place: Place) -> Self {
        Self { place, after: None }
    }
}

/// Where the recent changes of a kind are found.
pub(super) trait Changes<K>: Send + Sync + 'static {
    /// All objects, and the place of what comes after.
    fn all(&self) -> (Snapshot<K>, Place);

    /// Where the changes after a version start; `None` when that is lost.
    fn start(&self, from: Version) -> Option<Start>;

    /// The next changes at a place and where they lead; `None` when some of them are lost.
    fn after(&self, place: Place) -> Option<(Place, VecDeque<Change<K>>)>;

    /// Ready once [`Changes::all`] shows what is written by now.
    fn settled(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Moves with everything new; true once there will be no more.
    fn news(&self) -> tokio::sync::watch::Receiver<bool>;
}

/// Follows a kind from a version on. Ends when there will be no more and all is told.
pub(super) fn watch<K: Object, C: Changes<K>>(
    changes: Arc<C>,
    from: Version,
) -> BoxStream<'static, Change<K>> {
    let start = changes.start(from);
    follow(changes, start)
}

/// Follows a kind from a place on; without one it begins with all.
pub(super) fn follow<K: Object, C: Changes<K>>(
    changes: Arc<C>,
    start: Option<Start>,
) -> BoxStream<'static, Change<K>> {
    struct Watcher<K: Object, C> {
        changes: Arc<C>,
        news: tokio::sync::watch::Receiver<bool>,
        /// `None`: lost.
        at: Option<Place>,
        after: Option<Version>,
        next: VecDeque<Change<K>>,
    }
    let watcher: Watcher<K, C> = Watcher {
        news: changes.news(),
        at: start.as_ref().map(|start| start.place),
        after: start.and_then(|start| start.after),
        changes,
        next: VecDeque::new(),
    };
    stream::unfold(watcher, |mut watcher| async move {
        loop {
            if let Some(change) = watcher.next.pop_front() {
                match (&change, watcher.after) {
                    (Change::Applied(object) | Change::Deleted(object), Some(after))
                        if object.version() <= after => {}
                    _ => return Some((change, watcher)),
                }
                continue;
            }
            // Before looking, so that what comes after the look wakes us.
            let closed = *watcher.news.borrow_and_update();
            match watcher.at.and_then(|at| watcher.changes.after(at)) {
                None => {
                    watcher.changes.settled().await;
                    watcher.after = None;
                    let (snapshot, place) = watcher.changes.all();
                    watcher.at = Some(place);
                    return Some((Change::Reset(snapshot), watcher));
                }
                Some((at, next)) => {
                    watcher.at = Some(at);
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
