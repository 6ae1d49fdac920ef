//! Rules on RAID volumes.

use std::collections::HashMap;

use crate::api::bmc::BmcAddress;
use crate::diag::{Code, Diagnostic, Place};
use crate::fleet::{Item, Value, natural};
use crate::schema::PathId;

use super::{Case, Known};

/// Judges the volumes of a host.
pub(super) fn judge(case: &mut Case<'_>, known: &Known, bmc: Option<&BmcAddress>) {
    let Some((_, place)) = case.text(known.raid) else {
        return;
    };
    let hardware: Vec<_> = case.records(known.hardware).collect();
    let mut software: Vec<_> = case.records(known.software).collect();
    // As they are written to the API: the root volume, then by name.
    software.sort_by(|(a, a_key), (b, b_key)| {
        is_root(case, b.path)
            .is_some()
            .cmp(&is_root(case, a.path).is_some())
            .then_with(|| natural(a_key, b_key))
    });
    if let Some(bmc) = bmc
        && !hardware.is_empty()
        && bmc.driver().raid == "no-raid"
    {
        case.error(
            Diagnostic::error(
                Code(3301),
                format!("BMC driver `{}` cannot make RAID volumes", bmc.scheme),
                place,
                "",
            )
            .help("software RAID needs nothing of the BMC: `raid software { … }`"),
        );
    }
    for (item, key) in hardware.iter().chain(&software) {
        if key.len() > 64 {
            let place = item.origin.place();
            case.error(Diagnostic::error(
                Code(3310),
                format!(
                    "the name of a volume has at most 64 characters, this one has {}",
                    key.len()
                ),
                place,
                "",
            ));
        }
    }
    for (item, key) in hardware {
        hardware_volume(case, item.path, key, item.origin.place());
    }
    software_volumes(case, known, &software);
}

fn hardware_volume(case: &mut Case<'_>, volume: PathId, key: &str, place: Place) {
    let disks = case.child(volume, "physical-disks");
    let count = case.child(volume, "disks");
    if let Some(disks) = disks {
        if case.whole && case.child(volume, "controller").is_none() {
            case.error(
                Diagnostic::error(
                    Code(3302),
                    format!("volume `{key}` names its disks and no controller"),
                    disks.origin.place(),
                    "",
                )
                .help("write `controller \"…\"`"),
            );
        }
        if let (Value::List(names), Some(Value::Int(number))) =
            (&disks.value, count.map(|count| &count.value))
            && names.len() as i64 != *number
        {
            case.error(Diagnostic::error(
                Code(3303),
                format!(
                    "volume `{key}` names {} disks and counts {number}",
                    names.len()
                ),
                disks.origin.place(),
                "",
            ));
        }
    }
    let named = disks.and_then(|disks| match &disks.value {
        Value::List(names) => Some(names.len() as i64),
        _ => None,
    });
    let number = count
        .and_then(|count| match count.value {
            Value::Int(number) => Some(number),
            _ => None,
        })
        .or(named);
    if let (Some(number), Some(level)) = (number, case.child(volume, "level"))
        && let Value::Text(level) = &level.value
    {
        levels(case, level, number, key, place);
    }
}

/// MF3308: disks that a level needs at least.
fn levels(case: &mut Case<'_>, level: &str, disks: i64, key: &str, place: Place) {
    let (least, even) = match level {
        "1" => (2, false),
        "5" => (3, false),
        "6" => (4, false),
        "1+0" => (4, true),
        "5+0" => (6, false),
        "6+0" => (8, false),
        _ => (1, false),
    };
    if disks < least || (even && disks % 2 == 1) {
        let wants = if even {
            "an even number of disks, 4 or more"
        } else {
            "more disks"
        };
        case.error(Diagnostic::error(
            Code(3308),
            format!(
                "volume `{key}`: RAID {level} on {disks} disks is impossible, it wants {wants}"
            ),
            place,
            "",
        ));
    }
}

fn software_volumes(case: &mut Case<'_>, known: &Known, volumes: &[(&Item, &str)]) {
    if let Some((item, _)) = volumes.get(2) {
        let place = item.origin.place();
        case.error(Diagnostic::error(
            Code(3306),
            format!(
                "software RAID has at most two volumes, here are {}",
                volumes.len()
            ),
            place,
            "",
        ));
    }
    let mut disks_of: HashMap<PathId, usize> = HashMap::new();
    if !volumes.is_empty() {
        for item in case
            .items
            .iter()
            .filter(|item| item.value == Value::Present)
        {
            if let Some(parent) = case.paths.get(item.path).parent {
                *disks_of.entry(parent).or_default() += 1;
            }
        }
    }
    let mut roots = Vec::new();
    for (item, key) in volumes {
        if let Some(disk) = case.paths.child(item.path, "disk")
            && disks_of.get(&disk) == Some(&1)
            && case.whole
        {
            let place = item.origin.place();
            case.error(
                Diagnostic::error(
                    Code(3307),
                    format!("volume `{key}` has one disk; software RAID needs two"),
                    place,
                    "",
                )
                .help("name two disks or more, or none and let Ironic choose")
                .note(
                    "hints that are equal are one disk; where two disks are alike, give them \
                         names: `disk a vendor=…`",
                ),
            );
        }
        roots.extend(is_root(case, item.path).map(|root| root.origin.place()));
    }
    if let Some((item, key)) = volumes.first() {
        first_volume(case, item.path, key);
    }
    if let [first, second, ..] = roots.as_slice() {
        case.error(
            Diagnostic::error(
                Code(3304),
                "two software volumes are the root volume",
                *second,
                "",
            )
            .label(*first, "the other one"),
        );
    }
    if let (Some(root), Some(hint)) = (roots.first(), case.any(known.root_device)) {
        case.error(
            Diagnostic::error(
                Code(3305),
                "a software root volume and root-device hints exclude each other",
                hint.origin.place(),
                "a hint",
            )
            .label(*root, "the root volume")
            .help("take the hints away: `root-device #null`"),
        );
    }
}

/// MF3306: the image goes to the first volume, and Ironic wants that to be a mirror.
fn first_volume(case: &mut Case<'_>, volume: PathId, key: &str) {
    let Some(level) = case
        .child(volume, "level")
        .filter(|level| !is_mirror(&level.value))
    else {
        return;
    };
    let place = level.origin.place();
    let finding = |what: &str| {
        let message = format!("the {what} volume `{key}` has to be RAID 1");
        Diagnostic::error(Code(3306), message, place, "")
    };
    if let Some(root) = is_root(case, volume) {
        let root = root.origin.place();
        case.error(finding("root").label(root, "it is the root volume"));
    } else if case.whole {
        case.error(finding("first").help(
            "volumes are in the order of their names, the one with `root #true` before all others",
        ));
    }
}

/// What says that a software volume is the root volume.
fn is_root<'a>(case: &Case<'a>, volume: PathId) -> Option<&'a Item> {
    case.child(volume, "root")
        .filter(|root| root.value == Value::Bool(true))
}

fn is_mirror(value: &Value) -> bool {
    matches!(value, Value::Text(level) if &**level == "1")
}
