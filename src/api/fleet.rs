//! Fleet: our own kind, one object a fleet. What came of its files, and how its machines are.
//!
//! The files stay where they are: an object in a cluster tells which of them are followed, and
//! nobody has to read a log for what is wrong with them. The object is also the parent of the
//! fleet's ApplySet (KEP-3659: a label and annotations on it list what belongs to it, and the CRD
//! is labelled as one whose objects may be parents), so its spec says nothing of that.

pub mod applyset;
mod status;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::kind;
use super::status::Condition;
use super::text::text_enum;
use super::wire::{Extra, is_zero};

pub use status::{
    Finding, FindingSeverity, FleetSource, FleetStatus, HostCounts, LastGood, MOST_FINDINGS,
};

/// API group of [`Fleet`].
pub const GROUP: &str = "metalform.dev";
/// `apiVersion` of [`Fleet`].
pub const API_VERSION: &str = "metalform.dev/v1alpha1";

text_enum! {
    schema: open;
    /// Name of a condition of a fleet: the three questions that are asked of one.
    pub enum FleetConditionType {
        /// Its files have no errors. While they have, the last good fleet is kept.
        Valid = "Valid",
        /// The objects of its hosts are as the last good fleet says.
        Synced = "Synced",
        /// All of it: the files are valid and followed, and all machines are as they say.
        Ready = "Ready",
    }
}

text_enum! {
    schema: open;
    /// Reason of a condition of a fleet.
    pub enum FleetReason {
        /// Valid: yes.
        NoErrors = "NoErrors",
        /// Valid and Ready: no, see `findings`.
        SpecErrors = "SpecErrors",
        /// Valid and Ready: no, the files cannot be read.
        SourceUnreadable = "SourceUnreadable",
        /// Synced: yes.
        Applied = "Applied",
        /// Synced: no, changes are being written or wait for their turn in a roll.
        Applying = "Applying",
        /// Synced and Ready: no, changes wait for a person.
        ChangesHeld = "ChangesHeld",
        /// Synced and Ready: no, the server refused a change.
        ApplyFailed = "ApplyFailed",
        /// Synced and Ready: no, `spec.paused` is set.
        Paused = "Paused",
        /// Ready: yes.
        Settled = "Settled",
        /// Ready: no, machines are on their way.
        Progressing = "Progressing",
        /// Ready: no, machines have errors or wait for a person.
        HostsNotReady = "HostsNotReady",
    }
}

/// A condition of a fleet.
pub type FleetCondition = Condition<FleetConditionType, FleetReason>;

/// What is wanted of the process that keeps the fleet. What is wanted of the machines is in its
/// files.
#[expect(
    clippy::duplicated_attributes,
    reason = "columns have the same type and priority"
)]
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metalform.dev",
    version = "v1alpha1",
    kind = "Fleet",
    plural = "fleets",
    singular = "fleet",
    shortname = "mff",
    namespaced,
    root = "FleetCrd",
    status = "FleetStatus",
    label("applyset.kubernetes.io/is-parent-type", "true"),
    doc = "The machines of one spec: what came of its files, and how the machines are.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        description = "Whether all machines are as the files say",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        description = "Why it is ready or not",
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    ),
    printcolumn(
        name = "Hosts",
        type_ = "integer",
        description = "Hosts of the fleet",
        json_path = ".status.hosts.total"
    ),
    printcolumn(
        name = "Failed",
        type_ = "integer",
        description = "Hosts with an error",
        json_path = ".status.hosts.failed"
    ),
    printcolumn(
        name = "Held",
        type_ = "integer",
        description = "Hosts that wait for a person",
        json_path = ".status.hosts.held"
    ),
    printcolumn(
        name = "Errors",
        type_ = "integer",
        description = "Errors in the files",
        json_path = ".status.errors"
    ),
    printcolumn(
        name = "Source",
        type_ = "string",
        description = "Where the files are",
        json_path = ".status.source.path",
        priority = 1
    ),
    printcolumn(
        name = "Digest",
        type_ = "string",
        description = "The fleet that was applied last",
        json_path = ".status.digest",
        priority = 1
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        description = "Time since the fleet was created",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(default)]
pub struct FleetSpec {
    /// While true the objects of the hosts stay as they are: edits of the files are checked and
    /// told, and not applied. Machines go on to what their objects say.
    #[serde(skip_serializing_if = "is_zero")]
    pub paused: bool,
    /// Fields of a newer version, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

kind! {
    /// The machines of one spec: what came of its files, and how the machines are.
    pub struct Fleet ("Fleet" of API_VERSION) {
        /// What is wanted of the process that keeps it.
        spec: FleetSpec,
        status: FleetStatus,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{ConditionStatus, conditions};

    #[test]
    fn it_has_conditions_of_its_own() {
        let mut status = FleetStatus::default();
        let mut set = |yes, reason, time: &str| {
            let kind = FleetConditionType::Valid;
            let now = time.parse().unwrap();
            conditions::set(
                &mut status.conditions,
                kind,
                yes,
                reason,
                String::new(),
                1,
                now,
            );
            conditions::find(&status.conditions, &FleetConditionType::Valid).cloned()
        };
        let (yes, no) = (ConditionStatus::True, ConditionStatus::False);
        let first = set(no, FleetReason::SourceUnreadable, "2026-01-02T03:04:05Z").unwrap();
        let other = set(no, FleetReason::SpecErrors, "2026-01-02T03:04:06Z").unwrap();
        assert_eq!(other.last_transition_time, first.last_transition_time);
        assert_eq!(other.reason, FleetReason::SpecErrors);
        let last = set(yes, FleetReason::NoErrors, "2026-01-02T03:04:07Z").unwrap();
        assert!(last.last_transition_time > first.last_transition_time);
        assert_eq!(status.conditions, [last]);
    }
}
