//! Objects that are not kept for ever, in the order in which they go.

use std::collections::{HashMap, VecDeque};

use crate::api::Timestamp;
use crate::store::{Key, Retention};

/// The order in which objects were written that are not kept for ever.
#[derive(Debug, Default)]
pub(super) struct Retained {
    /// Oldest first; entries whose time is not the one in `latest` are stale.
    all: VecDeque<(Timestamp, Key)>,
    about: HashMap<String, VecDeque<Key>>,
    latest: HashMap<Key, (Timestamp, Option<String>)>,
}

impl Retained {
    /// Counts an object that was written.
    pub fn add(&mut self, key: Key, about: Option<String>, now: Timestamp) {
        let known = self
            .latest
            .insert(key.clone(), (now, about.clone()))
            .is_some();
        if let Some(about) = about
            && !known
        {
            self.about.entry(about).or_default().push_back(key.clone());
        }
        self.all.push_back((now, key));
    }

    /// Counts it no more.
    pub fn forget(&mut self, key: &Key) {
        let Some((_, Some(about))) = self.latest.remove(key) else {
            return;
        };
        if let Some(keys) = self.about.get_mut(&about) {
            keys.retain(|other| other != key);
            if keys.is_empty() {
                self.about.remove(&about);
            }
        }
    }

    /// Takes out what is over the rule; the object written last stays.
    pub fn expire(&mut self, rule: Retention, now: Timestamp) -> Vec<Key> {
        let mut gone = Vec::new();
        let newest = self.all.back().map(|(_, key)| key.clone());
        if let Some(newest) = &newest
            && let Some((_, Some(about))) = self.latest.get(newest)
            && let Some(keys) = self.about.get_mut(about)
            && keys.len() > rule.each.max(1)
            && let Some(oldest) = keys.iter().find(|key| *key != newest).cloned()
        {
            self.forget(&oldest);
            gone.push(oldest);
        }
        let age = jiff::SignedDuration::try_from(rule.age).unwrap_or(jiff::SignedDuration::MAX);
        while let Some((time, key)) = self.all.front() {
            let stale = self
                .latest
                .get(key)
                .is_none_or(|(latest, _)| latest != time);
            let old = now.duration_since(*time) > age || self.latest.len() > rule.total.max(1);
            let expired = old && Some(key) != newest.as_ref();
            if !stale && !expired {
                break;
            }
            if let Some((_, key)) = self.all.pop_front()
                && !stale
            {
                self.forget(&key);
                gone.push(key);
            }
        }
        gone
    }
}
