//! Hardware profiles: deprecated, but what they say about the root device is still in force.

use crate::api::{BareMetalHostSpec, RootDeviceHints, Shared};

/// The profile of a host that names none.
const DEFAULT: &str = "unknown";
/// The profile of a virtual host that names none.
const VIRTUAL: &str = "libvirt";

/// The root device hints of a profile; `None` when there is no such profile.
fn hints(profile: &str) -> Option<RootDeviceHints> {
    let device = |name: &str| RootDeviceHints {
        device_name: name.into(),
        ..Default::default()
    };
    let hctl = |hctl: &str| RootDeviceHints {
        hctl: hctl.into(),
        ..Default::default()
    };
    match profile {
        "unknown" => Some(device("/dev/sda")),
        "libvirt" => Some(device("/dev/vda")),
        "dell" => Some(hctl("0:0:0:0")),
        "dell-raid" => Some(hctl("0:2:0:0")),
        "openstack" => Some(device("/dev/vdb")),
        _ => None,
    }
}

/// The profile of a host: what the spec says, else what was chosen before, else by address.
/// `Err` names a profile that does not exist.
pub(super) fn of<'a>(spec: &'a BareMetalHostSpec, before: &'a str) -> Result<&'a str, &'a str> {
    let chosen = [spec.hardware_profile.as_str(), before];
    let virtual_host = spec.bmc.address.starts_with("libvirt");
    let default = if virtual_host { VIRTUAL } else { DEFAULT };
    let profile = chosen
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or(default);
    hints(profile).map(|_| profile).ok_or(profile)
}

/// The root device hints in force: the spec's, else the profile's.
pub(super) fn root_device_hints(
    spec: &BareMetalHostSpec,
    profile: &str,
) -> Option<Shared<RootDeviceHints>> {
    spec.root_device_hints
        .clone()
        .or_else(|| hints(profile).map(Shared::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spec_wins_then_what_was_then_the_address() {
        let mut spec = BareMetalHostSpec::default();
        assert_eq!(of(&spec, ""), Ok("unknown"));
        spec.bmc.address = "libvirt://10.0.0.1".into();
        assert_eq!(of(&spec, ""), Ok("libvirt"));
        assert_eq!(of(&spec, "dell"), Ok("dell"));
        spec.hardware_profile = "openstack".into();
        assert_eq!(of(&spec, "dell"), Ok("openstack"));
        spec.hardware_profile = "hal9000".into();
        assert_eq!(of(&spec, "dell"), Err("hal9000"));
    }
}
