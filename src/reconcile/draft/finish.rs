//! The end of a step: conditions, what it occupies, and whether the status is another one.

use super::super::firmware::{Mark, Stage};
use super::super::register::POWER_FAILURE;
use super::super::why::Kind;
use super::super::{Code, Step};
use super::Draft;
use crate::api::conditions::{self, Inputs, Reason};
use crate::api::{BareMetalHostStatus, ConditionType, OperationalStatus, ProvisioningState};
use crate::budget::SlotKind;

impl Draft<'_> {
    /// The step.
    pub fn finish(mut self) -> Step {
        let view = self.view;
        let old = view.host.status.as_ref();
        let previous = old
            .map(|status| status.conditions.as_slice())
            .unwrap_or_default();
        let facts = self.facts();
        let blind = view.sight.is_blind();
        let stays_unseen = blind
            && old.is_some_and(|old| old.provisioning.state == self.status.provisioning.state);
        let waiting = match self.why.row().map(Code::kind) {
            Some(Kind::Blocked) => Some((self.why.code, self.why.text.as_str())),
            // While a failure is shown, so is what it was, also during the next attempt. A machine
            // that nobody sees is in what it was seen in last.
            _ if stays_unseen || self.status.operational_status == OperationalStatus::Error => old
                .and_then(|status| status.condition(&ConditionType::Waiting))
                .map(|waiting| (waiting.reason.as_str(), waiting.message.as_str())),
            _ => None,
        };
        let power_failure = match facts {
            Some(facts) => facts.fault.as_deref() == Some(POWER_FAILURE),
            None => stays_unseen && old.is_some_and(told_power_failure),
        };
        let preparing = self.status.provisioning.state == ProvisioningState::Preparing;
        let mark = self.mark.filter(|_| preparing);
        let of = mark.map(Mark::message).unwrap_or_default();
        self.status.conditions = conditions::conditions(&Inputs {
            state: &self.status.provisioning.state,
            operational_status: &self.status.operational_status,
            error_type: self.status.error_type.as_ref(),
            power_failure,
            health: facts.and_then(|facts| facts.health.as_deref()),
            waiting,
            firmware: mark.map(|mark| {
                (
                    mark.stage != Stage::Failed,
                    mark.stage.as_str(),
                    of.as_str(),
                )
            }),
            generation: self.generation(),
            previous,
            now: view.now,
        });
        let status = self.changed_status();
        // Whatever brought the machine to work, it occupies a slot, also while the host waits for
        // another one.
        let at_work = facts.and_then(|facts| SlotKind::of(facts.state));
        Step {
            status,
            meta: self.meta,
            effect: self.effect,
            notes: self.notes,
            wake: self.wake,
            slot: self.slot.or(at_work),
            blind,
            hold: self.hold,
            why: self.why,
        }
    }

    /// The status, if it is another one. `lastUpdated` alone is no difference; during an error it
    /// stays the time of the failure, from which the pause is counted.
    fn changed_status(&mut self) -> Option<Box<BareMetalHostStatus>> {
        let failed = self.status.last_updated;
        if let Some(old) = &self.view.host.status {
            self.status.last_updated = old.last_updated;
            if self.status == *old {
                return None;
            }
            let same_error = old.error_type.is_some()
                && old.error_type == self.status.error_type
                && old.error_count == self.status.error_count;
            if same_error {
                return Some(Box::new(std::mem::take(&mut self.status)));
            }
        }
        self.status.last_updated = failed.max(Some(self.now()));
        Some(Box::new(std::mem::take(&mut self.status)))
    }
}

/// What the status says of the machine's power, as last seen.
fn told_power_failure(status: &BareMetalHostStatus) -> bool {
    let manageable = status.condition(&ConditionType::Manageable);
    manageable.is_some_and(|manageable| manageable.reason == Reason::PowerFailure)
}
