//! What the engine remembers of a host between two turns. Nothing in it is needed for
//! correctness across a restart: it is found again by looking.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::api::Timestamp;
use crate::provision::Effect;
use crate::reconcile::{Outcome, Why};
use crate::store::{Key, Version};

/// One host's memory.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// What came of the last effect, until a step that saw it was written.
    pub outcome: Option<Outcome>,
    /// An effect that was accepted at this time and is not confirmed yet.
    pub unconfirmed: Option<(Effect, Instant)>,
    /// Why the host is where it is.
    pub why: Option<Why>,
    /// Since when it is so.
    pub since: Option<Timestamp>,
    /// The host's version that this is about; another one has not been looked at yet.
    pub version: Version,
}

/// All hosts' memories.
#[derive(Debug, Default)]
pub(super) struct Memos(Mutex<HashMap<Key, Memo>>);

impl Memos {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Memo>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at or changes one memory, which is made when there was none.
    pub fn with<T>(&self, key: &Key, change: impl FnOnce(&mut Memo) -> T) -> T {
        let mut all = self.lock();
        if let Some(memo) = all.get_mut(key) {
            return change(memo);
        }
        change(all.entry(key.clone()).or_default())
    }

    /// Forgets a host that is gone.
    pub fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    /// Hosts whose effect was accepted before `as_of`, which are thereby confirmed, in order.
    pub fn confirm(&self, as_of: Instant) -> Vec<Key> {
        let mut confirmed: Vec<Key> = self
            .lock()
            .iter_mut()
            .filter_map(|(key, memo)| {
                memo.unconfirmed
                    .take_if(|(_, at)| *at <= as_of)
                    .map(|_| key.clone())
            })
            .collect();
        confirmed.sort_unstable();
        confirmed
    }

    /// Effects that are not confirmed.
    pub fn unconfirmed(&self) -> usize {
        self.lock()
            .values()
            .filter(|memo| memo.unconfirmed.is_some())
            .count()
    }

    /// The reasons of all hosts, in order of key.
    pub fn reasons(&self) -> Vec<(Key, Why, Option<Timestamp>, Version)> {
        let all = self.lock();
        let mut rows: Vec<_> = all
            .iter()
            .filter_map(|(key, memo)| {
                Some((key.clone(), memo.why.clone()?, memo.since, memo.version))
            })
            .collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows
    }
}
