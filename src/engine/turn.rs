//! One turn of one host: look, decide, write, act; again until there is nothing to do now.
//!
//! The order within a turn makes crashes harmless: the status that a step decided is durable
//! before its effect is sent, and what an effect did is found again by looking.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{Instrument as _, debug, info_span, warn};

use crate::api::names::finalizer;
use crate::api::{BareMetalHost, BareMetalHostStatus, ObjectMeta};
use crate::dice::Dice;
use crate::provision::{Drift, Effect, Fault, Job, Provisioner, Sight};
use crate::reconcile::{self, Credentials, MetaChange, Outcome, Step, View, Wake};
use crate::secrets;
use crate::store::{Key, Object as _, StoreError};

use super::{Shared, Stores};

/// Steps that one turn may take before it lets others run. A life needs at most a few in a row;
/// more means that a step does not settle, which is logged.
const MOST_STEPS: usize = 32;

/// When the scheduler should come back by itself.
pub(super) type Again = Option<Duration>;

/// Takes steps for one host until one neither writes nor acts.
pub(super) async fn turn<S: Stores>(key: &Key, shared: &Arc<Shared<S>>) -> Again {
    let span = info_span!("turn", host = %key);
    async {
        for _ in 0..MOST_STEPS {
            match once(key, shared).await {
                Next::Step => {}
                Next::Rest(again) => return again,
            }
        }
        warn!(
            code = "Unsettled",
            "{MOST_STEPS} steps in a row and no rest; going on in a second"
        );
        Some(Duration::from_secs(1))
    }
    .instrument(span)
    .await
}

enum Next {
    /// Something changed: decide again at once.
    Step,
    /// Nothing to do before something changes or this much time passed.
    Rest(Again),
}

async fn once<S: Stores>(key: &Key, shared: &Arc<Shared<S>>) -> Next {
    let Some(host) = shared.host(key) else {
        shared.forget(key).await;
        return Next::Rest(None);
    };
    let Some(machines) = shared.machines_of(&host) else {
        return Next::Rest(shared.no_machines(key, &host));
    };
    let (step, credentials, seen) = decide(key, shared, &host, machines.as_ref());
    let wrote = step.status.is_some() || !step.meta.is_empty();
    // A machine that is not seen goes on with what it is at, and a state that is left at once is no
    // end to a promise: the host keeps what it has.
    if seen && (step.effect.is_some() || !wrote) {
        shared.settle_slots(key, &host, &step);
    }
    if let Err(error) = write(shared, &host, &step).await {
        return store_failed(key, shared, &host, &error);
    }
    // Only now: what came of an effect is decided on again until the decision is written.
    shared.memos.with(key, |memo| memo.outcome = None);
    shared.note_why(key, host.version(), step.why.clone());
    shared.publish(&host, &step.notes);
    match step.effect {
        Some(effect) => act(key, shared, machines, effect, &credentials).await,
        None if wrote => Next::Step,
        None => Next::Rest(match step.wake {
            Wake::After(delay) => Some(delay),
            Wake::OnChange | Wake::OnSlot(_) => None,
        }),
    }
}

/// Makes the view and takes the step; tells also whether the machine is seen now. No await between
/// looking and deciding.
fn decide<S: Stores>(
    key: &Key,
    shared: &Shared<S>,
    host: &BareMetalHost,
    machines: &dyn Provisioner,
) -> (Step, Credentials, bool) {
    let (outcome, unconfirmed) = shared
        .memos
        .with(key, |memo| (memo.outcome.clone(), memo.unconfirmed.clone()));
    let sight = match unconfirmed {
        Some((effect, _)) => Sight::Unconfirmed(effect),
        None => machines.sight(host),
    };
    let drift = match &sight {
        Sight::Present(facts) => machines.drift(host, facts),
        Sight::Unsynced
        | Sight::Down(_)
        | Sight::Unconfirmed(_)
        | Sight::Absent
        | Sight::Taken(_) => Drift::default(),
    };
    let credentials = secrets::credentials(host, shared.secrets.as_ref());
    let missing = secrets::missing(host, shared.secrets.as_ref());
    let started = std::time::Instant::now();
    let step = reconcile::step(&View {
        host,
        credentials: &credentials,
        missing: &missing,
        sight: &sight,
        drift,
        grants: shared.grants(key, host),
        outcome: outcome.as_ref(),
        policy: &shared.policy,
        now: shared.clock.now(),
        seed: Dice::of(&key.name, shared.seed).roll(),
    });
    shared.metrics.step(started.elapsed(), &step);
    let seen = !matches!(
        sight,
        Sight::Unsynced | Sight::Down(_) | Sight::Unconfirmed(_)
    );
    (step, credentials, seen)
}

/// Writes what the step decided, as one compare-and-set.
async fn write<S: Stores>(
    shared: &Shared<S>,
    host: &Arc<BareMetalHost>,
    step: &Step,
) -> Result<(), StoreError> {
    if step.status.is_none() && step.meta.is_empty() {
        return Ok(());
    }
    let mut object = BareMetalHost::clone(host);
    if let Some(status) = &step.status {
        object.status = Some(BareMetalHostStatus::clone(status));
    }
    change_meta(&step.meta, &mut object.metadata);
    let known = host
        .status
        .as_ref()
        .and_then(|status| status.hardware.as_ref());
    let found = step
        .status
        .as_ref()
        .and_then(|status| status.hardware.as_ref());
    if let Some(hardware) = found
        && known != Some(hardware)
    {
        shared.write_hardware_data(host, hardware).await?;
    }
    shared.update_host(object, host.version()).await?;
    Ok(())
}

fn change_meta(change: &MetaChange, meta: &mut ObjectMeta) {
    let finalizers = meta.finalizers.get_or_insert_default();
    let has = finalizers.iter().any(|name| name == finalizer::HOST);
    if change.add_finalizer && !has {
        finalizers.push(finalizer::HOST.to_owned());
    }
    if change.drop_finalizer {
        finalizers.retain(|name| name != finalizer::HOST);
    }
    if finalizers.is_empty() {
        meta.finalizers = None;
    }
    if let Some(annotations) = &mut meta.annotations {
        change.drop_annotations.iter().for_each(|name| {
            annotations.remove(name);
        });
    }
}

/// Sends the effect and notes what came of it.
async fn act<S: Stores>(
    key: &Key,
    shared: &Arc<Shared<S>>,
    machines: Arc<dyn Provisioner>,
    effect: Effect,
    credentials: &Credentials,
) -> Next {
    // The host as it is after the write: the mapping to requests sees the same status.
    let Some(host) = shared.host(key) else {
        return Next::Step;
    };
    let generation = host.metadata.generation.unwrap_or_default();
    let ended = |effect, result| {
        shared.memos.with(key, |memo| {
            memo.outcome = Some(Outcome {
                effect,
                generation,
                result,
            })
        });
    };
    let job = match secrets::job_secrets(&host, &effect, shared.secrets.as_ref()) {
        Ok(job) => job,
        Err(error) => {
            ended(effect, Err(Fault::Refused(error.to_string())));
            return Next::Step;
        }
    };
    // A secret that changed between the decision and now: decide again with the new one.
    if secrets::credentials(&host, shared.secrets.as_ref()) != *credentials {
        return Next::Step;
    }
    let facts = match machines.sight(&host) {
        Sight::Present(facts) => Some(facts),
        Sight::Unsynced
        | Sight::Down(_)
        | Sight::Unconfirmed(_)
        | Sight::Absent
        | Sight::Taken(_) => None,
    };
    let started = Instant::now();
    let name = effect.name();
    let result = machines
        .run(Job {
            host,
            effect: effect.clone(),
            secrets: job,
            facts,
        })
        .await;
    shared.metrics.effect(name, started.elapsed(), &result);
    // Nobody answered: it may have been done all the same, so it is looked at before it is repeated.
    let maybe_done = matches!(&result, Ok(_) | Err(Fault::Unreachable(_)));
    if effect.changes() && maybe_done {
        let sent = Some((effect.clone(), Instant::now()));
        shared.memos.with(key, |memo| memo.unconfirmed = sent);
        machines.hurry();
    }
    match &result {
        Ok(_) => debug!(effect = name, "accepted"),
        Err(fault) => debug!(effect = name, code = fault.code(), "not accepted: {fault}"),
    }
    ended(effect, result);
    Next::Step
}

/// A write did not succeed: a conflict is decided again, anything else waits a second.
fn store_failed<S: Stores>(
    key: &Key,
    shared: &Shared<S>,
    host: &BareMetalHost,
    error: &StoreError,
) -> Next {
    match error {
        StoreError::Conflict { .. } | StoreError::NotFound { .. } => Next::Step,
        StoreError::Busy(delay) => Next::Rest(Some(*delay)),
        StoreError::Owned { .. }
        | StoreError::Exists { .. }
        | StoreError::Invalid { .. }
        | StoreError::Backend(_) => {
            warn!(
                code = error.code(),
                "status not written, trying again: {error}"
            );
            shared.store_trouble(key, host.version(), error);
            Next::Rest(Some(Duration::from_secs(1)))
        }
    }
}
