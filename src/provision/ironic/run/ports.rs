//! Ports: which are missing, making them, and whose they are.

use http::Method;
use serde_json::json;
use tokio::time::Instant;

use super::super::mirror::{Mac, Mirror, taken};
use super::super::wire::{PORT_FIELDS, Port, PortPage};
use super::Call;
use crate::api::{BareMetalHost, HardwareJson};
use crate::provision::Fault;

/// MAC addresses of a host that have no port yet, with whether they boot: the boot NIC, then the
/// inventory's NICs. Those of another node's port are left out, but for the boot NIC, where that is
/// a mistake; machines do share addresses on NICs that nobody boots from.
pub(in super::super) fn missing_ports(
    host: &BareMetalHost,
    id: &str,
    mirror: &Mirror,
) -> Vec<(Mac, bool)> {
    let mut missing: Vec<(Mac, bool)> = Vec::new();
    let boot = Mac::parse(&host.spec.boot_mac_address);
    if let Some(mac) = boot
        && mirror.owner(mac).is_none_or(|owner| *owner != *id)
    {
        missing.push((mac, true));
    }
    let hardware = host
        .status
        .as_ref()
        .and_then(|status| status.hardware.as_ref());
    if let Some(Ok(hardware)) = hardware.map(HardwareJson::get) {
        for nic in &hardware.nics {
            let Some(mac) = Mac::parse(&nic.mac) else {
                continue;
            };
            if mirror.owner(mac).is_none() && missing.iter().all(|(other, _)| *other != mac) {
                missing.push((mac, nic.pxe));
            }
        }
    }
    missing
}

/// True when the host's boot MAC address is among the missing and its inventory shows other ones only:
/// the address was changed, not lost. One that is another node's says so when it is asked for.
pub(in super::super) fn is_rewired(
    host: &BareMetalHost,
    missing: &[(Mac, bool)],
    mirror: &Mirror,
) -> bool {
    let boot = Mac::parse(&host.spec.boot_mac_address);
    let is_missing = |boot: &Mac| missing.iter().any(|(mac, _)| mac == boot);
    let Some(boot) = boot.filter(|boot| is_missing(boot) && mirror.owner(*boot).is_none()) else {
        return false;
    };
    let status = host.status.as_ref();
    let hardware = status.and_then(|status| status.hardware.as_ref()?.get().ok());
    let nics = hardware.map(|hardware| hardware.nics).unwrap_or_default();
    let is_it = |mac: &str| Mac::parse(mac) == Some(boot);
    !nics.is_empty() && nics.iter().all(|nic| !is_it(&nic.mac))
}

impl Call<'_> {
    pub(super) async fn ports(&self, id: &str) -> Result<(), Fault> {
        let missing = missing_ports(&self.job.host, id, &self.core.mirror());
        let boot = Mac::parse(&self.job.host.spec.boot_mac_address);
        for (mac, pxe) in missing {
            let body = json!({ "address": mac.to_string(), "node_uuid": id, "pxe_enabled": pxe });
            let began = Instant::now();
            match self
                .send(Method::POST, "/v1/ports".into(), Some(body))
                .await
            {
                Ok(answer) => {
                    let mut port: Port = self.read(&answer)?;
                    if port.node_uuid.is_empty() {
                        id.clone_into(&mut port.node_uuid);
                    }
                    let key = self.core.mirror().put_port(&port, began);
                    self.core.tell(key);
                }
                Err(error) if error.is_duplicate() => {
                    let owner = self.owner(mac).await?;
                    if boot == Some(mac)
                        && let Some(owner) = owner.filter(|owner| *owner != id)
                    {
                        let shown = self.core.mirror().shown(&owner);
                        let mac = &self.job.host.spec.boot_mac_address;
                        return Err(Fault::Taken(taken(mac, &shown)));
                    }
                }
                Err(error) => return Err(self.fault(error)),
            }
        }
        Ok(())
    }

    /// Asks whose port a MAC address is.
    async fn owner(&self, mac: Mac) -> Result<Option<String>, Fault> {
        self.read_ports(&format!("address={mac}")).await?;
        Ok(self.core.mirror().port(mac).map(|owner| owner.to_string()))
    }

    pub(super) async fn read_ports(&self, filter: &str) -> Result<(), Fault> {
        let began = Instant::now();
        let path = format!("/v1/ports?fields={PORT_FIELDS}&{filter}");
        let answer = self
            .send(Method::GET, path, None)
            .await
            .map_err(|e| self.fault(e))?;
        let page: PortPage = self.read(&answer)?;
        let mut mirror = self.core.mirror();
        for port in &page.ports {
            let key = mirror.put_port(port, began);
            self.core.tell(key);
        }
        Ok(())
    }
}
