//! Follows the spec: applies to the store what the plan permits, now and when more is permitted.
//!
//! Level-triggered, without memory of its own: what is left to do is found again by comparing what
//! is wanted with what is there, but for hosts of which neither changed since they were compared. A
//! held action (a guard, a roll) is judged again whenever a host changes, and a host that somebody
//! else changed or took away is brought back to what the spec says.
//!
//! Grants are the exception, on the safe side. One given by name (`run --allow-destroy`) is bound
//! to the change that the first plan has for that host; one given by annotation goes once it is
//! used, and at once when it fits nothing. What it has to say names the very change and the text
//! that asks for it. So no old word allows a new change.
//!
//! What was judged is what is written: a host that changed in between is looked at again.

mod standing;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::api::BareMetalHost;
use crate::api::names::annotation;
use crate::desired::Desired;
use crate::fleet::Digest;
use crate::plan::{self, Compared, Comparer, Grants, Hold, Live, Owned, Plan};
use crate::store::{Change, Object as _, Snapshot, Store, StoreError};

use self::standing::same_held;
pub use self::standing::{FirstPlan, HeldActions, Standing, Telling};
use self::write::{forget_grant, stale_grants, write};

/// Writes under way at once: enough to fill a group commit.
const WRITES: usize = 256;
/// How often held actions are judged again at most.
const PACE: Duration = Duration::from_millis(100);
/// Judging again takes at most one part in so many of a core.
const SHARE: u32 = 20;
/// However long a look takes, the next one comes within this.
const SLOWEST: Duration = Duration::from_secs(5);
/// How often hosts that somebody else changes are brought back at most: bounds what two writers
/// who do not agree can cost.
const MEND: Duration = Duration::from_secs(1);
/// When to try again what the store refused: doubled each time, up to the second.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Applies each desired state until `stop`, or until nobody will send another one. `None` means
/// that there is none yet, or for now: then nothing is written, a host that strays included. A
/// write that is under way ends; none is begun.
///
/// `grants` are for the first text only: each is bound to the change that its plan has for the
/// host.
pub async fn follow<S: Store<BareMetalHost>>(
    store: Arc<S>,
    desired: watch::Receiver<Option<Arc<Desired>>>,
    grants: Grants,
    telling: Telling,
    stop: CancellationToken,
) {
    let mut follower = Follower {
        store,
        desired,
        grants,
        telling,
    };
    tokio::select! {
        () = follower.run() => {}
        () = stop.cancelled() => {}
    }
}

struct Follower<S> {
    store: Arc<S>,
    desired: watch::Receiver<Option<Arc<Desired>>>,
    /// Those of the first desired state, by token once its plan is there.
    grants: Grants,
    telling: Telling,
}

/// What one look at everything came to.
struct Pass {
    plan: Plan,
    holds: Vec<Option<Hold>>,
    trouble: Option<String>,
    /// A host changed between looking and writing.
    again: bool,
    /// What comparing and judging took.
    effort: Duration,
}

impl Pass {
    fn held(&self) -> HeldActions {
        let all = self.plan.actions.iter().zip(&self.holds);
        all.filter_map(|(action, hold)| Some((Arc::clone(action), hold.clone()?)))
            .collect()
    }
}

impl<S: Store<BareMetalHost>> Follower<S> {
    async fn run(&mut self) {
        let mut round = 0;
        let mut text = None;
        let mut last: Option<(Arc<Desired>, Compared)> = None;
        loop {
            let wanted = self.desired.borrow_and_update().clone();
            let more = match wanted {
                None => {
                    self.stand_down();
                    self.desired.changed().await.is_ok()
                }
                Some(wanted) => {
                    round += 1;
                    // The grants were said of the first text.
                    if text.is_some_and(|text| text != wanted.digest) {
                        self.grants = Grants::default();
                    }
                    text = Some(wanted.digest);
                    let mut comparer = match last.take() {
                        Some((last, compared)) => Comparer::after(&wanted, &last, compared),
                        None => Comparer::new(&wanted),
                    };
                    let more = self.keep_to(&wanted, &mut comparer, round).await;
                    let compared = comparer.into_compared();
                    last = Some((wanted, compared));
                    more
                }
            };
            if !more {
                return;
            }
        }
    }

    /// Works on one desired state until the next one comes; false when none will.
    async fn keep_to(&mut self, wanted: &Desired, comparer: &mut Comparer<'_>, round: u64) -> bool {
        let mut first = true;
        let mut retry = RETRY.0;
        loop {
            let snapshot = match self.store.snapshot().await {
                Ok(snapshot) => snapshot,
                Err(error) => {
                    let text = format!("the store cannot be read: {error}");
                    self.tell_trouble(&error, text);
                    match self.pause(retry).await {
                        None => retry = (retry * 2).min(RETRY.1),
                        Some(more) => return more,
                    }
                    continue;
                }
            };
            let pass = self.pass(wanted, comparer, &snapshot, first).await;
            let held = pass.held();
            let open = !held.is_empty();
            let trouble = pass.trouble.is_some();
            let again = pass.again;
            let pace = (pass.effort * SHARE).clamp(PACE, SLOWEST);
            let pause = retry;
            retry = if trouble {
                (retry * 2).min(RETRY.1)
            } else {
                RETRY.0
            };
            debug!(
                actions = pass.holds.len(),
                held = held.len(),
                "the spec was compared"
            );
            self.tell(pass, held, wanted.digest, round, first);
            first = false;
            let next = if again {
                self.pause(pace).await
            } else {
                let pace = if open { pace } else { MEND };
                self.wait(wanted, &snapshot, open, trouble.then_some(pause), pace)
                    .await
            };
            if let Some(more) = next {
                return more;
            }
        }
    }

    /// Waits until it is worth looking again (`None`), or for the next desired state.
    async fn wait(
        &mut self,
        wanted: &Desired,
        seen: &Snapshot<BareMetalHost>,
        open: bool,
        retry: Option<Duration>,
        pace: Duration,
    ) -> Option<bool> {
        let mut changes = self.store.watch(seen.version);
        let deadline = Instant::now() + retry.unwrap_or_default();
        loop {
            tokio::select! {
                biased;
                next = self.desired.changed() => return Some(self.announced(next.is_ok())),
                () = tokio::time::sleep_until(deadline), if retry.is_some() => return None,
                change = changes.next() => {
                    let Some(change) = change else { break };
                    if open || retry.is_some() || strays(&change, wanted) {
                        break;
                    }
                }
            }
        }
        // What comes meanwhile is seen by the next look at everything.
        self.pause(pace).await
    }

    /// Sleeps (`None`), unless the next desired state comes first.
    async fn pause(&mut self, time: Duration) -> Option<bool> {
        tokio::select! {
            biased;
            next = self.desired.changed() => Some(self.announced(next.is_ok())),
            () = tokio::time::sleep(time) => None,
        }
    }

    /// Leaves a desired state that came for [`Follower::run`] to take.
    fn announced(&mut self, more: bool) -> bool {
        self.desired.mark_changed();
        more
    }

    /// One look at everything: plan, judge, write what may go.
    async fn pass(
        &mut self,
        wanted: &Desired,
        comparer: &mut Comparer<'_>,
        snapshot: &Snapshot<BareMetalHost>,
        first: bool,
    ) -> Pass {
        let observed = &snapshot.objects;
        let mut trouble = None;
        let mut owned = Owned::new();
        let started = Instant::now();
        let differing = comparer.differing(observed);
        let mut effort = started.elapsed();
        for key in differing {
            match self.store.managed_fields(&key).await {
                Ok(fields) => {
                    owned.insert(key, fields);
                }
                // It went meanwhile.
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => {
                    trouble.get_or_insert(error.to_string());
                }
            }
        }
        let started = Instant::now();
        let plan = comparer.diff(observed, &owned);
        if trouble.is_some() {
            comparer.forget();
        }
        if first {
            self.grants = self.grants.bound(&plan);
        }
        let holds: Vec<Option<Hold>> = plan::gate(&plan, wanted, observed, &self.grants)
            .into_iter()
            .map(|ruling| ruling.hold)
            .collect();
        let stale = stale_grants(wanted, observed, &plan);
        effort += started.elapsed();
        let (store, desired) = (self.store.as_ref(), &self.desired);
        let goes_on = || desired.borrow().is_some();
        // Boxed: the compiler cannot see through the borrows of a stream of mapped futures here.
        let mut writes: Vec<BoxFuture<'_, Result<(), StoreError>>> = Vec::new();
        for (key, seen) in stale {
            writes.push(Box::pin(async move {
                match goes_on() {
                    true => forget_grant(store, key, seen).await,
                    false => Ok(()),
                }
            }));
        }
        let live = Live::of(observed);
        for (action, hold) in plan.actions.iter().zip(&holds) {
            if hold.is_none() {
                let version = live.get(&action.host).map(|host| host.version());
                // Thousands may be left when a fleet is paused.
                writes.push(Box::pin(async move {
                    match goes_on() {
                        true => write(store, wanted, action, version).await,
                        false => Ok(()),
                    }
                }));
            }
        }
        let mut again = false;
        let mut results = futures::stream::iter(writes).buffer_unordered(WRITES);
        while let Some(result) = results.next().await {
            match result {
                Ok(()) => {}
                Err(StoreError::Conflict { key, .. } | StoreError::NotFound { key, .. }) => {
                    debug!(host = %key, "changed since it was judged");
                    again = true;
                }
                Err(error) => {
                    debug!(code = error.code(), "not applied, trying again: {error}");
                    trouble.get_or_insert(error.to_string());
                }
            }
        }
        drop(results);
        // What was not begun is still to be done.
        again |= !goes_on();
        Pass {
            plan,
            holds,
            trouble,
            again,
            effort,
        }
    }

    fn tell(&self, pass: Pass, held: HeldActions, digest: Digest, round: u64, first: bool) {
        let (trouble, pending) = (pass.trouble, pass.again);
        if first {
            let plan = FirstPlan {
                round,
                plan: pass.plan,
                holds: pass.holds,
            };
            // Nobody has to look at it.
            self.telling.plans.send(plan).ok();
        }
        self.telling.standing.send_if_modified(|now| {
            if let Some(text) = &trouble
                && now.trouble != trouble
            {
                warn!(code = "NotApplied", "not applied, trying again: {text}");
            }
            let same =
                now.trouble == trouble && now.pending == pending && same_held(&now.held, &held);
            *now = Standing {
                round,
                digest,
                held,
                trouble,
                pending,
            };
            first || !same
        });
    }

    /// Nothing is followed: nothing stands anywhere, and nothing waits.
    fn stand_down(&self) {
        self.telling.standing.send_if_modified(|now| {
            let stood = now.round > 0 || now.trouble.is_some();
            *now = Standing::default();
            stood
        });
    }

    fn tell_trouble(&self, error: &StoreError, text: String) {
        self.telling.standing.send_if_modified(|now| {
            let new = now.trouble.as_ref() != Some(&text);
            if new {
                warn!(code = error.code(), "trying again: {text}");
            }
            now.trouble = Some(text);
            new
        });
    }
}

/// True for a change after which something has to be written: a host is not as wanted, or there is
/// a grant, which nothing waits for or this would not be asked.
fn strays(change: &Change<BareMetalHost>, wanted: &Desired) -> bool {
    match change {
        Change::Applied(host) => {
            let granted = wanted.owns(host) && host.annotation(annotation::ALLOW_DESTROY).is_some();
            granted || !plan::is_as_wanted(wanted, host)
        }
        Change::Deleted(host) => wanted.hosts.contains_key(&host.key()),
        Change::Reset(_) => true,
    }
}
