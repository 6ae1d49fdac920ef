//! What every host does and waits for, as one picture for tables, metrics and `--until-settled`.

use std::sync::Arc;

use crate::api::names::annotation;
use crate::api::{BareMetalHost, Timestamp};
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
    pub fn gauges(&self, standing: &Standing, spec_followed: bool) -> Gauges {
        let blocked = self.hosts.iter().filter_map(|line| line.why.as_ref());
        let blocked = blocked.filter(|why| why.blocked);
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
        }
    }
}

fn count(names: impl Iterator<Item = String>) -> Counts {
    let mut counts = Counts::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    counts
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
