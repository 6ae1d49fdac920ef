//! Power of a host that rests: as `online` and the reboot annotations say.

use super::draft::{Draft, Flow};
use super::{Code, annotations, register};
use crate::api::ErrorType;
use crate::api::names::annotation;
use crate::provision::{Effect, Facts, PowerTarget};

/// Brings the power in line; `code` and `text` are why the host rests once it is.
pub(super) fn manage(draft: &mut Draft<'_>, facts: &Facts, code: Code, text: &str) -> Flow {
    if let Some(flow) = register::unlock(draft, facts) {
        return flow;
    }
    if facts.power_changing {
        return draft.wait(Code::ChangingPower, "power is being changed");
    }
    let Some(power) = facts.power else {
        return unknown(draft, facts);
    };
    draft.status.powered_on = power;
    let host = draft.view.host;
    let online = host.spec.online;
    let mut reboot = annotations::reboot(host);
    if host.spec.disable_power_off {
        return without_off(draft, facts, power, reboot, (code, text));
    }
    if reboot.once && !power {
        // Off is what the annotation asked for; from here on it is a matter of `online`.
        draft
            .meta
            .drop_annotations
            .push(annotation::REBOOT.to_owned());
        reboot.once = false;
    }
    let wanted = online && !reboot.is_wanted();
    if power == wanted {
        if draft.has_error(&ErrorType::PowerManagement) {
            draft.succeed();
        }
        if reboot.held && online {
            return draft.wait(Code::PowerHeldOff, "held off by a reboot annotation");
        }
        return draft.wait(code, text);
    }
    failure(draft, facts);
    let hard = reboot.hard || draft.soft_refused || draft.status.error_count > 0;
    let target = match (wanted, hard) {
        (true, _) => PowerTarget::On,
        (false, true) => PowerTarget::HardOff,
        (false, false) => PowerTarget::SoftOff,
    };
    let text = if wanted {
        "is being powered on"
    } else {
        "is being powered off"
    };
    draft.send(Effect::Power(target), Code::ChangingPower, text)
}

/// Asks for what is wanted when nobody knows the power: a machine that was just taken over has
/// none in Ironic's books until its next power sync (two minutes by default, never when that is
/// off). Asking for what is there already changes nothing at the machine and makes it known.
fn unknown(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    failure(draft, facts);
    let target = match (
        draft.view.host.spec.online,
        draft.view.host.spec.disable_power_off,
    ) {
        (true, _) => PowerTarget::On,
        (false, false) => PowerTarget::SoftOff,
        (false, true) => {
            return draft.wait(Code::ChangingPower, "the power state is not known yet");
        }
    };
    draft.send(
        Effect::Power(target),
        Code::ChangingPower,
        "its power is not known; asking for it",
    )
}

/// Counts a change of power that failed. Ironic tells it by its text alone: the power is not what
/// was asked for, nothing is under way, and the last error (which any action clears when it
/// starts) is about power.
pub(super) fn failure(draft: &mut Draft<'_>, facts: &Facts) {
    let about_power = facts
        .last_error
        .as_deref()
        .filter(|text| text.contains("power state"));
    if let Some(text) = about_power
        && !draft.has_error(&ErrorType::PowerManagement)
    {
        draft.fail(ErrorType::PowerManagement, text);
    }
}

/// Power of a machine that must not be off: it is rebooted instead, and once a request, because
/// off would never be seen.
fn without_off(
    draft: &mut Draft<'_>,
    facts: &Facts,
    power: bool,
    reboot: annotations::Reboot,
    (code, text): (Code, &str),
) -> Flow {
    let online = draft.view.host.spec.online;
    if !power && online {
        failure(draft, facts);
        let text = "is being powered on";
        return draft.send(Effect::Power(PowerTarget::On), Code::ChangingPower, text);
    }
    let asked = draft
        .meta
        .drop_annotations
        .iter()
        .any(|name| name == annotation::REBOOT);
    if reboot.once && !asked && power {
        let hard = reboot.hard || draft.soft_refused;
        let target = if hard {
            PowerTarget::Reboot
        } else {
            PowerTarget::SoftReboot
        };
        return draft.send(
            Effect::Power(target),
            Code::ChangingPower,
            "is being rebooted",
        );
    }
    if power && (!online || reboot.held) {
        let text = "its power must not be off (disablePowerOff)";
        return draft.wait(Code::PowerOffDisabled, text);
    }
    if draft.has_error(&ErrorType::PowerManagement) {
        draft.succeed();
    }
    draft.wait(code, text)
}
