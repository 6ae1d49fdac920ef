//! Follows the spec: applies to the store what the plan permits, now and when more is permitted.
//!
//! Level-triggered, without memory of its own: what is left to do is found again by comparing what
//! is wanted with what is there. A held action (a guard, a roll) is judged again whenever a host
//! changes, and a host that somebody else changed or took away is brought back to what the spec
//! says.
//!
//! Grants are the exception, on the safe side. One given by name (`run --allow-destroy`) is bound
//! to the change that the first plan has for that host; one given by annotation goes once it is
//! used, and when a new desired state comes that it does not fit. So no old word allows a new
//! change.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::api::BareMetalHost;
use crate::api::names::annotation;
use crate::desired::Desired;
use crate::plan::{self, Action, Grants, Hold, OWNER, Owned, Plan, Verb};
use crate::store::{Change, Key, Object as _, Patch, Snapshot, Store, StoreError};

/// Writes under way at once: enough to fill a group commit.
const WRITES: usize = 256;
/// How often held actions are judged again at most.
const PACE: Duration = Duration::from_millis(100);
/// How often hosts that somebody else changes are brought back at most: bounds what two writers
/// who do not agree can cost.
const MEND: Duration = Duration::from_secs(1);
/// When to try again what the store refused: doubled each time, up to the second.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Where the spec and the store stand.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// Counts the desired states that were looked at; 0 before the first.
    pub round: u64,
    /// The plan as it was when this desired state was first seen: what a person is shown.
    pub plan: Arc<Plan>,
    /// How each action of that plan was judged then; `None` went at once.
    pub holds: Arc<Vec<Option<Hold>>>,
    /// Actions that wait now, and why.
    pub held: Vec<(Action, Hold)>,
    /// What the store refused, for people; it is tried again.
    pub trouble: Option<String>,
}

impl Standing {
    /// True when everything that the spec says is in the store.
    pub fn applied(&self) -> bool {
        self.round > 0 && self.held.is_empty() && self.trouble.is_none()
    }
}

/// Applies each desired state until `stop`, or until nobody will send another one. `None` means
/// that there is none yet.
///
/// `grants` are for the first desired state only: each is bound to the change that its plan has
/// for the host.
pub async fn follow<S: Store<BareMetalHost>>(
    store: Arc<S>,
    desired: watch::Receiver<Option<Arc<Desired>>>,
    grants: Grants,
    standing: watch::Sender<Standing>,
    stop: CancellationToken,
) {
    let mut follower = Follower {
        store,
        desired,
        named: Some(grants),
        bound: BTreeMap::new(),
        standing,
    };
    tokio::select! {
        () = follower.run() => {}
        () = stop.cancelled() => {}
    }
}

struct Follower<S> {
    store: Arc<S>,
    desired: watch::Receiver<Option<Arc<Desired>>>,
    /// Grants by name, until the first plan is there.
    named: Option<Grants>,
    /// What they were bound to: the token of each host's change.
    bound: BTreeMap<Key, String>,
    standing: watch::Sender<Standing>,
}

/// What one look at everything came to.
struct Pass {
    plan: Plan,
    holds: Vec<Option<Hold>>,
    trouble: Option<String>,
}

impl Pass {
    fn held(&self) -> Vec<(Action, Hold)> {
        let all = self.plan.actions.iter().zip(&self.holds);
        all.filter_map(|(action, hold)| Some((action.clone(), hold.clone()?)))
            .collect()
    }
}

impl<S: Store<BareMetalHost>> Follower<S> {
    async fn run(&mut self) {
        let mut round = 0;
        loop {
            let wanted = self.desired.borrow_and_update().clone();
            let more = match wanted {
                None => self.desired.changed().await.is_ok(),
                Some(wanted) => {
                    round += 1;
                    self.keep_to(&wanted, round).await
                }
            };
            if !more {
                return;
            }
        }
    }

    /// Works on one desired state until the next one comes; false when none will.
    async fn keep_to(&mut self, wanted: &Desired, round: u64) -> bool {
        let mut first = true;
        let mut retry = RETRY.0;
        loop {
            let (pass, snapshot) = match self.store.snapshot().await {
                Ok(snapshot) => (self.pass(wanted, &snapshot, first).await, snapshot),
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
            let held = pass.held();
            let open = !held.is_empty();
            let trouble = pass.trouble.is_some();
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
            self.tell(pass, held, round, first);
            first = false;
            if let Some(more) = self
                .wait(wanted, &snapshot, open, trouble.then_some(pause))
                .await
            {
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
    ) -> Option<bool> {
        let mut changes = self.store.watch(seen.version);
        let deadline = tokio::time::Instant::now() + retry.unwrap_or_default();
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
        self.pause(if open { PACE } else { MEND }).await
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
        snapshot: &Snapshot<BareMetalHost>,
        first: bool,
    ) -> Pass {
        let observed = &snapshot.objects;
        let mut trouble = None;
        let mut owned = Owned::new();
        for key in plan::differing(wanted, observed) {
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
        let plan = plan::diff(wanted, observed, &owned);
        let grants = self.grants(&plan);
        let holds: Vec<Option<Hold>> = plan::gate(&plan, wanted, observed, &grants)
            .into_iter()
            .map(|ruling| ruling.hold)
            .collect();
        // Boxed: the compiler cannot see through the borrows of a stream of mapped futures here.
        let mut writes: Vec<BoxFuture<'_, Result<(), StoreError>>> = Vec::new();
        if first {
            for key in stale_grants(wanted, observed, &plan) {
                writes.push(Box::pin(forget_grant(self.store.as_ref(), key)));
            }
        }
        for (action, hold) in plan.actions.iter().zip(&holds) {
            if hold.is_none() {
                writes.push(Box::pin(write(self.store.as_ref(), wanted, action)));
            }
        }
        let mut results = futures::stream::iter(writes).buffer_unordered(WRITES);
        while let Some(result) = results.next().await {
            if let Err(error) = result {
                debug!(code = error.code(), "not applied, trying again: {error}");
                trouble.get_or_insert(error.to_string());
            }
        }
        drop(results);
        Pass {
            plan,
            holds,
            trouble,
        }
    }

    /// The grants by name that hold for this plan.
    fn grants(&mut self, plan: &Plan) -> Grants {
        if let Some(named) = self.named.take() {
            let guarded = plan
                .actions
                .iter()
                .filter(|action| named.allows(&action.host.name));
            self.bound = guarded
                .filter_map(|action| {
                    Some((action.host.clone(), plan::grant_of(action)?.to_owned()))
                })
                .collect();
        }
        let fits = |action: &&Action| {
            let token = self.bound.get(&action.host).map(String::as_str);
            token.is_some() && token == plan::grant_of(action)
        };
        let names = plan
            .actions
            .iter()
            .filter(fits)
            .map(|action| action.host.name.to_string());
        Grants {
            names: names.collect(),
        }
    }

    fn tell(&self, pass: Pass, held: Vec<(Action, Hold)>, round: u64, first: bool) {
        let Pass {
            plan,
            holds,
            trouble,
        } = pass;
        self.standing.send_if_modified(|now| {
            if let Some(text) = &trouble
                && now.trouble != trouble
            {
                warn!(code = "NotApplied", "not applied, trying again: {text}");
            }
            let same = now.round == round && now.held == held && now.trouble == trouble;
            now.round = round;
            now.held = held;
            now.trouble = trouble;
            if first {
                now.plan = Arc::new(plan);
                now.holds = Arc::new(holds);
            }
            first || !same
        });
    }

    fn tell_trouble(&self, error: &StoreError, text: String) {
        self.standing.send_if_modified(|now| {
            let new = now.trouble.as_ref() != Some(&text);
            if new {
                warn!(code = error.code(), "trying again: {text}");
            }
            now.trouble = Some(text);
            new
        });
    }
}

/// True for a change after which something has to be applied again.
fn strays(change: &Change<BareMetalHost>, wanted: &Desired) -> bool {
    match change {
        Change::Applied(host) => !plan::is_as_wanted(wanted, host),
        Change::Deleted(host) => wanted.hosts.contains_key(&host.key()),
        Change::Reset(_) => true,
    }
}

/// Hosts of the fleet with a grant that is not for what the plan would do to them.
fn stale_grants(wanted: &Desired, observed: &[Arc<BareMetalHost>], plan: &Plan) -> Vec<Key> {
    let asked: BTreeMap<&Key, &str> = plan
        .actions
        .iter()
        .filter_map(|action| Some((&action.host, plan::grant_of(action)?)))
        .collect();
    observed
        .iter()
        .filter(|host| host.annotation(annotation::FLEET) == Some(&*wanted.fleet))
        .filter_map(|host| Some((host.key(), host.annotation(annotation::ALLOW_DESTROY)?)))
        .filter(|(key, grant)| asked.get(key) != Some(grant))
        .map(|(key, _)| key)
        .collect()
}

/// Takes a grant away, used up or stale.
async fn forget_grant<S: Store<BareMetalHost>>(store: &S, key: Key) -> Result<(), StoreError> {
    let gone = json!({"metadata": {"annotations": {annotation::ALLOW_DESTROY: null}}});
    match store.patch(&key, Patch::Merge(gone), None).await {
        Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn write<S: Store<BareMetalHost>>(
    store: &S,
    wanted: &Desired,
    action: &Action,
) -> Result<(), StoreError> {
    let key = &action.host;
    match (action.verb, wanted.hosts.get(key)) {
        (Verb::Create | Verb::Update, Some(host)) => {
            store
                .apply(key, wanted.object(key, host), OWNER, true)
                .await?;
            if action.guard.is_some() {
                forget_grant(store, key.clone()).await?;
            }
        }
        (Verb::Delete, _) => match store.delete(key, None).await {
            Ok(_) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        },
        (Verb::Create | Verb::Update, None) => {}
    }
    info!(host = %key, verb = ?action.verb, disruption = action.disruption.word(), "applied");
    Ok(())
}
