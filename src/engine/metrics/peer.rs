//! Metrics under the Bare Metal Operator's names, for dashboards and alerts that know those.
//!
//! Where that operator has the labels `namespace` and `host` there are none here: sums are the same,
//! and there are as many series with ten hosts as with ten thousand. Counted is what is written.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::api::{
    BareMetalHost, BareMetalHostStatus, ErrorType, OperationHistory, OperationMetric,
    ProvisioningState,
};
use crate::reconcile::Code;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateChange {
    prev_state: String,
    new_state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HostError {
    error_type: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PowerChange {
    on_off: &'static str,
}

/// The metrics; their documentation is in `docs/metrics.md`.
#[derive(Debug)]
pub(super) struct Peer {
    reconciles: Counter,
    state_changes: Family<StateChange, Counter>,
    errors: Family<HostError, Counter>,
    power_changes: Family<PowerChange, Counter>,
    credentials_updated: Counter,
    no_access: Counter,
    not_deprovisioned: Counter,
    not_powered_off: Counter,
    /// Of [`WAITS`].
    waits: [Counter; WAITS.len()],
    /// Of registering, inspecting, provisioning and deprovisioning.
    durations: [Histogram; 4],
}

/// A counter of hosts that begin to wait for one of these.
type Wait = (&'static str, &'static str, &'static [Code]);

const WAITS: [Wait; 9] = [
    (
        "credentials_missing",
        "Waits for a Secret begun",
        &[Code::CredentialsMissing],
    ),
    (
        "credentials_invalid",
        "Waits for a usable Secret begun",
        &[Code::CredentialsInvalid],
    ),
    (
        "host_config_data_error",
        "Waits for what else the spec refers to begun",
        &[Code::ReferenceMissing],
    ),
    (
        "host_unmanaged",
        "Hosts found without a BMC",
        &[Code::Unmanaged],
    ),
    (
        "host_registration_required",
        "Machines that were not known to the provisioner",
        &[Code::Enrolling],
    ),
    (
        "provisioner_not_ready",
        "Waits for a provisioner begun",
        &[Code::ProvisionerDown],
    ),
    (
        "delayed__provisioning",
        "Waits for a slot to inspect or deploy begun",
        &[Code::WaitingForInspectSlot, Code::WaitingForDeploySlot],
    ),
    (
        "delayed__deprovisioning",
        "Waits for a slot to clean begun",
        &[Code::WaitingForCleanSlot],
    ),
    (
        "delete_delayed_for_detached",
        "Deletions that began to wait for the annotation detached",
        &[Code::DeleteDelayed],
    ),
];

/// How each of [`Peer::durations`] is called, and its operation in the history.
type Operation = (&'static str, fn(&OperationHistory) -> &OperationMetric);

const OPERATIONS: [Operation; 4] = [
    ("register", |history| &history.register),
    ("inspect", |history| &history.inspect),
    ("provision", |history| &history.provision),
    ("deprovision", |history| &history.deprovision),
];

impl Peer {
    pub fn new(registry: &mut Registry) -> Self {
        let slow = [30.0, 90.0, 180.0, 360.0, 720.0, 1440.0];
        let quick = [
            0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
        ];
        let peer = Self {
            reconciles: Counter::default(),
            state_changes: Family::default(),
            errors: Family::default(),
            power_changes: Family::default(),
            credentials_updated: Counter::default(),
            no_access: Counter::default(),
            not_deprovisioned: Counter::default(),
            not_powered_off: Counter::default(),
            waits: std::array::from_fn(|_| Counter::default()),
            durations: [
                Histogram::new(quick),
                Histogram::new(slow),
                Histogram::new(slow),
                Histogram::new(slow),
            ],
        };
        let counters = [
            ("reconcile", "Decisions taken", &peer.reconciles),
            (
                "credentials_updated",
                "New credentials sent",
                &peer.credentials_updated,
            ),
            (
                "credentials_no_management_access",
                "Registration errors written",
                &peer.no_access,
            ),
            (
                "delete_without_deprovisioning",
                "Deletions that gave up taking the image off",
                &peer.not_deprovisioned,
            ),
            (
                "delete_without_powering_off",
                "Deletions that gave up powering off",
                &peer.not_powered_off,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        for ((name, help, _), counter) in WAITS.iter().zip(&peer.waits) {
            registry.register(*name, *help, counter.clone());
        }
        registry.register(
            "provisioning_state_change",
            "Changes of provisioning state written",
            peer.state_changes.clone(),
        );
        registry.register("host_error", "Errors written", peer.errors.clone());
        registry.register(
            "operation_power_change",
            "Changes of power seen",
            peer.power_changes.clone(),
        );
        for ((name, _), histogram) in OPERATIONS.iter().zip(&peer.durations) {
            registry.register_with_unit(
                format!("operation_{name}_duration"),
                "Time that the operation took",
                Unit::Seconds,
                histogram.clone(),
            );
        }
        peer
    }

    pub fn reconcile(&self) {
        self.reconciles.inc();
    }

    /// A host begins to wait for another reason.
    pub fn waits(&self, code: &str) {
        for ((_, _, codes), counter) in WAITS.iter().zip(&self.waits) {
            if codes.iter().any(|known| known.as_str() == code) {
                counter.inc();
            }
        }
    }

    /// A status was written.
    pub fn written(&self, before: &BareMetalHost, after: &BareMetalHost) {
        let none = BareMetalHostStatus::default();
        let old = before.status.as_ref().unwrap_or(&none);
        let new = after.status.as_ref().unwrap_or(&none);
        let (prev, next) = (&old.provisioning.state, &new.provisioning.state);
        if prev != next {
            let change = StateChange {
                prev_state: prev.to_string(),
                new_state: next.to_string(),
            };
            self.state_changes.get_or_create(&change).inc();
            // A deletion leaves these two in an error only when it gives them up.
            let gives_up = after.metadata.deletion_timestamp.is_some() && old.error_type.is_some();
            if gives_up && *prev == ProvisioningState::Deprovisioning {
                self.not_deprovisioned.inc();
            }
            if gives_up && *prev == ProvisioningState::PoweringOffBeforeDelete {
                self.not_powered_off.inc();
            }
        }
        if let Some(error) = &new.error_type
            && new.error_count != old.error_count
        {
            if *error == ErrorType::Registration && new.error_count > 0 {
                self.no_access.inc();
            }
            let error_type = error.to_string();
            self.errors.get_or_create(&HostError { error_type }).inc();
        }
        if old.powered_on != new.powered_on {
            let on_off = if new.powered_on { "on" } else { "off" };
            self.power_changes
                .get_or_create(&PowerChange { on_off })
                .inc();
        }
        let tried = &old.tried_credentials;
        if tried.credentials.is_some() && *tried != new.tried_credentials {
            self.credentials_updated.inc();
        }
        for ((_, operation), histogram) in OPERATIONS.iter().zip(&self.durations) {
            let (was, is) = (
                operation(&old.operation_history),
                operation(&new.operation_history),
            );
            if let (Some(start), Some(end)) = (is.start, is.end)
                && was.end != is.end
            {
                histogram.observe(end.duration_since(start).as_secs_f64());
            }
        }
    }
}
