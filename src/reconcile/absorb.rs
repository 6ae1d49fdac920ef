//! What came of the last effect.

use super::draft::Draft;
use super::phase::Phase;
use super::{Code, backoff};
use crate::api::names::reason;
use crate::api::{CredentialsStatus, ErrorType, HardwareJson};
use crate::provision::{Ack, Effect, Fault, PowerTarget};

/// The error of an inspection that succeeded and left nothing to read. Known again by its text.
pub(super) const NO_INVENTORY: &str =
    "the inspection ended without an inventory; does the machine have an agent to inspect it?";

/// Takes over what came of the last effect.
pub(super) fn outcome(draft: &mut Draft<'_>) {
    let Some(outcome) = draft.view.outcome else {
        return;
    };
    let generation = outcome.generation;
    match &outcome.result {
        Ok(ack) => accepted(draft, &outcome.effect, generation, ack),
        Err(fault) => refused(draft, &outcome.effect, fault),
    }
}

fn accepted(draft: &mut Draft<'_>, effect: &Effect, generation: i64, ack: &Ack) {
    match effect {
        Effect::Enroll { credentials } => {
            if let Ack::Enrolled(id) = ack {
                super::register::identify(draft, id);
            }
            tried(draft, credentials);
            draft.clear_error();
            draft.note(reason::REGISTERED, "Registered new host");
            let spec = &draft.view.host.spec;
            // A profile that does not exist is an error once the BMC answers.
            if super::profile::of(spec, &draft.status.hardware_profile).is_ok() {
                super::register::profile_and_hints(draft).ok();
            }
        }
        Effect::Amend {
            credentials: Some(version),
        } => {
            tried(draft, version);
            // New credentials are a new start: the BMC is tried again at once.
            draft.status.error_count = 0;
            let now = draft.now();
            let register = &mut draft.status.operation_history.register;
            (register.start, register.end) = (Some(now), None);
        }
        Effect::ReadInventory => {
            if let Ack::Inventory(inventory) = ack {
                inventoried(draft, inventory.as_ref());
            }
        }
        Effect::ReadFirmware(_) => {
            let phase = Phase::of(&draft.status.provisioning.state);
            super::firmware::was_read(draft, phase);
        }
        Effect::Clean { .. } => {
            draft.clear_error();
            super::firmware::begins(draft);
            let asked = super::prepare::is_asked(draft.status.provisioning.raid.as_deref());
            // Of another spec: which volumes they are cannot be told from this one.
            if asked && generation == draft.generation() {
                let wanted = &draft.view.host.spec.raid;
                draft.status.provisioning.raid.clone_from(wanted);
            }
        }
        Effect::Inspect => {
            draft.clear_error();
            super::inspect::drop_annotations(draft);
            draft.note(reason::INSPECTION_STARTED, "Hardware inspection started");
        }
        Effect::Deploy => {
            draft.clear_error();
            super::inspect::drop_reboot(draft);
            let url = draft
                .view
                .host
                .spec
                .image
                .as_ref()
                .map_or("", |image| image.url.as_str());
            draft.note(
                reason::PROVISIONING_STARTED,
                format!("Image provisioning started for {url}"),
            );
        }
        Effect::Undeploy => {
            draft.clear_error();
            super::inspect::drop_reboot(draft);
            draft.note(
                reason::DEPROVISIONING_STARTED,
                "Image deprovisioning started",
            );
        }
        Effect::Power(target) => {
            draft.clear_error();
            powered(draft, *target);
        }
        Effect::Manage | Effect::Provide | Effect::Adopt | Effect::Forget { .. } => {
            draft.clear_error();
        }
        Effect::Abort => super::inspect::drop_reboot(draft),
        Effect::Amend { credentials: None } | Effect::Ports | Effect::Unlock => {}
    }
}

fn tried(draft: &mut Draft<'_>, version: &str) {
    let host = draft.view.host;
    let namespace = host.metadata.namespace.as_deref().unwrap_or_default();
    let name = &host.spec.bmc.credentials_name;
    draft.status.tried_credentials = CredentialsStatus::new(namespace, name, version).into();
}

fn inventoried(draft: &mut Draft<'_>, inventory: Option<&HardwareJson>) {
    // A machine that is taken over as it is was asked while it is registered.
    let taken_over = in_phase(draft, Phase::Registering);
    if !(taken_over || in_phase(draft, Phase::Inspecting)) || draft.is_deleted() {
        return;
    }
    if let Some(inventory) = inventory {
        draft.status.hardware = Some(inventory.clone());
        draft.note(reason::INSPECTION_COMPLETE, "Hardware inspection completed");
        if !taken_over {
            draft.enter_by_outcome(Phase::Preparing);
        }
    } else {
        draft.fail(ErrorType::Inspection, NO_INVENTORY);
    }
}

fn powered(draft: &mut Draft<'_>, target: PowerTarget) {
    match target {
        PowerTarget::On => draft.note(reason::POWER_ON, "Host powered on"),
        PowerTarget::SoftOff => draft.note(reason::POWER_OFF, "Host soft powered off"),
        PowerTarget::HardOff => draft.note(reason::POWER_OFF, "Host powered off"),
        PowerTarget::Reboot | PowerTarget::SoftReboot => {
            let text = "Host rebooted, its power must not be off";
            draft.note(reason::POWER_ON, text);
        }
    }
}

fn refused(draft: &mut Draft<'_>, effect: &Effect, fault: &Fault) {
    let policy = draft.view.policy;
    let seed = draft.seed() ^ draft.view.now.as_second() as u64;
    let soon = backoff::busy(policy, std::time::Duration::ZERO, seed);
    if let Effect::Power(target) = effect {
        super::power::keep_reboot(draft, *target, fault);
    }
    match fault {
        Fault::Busy { what, retry } | Fault::Unclear { what, retry } => {
            draft.put_off(Code::Busy, what, backoff::busy(policy, *retry, seed));
        }
        // When it stays so, the sight says so from then on.
        Fault::Unreachable(text) => draft.put_off(Code::ProvisionerDown, text, soon * 3),
        Fault::Unauthorized(text) => {
            draft.put_off(Code::ProvisionerUnauthorized, text, soon * 10);
        }
        Fault::Gone => {
            draft.put_off(Code::Confirming, "the machine is gone; looking again", soon);
        }
        // What the BMC cannot do softly is done hard, at once.
        Fault::Refused(_)
            if matches!(
                effect,
                Effect::Power(PowerTarget::SoftOff | PowerTarget::SoftReboot)
            ) =>
        {
            draft.soft_refused = true;
        }
        Fault::Refused(text) => draft.fail(error_of(draft, effect), text),
        Fault::Taken(text) => draft.fail(ErrorType::Registration, text),
    }
    if !matches!(fault, Fault::Refused(_) | Fault::Taken(_)) {
        return;
    }
    match effect {
        Effect::Amend {
            credentials: Some(version),
        } => tried(draft, &super::register::refused_version(version)),
        Effect::Clean { .. } => super::firmware::fails(draft),
        _ => {}
    }
}

fn in_phase(draft: &Draft<'_>, phase: Phase) -> bool {
    Phase::of(&draft.status.provisioning.state) == Some(phase)
}

/// What kind of error a refused effect is.
fn error_of(draft: &Draft<'_>, effect: &Effect) -> ErrorType {
    match effect {
        Effect::Enroll { .. } | Effect::Amend { .. } | Effect::Ports => ErrorType::Registration,
        Effect::Inspect | Effect::ReadInventory => ErrorType::Inspection,
        Effect::Clean { .. } | Effect::ReadFirmware(_) => ErrorType::Preparation,
        Effect::Provide | Effect::Deploy | Effect::Undeploy => ErrorType::Provisioning,
        Effect::Adopt => ErrorType::ProvisionedRegistration,
        Effect::Power(_) => ErrorType::PowerManagement,
        Effect::Manage | Effect::Abort | Effect::Unlock | Effect::Forget { .. } => {
            phase_error(draft)
        }
    }
}

/// The error of a phase.
pub(super) fn phase_error(draft: &Draft<'_>) -> ErrorType {
    match Phase::of(&draft.status.provisioning.state) {
        Some(Phase::Inspecting) => ErrorType::Inspection,
        Some(Phase::Preparing) => ErrorType::Preparation,
        Some(Phase::Provisioning | Phase::Deprovisioning | Phase::Deleting) => {
            ErrorType::Provisioning
        }
        Some(Phase::PoweringOff) => ErrorType::PowerManagement,
        Some(Phase::Provisioned | Phase::ExternallyProvisioned) => {
            ErrorType::ProvisionedRegistration
        }
        Some(Phase::New | Phase::Unmanaged | Phase::Registering | Phase::Available) | None => {
            ErrorType::Registration
        }
    }
}
