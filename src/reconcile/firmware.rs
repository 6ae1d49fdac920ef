//! BIOS settings and firmware: read when they are not known, changed while a machine is prepared.
//!
//! ```text
//!  wanted ─► read ─► Asked ─► Begun ─► read ─► as wanted: on to available
//!             ▲                 │        └───► not as wanted ─┐
//!             └──── a pause ────┴─ the cleaning failed ───────┴─► Failed
//! ```
//!
//! How far that is stands in the host's condition `metalform.dev/Firmware`, with the wishes that it
//! is for: a crash at any point finds it there, and whether a cleaning did it is told by what was
//! read after it. Without that a machine that takes a setting and does not keep it would be cleaned
//! for ever.

use super::draft::{Draft, Flow};
use super::phase::Phase;
use super::{Code, Outcome};
use crate::api::{BareMetalHostStatus, ConditionType, ErrorType};
use crate::budget::SlotKind;
use crate::firmware::{Parts, Reading, Stamp};
use crate::provision::{Effect, Facts, NodeState};

/// How far a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The cleaning is about to be asked for, or was and nobody heard whether it began.
    Asked,
    /// The cleaning began. When it is over, what came of it is read.
    Begun,
    /// It failed.
    Failed,
}

impl Stage {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "Asked",
            Self::Begun => "Begun",
            Self::Failed => "Failed",
        }
    }
}

/// How far the change for these wishes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub stage: Stage,
    pub of: Stamp,
    /// The same cleaning makes volumes: when it fails, nobody knows which there are.
    pub volumes: bool,
}

/// Stands behind the wishes in the message.
const VOLUMES: &str = ", with RAID volumes";

impl Mark {
    /// What a status says. A text that nobody here wrote says nothing.
    pub fn of(status: &BareMetalHostStatus) -> Option<Self> {
        let condition = status.condition(&ConditionType::Firmware)?;
        let stages = [Stage::Asked, Stage::Begun, Stage::Failed];
        let stage = stages
            .into_iter()
            .find(|stage| stage.as_str() == condition.reason.as_str())?;
        let text = condition.message.strip_suffix(VOLUMES);
        let (text, volumes) = match text {
            Some(text) => (text, true),
            None => (&*condition.message, false),
        };
        let of = text.parse().ok()?;
        Some(Self { stage, of, volumes })
    }

    /// What a status is to say.
    pub fn message(self) -> String {
        let volumes = if self.volumes { VOLUMES } else { "" };
        format!("{}{volumes}", self.of)
    }
}

/// Other wishes than those that failed are a new start: they are tried at once.
pub(super) fn edited(draft: &mut Draft<'_>) {
    let wanted = stamp(draft);
    if let Some(mark) = &mut draft.mark
        && mark.stage == Stage::Failed
        && mark.of != wanted
    {
        mark.stage = Stage::Asked;
        draft.status.error_count = 0;
    }
}

/// True when an available host has to be prepared.
pub(super) fn is_outdated(draft: &Draft<'_>) -> bool {
    draft.view.firmware.changes.is_some()
}

/// True when there is nothing to change, and nothing of which nobody knows whether it was changed.
pub(super) fn is_done(draft: &Draft<'_>) -> bool {
    draft.mark.is_none() && !is_outdated(draft)
}

fn stamp(draft: &Draft<'_>) -> Stamp {
    let changes = draft.view.firmware.changes.as_ref();
    changes.map_or_else(Stamp::default, |changes| changes.of)
}

/// Reads what nobody has read yet, of a machine that is registered and to be kept.
pub(super) fn read_first(draft: &mut Draft<'_>, facts: &Facts, phase: Phase) -> Option<Flow> {
    let is_kept = match phase {
        Phase::Preparing | Phase::Available | Phase::Provisioned | Phase::ExternallyProvisioned => {
            !draft.is_deleted()
        }
        // Before, there is no inventory, which tells the model; from the others it goes on.
        Phase::New
        | Phase::Unmanaged
        | Phase::Registering
        | Phase::Inspecting
        | Phase::Provisioning
        | Phase::Deprovisioning
        | Phase::PoweringOff
        | Phase::Deleting => false,
    };
    let unread = draft.view.firmware.unread;
    if !is_kept || unread.is_empty() || facts.state == NodeState::Enroll {
        return None;
    }
    // Other errors are seen to first; this one is of a reading that was refused.
    let error = draft.status.error_type.as_ref();
    if error.is_some_and(|error| *error != ErrorType::Preparation) {
        return None;
    }
    let reading = Reading {
        parts: unread,
        installed: None,
    };
    Some(read(draft, reading))
}

fn read(draft: &mut Draft<'_>, reading: Reading) -> Flow {
    let text = match reading.parts {
        Parts {
            settings: true,
            components: false,
        } => "the BIOS settings are being read",
        Parts {
            settings: false,
            components: true,
        } => "the firmware versions are being read",
        _ => "BIOS settings and firmware versions are being read",
    };
    draft.send(Effect::ReadFirmware(reading), Code::ReadingFirmware, text)
}

/// Something was read.
pub(super) fn was_read(draft: &mut Draft<'_>, phase: Option<Phase>) {
    if phase != Some(Phase::Preparing) && draft.has_error(&ErrorType::Preparation) {
        draft.succeed();
    }
}

/// Sees to it that what is to be changed was read just now, and so was what was changed. `None`
/// when that is so: then `Standing::changes` is what is left to do.
pub(super) fn look(draft: &mut Draft<'_>) -> Option<Flow> {
    let wanted = stamp(draft);
    let is_fresh = draft
        .view
        .outcome
        .is_some_and(|Outcome { effect, result, .. }| {
            matches!(effect, Effect::ReadFirmware(_)) && result.is_ok()
        });
    if !is_fresh {
        let mark = draft.mark;
        let begun = mark.filter(|mark| mark.stage == Stage::Begun);
        let parts = mark.map_or_else(Parts::default, |mark| mark.of.parts());
        let parts = parts.or(wanted.parts());
        if parts.is_empty() {
            return None;
        }
        // What is read to be changed is changed at once.
        if begun.is_none()
            && !wanted.parts().is_empty()
            && let Some(flow) = draft.queue(SlotKind::Clean)
        {
            return Some(flow);
        }
        let installed = begun.and_then(|mark| mark.of.components);
        return Some(read(draft, Reading { parts, installed }));
    }
    let mark = draft.mark.take()?;
    if mark.stage != Stage::Begun || mark.of != wanted {
        return None;
    }
    draft.mark = Some(Mark {
        stage: Stage::Failed,
        ..mark
    });
    let changes = draft.view.firmware.changes.as_ref();
    let settings = changes.into_iter().flat_map(|changes| &changes.settings);
    let settings: Vec<_> = settings.map(|it| format!("`{}`", it.name)).collect();
    let text = format!(
        "the cleaning succeeded, and these BIOS settings are not as wanted all the same: {}",
        settings.join(", ")
    );
    draft.fail(ErrorType::Preparation, text);
    Some(draft.rest().unwrap_or(Flow::Done))
}

/// A cleaning is being asked for, which may make volumes too.
pub(super) fn asks(draft: &mut Draft<'_>, volumes: bool) {
    let changes = draft.view.firmware.changes.as_ref();
    draft.mark = changes.map(|changes| Mark {
        stage: Stage::Asked,
        of: changes.of,
        volumes,
    });
}

/// The cleaning began, or is under way.
pub(super) fn begins(draft: &mut Draft<'_>) {
    set(draft, Stage::Asked, Stage::Begun);
}

/// The machine is another one now.
pub(super) fn is_lost(draft: &mut Draft<'_>) {
    set(draft, Stage::Begun, Stage::Asked);
}

/// The cleaning failed, or was refused.
pub(super) fn fails(draft: &mut Draft<'_>) {
    set(draft, Stage::Asked, Stage::Failed);
    set(draft, Stage::Begun, Stage::Failed);
}

fn set(draft: &mut Draft<'_>, from: Stage, to: Stage) {
    if let Some(mark) = draft.mark.as_mut().filter(|mark| mark.stage == from) {
        mark.stage = to;
    }
}
