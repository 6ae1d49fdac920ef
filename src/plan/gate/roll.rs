//! How a change of what is deployed goes through a pool.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::names::annotation;
use crate::api::{BareMetalHost, BareMetalHostSpec, OperationalStatus, Payload, ProvisioningState};
use crate::desired::{Desired, Rollout};
use crate::diag::one_line;
use crate::fleet::natural;
use crate::plan::{Action, Disruption, FieldChange, Live};
use crate::store::Object as _;

use super::{Hold, HoldCode};

/// The most names that a text lists.
const MOST_NAMES: usize = 4;
/// The longest part of an error that a text quotes, in characters.
const MOST_ERROR: usize = 160;

/// True for what takes a machine out of service for a while: another image, here or in another pool
/// (which needs a word besides; a renamed pool would be all out at once if that were enough). What
/// takes it away for good needs a person's word, who then does not wait for a roll.
pub(super) fn rolls(action: &Action) -> bool {
    let into_pool = |change: &FieldChange| change.path == "pool" && change.after.is_some();
    action.disruption == Disruption::Reprovision
        && (action.guard.is_none() || action.changes.iter().any(into_pool))
}

/// What goes on in the pools.
pub(super) struct Pools<'a> {
    desired: &'a Desired,
    pools: BTreeMap<Arc<str>, Pool>,
}

#[derive(Default)]
struct Pool {
    /// Members that should be in service and are not, or will not be by what was let go in this
    /// round; with the rack of each.
    out: BTreeMap<Arc<str>, Arc<str>>,
    /// Failed members with the error of each.
    failed: BTreeMap<Arc<str>, String>,
    /// Racks of the members that ask to go.
    asking: BTreeSet<Arc<str>>,
    /// What members of each rack that are not out were told since the last one went: it is the same
    /// for all, and thousands may ask.
    told: BTreeMap<Arc<str>, Hold>,
}

impl<'a> Pools<'a> {
    /// The pools of this fleet as they are. Members that are being deleted are members no more;
    /// those that `come` are out of service until they are deployed.
    pub fn new<'p>(
        desired: &'a Desired,
        come: impl Iterator<Item = &'p Action>,
        observed: &[Arc<BareMetalHost>],
    ) -> Self {
        let mut pools: BTreeMap<Arc<str>, Pool> = BTreeMap::new();
        for action in come {
            let wanted = desired.hosts.get(&action.host);
            if let Some(pool) = &action.pool
                && wanted.is_some_and(|host| will_serve(&host.spec))
            {
                let rack = action.rack.clone().unwrap_or_default();
                let pool = pools.entry(Arc::clone(pool)).or_default();
                pool.out.insert(Arc::clone(&action.host.name), rack);
            }
        }
        for host in observed {
            let Some(pool) = host.annotation(annotation::POOL) else {
                continue;
            };
            if !desired.owns(host)
                || host.metadata.deletion_timestamp.is_some()
                || !should_serve(host)
            {
                continue;
            }
            let error = error_of(host);
            if carries(host) && error.is_none() {
                continue;
            }
            let pool = pools.entry(pool.into()).or_default();
            let name = host.key().name;
            if let Some(error) = error {
                pool.failed.insert(Arc::clone(&name), error);
            }
            pool.out.insert(name, rack_of(host).into());
        }
        Self { desired, pools }
    }

    /// Notes that an action would roll, before any is judged.
    pub fn ask(&mut self, action: &Action, live: &Live<'_>) {
        if let Some((name, host)) = in_pool(action, live) {
            let pool = self.pools.entry(name).or_default();
            let rack = rack_of(host);
            if !pool.asking.contains(rack) {
                pool.asking.insert(rack.into());
            }
        }
    }

    /// Lets an action go or says why it waits. Only a machine whose system runs counts: one that
    /// is out already (new, being deployed, failed at it) changes without making things worse. One
    /// that runs and is in an error (its BMC is away, say) is judged by how the others are: it may
    /// be what the change mends, but a trouble that all share lets none go.
    pub fn judge(&mut self, action: &Action, live: &Live<'_>) -> Option<Hold> {
        let (name, host) = in_pool(action, live)?;
        let rollout = self.desired.pools.get(&name).copied().unwrap_or_default();
        let pool = self.pools.entry(Arc::clone(&name)).or_default();
        let own = &action.host.name;
        let rack = rack_of(host);
        let alike = !pool.out.contains_key(own);
        if let Some(told) = pool.told.get(rack).filter(|_| alike) {
            return Some(told.clone());
        }
        let hold = pool
            .stopped(&name, own)
            .or_else(|| pool.full(&name, own, rack, rollout));
        match &hold {
            None => {
                pool.told.clear();
                pool.out.insert(Arc::clone(own), rack.into());
            }
            Some(hold) if alike => {
                pool.told.insert(rack.into(), hold.clone());
            }
            Some(_) => {}
        }
        hold
    }
}

impl Pool {
    /// A member other than `own` failed.
    fn stopped(&self, name: &str, own: &str) -> Option<Hold> {
        let failed = || self.failed.iter().filter(|(host, _)| &***host != own);
        let (host, error) = in_order(failed()).next()?;
        let more = match failed().count() {
            1 => String::new(),
            many => format!(" (and {} more failed)", many - 1),
        };
        let text = format!(
            "the roll of pool `{name}` stopped: {host} failed: {error}{more}; it goes on when \
             that machine recovers or leaves the pool"
        );
        Some(Hold::new(HoldCode::RollStopped, text))
    }

    /// As many members other than `own` are out as may be, or it is another rack's turn.
    fn full(&self, name: &str, own: &str, rack: &str, rollout: Rollout) -> Option<Hold> {
        let rolling = |text: String| Some(Hold::new(HoldCode::Rolling, text));
        let others = || self.out.iter().filter(|(host, _)| &***host != own);
        if rollout.by_rack {
            let turn = self.turn();
            if turn.as_deref() != Some(rack) {
                let turn = turn.unwrap_or_default();
                return rolling(format!(
                    "pool `{name}` rolls by rack; rack `{turn}` comes first"
                ));
            }
            if let Some((_, other)) = others().find(|(_, other)| &***other != rack) {
                return rolling(format!(
                    "pool `{name}` rolls by rack; a machine in rack `{other}` is out of service"
                ));
            }
        }
        let count = others().count();
        if count < rollout.max_unavailable {
            return None;
        }
        let names: Vec<&str> = in_order(others())
            .take(MOST_NAMES)
            .map(|(name, _)| &**name)
            .collect();
        let more = if count > MOST_NAMES { ", …" } else { "" };
        rolling(format!(
            "pool `{name}`: {count} of at most {} out of service: {}{more}",
            rollout.max_unavailable,
            names.join(", ")
        ))
    }

    /// The rack that goes now: the one that is under way, or the first in natural order.
    fn turn(&self) -> Option<Arc<str>> {
        let under_way: BTreeSet<&Arc<str>> = self.out.values().collect();
        let going = under_way
            .into_iter()
            .find(|rack| self.asking.contains(*rack));
        going
            .or_else(|| self.asking.iter().min_by(|a, b| natural(a, b)))
            .cloned()
    }
}

fn in_order<'a, T: 'a>(
    hosts: impl Iterator<Item = (&'a Arc<str>, T)>,
) -> impl Iterator<Item = (&'a Arc<str>, T)> {
    let mut hosts: Vec<_> = hosts.collect();
    hosts.sort_by(|a, b| natural(a.0, b.0));
    hosts.into_iter()
}

/// The pool that a rolling action counts in, and its host, if a system that is missed runs on it.
fn in_pool<'h>(action: &Action, live: &Live<'h>) -> Option<(Arc<str>, &'h BareMetalHost)> {
    let host = live.get(&action.host)?;
    (should_serve(host) && carries(host)).then_some(())?;
    Some((Arc::clone(action.pool.as_ref()?), host))
}

fn rack_of(host: &BareMetalHost) -> &str {
    host.annotation(annotation::RACK).unwrap_or_default()
}

/// True when a machine is meant to run something. One that is wanted off, or that nothing is to be
/// deployed on, is not missed.
fn should_serve(host: &BareMetalHost) -> bool {
    will_serve(&host.spec)
}

fn will_serve(spec: &BareMetalHostSpec) -> bool {
    spec.online && (spec.externally_provisioned || !Payload::wanted(spec).is_none())
}

/// True when the machine runs what its object asks for, whatever error the object is in.
fn carries(host: &BareMetalHost) -> bool {
    let Some(status) = &host.status else {
        return false;
    };
    match status.provisioning.state {
        ProvisioningState::Provisioned => Payload::applied(status) == Payload::wanted(&host.spec),
        ProvisioningState::ExternallyProvisioned => true,
        _ => false,
    }
}

/// The error that a host is in, on one line.
fn error_of(host: &BareMetalHost) -> Option<String> {
    let status = host.status.as_ref()?;
    (status.operational_status == OperationalStatus::Error).then_some(())?;
    let error = one_line(&status.error_message);
    let kept: String = error.chars().take(MOST_ERROR).collect();
    Some(if kept.len() < error.len() {
        format!("{kept}…")
    } else {
        kept
    })
}
