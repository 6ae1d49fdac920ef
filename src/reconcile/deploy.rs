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
        return leave(draft);
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
            let flow = draft.send_in(SlotKind::Clean, Effect::Provide, Code::Cleaning, text);
            if draft.sends() {
                attempts(draft);
            }
            flow
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
                attempts(draft);
                // The machine does not tell later which method it was given, as it does for images.
                let applied = &mut draft.status.provisioning.custom_deploy;
                applied.clone_from(&spec.custom_deploy);
            }
            flow
        }
        NodeState::Deploying | NodeState::DeployWait => {
            let interrupt = facts.state == NodeState::DeployWait && draft.reboot(Which::All).force;
            if interrupt && !draft.view.drift.cleaned {
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

/// Notes what is to be deployed, before it is: see [`is_another`].
pub(super) fn attempts(draft: &mut Draft<'_>) {
    let image = &draft.view.host.spec.image;
    draft.status.last_attempted_image.clone_from(image);
}

/// Goes to take off what is deployed. While the spec says that somebody else provisioned the machine,
/// nothing is: the Bare Metal Operator's webhook takes that only of an available host.
pub(super) fn leave(draft: &mut Draft<'_>) -> Flow {
    if draft.view.host.spec.externally_provisioned && !draft.is_deleted() {
        let text = "externallyProvisioned can only be switched on while the host is available: what is \
                    deployed stays as it is; to have it taken off, take externallyProvisioned back; to \
                    keep it, put the former image back";
        return draft.wait(Code::ExternalTooLate, text);
    }
    draft.enter(Phase::Deprovisioning)
}

/// True when the machine is being given, or has, an image, or got it by a method, that is not
/// wanted (any more).
///
/// Which image it was given is noted when it is asked for. What the machine says counts, too, but not
/// alone: where an URL redirects, Ironic says where to (`deploy_utils.py`, `image_source` becomes the
/// last URL), and an image that is another one by its name would be deployed and taken off for ever.
fn is_another(spec: &BareMetalHostSpec, status: &BareMetalHostStatus, facts: &Facts) -> bool {
    let given = matches!(
        facts.state,
        NodeState::Deploying | NodeState::DeployWait | NodeState::DeployFailed | NodeState::Active
    );
    let noted = status.last_attempted_image.as_ref();
    let is_it = |url: &str| {
        let given = Payload {
            url,
            ..Payload::applied(status)
        };
        given == Payload::wanted(spec)
    };
    given
        && !is_it(facts.image.as_deref().unwrap_or_default())
        && !is_it(noted.map_or("", |image| &image.url))
}

fn failed(draft: &mut Draft<'_>, facts: &Facts, what: &str) -> Flow {
    attempts(draft);
    let spec = &draft.view.host.spec;
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
    attempts(draft);
    let spec = &draft.view.host.spec;
    draft.status.provisioning_fail_count = 0;
    let applied = &mut draft.status.provisioning;
    applied.image = spec.image.clone().unwrap_or_default();
    if let Some(power) = facts.power.filter(|_| !facts.power_changing) {
        draft.status.powered_on = power;
    }
    draft.enter(Phase::Provisioned)
}
