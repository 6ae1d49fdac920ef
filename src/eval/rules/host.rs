//! Rules on one host.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::api::bmc::{BmcAddress, BmcAddressError, Scheme};
use crate::diag::{Code, Diagnostic, Place};
use crate::eval::unit;
use crate::fleet::Value;
use crate::schema::PathId;

use super::{Case, Known, image};

/// Annotations that are the controllers' own; the first is a whole domain.
const RESERVED: &[&str] = &[
    "baremetalhost.metal3.io/",
    "reboot.metal3.io",
    "inspect.metal3.io",
    "metalform.dev/",
];

/// Judges a host. Answers a hash of what its BMC is, by which two hosts with one BMC are found.
pub(super) fn judge(case: &mut Case<'_>, known: &Known, lab: bool) -> Option<u64> {
    let bmc = bmc(case, known, lab);
    boot(case, known, bmc.as_ref());
    power(case, known);
    raid(case, known, bmc.as_ref());
    root_device(case, known);
    keys(case, known);
    image::judge(case, &known.image);
    bmc.map(|bmc| hash(&bmc.identity()))
}

/// The same for the same text, on any machine.
pub(super) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn bmc(case: &mut Case<'_>, known: &Known, lab: bool) -> Option<BmcAddress> {
    let (text, place) = case.text(known.address)?;
    let address: BmcAddress = match text.parse() {
        Ok(address) => address,
        Err(error) => {
            // The address itself is not repeated where it might hold a password.
            let hidden = text.contains('@');
            let (code, message) = match &error {
                BmcAddressError::UnknownScheme { scheme, .. } if !hidden => {
                    (3201, format!("`{scheme}` is no BMC scheme"))
                }
                BmcAddressError::Host { host } if !hidden => (
                    3202,
                    format!("`{host}` is neither an IP address nor a DNS name"),
                ),
                _ if hidden => (3403, "the BMC address holds credentials".to_owned()),
                other => (3202, other.to_string()),
            };
            let finding = Diagnostic::error(Code(code), message, place, "");
            let finding = match error.nearest() {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None if hidden => finding.help("name a secret: `credentials (secret)…`"),
                None if code == 3201 => finding.note(
                    "it takes redfish, redfish-virtualmedia, redfish-uefihttp, idrac-redfish, \
                     idrac-virtualmedia, ilo5-redfish, ilo5-virtualmedia, ipmi and libvirt, with \
                     +http or +https after those of Redfish",
                ),
                None => finding,
            };
            case.error(finding);
            return None;
        }
    };
    if address.bare {
        case.warn(
            Diagnostic::warning(
                Code(3206),
                "an address without a scheme means IPMI",
                place,
                "",
            )
            .help("write the scheme: `ipmi://…` or `redfish-virtualmedia://…`"),
        );
    }
    if matches!(address.scheme, Scheme::Libvirt | Scheme::FakeHardware) && !lab {
        case.warn(
            Diagnostic::warning(
                Code(3207),
                format!(
                    "`{}` drives no real machine, and this fleet is no lab",
                    address.scheme
                ),
                place,
                "",
            )
            .help("say that it is one: `spec … { lab #true }`"),
        );
    }
    Some(address)
}

fn boot(case: &mut Case<'_>, known: &Known, bmc: Option<&BmcAddress>) {
    let Some(bmc) = bmc else { return };
    let driver = bmc.driver();
    if let Some((mode, place)) = case.text(known.mode)
        && &**mode == "UEFISecureBoot"
        && !driver.secure_boot
    {
        case.error(
            Diagnostic::error(
                Code(3501),
                format!("BMC driver `{}` cannot switch secure boot", bmc.scheme),
                place,
                "",
            )
            .help("use `boot mode=UEFI`, or a Redfish address"),
        );
    }
    let inspection = case.text(known.inspection);
    if let Some((mode, place)) = inspection
        && &**mode == "fast"
        && driver.fast_inspect.is_none()
    {
        case.error(
            Diagnostic::error(
                Code(3507),
                format!(
                    "BMC driver `{}` cannot inspect without the agent",
                    bmc.scheme
                ),
                place,
                "",
            )
            .help("use `inspection agent`, or a Redfish address"),
        );
    }
    let blind = inspection.filter(|(mode, _)| &***mode == "disabled");
    if case.get(known.mac).is_none() && (driver.needs_mac || blind.is_some()) {
        let why = if blind.is_some() {
            "inspection is disabled, so it cannot be found".to_owned()
        } else {
            format!("BMC driver `{}` needs it", bmc.scheme)
        };
        let place = blind.map_or(case.place, |(_, place)| place);
        let finding = Diagnostic::error(
            Code(3503),
            format!("host `{}` has no boot MAC address: {why}", case.name),
            place,
            "",
        )
        .help("write `boot mac=\"…\"`");
        case.error(finding);
    }
}

fn power(case: &mut Case<'_>, known: &Known) {
    let (Some((false, online)), Some((true, place))) =
        (case.bool(known.online), case.bool(known.disable_power_off))
    else {
        return;
    };
    case.error(
        Diagnostic::error(
            Code(3508),
            "power is never to be switched off, and the host is to be offline",
            place,
            "",
        )
        .label(online, "offline here"),
    );
}

fn raid(case: &mut Case<'_>, known: &Known, bmc: Option<&BmcAddress>) {
    let Some((_, place)) = case.text(known.raid) else {
        return;
    };
    let hardware: Vec<_> = case.records(known.hardware).collect();
    let software: Vec<_> = case.records(known.software).collect();
    if let Some(bmc) = bmc
        && bmc.driver().raid == "no-raid"
    {
        case.error(Diagnostic::error(
            Code(3301),
            format!("BMC driver `{}` cannot make RAID volumes", bmc.scheme),
            place,
            "",
        ));
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
        if case.child(volume, "controller").is_none() {
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

fn software_volumes(case: &mut Case<'_>, known: &Known, volumes: &[(&crate::fleet::Item, &str)]) {
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
        let level = case.child(item.path, "level");
        if let Some(disk) = case.paths.child(item.path, "disk") {
            if disks_of.get(&disk) == Some(&1) {
                let place = item.origin.place();
                case.error(
                    Diagnostic::error(
                        Code(3307),
                        format!("volume `{key}` has one disk; software RAID needs two"),
                        place,
                        "",
                    )
                    .help("name two disks or more, or none and let Ironic choose"),
                );
            }
        }
        let root = case
            .child(item.path, "root")
            .filter(|root| root.value == Value::Bool(true));
        if let Some(root) = root {
            if let Some(level) = level.filter(|level| !is_mirror(&level.value)) {
                case.error(
                    Diagnostic::error(
                        Code(3306),
                        format!("the root volume `{key}` has to be RAID 1"),
                        level.origin.place(),
                        "",
                    )
                    .label(root.origin.place(), "it is the root volume"),
                );
            }
            roots.push(root.origin.place());
        }
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

fn is_mirror(value: &Value) -> bool {
    matches!(value, Value::Text(level) if &**level == "1")
}

fn root_device(case: &mut Case<'_>, known: &Known) {
    let Some((device, place)) = case.text(known.device) else {
        return;
    };
    let name = device.strip_prefix("/dev/");
    let fine = name.is_some_and(|name| {
        let name = name.strip_prefix("disk/by-path/").unwrap_or(name);
        !name.is_empty() && !name.contains('/')
    });
    if !fine {
        case.error(Diagnostic::error(
            Code(3311),
            format!(
                "`{}` is no device: `/dev/NAME` or `/dev/disk/by-path/NAME`",
                &**device
            ),
            place,
            "",
        ));
        return;
    }
    if name.is_some_and(|name| !name.contains('/') && name.starts_with("sd")) {
        case.warn(
            Diagnostic::warning(
                Code(3312),
                format!("`{}` may be another disk after a reboot", &**device),
                place,
                "",
            )
            .help("`serial`, `wwn` or `/dev/disk/by-path/…` name the disk itself"),
        );
    }
}

/// MF3103, MF3104: keys and values of labels and annotations.
fn keys(case: &mut Case<'_>, known: &Known) {
    for item in case.items {
        let path = case.paths.get(item.path);
        let Some(key) = path.key.as_deref() else {
            continue;
        };
        let labels = path.parent == Some(known.labels);
        if !labels && path.parent != Some(known.annotations) {
            continue;
        }
        let place = item.origin.place();
        let wrong = unit::label_key(key).err().or_else(|| match &item.value {
            Value::Text(text) if labels => unit::label_value(text).err(),
            _ => None,
        });
        if let Some(error) = wrong {
            case.error(Diagnostic::error(Code(3103), error.message, place, "").help(error.help));
        }
        let reserved = RESERVED.iter().find(|name| {
            if name.ends_with('/') {
                key.starts_with(**name)
            } else {
                key == **name || key.starts_with(&format!("{name}/"))
            }
        });
        if let Some(reserved) = reserved.filter(|_| !labels) {
            case.error(
                Diagnostic::error(
                    Code(3104),
                    format!(
                        "annotations of `{}` are written by controllers",
                        reserved.trim_end_matches('/')
                    ),
                    place,
                    "",
                )
                .help("say it with a field of the host"),
            );
        }
    }
}
