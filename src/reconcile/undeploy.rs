//! Deprovisioning: the image taken off, the disks cleaned.

use super::draft::{Draft, Flow};
use super::phase::Phase;
use super::{Code, register};
use crate::api::names::reason;
use crate::api::{ErrorType, Shared};
use crate::budget::SlotKind;
use crate::provision::{Effect, Facts, NodeState};

pub(super) fn run(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    if facts.state == NodeState::DeployWait && draft.view.drift.cleaned {
        let text = "disks are to be kept, which the provisioner takes only from a machine at rest: waits \
                    until the deployment has ended";
        return draft.work(SlotKind::Deploy, Code::MachineBusy, text);
    }
    match facts.state {
        NodeState::Available => done(draft),
        NodeState::Manageable => {
            if let Some(flow) = register::unlock(draft, facts) {
                return flow;
            }
            let text = "disks are being cleaned";
            draft.send_in(SlotKind::Clean, Effect::Provide, Code::Cleaning, text)
        }
        NodeState::Active
        | NodeState::DeployFailed
        | NodeState::DeployWait
        | NodeState::Rescue
        | NodeState::RescueFailed
        | NodeState::UnrescueFailed
        | NodeState::ServiceWait
        | NodeState::ServiceFailed => undeploy(draft, facts),
        NodeState::Error => {
            failed(draft, facts, "undeploying");
            undeploy(draft, facts)
        }
        NodeState::CleanFailed => {
            failed(draft, facts, "cleaning");
            register::recover(draft, facts)
        }
        NodeState::Deleting | NodeState::Cleaning | NodeState::CleanWait => {
            draft.clear_error();
            let text = if facts.state == NodeState::Deleting {
                "the image is being taken off"
            } else {
                "the image is off, and disks are being cleaned"
            };
            draft.work(SlotKind::Clean, Code::Undeploying, text)
        }
        // Cannot be interrupted; it gets to where it can be.
        NodeState::Deploying => {
            let text = "waits until the deployment can be stopped";
            draft.work(SlotKind::Deploy, Code::MachineBusy, text)
        }
        NodeState::InspectFailed | NodeState::AdoptFailed => register::recover(draft, facts),
        NodeState::InspectWait => draft.send(
            Effect::Abort,
            Code::Aborting,
            "the inspection is being stopped",
        ),
        NodeState::Enroll
        | NodeState::Verifying
        | NodeState::Inspecting
        | NodeState::Adopting
        | NodeState::Rebuild
        | NodeState::Rescuing
        | NodeState::RescueWait
        | NodeState::Unrescuing
        | NodeState::Servicing => register::busy(draft, facts),
        // Whoever holds it, holds what is to be deleted.
        NodeState::CleanHold | NodeState::DeployHold | NodeState::ServiceHold
            if draft.is_deleted() =>
        {
            let text = format!("`{}` is being ended", facts.state);
            draft.send(Effect::Abort, Code::Aborting, text)
        }
        NodeState::CleanHold | NodeState::DeployHold | NodeState::ServiceHold => {
            register::held(draft, facts)
        }
        // Nothing is known that would take the image off; removing the machine does not need it.
        NodeState::Unknown if draft.is_deleted() => draft.enter(Phase::PoweringOff),
        NodeState::Unknown => register::unexpected(draft, facts),
    }
}

fn undeploy(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    if let Some(flow) = draft.rest() {
        return flow;
    }
    if let Some(flow) = register::unlock(draft, facts) {
        return flow;
    }
    let text = "the image is being taken off";
    draft.send_in(SlotKind::Clean, Effect::Undeploy, Code::Undeploying, text)
}

fn failed(draft: &mut Draft<'_>, facts: &Facts, what: &str) {
    if !draft.has_error(&ErrorType::Provisioning) {
        let error = facts.last_error.as_deref().unwrap_or("no reason is given");
        draft.fail(
            ErrorType::Provisioning,
            format!("deprovisioning failed in {what}: {error}"),
        );
    }
}

fn done(draft: &mut Draft<'_>) -> Flow {
    draft.note(
        reason::DEPROVISIONING_COMPLETE,
        "Image deprovisioning completed",
    );
    draft.status.provisioning.image = Shared::default();
    draft.status.provisioning.custom_deploy = None;
    draft.status.provisioning.drop_software_volumes();
    draft.enter(if draft.is_deleted() {
        Phase::PoweringOff
    } else {
        Phase::Available
    })
}
