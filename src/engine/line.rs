//! Who has a turn next: hosts in line, each once, in the order in which they came; and those that
//! come back by themselves after a while.
//!
//! As many have their turn at once as may: a turn that waits for an answer is deep, so ten thousand hosts
//! that are looked at together after a start cost what a few hundred do. (kube-runtime's `applier` polls
//! all turns whenever one is woken and keeps 2 kB of each host that it was ever given.)

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::store::Key;

/// The line is looked at this often, even when nothing happens: that it moves can be seen from
/// outside.
const BEAT: Duration = Duration::from_secs(10);

/// The line.
#[derive(Debug)]
pub(super) struct Line {
    state: Mutex<State>,
    /// Somebody came, or a turn ended.
    news: Notify,
    /// Turns at once.
    most: usize,
    made: Instant,
    /// When it was looked at last, in milliseconds after it was made; 0 for never.
    beat: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// Hosts that have a place; all others are not in line.
    places: HashMap<Key, Place>,
    waiting: VecDeque<Key>,
    /// When those of [`Place::Later`] are in line again.
    later: BTreeSet<(Instant, Key)>,
    /// How many have their turn.
    out: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Waiting,
    Later(Instant),
    /// Has its turn, and another one after it when something came up meanwhile.
    Turn {
        again: bool,
    },
}

impl Line {
    /// An empty line that lets so many have their turn at once.
    pub fn new(most: usize) -> Self {
        Self {
            state: Mutex::default(),
            news: Notify::new(),
            most,
            made: Instant::now(),
            beat: AtomicU64::new(0),
        }
    }

    /// How long nobody has asked who is next; `None` when nobody is to.
    pub fn stands_still(&self) -> Option<Duration> {
        match self.beat.load(Ordering::Relaxed) {
            0 => None,
            beat => Some(
                self.made
                    .elapsed()
                    .saturating_sub(Duration::from_millis(beat)),
            ),
        }
    }

    /// From now on somebody asks, or nobody any more.
    pub fn moves(&self, so: bool) {
        let beat = if so {
            self.made.elapsed().as_millis() as u64
        } else {
            0
        };
        self.beat.store(beat.max(so.into()), Ordering::Relaxed);
    }

    /// Puts a host in line, unless it is there already.
    pub fn push(&self, key: Key) {
        self.lock().push(key);
        self.news.notify_one();
    }

    /// Ends a host's turn. It comes back after this time, and at once when something came up.
    pub fn done(&self, key: &Key, again: Option<Duration>) {
        self.lock().done(key, again);
        self.news.notify_one();
    }

    /// The host whose turn it is, once there is one and a turn is free. One caller at a time. Its
    /// turn lasts until [`Line::done`].
    pub async fn next(&self) -> Key {
        loop {
            self.moves(true);
            // A permit of `notify_one` is kept, so what comes after this look is not missed.
            let later = match self.lock().next(self.most, Instant::now()) {
                Ok(key) => return key,
                Err(later) => later,
            };
            tokio::select! {
                () = self.news.notified() => {}
                () = until(later) => {}
                () = tokio::time::sleep(BEAT) => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

impl State {
    fn push(&mut self, key: Key) {
        match self.places.get_mut(&key) {
            Some(Place::Waiting) => return,
            Some(Place::Turn { again }) => {
                *again = true;
                return;
            }
            Some(Place::Later(at)) => {
                let at = *at;
                self.later.remove(&(at, key.clone()));
            }
            None => {}
        }
        self.places.insert(key.clone(), Place::Waiting);
        self.waiting.push_back(key);
    }

    fn done(&mut self, key: &Key, again: Option<Duration>) {
        let Some(Place::Turn { again: at_once }) = self.places.remove(key) else {
            return;
        };
        self.out -= 1;
        if at_once {
            self.push(key.clone());
        } else if let Some(at) = again.and_then(|delay| Instant::now().checked_add(delay)) {
            self.places.insert(key.clone(), Place::Later(at));
            self.later.insert((at, key.clone()));
        }
    }

    /// The next one, or the time when to look again if nothing comes up before.
    fn next(&mut self, most: usize, now: Instant) -> Result<Key, Option<Instant>> {
        while let Some((at, _)) = self.later.first()
            && *at <= now
            && let Some((_, key)) = self.later.pop_first()
        {
            self.places.remove(&key);
            self.push(key);
        }
        if self.out >= most {
            return Err(None);
        }
        if let Some(key) = self.waiting.pop_front() {
            self.out += 1;
            self.places
                .insert(key.clone(), Place::Turn { again: false });
            return Ok(key);
        }
        // As small as it is after a wave of all hosts is over.
        if self.places.len() < self.places.capacity() / 8 {
            self.places.shrink_to_fit();
            self.waiting.shrink_to_fit();
        }
        Err(self.later.first().map(|(at, _)| *at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("m", name)
    }

    /// Who is next without waiting.
    async fn now(line: &Line) -> Option<String> {
        tokio::select! {
            biased;
            key = line.next() => Some(key.name.to_string()),
            () = tokio::task::yield_now() => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_in_line_once_and_in_order() {
        let line = Line::new(2);
        for name in ["a", "b", "a", "c", "b"] {
            line.push(key(name));
        }
        assert_eq!(now(&line).await.as_deref(), Some("a"));
        assert_eq!(now(&line).await.as_deref(), Some("b"));
        assert_eq!(now(&line).await, None, "two at once");
        line.done(&key("a"), None);
        assert_eq!(now(&line).await.as_deref(), Some("c"));
        line.done(&key("b"), None);
        line.done(&key("c"), None);
        assert_eq!(now(&line).await, None);
        assert!(line.lock().places.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_up_during_a_turn_gives_another_one() {
        let line = Line::new(2);
        line.push(key("a"));
        assert_eq!(now(&line).await.as_deref(), Some("a"));
        line.push(key("a"));
        assert_eq!(now(&line).await, None, "not twice at once");
        line.done(&key("a"), Some(Duration::from_mins(1)));
        assert_eq!(now(&line).await.as_deref(), Some("a"));
        line.done(&key("a"), None);
        assert_eq!(now(&line).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_nobody_looks_at_stands_still() {
        let line = Line::new(1);
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert_eq!(line.stands_still(), None, "nobody is to look");
        line.moves(true);
        // Nobody is in line, and it is looked at.
        let next = tokio::time::timeout(Duration::from_secs(95), line.next());
        assert!(next.await.is_err());
        assert!(
            line.stands_still() < Some(BEAT),
            "{:?}",
            line.stands_still()
        );
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert!(line.stands_still() > Some(Duration::from_secs(59)));
        line.moves(false);
        assert_eq!(line.stands_still(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_comes_back_in_time_or_earlier() {
        let line = Line::new(2);
        for (name, seconds) in [("late", 20), ("soon", 10)] {
            line.push(key(name));
            assert_eq!(now(&line).await.as_deref(), Some(name));
            line.done(&key(name), Some(Duration::from_secs(seconds)));
        }
        let began = Instant::now();
        assert_eq!(&*line.next().await.name, "soon");
        assert_eq!(began.elapsed().as_secs(), 10);
        line.done(&key("soon"), Some(Duration::from_secs(100)));
        line.push(key("late"));
        assert_eq!(now(&line).await.as_deref(), Some("late"), "not waited for");
        line.done(&key("late"), None);
        assert_eq!(&*line.next().await.name, "soon");
        assert_eq!(began.elapsed().as_secs(), 110);
        line.done(&key("soon"), None);
        assert!(line.lock().places.is_empty() && line.lock().later.is_empty());
    }
}
