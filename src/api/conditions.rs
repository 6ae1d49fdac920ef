//! The conditions of a host, computed from its state.
//!
//! BMO recomputes all six on every look at a host; so do we. Two rules are easy to get wrong:
//! - `lastTransitionTime` moves only when the status of the condition does, not its reason.
//! - `observedGeneration` is the host's generation for every condition that was computed. Healthy
//!   is not computed while the BMC does not tell its health: it keeps its value, and with it the
//!   generation of the day when it was first written.

use super::Timestamp;
use super::status::{
    Condition, ConditionStatus, ConditionType, ErrorType, OperationalStatus, ProvisioningState,
};
use super::text::text_enum;

text_enum! {
    schema: open;
    /// Reason of a condition.
    pub enum Reason {
        /// Manageable: registered, and its power can be controlled.
        Manageable = "Manageable",
        /// Manageable: not looked at yet, or without a BMC.
        NotManaged = "NotManaged",
        /// Manageable and Progressing: the BMC is being verified.
        Registering = "Registering",
        /// Manageable: the BMC could not be verified.
        RegistrationFailed = "RegistrationFailed",
        /// Manageable: the machine does not answer to power commands.
        PowerFailure = "PowerFailure",
        /// AvailableForProvisioning: yes.
        Available = "Available",
        /// AvailableForProvisioning: no.
        NotAvailable = "NotAvailable",
        /// Provisioned and Ready: yes.
        Provisioned = "Provisioned",
        /// Provisioned and Ready: no.
        NotProvisioned = "NotProvisioned",
        /// Progressing: no, the state is a stable one.
        NotProgressing = "NotProgressing",
        /// Progressing.
        Inspecting = "Inspecting",
        /// Progressing.
        Preparing = "Preparing",
        /// Progressing.
        Provisioning = "Provisioning",
        /// Progressing.
        Deprovisioning = "Deprovisioning",
        /// Progressing.
        PoweringOffBeforeDelete = "PoweringOffBeforeDelete",
        /// Progressing.
        Deleting = "Deleting",
        /// Ready: no, something failed.
        Error = "Error",
        /// Ready: no, firmware is being changed.
        Servicing = "Servicing",
        /// Ready and Progressing: no, left alone by annotation.
        Detached = "Detached",
        /// Healthy: yes.
        Healthy = "Healthy",
        /// Healthy: the BMC did not tell yet.
        Unknown = "Unknown",
        /// Healthy: no, the BMC warns.
        Warning = "Warning",
        /// Healthy: no, the BMC reports a fault.
        CriticalError = "CriticalError",
    }
}

/// All that the conditions depend on.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// `status.provisioning.state` as it will be written.
    pub state: &'a ProvisioningState,
    /// `status.operationalStatus` as it will be written.
    pub operational_status: &'a OperationalStatus,
    /// `status.errorType` as it will be written.
    pub error_type: Option<&'a ErrorType>,
    /// True when Ironic holds the node for a power failure (`fault` is `power failure`).
    pub power_failure: bool,
    /// Health as Ironic reports it (`OK`, `Warning`, `Critical`); `None` or empty when it does not.
    pub health: Option<&'a str>,
    /// What somebody has to see to: code and text. Becomes the condition `metalform.dev/Waiting`,
    /// which is there only as long as this is.
    pub waiting: Option<(&'a str, &'a str)>,
    /// How far a change of firmware is, and whose: becomes the condition `metalform.dev/Firmware`,
    /// which is true while the machine is at it and there only as long as this is.
    pub firmware: Option<(bool, &'a str, &'a str)>,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.conditions` as last written.
    pub previous: &'a [Condition],
    /// Becomes `lastTransitionTime` where a status changes.
    pub now: Timestamp,
}

/// The conditions of a host: BMO's six in the order of the recordings, then those that others
/// wrote, unchanged, then ours.
///
/// Conditions that are there keep their place: another order alone is not worth a write.
pub fn conditions(inputs: &Inputs<'_>) -> Vec<Condition> {
    let mut list = inputs.previous.to_vec();
    list.retain(|condition| match condition.kind {
        ConditionType::Waiting => inputs.waiting.is_some(),
        ConditionType::Firmware => inputs.firmware.is_some(),
        _ => true,
    });
    for (kind, status, reason) in computed(inputs) {
        let text = String::new();
        set(
            &mut list,
            kind,
            status,
            reason,
            text,
            inputs.generation,
            inputs.now,
        );
    }
    let waiting = inputs.waiting.map(|(code, text)| {
        let reason = Reason::from(code);
        (ConditionType::Waiting, ConditionStatus::True, reason, text)
    });
    let firmware = inputs.firmware.map(|(under_way, reason, text)| {
        let status = if under_way {
            ConditionStatus::True
        } else {
            ConditionStatus::False
        };
        (ConditionType::Firmware, status, Reason::from(reason), text)
    });
    for (kind, status, reason, text) in waiting.into_iter().chain(firmware) {
        set(
            &mut list,
            kind,
            status,
            reason,
            text.into(),
            inputs.generation,
            inputs.now,
        );
    }
    list
}

/// The condition of this type, of a host or of any other object.
pub fn find<'a, K: PartialEq, R>(
    list: &'a [Condition<K, R>],
    kind: &K,
) -> Option<&'a Condition<K, R>> {
    list.iter().find(|condition| condition.kind == *kind)
}

/// Sets one condition in a list, of a host or of any other object, as the API machinery does: a new
/// one goes to the end, and `lastTransitionTime` moves only when `status` changes.
pub fn set<K: PartialEq, R>(
    list: &mut Vec<Condition<K, R>>,
    kind: K,
    status: ConditionStatus,
    reason: R,
    message: String,
    observed_generation: i64,
    now: Timestamp,
) {
    let old = list.iter_mut().find(|condition| condition.kind == kind);
    let last_transition_time = match &old {
        Some(old) if old.status == status => old.last_transition_time,
        _ => super::whole_seconds(now),
    };
    let new = Condition {
        kind,
        status,
        observed_generation,
        last_transition_time,
        reason,
        message,
    };
    match old {
        Some(old) => *old = new,
        None => list.push(new),
    }
}

/// What is to be set, in the order of the recordings. A condition that is not among them keeps its value.
fn computed(inputs: &Inputs<'_>) -> Vec<(ConditionType, ConditionStatus, Reason)> {
    use ConditionStatus::{False, True, Unknown};
    use ConditionType as Type;
    use ProvisioningState as State;

    let mut power_matters = true;
    let (mut manageable, available, provisioned, mut ready, mut progressing) = match inputs.state {
        State::None | State::Unmanaged => {
            power_matters = false;
            (
                (False, Reason::NotManaged),
                (False, Reason::NotAvailable),
                (False, Reason::NotProvisioned),
                (False, Reason::NotProvisioned),
                (False, Reason::NotProgressing),
            )
        }
        State::Registering => {
            power_matters = false;
            let failed = inputs.error_type.is_some();
            let reason = if failed {
                Reason::RegistrationFailed
            } else {
                Reason::Registering
            };
            (
                (False, reason),
                (False, Reason::NotAvailable),
                (False, Reason::NotProvisioned),
                (False, Reason::NotProvisioned),
                (True, Reason::Registering),
            )
        }
        State::Available | State::Ready => (
            (True, Reason::Manageable),
            (True, Reason::Available),
            (False, Reason::NotProvisioned),
            (False, Reason::NotProvisioned),
            (False, Reason::NotProgressing),
        ),
        State::Provisioned | State::ExternallyProvisioned => (
            (True, Reason::Manageable),
            (False, Reason::NotAvailable),
            (True, Reason::Provisioned),
            (True, Reason::Provisioned),
            (False, Reason::NotProgressing),
        ),
        on_the_way => {
            let progress = match on_the_way {
                State::Inspecting | State::MatchProfile => Reason::Inspecting,
                State::Preparing => Reason::Preparing,
                State::Provisioning => Reason::Provisioning,
                State::Deprovisioning => Reason::Deprovisioning,
                State::PoweringOffBeforeDelete => Reason::PoweringOffBeforeDelete,
                State::Deleting => {
                    power_matters = false;
                    Reason::Deleting
                }
                // A state of a newer operator: nothing is known of it, so nothing is claimed.
                _ => return Vec::new(),
            };
            (
                (True, Reason::Manageable),
                (False, Reason::NotAvailable),
                (False, Reason::NotProvisioned),
                (False, Reason::NotProvisioned),
                (True, progress),
            )
        }
    };
    match inputs.operational_status {
        OperationalStatus::Error => ready = (False, Reason::Error),
        OperationalStatus::Servicing => ready = (False, Reason::Servicing),
        OperationalStatus::Detached => {
            power_matters = false;
            ready = (False, Reason::Detached);
            progressing = (False, Reason::Detached);
        }
        _ => {}
    }
    if power_matters && inputs.power_failure {
        manageable = (False, Reason::PowerFailure);
    }
    let healthy = match inputs.health.unwrap_or_default() {
        "" => {
            let known = inputs
                .previous
                .iter()
                .any(|condition| condition.kind == Type::Healthy);
            (!known).then_some((Unknown, Reason::Unknown))
        }
        "OK" => Some((True, Reason::Healthy)),
        "Warning" => Some((False, Reason::Warning)),
        "Critical" => Some((False, Reason::CriticalError)),
        _ => Some((Unknown, Reason::Unknown)),
    };
    let mut all = vec![
        (Type::Ready, ready.0, ready.1),
        (Type::AvailableForProvisioning, available.0, available.1),
        (Type::Manageable, manageable.0, manageable.1),
        (Type::Progressing, progressing.0, progressing.1),
        (Type::Provisioned, provisioned.0, provisioned.1),
    ];
    if let Some((status, reason)) = healthy {
        all.insert(2, (Type::Healthy, status, reason));
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::BareMetalHostStatus;

    const FIRST: &str = "2026-08-20T10:00:00Z";

    /// Follows every recorded life and computes each recorded list of conditions from the status
    /// beside it and the list before it.
    #[test]
    fn every_recorded_list_is_met() {
        let mut lists = 0;
        for (name, text) in crate::api::host::tests::RECORDED {
            let mut status = json!({});
            let mut previous: Vec<Condition> = Vec::new();
            let (mut generation, mut spec) = (0, Value::Null);
            for (number, line) in text.lines().enumerate() {
                let place = format!("{name}:{}", number + 1);
                let change: Value = serde_json::from_str(line).unwrap();
                if let Some(new) = change.get("spec").filter(|new| **new != spec) {
                    generation += 1;
                    spec = new.clone();
                }
                // The API server counts the mark of a deletion as a generation.
                if change.get("deleting") == Some(&Value::Bool(true)) {
                    generation += 1;
                }
                let Some(fields) = change.get("status") else {
                    continue;
                };
                for (field, value) in fields.as_object().unwrap() {
                    status[field] = crate::api::host::tests::timed(value);
                }
                let decoded: BareMetalHostStatus = serde_json::from_value(status.clone()).unwrap();
                let recorded = &decoded.conditions;
                // The recording shows only the outcome; whether the BMC told its health by then
                // is seen from Healthy itself.
                let healthy = recorded
                    .iter()
                    .find(|c| c.kind == ConditionType::Healthy)
                    .unwrap();
                let inputs = Inputs {
                    state: &decoded.provisioning.state,
                    operational_status: &decoded.operational_status,
                    error_type: decoded.error_type.as_ref(),
                    power_failure: false,
                    health: (healthy.status == ConditionStatus::True).then_some("OK"),
                    waiting: None,
                    firmware: None,
                    generation,
                    previous: &previous,
                    now: FIRST.parse().unwrap(),
                };
                let computed = conditions(&inputs);
                if fields.get("conditions").is_some() {
                    lists += 1;
                    assert_eq!(computed, *recorded, "{place}");
                }
                previous = computed;
            }
        }
        assert!(lists > 40, "{lists} lists were compared");
    }

    fn inputs<'a>(state: &'a ProvisioningState, previous: &'a [Condition]) -> Inputs<'a> {
        Inputs {
            state,
            operational_status: &OperationalStatus::Ok,
            error_type: None,
            power_failure: false,
            health: None,
            waiting: None,
            firmware: None,
            generation: 1,
            previous,
            now: FIRST.parse().unwrap(),
        }
    }

    fn find<'a>(list: &'a [Condition], kind: &ConditionType) -> &'a Condition {
        list.iter()
            .find(|condition| condition.kind == *kind)
            .unwrap()
    }

    #[test]
    fn the_time_moves_only_with_the_status() {
        let before = conditions(&inputs(&ProvisioningState::Inspecting, &[]));
        let later: Timestamp = "2026-08-20T11:00:00.7Z".parse().unwrap();
        let next = Inputs {
            now: later,
            generation: 2,
            ..inputs(&ProvisioningState::Preparing, &before)
        };
        let after = conditions(&next);
        let progressing = find(&after, &ConditionType::Progressing);
        assert_eq!(progressing.reason, Reason::Preparing);
        assert_eq!(progressing.observed_generation, 2);
        assert_eq!(progressing.last_transition_time, FIRST.parse().unwrap());
        assert_eq!(find(&after, &ConditionType::Healthy).observed_generation, 1);
        let last = conditions(&Inputs {
            now: later,
            ..inputs(&ProvisioningState::Available, &after)
        });
        let progressing = find(&last, &ConditionType::Progressing);
        assert_eq!(
            progressing.last_transition_time,
            "2026-08-20T11:00:00Z".parse().unwrap()
        );
    }

    #[test]
    fn what_overrides_what() {
        let table = |inputs: &Inputs<'_>| -> String {
            let short = |c: &Condition| format!("{}={} {}", c.kind, c.status.as_str(), c.reason);
            conditions(inputs)
                .iter()
                .map(short)
                .collect::<Vec<_>>()
                .join("\n")
        };
        let provisioned = ProvisioningState::Provisioned;
        let base = inputs(&provisioned, &[]);
        let error = OperationalStatus::Error;
        insta::assert_snapshot!(
            table(&Inputs { operational_status: &error, power_failure: true, health: Some("Critical"), ..base }),
            @r"
            Ready=False Error
            AvailableForProvisioning=False NotAvailable
            Healthy=False CriticalError
            Manageable=False PowerFailure
            Progressing=False NotProgressing
            Provisioned=True Provisioned
            "
        );
        let detached = OperationalStatus::Detached;
        insta::assert_snapshot!(
            table(&Inputs { operational_status: &detached, power_failure: true, ..base }),
            @r"
            Ready=False Detached
            AvailableForProvisioning=False NotAvailable
            Healthy=Unknown Unknown
            Manageable=True Manageable
            Progressing=False Detached
            Provisioned=True Provisioned
            "
        );
        let registering = ProvisioningState::Registering;
        let failed = Inputs {
            state: &registering,
            operational_status: &error,
            error_type: Some(&ErrorType::Registration),
            waiting: Some(("MissingCredentials", "no Secret m/x")),
            ..base
        };
        insta::assert_snapshot!(table(&failed), @r"
            Ready=False Error
            AvailableForProvisioning=False NotAvailable
            Healthy=Unknown Unknown
            Manageable=False RegistrationFailed
            Progressing=True Registering
            Provisioned=False NotProvisioned
            metalform.dev/Waiting=True MissingCredentials
            ");
    }

    #[test]
    fn conditions_of_others_stay_and_ours_goes_when_the_wait_ends() {
        let mut previous = conditions(&Inputs {
            waiting: Some(("MissingImage", "…")),
            ..inputs(&ProvisioningState::Available, &[])
        });
        assert_eq!(previous.last().unwrap().kind, ConditionType::Waiting);
        let other = Condition {
            kind: ConditionType::from("NetworkInterfacesValid"),
            reason: Reason::from("AllFine"),
            ..previous[0].clone()
        };
        previous.insert(0, other.clone());
        let after = conditions(&inputs(&ProvisioningState::Available, &previous));
        assert_eq!(after[0], other);
        assert!(
            !after
                .iter()
                .any(|condition| condition.kind == ConditionType::Waiting)
        );
        assert_eq!(
            conditions(&inputs(&ProvisioningState::Available, &after)),
            after
        );
    }

    #[test]
    fn nothing_is_claimed_of_a_state_that_is_not_known() {
        let state = ProvisioningState::from("levitating");
        let before = conditions(&inputs(&ProvisioningState::Available, &[]));
        assert_eq!(conditions(&inputs(&state, &before)), before);
    }
}
