//! How much a field's change disturbs, given the state that the host is in.
//!
//! The schema says what a field can do at worst; the host's state says what it does now: a new
//! image for a machine that is not deployed disturbs nobody.

use serde_json::Value;

use crate::api::{BareMetalHost, OperationalStatus, ProvisioningState};

use super::{Disruption, Refusal};

/// True when the machine carries a deployment that would be lost.
pub(super) fn deployed(host: &BareMetalHost) -> bool {
    match host.state() {
        ProvisioningState::Provisioning
        | ProvisioningState::Provisioned
        | ProvisioningState::ExternallyProvisioned => true,
        ProvisioningState::None
        | ProvisioningState::Unmanaged
        | ProvisioningState::Registering
        | ProvisioningState::MatchProfile
        | ProvisioningState::Ready
        | ProvisioningState::Available
        | ProvisioningState::Inspecting
        | ProvisioningState::Preparing
        | ProvisioningState::Deprovisioning
        | ProvisioningState::PoweringOffBeforeDelete
        | ProvisioningState::Deleting
        | ProvisioningState::Other(_) => false,
    }
}

/// The class of one field's change. Rules and their sources: baremetal-operator
/// `host_state_machine.go` compares `image.url` and `customDeploy.method` only; root device hints
/// and RAID send an available host back to preparing; `online` is power.
pub(super) fn disruption(
    host: &BareMetalHost,
    path: &str,
    before: Option<&Value>,
    after: Option<&Value>,
) -> Disruption {
    let deployed = deployed(host);
    match path {
        "spec.image.url" | "spec.customDeploy.method" => match (deployed, before, after) {
            (false, ..) | (true, None, _) => Disruption::None,
            (true, Some(_), Some(_)) => Disruption::Reprovision,
            (true, Some(_), None) => Disruption::Destroy,
        },
        "spec.online" => Disruption::Reboot,
        _ if path.starts_with("spec.raid") || path.starts_with("spec.rootDeviceHints") => {
            let idle = matches!(
                host.state(),
                ProvisioningState::Available
                    | ProvisioningState::Ready
                    | ProvisioningState::Preparing
            );
            if idle { Disruption::Clean } else { Disruption::None }
        }
        _ => Disruption::None,
    }
}

/// Changes that the API refuses (baremetal-operator webhook, `validateChanges`).
pub(super) fn refusal(
    host: &BareMetalHost,
    path: &str,
    before: Option<&Value>,
    after: Option<&Value>,
) -> Option<Refusal> {
    match path {
        "spec.bmc.address" if before.is_some() => {
            let registering = matches!(
                host.state(),
                ProvisioningState::None
                    | ProvisioningState::Unmanaged
                    | ProvisioningState::Registering
            );
            let detached = host.status.as_ref().is_some_and(|status| {
                status.operational_status == OperationalStatus::Detached
            });
            (!registering && !detached).then(|| Refusal {
                code: "MF7102",
                text: format!(
                    "the BMC address can change only while the host is registering or detached \
                     (it is {}); detach it first: annotation baremetalhost.metal3.io/detached",
                    host.state()
                ),
            })
        }
        "spec.bootMACAddress" => {
            let text = |value: Option<&Value>| {
                value.and_then(Value::as_str).unwrap_or_default().to_lowercase()
            };
            (before.is_some() && text(before) != text(after)).then(|| Refusal {
                code: "MF7103",
                text: "the boot MAC address cannot change once it is set; remove the host and \
                       declare it under another name, or delete and create it"
                    .to_owned(),
            })
        }
        _ => None,
    }
}
