//! The states of a host and every way from one to another.
//!
//! [`WAYS`] is the whole state machine: a step that left it would fail its debug assertion, and
//! the diagram in `docs/host-states.md` is made from it.

use std::fmt::Write as _;

use crate::api::ProvisioningState;

/// Where a host is in its life: the API's states that metalform writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Not looked at yet.
    New,
    /// No BMC is given.
    Unmanaged,
    /// Access to the BMC is being verified.
    Registering,
    /// The hardware is being found out.
    Inspecting,
    /// RAID, BIOS settings and firmware are being set.
    Preparing,
    /// Ready to be provisioned.
    Available,
    /// The image is being written.
    Provisioning,
    /// The image is there.
    Provisioned,
    /// Somebody else's image is there.
    ExternallyProvisioned,
    /// The image is being taken off.
    Deprovisioning,
    /// Powering off, then it goes.
    PoweringOff,
    /// Being forgotten.
    Deleting,
}

impl Phase {
    /// All phases, in the order of a life.
    pub const ALL: [Self; 12] = [
        Self::New,
        Self::Unmanaged,
        Self::Registering,
        Self::Inspecting,
        Self::Preparing,
        Self::Available,
        Self::Provisioning,
        Self::Provisioned,
        Self::ExternallyProvisioned,
        Self::Deprovisioning,
        Self::PoweringOff,
        Self::Deleting,
    ];

    /// The phase of a state; `None` for one of a newer operator. Two states of old operators have
    /// the phase that took their place.
    pub const fn of(state: &ProvisioningState) -> Option<Self> {
        Some(match state {
            ProvisioningState::None => Self::New,
            ProvisioningState::Unmanaged => Self::Unmanaged,
            ProvisioningState::Registering => Self::Registering,
            ProvisioningState::Inspecting => Self::Inspecting,
            ProvisioningState::MatchProfile | ProvisioningState::Preparing => Self::Preparing,
            ProvisioningState::Ready | ProvisioningState::Available => Self::Available,
            ProvisioningState::Provisioning => Self::Provisioning,
            ProvisioningState::Provisioned => Self::Provisioned,
            ProvisioningState::ExternallyProvisioned => Self::ExternallyProvisioned,
            ProvisioningState::Deprovisioning => Self::Deprovisioning,
            ProvisioningState::PoweringOffBeforeDelete => Self::PoweringOff,
            ProvisioningState::Deleting => Self::Deleting,
            ProvisioningState::Other(_) => return None,
        })
    }

    /// The API's name.
    pub const fn state(self) -> ProvisioningState {
        match self {
            Self::New => ProvisioningState::None,
            Self::Unmanaged => ProvisioningState::Unmanaged,
            Self::Registering => ProvisioningState::Registering,
            Self::Inspecting => ProvisioningState::Inspecting,
            Self::Preparing => ProvisioningState::Preparing,
            Self::Available => ProvisioningState::Available,
            Self::Provisioning => ProvisioningState::Provisioning,
            Self::Provisioned => ProvisioningState::Provisioned,
            Self::ExternallyProvisioned => ProvisioningState::ExternallyProvisioned,
            Self::Deprovisioning => ProvisioningState::Deprovisioning,
            Self::PoweringOff => ProvisioningState::PoweringOffBeforeDelete,
            Self::Deleting => ProvisioningState::Deleting,
        }
    }
}

/// A way from one phase to another.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// From.
    pub from: Phase,
    /// To.
    pub to: Phase,
    /// When it is taken.
    pub when: &'static str,
}

const fn way(from: Phase, to: Phase, when: &'static str) -> Way {
    Way { from, to, when }
}

/// Every way.
pub const WAYS: &[Way] = &[
    way(Phase::New, Phase::Unmanaged, "no BMC is given"),
    way(Phase::New, Phase::Registering, "a BMC is given"),
    way(Phase::Unmanaged, Phase::Registering, "a BMC is given"),
    way(Phase::Registering, Phase::Inspecting, "BMC verified"),
    way(
        Phase::Registering,
        Phase::Provisioned,
        "its machine runs the image that it wants",
    ),
    way(
        Phase::Registering,
        Phase::Preparing,
        "BMC verified, inspection disabled",
    ),
    way(
        Phase::Registering,
        Phase::ExternallyProvisioned,
        "BMC verified, externallyProvisioned",
    ),
    way(
        Phase::Inspecting,
        Phase::Preparing,
        "inventory read, or inspection disabled",
    ),
    way(
        Phase::Preparing,
        Phase::Available,
        "nothing to prepare, or RAID, BIOS settings and firmware are as wanted",
    ),
    way(Phase::Available, Phase::Inspecting, "inspect annotation"),
    way(
        Phase::Available,
        Phase::Preparing,
        "RAID, BIOS settings, firmware or root device hints changed",
    ),
    way(
        Phase::Available,
        Phase::ExternallyProvisioned,
        "externallyProvisioned",
    ),
    way(
        Phase::Available,
        Phase::Provisioned,
        "its machine runs the image that it wants",
    ),
    way(
        Phase::Available,
        Phase::Provisioning,
        "image or custom deploy set, online",
    ),
    way(Phase::Provisioning, Phase::Provisioned, "deployed"),
    way(
        Phase::Provisioning,
        Phase::Deprovisioning,
        "failed, deleted, or image changed or removed",
    ),
    way(
        Phase::Provisioned,
        Phase::Deprovisioning,
        "deleted, or image changed or removed",
    ),
    way(
        Phase::ExternallyProvisioned,
        Phase::Provisioned,
        "externallyProvisioned removed",
    ),
    way(Phase::Deprovisioning, Phase::Available, "cleaned"),
    // Deletion.
    way(Phase::New, Phase::Deleting, "deleted"),
    way(Phase::Unmanaged, Phase::Deleting, "deleted"),
    way(Phase::Registering, Phase::Deleting, "deleted"),
    way(Phase::Inspecting, Phase::PoweringOff, "deleted"),
    way(Phase::Preparing, Phase::PoweringOff, "deleted"),
    way(Phase::Available, Phase::PoweringOff, "deleted"),
    way(Phase::ExternallyProvisioned, Phase::PoweringOff, "deleted"),
    way(
        Phase::Provisioned,
        Phase::PoweringOff,
        "deleted, and said to be externallyProvisioned",
    ),
    way(
        Phase::Deprovisioning,
        Phase::PoweringOff,
        "being deleted: cleaned, given up, or the machine is in a state of a newer Ironic",
    ),
    way(
        Phase::PoweringOff,
        Phase::Deleting,
        "off, given up, or the machine is gone or given away",
    ),
    way(
        Phase::Deprovisioning,
        Phase::Deleting,
        "being deleted: the machine is gone for good, or given away",
    ),
    way(Phase::Inspecting, Phase::Deleting, "deleted while detached"),
    way(Phase::Preparing, Phase::Deleting, "deleted while detached"),
    way(Phase::Available, Phase::Deleting, "deleted while detached"),
    way(
        Phase::Provisioning,
        Phase::Deleting,
        "deleted while detached",
    ),
    way(
        Phase::Provisioned,
        Phase::Deleting,
        "deleted while detached",
    ),
    way(
        Phase::ExternallyProvisioned,
        Phase::Deleting,
        "deleted while detached",
    ),
];

/// True when there is such a way.
pub fn is_way(from: Phase, to: Phase) -> bool {
    WAYS.iter().any(|way| way.from == from && way.to == to)
}

/// The diagram of all ways, for Mermaid. Deletion while detached is left out: it would be one
/// arrow from nearly every state.
pub fn diagram() -> String {
    let mut out = String::from("stateDiagram-v2\n    [*] --> New\n");
    for phase in Phase::ALL {
        let name = match phase {
            Phase::New => "(new)".to_owned(),
            other => other.state().to_string(),
        };
        // Writing into a String does not fail.
        writeln!(out, "    state \"{name}\" as {phase:?}").ok();
    }
    for way in WAYS.iter().filter(|way| !way.when.contains("detached")) {
        writeln!(out, "    {:?} --> {:?}: {}", way.from, way.to, way.when).ok();
    }
    out.push_str("    Deleting --> [*]\n");
    out
}
