//! Which actions of a plan may be carried out now, and what holds the others.
//!
//! - A guarded action waits for a grant that names this very change.
//! - A change that makes deployed machines of a pool unavailable rolls: at most
//!   `max-unavailable` at once, the next when the last is provisioned; a failed machine in the pool
//!   stops the roll.
//! - A refused action waits for its refusal to go.
//!
//! Everything else goes at once. Pure: called again whenever a host changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::names::annotation;
use crate::api::{BareMetalHost, OperationalStatus, ProvisioningState};
use crate::desired::{Desired, Rollout};
use crate::store::Object as _;

use super::{Action, Disruption, Plan};

/// Hosts whose destruction a person allowed, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Names, as given to `--allow-destroy`.
    pub names: BTreeSet<String>,
}

/// Why an action waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Stable code, e.g. `NeedsAllowDestroy`.
    pub code: &'static str,
    /// For people: what is waited for and what to do.
    pub text: String,
}

/// An action and whether it may go.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruling<'a> {
    /// The action.
    pub action: &'a Action,
    /// `None`: carry it out now.
    pub hold: Option<Hold>,
}

/// The text that the annotation `metalform.dev/allow-destroy` has to have for this action.
pub fn grant_of(action: &Action) -> Option<&str> {
    action.guard.as_ref().map(|guard| guard.token.as_str())
}

/// Judges every action of the plan, in the plan's order.
pub fn gate<'a>(
    plan: &'a Plan,
    desired: &Desired,
    observed: &[Arc<BareMetalHost>],
    grants: &Grants,
) -> Vec<Ruling<'a>> {
    let live: BTreeMap<_, _> = observed.iter().map(|host| (host.key(), host.as_ref())).collect();
    let mut pools = Pools::new(observed);
    plan.actions
        .iter()
        .map(|action| {
            let host = live.get(&action.host).copied();
            let hold = refused(action)
                .or_else(|| guarded(action, host, grants))
                .or_else(|| pools.roll(action, host, desired));
            Ruling { action, hold }
        })
        .collect()
}

fn refused(action: &Action) -> Option<Hold> {
    let refusal = action.refusal.as_ref()?;
    Some(Hold { code: "Refused", text: format!("{}: {}", refusal.code, refusal.text) })
}

fn guarded(action: &Action, host: Option<&BareMetalHost>, grants: &Grants) -> Option<Hold> {
    let guard = action.guard.as_ref()?;
    let named = grants.names.contains(&*action.host.name);
    let noted = host.and_then(|host| host.annotation(annotation::ALLOW_DESTROY))
        == Some(guard.token.as_str());
    if named || noted {
        return None;
    }
    let text = format!(
        "{}; to go on: metalform apply --allow-destroy {}",
        guard.text, action.host.name
    );
    Some(Hold { code: "NeedsAllowDestroy", text })
}

/// Machines of each pool that are out of service now, or will be by actions that go in this round.
struct Pools {
    out: BTreeMap<String, Out>,
}

#[derive(Default)]
struct Out {
    /// Names, with the rack of each.
    hosts: BTreeMap<Arc<str>, String>,
    failed: Option<String>,
}

impl Pools {
    fn new(observed: &[Arc<BareMetalHost>]) -> Self {
        let mut out: BTreeMap<String, Out> = BTreeMap::new();
        for host in observed {
            let Some(pool) = host.annotation(annotation::POOL) else { continue };
            let pool = out.entry(pool.to_owned()).or_default();
            if !in_service(host) {
                let rack = host.annotation(annotation::RACK).unwrap_or_default();
                pool.hosts.insert(host.key().name, rack.to_owned());
            }
            if let Some(error) = error_of(host)
                && pool.failed.is_none()
            {
                pool.failed = Some(format!("{}: {error}", host.key().name));
            }
        }
        Self { out }
    }

    /// Only a change that takes a machine out of service that is in it counts: one that is out
    /// already (new, failed, on its way) can change without making things worse.
    fn roll(
        &mut self,
        action: &Action,
        host: Option<&BareMetalHost>,
        desired: &Desired,
    ) -> Option<Hold> {
        let rolls = match action.disruption {
            Disruption::Reprovision | Disruption::Destroy => true,
            Disruption::None | Disruption::Reboot | Disruption::Clean => false,
        };
        let host = host.filter(|host| rolls && in_service(host))?;
        let pool = action.pool.as_deref()?;
        let Rollout { max_unavailable, by_rack } =
            desired.pools.get(pool).copied().unwrap_or_default();
        let out = self.out.entry(pool.to_owned()).or_default();
        if let Some(failed) = &out.failed {
            let text = format!("the roll of pool `{pool}` stopped: {failed}");
            return Some(Hold { code: "RollStopped", text });
        }
        let rack = host.annotation(annotation::RACK).unwrap_or_default();
        let other = out.hosts.values().find(|other| by_rack && other.as_str() != rack);
        if let Some(other) = other {
            let text = format!("pool `{pool}` rolls by rack; rack `{other}` is not done");
            return Some(Hold { code: "Rolling", text });
        }
        if out.hosts.len() >= max_unavailable {
            let names: Vec<&str> = out.hosts.keys().map(AsRef::as_ref).take(4).collect();
            let text = format!(
                "pool `{pool}` has {} of at most {max_unavailable} out of service: {}",
                out.hosts.len(),
                names.join(", ")
            );
            return Some(Hold { code: "Rolling", text });
        }
        out.hosts.insert(action.host.name.clone(), rack.to_owned());
        None
    }
}

/// True when the machine is deployed and well, and nothing else is already wanted of it.
fn in_service(host: &BareMetalHost) -> bool {
    let Some(status) = &host.status else { return false };
    let wanted = host.spec.image.as_ref().map(|image| image.url.as_str()).unwrap_or_default();
    status.provisioning.state == ProvisioningState::Provisioned
        && status.operational_status != OperationalStatus::Error
        && status.provisioning.image.url == wanted
}

fn error_of(host: &BareMetalHost) -> Option<&str> {
    let status = host.status.as_ref()?;
    let failed = status.operational_status == OperationalStatus::Error;
    failed.then_some(status.error_message.as_str())
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
