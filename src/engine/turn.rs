//! One turn of one host: look, decide, write, act; again until there is nothing to do now.
//!
//! The order within a turn makes crashes harmless: the status that a step decided is durable
//! before its effect is sent, and what an effect did is found again by looking.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{Instrument as _, debug, info_span, warn};

use crate::api::{BareMetalHost, BareMetalHostStatus};
use crate::provision::{Ack, Effect, Fault, Job, Provisioner, Sight};
use crate::reconcile::{self, Outcome, Step, View, Wake};
use crate::secrets;
use crate::store::{Key, Object as _, StoreError};

use super::{Shared, Stores};

/// Steps that one turn may take before it lets others run. A life needs at most a few in a row;
/// more means that a step does not settle, which is logged.
const MOST_STEPS: usize = 16;

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
        shared.forget(key);
        return Next::Rest(None);
    };
    let Some(machines) = shared.machines_of(&host) else {
        return Next::Rest(shared.no_machines(key, &host));
    };
    let step = decide(key, shared, &host, machines.as_ref());
    shared.settle_slots(key, &host, &step);
    if let Err(error) = write(shared, &host, &step).await {
        return store_failed(key, shared, &error);
    }
    // Only now: a failure that was decided on but not written is decided on again.
    shared.memos.with(key, |memo| memo.outcome = None);
    shared.remember(key, &host, &step);
    shared.publish(&host, &step.notes);
    let wrote = step.status.is_some() || !step.meta.is_empty();
    match step.effect {
        Some(effect) => act(key, shared, machines, effect).await,
        None if wrote => Next::Step,
        None => Next::Rest(match step.wake {
            Wake::After(delay) => Some(delay),
            Wake::OnChange | Wake::OnSlot(_) => None,
        }),
    }
}

/// Makes the view and takes the step. No await between looking and deciding.
fn decide<S: Stores>(
    key: &Key,
    shared: &Shared<S>,
    host: &BareMetalHost,
    machines: &dyn Provisioner,
) -> Step {
    let (outcome, inventory, unconfirmed) = shared.memos.with(key, |memo| {
        (
            memo.outcome.clone(),
            memo.inventory.clone(),
            memo.unconfirmed.clone(),
        )
    });
    let sight = match unconfirmed {
        Some((effect, _)) => Sight::Unconfirmed(effect),
        None => machines.sight(host),
    };
    let drift = match &sight {
        Sight::Present(facts) => machines.drift(host, facts),
        _ => crate::provision::Drift::default(),
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
        inventory: inventory.as_ref(),
        grants: shared.grants(key, host),
        outcome: outcome.as_ref(),
        policy: &shared.policy,
        now: shared.clock.now(),
        seed: shared.seed,
    });
    shared.metrics.step(started.elapsed(), &step);
    step
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
    step.meta.apply(&mut object.metadata);
    let inventory = step
        .status
        .as_ref()
        .and_then(|status| status.hardware.clone());
    if let Some(hardware) = inventory
        && host
            .status
            .as_ref()
            .and_then(|status| status.hardware.as_ref())
            != Some(&hardware)
    {
        shared.write_hardware_data(host, &hardware).await?;
    }
    shared.update_host(object, host.version()).await?;
    Ok(())
}

/// Sends the effect and notes what came of it.
async fn act<S: Stores>(
    key: &Key,
    shared: &Arc<Shared<S>>,
    machines: Arc<dyn Provisioner>,
    effect: Effect,
) -> Next {
    // The host as it is after the write: the mapping to requests sees the same status.
    let Some(host) = shared.host(key) else {
        return Next::Step;
    };
    let secrets = match secrets::job_secrets(&host, &effect, shared.secrets.as_ref()) {
        Ok(secrets) => secrets,
        Err(error) => {
            let fault = Fault::Refused(error.to_string());
            shared
                .memos
                .with(key, |memo| memo.outcome = Some(Outcome { effect, fault }));
            return Next::Step;
        }
    };
    let facts = match machines.sight(&host) {
        Sight::Present(facts) => Some(facts),
        _ => None,
    };
    let started = Instant::now();
    let name = effect.name();
    let job = Job {
        host,
        effect: effect.clone(),
        secrets,
        facts,
    };
    let result = machines.run(job).await;
    shared.metrics.effect(name, started.elapsed(), &result);
    match result {
        Ok(Ack::Inventory(found)) => {
            shared.memos.with(key, |memo| memo.inventory = Some(found));
            Next::Step
        }
        Ok(Ack::Done | Ack::Enrolled(_)) => {
            debug!(effect = name, "accepted");
            shared.memos.with(key, |memo| {
                memo.unconfirmed = Some((effect, Instant::now()))
            });
            machines.hurry();
            Next::Step
        }
        Err(fault) => {
            debug!(effect = name, code = fault.code(), "not accepted: {fault}");
            shared
                .memos
                .with(key, |memo| memo.outcome = Some(Outcome { effect, fault }));
            Next::Step
        }
    }
}

/// A write did not succeed: a conflict is decided again, anything else waits a second.
fn store_failed<S: Stores>(key: &Key, shared: &Shared<S>, error: &StoreError) -> Next {
    match error {
        StoreError::Conflict { .. } => Next::Step,
        StoreError::NotFound { .. } => Next::Step,
        StoreError::Busy(delay) => Next::Rest(Some(*delay)),
        StoreError::Owned { .. }
        | StoreError::Exists { .. }
        | StoreError::Invalid { .. }
        | StoreError::Backend(_) => {
            warn!(
                code = error.code(),
                "status not written, trying again: {error}"
            );
            shared.store_trouble(key, error);
            Next::Rest(Some(Duration::from_secs(1)))
        }
    }
}
