//! From a host to what Ironic is told of its machine. Pure.
//!
//! What is written follows recordings of the Bare Metal Operator field by field, so that a fleet
//! can be taken over from it, and given back, without a single write.

pub mod clean;
pub mod configdrive;
pub mod instance;

use serde_json::{Map, Value, json};

use super::place::Place;
use super::wire;
use crate::api::bmc::{BmcAddress, Driver};
use crate::api::{BareMetalHost, BootMode, CleaningMode, Image, InspectionMode, ProvisioningState};
use crate::provision::{Facts, NodeState};
use crate::secrets::JobSecrets;

/// Inspection by the agent.
const AGENT: &str = "agent";

/// Which ramdisk machines boot. With nothing set here Ironic's own configuration decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ramdisk {
    /// Kernel; only together with `initramfs`.
    pub kernel: Option<String>,
    /// Initial RAM disk.
    pub initramfs: Option<String>,
    /// ISO, for machines whose BMC can attach one; goes before the two others.
    pub iso: Option<String>,
}

impl Ramdisk {
    fn info(&self, driver: &Driver) -> Map<String, Value> {
        let mut info = Map::new();
        match (self, driver.boots_iso) {
            (Self { iso: Some(iso), .. }, true) => {
                info.insert("deploy_iso".into(), iso.as_str().into());
            }
            (
                Self {
                    kernel: Some(kernel),
                    initramfs: Some(initramfs),
                    ..
                },
                _,
            ) => {
                info.insert("deploy_kernel".into(), kernel.as_str().into());
                info.insert("deploy_ramdisk".into(), initramfs.as_str().into());
            }
            _ => {}
        }
        info
    }
}

/// A node's settings as a host wants them, but for credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// `namespace~name`.
    pub name: String,
    /// BMC address.
    pub address: BmcAddress,
    /// `inspect_interface`.
    pub inspect_interface: &'static str,
    /// The part of `driver_info` that says where the BMC is and whether its certificate counts.
    pub bmc_info: Map<String, Value>,
    /// The part of `driver_info` that says which ramdisk to boot; empty leaves a node's own.
    pub ramdisk_info: Map<String, Value>,
    /// Boot mode, as parts of `properties/capabilities`.
    pub capabilities: &'static str,
    /// `properties/cpu_arch`, where the host or its inventory tell.
    pub cpu_arch: Option<String>,
    /// Whether disks are cleaned.
    pub automated_clean: bool,
    /// Must not be powered off.
    pub disable_power_off: bool,
}

/// `namespace~name`, the name of a host's node.
pub fn node_name(host: &BareMetalHost) -> String {
    let meta = &host.metadata;
    format!(
        "{}~{}",
        meta.namespace.as_deref().unwrap_or_default(),
        meta.name.as_deref().unwrap_or_default()
    )
}

impl Wanted {
    /// What a host wants. Refused, in the Bare Metal Operator's words, when the address cannot be
    /// read or its driver cannot do what the host asks for.
    pub fn of(host: &BareMetalHost, ramdisk: &Ramdisk) -> Result<Self, String> {
        let spec = &host.spec;
        let address: BmcAddress = spec.bmc.address.parse().map_err(|e| format!("{e}"))?;
        let driver = address.driver();
        let fast = spec.inspection_mode == Some(InspectionMode::Fast);
        let inspect_interface = match (fast, driver.fast_inspect) {
            (true, Some(interface)) => interface,
            (true, None) => {
                return Err(format!(
                    "BMC driver {} does not support fast (out-of-band) inspection",
                    address.key()
                ));
            }
            (false, _) => AGENT,
        };
        let boot_mode = host.boot_mode_in_force();
        if boot_mode == BootMode::UefiSecureBoot && !driver.secure_boot {
            return Err(format!(
                "BMC driver {} does not support secure boot",
                address.key()
            ));
        }
        let mut bmc_info: Map<String, Value> = address
            .driver_info()
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.into()))
            .collect();
        if spec.bmc.disable_certificate_verification
            && let Some(keys) = address.credential_keys()
        {
            bmc_info.insert(keys.verify_ca.into(), false.into());
        }
        Ok(Self {
            name: node_name(host),
            inspect_interface,
            ramdisk_info: ramdisk.info(driver),
            capabilities: capabilities(&boot_mode),
            cpu_arch: architecture(host),
            automated_clean: spec.automated_cleaning_mode != Some(CleaningMode::Disabled),
            disable_power_off: spec.disable_power_off,
            bmc_info,
            address,
        })
    }

    /// The driver's facts.
    pub fn driver(&self) -> &'static Driver {
        self.address.driver()
    }

    /// The interfaces that the driver sets, in the order of their names.
    pub fn interfaces(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let driver = self.driver();
        [
            ("bios_interface", driver.bios),
            ("boot_interface", Some(driver.boot)),
            ("firmware_interface", driver.firmware),
            ("inspect_interface", Some(self.inspect_interface)),
            ("management_interface", driver.management),
            ("power_interface", driver.power),
            ("raid_interface", Some(driver.raid)),
            ("vendor_interface", driver.vendor),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }

    /// The value of `properties/capabilities` that keeps what else is there (inspection adds some).
    pub fn merged_capabilities(&self, existing: &str) -> String {
        let others = existing
            .split(',')
            .filter(|item| !item.is_empty())
            .filter(|item| !item.starts_with("boot_mode:") && !item.starts_with("secure_boot:"));
        others
            .chain([self.capabilities])
            .collect::<Vec<_>>()
            .join(",")
    }

    /// True when these capabilities say the same, in whatever order.
    pub fn has_capabilities(&self, existing: &str) -> bool {
        let mut ours: Vec<&str> = existing
            .split(',')
            .filter(|item| item.starts_with("boot_mode:") || item.starts_with("secure_boot:"))
            .collect();
        ours.sort_unstable();
        ours == self.capabilities.split(',').collect::<Vec<_>>()
    }
}

fn capabilities(mode: &BootMode) -> &'static str {
    match mode {
        BootMode::UefiSecureBoot => "boot_mode:uefi,secure_boot:true",
        BootMode::Legacy => "boot_mode:bios",
        BootMode::Uefi | BootMode::Other(_) => "boot_mode:uefi",
    }
}

fn architecture(host: &BareMetalHost) -> Option<String> {
    if !host.spec.architecture.is_empty() {
        return Some(host.spec.architecture.clone());
    }
    let hardware = host.status.as_ref()?.hardware.as_ref()?.get().ok()?;
    (!hardware.cpu.arch.is_empty()).then_some(hardware.cpu.arch)
}

/// The image that is on the machine, or is just being put there.
fn current_image(host: &BareMetalHost) -> Option<&Image> {
    let now = host.status.as_ref().map(|status| &status.provisioning)?;
    if !now.image.url.is_empty() {
        return Some(&now.image);
    }
    is_arriving(&now.state)
        .then_some(host.spec.image.as_deref())
        .flatten()
}

fn has_custom_deploy(host: &BareMetalHost) -> bool {
    let Some(now) = host.status.as_ref().map(|status| &status.provisioning) else {
        return false;
    };
    let method = |custom: Option<&crate::api::CustomDeploy>| {
        custom.is_some_and(|custom| !custom.method.is_empty())
    };
    method(now.custom_deploy.as_ref())
        || (is_arriving(&now.state) && method(host.spec.custom_deploy.as_ref()))
}

fn is_arriving(state: &ProvisioningState) -> bool {
    matches!(
        state,
        ProvisioningState::Provisioning | ProvisioningState::ExternallyProvisioned
    )
}

/// The body of `POST /v1/nodes`: the whole node at once, so that nothing is left to be added later.
///
/// A host that has an image already (its node was lost with Ironic's database) comes with its
/// deployment, so that taking it over is one call. `usual` is the architecture of a machine of which
/// nobody says one and nothing was inspected.
pub fn enroll(
    host: &BareMetalHost,
    wanted: &Wanted,
    secrets: &JobSecrets,
    usual: &str,
) -> Result<Value, String> {
    let mut info = wanted.bmc_info.clone();
    if let Some(keys) = wanted.address.credential_keys() {
        let Some((user, password)) = &secrets.bmc else {
            return Err("no BMC credentials at hand".into());
        };
        info.insert(keys.username.into(), user.reveal().into());
        info.insert(keys.password.into(), password.reveal().into());
    } else if host.spec.bmc.address.is_empty() {
        return Err("no BMC address".into());
    }
    if host.spec.boot_mac_address.is_empty()
        && (wanted.driver().needs_mac || host.inspection_disabled())
    {
        let driver = wanted.address.key();
        return Err(format!(
            "BMC driver {driver} requires a BootMACAddress value"
        ));
    }
    info.extend(wanted.ramdisk_info.clone());
    let mut body = json!({
        "automated_clean": wanted.automated_clean,
        "disable_power_off": wanted.disable_power_off,
        "driver": wanted.driver().name,
        "driver_info": info,
        "name": wanted.name,
        "properties": {
            "capabilities": wanted.capabilities,
            "cpu_arch": wanted.cpu_arch.as_deref().unwrap_or(usual),
        },
    });
    let Some(map) = body.as_object_mut() else {
        return Err("not an object".into());
    };
    for (name, value) in wanted.interfaces() {
        map.insert(name.into(), value.into());
    }
    if let Some(interface) = enrolled_deploy_interface(host, wanted.driver()) {
        map.insert("deploy_interface".into(), interface.into());
    }
    if let RamdiskNetwork::Data(data) = RamdiskNetwork::of(host, secrets)? {
        map.insert("network_data".into(), data.into());
    }
    if host.was_provisioned() {
        let image = current_image(host);
        let info = instance::info(host, image, has_custom_deploy(host), None)?;
        map.insert("instance_info".into(), info.into());
        if let Some(uid) = instance::uid(host) {
            map.insert("instance_uuid".into(), uid.into());
        }
    }
    Ok(body)
}

fn enrolled_deploy_interface(host: &BareMetalHost, driver: &Driver) -> Option<&'static str> {
    if has_custom_deploy(host) {
        Some("custom-agent")
    } else if current_image(host).is_some_and(Image::is_live_iso) {
        Some("ramdisk")
    } else {
        usual_deploy_interface(driver)
    }
}

/// The deploy interface for images that are written to a disk; `None` leaves it to Ironic. Fake
/// hardware may have a fake one by default, which would write nothing.
pub fn usual_deploy_interface(driver: &Driver) -> Option<&'static str> {
    (driver.name == "fake-hardware").then_some("direct")
}

/// What a host says of the network of its ramdisk.
#[derive(Debug, Clone, PartialEq)]
pub enum RamdiskNetwork {
    /// It names a secret that is not at hand: what the node has stays.
    Unknown,
    /// None: the ramdisk finds its own.
    None,
    /// This.
    Data(Map<String, Value>),
}

impl RamdiskNetwork {
    /// From YAML or JSON. An error never quotes it.
    pub fn of(host: &BareMetalHost, secrets: &JobSecrets) -> Result<Self, String> {
        let named = !host.spec.preprovisioning_network_data_name.is_empty();
        Ok(match &secrets.preprovisioning_network_data {
            Some(text) => {
                let data = configdrive::parse(text, "preprovisioning network data")?;
                if data.is_empty() {
                    Self::None
                } else {
                    Self::Data(data)
                }
            }
            None if named => Self::Unknown,
            None => Self::None,
        })
    }
}

/// True where Ironic takes other interfaces; everywhere else it answers 409, whatever else is in
/// the patch (`ConductorManager.update_node`).
pub fn takes_interfaces(state: NodeState, maintenance: bool) -> bool {
    let open = matches!(
        state,
        NodeState::Enroll
            | NodeState::Inspecting
            | NodeState::InspectWait
            | NodeState::Manageable
            | NodeState::Available
    );
    open || maintenance
}

/// The wanted settings, compared with those that a mirror keeps. Interfaces count only where they
/// can be changed: what is left over differs again as soon as the node is there.
pub fn differs(wanted: &Wanted, facts: &Facts, node: &super::mirror::Settings) -> bool {
    let driver = wanted.driver();
    let interfaces = || {
        *node.boot_interface != *driver.boot || *node.inspect_interface != *wanted.inspect_interface
    };
    facts.name.as_deref() != Some(wanted.name.as_str())
        || *node.driver != *driver.name
        || (takes_interfaces(facts.state, facts.maintenance) && interfaces())
        || !wanted.has_capabilities(&node.capabilities)
        || wanted
            .cpu_arch
            .as_ref()
            .map_or(node.cpu_arch.is_empty(), |arch| *node.cpu_arch != **arch)
        || node.automated_clean != Some(wanted.automated_clean)
        || node.disable_power_off != wanted.disable_power_off
        || node.address != wire::address_digest(&wanted.bmc_info)
        || (!wanted.ramdisk_info.is_empty()
            && node.ramdisk != wire::ramdisk_digest(&wanted.ramdisk_info))
}

/// True when the host's address is another machine's than the node's; also one that cannot be read is
/// not the one with which the node was made.
pub fn is_moved(host: &BareMetalHost, node: &super::mirror::Settings) -> bool {
    let address = &host.spec.bmc.address;
    let Ok(parsed) = address.parse::<BmcAddress>() else {
        return !address.is_empty();
    };
    let info: Map<String, Value> = parsed
        .driver_info()
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect();
    node.place.is_another(Place::of(&info))
}

/// True when the node's disks would be cleaned and the host says that they shall not be. By default
/// Ironic cleans (`[conductor]automated_clean`).
pub fn is_cleaned(host: &BareMetalHost, node: &super::mirror::Settings) -> bool {
    host.spec.automated_cleaning_mode == Some(CleaningMode::Disabled)
        && node.automated_clean != Some(false)
}

#[cfg(test)]
mod tests;
