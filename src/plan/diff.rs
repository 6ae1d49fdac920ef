//! `diff(desired, observed)`: the plan. Pure; equal input gives equal bytes.

mod change;
mod guard;
mod machines;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::Value;

use crate::api::BareMetalHost;
use crate::api::fleet::applyset;
use crate::api::names::annotation;
use crate::desired::{Desired, Wanted};
use crate::fleet::natural;
use crate::store::{Key, Object as _, Version};

use super::class::deletion;
use super::fields;
use super::{Action, Disruption, FieldChange, Kept, KeptFor, Live, Plan, Verb};

use self::change::{is_applied, is_plainly_same, update};
use self::machines::Machines;

/// Who owns which fields of which host (managedFields).
pub type Owned = BTreeMap<Key, Vec<ManagedFieldsEntry>>;

/// The hosts whose field owners [`diff`] has to know: those that have fields which the spec does
/// not say, and that were last applied from another text than the present one.
pub fn differing(desired: &Desired, observed: &[Arc<BareMetalHost>]) -> Vec<Key> {
    Comparer::new(desired).differing(observed)
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
        None => !is_removable(desired, host) || is_deleting(host) || desired.held.contains(&key),
    }
}

/// What has to change so that `observed` becomes `desired`.
///
/// Hosts that another fleet owns are not touched: a wanted host that exists and belongs to another
/// fleet (or to another ApplySet) is refused, one that belongs to nobody is adopted by an update.
/// While `desired` is not
/// complete nothing is removed and no machine disturbed.
///
/// `owned` has the field owners of at least the hosts that [`differing`] names: a field that the
/// spec does not say goes only if it was ours.
pub fn diff(desired: &Desired, observed: &[Arc<BareMetalHost>], owned: &Owned) -> Plan {
    Comparer::new(desired).diff(observed, owned)
}

/// Compares one desired state again and again with what is there: what was found of a host holds
/// until the host changes, so a look costs the hosts that changed since the last one. The next
/// desired state takes over what was found of hosts that it wants no other ([`Comparer::after`]).
pub struct Comparer<'d> {
    desired: &'d Desired,
    /// In order of `desired.hosts`.
    known: Vec<Known>,
}

/// What a [`Comparer`] found, without the desired state that it compared.
#[derive(Default)]
pub struct Compared(Vec<Known>);

/// What was found of a host, and at which of its versions.
#[derive(Clone)]
enum Known {
    Nothing,
    Same(Version),
    Differs(Version, Arc<Action>),
}

impl Known {
    /// Whether it is about this version.
    fn is_of(&self, version: Version) -> bool {
        match self {
            Self::Nothing => false,
            Self::Same(known) | Self::Differs(known, _) => *known == version,
        }
    }

    /// What has to change at this version, as far as it is known and anything has to.
    fn action(&self, version: Version) -> Option<&Arc<Action>> {
        match self {
            Self::Differs(known, action) if *known == version => Some(action),
            Self::Nothing | Self::Same(_) | Self::Differs(..) => None,
        }
    }
}

impl<'d> Comparer<'d> {
    /// Nothing is known yet.
    pub fn new(desired: &'d Desired) -> Self {
        Self {
            desired,
            known: vec![Known::Nothing; desired.hosts.len()],
        }
    }

    /// Knows of `last` what holds still: a host that is as the very same [`Wanted`] says. What
    /// differs is told with places in the text, which is another one by now.
    pub fn after(desired: &'d Desired, last: &Desired, compared: Compared) -> Self {
        let mut comparer = Self::new(desired);
        if last.fleet != desired.fleet {
            return comparer;
        }
        // Both are sorted.
        let mut before = last.hosts.iter().zip(compared.0).peekable();
        for ((key, wanted), known) in desired.hosts.iter().zip(&mut comparer.known) {
            while before.next_if(|((other, _), _)| *other < key).is_some() {}
            let found = before.next_if(|((other, _), _)| *other == key);
            if let Some(((_, other), same @ Known::Same(_))) = found
                && Arc::ptr_eq(wanted, other)
            {
                *known = same;
            }
        }
        comparer
    }

    /// What was found, for the comparer of the next desired state.
    pub fn into_compared(self) -> Compared {
        Compared(self.known)
    }

    /// Looks at everything anew the next time: the last look did not know all that it needs.
    pub fn forget(&mut self) {
        self.known.fill(Known::Nothing);
    }

    /// See [`differing`]; hosts that were compared as they are now are not named again.
    pub fn differing(&mut self, observed: &[Arc<BareMetalHost>]) -> Vec<Key> {
        let desired = self.desired;
        let live = Live::of(observed);
        let wanted = desired.hosts.iter().zip(&mut self.known);
        wanted
            .filter_map(|((key, wanted), known)| {
                let host = live.get(key)?;
                if known.is_of(host.version()) {
                    return None;
                }
                if is_plainly_same(wanted, host) {
                    if is_ours(desired, host) {
                        *known = Known::Same(host.version());
                    }
                    return None;
                }
                if is_applied(wanted, host) {
                    return None;
                }
                let after = fields::wanted(wanted);
                let more = fields::live(host, wanted)
                    .keys()
                    .any(|path| !after.contains_key(path));
                more.then(|| key.clone())
            })
            .collect()
    }

    /// See [`diff`].
    pub fn diff(&mut self, observed: &[Arc<BareMetalHost>], owned: &Owned) -> Plan {
        let desired = self.desired;
        let mut live = Live::of(observed);
        let mut plan = Plan {
            fleet: Arc::clone(&desired.fleet),
            complete: desired.complete,
            ..Plan::default()
        };
        let mut new = Vec::new();
        for ((key, wanted), known) in desired.hosts.iter().zip(&mut self.known) {
            let Some(host) = live.get(key) else {
                new.push((key, wanted));
                continue;
            };
            if is_ours(desired, host) && is_deleting(host) {
                // It comes back once it is gone.
                new.push((key, wanted));
                continue;
            }
            let version = host.version();
            if !known.is_of(version) {
                let managed = owned.get(key).map(Vec::as_slice).unwrap_or_default();
                *known = match update(desired, key, wanted, host, managed) {
                    None => Known::Same(version),
                    Some(action) => Known::Differs(version, Arc::new(action)),
                };
            }
            match known.action(version) {
                None => plan.unchanged += 1,
                Some(action) if !desired.complete && disturbs(action) => plan.kept.push(Kept {
                    host: key.clone(),
                    why: KeptFor::Incomplete,
                }),
                Some(action) => plan.actions.push(Arc::clone(action)),
            }
            live.remove(host);
        }
        let machines = Machines::of(live.iter(), !new.is_empty());
        for (key, wanted) in new {
            let mut action = create(desired, key, wanted);
            let going = live.get(key);
            action.machine_of = match going {
                Some(_) => Some(key.clone()),
                None => machines.owner(wanted).cloned(),
            };
            plan.actions.push(Arc::new(action));
            if let Some(host) = going {
                live.remove(host);
            }
        }
        for host in live.iter() {
            if !is_removable(desired, host) || is_deleting(host) {
                continue;
            }
            let key = host.key();
            let why = if desired.held.contains(&key) {
                KeptFor::Error
            } else if desired.complete {
                plan.actions.push(Arc::new(delete(desired, key, host)));
                continue;
            } else {
                KeptFor::Incomplete
            };
            plan.kept.push(Kept { host: key, why });
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
}

fn is_ours(desired: &Desired, host: &BareMetalHost) -> bool {
    desired.owns(host)
}

/// True for a host that goes when the spec has it no more. Where there is a set, the annotation alone
/// is not enough: somebody may have copied it with the rest of an object. A store of our own has one
/// fleet, and what a spec leaves behind in another namespace is its own still.
fn is_removable(desired: &Desired, host: &BareMetalHost) -> bool {
    match desired.set.as_deref() {
        Some(id) => is_ours(desired, host) && applyset::set_of(host) == Some(id),
        None => host.annotation(annotation::FLEET) == Some(&*desired.fleet),
    }
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

fn delete(desired: &Desired, key: Key, host: &BareMetalHost) -> Action {
    let guard = guard::of_deletion(desired, host);
    let refusal = guard::prevented_deletion(host);
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
