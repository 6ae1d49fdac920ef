//! What a scheme says about the Ironic driver.

use std::fmt;

/// Driver family and boot method: the scheme without `+http` or `+https`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// `ipmi`, network boot.
    Ipmi,
    /// `libvirt`: a virtual machine behind a virtual IPMI BMC.
    Libvirt,
    /// `redfish`, network boot.
    Redfish,
    /// `redfish-virtualmedia`.
    RedfishVirtualMedia,
    /// `redfish-uefihttp`: UEFI boots over HTTP.
    RedfishUefiHttp,
    /// `ilo5-redfish`, network boot.
    Ilo5Redfish,
    /// `ilo5-virtualmedia`.
    Ilo5VirtualMedia,
    /// `idrac-redfish`, network boot.
    IdracRedfish,
    /// `idrac-virtualmedia`.
    IdracVirtualMedia,
    /// `fake-hardware`: no machine at all; Ironic's fake power with its real agent interfaces.
    FakeHardware,
}

/// How Redfish is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// `+http`.
    Http,
    /// `+https`, and what a scheme without either means.
    Https,
}

/// What Ironic is told for a scheme, and what it can do.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, a column each"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Driver {
    /// Ironic's hardware type.
    pub name: &'static str,
    /// `bios_interface`; `None` leaves it to Ironic, here and below.
    pub bios: Option<&'static str>,
    /// `boot_interface`.
    pub boot: &'static str,
    /// `firmware_interface`.
    pub firmware: Option<&'static str>,
    /// `management_interface`.
    pub management: Option<&'static str>,
    /// `power_interface`.
    pub power: Option<&'static str>,
    /// `raid_interface`.
    pub raid: &'static str,
    /// `vendor_interface`.
    pub vendor: Option<&'static str>,
    /// `inspect_interface` for inspection by the BMC alone; `None` when there is no such thing and
    /// `inspectionMode: fast` is refused.
    pub fast_inspect: Option<&'static str>,
    /// Can switch secure boot.
    pub secure_boot: bool,
    /// Boots the agent from an ISO that the BMC fetches.
    pub boots_iso: bool,
    /// Needs DHCP and TFTP on a provisioning network.
    pub needs_provisioning_network: bool,
    /// Needs `bootMACAddress` in any case.
    pub needs_mac: bool,
}

const IPMI: Driver = Driver {
    name: "ipmi",
    bios: None,
    boot: "ipxe",
    firmware: None,
    management: None,
    power: None,
    raid: "no-raid",
    vendor: None,
    fast_inspect: None,
    secure_boot: false,
    boots_iso: false,
    needs_provisioning_network: true,
    needs_mac: false,
};

const LIBVIRT: Driver = Driver {
    needs_mac: true,
    ..IPMI
};

const REDFISH: Driver = Driver {
    name: "redfish",
    firmware: Some("redfish"),
    raid: "redfish",
    fast_inspect: Some("redfish"),
    secure_boot: true,
    ..IPMI
};

const REDFISH_VIRTUAL_MEDIA: Driver = Driver {
    boot: "redfish-virtual-media",
    boots_iso: true,
    needs_provisioning_network: false,
    ..REDFISH
};

const REDFISH_UEFI_HTTP: Driver = Driver {
    boot: "redfish-https",
    ..REDFISH_VIRTUAL_MEDIA
};

const IDRAC: Driver = Driver {
    name: "idrac",
    bios: Some("idrac-redfish"),
    management: Some("idrac-redfish"),
    power: Some("idrac-redfish"),
    raid: "idrac-redfish",
    vendor: Some("idrac-redfish"),
    ..REDFISH
};

const IDRAC_VIRTUAL_MEDIA: Driver = Driver {
    boot: "idrac-redfish-virtual-media",
    boots_iso: true,
    needs_provisioning_network: false,
    ..IDRAC
};

/// Only the agent's part is real, so that lives, wait states and inventories are.
const FAKE: Driver = Driver {
    name: "fake-hardware",
    bios: Some("fake"),
    boot: "fake",
    firmware: Some("fake"),
    management: Some("noop"),
    power: Some("fake"),
    raid: "agent",
    vendor: Some("fake"),
    fast_inspect: None,
    secure_boot: false,
    boots_iso: false,
    needs_provisioning_network: false,
    needs_mac: false,
};

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 10] = [
        Self::Ipmi,
        Self::Libvirt,
        Self::Redfish,
        Self::RedfishVirtualMedia,
        Self::RedfishUefiHttp,
        Self::Ilo5Redfish,
        Self::Ilo5VirtualMedia,
        Self::IdracRedfish,
        Self::IdracVirtualMedia,
        Self::FakeHardware,
    ];

    /// The scheme as written, without `+http` or `+https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipmi => "ipmi",
            Self::Libvirt => "libvirt",
            Self::Redfish => "redfish",
            Self::RedfishVirtualMedia => "redfish-virtualmedia",
            Self::RedfishUefiHttp => "redfish-uefihttp",
            Self::Ilo5Redfish => "ilo5-redfish",
            Self::Ilo5VirtualMedia => "ilo5-virtualmedia",
            Self::IdracRedfish => "idrac-redfish",
            Self::IdracVirtualMedia => "idrac-virtualmedia",
            Self::FakeHardware => "fake-hardware",
        }
    }

    /// What Ironic is told, and what it can do.
    pub fn driver(self) -> &'static Driver {
        match self {
            Self::Ipmi => &IPMI,
            Self::Libvirt => &LIBVIRT,
            Self::Redfish | Self::Ilo5Redfish => &REDFISH,
            Self::RedfishVirtualMedia | Self::Ilo5VirtualMedia => &REDFISH_VIRTUAL_MEDIA,
            Self::RedfishUefiHttp => &REDFISH_UEFI_HTTP,
            Self::IdracRedfish => &IDRAC,
            Self::IdracVirtualMedia => &IDRAC_VIRTUAL_MEDIA,
            Self::FakeHardware => &FAKE,
        }
    }

    /// True for those that speak Redfish, and so take `+http` and `+https` and have a path.
    pub fn is_redfish(self) -> bool {
        !matches!(self, Self::Ipmi | Self::Libvirt | Self::FakeHardware)
    }

    /// Reads `redfish`, `redfish+http`, `ipmi`; lower case.
    pub(super) fn read(text: &str) -> Option<(Self, Option<Transport>)> {
        let (name, transport) = match text.split_once('+') {
            None => (text, None),
            Some((name, "http")) => (name, Some(Transport::Http)),
            Some((name, "https")) => (name, Some(Transport::Https)),
            Some(_) => return None,
        };
        let scheme = Self::ALL
            .into_iter()
            .find(|scheme| scheme.as_str() == name)?;
        (scheme.is_redfish() || transport.is_none()).then_some((scheme, transport))
    }

    /// Every way to write a scheme, with and without `+http` and `+https`: BMO's 23 and ours.
    pub fn keys() -> impl Iterator<Item = String> {
        Self::ALL.into_iter().flat_map(|scheme| {
            let suffixes: &[&str] = if scheme.is_redfish() {
                &["", "+http", "+https"]
            } else {
                &[""]
            };
            suffixes
                .iter()
                .map(move |suffix| format!("{}{suffix}", scheme.as_str()))
        })
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
