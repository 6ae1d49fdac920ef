//! Rules of RAID volumes and of root device hints.

use super::Found;
use crate::api::host::{RaidConfig, RaidLevel, RootDeviceHints};

pub(super) fn check(raid: &RaidConfig, has_root_hints: bool, found: &mut Found) {
    let hardware = raid.hardware_raid_volumes.as_deref().unwrap_or_default();
    let software = raid.software_raid_volumes.as_deref().unwrap_or_default();
    if !hardware.is_empty() && !software.is_empty() {
        found.add(
            "spec.raid",
            "hardware and software volumes cannot be set together",
        );
    }
    for (index, volume) in hardware.iter().enumerate() {
        let at = |field: &str| format!("spec.raid.hardwareRAIDVolumes[{index}].{field}");
        found.word(&at("level"), Some(&volume.level), RaidLevel::KNOWN);
        size(volume.size_gibibytes, at("sizeGibibytes"), found);
        if volume.name.chars().count() > 64 {
            found.add(at("name"), "has more than 64 characters");
        }
        if volume
            .number_of_physical_disks
            .is_some_and(|number| number < 1)
        {
            found.add(at("numberOfPhysicalDisks"), "is less than 1");
        }
        if volume.physical_disks.is_empty() {
            continue;
        }
        if volume.controller.is_empty() {
            found.add(
                at("controller"),
                "is missing; physicalDisks are named by their controller",
            );
        }
        let named = volume.physical_disks.len();
        if let Some(number) = volume.number_of_physical_disks
            && number != named as i64
        {
            let message = format!("is {number}, but physicalDisks names {named}");
            found.add(at("numberOfPhysicalDisks"), message);
        }
    }
    if software.len() > 2 {
        found.add("spec.raid.softwareRAIDVolumes", "has more than 2 volumes");
    }
    if let Some(first) = software.first()
        && first.level != RaidLevel::Raid1
    {
        found.add(
            "spec.raid.softwareRAIDVolumes[0].level",
            "the first volume holds the image and must be RAID 1",
        );
    }
    let mut root = None;
    for (index, volume) in software.iter().enumerate() {
        let at = |field: &str| format!("spec.raid.softwareRAIDVolumes[{index}].{field}");
        found.word(
            &at("level"),
            Some(&volume.level),
            &[RaidLevel::Raid0, RaidLevel::Raid1, RaidLevel::Raid10],
        );
        size(volume.size_gibibytes, at("sizeGibibytes"), found);
        if volume.physical_disks.len() == 1 {
            found.add(
                at("physicalDisks"),
                "has one entry; at least 2 disks make a volume",
            );
        }
        for (disk, hints) in volume.physical_disks.iter().enumerate() {
            self::hints(&at(&format!("physicalDisks[{disk}]")), hints, found);
        }
        if !volume.root_volume {
            continue;
        }
        if let Some(first) = root {
            let message = format!("volume {first} is the root volume already");
            found.add(at("rootVolume"), message);
        }
        root = root.or(Some(index));
        if has_root_hints {
            found.add(
                at("rootVolume"),
                "cannot be set together with rootDeviceHints",
            );
        }
        if volume.level != RaidLevel::Raid1 && index > 0 {
            found.add(at("level"), "the root volume must be RAID 1");
        }
    }
}

fn size(size: Option<i64>, path: String, found: &mut Found) {
    if size.is_some_and(|size| size < 0) {
        found.add(path, "is negative");
    }
}

/// A device name is `/dev/x` or `/dev/disk/by-path/x`: others change from boot to boot.
pub(super) fn hints(path: &str, hints: &RootDeviceHints, found: &mut Found) {
    if hints.min_size_gigabytes < 0 {
        found.add(format!("{path}.minSizeGigabytes"), "is negative");
    }
    let name = hints.device_name.as_str();
    if name.is_empty() {
        return;
    }
    let rest = name.strip_prefix("/dev/");
    let rest = rest.map(|rest| rest.strip_prefix("disk/by-path/").unwrap_or(rest));
    if rest.is_none_or(|rest| rest.is_empty() || rest.contains('/')) {
        found.add(
            format!("{path}.deviceName"),
            format!("'{name}' is neither /dev/NAME nor /dev/disk/by-path/NAME"),
        );
    }
}
