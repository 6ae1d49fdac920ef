//! Deletion, from every state.

use super::draft::{Draft, Flow};
use super::phase::Phase;
use super::{Code, detach, power, register};
use crate::api::OperationalStatus;
use crate::api::names::finalizer;
use crate::provision::{Effect, Facts, Footing, NodeState, PowerTarget, Sight};

/// The first step of a deletion, if the host is being deleted and is not on its way yet.
pub(super) fn begin(draft: &mut Draft<'_>, phase: Phase) -> Option<Flow> {
    if !draft.is_deleted() {
        return None;
    }
    let to = match phase {
        Phase::Deleting => return None,
        Phase::New | Phase::Unmanaged | Phase::Registering => Phase::Deleting,
        // What is said to be somebody else's is not wiped, whoever deployed it.
        Phase::Provisioned if draft.view.host.spec.externally_provisioned => Phase::PoweringOff,
        Phase::Provisioning | Phase::Provisioned | Phase::Deprovisioning => Phase::Deprovisioning,
        Phase::Inspecting
        | Phase::Preparing
        | Phase::Available
        | Phase::ExternallyProvisioned
        | Phase::PoweringOff => Phase::PoweringOff,
    };
    let begun = to == phase;
    match draft.view.host.detached() {
        Some(wish) if wish.delays_deletion() => {
            let text = "the annotation detached delays the deletion; remove it to go on";
            Some(draft.wait(Code::DeleteDelayed, text))
        }
        Some(_) => Some(draft.enter(Phase::Deleting)),
        None if begun => None,
        None => {
            if draft.status.operational_status == OperationalStatus::Detached {
                draft.status.operational_status = OperationalStatus::Ok;
            }
            Some(draft.enter(to))
        }
    }
}

/// Skips a part of a deletion that failed too often.
pub(super) fn give_up(draft: &mut Draft<'_>, phase: Phase) -> Option<Flow> {
    let failed = draft.status.error_count > draft.view.policy.max_delete_retries;
    if !draft.is_deleted() || !failed {
        return None;
    }
    match phase {
        Phase::Deprovisioning => Some(draft.enter(Phase::PoweringOff)),
        Phase::PoweringOff => Some(draft.enter(Phase::Deleting)),
        Phase::New
        | Phase::Unmanaged
        | Phase::Registering
        | Phase::Inspecting
        | Phase::Preparing
        | Phase::Available
        | Phase::Provisioning
        | Phase::Provisioned
        | Phase::ExternallyProvisioned
        | Phase::Deleting => None,
    }
}

/// Powers the machine off for good.
pub(super) fn power_off(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    if draft.view.host.spec.disable_power_off {
        return draft.enter(Phase::Deleting);
    }
    if facts.power_changing {
        return draft.wait(Code::ChangingPower, "is being powered off");
    }
    if facts.power == Some(false) {
        draft.status.powered_on = false;
        return draft.enter(Phase::Deleting);
    }
    if let Some(flow) = stop(draft, facts) {
        return flow;
    }
    if let Some(flow) = register::unlock(draft, facts) {
        return flow;
    }
    power::failure(draft, facts);
    let effect = Effect::Power(PowerTarget::HardOff);
    draft.send(effect, Code::ChangingPower, "is being powered off")
}

/// Stops or waits for what the machine is at. `None` when it rests.
fn stop(draft: &mut Draft<'_>, facts: &Facts) -> Option<Flow> {
    match facts.state.footing() {
        Footing::Settled | Footing::Failed | Footing::Unknown => None,
        Footing::Busy => Some(register::busy(draft, facts)),
        Footing::Waiting | Footing::Held => {
            let effect = match facts.state {
                NodeState::DeployWait => Effect::Undeploy,
                _ => Effect::Abort,
            };
            let text = format!("`{}` is being stopped", facts.state);
            Some(draft.send(effect, Code::Aborting, text))
        }
    }
}

/// Removes the machine from the provisioner's books, and then our finalizer.
pub(super) fn forget(draft: &mut Draft<'_>) -> Flow {
    let host = draft.view.host;
    if draft.status.operational_status == OperationalStatus::Detached {
        // It was given away: whoever has it now keeps it.
        return gone(draft);
    }
    if !host.has_bmc_details() && draft.status.provisioning.id.is_empty() {
        return gone(draft);
    }
    let facts = match draft.view.sight {
        Sight::Unsynced | Sight::Down(_) | Sight::Unconfirmed(_) => return register::unseen(draft),
        Sight::Absent | Sight::Taken(_) => return gone(draft),
        Sight::Present(facts) => facts,
    };
    if !is_ours(draft, facts) {
        return gone(draft);
    }
    let stopped = match host.detached() {
        Some(wish) => detach::stop(draft, facts, wish.force),
        None => stop(draft, facts),
    };
    if let Some(flow) = stopped {
        return flow;
    }
    let effect = Effect::Forget {
        force: !facts.state.is_removable(),
    };
    draft.send(
        effect,
        Code::Forgetting,
        "the provisioner forgets the machine",
    )
}

/// False for a machine that was found by its MAC address and that this host never touched.
fn is_ours(draft: &Draft<'_>, facts: &Facts) -> bool {
    if *draft.status.provisioning.id == *facts.id {
        return true;
    }
    let meta = &draft.view.host.metadata;
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let name = meta.name.as_deref().unwrap_or_default();
    facts.name.as_deref().is_some_and(|known| {
        known
            .split_once('~')
            .map_or(known == name, |(space, rest)| {
                space == namespace && rest == name
            })
    })
}

fn gone(draft: &mut Draft<'_>) -> Flow {
    draft.meta.drop_finalizer = draft.view.host.metadata.has_finalizer(finalizer::HOST);
    draft.wait(
        Code::Gone,
        "the provisioner knows the machine no more; the object goes",
    )
}
