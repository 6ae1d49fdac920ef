//! Detaching: the provisioner forgets the machine, which goes on running.

use super::draft::{Draft, Flow};
use super::phase::Phase;
use super::{Code, register};
use crate::api::OperationalStatus;
use crate::provision::{Effect, Facts, Footing, Sight};

/// Detaches the host, keeps it detached, or attaches it again. `None` to go on as usual.
pub(super) fn run(draft: &mut Draft<'_>, phase: Phase) -> Option<Flow> {
    let detached = draft.status.operational_status == OperationalStatus::Detached;
    let Some(wish) = draft.view.host.detached() else {
        if detached {
            draft.status.operational_status = OperationalStatus::Ok;
        }
        return None;
    };
    let rests = matches!(
        phase,
        Phase::Available | Phase::Provisioned | Phase::ExternallyProvisioned
    );
    if draft.is_deleted() || !(rests || wish.force || detached) {
        return None;
    }
    let text = "left alone until the annotation detached is removed";
    if detached {
        return Some(draft.wait(Code::Detached, text));
    }
    let facts = match draft.view.sight {
        Sight::Unsynced | Sight::Down(_) | Sight::Unconfirmed(_) => {
            return Some(register::unseen(draft));
        }
        Sight::Absent | Sight::Taken(_) => {
            draft.succeed();
            draft.status.operational_status = OperationalStatus::Detached;
            return Some(draft.wait(Code::Detached, text));
        }
        Sight::Present(facts) => facts,
    };
    if let Some(flow) = stop(draft, facts, wish.force) {
        return Some(flow);
    }
    let effect = Effect::Forget {
        force: !facts.state.is_removable(),
    };
    let text = "the provisioner forgets the machine";
    Some(draft.send(effect, Code::Forgetting, text))
}

/// Waits for what the machine is at; with `force` ends it. `None` when it rests.
pub(super) fn stop(draft: &mut Draft<'_>, facts: &Facts, force: bool) -> Option<Flow> {
    match facts.state.footing() {
        Footing::Settled | Footing::Failed | Footing::Unknown => None,
        Footing::Waiting | Footing::Held if force => {
            let text = format!("`{}` is being stopped", facts.state);
            Some(draft.send(Effect::Abort, Code::Aborting, text))
        }
        Footing::Busy | Footing::Waiting => Some(register::busy(draft, facts)),
        Footing::Held => Some(register::held(draft, facts)),
    }
}
