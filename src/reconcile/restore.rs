//! What annotations bring along: a whole status (a host that moved here), or an inventory.

use super::Note;
use super::draft::{Draft, Flow};
use crate::api::names::{annotation, reason};
use crate::api::{BareMetalHostStatus, HardwareDetails, HardwareJson};

/// Takes over what annotations bring. `Some` when the state is another one now.
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
    let looked_at = host
        .status
        .as_ref()
        .is_some_and(|status| status.last_updated.is_some());
    if looked_at || draft.drops(annotation::STATUS) {
        return None;
    }
    draft
        .meta
        .drop_annotations
        .push(annotation::STATUS.to_owned());
    match serde_json::from_str::<BareMetalHostStatus>(text) {
        Ok(status) => {
            draft.status = status;
            Some(Flow::Next)
        }
        Err(error) => {
            invalid(draft, annotation::STATUS, &error);
            None
        }
    }
}

fn hardware(draft: &mut Draft<'_>) {
    let host = draft.view.host;
    let Some(text) = host.annotation(annotation::HARDWARE_DETAILS) else {
        return;
    };
    if draft.drops(annotation::HARDWARE_DETAILS) {
        return;
    }
    if draft.status.hardware.is_none() || host.inspection_disabled() {
        let details = serde_json::from_str::<HardwareDetails>(text)
            .and_then(|details| HardwareJson::new(&details));
        match details {
            Ok(details) => {
                draft.status.hardware = Some(details);
                let text = "Set hardware details from annotation";
                draft.note(reason::UPDATE_HARDWARE_DETAILS, text);
            }
            Err(error) => invalid(draft, annotation::HARDWARE_DETAILS, &error),
        }
    }
    draft
        .meta
        .drop_annotations
        .push(annotation::HARDWARE_DETAILS.to_owned());
}

fn invalid(draft: &mut Draft<'_>, name: &str, error: &serde_json::Error) {
    let message = format!("the annotation {name} is not valid and was removed: {error}");
    let reason = reason::INVALID_ANNOTATION_VALUE;
    draft.notes.push(Note {
        reason,
        message,
        warning: true,
    });
}
