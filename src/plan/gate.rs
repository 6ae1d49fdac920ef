//! Which actions of a plan may be carried out now, and what holds the others.
//!
//! - A refused action waits for its refusal to go.
//! - A new host waits until its machine is nobody else's.
//! - A guarded action waits for a grant that names this very change. One that takes a machine away
//!   then goes, whatever the pool is at: a person has said so.
//! - A change that deploys machines of a pool anew rolls, a move into the pool included: at most
//!   `max-unavailable` at once, the next when the last is provisioned; a failed machine in the pool
//!   stops the roll. A machine whose system runs counts as running, whatever its BMC is at.
//!
//! Everything else goes at once. Pure and without memory: called again whenever a host changes.

mod hold;
mod roll;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::BareMetalHost;
use crate::api::names::annotation;
use crate::desired::Desired;
use crate::eval::range::Pattern;
use crate::store::Key;

use super::{Action, Live, Plan, Verb};

pub use self::hold::{Hold, HoldCode};
use self::roll::Pools;

/// What a person allowed to be destroyed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Hosts by name, as given to `--allow-destroy`: `r01-n13`, or several at once `r01-n[13-15]`.
    pub names: BTreeSet<String>,
    /// Changes that the person saw: the token of each host's guard.
    pub tokens: BTreeMap<Key, String>,
}

impl Grants {
    /// Grants by name.
    pub fn named(names: impl IntoIterator<Item = String>) -> Self {
        Self {
            names: names.into_iter().collect(),
            tokens: BTreeMap::new(),
        }
    }

    /// These grants as they are for the changes of one plan: names become tokens, so that they
    /// allow no other change of the same hosts. What is refused gets none: its word would lie in
    /// wait until the refusal goes.
    #[must_use]
    pub fn bound(&self, plan: &Plan) -> Self {
        let named = plan
            .actions
            .iter()
            .filter(|action| action.refusal.is_none() && self.allows(&action.host.name));
        let mut tokens = self.tokens.clone();
        tokens.extend(
            named.filter_map(|action| Some((action.host.clone(), grant_of(action)?.to_owned()))),
        );
        Self {
            names: BTreeSet::new(),
            tokens,
        }
    }

    /// True when this host is among those named. `*` names nobody: who allows a destruction says
    /// of which machines.
    pub fn allows(&self, host: &str) -> bool {
        let names_it = |name: &String| {
            name.contains('[')
                && !name.contains('*')
                && Pattern::compile(name).is_ok_and(|pattern| pattern.matches(host))
        };
        self.names.contains(host) || self.names.iter().any(names_it)
    }

    fn permit(&self, host: &Key, token: &str) -> bool {
        self.tokens.get(host).is_some_and(|known| known == token) || self.allows(&host.name)
    }
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
    if plan.is_empty() {
        return Vec::new();
    }
    let live = Live::of(observed);
    let mut rulings: Vec<Ruling<'a>> = plan
        .actions
        .iter()
        .map(|action| {
            let host = live.get(&action.host);
            let hold = refused(action)
                .or_else(|| taken(action, &live))
                .or_else(|| guarded(action, host, grants));
            Ruling { action, hold }
        })
        .collect();
    let rolling = |ruling: &&mut Ruling<'a>| ruling.hold.is_none() && roll::rolls(ruling.action);
    // One that waits for another's machine may wait for ever; one that waits for its own is made
    // anew, unless its deletion is delayed.
    let come = rulings.iter().filter(|Ruling { action, hold }| {
        let delayed = |host: &BareMetalHost| {
            let wish = host.detached();
            wish.is_some_and(|wish| wish.delays_deletion())
        };
        let anew = action.machine_of.as_ref() == Some(&action.host)
            && !live.get(&action.host).is_some_and(delayed);
        action.verb == Verb::Create && (hold.is_none() || anew)
    });
    let come = come.map(|ruling| ruling.action);
    let mut pools = Pools::new(desired, come, observed);
    for ruling in rulings.iter_mut().filter(rolling) {
        pools.ask(ruling.action, &live);
    }
    for ruling in rulings.iter_mut().filter(rolling) {
        ruling.hold = pools.judge(ruling.action, &live);
    }
    rulings
}

fn refused(action: &Action) -> Option<Hold> {
    let refusal = action.refusal.as_ref()?;
    let text = format!("{} [{}]", refusal.text, refusal.code);
    Some(Hold::new(HoldCode::Refused, text))
}

fn taken(action: &Action, live: &Live<'_>) -> Option<Hold> {
    let owner = action.machine_of.as_ref()?;
    let host = live.get(owner)?;
    let going = host.metadata.deletion_timestamp.is_some();
    let text = if *owner == action.host {
        "it is being deleted, and created anew once it is gone".to_owned()
    } else if going {
        format!(
            "its machine is still that of `{}`, which is being deleted",
            owner.name
        )
    } else {
        format!(
            "its machine is that of `{}`; it waits until that host is gone",
            owner.name
        )
    };
    Some(Hold::new(HoldCode::MachineTaken, text))
}

fn guarded(action: &Action, host: Option<&BareMetalHost>, grants: &Grants) -> Option<Hold> {
    let guard = action.guard.as_ref()?;
    let noted = host.and_then(|host| host.annotation(annotation::ALLOW_DESTROY));
    if grants.permit(&action.host, &guard.token) || noted == Some(guard.token.as_str()) {
        return None;
    }
    let name = &action.host.name;
    let text = format!(
        "{}; to go on: metalform apply --allow-destroy {name}",
        guard.text
    );
    Some(Hold::new(HoldCode::NeedsAllowDestroy, text))
}
