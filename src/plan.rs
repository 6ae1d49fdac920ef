//! What has to change so that the store says what the spec says, and how much each change disturbs.
//!
//! ```text
//!  Desired, observed hosts ──► diff ──► Plan { actions, worst first } ──► gate ──► go | hold(why)
//! ```
//!
//! A plan is a value: making one writes nothing. Each action tells its disruption class, the fields
//! that change with the place in the spec that says so, and, where it would destroy something, the
//! guard that holds it until a person names the host. [`gate`] then says which actions may be
//! carried out now: guards, rollouts and immutable fields are judged there and nowhere else.
//!
//! Invariants: `diff` of what was applied is empty; the same input gives the same bytes out, in
//! whatever order hosts were observed; an incomplete evaluation removes nothing and disturbs no
//! machine.

mod adopted;
mod class;
mod diff;
mod fields;
mod gate;
mod json;
mod live;
mod masked;
mod render;
mod strangers;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

pub use self::adopted::adopted;
pub use self::diff::{Compared, Comparer, Owned, diff, differing, is_as_wanted};
pub use self::gate::{Grants, Hold, HoldCode, Ruling, gate, grant_of};
pub use self::json::{FORMAT_VERSION, to_json};
pub(crate) use self::live::Live;
pub use self::render::{Palette, WIDTH, render};
pub use self::strangers::strangers;
use crate::store::Key;

/// The field manager of everything that a plan writes.
pub const OWNER: &str = "metalform";

/// How much carrying out a change disturbs a machine. Ordered: worse is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disruption {
    /// Nobody on the machine notices.
    None,
    /// Power is cut or the machine restarts.
    Reboot,
    /// The machine is cleaned: what is on its disks outside a deployment goes.
    Clean,
    /// The deployed system goes and a new one comes.
    Reprovision,
    /// The deployed system goes and none comes.
    Destroy,
}

impl Disruption {
    /// All classes, mildest first.
    pub const ALL: [Self; 5] = [
        Self::None,
        Self::Reboot,
        Self::Clean,
        Self::Reprovision,
        Self::Destroy,
    ];

    /// The word that people and JSON see.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Reboot => "reboot",
            Self::Clean => "clean",
            Self::Reprovision => "reprovision",
            Self::Destroy => "destroy",
        }
    }
}

/// What is done with the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// A new host.
    Create,
    /// Fields change.
    Update,
    /// The spec has it no more.
    Delete,
}

/// One field that changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldChange {
    /// Dotted path in the object, e.g. `spec.image.url`.
    pub path: String,
    /// Before; absent when it was not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// After; absent when it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Where the spec says so, e.g. `pools.kdl:3`; empty when it says so by saying nothing.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub site: Arc<str>,
    /// How much this field's change disturbs, in the host's present state.
    pub disruption: Disruption,
}

/// Why an action is refused until something else changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The rule, e.g. `MF7103`.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub text: String,
}

/// One host's change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Action {
    /// The host.
    #[serde(serialize_with = "json::key")]
    pub host: Key,
    /// What is done.
    pub verb: Verb,
    /// The worst of its fields' classes.
    pub disruption: Disruption,
    /// In order of path.
    pub changes: Vec<FieldChange>,
    /// The pool that the host is in now or will be in, for rollouts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<Arc<str>>,
    /// The rack, for rollouts that go by rack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rack: Option<Arc<str>>,
    /// A new host whose machine, by BMC or boot MAC address, another host still has; or which is
    /// itself still being deleted. It waits until that one is gone (MF7107).
    #[serde(
        serialize_with = "json::optional_key",
        skip_serializing_if = "Option::is_none"
    )]
    pub machine_of: Option<Key>,
    /// A provisioned machine would be lost: a person has to name it. The text says what is lost;
    /// the token is what a grant has to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
    /// Not possible as it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

/// What holds a destructive action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Guard {
    /// What would be lost.
    pub text: String,
    /// What the grant says: it names this very change, so an old grant never allows a new one.
    pub token: String,
}

/// Why a host stays as it is although the spec, as far as it could be read, says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeptFor {
    /// The spec could not be read whole.
    Incomplete,
    /// The host is declared and has an error.
    Error,
}

/// A host that stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The host.
    #[serde(serialize_with = "json::key")]
    pub host: Key,
    /// Why.
    pub why: KeptFor,
}

/// All that has to change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The fleet's name.
    pub fleet: Arc<str>,
    /// Worst first, then by verb, then by host in natural order.
    pub actions: Vec<Arc<Action>>,
    /// Hosts that need nothing.
    pub unchanged: usize,
    /// False when the spec was not evaluated whole: then nothing is removed and no machine
    /// disturbed. Never so in a plan of a command, which refuses a spec with an error.
    pub complete: bool,
    /// Hosts that would be removed or disturbed if the spec had been evaluated whole and without
    /// an error. In natural order.
    pub kept: Vec<Kept>,
}

impl Plan {
    /// True when nothing has to change.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// How many actions there are of each class.
    pub fn count(&self) -> BTreeMap<Disruption, usize> {
        let mut counts = BTreeMap::new();
        self.actions
            .iter()
            .for_each(|action| *counts.entry(action.disruption).or_default() += 1);
        counts
    }
}
