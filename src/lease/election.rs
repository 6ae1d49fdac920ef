//! What to do with a lease now. Pure: records and times come in.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use tokio::time::Instant;

use crate::api::Timestamp;

use super::Times;
use super::record::LeaseSpec;

/// What one candidate knows.
#[derive(Debug)]
pub(super) struct Election {
    me: Arc<str>,
    times: Times,
    /// The record as it was last seen to change, and when that was here.
    seen: Option<(LeaseSpec, Instant)>,
    /// When the renewal began that was acknowledged last.
    renewed: Option<Instant>,
    /// It was held, and the record names somebody else.
    lost: bool,
}

/// What to do.
#[derive(Debug, PartialEq)]
pub(super) enum Move {
    /// Write this record.
    Write(LeaseSpec),
    /// Look again after this long.
    Wait(Duration),
}

impl Election {
    pub fn new(me: Arc<str>, times: Times) -> Self {
        Self {
            me,
            times,
            seen: None,
            renewed: None,
            lost: false,
        }
    }

    /// What to do about this record. `wall` is only written; decisions rest on `now`.
    pub fn next(&mut self, record: Option<&LeaseSpec>, wall: Timestamp, now: Instant) -> Move {
        let Some(record) = record else {
            return Move::Write(self.record(None, wall));
        };
        let since = match &self.seen {
            Some((seen, since)) if seen == record => *since,
            _ => {
                self.seen = Some((record.clone(), now));
                now
            }
        };
        let is_mine = record.holder() == Some(&*self.me);
        if self.renewed.is_some() && !is_mine {
            self.lost = true;
        }
        let seconds = record.lease_duration_seconds.unwrap_or_default().max(0);
        let free = since + Duration::from_secs(seconds.unsigned_abs().into());
        if is_mine || record.holder().is_none() || free <= now {
            return Move::Write(self.record(Some(record), wall));
        }
        Move::Wait(self.times.retry.min(free - now))
    }

    /// Our record after this one.
    fn record(&self, before: Option<&LeaseSpec>, wall: Timestamp) -> LeaseSpec {
        let now = MicroTime(wall);
        let is_mine = before.is_some_and(|before| before.holder() == Some(&*self.me));
        let acquired = before.and_then(|before| before.acquire_time.clone());
        let transitions = before.and_then(|before| before.lease_transitions);
        LeaseSpec {
            holder_identity: Some(self.me.to_string()),
            lease_duration_seconds: Some(self.times.duration.as_secs() as i32),
            acquire_time: acquired.filter(|_| is_mine).or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(match transitions {
                None => 0,
                Some(count) if is_mine => count,
                Some(count) => count.saturating_add(1),
            }),
        }
    }

    /// A write that began then was acknowledged. True when the lease was not held before.
    pub fn won(&mut self, began: Instant) -> bool {
        self.renewed.replace(began).is_none()
    }

    /// Until when it is held; `None` when it never was.
    pub fn holds_until(&self) -> Option<Instant> {
        self.renewed.map(|renewed| renewed + self.times.renew)
    }

    /// It was held and somebody else has it now.
    pub fn is_lost(&self) -> bool {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn election(me: &str) -> Election {
        Election::new(me.into(), Times::default())
    }

    fn written(next: Move) -> LeaseSpec {
        match next {
            Move::Write(spec) => spec,
            Move::Wait(wait) => panic!("waits {wait:?}"),
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_one_takes_it_and_keeps_it() {
        let mut a = election("a");
        let start = Instant::now();
        let first = written(a.next(None, wall(0), start));
        assert_eq!(first.holder(), Some("a"));
        assert_eq!(first.lease_duration_seconds, Some(15));
        assert_eq!(first.lease_transitions, Some(0));
        assert!(a.won(start));
        assert_eq!(a.holds_until(), Some(start + 10 * SECOND));
        let second = written(a.next(Some(&first), wall(2), start + 2 * SECOND));
        assert_eq!(second.acquire_time, first.acquire_time);
        assert_eq!(second.renew_time, Some(MicroTime(wall(2))));
        assert_eq!(second.lease_transitions, Some(0));
        assert!(!a.won(start + 2 * SECOND));
    }

    #[test]
    fn another_one_waits_until_it_is_not_renewed() {
        let (mut a, mut b) = (election("a"), election("b"));
        let start = Instant::now();
        let record = written(a.next(None, wall(0), start));
        // The other's clock is a year off, which does not matter.
        let far = wall(31_536_000);
        assert_eq!(b.next(Some(&record), far, start), Move::Wait(2 * SECOND));
        let renewed = written(a.next(Some(&record), wall(2), start + 2 * SECOND));
        let later = start + 14 * SECOND;
        assert_eq!(b.next(Some(&renewed), far, later), Move::Wait(2 * SECOND));
        let nearly = later + 14 * SECOND;
        assert_eq!(b.next(Some(&renewed), far, nearly), Move::Wait(SECOND));
        let taken = written(b.next(Some(&renewed), far, later + 15 * SECOND));
        assert_eq!(
            (taken.holder(), taken.lease_transitions),
            (Some("b"), Some(1))
        );
        assert_eq!(taken.acquire_time, Some(MicroTime(far)));
        // The first one held it until 12 s after the start.
        assert!(a.won(start + 2 * SECOND));
        assert!(a.holds_until().unwrap() < later + 15 * SECOND);
        assert!(!a.is_lost());
        a.next(Some(&taken), wall(40), start + 40 * SECOND);
        assert!(a.is_lost());
    }

    #[test]
    fn what_was_given_back_is_taken_at_once() {
        let mut a = election("a");
        let start = Instant::now();
        let record = written(a.next(None, wall(0), start));
        let free = record.released(wall(1));
        let mut b = election("b");
        let taken = written(b.next(Some(&free), wall(1), start + SECOND));
        assert_eq!(taken.holder(), Some("b"));
    }

    #[test]
    fn times_that_overlap_are_refused() {
        assert_eq!(Times::default().fault(), None);
        let times = Times {
            renew: Duration::from_secs(15),
            ..Times::default()
        };
        assert!(times.fault().is_some());
        let times = Times {
            retry: Duration::from_secs(10),
            ..Times::default()
        };
        assert!(times.fault().is_some());
    }
}
