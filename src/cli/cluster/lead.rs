//! Who drives the hosts of a cluster: the Leases of metalform's controllers, and what their holders
//! say in them.
//!
//! One who may not read them is told what the hosts say themselves.

use std::time::Duration;

use jiff::SignedDuration;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, ListParams};
use tracing::debug;

use crate::api::Timestamp;
use crate::api::names::{annotation, label};
use crate::api::word::Word;

/// Where the controller is by its manifests, and what its lease is called there.
pub(super) const HOME: (&str, &str) = ("metalform-system", "metalform");
/// How long to wait for a renewal of a lease that seems to be over: clocks differ.
const LISTEN: Duration = Duration::from_secs(3);
/// One that was not renewed for so long is over, whatever the clocks say.
const OVER: SignedDuration = SignedDuration::from_hours(1);

/// A lease, as it was found.
#[derive(Debug, Clone, Default)]
pub(super) struct Lead {
    pub namespace: String,
    pub name: String,
    /// Who holds it.
    pub holder: Option<String>,
    /// When it was renewed last.
    pub renewed: Option<Timestamp>,
    /// For how long a renewal holds.
    pub lasts: SignedDuration,
    /// What its holder says; `None` where that is one who says nothing.
    pub word: Option<Word>,
    /// It was renewed before our eyes.
    pub alive: bool,
}

impl Lead {
    pub fn of(lease: &Lease) -> Self {
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.filter(|holder| !holder.is_empty());
        let annotations = lease.metadata.annotations.as_ref();
        let word = annotations.and_then(|all| Word::read(all.get(annotation::STANDING)?));
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let metadata = &lease.metadata;
        Self {
            namespace: text(&metadata.namespace),
            name: text(&metadata.name),
            renewed: spec.renew_time.map(|time| time.0),
            lasts: SignedDuration::from_secs(spec.lease_duration_seconds.unwrap_or(15).into()),
            // Who takes a lease over may leave annotations as they are.
            word: word.filter(|word| holder.as_deref() == Some(&*word.holder)),
            holder,
            alive: false,
        }
    }

    /// `NAMESPACE/NAME`.
    pub fn place(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Since when its holder is silent, if it is.
    pub fn silent_since(&self, now: Timestamp) -> Option<Timestamp> {
        let renewed = self.renewed.filter(|_| self.holder.is_some())?;
        let over = now.duration_since(renewed) > self.lasts;
        (over && !self.alive).then_some(renewed)
    }
}

/// Finds the leases. `namespace` is where hosts are looked at; `None` for all.
pub(super) async fn find(client: &kube::Client, namespace: Option<&str>) -> Vec<Lead> {
    let before = look(client, namespace).await;
    let now = jiff::Timestamp::now();
    let concerns = |word: &Word| namespace.is_none_or(|namespace| word.covers(namespace));
    let may_live = |lead: &Lead| {
        let silent = lead.silent_since(now);
        lead.word.as_ref().is_some_and(concerns)
            && silent.is_some_and(|since| now.duration_since(since) < OVER)
    };
    if !before.iter().any(may_live) {
        return before;
    }
    tokio::time::sleep(LISTEN).await;
    let mut after = look(client, namespace).await;
    for lead in &mut after {
        let known = before.iter().find(|known| known.place() == lead.place());
        lead.alive = known.is_some_and(|known| known.renewed != lead.renewed);
    }
    after
}

/// In order of place.
async fn look(client: &kube::Client, namespace: Option<&str>) -> Vec<Lead> {
    let selector = format!("{}={}", label::LEASE, label::LEASE_CONTROLLER);
    let params = ListParams::default().labels(&selector);
    let all: Api<Lease> = Api::all(client.clone());
    let found = match all.list(&params).await {
        Ok(list) => list.items,
        Err(error) => {
            debug!("no leases of all namespaces: {error}");
            let mut found = Vec::new();
            let other = namespace.filter(|name| *name != HOME.0);
            for namespace in [Some(HOME.0), other].into_iter().flatten() {
                let some: Api<Lease> = Api::namespaced(client.clone(), namespace);
                match some.list(&params).await {
                    Ok(list) => found.extend(list.items),
                    Err(_) => found.extend(some.get(HOME.1).await),
                }
            }
            found
        }
    };
    let mut leads: Vec<Lead> = found.iter().map(Lead::of).collect();
    leads.sort_by_key(Lead::place);
    leads
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lead(holder: &str, word: &str) -> Lead {
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {
                "name": "metalform", "namespace": "s",
                "annotations": { "metalform.dev/standing": word },
            },
            "spec": {
                "holderIdentity": holder, "leaseDurationSeconds": 15,
                "renewTime": "2026-01-01T00:00:00.000000Z",
            },
        });
        Lead::of(&serde_json::from_value(lease).unwrap())
    }

    fn at(seconds: i64) -> Timestamp {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        start + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn a_word_counts_while_its_speaker_holds_the_lease() {
        assert!(lead("a", r#"{"holder":"a"}"#).word.is_some());
        // Somebody who knows nothing of annotations took it.
        assert!(lead("b", r#"{"holder":"a"}"#).word.is_none());
        assert!(lead("", r#"{"holder":""}"#).word.is_none());
        assert!(lead("a", "nonsense").word.is_none());
    }

    #[test]
    fn one_is_silent_once_its_lease_is_over() {
        let lead = lead("a", r#"{"holder":"a"}"#);
        assert_eq!(lead.silent_since(at(15)), None);
        assert_eq!(lead.silent_since(at(16)), Some(at(0)));
        let alive = Lead {
            alive: true,
            ..lead.clone()
        };
        assert_eq!(alive.silent_since(at(16)), None);
        let free = Lead {
            holder: None,
            ..lead
        };
        assert_eq!(free.silent_since(at(16)), None);
    }
}
