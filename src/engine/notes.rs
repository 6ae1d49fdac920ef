//! Events: collected, counted and written in batches.
//!
//! kube's own recorder walks its whole cache for each event (1.6 ms at 50,000); ours is a map with
//! a bound and one task that writes what is waiting once a second. Equal events of a host within
//! the window become one with a count.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Event;
use tracing::{debug, info, warn};

use crate::api::{BareMetalHost, event};
use crate::reconcile::Note;
use crate::store::{Key, Object as _, Store};

use super::{Shared, Stores};

/// How often waiting events are written.
const FLUSH: Duration = Duration::from_secs(1);
/// Events that may wait; more in one second are dropped with a warning, never hosts held up.
const MOST: usize = 50_000;

/// Events that wait to be written: host, reason and message to the count and the newest host.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<BTreeMap<(Key, &'static str, String), Waiting>>);

#[derive(Debug)]
struct Waiting {
    host: Arc<BareMetalHost>,
    note: Note,
    count: i32,
}

impl<S: Stores> Shared<S> {
    /// Takes notes of a step: each is logged and becomes an event.
    pub(super) fn publish(&self, host: &Arc<BareMetalHost>, notes: &[Note]) {
        for note in notes {
            let key = host.key();
            if note.warning {
                warn!(host = %key, reason = note.reason, "{}", note.message);
            } else {
                info!(host = %key, reason = note.reason, "{}", note.message);
            }
            let mut waiting = self.notes.0.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.len() >= MOST {
                debug!(
                    code = "EventsDropped",
                    "more than {MOST} events wait; one is dropped"
                );
                continue;
            }
            waiting
                .entry((key, note.reason, note.message.clone()))
                .and_modify(|known| known.count += 1)
                .or_insert_with(|| Waiting {
                    host: Arc::clone(host),
                    note: note.clone(),
                    count: 1,
                });
        }
    }
}

/// Writes waiting events until the task ends.
pub(super) async fn flush<S: Stores>(shared: Arc<Shared<S>>) {
    loop {
        tokio::time::sleep(FLUSH).await;
        drain(&shared).await;
    }
}

/// Writes what waits now.
pub(super) async fn drain<S: Stores>(shared: &Shared<S>) {
    let waiting = {
        let mut all = shared
            .notes
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *all)
    };
    if waiting.is_empty() {
        return;
    }
    let now = shared.clock.now();
    let writes = waiting.into_values().map(|Waiting { host, note, count }| {
        let mut object: Event = event::event(&host, note.reason, &note.message, note.warning, now);
        object.count = Some(count);
        async move {
            match Store::<Event>::create(shared.store.as_ref(), object).await {
                Ok(_) | Err(crate::store::StoreError::Exists { .. }) => {}
                Err(error) => debug!(code = error.code(), "event not written: {error}"),
            }
        }
    });
    futures::future::join_all(writes).await;
}
