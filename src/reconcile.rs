//! What to do next for one host: `step(&View) -> Step`.
//!
//! A step is a pure function: no clock, no I/O, no async. It looks at one host as wanted and as
//! last written, at what the provisioner last saw of its machine, at the credentials and at the
//! free slots, and answers with at most one remote effect, the new status if it differs, what is
//! worth an event, and what the host waits for.
//!
//! ```text
//!  host, credentials, sight, grants, outcome, now ──► step ──► status? meta? effect? notes, wake, why
//! ```
//!
//! The life of a host is BareMetalHost's own (`registering` … `provisioned` … `deleting`); the life
//! of its machine is Ironic's (`enroll` … `active`), which every provisioner speaks: see
//! [`crate::provision::NodeState`].
//!
//! Rules that hold for every step, checked by the property tests:
//! - At a fixpoint there is no effect and no status.
//! - At most one remote effect a host is under way: while an effect is not yet confirmed by what
//!   the provisioner sees, the view says so ([`Sight::Unconfirmed`](crate::provision::Sight)) and
//!   the step only waits.
//! - From any state, under any finite sequence of faults, the host reaches its goal once the
//!   faults stop.
//! - Every wait has a [`Why`].

mod absorb;
mod adopt;
mod annotations;
pub mod backoff;
mod deploy;
mod detach;
mod draft;
mod firmware;
mod inspect;
pub mod phase;
mod power;
mod prepare;
mod profile;
mod register;
mod remove;
mod restore;
mod undeploy;
pub mod why;

use std::time::Duration;

use smallvec::SmallVec;

use crate::api::names::finalizer;
use crate::api::{BareMetalHost, BareMetalHostStatus, HardwareJson, Metadata, Timestamp};
use crate::budget::SlotKind;
use crate::firmware::Standing;
use crate::provision::{Ack, Drift, Effect, Fault, Sight};

use self::draft::{Draft, Flow};
use self::phase::Phase;

pub use self::annotations::wishes;
pub use self::restore::seeks_inventory;
pub use self::why::{Code, Why};
pub use crate::budget::Grants;

/// Decides what to do next for one host. Pure: the same view gives the same step.
pub fn step(view: &View<'_>) -> Step {
    if annotations::is_paused(view.host) {
        return Step::paused(view.sight);
    }
    let mut draft = Draft::new(view);
    absorb::outcome(&mut draft);
    match decide(&mut draft) {
        // A step ends at each state, so that each is told.
        Flow::Next => draft.wake = Wake::After(Duration::ZERO),
        Flow::Done => {}
    }
    draft.finish()
}

fn decide(draft: &mut Draft<'_>) -> Flow {
    let Some(phase) = Phase::of(&draft.status.provisioning.state) else {
        let text = format!(
            "the state `{}` is of a newer operator; metalform leaves the host alone",
            draft.status.provisioning.state
        );
        return draft.wait(Code::UnknownState, text);
    };
    if draft.just_entered() {
        return Flow::Next;
    }
    if let Some(flow) = remove::begin(draft, phase) {
        return flow;
    }
    if phase == Phase::Deleting {
        return remove::forget(draft);
    }
    draft.keep_finalizer();
    if let Some(flow) = restore::all(draft) {
        return flow;
    }
    match phase {
        Phase::New | Phase::Unmanaged => return register::begin(draft, phase),
        Phase::Deleting => return Flow::Done,
        Phase::Registering
        | Phase::Inspecting
        | Phase::Preparing
        | Phase::Available
        | Phase::Provisioning
        | Phase::Provisioned
        | Phase::ExternallyProvisioned
        | Phase::Deprovisioning
        | Phase::PoweringOff => {}
    }
    if let Some(flow) = detach::run(draft, phase) {
        return flow;
    }
    let facts = match register::ensure(draft, phase) {
        Ok(facts) => facts,
        Err(flow) => return flow,
    };
    match phase {
        Phase::New | Phase::Unmanaged | Phase::Deleting => Flow::Done,
        Phase::Registering => register::finish(draft, facts),
        Phase::Inspecting => inspect::run(draft, facts),
        Phase::Preparing => prepare::run(draft, facts),
        Phase::Available => adopt::available(draft, facts),
        Phase::Provisioning => deploy::run(draft, facts),
        Phase::Provisioned => adopt::provisioned(draft, facts),
        Phase::ExternallyProvisioned => adopt::externally_provisioned(draft, facts),
        Phase::Deprovisioning => undeploy::run(draft, facts),
        Phase::PoweringOff => remove::power_off(draft, facts),
    }
}

/// All that [`step`] may look at. Borrowed, so that making one costs nothing.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The host: spec as wanted, status as last written.
    pub host: &'a BareMetalHost,
    /// The BMC credentials that the spec names.
    pub credentials: &'a Credentials,
    /// References of the spec (user-data, network-data, meta-data, pull secret) that cannot be
    /// read, each with the text that says what was tried. Empty when all is there.
    pub missing: &'a [String],
    /// The one of them that enrolling a machine and writing its settings need too (the ramdisk's
    /// network data), if it cannot be read.
    pub unregistrable: Option<&'a str>,
    /// What the provisioner knows of the machine now.
    pub sight: &'a Sight,
    /// The inventory of the host's HardwareData, where one was there before the host had any.
    pub inventory: Option<&'a HardwareJson>,
    /// How the machine's settings differ from what the host asks for.
    pub drift: Drift,
    /// What is known and wanted of its BIOS settings and firmware.
    pub firmware: &'a Standing,
    /// Slots that this host holds or would be granted if it asked now.
    pub grants: Grants,
    /// What came of the last effect. Given to the first step after the effect ended, and again
    /// if what that step decided could not be written. Losing it (a crash) is safe: it saves
    /// time, events and repeated writes, no decision depends on it alone.
    pub outcome: Option<&'a Outcome>,
    /// An annotation that asks for something (reboot, inspection, detaching) came, changed or went since
    /// the last step. Losing it is safe: what failed is tried again after its pause.
    pub asked: bool,
    /// What the last step said in [`Step::hold`]. Losing it is safe: the provisioner is asked
    /// sooner.
    pub hold: Option<&'a Hold>,
    /// The time of this step.
    pub now: Timestamp,
    /// Seeds the jitter of back-offs; the same seed gives the same delays. The host's own id is
    /// mixed in, so that hosts that failed together do not come back together.
    pub seed: u64,
    /// Delays and limits.
    pub policy: &'a Policy,
}

/// Delays and limits of all hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The unit of the back-off after errors: `2^n` units less up to half. A minute, as the Bare
    /// Metal Operator has it; shorter retries sooner (simulations and tests use seconds).
    pub backoff_unit: Duration,
    /// The most that `n` becomes. Higher lets a failing host rest longer.
    pub backoff_cap: u32,
    /// Provisioning is given up after this many failures with one image; 0 never gives up.
    pub max_provisioning_retries: i64,
    /// A step of a deletion (undeploying, powering off) that failed more often than this is
    /// skipped.
    pub max_delete_retries: i64,
    /// The shortest wait after a refusal because of a lock. The longest is three times this.
    pub busy_unit: Duration,
    /// Machines are invented, beside a store that may have hosts with real ones: hosts get an
    /// annotation that says so.
    pub simulated: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            backoff_unit: Duration::from_mins(1),
            backoff_cap: 9,
            max_provisioning_retries: 5,
            max_delete_retries: 3,
            busy_unit: Duration::from_secs(1),
            simulated: false,
        }
    }
}

/// What is known of the BMC credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// The secret cannot be read; the text names what was tried.
    Missing(String),
    /// The secret is there but not usable (a key missing or empty); the text says which.
    Invalid(String),
    /// Usable. `version` changes whenever the content does; it is never the content.
    Present {
        /// Compared with `status.triedCredentials.credentialsVersion`.
        version: String,
    },
}

/// An effect that ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What was tried.
    pub effect: Effect,
    /// `metadata.generation` of the host for which it was tried: the spec that it carried out.
    pub generation: i64,
    /// What came of it.
    pub result: Result<Ack, Fault>,
}

/// What is to be done, all of it decided: carrying it out leaves no choice.
#[derive(Debug, Clone)]
pub struct Step {
    /// The whole new status; `None` when it is equal to the one in the view. Written first.
    pub status: Option<Box<BareMetalHostStatus>>,
    /// Finalizers and one-shot annotations to change. Written with the status.
    pub meta: MetaChange,
    /// At most one remote effect, run after the status was written.
    pub effect: Option<Effect>,
    /// What becomes an event.
    pub notes: SmallVec<[Note; 2]>,
    /// When to look again.
    pub wake: Wake,
    /// The slot that the host occupies from here on; any other one that it held is free. Says
    /// nothing when `blind`.
    pub slot: Option<SlotKind>,
    /// The machine was not seen (an effect is not confirmed yet, the provisioner is down): what
    /// the host holds of slots, and its place in a queue, stay as they are.
    pub blind: bool,
    /// Effects are put off: to be given to the next steps.
    pub hold: Option<Hold>,
    /// Why this and not more.
    pub why: Why,
}

impl Step {
    /// True when there is something to write.
    pub fn changes(&self) -> bool {
        self.status.is_some() || !self.meta.is_empty()
    }

    /// The host is left alone. A machine that is at work keeps its slot all the same.
    fn paused(sight: &Sight) -> Self {
        Self {
            status: None,
            meta: MetaChange::default(),
            effect: None,
            notes: SmallVec::new(),
            wake: Wake::OnChange,
            slot: sight.facts().and_then(|facts| SlotKind::of(facts.state)),
            blind: sight.is_blind(),
            hold: None,
            why: Why::new(Code::Paused, "the annotation paused is set"),
        }
    }
}

/// Nothing is sent for a while, whatever wakes the host meanwhile: the provisioner was busy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Until then.
    pub until: Timestamp,
    /// Why, for those that look.
    pub code: Code,
    /// The same as a text.
    pub text: String,
}

/// Changes of metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetaChange {
    /// Finalizer to add.
    pub add_finalizer: bool,
    /// Finalizer to remove: with the last one gone the object goes.
    pub drop_finalizer: bool,
    /// Annotations that were acted on and go (`reboot.metal3.io`, `inspect.metal3.io`, …).
    pub drop_annotations: Vec<String>,
    /// Annotations that were taken off too early and come back, with their values.
    pub put_annotations: Vec<(String, String)>,
}

impl MetaChange {
    /// True when nothing is to be written.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Makes the changes.
    pub fn apply(&self, meta: &mut Metadata) {
        if self.add_finalizer && !meta.has_finalizer(finalizer::HOST) {
            let all = meta.finalizers.get_or_insert_default();
            all.push(finalizer::HOST.into());
        }
        if self.drop_finalizer
            && let Some(all) = &mut meta.finalizers
        {
            all.retain(|name| **name != *finalizer::HOST);
        }
        meta.finalizers.take_if(|all| all.is_empty());
        for (name, value) in &self.put_annotations {
            let all = meta.annotations.get_or_insert_default();
            if !all.contains_key(name) {
                all.insert(&**name, &**value);
            }
        }
        if let Some(annotations) = &mut meta.annotations {
            for name in &self.drop_annotations {
                annotations.remove(name);
            }
        }
    }
}

/// Something worth an event; reasons and texts are the Bare Metal Operator's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// CamelCase reason, e.g. `InspectionStarted`.
    pub reason: &'static str,
    /// Text for people.
    pub message: String,
    /// True for what went wrong.
    pub warning: bool,
}

/// When the host is to be looked at again. A change of the object, its secrets or its machine
/// always wakes it; this says what else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Nothing else: only a change.
    OnChange,
    /// After this long.
    After(Duration),
    /// When a slot of this kind is free; costs nothing until then.
    OnSlot(SlotKind),
}

#[cfg(test)]
mod tests;
