//! Leader election: of several processes one writes and acts, the one that holds a `Lease`.
//!
//! ```text
//!  Lease (coordination.k8s.io) ─► election (pure) ─► create, take, renew ─► Fence ─► writes, effects
//! ```
//!
//! As client-go does it, so that a lease may be shared with a process that uses that: a lease is
//! free once its record was not changed for its own duration *as seen from here*, whatever the
//! clocks say. Whoever renews holds it until [`Times::renew`] after the last renewal *began*, which
//! is before the others think it free.

mod election;
mod record;
mod telling;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::api::Timestamp;
use crate::fence::Fence;
use crate::store::{Key, Patch, Store, StoreError};

use self::election::{Election, Move};
pub use self::record::Lease;
use self::telling::Telling;

/// How long a lease lasts, and how often it is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Others may take it when it was not renewed for so long.
    pub duration: Duration,
    /// It is given up when it could not be renewed for so long. Less than `duration`, so that the
    /// holder has stopped before somebody else begins.
    pub renew: Duration,
    /// How often it is renewed, or asked for.
    pub retry: Duration,
}

impl Default for Times {
    /// What Kubernetes' own controllers have.
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            renew: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

impl Times {
    /// Why these times are of no use; `None` when they are.
    pub fn fault(&self) -> Option<&'static str> {
        if self.duration <= self.renew {
            return Some("the lease duration has to be longer than the renew deadline");
        }
        if self.renew <= self.retry {
            return Some("the renew deadline has to be longer than the retry period");
        }
        // It is written in whole seconds.
        (self.duration < Duration::from_secs(1)).then_some("a lease lasts a second at least")
    }
}

/// Ready when a lease that is held until then has run out; never for one that is not held.
async fn over(held: Option<Instant>) {
    match held {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// Whose lease it is, for those who ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// This process holds it.
    pub leads: bool,
    /// Who holds it, as far as known.
    pub holder: Option<Arc<str>>,
    /// Why nothing is known of it.
    pub trouble: Option<Arc<str>>,
}

/// One process's part in an election.
pub struct Candidate<S> {
    store: S,
    key: Key,
    me: Arc<str>,
    times: Times,
    fence: Fence,
    standing: tokio::sync::watch::Sender<Standing>,
    words: Option<tokio::sync::watch::Receiver<Arc<str>>>,
}

impl<S: Store<Lease>> Candidate<S> {
    /// Stands for the lease `key` under the name `me`, which no other process has. `store` is not
    /// behind the fence that this opens.
    pub fn new(store: S, key: Key, me: impl Into<Arc<str>>, times: Times, fence: Fence) -> Self {
        Self {
            store,
            key,
            me: me.into(),
            times,
            fence,
            standing: tokio::sync::watch::Sender::default(),
            words: None,
        }
    }

    /// While it holds the lease the newest of these words stands in an annotation of it, at no cost
    /// of a write of its own. It goes when the lease is given back.
    #[must_use]
    pub fn telling(self, words: tokio::sync::watch::Receiver<Arc<str>>) -> Self {
        Self {
            words: Some(words),
            ..self
        }
    }

    /// Where the election stands, as it changes.
    pub fn standing(&self) -> tokio::sync::watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Stands until it holds the lease, then keeps it. Ends when the lease is lost, or after `stop`,
    /// when it is given back.
    pub async fn run(&self, stop: CancellationToken) {
        let mut election = Election::new(Arc::clone(&self.me), self.times);
        let mut telling = Telling::new(self.words.clone());
        loop {
            // A look that hangs does not keep the one who holds it from seeing that it ran out. One who
            // was frozen for longer looks whether it is still its own; its fence is closed until then.
            let held = election.holds_until();
            let held = held.filter(|until| *until > Instant::now());
            let wait = tokio::select! {
                () = stop.cancelled() => break,
                () = over(held) => Duration::ZERO,
                wait = self.turn(&mut election, &mut telling) => wait,
            };
            let held = election.holds_until();
            match held {
                Some(until) if until <= Instant::now() => {
                    self.fence.close();
                    warn!(
                        code = "LeaseLost",
                        "the lease {} was not renewed for {} s; nothing is done from here on",
                        self.key,
                        self.times.renew.as_secs()
                    );
                    self.tell(|standing| standing.leads = false);
                    return;
                }
                _ if election.is_lost() => {
                    self.fence.close();
                    warn!(
                        code = "LeaseLost",
                        "somebody else took the lease {}", self.key
                    );
                    self.tell(|standing| standing.leads = false);
                    return;
                }
                _ => {}
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Gives the lease back, so that the next one need not wait. To be called once nothing is under
    /// way any more.
    pub async fn release(&self) {
        let held = self.standing.borrow().leads;
        self.fence.close();
        if !held {
            return;
        }
        let record = match self.store.read(&self.key).await {
            Ok(lease) if lease.spec.holder() == Some(&*self.me) => lease,
            Ok(_) | Err(_) => return,
        };
        let released = record.spec.released(Timestamp::now());
        let word = telling::taken_back(&record);
        match self.write(&record, released, word).await {
            Ok(()) => info!(code = "LeaseReleased", "gave the lease {} back", self.key),
            // It runs out by itself.
            Err(error) => debug!("lease {} not given back: {error}", self.key),
        }
        self.tell(|standing| *standing = Standing::default());
    }

    /// Looks once, and writes if it is time to. Answers when to look again.
    async fn turn(&self, election: &mut Election, telling: &mut Telling) -> Duration {
        let began = Instant::now();
        let lease = match self.store.read(&self.key).await {
            Ok(lease) => Some(lease),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => return self.failed(&error),
        };
        let record = lease.as_ref().map(|lease| &lease.spec);
        let next = election.next(record, Timestamp::now(), Instant::now());
        let told;
        let written = match (next, &lease) {
            (Move::Wait(wait), _) => {
                let holder = record.and_then(|record| record.holder()).map(Arc::from);
                self.tell(|standing| {
                    *standing = Standing {
                        holder,
                        ..Standing::default()
                    };
                });
                return wait;
            }
            (Move::Write(spec), Some(lease)) => {
                let word = telling.change(lease, began);
                told = word.is_some();
                self.write(lease, spec, word).await
            }
            // Its word comes with the first renewal.
            (Move::Write(spec), None) => {
                told = false;
                let new = Lease::new(&self.key, spec);
                self.store.create(new).await.map(|_| ())
            }
        };
        match written {
            Ok(()) => {
                if election.won(began) {
                    info!(
                        code = "LeaseTaken",
                        "{} holds the lease {}", self.me, self.key
                    );
                }
                self.fence.open_until(began + self.times.renew);
                let holder = Some(Arc::clone(&self.me));
                self.tell(|standing| {
                    *standing = Standing {
                        leads: true,
                        holder,
                        trouble: None,
                    };
                });
                self.times.retry
            }
            // Somebody was quicker.
            Err(StoreError::Conflict { .. } | StoreError::Exists { .. }) => self.times.retry,
            Err(error) => {
                if told {
                    debug!("lease {}: renewed without a word for a while", self.key);
                    telling.failed(began);
                }
                self.failed(&error)
            }
        }
    }

    async fn write(
        &self,
        lease: &Lease,
        spec: record::LeaseSpec,
        metadata: Option<Value>,
    ) -> Result<(), StoreError> {
        let patch = lease.patch_to(&spec, metadata);
        let written = self.store.patch(&self.key, Patch::Merge(patch), None);
        written.await.map(|_| ())
    }

    fn failed(&self, error: &StoreError) -> Duration {
        let text: Arc<str> = error.to_string().into();
        let is_new = self.standing.borrow().trouble.as_ref() != Some(&text);
        if is_new {
            warn!(code = "LeaseUnknown", "lease {}: {text}", self.key);
        }
        self.tell(|standing| standing.trouble = Some(text));
        self.times.retry.min(Duration::from_secs(1))
    }

    fn tell(&self, change: impl FnOnce(&mut Standing)) {
        self.standing.send_if_modified(|standing| {
            let before = standing.clone();
            change(standing);
            *standing != before
        });
    }
}
