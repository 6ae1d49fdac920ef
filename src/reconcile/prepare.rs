//! Preparing: RAID volumes as wanted, by manual cleaning.

use super::draft::{Draft, Flow};
use super::phase::Phase;
use super::{Code, profile, register};
use crate::api::{BareMetalHostSpec, ErrorType, ProvisionStatus, RaidConfig};
use crate::budget::SlotKind;
use crate::provision::{Effect, Facts, NodeState};

/// True when volumes have to be made or cleared. No wish keeps what is there.
fn needs_cleaning(spec: &BareMetalHostSpec, applied: &ProvisionStatus) -> bool {
    let wish = |raid: &RaidConfig| {
        raid.hardware_raid_volumes.is_some()
            || raid
                .software_raid_volumes
                .as_ref()
                .is_some_and(|all| !all.is_empty())
    };
    spec.raid
        .as_ref()
        .is_some_and(|raid| wish(raid) && applied.raid.as_ref() != Some(raid))
}

/// True when an available host has to be prepared again.
pub(super) fn is_outdated(draft: &Draft<'_>) -> bool {
    let spec = &draft.view.host.spec;
    let hints = profile::root_device_hints(spec, &draft.status.hardware_profile);
    draft.status.provisioning.root_device_hints != hints
        || needs_cleaning(spec, &draft.status.provisioning)
}

pub(super) fn run(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    let spec = &draft.view.host.spec;
    draft.status.provisioning.root_device_hints =
        profile::root_device_hints(spec, &draft.status.hardware_profile);
    let needed = needs_cleaning(spec, &draft.status.provisioning);
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
            draft.send_in(SlotKind::Clean, Effect::Clean, Code::Preparing, text)
        }
        NodeState::Available | NodeState::InspectFailed | NodeState::AdoptFailed => {
            register::recover(draft, facts)
        }
        NodeState::Cleaning | NodeState::CleanWait => {
            draft.clear_error();
            // Only this phase cleans by hand. If the spec is the one that was sent, these are its
            // volumes, also when a crash lost the answer to the request.
            if facts.target == Some(NodeState::Manageable) && !draft.was_edited() {
                draft.status.provisioning.raid.clone_from(&spec.raid);
            }
            draft.work(
                SlotKind::Clean,
                Code::Preparing,
                "RAID volumes are being made",
            )
        }
        NodeState::CleanFailed => {
            draft.status.provisioning.raid = None;
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
