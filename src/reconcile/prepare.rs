//! Preparing: RAID volumes, BIOS settings and firmware as wanted, by one manual cleaning.

use super::draft::{Draft, Flow};
use super::phase::Phase;
use super::{Code, firmware, profile, register};
use crate::api::{ErrorType, RaidConfig};
use crate::budget::SlotKind;
use crate::provision::{Effect, Facts, NodeState};

/// True when an available host has to be prepared again.
pub(super) fn is_outdated(draft: &Draft<'_>) -> bool {
    let spec = &draft.view.host.spec;
    let hints = profile::root_device_hints(spec, &draft.status.hardware_profile);
    let hinted = draft.status.provisioning.root_device_hints == hints;
    !hinted || lacks_volumes(draft) || firmware::is_outdated(draft)
}

fn lacks_volumes(draft: &Draft<'_>) -> bool {
    let wanted = draft.view.host.spec.raid.as_deref();
    draft.status.provisioning.lacks_volumes(wanted)
}

/// The spec changed since the status was written: if volumes of the former spec were asked for and
/// not yet seen being made, nobody can tell any more which they are.
pub(super) fn edited(draft: &mut Draft<'_>) {
    let raid = &mut draft.status.provisioning.raid;
    if is_asked(raid.as_deref()) {
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

/// True when volumes were asked for and not yet seen being made.
pub(super) fn is_asked(raid: Option<&RaidConfig>) -> bool {
    raid.is_some_and(|raid| *raid == RaidConfig::under_way())
}

fn doing(volumes: bool, firmware: bool) -> &'static str {
    match (volumes, firmware) {
        (false, true) => "BIOS settings or firmware are being changed",
        (true, true) => {
            "RAID volumes are being made, and BIOS settings or firmware are being changed"
        }
        (_, false) => "RAID volumes are being made",
    }
}

pub(super) fn run(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    let spec = &draft.view.host.spec;
    draft.status.provisioning.root_device_hints =
        profile::root_device_hints(spec, &draft.status.hardware_profile);
    let volumes = lacks_volumes(draft);
    match facts.state {
        NodeState::Manageable | NodeState::Available if !volumes && firmware::is_done(draft) => {
            draft.enter(Phase::Available)
        }
        NodeState::Manageable => {
            if let Some(flow) = draft.rest() {
                return flow;
            }
            if let Some(flow) = register::unlock(draft, facts) {
                return flow;
            }
            if let Some(flow) = firmware::look(draft) {
                return flow;
            }
            let changes = draft.view.firmware.changes.clone();
            if !volumes && changes.is_none() {
                return draft.enter(Phase::Available);
            }
            let text = doing(volumes, changes.is_some());
            let effect = Effect::Clean { firmware: changes };
            let flow = draft.send_in(SlotKind::Clean, effect, Code::Preparing, text);
            if draft.sends() {
                firmware::asks(draft, volumes);
                if volumes {
                    draft.status.provisioning.raid = Some(Box::new(RaidConfig::under_way()));
                }
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
            let volumes = is_asked(raid.as_deref());
            if facts.target == Some(NodeState::Manageable) {
                if volumes {
                    raid.clone_from(&spec.raid);
                }
                firmware::begins(draft);
            }
            let text = doing(volumes, draft.mark.is_some());
            draft.work(SlotKind::Clean, Code::Preparing, text)
        }
        NodeState::CleanFailed => {
            if draft.mark.is_none_or(|mark| mark.volumes) {
                doubt(draft);
            }
            if !draft.has_error(&ErrorType::Preparation) {
                let text = facts.last_error.as_deref().unwrap_or("cleaning failed");
                draft.fail(ErrorType::Preparation, text);
                firmware::fails(draft);
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
