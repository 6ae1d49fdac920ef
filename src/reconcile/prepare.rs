//! Preparing: RAID volumes as wanted, by manual cleaning.

use super::draft::{Draft, Flow};
use super::phase::Phase;
use super::{Code, profile, register};
use crate::api::{ErrorType, RaidConfig};
use crate::budget::SlotKind;
use crate::provision::{Effect, Facts, NodeState};

/// True when an available host has to be prepared again.
pub(super) fn is_outdated(draft: &Draft<'_>) -> bool {
    let spec = &draft.view.host.spec;
    let hints = profile::root_device_hints(spec, &draft.status.hardware_profile);
    draft.status.provisioning.root_device_hints != hints || lacks_volumes(draft)
}

fn lacks_volumes(draft: &Draft<'_>) -> bool {
    let wanted = draft.view.host.spec.raid.as_deref();
    draft.status.provisioning.lacks_volumes(wanted)
}

/// The spec changed since the status was written: if volumes of the former spec were asked for and
/// not yet seen being made, nobody can tell any more which they are.
pub(super) fn edited(draft: &mut Draft<'_>) {
    let raid = &mut draft.status.provisioning.raid;
    if raid
        .as_deref()
        .is_some_and(|raid| *raid == RaidConfig::under_way())
    {
        *raid = Some(Box::new(RaidConfig::unknown()));
    }
}

/// What was made, or was being made, cannot be relied on.
pub(super) fn doubt(draft: &mut Draft<'_>) {
    let wish = draft.view.host.spec.raid.is_some();
    let raid = &mut draft.status.provisioning.raid;
    if wish || raid.is_some() {
        *raid = Some(Box::new(RaidConfig::unknown()));
    }
}

pub(super) fn run(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    let spec = &draft.view.host.spec;
    draft.status.provisioning.root_device_hints =
        profile::root_device_hints(spec, &draft.status.hardware_profile);
    let needed = lacks_volumes(draft);
    match facts.state {
        NodeState::Manageable | NodeState::Available if !needed => draft.enter(Phase::Available),
        NodeState::Manageable => {
            if let Some(flow) = draft.rest() {
                return flow;
            }
            if let Some(flow) = register::unlock(draft, facts) {
                return flow;
            }
            let text = "RAID volumes are being made";
            let flow = draft.send_in(SlotKind::Clean, Effect::Clean, Code::Preparing, text);
            if draft.sends() {
                draft.status.provisioning.raid = Some(Box::new(RaidConfig::under_way()));
            }
            flow
        }
        NodeState::Available | NodeState::InspectFailed | NodeState::AdoptFailed => {
            register::recover(draft, facts)
        }
        NodeState::Cleaning | NodeState::CleanWait => {
            draft.clear_error();
            // Only this phase cleans by hand. The spec is still the one that was sent, or `edited`
            // would have said so; these are its volumes, also when a crash lost the answer.
            let raid = &mut draft.status.provisioning.raid;
            if facts.target == Some(NodeState::Manageable)
                && raid.as_deref() == Some(&RaidConfig::under_way())
            {
                raid.clone_from(&spec.raid);
            }
            draft.work(
                SlotKind::Clean,
                Code::Preparing,
                "RAID volumes are being made",
            )
        }
        NodeState::CleanFailed => {
            doubt(draft);
            if !draft.has_error(&ErrorType::Preparation) {
                let text = facts.last_error.as_deref().unwrap_or("cleaning failed");
                draft.fail(ErrorType::Preparation, text);
            }
            register::recover(draft, facts)
        }
        NodeState::Enroll
        | NodeState::Verifying
        | NodeState::Inspecting
        | NodeState::InspectWait
        | NodeState::Adopting
        | NodeState::Deleting => register::busy(draft, facts),
        NodeState::CleanHold | NodeState::DeployHold | NodeState::ServiceHold => {
            register::held(draft, facts)
        }
        NodeState::Deploying
        | NodeState::DeployWait
        | NodeState::DeployFailed
        | NodeState::Active
        | NodeState::Error
        | NodeState::Rebuild
        | NodeState::Rescue
        | NodeState::Rescuing
        | NodeState::RescueWait
        | NodeState::RescueFailed
        | NodeState::Unrescuing
        | NodeState::UnrescueFailed
        | NodeState::Servicing
        | NodeState::ServiceWait
        | NodeState::ServiceFailed
        | NodeState::Unknown => register::unexpected(draft, facts),
    }
}
