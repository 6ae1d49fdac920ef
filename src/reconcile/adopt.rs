//! The states in which a host stays: available, provisioned, externally provisioned.

use super::draft::{Draft, Flow};
use super::phase::Phase;
use super::{Code, annotations, deploy, power, prepare, register};
use crate::api::{ErrorType, OperationalStatus};
use crate::budget::SlotKind;
use crate::provision::{Effect, Facts, Footing, NodeState};

pub(super) fn available(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    let host = draft.view.host;
    let spec = &host.spec;
    match facts.state.footing() {
        Footing::Settled | Footing::Failed => {}
        Footing::Busy | Footing::Waiting => return register::busy(draft, facts),
        Footing::Held => return register::held(draft, facts),
        Footing::Unknown => return register::unexpected(draft, facts),
    }
    if spec.externally_provisioned {
        return draft.enter(Phase::ExternallyProvisioned);
    }
    if facts.state.holds_image() {
        return register::found_deployed(draft, facts);
    }
    if annotations::wants_inspection(host) && !host.inspection_disabled() {
        return match draft.queue(SlotKind::Inspect) {
            Some(flow) => flow,
            None => draft.enter(Phase::Inspecting),
        };
    }
    if prepare::is_outdated(draft) {
        return draft.enter(Phase::Preparing);
    }
    let wanted = deploy::is_wanted(spec);
    if !wanted || draft.status.last_attempted_image != spec.image {
        draft.status.provisioning_fail_count = 0;
    }
    let limit = draft.view.policy.max_provisioning_retries;
    let failed = draft.status.provisioning_fail_count;
    let exhausted = wanted && limit > 0 && failed >= limit;
    if !exhausted && draft.has_error(&ErrorType::Provisioning) {
        draft.succeed();
    }
    if wanted && exhausted {
        let text = format!(
            "provisioning failed {failed} times, retry limit ({limit}) reached; change image or \
             reset provisioningFailCount to retry"
        );
        draft.show_error(ErrorType::Provisioning, &*text);
        return draft.wait(Code::RetryLimit, text);
    }
    if wanted && spec.online {
        let kind = match facts.state {
            NodeState::Available => SlotKind::Deploy,
            _ => SlotKind::Clean,
        };
        if let Some(flow) = draft.queue(kind) {
            return flow;
        }
        deploy::attempts(draft);
        return draft.enter(Phase::Provisioning);
    }
    let (code, text) = if wanted {
        (Code::Offline, "not provisioned while online is false")
    } else {
        (Code::Available, "available")
    };
    power::manage(draft, facts, code, text)
}

pub(super) fn provisioned(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    let spec = &draft.view.host.spec;
    if deploy::is_outdated(spec, &draft.status) {
        // What runs is not given up for something that could not be deployed.
        if deploy::is_wanted(spec) && !draft.view.missing.is_empty() {
            let missing = draft.view.missing.join("; ");
            let text = format!("{missing}; what is deployed stays until it is there");
            return draft.wait(Code::ReferenceMissing, text);
        }
        if spec.externally_provisioned {
            return deploy::leave(draft);
        }
        return match draft.queue(SlotKind::Clean) {
            Some(flow) => flow,
            None => deploy::leave(draft),
        };
    }
    match facts.state {
        // The disks were cleaned: adopting the machine would claim an image that is not there.
        NodeState::Available => register::unexpected(draft, facts),
        _ => deployed(draft, facts, Code::Provisioned, "provisioned"),
    }
}

pub(super) fn externally_provisioned(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    let spec = &draft.view.host.spec;
    if !spec.externally_provisioned {
        let applied = &mut draft.status.provisioning;
        applied.image = spec.image.clone().unwrap_or_default();
        applied.custom_deploy.clone_from(&spec.custom_deploy);
        return draft.enter(Phase::Provisioned);
    }
    match facts.state {
        NodeState::Available => register::recover(draft, facts),
        _ => deployed(
            draft,
            facts,
            Code::ExternallyProvisioned,
            "externally provisioned",
        ),
    }
}

/// Keeps the machine active and its power as wanted.
fn deployed(draft: &mut Draft<'_>, facts: &Facts, code: Code, text: &str) -> Flow {
    match facts.state {
        NodeState::Active => {
            if draft.has_error(&ErrorType::ProvisionedRegistration)
                || draft.has_error(&ErrorType::Servicing)
            {
                draft.succeed();
            }
            if draft.status.operational_status == OperationalStatus::Servicing {
                draft.status.operational_status = OperationalStatus::Ok;
            }
            power::manage(draft, facts, code, text)
        }
        NodeState::Manageable => adopt(draft, facts),
        NodeState::AdoptFailed => {
            if !draft.has_error(&ErrorType::ProvisionedRegistration) {
                let text = facts.last_error.as_deref().unwrap_or("adoption failed");
                draft.fail(ErrorType::ProvisionedRegistration, text);
            }
            adopt(draft, facts)
        }
        NodeState::Adopting => {
            draft.clear_error();
            draft.wait(Code::Adopting, "the machine is being taken over as it is")
        }
        NodeState::InspectFailed | NodeState::CleanFailed => register::recover(draft, facts),
        // The other operator began it, and whoever has the host now does not end it.
        NodeState::ServiceFailed if is_serviced(draft) => {
            if let Some(flow) = register::unlock(draft, facts) {
                return flow;
            }
            let text = "a service that failed is being ended; the machine goes on as it was";
            draft.send(Effect::Abort, Code::Aborting, text)
        }
        NodeState::InspectWait => draft.send(
            Effect::Abort,
            Code::Aborting,
            "the inspection is being stopped",
        ),
        NodeState::Enroll
        | NodeState::Verifying
        | NodeState::Inspecting
        | NodeState::Cleaning
        | NodeState::CleanWait
        | NodeState::Deploying
        | NodeState::DeployWait
        | NodeState::Deleting
        | NodeState::Rebuild
        | NodeState::Rescuing
        | NodeState::RescueWait
        | NodeState::Unrescuing
        | NodeState::Servicing
        | NodeState::ServiceWait => register::busy(draft, facts),
        NodeState::CleanHold | NodeState::DeployHold | NodeState::ServiceHold => {
            register::held(draft, facts)
        }
        NodeState::Available
        | NodeState::DeployFailed
        | NodeState::Error
        | NodeState::Rescue
        | NodeState::RescueFailed
        | NodeState::UnrescueFailed
        | NodeState::ServiceFailed
        | NodeState::Unknown => register::unexpected(draft, facts),
    }
}

/// True for a host that the Bare Metal Operator services (`onReboot` in its HostUpdatePolicy), or did.
fn is_serviced(draft: &Draft<'_>) -> bool {
    draft.status.operational_status == OperationalStatus::Servicing
        || draft.has_error(&ErrorType::Servicing)
}

fn adopt(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    if let Some(flow) = draft.rest() {
        return flow;
    }
    if let Some(flow) = register::unlock(draft, facts) {
        return flow;
    }
    draft.send(
        Effect::Adopt,
        Code::Adopting,
        "the machine is being taken over as it is",
    )
}
