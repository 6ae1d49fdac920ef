//! `diff(desired, observed)`: the plan. Pure; equal input gives equal bytes.

mod guard;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::Value;

use crate::api::names::annotation;
use crate::api::{BareMetalHost, BareMetalHostSpec, RaidConfig};
use crate::desired::{Desired, Wanted};
use crate::fleet::natural;
use crate::store::{Key, Object as _};

use super::class::{deletion, deployment, disruption, refusal};
use super::fields;
use super::{Action, Disruption, FieldChange, Kept, KeptFor, Plan, Refusal, Verb};

/// Who owns which fields of which host (managedFields).
pub type Owned = BTreeMap<Key, Vec<ManagedFieldsEntry>>;

/// The hosts whose field owners [`diff`] has to know: those that have fields which the spec does
/// not say, and that were last applied from another text than the present one.
pub fn differing(desired: &Desired, observed: &[Arc<BareMetalHost>]) -> Vec<Key> {
    observed
        .iter()
        .filter_map(|host| {
            let key = host.key();
            let wanted = desired.hosts.get(&key)?;
            if is_plainly_same(wanted, host) || is_applied(wanted, host) {
                return None;
            }
            let after = fields::wanted(wanted);
            let more = fields::live(host, wanted)
                .keys()
                .any(|path| !after.contains_key(path));
            more.then_some(key)
        })
        .collect()
}

/// True when nothing has to change at this host, as far as can be told without its field owners:
/// a cheap answer that is never wrongly yes. Yes also for a host that the fleet has nothing to do
/// with.
pub fn is_as_wanted(desired: &Desired, host: &BareMetalHost) -> bool {
    let key = host.key();
    match desired.hosts.get(&key) {
        Some(wanted) => {
            is_plainly_same(wanted, host) && is_ours(desired, host) && !is_deleting(host)
        }
        None => !is_ours(desired, host) || is_deleting(host) || desired.held.contains(&key),
    }
}

/// What has to change so that `observed` becomes `desired`.
///
/// Hosts that another fleet owns are not touched: a wanted host that exists and belongs to another
/// fleet is refused, one that belongs to nobody is adopted by an update. While `desired` is not
/// complete nothing is removed and no machine disturbed.
///
/// `owned` has the field owners of at least the hosts that [`differing`] names: a field that the
/// spec does not say goes only if it was ours.
pub fn diff(desired: &Desired, observed: &[Arc<BareMetalHost>], owned: &Owned) -> Plan {
    let mut live: BTreeMap<Key, &BareMetalHost> = observed
        .iter()
        .map(|host| (host.key(), host.as_ref()))
        .collect();
    let mut plan = Plan {
        fleet: Arc::clone(&desired.fleet),
        complete: desired.complete,
        ..Plan::default()
    };
    let mut new = Vec::new();
    for (key, wanted) in &desired.hosts {
        match live.get(key) {
            None => new.push((key, wanted)),
            // It comes back once it is gone.
            Some(host) if is_ours(desired, host) && is_deleting(host) => new.push((key, wanted)),
            Some(host) => {
                match update(desired, key, wanted, host, owned) {
                    None => plan.unchanged += 1,
                    Some(action) if !desired.complete && disturbs(&action) => {
                        plan.kept.push(Kept {
                            host: key.clone(),
                            why: KeptFor::Incomplete,
                        });
                    }
                    Some(action) => plan.actions.push(action),
                }
                live.remove(key);
            }
        }
    }
    let machines = Machines::of(live.values().copied(), !new.is_empty());
    for (key, wanted) in new {
        let mut action = create(desired, key, wanted);
        action.machine_of = match live.contains_key(key) {
            true => Some(key.clone()),
            false => machines.owner(wanted).cloned(),
        };
        plan.actions.push(action);
        live.remove(key);
    }
    for (key, host) in live {
        if !is_ours(desired, host) || is_deleting(host) {
            continue;
        }
        if desired.held.contains(&key) {
            plan.kept.push(Kept {
                host: key,
                why: KeptFor::Error,
            });
        } else if desired.complete {
            plan.actions.push(delete(key, host));
        } else {
            plan.kept.push(Kept {
                host: key,
                why: KeptFor::Incomplete,
            });
        }
    }
    plan.kept
        .sort_by(|a, b| natural(&a.host.name, &b.host.name).then_with(|| a.host.cmp(&b.host)));
    plan.actions.sort_by(|a, b| {
        let rank = |action: &Action| (Reverse(action.disruption), action.verb);
        rank(a)
            .cmp(&rank(b))
            .then_with(|| natural(&a.host.name, &b.host.name))
            .then_with(|| a.host.cmp(&b.host))
    });
    plan
}

fn is_ours(desired: &Desired, host: &BareMetalHost) -> bool {
    host.annotation(annotation::FLEET) == Some(&*desired.fleet)
}

fn is_deleting(host: &BareMetalHost) -> bool {
    host.metadata.deletion_timestamp.is_some()
}

/// More than a machine would put up with on the word of half a spec.
fn disturbs(action: &Action) -> bool {
    action.disruption > Disruption::None || action.guard.is_some()
}

fn create(desired: &Desired, key: &Key, wanted: &Wanted) -> Action {
    let site: Arc<str> = desired.sites.origin(&key.name).unwrap_or_default().into();
    let change = |(path, value): (String, Value)| FieldChange {
        site: Arc::clone(&site),
        path,
        before: None,
        after: Some(value),
        disruption: Disruption::None,
    };
    Action {
        host: key.clone(),
        verb: Verb::Create,
        disruption: Disruption::None,
        changes: fields::wanted(wanted).into_iter().map(change).collect(),
        pool: wanted.pool.clone(),
        rack: wanted.rack.clone(),
        machine_of: None,
        guard: None,
        refusal: None,
    }
}

fn delete(key: Key, host: &BareMetalHost) -> Action {
    let guard = guard::of_deletion(host);
    let refusal = guard
        .as_ref()
        .and_then(|guard| guard::prevented_deletion(host, guard));
    Action {
        host: key,
        verb: Verb::Delete,
        disruption: deletion(host),
        changes: Vec::new(),
        pool: host.annotation(annotation::POOL).map(Arc::from),
        rack: host.annotation(annotation::RACK).map(Arc::from),
        machine_of: None,
        guard,
        refusal,
    }
}

fn update(
    desired: &Desired,
    key: &Key,
    wanted: &Wanted,
    host: &BareMetalHost,
    owned: &Owned,
) -> Option<Action> {
    let action = |changes: Vec<FieldChange>| Action {
        host: key.clone(),
        verb: Verb::Update,
        disruption: changes
            .iter()
            .map(|one| one.disruption)
            .max()
            .unwrap_or(Disruption::None),
        changes,
        pool: host
            .annotation(annotation::POOL)
            .map(Arc::from)
            .or_else(|| wanted.pool.clone()),
        rack: wanted.rack.clone(),
        machine_of: None,
        guard: None,
        refusal: None,
    };
    if let Some(owner) = host.annotation(annotation::FLEET)
        && owner != &*desired.fleet
    {
        let text = format!("it belongs to fleet `{owner}`; give one of the two another name");
        let refusal = Some(Refusal {
            code: "MF7111",
            text,
        });
        return Some(Action {
            refusal,
            ..action(Vec::new())
        });
    }
    let managed = owned.get(key).map(Vec::as_slice).unwrap_or_default();
    let changes = changes(desired, key, wanted, host, managed);
    if changes.is_empty() && is_ours(desired, host) {
        return None;
    }
    let mut action = action(changes);
    action.guard = guard::of_update(wanted, host, action.disruption);
    action.refusal = action
        .changes
        .iter()
        .find_map(|one| refusal(host, &one.path, one.before.as_ref(), one.after.as_ref()))
        .or_else(|| guard::prevented_update(wanted, action.guard.as_ref()?));
    Some(action)
}

/// The changes of one host, in order of path.
fn changes(
    desired: &Desired,
    key: &Key,
    wanted: &Wanted,
    host: &BareMetalHost,
    managed: &[ManagedFieldsEntry],
) -> Vec<FieldChange> {
    if is_plainly_same(wanted, host) {
        return Vec::new();
    }
    let applied = is_applied(wanted, host);
    let mut before = fields::live(host, wanted);
    let mut pairs: Vec<(String, Option<Value>, Option<Value>)> = Vec::new();
    for (path, after) in fields::wanted(wanted) {
        let known = before.remove(&path);
        if known.as_ref() != Some(&after) {
            pairs.push((path, known, Some(after)));
        }
    }
    // What is left of `before` the spec does not say.
    for (path, value) in before {
        if is_mark(&path) || (!applied && fields::ours(managed, &path)) {
            pairs.push((path, Some(value), None));
        }
    }
    if pairs.is_empty() {
        return Vec::new();
    }
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    let deployment = deployment(host, &wanted.spec);
    let sites = desired.sites.of(&key.name, wanted);
    let change = |(path, before, after): (String, Option<Value>, Option<Value>)| {
        let (deep, ..) = fields::difference(&path, before.as_ref(), after.as_ref());
        let said = after
            .is_some()
            .then(|| sites.at(&deep).or_else(|| sites.at(&path)))
            .flatten();
        FieldChange {
            site: said.unwrap_or_default().into(),
            disruption: disruption(host, wanted, &path, deployment),
            path,
            before,
            after,
        }
    };
    pairs.into_iter().map(change).collect()
}

/// The cheap answer for nearly all hosts: equal specs, and equal metadata as far as it is not
/// somebody else's.
fn is_plainly_same(wanted: &Wanted, host: &BareMetalHost) -> bool {
    let applied = is_applied(wanted, host);
    let same = |wanted: &BTreeMap<String, String>, live: &Option<BTreeMap<String, String>>| {
        let live = live.iter().flatten();
        let mut live = live
            .filter(|(name, _)| !name.starts_with(annotation::OURS))
            .peekable();
        // Both are sorted. What the spec does not say is not ours if this text was applied.
        wanted.iter().all(|entry| {
            while applied && live.next_if(|found| found.0 < entry.0).is_some() {}
            live.next() == Some(entry)
        }) && (applied || live.next().is_none())
    };
    same_spec(&wanted.spec, &host.spec, applied)
        && wanted
            .marks()
            .into_iter()
            .all(|(name, _, value)| host.annotation(name) == value)
        && same(&wanted.labels, &host.metadata.labels)
        && same(&wanted.annotations, &host.metadata.annotations)
}

/// True for equal specs. RAID without any volumes is what is left when volumes go; and where this
/// very text was applied, what others are known to fill in is theirs.
fn same_spec(wanted: &BareMetalHostSpec, live: &BareMetalHostSpec, applied: bool) -> bool {
    if live == wanted {
        return true;
    }
    let mut live = live.clone();
    live.raid = live.raid.filter(|raid| **raid != RaidConfig::default());
    if applied && wanted.architecture.is_empty() {
        live.architecture.clear();
    }
    if applied && wanted.consumer_ref.is_none() {
        live.consumer_ref = None;
    }
    live == *wanted
}

/// True when the host was last applied from the very text that is wanted now: then any field that
/// the text does not say is somebody else's.
fn is_applied(wanted: &Wanted, host: &BareMetalHost) -> bool {
    host.annotation(annotation::SPEC_DIGEST) == Some(&*wanted.digest)
}

/// A mark of ours, which nobody else sets.
fn is_mark(path: &str) -> bool {
    !path.contains('.') && !path.contains('[')
}

/// Who has which machine now, by the addresses that tell machines apart: of hosts that the spec
/// does not say (any more).
struct Machines(BTreeMap<String, Key>);

impl Machines {
    /// `wanted` is false where nobody is going to ask.
    fn of<'a>(hosts: impl Iterator<Item = &'a BareMetalHost>, wanted: bool) -> Self {
        let mut known = BTreeMap::new();
        for host in hosts.filter(|_| wanted) {
            for address in addresses(&host.spec.bmc.address, &host.spec.boot_mac_address) {
                known.entry(address).or_insert_with(|| host.key());
            }
        }
        Self(known)
    }

    /// The host that has the machine which a new host wants.
    fn owner(&self, wanted: &Wanted) -> Option<&Key> {
        let spec = &wanted.spec;
        addresses(&spec.bmc.address, &spec.boot_mac_address)
            .find_map(|address| self.0.get(&address))
    }
}

fn addresses(bmc: &str, mac: &str) -> impl Iterator<Item = String> {
    let known = [bmc, mac].map(str::to_lowercase);
    known.into_iter().filter(|address| !address.is_empty())
}
