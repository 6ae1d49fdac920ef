//! HostFirmwareComponents: the firmware that was read, and updates that are wanted.

use super::{is_judged, is_to_change, message};
use crate::api::{
    ConditionStatus, FirmwareComponentStatus, FirmwareComponentsReason, FirmwareConditionType,
    FirmwareUpdate, HostFirmwareComponents, HostFirmwareComponentsStatus, Timestamp, conditions,
    whole_seconds,
};

/// True when the machine's firmware is known.
pub fn is_read(components: &HostFirmwareComponents) -> bool {
    let status = components.status.as_ref();
    status.is_some_and(|status| !status.conditions.is_empty())
}

/// True when there is nothing to judge.
pub fn is_settled(components: &HostFirmwareComponents) -> bool {
    let conditions = components
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice());
    conditions.is_some_and(|conditions| is_judged(conditions, components.metadata.generation))
}

/// The status once the machine's firmware was read. `installed` is the generation whose updates
/// were installed just now; where the spec is another one by now, nobody can tell which they were.
pub fn read(
    components: &HostFirmwareComponents,
    found: Vec<FirmwareComponentStatus>,
    installed: Option<i64>,
    now: Timestamp,
) -> HostFirmwareComponentsStatus {
    let mut status = components.status.clone().unwrap_or_default();
    status.components = found.into();
    if installed.is_some() && installed == components.metadata.generation {
        status.updates.clone_from(&components.spec.updates);
    }
    judge(components, &mut status, now);
    status
}

/// The status once what is wanted was judged.
pub fn judged(components: &HostFirmwareComponents, now: Timestamp) -> HostFirmwareComponentsStatus {
    let mut status = components.status.clone().unwrap_or_default();
    judge(components, &mut status, now);
    status
}

fn judge(
    components: &HostFirmwareComponents,
    status: &mut HostFirmwareComponentsStatus,
    now: Timestamp,
) {
    let problems = problems(&components.spec.updates);
    let changed = !pending(&components.spec.updates, &status.updates).is_empty();
    let (valid, ok) = (problems.is_empty(), FirmwareComponentsReason::Ok);
    let reason = if valid {
        ok.clone()
    } else {
        FirmwareComponentsReason::InvalidComponent
    };
    let list = [
        (
            FirmwareConditionType::Valid,
            valid,
            reason,
            message(&problems),
        ),
        (
            FirmwareConditionType::ChangeDetected,
            changed,
            ok,
            String::new(),
        ),
    ];
    let generation = components.metadata.generation.unwrap_or_default();
    for (kind, is, reason, message) in list {
        let is = if is {
            ConditionStatus::True
        } else {
            ConditionStatus::False
        };
        let all = &mut status.conditions;
        conditions::set(all, kind, is, reason, message, generation, now);
    }
    if components.status.as_ref() != Some(&*status) {
        status.last_updated = Some(whole_seconds(now));
    }
}

/// Updates that are wanted, valid and not installed: as judged.
pub fn changes(components: &HostFirmwareComponents) -> Vec<FirmwareUpdate> {
    match &components.status {
        Some(status) if is_to_change(&status.conditions, components.metadata.generation) => {
            pending(&components.spec.updates, &status.updates)
        }
        _ => Vec::new(),
    }
}

fn pending(wanted: &[FirmwareUpdate], installed: &[FirmwareUpdate]) -> Vec<FirmwareUpdate> {
    let is_there = |update: &FirmwareUpdate| {
        installed
            .iter()
            .any(|other| other.component == update.component && other.url == update.url)
    };
    let pending = wanted.iter().filter(|update| !is_there(update));
    pending.cloned().collect()
}

fn problems(updates: &[FirmwareUpdate]) -> Vec<String> {
    let mut problems = Vec::new();
    for (index, update) in updates.iter().enumerate() {
        let FirmwareUpdate { component, url, .. } = update;
        let is_known = matches!(component.as_str(), "bmc" | "bios")
            || component
                .strip_prefix("nic:")
                .is_some_and(|nic| !nic.is_empty());
        if !is_known {
            problems.push(format!(
                "`{component}` cannot be updated: parts are `bmc`, `bios` and `nic:` with a name"
            ));
        }
        if updates[..index]
            .iter()
            .any(|other| other.component == *component)
        {
            problems.push(format!("`{component}` is updated twice"));
        }
        let is_url = url.split_once("://").is_some_and(|(scheme, rest)| {
            ["http", "https", "file"].contains(&scheme) && !rest.is_empty()
        });
        if !is_url {
            problems.push(format!(
                "`{url}`, the firmware of `{component}`, is no URL of http, https or file"
            ));
        }
    }
    problems
}
