//! The rules that a BareMetalHost must keep beyond its types, offline.
//!
//! These are the rules of BMO's admission webhook, and those of the CRD's schema that a type cannot
//! hold (enumerations, patterns, bounds), because a local store has no API server before it. They
//! look at one host; what concerns several (two hosts with one BMC) is the fleet's business.
//!
//! Deliberately not BMO's: a status annotation may name every value that the CRD allows (BMO's list
//! lacks `servicing`), and `networkInterfaces` entries need a name or a MAC.

mod image;
mod raid;
mod reference;

use std::fmt;

use super::Extra;
use super::bmc::BmcAddress;
use super::host::{BareMetalHost, BootMode, CleaningMode, InspectionMode};
use super::inventory::HardwareDetails;
use super::names::annotation;
use super::status::{BareMetalHostStatus, ErrorType, OperationalStatus, ProvisioningState};

/// A rule that is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where, as `spec.bmc.address` or `metadata.annotations["inspect.metal3.io"]`.
    pub path: String,
    /// What is wrong, in lower case and without the path.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Violations in the order of the rules.
#[derive(Default)]
struct Found(Vec<Violation>);

impl Found {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Violation {
            path: path.into(),
            message: message.into(),
        });
    }

    /// Refuses a word that the API does not know.
    fn word<T: fmt::Display + PartialEq>(&mut self, path: &str, value: Option<&T>, known: &[T]) {
        if let Some(value) = value.filter(|value| !known.contains(value)) {
            let known: Vec<_> = known
                .iter()
                .map(ToString::to_string)
                .filter(|it| !it.is_empty())
                .collect();
            self.add(path, format!("'{value}' is none of {}", known.join(", ")));
        }
    }
}

/// All rules that `new` does not keep, also as a change of `old`. Empty when the host may be
/// written. Reads no clock and no store; the status that counts is that of `new`.
pub fn validate(new: &BareMetalHost, old: Option<&BareMetalHost>) -> Vec<Violation> {
    let mut found = Found::default();
    name(new, &mut found);
    bmc(new, &mut found);
    words(new, &mut found);
    reference::check(new, &mut found);
    if let Some(volumes) = new.spec.raid.as_deref() {
        raid::check(volumes, new.spec.root_device_hints.is_some(), &mut found);
    }
    if let Some(hints) = new.spec.root_device_hints.as_deref() {
        raid::hints("spec.rootDeviceHints", hints, &mut found);
    }
    if let Some(image) = new.spec.image.as_deref() {
        image::check(image, &mut found);
    }
    if let Some(custom) = &new.spec.custom_deploy
        && custom.method.is_empty()
    {
        found.add(
            "spec.customDeploy.method",
            "is missing; name the deploy step",
        );
    }
    annotations(new, &mut found);
    inspection(new, &mut found);
    if new.spec.disable_power_off && !new.spec.online {
        found.add(
            "spec.online",
            "is false while disablePowerOff is true; the machine cannot be both off and never off",
        );
    }
    if let Some(old) = old {
        change(new, old, &mut found);
    }
    found.0
}

/// `~` separates namespace and name in Ironic, and a UUID would be taken for a node's.
fn name(host: &BareMetalHost, found: &mut Found) {
    let name = host.metadata.name.as_deref().unwrap_or_default();
    let bad = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if let Some(bad) = name.chars().find(|c| bad(*c)) {
        found.add(
            "metadata.name",
            format!("has {bad:?}; only letters, digits, '.', '_' and '-'"),
        );
    }
    if uuid::Uuid::parse_str(name).is_ok() {
        found.add(
            "metadata.name",
            "must not be a UUID, which Ironic would take for a node's",
        );
    }
}

fn bmc(host: &BareMetalHost, found: &mut Found) {
    let spec = &host.spec;
    let mac = spec.boot_mac_address.as_str();
    if !mac.is_empty() && !is_mac(mac) {
        found.add(
            "spec.bootMACAddress",
            format!("'{mac}' is no MAC address (aa:bb:cc:dd:ee:ff)"),
        );
    }
    if spec
        .firmware
        .is_some_and(|it| it != super::FirmwareConfig::default())
    {
        found.add(
            "spec.firmware",
            "is no longer supported by any driver; use a HostFirmwareSettings resource",
        );
    }
    if spec.bmc.address.is_empty() {
        return;
    }
    let address: BmcAddress = match spec.bmc.address.parse() {
        Ok(address) => address,
        Err(error) => {
            let near = error
                .nearest()
                .map(|near| format!("; did you mean '{near}'?"));
            return found.add(
                "spec.bmc.address",
                format!("{error}{}", near.unwrap_or_default()),
            );
        }
    };
    let (driver, scheme) = (address.driver(), address.key());
    let hardware = spec
        .raid
        .as_deref()
        .and_then(|raid| raid.hardware_raid_volumes.as_deref());
    if hardware.is_some_and(|volumes| !volumes.is_empty()) && driver.raid == "no-raid" {
        found.add(
            "spec.raid.hardwareRAIDVolumes",
            format!("BMC driver {scheme} does not support configuring RAID"),
        );
    }
    if mac.is_empty() && (driver.needs_mac || host.inspection_disabled()) {
        let why = if driver.needs_mac {
            ""
        } else {
            " while inspection is disabled"
        };
        found.add(
            "spec.bootMACAddress",
            format!("is missing; BMC driver {scheme} needs it{why}"),
        );
    }
    if spec.boot_mode == Some(BootMode::UefiSecureBoot) && !driver.secure_boot {
        found.add(
            "spec.bootMode",
            format!("BMC driver {scheme} does not support secure boot"),
        );
    }
    if spec.inspection_mode == Some(InspectionMode::Fast) && driver.fast_inspect.is_none() {
        found.add(
            "spec.inspectionMode",
            format!("BMC driver {scheme} cannot inspect without the agent; only Redfish ones can"),
        );
    }
}

fn words(host: &BareMetalHost, found: &mut Found) {
    let spec = &host.spec;
    found.word("spec.bootMode", spec.boot_mode.as_ref(), BootMode::KNOWN);
    found.word(
        "spec.automatedCleaningMode",
        spec.automated_cleaning_mode.as_ref(),
        CleaningMode::KNOWN,
    );
    found.word(
        "spec.inspectionMode",
        spec.inspection_mode.as_ref(),
        InspectionMode::KNOWN,
    );
    let profiles = [
        "unknown",
        "libvirt",
        "dell",
        "dell-raid",
        "openstack",
        "empty",
    ];
    let profile = spec.hardware_profile.as_str();
    if !profile.is_empty() && !profiles.contains(&profile) {
        let known = profiles.join(", ");
        found.add(
            "spec.hardwareProfile",
            format!("'{profile}' is none of {known}"),
        );
    }
}

fn inspection(host: &BareMetalHost, found: &mut Found) {
    let Some(mode) = &host.spec.inspection_mode else {
        return;
    };
    let said = host.annotation(annotation::INSPECT).unwrap_or_default();
    if !said.is_empty() && (said == "disabled") != (*mode == InspectionMode::Disabled) {
        found.add(
            "spec.inspectionMode",
            format!(
                "'{mode}' contradicts the annotation {}: {said}",
                annotation::INSPECT
            ),
        );
    }
}

fn annotations(host: &BareMetalHost, found: &mut Found) {
    for (name, value) in host.metadata.annotations.iter().flatten() {
        let fault = match name {
            annotation::STATUS if !value.is_empty() => status_annotation(value),
            annotation::REBOOT => reboot_annotation(value),
            other if other.starts_with(annotation::REBOOT_PREFIX) => reboot_annotation(value),
            annotation::INSPECT if !matches!(value, "" | "disabled") => {
                Err(format!("'{value}' is neither 'disabled' nor empty"))
            }
            annotation::HARDWARE_DETAILS if !value.is_empty() => {
                if host.inspection_disabled() {
                    hardware_annotation(value)
                } else {
                    Err("needs inspection to be disabled (inspectionMode: disabled)".to_owned())
                }
            }
            _ => Ok(()),
        };
        if let Err(message) = fault {
            found.add(format!("metadata.annotations[{name:?}]"), message);
        }
    }
}

fn status_annotation(text: &str) -> Result<(), String> {
    let status: BareMetalHostStatus =
        serde_json::from_str(text).map_err(|error| format!("is no status: {error}"))?;
    let unknown: Vec<_> = [
        ("", &status.extra),
        ("provisioning.", &status.provisioning.extra),
        ("provisioning.image.", &status.provisioning.image.extra),
    ]
    .into_iter()
    .flat_map(|(place, extra): (&str, &Extra)| extra.keys().map(move |key| format!("{place}{key}")))
    .collect();
    if !unknown.is_empty() {
        return Err(format!("has unknown fields: {}", unknown.join(", ")));
    }
    let mut found = Found::default();
    found.word(
        "operationalStatus",
        Some(&status.operational_status),
        OperationalStatus::KNOWN,
    );
    found.word("errorType", status.error_type.as_ref(), ErrorType::KNOWN);
    found
        .0
        .first()
        .map_or(Ok(()), |violation| Err(violation.to_string()))
}

fn reboot_annotation(text: &str) -> Result<(), String> {
    #[derive(serde::Deserialize)]
    struct Arguments {
        #[serde(default)]
        mode: String,
        #[serde(default, rename = "force")]
        _force: bool,
    }
    if text.is_empty() {
        return Ok(());
    }
    let arguments: Arguments = serde_json::from_str(text)
        .map_err(|error| format!("is not empty and not JSON of mode and force: {error}"))?;
    match arguments.mode.as_str() {
        "" | "hard" | "soft" => Ok(()),
        mode => Err(format!("mode '{mode}' is neither 'hard' nor 'soft'")),
    }
}

fn hardware_annotation(text: &str) -> Result<(), String> {
    let fault = |error: serde_json::Error| format!("is no inventory: {error}");
    let said: serde_json::Value = serde_json::from_str(text).map_err(fault)?;
    let details: HardwareDetails = serde_json::from_value(said.clone()).map_err(fault)?;
    let known = serde_json::to_value(&details).map_err(fault)?;
    match first_unknown("", &said, &known) {
        Some(path) => Err(format!("has an unknown field: {path}")),
        None => Ok(()),
    }
}

/// The first field that is said, is not empty, and is not there once read and written.
fn first_unknown(
    path: &str,
    said: &serde_json::Value,
    known: &serde_json::Value,
) -> Option<String> {
    use serde_json::Value;
    match (said, known) {
        (Value::Object(said), Value::Object(known)) => said.iter().find_map(|(key, value)| {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            match known.get(key) {
                Some(known) => first_unknown(&path, value, known),
                None if is_empty(value) => None,
                None => Some(path),
            }
        }),
        (Value::Array(said), Value::Array(known)) => {
            said.iter()
                .zip(known)
                .enumerate()
                .find_map(|(index, (said, known))| {
                    first_unknown(&format!("{path}[{index}]"), said, known)
                })
        }
        _ => None,
    }
}

/// What a known field of this value would not have been written for.
fn is_empty(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(true) | Value::Object(_) => false,
    }
}

/// What must not change, or not now.
fn change(new: &BareMetalHost, old: &BareMetalHost, found: &mut Found) {
    let (now, was) = (&new.spec, &old.spec);
    let status = new.status.as_ref();
    let detached = status.is_some_and(|it| it.operational_status == OperationalStatus::Detached);
    if !was.bmc.address.is_empty()
        && now.bmc.address != was.bmc.address
        && !detached
        && *new.state() != ProvisioningState::Registering
    {
        found.add(
            "spec.bmc.address",
            "cannot be changed unless the host is registering or detached \
             (annotation baremetalhost.metal3.io/detached)",
        );
    }
    if !was.boot_mac_address.is_empty()
        && !now
            .boot_mac_address
            .eq_ignore_ascii_case(&was.boot_mac_address)
    {
        found.add("spec.bootMACAddress", "cannot be changed once it is set");
    }
    if now.externally_provisioned
        && !was.externally_provisioned
        && *new.state() != ProvisioningState::Available
    {
        let state = new.state();
        found.add(
            "spec.externallyProvisioned",
            format!("can only be switched on while the host is available, not in '{state}'"),
        );
    }
}

/// Six octets with colons, hyphens, or as three groups with dots, as Go's `net.ParseMAC` takes
/// them; the CRD's pattern asks for colons, so only those remain.
fn is_mac(text: &str) -> bool {
    let mut octets = 0;
    text.split(':').all(|octet| {
        octets += 1;
        octet.len() == 2 && octet.bytes().all(|b| b.is_ascii_hexdigit())
    }) && octets == 6
}

#[cfg(test)]
mod tests;
