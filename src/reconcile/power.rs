//! Power of a host that rests: as `online` and the reboot annotations say.

use super::annotations::{self, Which};
use super::draft::{Draft, Flow};
use super::phase::Phase;
use super::{Code, register};
use crate::api::ErrorType;
use crate::api::names::annotation;
use crate::provision::{Effect, Facts, Fault, PowerTarget};

/// Brings the power in line; `code` and `text` are why the host rests once it is.
pub(super) fn manage(draft: &mut Draft<'_>, facts: &Facts, code: Code, text: &str) -> Flow {
    // A machine that somebody put into maintenance mode is left there, as long as there is nothing to
    // be done to it.
    if facts.fault.is_some()
        && let Some(flow) = register::unlock(draft, facts)
    {
        return flow;
    }
    let host = draft.view.host;
    let online = host.spec.online;
    if facts.power_changing {
        if host.spec.disable_power_off && online {
            // It boots: the reboot that was asked for, also when the answer got lost.
            super::inspect::drop_reboot(draft);
        }
        return draft.wait(Code::ChangingPower, "power is being changed");
    }
    let mut reboot = wishes(draft);
    let Some(power) = facts.power else {
        return unknown(draft, facts, online && !reboot.is_wanted());
    };
    draft.status.powered_on = power;
    if host.spec.disable_power_off {
        return without_off(draft, facts, power, reboot, (code, text));
    }
    if !power {
        // Off is what the annotation asked for; from here on it is a matter of `online`.
        super::inspect::drop_reboot(draft);
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
    change(draft, facts, target, text)
}

/// Changes the power, of a machine in maintenance mode once it is out of that.
fn change(draft: &mut Draft<'_>, facts: &Facts, target: PowerTarget, text: &str) -> Flow {
    if let Some(flow) = register::unlock(draft, facts) {
        return flow;
    }
    draft.send(Effect::Power(target), Code::ChangingPower, text)
}

/// What the reboot annotations ask for. While nothing is provisioned only those with `force` count,
/// as with the Bare Metal Operator: another one waits until there is something to reboot.
fn wishes(draft: &Draft<'_>) -> annotations::Reboot {
    let which = match Phase::of(&draft.status.provisioning.state) {
        Some(Phase::Available) => Which::Forced,
        _ => Which::All,
    };
    draft.reboot(which)
}

/// Asks for what is wanted when nobody knows the power: a machine that was just taken over has
/// none in Ironic's books until its next power sync (two minutes by default, never when that is
/// off). Asking for what is there already changes nothing at the machine and makes it known.
fn unknown(draft: &mut Draft<'_>, facts: &Facts, on: bool) -> Flow {
    failure(draft, facts);
    let online = draft.view.host.spec.online;
    let target = match (on, draft.view.host.spec.disable_power_off) {
        (true, _) => PowerTarget::On,
        (false, false) => PowerTarget::SoftOff,
        // It cannot be off, so on is what there is to ask for.
        (false, true) if online => PowerTarget::On,
        (false, true) => {
            return draft.wait(Code::ChangingPower, "the power state is not known yet");
        }
    };
    change(
        draft,
        facts,
        target,
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
        return change(draft, facts, PowerTarget::On, text);
    }
    if reboot.once && power {
        let hard = reboot.hard || draft.soft_refused;
        let target = if hard {
            PowerTarget::Reboot
        } else {
            PowerTarget::SoftReboot
        };
        let text = "is being rebooted";
        let flow = change(draft, facts, target, text);
        if draft.sends() && !facts.maintenance {
            // Off and on is one request here, so the request is what the annotation asked for. It
            // goes before the request does: a crash may lose a reboot, but never repeats one.
            draft.drop_annotation(annotation::REBOOT);
        }
        return flow;
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

/// Puts the annotation back for a reboot that was not done, or perhaps not: see
/// [`manage`] for how a reboot that was is told.
pub(super) fn keep_reboot(draft: &mut Draft<'_>, target: PowerTarget, fault: &Fault) {
    let value = match (target, fault) {
        // What the BMC cannot do softly is done hard.
        (PowerTarget::Reboot, _) | (PowerTarget::SoftReboot, Fault::Refused(_)) => {
            r#"{"mode":"hard"}"#
        }
        (PowerTarget::SoftReboot, _) => "",
        (PowerTarget::On | PowerTarget::SoftOff | PowerTarget::HardOff, _) => return,
    };
    if draft.view.host.annotation(annotation::REBOOT).is_none() {
        let annotation = (annotation::REBOOT.to_owned(), value.to_owned());
        draft.meta.put_annotations.push(annotation);
    }
}
