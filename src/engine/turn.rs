//! One turn of one host: look, decide, write, act; again until there is nothing to do now.
//!
//! The order within a turn makes crashes harmless: the status that was decided is durable before the
//! effect that goes with it is sent, and what an effect did is found again by looking.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::try_join;
use tokio::time::Instant;
use tracing::{Instrument as _, debug, error, info_span, warn};

use crate::api::{BareMetalHost, BareMetalHostStatus};
use crate::dice::Dice;
use crate::provision::{Ack, Effect, Fault, Job, PowerTarget, Sight};
use crate::reconcile::{self, Code, Credentials, Outcome, Wake, Why};
use crate::secrets;
use crate::store::{Key, Object as _, Store, StoreError};

use super::decide::{Decided, decide};
use super::{Driven, Shared, Stores};

/// Decisions that one turn may take before it lets others run. A life needs at most a few in a row;
/// more means that a step does not settle, which is logged.
const MOST_DECISIONS: usize = 16;

/// When to look again while somebody else may act: by then this process has ended.
const FENCED: Duration = Duration::from_secs(1);

/// The first wait after a store did not take a write.
const SOON: Duration = Duration::from_secs(1);
/// The longest while it is away.
const AWAY: Duration = Duration::from_secs(5);
/// The longest while it refuses just this: somebody has to change something.
const REFUSED: Duration = Duration::from_mins(1);

/// When the host comes back by itself.
pub(super) type Again = Option<Duration>;

/// A host's turn to its end, after which the line goes on.
pub(super) async fn of<S: Stores>(key: Key, shared: Arc<Shared<S>>) {
    let ended = AssertUnwindSafe(turn(&key, &shared)).catch_unwind().await;
    let again = ended.unwrap_or_else(|mistake| broke(&key, &shared, mistake));
    shared.activity.send_modify(|count| *count += 1);
    shared.line.done(&key, again);
}

/// Decides for one host until nothing is to be done now.
async fn turn<S: Stores>(key: &Key, shared: &Arc<Shared<S>>) -> Again {
    let span = info_span!("turn", host = %key);
    async {
        for _ in 0..MOST_DECISIONS {
            if !shared.options.fence.is_open() {
                shared.memos.breaks_off(key);
                return Some(FENCED);
            }
            match once(key, shared).await {
                Next::Step => {}
                Next::Rest(again) if shared.memos.rests(key) => return again,
                Next::Rest(_) => {}
            }
        }
        shared.memos.breaks_off(key);
        warn!(
            code = "Unsettled",
            "{MOST_DECISIONS} decisions in a row and no rest; going on in a second"
        );
        Some(Duration::from_secs(1))
    }
    .instrument(span)
    .await
}

/// A turn that did not come to its end, by a mistake in here, which is to cost this host and no other.
fn broke<S: Stores>(key: &Key, shared: &Shared<S>, mistake: Box<dyn Any + Send>) -> Again {
    // No test is to miss it.
    if cfg!(debug_assertions) {
        std::panic::resume_unwind(mistake);
    }
    let why = Why::new(
        Code::TurnBroken,
        "metalform failed at this host; its log has the place, which is worth a report",
    );
    error!(host = %key, code = why.code, "{}; tried again in {} s", why.text, REFUSED.as_secs());
    shared.memos.breaks_off(key);
    if let Some(host) = shared.host(key) {
        shared.note_why(key, &host, why);
    }
    Some(REFUSED)
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
        // One that came anew meanwhile was told to this turn, which has just forgotten it.
        return match shared.host(key) {
            Some(_) => Next::Step,
            None => Next::Rest(None),
        };
    };
    // Whatever fails from here on fails for this version: it is no news any more.
    shared.memos.looks(key, host.version());
    let host = match shared.with_secrets(key, host).await {
        Ok(Some(host)) => host,
        Ok(None) => return Next::Step,
        Err((host, error)) => return store_failed(key, shared, &host, None, &error),
    };
    shared.memos.looks(key, host.version());
    if let Err(error) = shared.judge_firmware(key, &host).await {
        return store_failed(key, shared, &host, None, &error);
    }
    if let Err(error) = shared.seek_hardware_data(key, &host).await {
        return store_failed(key, shared, &host, None, &error);
    }
    shared.memos.finds(key, host.status.as_ref());
    shared.leave_others(key, &host);
    let machines = shared.machines_of(&host);
    if machines.is_none() && needs_machine(&host) {
        return Next::Rest(shared.no_machines(key, &host));
    }
    let mut decided = with_slots(key, shared, &host, machines.as_ref());
    if decided.changed {
        let next = Arc::clone(&decided.host);
        let written = match shared.let_go(&host, &next).await {
            Ok(()) => write(shared, &host, decided.host).await,
            Err(error) => Err(error),
        };
        shared.has_let_go(key);
        match written {
            // What was decided for it is decided for its new version.
            Ok(written) => {
                shared.metrics.written(&host, &written);
                shared.holders.note(&written);
                shared.memos.looks(key, written.version());
                decided.host = written;
            }
            Err(error) => return store_failed(key, shared, &host, next.status.as_ref(), &error),
        }
    }
    shared.memos.is_stored(key);
    // Only now: what came of an effect is decided on again until the decision is written. A host
    // that is left alone did not look at it.
    if decided.step.why.code != Code::Paused.as_str() {
        let asks = reconcile::wishes(&decided.host);
        shared.memos.with(key, |memo| {
            memo.asks = Some(asks);
            let status = decided.host.status.as_ref();
            if status.is_some_and(|status| status.hardware.is_some()) {
                memo.inventory = None;
            }
            memo.outcome = None;
            memo.hold = decided.step.hold.map(Box::new);
        });
    }
    shared.note_why(key, &decided.host, decided.step.why);
    shared.publish(&decided.host, &decided.notes);
    match (decided.step.effect, machines) {
        (Some(effect), Some(machines)) => {
            let generation = host.metadata.generation;
            act(
                key,
                shared,
                machines,
                effect,
                &decided.credentials,
                generation,
            )
            .await
        }
        (None | Some(_), _) if !decided.settled => Next::Step,
        (None | Some(_), _) => Next::Rest(match decided.step.wake {
            Wake::After(delay) => Some(delay),
            Wake::OnChange | Wake::OnSlot(_) => None,
        }),
    }
}

/// Decides, and books what that takes of the slots, as one: no two hosts are granted the last slot.
fn with_slots<S: Stores>(
    key: &Key,
    shared: &Shared<S>,
    host: &Arc<BareMetalHost>,
    machines: Option<&Driven>,
) -> Decided {
    let _one = shared
        .deciding
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let decided = decide(key, shared, host, machines);
    // A machine that is not seen goes on with what it is at, and a state that is left at once is no
    // end to a promise: the host keeps what it has.
    if decided.settled && !decided.step.blind {
        shared.settle_slots(key, host, &decided.step);
    }
    decided
}

/// False for a host that has no BMC and of which no provisioner knows anything: it can go its way
/// without one.
pub(super) fn needs_machine(host: &BareMetalHost) -> bool {
    let status = host.status.as_ref();
    host.has_bmc_details() || status.is_some_and(|status| !status.provisioning.id.is_empty())
}

/// Writes what was decided, as one compare-and-set. Answers what is stored now.
async fn write<S: Stores>(
    shared: &Shared<S>,
    host: &Arc<BareMetalHost>,
    decided: Arc<BareMetalHost>,
) -> Result<Arc<BareMetalHost>, StoreError> {
    let hardware = |host: &BareMetalHost| host.status.as_ref()?.hardware.clone();
    let found = hardware(&decided).filter(|found| hardware(host).as_ref() != Some(found));
    // One that goes takes no inventory along; a namespace that ends would not take it, and so keep
    // the host.
    let found = found.filter(|_| host.metadata.deletion_timestamp.is_none());
    let object = Arc::unwrap_or_clone(decided);
    if object.status != host.status {
        shared.metrics.status_write();
    }
    let update = shared.update_host(object, host.version());
    match &found {
        // The inventory first: a status with it says that it is written.
        Some(hardware) if Store::<BareMetalHost>::keeps_order(shared.store.as_ref()) => {
            let ((), written) =
                try_join(shared.write_hardware_data(host, hardware), update).await?;
            Ok(written)
        }
        Some(hardware) => {
            shared.write_hardware_data(host, hardware).await?;
            update.await
        }
        None => update.await,
    }
}

/// Sends the effect and notes what came of it.
async fn act<S: Stores>(
    key: &Key,
    shared: &Arc<Shared<S>>,
    Driven { name, machines }: Driven,
    effect: Effect,
    credentials: &Credentials,
    decided_for: Option<i64>,
) -> Next {
    // The host as it is after the write: the mapping to requests sees the same status.
    let Some(host) = shared.host(key) else {
        return Next::Step;
    };
    let generation = decided_for.unwrap_or_default();
    let ended = |effect, result| {
        shared.memos.with(key, |memo| {
            memo.outcome = Some(Box::new(Outcome {
                effect,
                generation,
                result,
            }))
        });
    };
    // What is sent has to be what was decided: a spec or a secret that changed between the decision
    // and now is decided on again. Of a reboot it has to be told, for its annotation went before.
    let again = |effect| {
        if matches!(
            effect,
            Effect::Power(PowerTarget::Reboot | PowerTarget::SoftReboot)
        ) {
            let what = "the host changed meanwhile".to_owned();
            let retry = Duration::ZERO;
            ended(effect, Err(Fault::Busy { what, retry }));
        }
        Next::Step
    };
    if host.metadata.generation != decided_for {
        return again(effect);
    }
    let Ok(job) = secrets::job_secrets(&host, &effect, shared.secrets.as_ref()) else {
        return again(effect);
    };
    if shared.credentials(&host) != *credentials {
        return again(effect);
    }
    let facts = match machines.sight(&host) {
        Sight::Present(facts) => Some(facts),
        Sight::Unsynced
        | Sight::Down(_)
        | Sight::Unconfirmed(_)
        | Sight::Absent
        | Sight::Taken(_) => None,
    };
    // The last look before it is out of our hands: writing may have taken longer than the lease.
    if !shared.options.fence.is_open() {
        return again(effect);
    }
    let started = Instant::now();
    let what = effect.name();
    let result = machines
        .run(Job {
            host: Arc::clone(&host),
            effect: effect.clone(),
            secrets: job,
            facts,
            fence: shared.options.fence.clone(),
        })
        .await;
    shared.metrics.effect(what, started.elapsed(), &result);
    let result = match (result, &effect) {
        // The step that asked for it sees it in the objects.
        (Ok(Ack::Firmware(found)), Effect::ReadFirmware(reading)) => {
            match shared.write_firmware(&host, *reading, *found).await {
                Ok(()) => Ok(Ack::Done),
                Err(error) => return store_failed(key, shared, &host, None, &error),
            }
        }
        (result, _) => result,
    };
    // Without a clear answer it may have been done all the same, so it is looked at before it is
    // repeated.
    let maybe_done = result.as_ref().map_or_else(Fault::may_be_done, |_| true);
    if effect.changes() && maybe_done {
        shared.memos.sent(&name, key, effect.clone());
        machines.hurry();
    }
    match &result {
        Ok(_) => debug!(effect = what, "accepted"),
        Err(fault) => debug!(effect = what, code = fault.code(), "not accepted: {fault}"),
    }
    ended(effect, result);
    Next::Step
}

/// A write did not succeed: a conflict is decided again, anything else waits. `decided` is the status
/// that was to be written.
fn store_failed<S: Stores>(
    key: &Key,
    shared: &Shared<S>,
    host: &BareMetalHost,
    decided: Option<&BareMetalHostStatus>,
    error: &StoreError,
) -> Next {
    if !shared.options.fence.is_open() {
        return Next::Step;
    }
    let times = shared.memos.is_refused(key, decided);
    match error {
        StoreError::Conflict { .. } | StoreError::NotFound { .. } => Next::Step,
        StoreError::Busy(delay) => {
            shared.note_why(key, host, Why::new(Code::StoreFailed, error.to_string()));
            Next::Rest(Some(*delay))
        }
        StoreError::Backend(_) => {
            shared.store_trouble(key, host, error);
            Next::Rest(Some(pause(key, shared, times, AWAY)))
        }
        StoreError::Owned { .. } | StoreError::Exists { .. } | StoreError::Invalid { .. } => {
            shared.store_trouble(key, host, error);
            Next::Rest(Some(pause(key, shared, times, REFUSED)))
        }
    }
}

/// How long to wait after so many failures in a row: twice as long each time, between half of that
/// and all of it, so that ten thousand hosts do not ask in the same second.
fn pause<S: Stores>(key: &Key, shared: &Shared<S>, times: u8, most: Duration) -> Duration {
    let whole = SOON
        .saturating_mul(1 << times.saturating_sub(1).min(10))
        .min(most);
    let roll = Dice::of(&key.name, shared.seed ^ u64::from(times)).roll();
    whole.mul_f64(0.5 + (roll % 1024) as f64 / 2048.0)
}
