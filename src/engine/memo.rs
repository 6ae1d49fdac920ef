//! What the engine remembers of a host between two turns. Nothing in it is needed for
//! correctness across a restart: it is found again by looking.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::api::{BareMetalHostStatus, HardwareJson, Timestamp};
use crate::provision::Effect;
use crate::reconcile::{Hold, Outcome, Why};
use crate::store::{Key, Version};

/// One host's memory. Small, as there is one of every host: what few hosts have is apart.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// What came of the last effect, until a step that saw it was written.
    pub outcome: Option<Box<Outcome>>,
    /// An effect that was accepted at this time and is not confirmed yet.
    unconfirmed: Option<Box<(Effect, Instant, Arc<str>)>>,
    /// A digest of what annotations asked for when the last decision was written.
    pub asks: Option<NonZeroU64>,
    /// Whether there is a HardwareData was looked for…
    pub sought: bool,
    /// …and this is its inventory, until the host has it.
    pub inventory: Option<Box<HardwareJson>>,
    /// Effects are put off.
    pub hold: Option<Box<Hold>>,
    /// Why the host is where it is.
    pub why: Option<Arc<Why>>,
    /// Since when it is so.
    pub since: Option<Timestamp>,
    /// The host's version that this is about; another one has not been looked at yet.
    pub version: Version,
    /// A turn is under way…
    turning: bool,
    /// …whose last step looked at this version of the host.
    looked: Version,
    /// The newest version that the store told of meanwhile.
    told: Version,
    /// How often in a row the store did not take what was decided.
    refused: u8,
    /// The status that was to be written with the outcome, when it is not known whether it was.
    doubtful: Option<Box<BareMetalHostStatus>>,
}

impl Memo {
    /// The effect that this provisioner was asked for and that is not confirmed yet.
    pub fn unconfirmed(&self, provisioner: &str) -> Option<&Effect> {
        let (effect, _, asked) = self.unconfirmed.as_deref()?;
        (**asked == *provisioner).then_some(effect)
    }
}

/// All hosts' memories.
#[derive(Debug, Default)]
pub(super) struct Memos(Mutex<All>);

#[derive(Debug, Default)]
struct All {
    hosts: HashMap<Key, Memo>,
    /// Effects that are not confirmed, by the provisioner that was asked, in order of time: a look
    /// confirms from the front, and costs nothing for hosts without one.
    sent: BTreeMap<Arc<str>, VecDeque<(Instant, Key)>>,
}

impl All {
    /// True while the host waits for just this confirmation.
    fn waits(&self, key: &Key, at: Instant) -> bool {
        let memo = self.hosts.get(key);
        let unconfirmed = memo.and_then(|memo| memo.unconfirmed.as_ref());
        unconfirmed.is_some_and(|unconfirmed| unconfirmed.1 == at)
    }
}

impl Memos {
    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at or changes one memory, which is made when there was none.
    pub fn with<T>(&self, key: &Key, change: impl FnOnce(&mut Memo) -> T) -> T {
        let mut all = self.lock();
        if let Some(memo) = all.hosts.get_mut(key) {
            return change(memo);
        }
        change(all.hosts.entry(key.clone()).or_default())
    }

    /// A step looks at this version, in a turn that is under way from here on.
    pub fn looks(&self, key: &Key, version: Version) {
        self.with(key, |memo| {
            memo.turning = true;
            memo.looked = version;
        });
    }

    /// The store tells of a version. True when the host needs a turn for it: not while one is under
    /// way, which sees it before it rests, and not for what a step has looked at. Turns write, and
    /// being woken by that were a quarter of all steps.
    pub fn is_news(&self, key: &Key, version: Version) -> bool {
        self.with(key, |memo| {
            memo.told = memo.told.max(version);
            !memo.turning && memo.told > memo.looked
        })
    }

    /// A turn is about to end. False when it may not: the store told of something newer than its
    /// last step looked at.
    pub fn rests(&self, key: &Key) -> bool {
        let mut all = self.lock();
        all.hosts.get_mut(key).is_none_or(|memo| {
            memo.turning = memo.told > memo.looked;
            !memo.turning
        })
    }

    /// The store took what was decided, or there was nothing for it.
    pub fn is_stored(&self, key: &Key) {
        self.with(key, |memo| {
            memo.refused = 0;
            memo.doubtful = None;
        });
    }

    /// The store did not take what was decided, or did not say so: with the outcome of an effect,
    /// this status. Answers how often in a row.
    pub fn is_refused(&self, key: &Key, decided: Option<&BareMetalHostStatus>) -> u8 {
        self.with(key, |memo| {
            memo.refused = memo.refused.saturating_add(1);
            if memo.outcome.is_some() && decided.is_some() {
                memo.doubtful = decided.cloned().map(Box::new);
            }
            memo.refused
        })
    }

    /// The host's status is this. One that was written after all has the outcome in it: it is not
    /// counted twice.
    pub fn finds(&self, key: &Key, status: Option<&BareMetalHostStatus>) {
        self.with(key, |memo| {
            if memo.doubtful.is_some() && memo.doubtful.as_deref() == status {
                memo.doubtful = None;
                memo.outcome = None;
            }
        });
    }

    /// A turn ends, whatever there is.
    pub fn breaks_off(&self, key: &Key) {
        if let Some(memo) = self.lock().hosts.get_mut(key) {
            memo.turning = false;
        }
    }

    /// Forgets a host that is gone.
    pub fn forget(&self, key: &Key) {
        self.lock().hosts.remove(key);
    }

    /// Notes that `provisioner` was asked for an effect that it did, or may have done, by now.
    pub fn sent(&self, provisioner: &Arc<str>, key: &Key, effect: Effect) {
        let mut all = self.lock();
        // Under the lock, so that a queue is in order.
        let now = Instant::now();
        let memo = all.hosts.entry(key.clone()).or_default();
        memo.unconfirmed = Some(Box::new((effect, now, Arc::clone(provisioner))));
        let queue = all.sent.entry(Arc::clone(provisioner)).or_default();
        queue.push_back((now, key.clone()));
    }

    /// Hosts whose effect `provisioner` accepted before `as_of`, when a look at it began: they are
    /// thereby confirmed. In order.
    pub fn confirm(&self, provisioner: &str, as_of: Instant) -> Vec<Key> {
        let mut all = self.lock();
        let mut confirmed = Vec::new();
        while let Some((at, key)) = all
            .sent
            .get_mut(provisioner)
            .and_then(|queue| queue.pop_front_if(|(at, _)| *at <= as_of))
        {
            if all.waits(&key, at)
                && let Some(memo) = all.hosts.get_mut(&key)
            {
                memo.unconfirmed = None;
                confirmed.push(key);
            }
        }
        confirmed.sort_unstable();
        confirmed
    }

    /// Effects that are not confirmed.
    pub fn unconfirmed(&self) -> usize {
        let all = self.lock();
        let sent = all.sent.values().flatten();
        sent.filter(|(at, key)| all.waits(key, *at)).count()
    }

    /// True when an effect is not confirmed.
    pub fn any_unconfirmed(&self) -> bool {
        let all = self.lock();
        let mut sent = all.sent.values().flatten();
        sent.any(|(at, key)| all.waits(key, *at))
    }

    /// The reasons of all hosts, in order of key.
    pub fn reasons(&self) -> Vec<(Key, Arc<Why>, Option<Timestamp>, Version)> {
        let all = self.lock();
        let mut rows: Vec<_> = all
            .hosts
            .iter()
            .filter_map(|(key, memo)| {
                Some((key.clone(), memo.why.clone()?, memo.since, memo.version))
            })
            .collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_look_confirms_what_its_own_provisioner_was_asked_before_it() {
        let memos = Memos::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let key = |name: &str| Key::new("m", name);
        memos.sent(&a, &key("two"), Effect::Inspect);
        memos.sent(&a, &key("one"), Effect::Deploy);
        memos.sent(&b, &key("other"), Effect::Deploy);
        let look = Instant::now();
        tokio::time::advance(Duration::from_millis(1)).await;
        memos.sent(&a, &key("late"), Effect::Inspect);
        assert_eq!(memos.unconfirmed(), 4);
        assert_eq!(memos.confirm("a", look), [key("one"), key("two")]);
        assert_eq!(memos.confirm("a", look), []);
        assert_eq!(memos.unconfirmed(), 2);
        memos.with(&key("other"), |memo| {
            assert_eq!(memo.unconfirmed("b"), Some(&Effect::Deploy));
            assert_eq!(memo.unconfirmed("other"), None);
        });
        assert_eq!(memos.confirm("b", look), [key("other")]);
        // One that is gone leaves nothing to wait for.
        memos.forget(&key("late"));
        assert_eq!(memos.unconfirmed(), 0);
        assert_eq!(memos.confirm("a", Instant::now()), []);
    }

    #[test]
    fn a_host_is_woken_by_what_no_step_looked_at() {
        let memos = Memos::default();
        let key = Key::new("m", "h");
        assert!(memos.is_news(&key, Version(1)), "nobody looked yet");
        memos.looks(&key, Version(1));
        assert!(!memos.is_news(&key, Version(1)));
        // A turn's own write, seen by its next step.
        assert!(!memos.is_news(&key, Version(2)), "a turn is under way");
        memos.looks(&key, Version(2));
        assert!(memos.rests(&key));
        assert!(!memos.is_news(&key, Version(2)), "it was looked at");
        assert!(memos.is_news(&key, Version(3)));
    }

    #[test]
    fn an_outcome_that_was_written_after_all_is_not_counted_again() {
        let memos = Memos::default();
        let key = Key::new("m", "h");
        let outcome = || Outcome {
            effect: Effect::Deploy,
            generation: 1,
            result: Err(crate::provision::Fault::Gone),
        };
        let status = |count| BareMetalHostStatus {
            error_count: count,
            ..BareMetalHostStatus::default()
        };
        let has_outcome = || memos.with(&key, |memo| memo.outcome.is_some());
        memos.with(&key, |memo| memo.outcome = Some(Box::new(outcome())));
        assert_eq!(memos.is_refused(&key, Some(&status(1))), 1);
        memos.finds(&key, Some(&status(0)));
        assert!(has_outcome(), "it was not written");
        assert_eq!(memos.is_refused(&key, Some(&status(1))), 2);
        memos.finds(&key, Some(&status(1)));
        assert!(!has_outcome(), "it was");
        // Without an outcome there is nothing that could count twice.
        memos.is_stored(&key);
        assert_eq!(memos.is_refused(&key, Some(&status(1))), 1);
        memos.with(&key, |memo| memo.outcome = Some(Box::new(outcome())));
        memos.finds(&key, Some(&status(1)));
        assert!(has_outcome());
    }

    #[test]
    fn a_turn_does_not_rest_before_what_it_was_told_of() {
        let memos = Memos::default();
        let key = Key::new("m", "h");
        memos.looks(&key, Version(1));
        assert!(!memos.is_news(&key, Version(2)));
        assert!(!memos.rests(&key), "one more step");
        memos.looks(&key, Version(2));
        assert!(memos.rests(&key));
        // One that ends without having looked is woken by the next word.
        memos.looks(&key, Version(2));
        memos.breaks_off(&key);
        assert!(memos.is_news(&key, Version(3)));
        // What came after a host that went is news, whatever its version.
        memos.forget(&key);
        assert!(memos.is_news(&key, Version(3)));
    }
}
