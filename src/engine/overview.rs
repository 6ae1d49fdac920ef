//! What every host does and waits for, as one picture for tables, metrics and `--until-settled`.

use std::sync::Arc;

use crate::api::names::annotation;
use crate::api::{BareMetalHost, ConditionType, Timestamp};
use crate::reconcile::Why;
use crate::store::{Object as _, Store};

use super::metrics::{Counts, Gauges};
use super::{Shared, Standing, Stores};

/// One host.
#[derive(Debug, Clone)]
pub struct HostLine {
    /// The host.
    pub host: Arc<BareMetalHost>,
    /// Why it is where it is; `None` before its first turn.
    pub why: Option<Arc<Why>>,
    /// That is said of the host as it is, and not as it was before it changed: its turn is over.
    pub current: bool,
    /// Since when that is so.
    pub since: Option<Timestamp>,
    /// Nothing is left to do for it.
    pub settled: bool,
    /// Nothing goes on for it before a person did something.
    pub needs_person: bool,
}

impl HostLine {
    /// The host's provisioning state, `""` before its first turn.
    pub fn state(&self) -> String {
        let status = self.host.status.as_ref();
        status
            .map(|status| status.provisioning.state.to_string())
            .unwrap_or_default()
    }

    /// The pool that the host is in.
    pub fn pool(&self) -> Option<&str> {
        self.host.annotation(annotation::POOL)
    }
}

/// All hosts, in order of key.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// One line a host.
    pub hosts: Vec<HostLine>,
    /// Effects sent and not confirmed.
    pub in_flight: usize,
}

impl Overview {
    /// True when nothing is left to do for any host.
    pub fn settled(&self) -> bool {
        self.in_flight == 0 && self.hosts.iter().all(|line| line.settled)
    }

    /// Hosts by provisioning state.
    pub fn states(&self) -> Counts {
        count(self.hosts.iter().map(HostLine::state))
    }

    /// What it counts, where the spec and the store stand included.
    pub(super) fn gauges(&self, standing: &Standing, spec_followed: bool) -> Gauges {
        let blocked = self.hosts.iter().filter(|line| line.needs_person);
        let blocked = blocked.filter_map(|line| line.why.as_ref());
        let errors = self.hosts.iter().filter_map(|line| {
            let error = line.host.status.as_ref()?.error_type.as_ref()?;
            Some(error.to_string())
        });
        let held = standing.held.iter().map(|(_, hold)| hold.code.to_string());
        Gauges {
            states: self.states(),
            blocked: count(blocked.map(|why| why.code.to_owned())),
            errors: count(errors),
            settled: self.hosts.iter().filter(|line| line.settled).count() as i64,
            held: count(held),
            spec_followed,
            refused: standing.trouble.is_some(),
            ..Gauges::default()
        }
    }
}

fn count(names: impl Iterator<Item = String>) -> Counts {
    let mut counts = Counts::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    counts
}

/// Since when a reason holds, as far as the host itself tells: that outlives the process. A host at
/// rest was left alone since its status was written; one that is held up says so in a condition.
pub(super) fn began(host: &BareMetalHost, why: &Why) -> Option<Timestamp> {
    let status = host.status.as_ref()?;
    if why.settled {
        return status.last_updated;
    }
    let mut conditions = status.conditions.iter();
    let waiting = conditions.find(|condition| condition.kind == ConditionType::Waiting)?;
    (waiting.reason.as_str() == why.code).then_some(waiting.last_transition_time)
}

/// The picture as of now. Reads memory only.
pub(super) fn overview<S: Stores>(shared: &Shared<S>) -> Overview {
    // Both are in order of key.
    let mut reasons = shared.memos.reasons().into_iter().peekable();
    let hosts = Store::<BareMetalHost>::list(shared.store.as_ref());
    let hosts = hosts
        .into_iter()
        .map(|host| {
            let key = host.key();
            while reasons.next_if(|(other, ..)| *other < key).is_some() {}
            let known = reasons.next_if(|(other, ..)| *other == key);
            let (why, since, seen) = known
                .map_or((None, None, None), |(_, why, since, version)| {
                    (Some(why), since, Some(version))
                });
            // A host that changed since its last turn may have something to do again.
            let current = seen == Some(host.version());
            let settled = current && why.as_ref().is_some_and(|why| why.settled);
            let needs_person = current && why.as_ref().is_some_and(|why| why.needs_person());
            HostLine {
                host,
                why,
                current,
                since,
                settled,
                needs_person,
            }
        })
        .collect();
    Overview {
        hosts,
        in_flight: shared.memos.unconfirmed(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::reconcile::Code;

    #[test]
    fn a_host_tells_since_when_it_rests_and_since_when_it_is_held_up() {
        let host: BareMetalHost = serde_json::from_value(json!({
            "apiVersion": "metal3.io/v1alpha1",
            "kind": "BareMetalHost",
            "metadata": { "name": "a", "namespace": "m" },
            "spec": {},
            "status": {
                "lastUpdated": "2026-01-02T00:00:00Z",
                "conditions": [{
                    "type": "metalform.dev/Waiting",
                    "status": "True",
                    "reason": "CredentialsMissing",
                    "message": "",
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                }],
            },
        }))
        .unwrap();
        let since = |why: Why| began(&host, &why).map(|since| since.to_string());
        let settled = Why::new(Code::Provisioned, "");
        assert_eq!(since(settled).as_deref(), Some("2026-01-02T00:00:00Z"));
        let waits = Why::new(Code::CredentialsMissing, "");
        assert_eq!(since(waits).as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!(since(Why::new(Code::Deploying, "")), None);
    }
}
