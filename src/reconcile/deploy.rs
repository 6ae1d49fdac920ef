//! Provisioning: cleaned, deployed, and with the image that is wanted now.

use super::annotations::Which;
use super::draft::{Draft, Flow};
use super::phase::Phase;
use super::{Code, register};
use crate::api::names::reason;
use crate::api::{BareMetalHostSpec, BareMetalHostStatus, ErrorType, Payload};
use crate::budget::SlotKind;
use crate::provision::{Effect, Facts, NodeState};

/// True when something is to be deployed at all.
pub(super) fn is_wanted(spec: &BareMetalHostSpec) -> bool {
    !Payload::wanted(spec).is_none()
}

/// True when what is deployed is not what is wanted.
pub(super) fn is_outdated(spec: &BareMetalHostSpec, status: &BareMetalHostStatus) -> bool {
    !is_wanted(spec) || Payload::wanted(spec) != Payload::applied(status)
}

pub(super) fn run(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    let host = draft.view.host;
    let spec = &host.spec;
    if !is_wanted(spec) || is_another(spec, &draft.status, facts) {
        return draft.enter(Phase::Deprovisioning);
    }
    let under_way = matches!(
        facts.state,
        NodeState::Cleaning
            | NodeState::CleanWait
            | NodeState::Deploying
            | NodeState::DeployWait
            | NodeState::Active
    );
    if under_way {
        // A request that was refused because it had already been carried out is no failure.
        draft.clear_error();
    }
    if draft.has_error(&ErrorType::Provisioning) {
        if let Some(flow) = draft.rest() {
            return flow;
        }
        draft.status.provisioning_fail_count += 1;
        return draft.enter(Phase::Deprovisioning);
    }
    match facts.state {
        NodeState::Manageable => {
            if let Some(flow) = register::unlock(draft, facts) {
                return flow;
            }
            let text = "disks are being cleaned before the deployment";
            draft.send_in(SlotKind::Clean, Effect::Provide, Code::Cleaning, text)
        }
        NodeState::Cleaning | NodeState::CleanWait => {
            let text = "disks are being cleaned before the deployment";
            draft.work(SlotKind::Clean, Code::Cleaning, text)
        }
        NodeState::Available => {
            if let Some(flow) = register::unlock(draft, facts) {
                return flow;
            }
            if !draft.view.missing.is_empty() {
                return draft.wait(Code::ReferenceMissing, draft.view.missing.join("; "));
            }
            let text = format!("deploying {}", Payload::wanted(spec).name());
            let flow = draft.send_in(SlotKind::Deploy, Effect::Deploy, Code::Deploying, text);
            if draft.sends() {
                // The machine does not tell later which method it was given, as it does for images.
                let applied = &mut draft.status.provisioning.custom_deploy;
                applied.clone_from(&spec.custom_deploy);
            }
            flow
        }
        NodeState::Deploying | NodeState::DeployWait => {
            if facts.state == NodeState::DeployWait && draft.reboot(Which::All).force {
                let text = "a forced reboot is wanted";
                return draft.send_in(SlotKind::Clean, Effect::Undeploy, Code::Aborting, text);
            }
            draft.work(
                SlotKind::Deploy,
                Code::Deploying,
                format!("deploying {}", Payload::wanted(spec).name()),
            )
        }
        NodeState::Active => done(draft, facts),
        NodeState::DeployFailed => failed(draft, facts, "deploying"),
        NodeState::CleanFailed => failed(draft, facts, "cleaning"),
        NodeState::Error => failed(draft, facts, "undeploying"),
        // A forced reboot takes this way.
        NodeState::Deleting => draft.work(
            SlotKind::Clean,
            Code::Undeploying,
            "the deployment is being taken off",
        ),
        NodeState::InspectFailed | NodeState::AdoptFailed => register::recover(draft, facts),
        NodeState::Enroll
        | NodeState::Verifying
        | NodeState::Inspecting
        | NodeState::InspectWait
        | NodeState::Adopting => register::busy(draft, facts),
        NodeState::CleanHold | NodeState::DeployHold | NodeState::ServiceHold => {
            register::held(draft, facts)
        }
        NodeState::Rebuild
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

/// True when the machine is being given, or has, an image, or got it by a method, that is not
/// wanted (any more).
fn is_another(spec: &BareMetalHostSpec, status: &BareMetalHostStatus, facts: &Facts) -> bool {
    let given = matches!(
        facts.state,
        NodeState::Deploying | NodeState::DeployWait | NodeState::DeployFailed | NodeState::Active
    );
    let seen = Payload {
        url: facts.image.as_deref().unwrap_or_default(),
        ..Payload::applied(status)
    };
    given && seen != Payload::wanted(spec)
}

fn failed(draft: &mut Draft<'_>, facts: &Facts, what: &str) -> Flow {
    let spec = &draft.view.host.spec;
    draft.status.last_attempted_image.clone_from(&spec.image);
    let error = facts.last_error.as_deref().unwrap_or("no reason is given");
    let text = format!(
        "image provisioning failed ({}) in {what}: {error}",
        Payload::wanted(spec).name()
    );
    draft.fail(ErrorType::Provisioning, text);
    draft.rest().unwrap_or(Flow::Done)
}

fn done(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    let url = Payload::wanted(&draft.view.host.spec).url;
    let text = format!("Image provisioning completed for {url}");
    draft.note(reason::PROVISIONING_COMPLETE, text);
    carries(draft, facts)
}

/// The machine runs what the host wants.
pub(super) fn carries(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    let spec = &draft.view.host.spec;
    draft.status.last_attempted_image.clone_from(&spec.image);
    draft.status.provisioning_fail_count = 0;
    let applied = &mut draft.status.provisioning;
    applied.image = spec.image.clone().unwrap_or_default();
    if let Some(power) = facts.power.filter(|_| !facts.power_changing) {
        draft.status.powered_on = power;
    }
    draft.enter(Phase::Provisioned)
}
