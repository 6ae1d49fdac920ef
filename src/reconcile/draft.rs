//! A step in the making.

mod finish;

use std::time::Duration;

use jiff::SignedDuration;
use smallvec::SmallVec;

use super::annotations::{self, Reboot, Which};
use super::firmware::Mark;
use super::phase::{self, Phase};
use super::{Code, Hold, MetaChange, Note, View, Wake, Why, backoff};
use crate::api::names::{annotation, finalizer, reason};
use crate::api::{
    BareMetalHostStatus, ConditionType, ErrorType, OperationalStatus, Timestamp, whole_seconds,
};
use crate::budget::SlotKind;
use crate::dice::Dice;
use crate::provision::{Effect, Facts};

/// What a part of a step says to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// The host went on to another state: what to do there is another decision.
    Next,
    /// Decided.
    Done,
}

/// A step in the making. Parts change the status and end with one of [`Draft::send`],
/// [`Draft::wait`], [`Draft::enter`].
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub view: &'a View<'a>,
    pub status: BareMetalHostStatus,
    pub meta: MetaChange,
    pub notes: SmallVec<[Note; 2]>,
    pub wake: Wake,
    effect: Option<Effect>,
    slot: Option<SlotKind>,
    why: Why,
    /// The last effect was put off: nothing is sent before then.
    hold: Option<Hold>,
    /// The last effect was a soft power-off that the BMC cannot do.
    pub soft_refused: bool,
    /// How far a change of firmware is.
    pub mark: Option<Mark>,
    /// A state was entered by the outcome of the last effect.
    entered: bool,
}

impl<'a> Draft<'a> {
    pub fn new(view: &'a View<'a>) -> Self {
        let status = view.host.status.clone().unwrap_or_default();
        let mut draft = Self {
            view,
            mark: Mark::of(&status),
            status,
            meta: MetaChange::default(),
            notes: SmallVec::new(),
            wake: Wake::OnChange,
            effect: None,
            slot: None,
            why: Why::new(Code::NextState, ""),
            hold: view.hold.filter(|hold| hold.until > view.now).cloned(),
            soft_refused: false,
            entered: false,
        };
        if draft.was_edited() || view.asked {
            // A new wish is a new start: what failed is tried again at once.
            draft.status.error_count = 0;
        }
        let phase = Phase::of(&draft.status.provisioning.state);
        if draft.was_edited() && phase == Some(Phase::Preparing) {
            super::prepare::edited(&mut draft);
        }
        super::firmware::edited(&mut draft);
        draft
    }

    /// The seed of this host's delays.
    pub fn seed(&self) -> u64 {
        let meta = &self.view.host.metadata;
        let id = meta
            .uid
            .as_deref()
            .or(meta.name.as_deref())
            .unwrap_or_default();
        Dice::of(id, self.view.seed).roll()
    }

    /// The time for status fields.
    pub fn now(&self) -> Timestamp {
        whole_seconds(self.view.now)
    }

    pub fn is_deleted(&self) -> bool {
        self.view.host.metadata.deletion_timestamp.is_some()
    }

    pub fn generation(&self) -> i64 {
        self.view.host.metadata.generation.unwrap_or_default()
    }

    /// True when the spec changed since the status was last written.
    pub fn was_edited(&self) -> bool {
        let status = self.view.host.status.as_ref();
        let seen = status.and_then(|status| status.condition(&ConditionType::Ready));
        seen.is_some_and(|ready| ready.observed_generation != self.generation())
    }

    /// The machine, if it is seen.
    pub fn facts(&self) -> Option<&'a Facts> {
        self.view.sight.facts().map(|facts| &**facts)
    }

    pub fn note(&mut self, reason: &'static str, message: impl Into<String>) {
        self.notes.push(Note {
            reason,
            message: message.into(),
            warning: false,
        });
    }

    /// What the reboot annotations ask for, those included that this step puts back.
    pub fn reboot(&self, which: Which) -> Reboot {
        let there = self.view.host.metadata.annotations.iter().flatten();
        let back = self.meta.put_annotations.iter();
        annotations::reboot(
            there.chain(back.map(|(name, value)| (&**name, &**value))),
            which,
        )
    }

    /// Removes an annotation that was acted on.
    pub fn drop_annotation(&mut self, name: &str) {
        self.meta.put_annotations.retain(|(back, _)| back != name);
        let is_there = self.view.host.annotation(name).is_some();
        if is_there && !self.drops(name) {
            self.meta.drop_annotations.push(name.to_owned());
        }
    }

    /// True when this step removes the annotation.
    pub fn drops(&self, name: &str) -> bool {
        self.meta.drop_annotations.iter().any(|other| other == name)
    }

    /// Adds our finalizer where it is missing.
    pub fn keep_finalizer(&mut self) {
        self.meta.add_finalizer = !self.view.host.metadata.has_finalizer(finalizer::HOST);
        if self.meta.add_finalizer && self.view.policy.simulated {
            let mark = (annotation::SIMULATED.to_owned(), "true".to_owned());
            self.meta.put_annotations.push(mark);
        }
    }

    // --- Errors.

    /// Counts a failure and lets the host rest.
    pub fn fail(&mut self, kind: ErrorType, message: impl Into<String>) {
        self.status.error_count += 1;
        self.set_error(kind, message.into());
        self.status.last_updated = Some(self.now());
    }

    /// Shows an error that is not an attempt that failed: it goes when its cause does, without a
    /// pause.
    pub fn show_error(&mut self, kind: ErrorType, message: impl Into<String>) {
        let message = message.into();
        if self.status.error_type.as_ref() != Some(&kind) || self.status.error_message != message {
            self.status.error_count = 0;
            self.set_error(kind, message);
        }
    }

    fn set_error(&mut self, kind: ErrorType, message: String) {
        let note = Note {
            reason: error_reason(&kind),
            message: message.clone(),
            warning: true,
        };
        self.notes.push(note);
        self.status.operational_status = OperationalStatus::Error;
        self.status.error_type = Some(kind);
        self.status.error_message = message;
    }

    /// Takes the error off; how many there were in a row stays known.
    pub fn clear_error(&mut self) {
        if self.status.error_type.take().is_some()
            || self.status.operational_status == OperationalStatus::Error
        {
            self.status.error_message.clear();
            self.status.operational_status = OperationalStatus::Ok;
        }
    }

    /// Takes the error off and forgets the count: something succeeded.
    pub fn succeed(&mut self) {
        self.clear_error();
        self.status.error_count = 0;
    }

    pub fn has_error(&self, kind: &ErrorType) -> bool {
        self.status.error_type.as_ref() == Some(kind)
    }

    /// When the host may try again, if it has to rest.
    fn rests_until(&self) -> Option<Timestamp> {
        self.status.error_type.as_ref()?;
        let failed = self.status.last_updated?;
        let pause = backoff::pause(self.view.policy, self.status.error_count, self.seed());
        let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
        let until = failed.checked_add(pause).unwrap_or(Timestamp::MAX);
        (until > self.view.now).then_some(until)
    }

    // --- Ends of a decision.

    /// Waits for a change.
    pub fn wait(&mut self, code: Code, text: impl Into<String>) -> Flow {
        self.why = Why::new(code, text);
        self.wake = Wake::OnChange;
        if self.why.settled {
            self.not_delayed();
            if self.status.error_type.is_none() {
                self.status.error_count = 0;
            }
        }
        Flow::Done
    }

    /// Waits for what occupies a slot.
    pub fn work(&mut self, kind: SlotKind, code: Code, text: impl Into<String>) -> Flow {
        self.slot = Some(kind);
        self.not_delayed();
        self.wait(code, text)
    }

    /// Lets the last effect's refusal put off whatever would be sent from now on.
    pub fn put_off(&mut self, code: Code, text: impl Into<String>, pause: Duration) {
        let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
        let until = self.view.now.checked_add(pause);
        self.hold = Some(Hold {
            until: until.unwrap_or(Timestamp::MAX),
            code,
            text: text.into(),
        });
    }

    /// Sends an effect, unless the host has to rest.
    pub fn send(&mut self, effect: Effect, code: Code, text: impl Into<String>) -> Flow {
        if let Some(flow) = self.rest().or_else(|| self.held()) {
            return flow;
        }
        self.not_delayed();
        if effect.changes() && self.facts().is_some_and(|facts| facts.power_changing) {
            // The machine is locked until its power has changed: asking would only be refused.
            return self.wait(Code::ChangingPower, "waits until its power has changed");
        }
        self.effect = Some(effect);
        self.wait(code, text)
    }

    /// True when this step sends an effect.
    pub fn sends(&self) -> bool {
        self.effect.is_some()
    }

    /// Sends an effect that needs a slot, or waits for the slot.
    pub fn send_in(
        &mut self,
        kind: SlotKind,
        effect: Effect,
        code: Code,
        text: impl Into<String>,
    ) -> Flow {
        // A host that sends nothing now takes no slot either: others may use it meanwhile.
        if let Some(flow) = self.rest().or_else(|| self.held()) {
            return flow;
        }
        if let Some(flow) = self.queue(kind) {
            return flow;
        }
        self.slot = Some(kind);
        self.send(effect, code, text)
    }

    /// Rests, if the host has to.
    pub fn rest(&mut self) -> Option<Flow> {
        let until = self.rests_until()?;
        let left = until.duration_since(self.view.now);
        let text = format!(
            "{}; tried again after {}",
            self.status.error_message,
            whole_seconds(until)
        );
        self.why = Why::new(Code::BackingOff, text);
        self.wake = Wake::After(Duration::try_from(left).unwrap_or_default());
        Some(Flow::Done)
    }

    /// Waits, if effects are put off.
    fn held(&mut self) -> Option<Flow> {
        let hold = self.hold.as_ref()?;
        let left = hold.until.duration_since(self.view.now);
        self.why = Why::new(hold.code, &*hold.text);
        self.wake = Wake::After(Duration::try_from(left).unwrap_or_default());
        Some(Flow::Done)
    }

    /// Waits for a slot, if there is none for the host.
    pub fn queue(&mut self, kind: SlotKind) -> Option<Flow> {
        if self.view.grants.of(kind) {
            return None;
        }
        let code = match kind {
            SlotKind::Inspect => Code::WaitingForInspectSlot,
            SlotKind::Clean => Code::WaitingForCleanSlot,
            SlotKind::Deploy => Code::WaitingForDeploySlot,
        };
        self.why = Why::new(code, format!("waits for a slot to {}", kind.as_str()));
        self.wake = Wake::OnSlot(kind);
        if self.status.operational_status != OperationalStatus::Error {
            self.status.operational_status = OperationalStatus::Delayed;
        }
        Some(Flow::Done)
    }

    fn not_delayed(&mut self) {
        if self.status.operational_status == OperationalStatus::Delayed {
            self.status.operational_status = OperationalStatus::Ok;
        }
    }

    /// Goes on to another state, with a clean slate of errors.
    pub fn enter(&mut self, to: Phase) -> Flow {
        let from = Phase::of(&self.status.provisioning.state).unwrap_or(Phase::New);
        debug_assert!(phase::is_way(from, to), "no way from {from:?} to {to:?}");
        let now = Some(self.now());
        let history = &mut self.status.operation_history;
        match from {
            Phase::Registering => history.register.end = now,
            Phase::Inspecting => history.inspect.end = now,
            Phase::Provisioning => history.provision.end = now,
            Phase::Deprovisioning => history.deprovision.end = now,
            Phase::New
            | Phase::Unmanaged
            | Phase::Preparing
            | Phase::Available
            | Phase::Provisioned
            | Phase::ExternallyProvisioned
            | Phase::PoweringOff
            | Phase::Deleting => {}
        }
        let begun = match to {
            Phase::Registering => Some(&mut history.register),
            Phase::Inspecting => Some(&mut history.inspect),
            Phase::Provisioning => Some(&mut history.provision),
            Phase::Deprovisioning => Some(&mut history.deprovision),
            Phase::New
            | Phase::Unmanaged
            | Phase::Preparing
            | Phase::Available
            | Phase::Provisioned
            | Phase::ExternallyProvisioned
            | Phase::PoweringOff
            | Phase::Deleting => None,
        };
        if let Some(begun) = begun {
            begun.start = now;
            begun.end = None;
        }
        if matches!(
            to,
            Phase::Registering | Phase::Inspecting | Phase::Provisioning
        ) {
            self.status.provisioning.boot_mode = Some(self.view.host.boot_mode());
        }
        self.succeed();
        self.not_delayed();
        self.status.provisioning.state = to.state();
        self.why = Why::new(Code::NextState, format!("goes on to {}", to.state()));
        Flow::Next
    }

    /// As [`Draft::enter`], from the outcome of an effect: the decision ends there.
    pub fn enter_by_outcome(&mut self, to: Phase) {
        self.enter(to);
        self.entered = true;
    }

    /// True once after [`Draft::enter_by_outcome`].
    pub fn just_entered(&mut self) -> bool {
        std::mem::take(&mut self.entered)
    }
}

/// The event for an error.
fn error_reason(kind: &ErrorType) -> &'static str {
    match kind {
        ErrorType::ProvisionedRegistration => reason::PROVISIONED_REGISTRATION_ERROR,
        ErrorType::Registration | ErrorType::Other(_) => reason::REGISTRATION_ERROR,
        ErrorType::Inspection => reason::INSPECTION_ERROR,
        ErrorType::Preparation => reason::PREPARATION_ERROR,
        ErrorType::Provisioning => reason::PROVISIONING_ERROR,
        ErrorType::PowerManagement => reason::POWER_MANAGEMENT_ERROR,
        ErrorType::Servicing => reason::SERVICING_ERROR,
    }
}
