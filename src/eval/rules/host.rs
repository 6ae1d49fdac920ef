//! Rules on one host.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZero;

use crate::api::bmc::{BmcAddress, BmcAddressError, Scheme};
use crate::api::names::annotation;
use crate::diag::suggest::{Suggestion, similar};
use crate::diag::{Code, Diagnostic, Place};
use crate::eval::{spelling, unit};
use crate::fleet::Value;

use super::{Case, Known, image, raid};

/// Annotations that are the controllers' own; the first is a whole domain.
const RESERVED: &[&str] = &[
    "baremetalhost.metal3.io/",
    "reboot.metal3.io",
    "inspect.metal3.io",
    annotation::OURS,
];

/// Judges a host. Answers a hash of what its BMC is, by which two hosts with one BMC are found.
pub(super) fn judge(case: &mut Case<'_>, known: &Known, lab: bool) -> Option<NonZero<u64>> {
    let bmc = bmc(case, known, lab);
    boot(case, known, bmc.as_ref());
    power(case, known);
    raid::judge(case, known, bmc.as_ref());
    root_device(case, known);
    keys(case, known);
    image::judge(case, &known.image);
    bmc.map(|bmc| hash(&bmc.identity()))
}

/// The same for the same text, on any machine.
pub(super) fn hash(text: &str) -> NonZero<u64> {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    NonZero::new(hasher.finish()).unwrap_or(NonZero::<u64>::MIN)
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
            let near = match &error {
                BmcAddressError::UnknownScheme { scheme, .. } if !hidden => {
                    near_scheme(case, finding.clone(), scheme, place)
                }
                _ => None,
            };
            let finding = match near {
                Some(finding) => finding,
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

/// MF3201 with the scheme that was probably meant, if one is near.
fn near_scheme(
    case: &Case<'_>,
    finding: Diagnostic,
    written: &str,
    place: Place,
) -> Option<Diagnostic> {
    let known: Vec<String> = Scheme::keys().collect();
    let near = similar(written, known.iter().map(String::as_str))?;
    let at = spelling::scheme(case.files, place, written);
    let near = Suggestion {
        fix: near.fix.filter(|_| at.is_some()),
        ..near
    };
    Some(finding.did_you_mean(Some(near), at.unwrap_or(place), str::to_owned))
}

/// MF3102: the host's node in Ironic is called `namespace~name`.
pub(super) fn node_name(case: &mut Case<'_>, namespace: &str) {
    /// Bytes of a node's name that Ironic stores.
    const MOST: usize = 255;
    let length = namespace.len() + 1 + case.name.len();
    if length > MOST {
        let place = case.place;
        case.error(
            Diagnostic::error(
                Code(3102),
                format!(
                    "the node of host `{}` in Ironic would have a name of {length} characters, \
                     and {MOST} are taken",
                    case.name
                ),
                place,
                "",
            )
            .note(format!(
                "it is the namespace and the name: `{namespace}~{}`",
                case.name
            )),
        );
    }
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
    if case.whole && case.get(known.mac).is_none() && (driver.needs_mac || blind.is_some()) {
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

/// MF3103, MF3104: keys and values of labels and annotations. What metalform writes itself would be
/// left out of the object without a word.
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
        let wrong = match (unit::label_key(key), &item.value) {
            (Err(error), _) => {
                let key = spelling::key_before(case.files, place, key);
                Some((error, key.unwrap_or(place)))
            }
            (Ok(_), Value::Text(text)) if labels => {
                unit::label_value(text).err().map(|error| (error, place))
            }
            _ => None,
        };
        if let Some((error, place)) = wrong {
            case.error(Diagnostic::error(Code(3103), error.message, place, "").help(error.help));
        }
        let reserved = RESERVED.iter().find(|name| {
            if name.ends_with('/') {
                key.starts_with(**name)
            } else {
                key == **name || key.starts_with(&format!("{name}/"))
            }
        });
        if let Some(reserved) = reserved.filter(|name| !labels || **name == annotation::OURS) {
            let what = if labels { "labels" } else { "annotations" };
            let name = reserved.trim_end_matches('/');
            let key = spelling::key_before(case.files, place, key);
            case.error(
                Diagnostic::error(
                    Code(3104),
                    format!("{what} of `{name}` are written by controllers"),
                    key.unwrap_or(place),
                    "",
                )
                .help(
                    "say it with a field of the host, or take a domain of your own; what a controller is told \
                     by hand (pause, detach, reboot) is set on the host, see docs/by-hand.md",
                ),
            );
        }
    }
}
