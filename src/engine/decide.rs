//! What to do with one host now: steps are taken one after the other, each on what the one before
//! made of the host, until one acts on the machine or rests. What they change is written once.
//!
//! States that a host passes through without anything done to its machine (available, on the way
//! from prepared to provisioning) are thereby never written, which makes a life 8.2 status writes
//! in place of 9.3. No step misses them, for none waited for the world in between, and their events
//! are told all the same (`docs/decisions/0011-passed-states.md`).

use std::sync::Arc;

use crate::api::{BareMetalHost, HardwareJson};
use crate::dice::Dice;
use crate::provision::{Drift, Effect, Sight};
use crate::reconcile::{self, Credentials, Hold, Note, Outcome, Step, View};
use crate::secrets;
use crate::store::Key;

use super::{Driven, Shared, Stores};

/// Steps in one decision. A life needs at most a few in a row; more means that a step does not
/// settle.
const MOST_STEPS: usize = 16;

/// What was decided.
pub(super) struct Decided {
    /// The host as it is to be.
    pub host: Arc<BareMetalHost>,
    /// It differs from the host as it is and has to be written.
    pub changed: bool,
    /// What is told once that is written.
    pub notes: Vec<Note>,
    /// The last step: what to do next, and why. Its changes are in `host`, its notes in `notes`.
    pub step: Step,
    /// What the last step saw of the credentials: an effect is for them only.
    pub credentials: Credentials,
    /// The last step acts or rests; else there would be more to decide.
    pub settled: bool,
}

/// What steps are told from one to the next, beside the host.
struct Told {
    outcome: Option<Box<Outcome>>,
    unconfirmed: Option<Effect>,
    hold: Option<Box<Hold>>,
    asked: bool,
    inventory: Option<Box<HardwareJson>>,
}

/// Decides. Looks at the machine and at secrets, changes nothing. No await, so that nothing comes
/// between looking and deciding.
pub(super) fn decide<S: Stores>(
    key: &Key,
    shared: &Shared<S>,
    host: &Arc<BareMetalHost>,
    machines: Option<&Driven>,
) -> Decided {
    let mut told = shared.memos.with(key, |memo| Told {
        outcome: memo.outcome.clone(),
        unconfirmed: machines
            .and_then(|machines| memo.unconfirmed(&machines.name))
            .cloned(),
        hold: memo.hold.clone(),
        inventory: memo.inventory.clone(),
        asked: memo
            .asks
            .is_some_and(|asks| asks != reconcile::wishes(host)),
    });
    let mut host = Arc::clone(host);
    let mut notes = Vec::new();
    let mut changed = false;
    let mut steps = 1;
    loop {
        let (mut step, credentials) = take(key, shared, &host, machines, &told);
        let goes_on = step.changes();
        notes.extend(step.notes.drain(..));
        if goes_on {
            host = Arc::new(after(&host, &mut step));
            changed = true;
        }
        let settled = step.effect.is_some() || !goes_on;
        if settled || is_gone(&host) || steps == MOST_STEPS {
            return Decided {
                host,
                changed,
                notes,
                step,
                credentials,
                settled,
            };
        }
        steps += 1;
        told.outcome = None;
        told.asked = false;
        told.hold = step.hold.map(Box::new);
    }
}

/// Makes the view and takes one step.
fn take<S: Stores>(
    key: &Key,
    shared: &Shared<S>,
    host: &BareMetalHost,
    machines: Option<&Driven>,
    told: &Told,
) -> (Step, Credentials) {
    let sight = look(shared, host, machines, told.unconfirmed.as_ref());
    let drift = match (&sight, machines) {
        (Sight::Present(facts), Some(machines)) => machines.machines.drift(host, facts),
        _ => Drift::default(),
    };
    let credentials = shared.credentials(host);
    let missing = secrets::missing(host, shared.secrets.as_ref());
    let started = std::time::Instant::now();
    let step = reconcile::step(&View {
        host,
        credentials: &credentials,
        missing: &missing.all,
        unregistrable: missing.registering.as_deref(),
        sight: &sight,
        inventory: told.inventory.as_deref(),
        drift,
        firmware: &shared.firmware(key),
        grants: shared.grants(key, host),
        outcome: told.outcome.as_deref(),
        hold: told.hold.as_deref(),
        asked: told.asked,
        policy: &shared.policy,
        now: shared.clock.now(),
        seed: Dice::of(&key.name, shared.seed).roll(),
    });
    shared.metrics.step(started.elapsed());
    (step, credentials)
}

/// What is known of the host's machine now.
fn look<S: Stores>(
    shared: &Shared<S>,
    host: &BareMetalHost,
    machines: Option<&Driven>,
    unconfirmed: Option<&Effect>,
) -> Sight {
    let Some(machines) = machines else {
        return Sight::Unsynced;
    };
    match (machines.machines.sight(host), unconfirmed) {
        // That nobody answers is more than that one waits for an answer.
        (down @ Sight::Down(_), _) => down,
        _ if !shared.is_booked(&machines.name) => Sight::Unsynced,
        (_, Some(effect)) => Sight::Unconfirmed(effect.clone()),
        (sight, None) => sight,
    }
}

/// The host once the step is written. Takes the status out of it.
fn after(host: &BareMetalHost, step: &mut Step) -> BareMetalHost {
    let status = step.status.take().map(|status| *status);
    let mut next = BareMetalHost {
        status: status.or_else(|| host.status.clone()),
        metadata: host.metadata.clone(),
        spec: host.spec.clone(),
    };
    step.meta.apply(&mut next.metadata);
    next
}

/// Once written, the host is no more.
fn is_gone(host: &BareMetalHost) -> bool {
    let meta = &host.metadata;
    meta.deletion_timestamp.is_some() && meta.finalizers.is_none()
}
