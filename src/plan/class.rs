//! How much a change disturbs, given the state that the host is in.
//!
//! The schema says what a field can do at worst; the host's state says what it does now: a new
//! image for a machine that is not deployed disturbs nobody. The rules are those of the reconciler
//! (`reconcile::{deploy, adopt, prepare, power}`), which are the Bare Metal Operator's.

use serde_json::Value;

use crate::api::{
    BareMetalHost, BareMetalHostSpec, OperationalStatus, Payload, ProvisionStatus,
    ProvisioningState,
};
use crate::desired::Wanted;

use super::{Disruption, Refusal};

/// True when the machine carries a deployment that would be lost, or is on its way from one to the
/// next: who deletes it then takes as much away. What a state of a newer version means is not known
/// here, so it counts.
pub(super) fn is_deployed(host: &BareMetalHost) -> bool {
    match host.state() {
        ProvisioningState::Provisioned
        | ProvisioningState::ExternallyProvisioned
        | ProvisioningState::Other(_) => true,
        ProvisioningState::Deprovisioning
        | ProvisioningState::Preparing
        | ProvisioningState::Available
        | ProvisioningState::Ready
        | ProvisioningState::Provisioning => {
            let status = host.status.as_ref();
            // A deployment was taken off, and not because the next one failed.
            let was_deployed = status.is_some_and(|status| {
                let deprovision = &status.operation_history.deprovision;
                deprovision.start.is_some() && status.provisioning_fail_count == 0
            });
            was_deployed && comes(&host.spec)
        }
        _ => false,
    }
}

/// True when something is deployed on a machine with this spec that carries nothing. A machine that
/// is wanted off gets nothing.
fn comes(spec: &BareMetalHostSpec) -> bool {
    spec.online && !Payload::wanted(spec).is_none()
}

/// True while the machine is out of our hands: what identifies it may change.
fn is_detached(host: &BareMetalHost) -> bool {
    let status = host.status.as_ref();
    status.is_some_and(|status| status.operational_status == OperationalStatus::Detached)
}

/// True when no one has looked at the machine yet: what identifies it may still change.
fn is_fresh(host: &BareMetalHost) -> bool {
    matches!(
        host.state(),
        ProvisioningState::None | ProvisioningState::Unmanaged | ProvisioningState::Registering
    )
}

/// True when RAID volumes would be made at once.
fn is_idle(host: &BareMetalHost) -> bool {
    matches!(
        host.state(),
        ProvisioningState::Available | ProvisioningState::Ready | ProvisioningState::Preparing
    )
}

/// What a deletion does to the machine.
pub(super) fn deletion(host: &BareMetalHost) -> Disruption {
    match host.state() {
        _ if host.is_given_away() => Disruption::None,
        _ if is_deployed(host) => Disruption::Destroy,
        ProvisioningState::Provisioning | ProvisioningState::Deprovisioning => Disruption::Clean,
        _ => Disruption::None,
    }
}

/// What a new spec does to what is deployed on the machine, or is being deployed.
pub(super) fn deployment(host: &BareMetalHost, spec: &BareMetalHostSpec) -> Disruption {
    let Some(status) = &host.status else {
        return Disruption::None;
    };
    let wanted = Payload::wanted(spec);
    // Nothing comes in place of what goes.
    let gone = if is_deployed(host) {
        Disruption::Destroy
    } else {
        Disruption::Clean
    };
    match host.state() {
        ProvisioningState::Provisioned | ProvisioningState::Other(_)
            if wanted == Payload::applied(status) =>
        {
            Disruption::None
        }
        ProvisioningState::Provisioning if wanted == Payload::wanted(&host.spec) => {
            Disruption::None
        }
        ProvisioningState::Provisioned
        | ProvisioningState::Other(_)
        | ProvisioningState::Provisioning => {
            if comes(spec) {
                Disruption::Reprovision
            } else {
                gone
            }
        }
        ProvisioningState::Deprovisioning
        | ProvisioningState::Preparing
        | ProvisioningState::Available
        | ProvisioningState::Ready
            if is_deployed(host) && !comes(spec) =>
        {
            Disruption::Destroy
        }
        // With the flag the image is not looked at; without it what the spec says is taken to be
        // what is there, and nothing means that it goes.
        ProvisioningState::ExternallyProvisioned
            if !spec.externally_provisioned && wanted.is_none() =>
        {
            Disruption::Destroy
        }
        _ => Disruption::None,
    }
}

/// The class of one field's change. `deployment` is what the whole change does to the deployment:
/// it is told at the fields that bring it about.
pub(super) fn disruption(
    host: &BareMetalHost,
    wanted: &Wanted,
    path: &str,
    deployment: Disruption,
) -> Disruption {
    match path {
        "spec.image.url" | "spec.customDeploy.method" | "spec.externallyProvisioned" => deployment,
        "spec.online" => {
            let off = !wanted.spec.online && !wanted.spec.disable_power_off;
            match deployment {
                Disruption::Destroy | Disruption::Clean if !wanted.spec.online => deployment,
                _ if off && is_deployed(host) => Disruption::Reboot,
                _ => Disruption::None,
            }
        }
        _ if path.starts_with("spec.raid") => {
            if is_idle(host) && makes_volumes(host, &wanted.spec) {
                Disruption::Clean
            } else {
                Disruption::None
            }
        }
        _ => Disruption::None,
    }
}

/// True when volumes have to be made or removed.
fn makes_volumes(host: &BareMetalHost, spec: &BareMetalHostSpec) -> bool {
    let none = ProvisionStatus::default();
    let applied = host
        .status
        .as_ref()
        .map_or(&none, |status| &status.provisioning);
    applied.lacks_volumes(spec.raid.as_deref())
}

/// Changes that the API refuses (baremetal-operator's webhook, `validateChanges`), and one that
/// only metalform knows: the Ironic that drives the machine.
pub(super) fn refusal(
    host: &BareMetalHost,
    path: &str,
    before: Option<&Value>,
    after: Option<&Value>,
) -> Option<Refusal> {
    let text = |value: Option<&Value>| {
        value
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_lowercase()
    };
    let state = host.state();
    match path {
        "spec.bmc.address" => {
            let movable = text(before).is_empty() || is_fresh(host) || is_detached(host);
            (!movable).then(|| Refusal {
                code: "MF7102",
                text: format!(
                    "it is {state}; the BMC address can change only while a host is registering \
                     or detached: set the annotation baremetalhost.metal3.io/detached first"
                ),
            })
        }
        "spec.bootMACAddress" => {
            let fixed = !text(before).is_empty() && text(before) != text(after);
            fixed.then(|| Refusal {
                code: "MF7103",
                text: "the boot MAC address cannot change once it is set: take the host out of \
                       the spec, and put it back with the new address when it is gone"
                    .to_owned(),
            })
        }
        "spec.externallyProvisioned" if after == Some(&Value::Bool(true)) => {
            let idle = matches!(
                state,
                ProvisioningState::Available | ProvisioningState::Ready
            );
            (!idle).then(|| Refusal {
                code: "MF7104",
                text: format!(
                    "it is {}; `externally-provisioned` can be set only at a new host or one that \
                     is available",
                    named(state)
                ),
            })
        }
        // While there is one Ironic hosts have no mark, and none can change hands: `run` looks at
        // that when it starts.
        "ironic" => {
            // With an id the other Ironic has the machine in its books, where nobody would forget it.
            let id = host.status.as_ref().map(|status| &status.provisioning.id);
            let unknown = is_fresh(host) && id.is_none_or(String::is_empty);
            let unmarked = before.is_none() || after.is_none();
            let movable = unmarked || unknown || is_detached(host);
            (!movable).then(|| Refusal {
                code: "MF7112",
                text: format!(
                    "it is {state} and `{}` has it in its books; another Ironic can take over \
                     only a host that is registering or detached",
                    text(before)
                ),
            })
        }
        _ => None,
    }
}

/// The state in words; a host without one is new.
fn named(state: &ProvisioningState) -> &str {
    match state.as_str() {
        "" => "new",
        text => text,
    }
}

#[cfg(test)]
mod tests;
