//! Events: collected, counted and written in batches.
//!
//! kube's own recorder walks its whole cache for each event (1.6 ms at 50,000); ours is a map with
//! a bound and one task that writes what is waiting once a second. Equal events of a host become
//! one with a count: those of one second at once, later ones as long as the last was less than
//! [`WINDOW`] ago.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::api::Event;
use futures::stream::{self, StreamExt as _};
use jiff::SignedDuration;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::api::{BareMetalHost, Timestamp, event, whole_seconds};
use crate::reconcile::Note;
use crate::store::{Key, Object as _, Patch, Store, StoreError};

use super::{Shared, Stores};

/// How often waiting events are written.
const FLUSH: Duration = Duration::from_secs(1);
/// Events that may wait; more in one second are dropped with a warning, never hosts held up.
const MOST: usize = 50_000;
/// Writes under way at once, as many as a store on a server has places for them. Each takes some 5 KB while it waits; all events of ten thousand hosts that register together took
/// 150 MB.
const WRITES: usize = 16;
/// An equal event within this time is counted, and later it is an event of its own.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Of so many events it is known where they are: as many as a store of its own keeps.
const KNOWN: usize = 4096;
/// How long the last events may take to be written when the engine stops.
const LAST: Duration = Duration::from_millis(500);

/// What events are logged under, so that a shell that shows hosts itself can leave them out.
const EVENTS: &str = "metalform::event";

/// What an event tells: host, reason and message.
type What = (Key, &'static str, String);

/// Events that wait to be written, and where equal ones of late are.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: BTreeMap<What, Waiting>,
    written: BTreeMap<What, Written>,
    dropped: u64,
}

/// An event that was written.
#[derive(Debug, Clone)]
struct Written {
    key: Key,
    count: i32,
    at: Timestamp,
}

#[derive(Debug)]
struct Waiting {
    host: Arc<BareMetalHost>,
    note: Note,
    count: i32,
    /// When it happened last. It may be written later: many wait while many hosts are at work.
    at: Timestamp,
}

impl Notes {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Stores> Shared<S> {
    /// Takes notes of a step: each is logged and becomes an event.
    pub(super) fn publish(&self, host: &Arc<BareMetalHost>, notes: &[Note]) {
        let now = self.clock.now();
        for note in notes {
            let key = host.key();
            if note.warning {
                warn!(target: EVENTS, host = %key, reason = note.reason, "{}", note.message);
            } else {
                info!(target: EVENTS, host = %key, reason = note.reason, "{}", note.message);
            }
            let mut inner = self.notes.lock();
            if inner.waiting.len() >= MOST {
                inner.dropped += 1;
                continue;
            }
            inner
                .waiting
                .entry((key, note.reason, note.message.clone()))
                .and_modify(|known| {
                    known.count += 1;
                    known.at = now;
                })
                .or_insert_with(|| Waiting {
                    host: Arc::clone(host),
                    note: note.clone(),
                    count: 1,
                    at: now,
                });
        }
    }

    /// Writes an event, or counts it in an equal one that was written lately. Answers where it is
    /// and how often it happened.
    async fn write_event(
        &self,
        waiting: Waiting,
        earlier: Option<Written>,
    ) -> Result<(Key, i32), StoreError> {
        let Waiting {
            host,
            note,
            count,
            at,
        } = waiting;
        let store = self.store.as_ref();
        if let Some(Written {
            key, count: before, ..
        }) = earlier
        {
            let count = before.saturating_add(count);
            let last = whole_seconds(at).to_string();
            let change = json!({ "count": count, "lastTimestamp": last });
            match Store::<Event>::patch(store, &key, Patch::Merge(change), None).await {
                // Kept no longer: a new one.
                Err(StoreError::NotFound { .. }) => {}
                other => return other.map(|_| (key, count)),
            }
        }
        let mut new: Event = event::event(&host, note.reason, &note.message, note.warning, at);
        new.count = Some(count);
        let key = new.key();
        match Store::<Event>::create(store, new).await {
            Ok(_) | Err(StoreError::Exists { .. }) => Ok((key, count)),
            Err(error) => Err(error),
        }
    }
}

/// Writes waiting events until `stop`, and then those that it is at.
pub(super) async fn flush<S: Stores>(shared: Arc<Shared<S>>, stop: CancellationToken) {
    while stop
        .run_until_cancelled(tokio::time::sleep(FLUSH))
        .await
        .is_some()
    {
        drain(&shared).await;
    }
}

/// Writes what waits when the engine stops, once `flushing` has ended; a store that hangs does not
/// hold it up.
pub(super) async fn last<S: Stores>(shared: &Shared<S>, flushing: JoinHandle<()>) {
    let flushing = AbortOnDropHandle::new(flushing);
    let all = async {
        flushing.await.ok();
        drain(shared).await;
    };
    if tokio::time::timeout(LAST, all).await.is_err() {
        warn!(
            code = "EventsDropped",
            "the last events were not written in time"
        );
    }
}

/// Writes what waits now.
async fn drain<S: Stores>(shared: &Shared<S>) {
    let now = shared.clock.now();
    let is_late = |at: &Timestamp| now.duration_since(*at) < WINDOW;
    let (waiting, dropped) = {
        let mut inner = shared.notes.lock();
        // Now and then: at each look it would walk over all of them for the few that are too many.
        if inner.written.len() > KNOWN + KNOWN / 4 {
            let mut times: Vec<Timestamp> = inner.written.values().map(|known| known.at).collect();
            times.sort_unstable();
            let oldest = times[times.len() - KNOWN];
            inner
                .written
                .retain(|_, known| known.at > oldest && is_late(&known.at));
        }
        let waiting = std::mem::take(&mut inner.waiting);
        (waiting, std::mem::take(&mut inner.dropped))
    };
    if dropped > 0 {
        warn!(
            code = "EventsDropped",
            "more than {MOST} events in a second; {dropped} were dropped"
        );
    }
    stream::iter(waiting)
        .for_each_concurrent(WRITES, |(what, waiting)| async move {
            let at = waiting.at;
            let earlier = shared.notes.lock().written.get(&what).cloned();
            let earlier = earlier.filter(|known| is_late(&known.at));
            match shared.write_event(waiting, earlier).await {
                Ok((key, count)) => {
                    let written = Written { key, count, at };
                    shared.notes.lock().written.insert(what, written);
                }
                Err(error) => {
                    if let Some(also) = shared.is_told("Event") {
                        warn!(
                            host = %what.0,
                            code = error.code(),
                            "event not written: {error}{also}"
                        );
                    }
                }
            }
        })
        .await;
}
