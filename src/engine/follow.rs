//! Follows the spec: applies to the store what the plan permits, now and when more is permitted.
//!
//! Level-triggered, without memory of its own: what is left to do is found again by comparing what
//! is wanted with what is there. A held action (a guard, a roll) is judged again whenever a host
//! changes.

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
use crate::plan::{self, Action, Grants, Hold, OWNER, Plan, Verb};
use crate::store::{Patch, Store, StoreError};

/// Writes under way at once: enough to fill a group commit.
const WRITES: usize = 256;
/// How often held actions are judged again at most.
const PACE: Duration = Duration::from_millis(100);
/// When to try again what the store refused.
const RETRY: Duration = Duration::from_secs(1);

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
    /// Writes that the store refused, for people; they are tried again.
    pub trouble: Option<String>,
}

impl Standing {
    /// True when everything that the spec says is in the store.
    pub fn applied(&self) -> bool {
        self.round > 0 && self.held.is_empty() && self.trouble.is_none()
    }
}

/// Applies each desired state until `stop`. `None` means that there is none yet.
pub async fn follow<S: Store<BareMetalHost>>(
    store: Arc<S>,
    mut desired: watch::Receiver<Option<Arc<Desired>>>,
    grants: Grants,
    standing: watch::Sender<Standing>,
    stop: CancellationToken,
) {
    let mut round = 0;
    loop {
        let wanted = desired.borrow_and_update().clone();
        if let Some(wanted) = wanted {
            round += 1;
            let next = carry_out(&store, &wanted, &grants, &standing, round, &mut desired);
            tokio::select! {
                () = next => {}
                () = stop.cancelled() => return,
            }
        }
        tokio::select! {
            changed = desired.changed() => if changed.is_err() { return },
            () = stop.cancelled() => return,
        }
    }
}

/// Works on one desired state until all of it is applied or the next one comes.
async fn carry_out<S: Store<BareMetalHost>>(
    store: &Arc<S>,
    wanted: &Desired,
    grants: &Grants,
    standing: &watch::Sender<Standing>,
    round: u64,
    desired: &mut watch::Receiver<Option<Arc<Desired>>>,
) {
    let mut changes: Option<futures::stream::BoxStream<'static, _>> = None;
    let mut first = true;
    loop {
        let version = match store.snapshot().await {
            Ok(snapshot) => snapshot.version,
            Err(error) => {
                warn!(code = error.code(), "the store cannot be read, trying again: {error}");
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        let (plan, holds, trouble) = pass(store, wanted, grants).await;
        let held: Vec<(Action, Hold)> = plan
            .actions
            .iter()
            .zip(&holds)
            .filter_map(|(action, hold)| Some((action.clone(), hold.clone()?)))
            .collect();
        let open = !held.is_empty() || trouble.is_some();
        let applied = holds.iter().filter(|hold| hold.is_none()).count();
        debug!(applied, held = held.len(), "the plan was carried out as far as it may");
        standing.send_modify(|now| {
            now.round = round;
            now.held = held;
            now.trouble.clone_from(&trouble);
            if first {
                now.plan = Arc::new(plan);
                now.holds = Arc::new(holds);
            }
        });
        first = false;
        if !open {
            return;
        }
        if desired.has_changed().unwrap_or(true) {
            return;
        }
        let stream = changes.get_or_insert_with(|| store.watch(version));
        tokio::select! {
            _ = stream.next() => {
                tokio::time::sleep(PACE).await;
                // What came meanwhile is seen by the next look at everything.
                changes = None;
            }
            () = tokio::time::sleep(RETRY), if trouble.is_some() => {}
            _ = desired.changed() => {
                desired.mark_changed();
                return;
            }
        }
    }
}

/// One look at everything: plan, judge, write what may go.
async fn pass<S: Store<BareMetalHost>>(
    store: &Arc<S>,
    wanted: &Desired,
    grants: &Grants,
) -> (Plan, Vec<Option<Hold>>, Option<String>) {
    let observed = store.list();
    let mut owned = plan::Owned::new();
    for key in plan::differing(wanted, &observed) {
        if let Ok(fields) = store.managed_fields(&key).await {
            owned.insert(key, fields);
        }
    }
    let plan = plan::diff(wanted, &observed, &owned);
    let holds: Vec<Option<Hold>> = plan::gate(&plan, wanted, &observed, grants)
        .into_iter()
        .map(|ruling| ruling.hold)
        .collect();
    // Boxed: the compiler cannot see through the borrows of a stream of mapped futures here.
    let mut writes: Vec<BoxFuture<'_, Result<(), StoreError>>> = Vec::new();
    for (action, hold) in plan.actions.iter().zip(&holds) {
        if hold.is_none() {
            writes.push(Box::pin(write(store, wanted, action)));
        }
    }
    let mut results = futures::stream::iter(writes).buffer_unordered(WRITES);
    let mut trouble = None;
    while let Some(result) = results.next().await {
        if let Err(error) = result {
            warn!(code = error.code(), "not applied, trying again: {error}");
            trouble.get_or_insert(error.to_string());
        }
    }
    drop(results);
    (plan, holds, trouble)
}

async fn write<S: Store<BareMetalHost>>(
    store: &Arc<S>,
    wanted: &Desired,
    action: &Action,
) -> Result<(), StoreError> {
    let key = &action.host;
    match (action.verb, wanted.hosts.get(key)) {
        (Verb::Create | Verb::Update, Some(host)) => {
            store.apply(key, wanted.object(key, host), OWNER, true).await?;
            if action.guard.is_some() {
                // The grant is used up.
                let gone = json!({"metadata": {"annotations": {annotation::ALLOW_DESTROY: null}}});
                store.patch(key, Patch::Merge(gone), None).await?;
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
