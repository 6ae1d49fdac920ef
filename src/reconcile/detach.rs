//! Detaching: the provisioner forgets the machine, which goes on running.

use super::draft::{Draft, Flow};
use super::phase::Phase;
use super::{Code, register};
use crate::api::OperationalStatus;
use crate::provision::{Effect, Footing, NodeState, Sight};

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
    Some(match facts.state.footing() {
        Footing::Busy => register::busy(draft, facts),
        Footing::Waiting if facts.state == NodeState::DeployWait => draft.send(
            Effect::Undeploy,
            Code::Aborting,
            "the deployment is being stopped",
        ),
        Footing::Waiting | Footing::Held => draft.send(
            Effect::Abort,
            Code::Aborting,
            format!("`{}` is being stopped", facts.state),
        ),
        Footing::Settled | Footing::Failed | Footing::Unknown => {
            let effect = Effect::Forget {
                force: !facts.state.is_removable(),
            };
            draft.send(
                effect,
                Code::Forgetting,
                "the provisioner forgets the machine",
            )
        }
    })
}
