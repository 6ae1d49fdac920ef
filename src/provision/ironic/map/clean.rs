//! Manual cleaning: RAID volumes, BIOS settings, firmware, and the steps that bring them about.

use serde_json::{Map, Value, json};

use super::instance::{hint_map, hints};
use crate::api::bmc::Driver;
use crate::api::{BareMetalHost, HardwareRaidVolume, RaidConfig, RaidLevel, SoftwareRaidVolume};
use crate::firmware::Changes;

const NO_RAID: &str = "no-raid";
const AGENT: &str = "agent";

/// What cleaning has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaning {
    /// `raid_interface` that it takes.
    pub raid_interface: &'static str,
    /// Volumes to make; none leaves the target as it is.
    pub logical_disks: Vec<Value>,
    /// Steps; none: there is nothing to clean.
    pub steps: Vec<Value>,
}

/// The cleaning that leads from the RAID volumes in the host's status to those in its spec, and
/// then makes these changes of firmware.
pub fn plan(
    host: &BareMetalHost,
    driver: &Driver,
    firmware: Option<&Changes>,
) -> Result<Cleaning, String> {
    let mut cleaning = volumes(host, driver)?;
    let Some(firmware) = firmware else {
        return Ok(cleaning);
    };
    let step = |interface: &str, step: &str, settings: Value| json!({ "interface": interface, "step": step, "args": { "settings": settings } });
    if !firmware.settings.is_empty() {
        let settings = firmware.settings.iter();
        let settings = settings.map(|it| json!({ "name": it.name, "value": it.value }));
        let steps = &mut cleaning.steps;
        steps.push(step("bios", "apply_configuration", settings.collect()));
    }
    if !firmware.updates.is_empty() {
        let updates = firmware.updates.iter();
        let updates = updates.map(|it| json!({ "component": it.component, "url": it.url }));
        let steps = &mut cleaning.steps;
        steps.push(step("firmware", "update", updates.collect()));
    }
    Ok(cleaning)
}

/// The part of it that is for volumes. An absent list leaves volumes alone, an empty one removes
/// them.
fn volumes(host: &BareMetalHost, driver: &Driver) -> Result<Cleaning, String> {
    let target = host.spec.raid.as_deref();
    let actual = host
        .status
        .as_ref()
        .and_then(|status| status.provisioning.raid.as_deref());
    let raid_interface = interface(driver.raid, target, actual)?;
    let mut cleaning = Cleaning {
        raid_interface,
        logical_disks: Vec::new(),
        steps: Vec::new(),
    };
    let Some(target) = target else {
        return Ok(cleaning);
    };
    let step = |interface: &str, step: &str| json!({ "interface": interface, "step": step });
    if let Some(volumes) = &target.software_raid_volumes {
        // Where nobody knows what there is, there may be some.
        let certain = actual.is_none_or(RaidConfig::is_certain);
        let actual = actual.and_then(|actual| actual.software_raid_volumes.as_ref());
        let none = certain && actual.is_none_or(Vec::is_empty);
        let same = actual == Some(volumes) && certain || (volumes.is_empty() && none);
        if same {
            return Ok(cleaning);
        }
        cleaning.steps.push(step("raid", "delete_configuration"));
        cleaning
            .steps
            .push(step("deploy", "erase_devices_metadata"));
        if !volumes.is_empty() {
            cleaning.logical_disks = software(volumes)?;
            cleaning.steps.push(step("raid", "create_configuration"));
        }
    } else if let Some(volumes) = &target.hardware_raid_volumes {
        let certain = actual.is_none_or(RaidConfig::is_certain);
        let actual = actual.and_then(|actual| actual.hardware_raid_volumes.as_ref());
        if driver.raid == NO_RAID || actual == Some(volumes) && certain {
            return Ok(cleaning);
        }
        // Making volumes does not remove others.
        cleaning.steps.push(step("raid", "delete_configuration"));
        if !volumes.is_empty() {
            cleaning.logical_disks = hardware(volumes)?;
            cleaning.steps.push(step("raid", "create_configuration"));
        }
    }
    let named = target
        .software_raid_volumes
        .iter()
        .flatten()
        .any(|volume| volume.root_volume);
    if !named
        && hints(host).is_none()
        && let Some(first) = cleaning.logical_disks.first_mut()
    {
        first["is_root_volume"] = true.into();
    }
    Ok(cleaning)
}

/// The interface that can do it, from the driver's own.
fn interface(
    usual: &'static str,
    target: Option<&RaidConfig>,
    actual: Option<&RaidConfig>,
) -> Result<&'static str, String> {
    let software = |raid: Option<&RaidConfig>| {
        raid.and_then(|raid| raid.software_raid_volumes.as_ref())
            .is_some_and(|v| !v.is_empty())
    };
    // Removing them takes the agent too; the status does not say what there is while they are made.
    let listed = target.is_some_and(|raid| raid.software_raid_volumes.is_some());
    let Some(raid) = target else { return Ok(usual) };
    if raid
        .hardware_raid_volumes
        .as_ref()
        .is_some_and(|volumes| !volumes.is_empty())
    {
        if usual == NO_RAID {
            return Err(format!(
                "RAID settings are defined, but the node's driver {usual} does not support RAID"
            ));
        }
        if usual == AGENT {
            return Err(format!(
                "hardware RAID settings are defined, but the node's driver {usual} only supports \
                 software RAID"
            ));
        }
    }
    Ok(if listed || software(actual) {
        AGENT
    } else {
        usual
    })
}

fn size(gibibytes: Option<i64>) -> Value {
    gibibytes
        .filter(|size| *size != 0)
        .map_or_else(|| "MAX".into(), Value::from)
}

fn hardware(volumes: &[HardwareRaidVolume]) -> Result<Vec<Value>, String> {
    let mut disks = Vec::new();
    for (index, volume) in volumes.iter().enumerate() {
        let twin = volumes[..index]
            .iter()
            .position(|other| other.name == volume.name);
        if let (false, Some(twin)) = (volume.name.is_empty(), twin) {
            return Err(format!(
                "the names({}) of volume[{index}] and volume[{twin}] are repeated",
                volume.name
            ));
        }
        if !volume.physical_disks.is_empty() {
            if volume.controller.is_empty() {
                return Err("'controller' must be specified if 'physicalDisks' are used".into());
            }
            let listed = volume.physical_disks.len();
            if let Some(number) = volume.number_of_physical_disks
                && usize::try_from(number).ok() != Some(listed)
            {
                return Err(format!(
                    "the numberOfPhysicalDisks[{number}] is not same as number of items in \
                     physicalDisks[{listed}]"
                ));
            }
        }
        let mut disk = Map::new();
        disk.insert("size_gb".into(), size(volume.size_gibibytes));
        disk.insert("raid_level".into(), volume.level.as_str().into());
        for (key, text) in [
            ("volume_name", &volume.name),
            ("controller", &volume.controller),
        ] {
            if !text.is_empty() {
                disk.insert(key.into(), text.as_str().into());
            }
        }
        if let Some(rotational) = volume.rotational {
            disk.insert(
                "disk_type".into(),
                if rotational { "hdd" } else { "ssd" }.into(),
            );
        }
        if let Some(number) = volume.number_of_physical_disks {
            disk.insert("number_of_physical_disks".into(), number.into());
        }
        if !volume.physical_disks.is_empty() {
            disk.insert("physical_disks".into(), json!(volume.physical_disks));
        }
        disks.push(disk.into());
    }
    Ok(disks)
}

fn software(volumes: &[SoftwareRaidVolume]) -> Result<Vec<Value>, String> {
    if volumes
        .first()
        .is_some_and(|volume| volume.level != RaidLevel::Raid1)
    {
        return Err("the level in first volume of software raid must be RAID1".into());
    }
    let disks = volumes.iter().map(|volume| {
        let mut disk = Map::new();
        disk.insert("size_gb".into(), size(volume.size_gibibytes));
        disk.insert("raid_level".into(), volume.level.as_str().into());
        disk.insert("controller".into(), "software".into());
        disk.insert("is_root_volume".into(), volume.root_volume.into());
        if !volume.physical_disks.is_empty() {
            let hints: Vec<_> = volume.physical_disks.iter().map(hint_map).collect();
            disk.insert("physical_disks".into(), json!(hints));
        }
        disk.into()
    });
    Ok(disks.collect())
}
