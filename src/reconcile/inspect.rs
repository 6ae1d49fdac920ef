//! Inspecting: finding out the hardware, or reading what an inspection found.

use super::absorb::NO_INVENTORY;
use super::annotations::{self, Which};
use super::draft::{Draft, Flow};
use super::phase::Phase;
use super::{Code, register};
use crate::api::ErrorType;
use crate::api::names::{annotation, reason};
use crate::budget::SlotKind;
use crate::provision::{Effect, Facts, NodeState};

pub(super) fn run(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    let host = draft.view.host;
    if host.inspection_disabled() {
        draft.note(reason::INSPECTION_SKIPPED, "Inspection is disabled");
        return draft.enter(Phase::Preparing);
    }
    match facts.state {
        NodeState::Manageable => {
            let again =
                annotations::wants_inspection(host) || draft.status.error_message == NO_INVENTORY;
            if facts.inspected && !again {
                return read(draft);
            }
            start(draft, facts)
        }
        NodeState::Inspecting | NodeState::InspectWait => {
            draft.clear_error();
            if facts.state == NodeState::InspectWait && draft.reboot(Which::All).force {
                return draft.send(Effect::Abort, Code::Aborting, "a forced reboot is wanted");
            }
            // That it runs is proof that it began, also when the answer got lost.
            drop_inspect(draft);
            draft.work(
                SlotKind::Inspect,
                Code::Inspecting,
                "the hardware is being inspected",
            )
        }
        NodeState::InspectFailed => {
            let text = facts
                .last_error
                .as_deref()
                .unwrap_or("the inspection failed");
            // What was aborted on demand did not fail: Ironic's own words (conductor/inspection.py).
            // Connections are aborted too.
            let aborted = text.contains("aborted by request");
            if aborted {
                drop_reboot(draft);
            }
            if !aborted && !draft.has_error(&ErrorType::Inspection) {
                draft.fail(ErrorType::Inspection, text);
            }
            start(draft, facts)
        }
        NodeState::Available | NodeState::CleanFailed | NodeState::AdoptFailed => {
            register::recover(draft, facts)
        }
        NodeState::Enroll
        | NodeState::Verifying
        | NodeState::Cleaning
        | NodeState::CleanWait
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

fn start(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    if let Some(flow) = draft.rest() {
        return flow;
    }
    if let Some(flow) = register::unlock(draft, facts) {
        return flow;
    }
    let text = "the hardware is being inspected";
    draft.send_in(SlotKind::Inspect, Effect::Inspect, Code::Inspecting, text)
}

/// An inspection that began is what the annotations asked for.
pub(super) fn drop_annotations(draft: &mut Draft<'_>) {
    drop_inspect(draft);
    drop_reboot(draft);
}

fn drop_inspect(draft: &mut Draft<'_>) {
    if annotations::wants_inspection(draft.view.host) {
        draft.drop_annotation(annotation::INSPECT);
    }
}

/// Reads what an inspection found of a machine that cannot be inspected now, if that is not known.
pub(super) fn read_first(draft: &mut Draft<'_>, facts: &Facts) -> Option<Flow> {
    let known = draft.status.hardware.is_some() || draft.status.error_message == NO_INVENTORY;
    (facts.inspected && !known).then(|| read(draft))
}

fn read(draft: &mut Draft<'_>) -> Flow {
    let text = "what the inspection found is being read";
    draft.send(Effect::ReadInventory, Code::ReadingInventory, text)
}

/// The machine boots its ramdisk anew, which is the reboot that was asked for.
pub(super) fn drop_reboot(draft: &mut Draft<'_>) {
    if draft.reboot(Which::All).once {
        draft.drop_annotation(annotation::REBOOT);
    }
}
