//! What annotations bring along: a whole status (a host that moved here), or an inventory.
//!
//! A status tells of what runs on a machine. One that cannot be read is waited for: the host without
//! it would be a new one, and the machine of a new host is given its image.

use super::draft::{Draft, Flow};
use super::phase::Phase;
use super::{Code, Note};
use crate::api::names::{annotation, reason};
use crate::api::{BareMetalHost, BareMetalHostStatus, ErrorType, HardwareDetails, HardwareJson};

/// Takes over what annotations bring. `Some` when the state is another one now, or cannot be told.
pub(super) fn all(draft: &mut Draft<'_>) -> Option<Flow> {
    let flow = status(draft);
    if flow.is_none() {
        hardware(draft);
    }
    flow
}

fn status(draft: &mut Draft<'_>) -> Option<Flow> {
    let host = draft.view.host;
    let text = host.annotation(annotation::STATUS)?;
    if draft.drops(annotation::STATUS) {
        return None;
    }
    let name = annotation::STATUS;
    if !is_new(draft) {
        // Kept, it would be taken for true when the host moves the next time.
        draft.drop_annotation(name);
        draft.notes.push(Note {
            reason: reason::INVALID_ANNOTATION_VALUE,
            message: format!("the annotation {name} was removed: the host has a status already"),
            warning: true,
        });
        return None;
    }
    match serde_json::from_str::<BareMetalHostStatus>(text) {
        Ok(status) => {
            draft.drop_annotation(name);
            draft.status = status;
            Some(Flow::Next)
        }
        Err(error) => {
            let text = format!(
                "the annotation {name} cannot be read, so nobody knows what runs on the machine: \
                 {error}; correct it, or remove it if the host is a new one"
            );
            draft.show_error(ErrorType::Registration, &*text);
            Some(draft.wait(Code::StatusUnreadable, text))
        }
    }
}

/// True for a host whose inventory may be in a HardwareData: somebody wrote it there, or the host moved
/// here without one. Where a machine is to be inspected, that says more.
pub fn seeks_inventory(host: &BareMetalHost) -> bool {
    let status = host.status.as_ref();
    let lacks = status.is_none_or(|status| status.hardware.is_none());
    let is_inspected = !host.inspection_disabled()
        && matches!(
            Phase::of(host.state()),
            Some(Phase::New | Phase::Unmanaged | Phase::Registering | Phase::Inspecting)
        );
    let is_left = host.metadata.deletion_timestamp.is_some() || !host.has_bmc_details();
    lacks && !is_inspected && !is_left
}

/// True for a host that nobody has looked at. One that was looked at is in some state, but for one
/// whose status could not be read.
fn is_new(draft: &Draft<'_>) -> bool {
    let status = draft.view.host.status.as_ref();
    let status = status.filter(|status| status.last_updated.is_some());
    status.is_none_or(|status| Phase::of(&status.provisioning.state) == Some(Phase::New))
}

fn hardware(draft: &mut Draft<'_>) {
    let host = draft.view.host;
    let found = draft
        .view
        .inventory
        .filter(|_| draft.status.hardware.is_none());
    if let Some(found) = found {
        draft.status.hardware = Some(found.clone());
        draft.note(
            reason::UPDATE_HARDWARE_DETAILS,
            "Set hardware details from hardware data",
        );
    }
    let name = annotation::HARDWARE_DETAILS;
    let Some(text) = host.annotation(name) else {
        return;
    };
    if draft.drops(name) {
        return;
    }
    draft.drop_annotation(name);
    let counts = draft.status.hardware.is_none() || host.inspection_disabled();
    if found.is_some() || !counts {
        let text = format!("the annotation {name} was ignored and removed: the inventory is known");
        draft.note(reason::REMOVE_ANNOTATION, text);
        return;
    }
    let details = serde_json::from_str::<HardwareDetails>(text)
        .and_then(|details| HardwareJson::new(&details));
    match details {
        Ok(details) => {
            draft.status.hardware = Some(details);
            let text = "Set hardware details from annotation";
            draft.note(reason::UPDATE_HARDWARE_DETAILS, text);
        }
        Err(error) => draft.notes.push(Note {
            reason: reason::INVALID_ANNOTATION_VALUE,
            message: format!("the annotation {name} is not valid and was removed: {error}"),
            warning: true,
        }),
    }
}
