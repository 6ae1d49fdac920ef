//! What a cluster's API does not have: every host's reason, and the actions that wait.

use std::collections::HashMap;

use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::api::Timestamp;
use crate::engine::Stores;
use crate::plan::Hold;
use crate::store::{Key, Object as _};

use super::Served;
use super::answer::{self, Body};

/// Why one host is where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Stable code; empty before the host's first turn.
    pub code: String,
    /// For people.
    pub text: String,
    /// A person has to act, or something is wrong.
    pub blocked: bool,
    /// Nothing is left to do.
    pub settled: bool,
    /// Nothing goes on before a person did something.
    #[serde(default)]
    pub needs_person: bool,
    /// Since when the code is this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What the spec wants of it waits, and why, though its machine has nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Waits>,
}

/// Why a change waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// Stable code.
    pub code: String,
    /// For people.
    pub text: String,
}

/// An action of the plan that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The host.
    pub host: String,
    /// What would be done.
    pub disruption: String,
    /// Stable code.
    pub code: String,
    /// For people.
    pub text: String,
    /// Nothing but a person's word or edit lets it go.
    pub needs_person: bool,
}

/// What the running process reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The spec, as an absolute path.
    pub spec: String,
    /// The file with parameters, as an absolute path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub params: Option<String>,
    /// Why what it read last is not followed: then it keeps the last good fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

/// What the running process follows, and how far it is with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Following {
    /// What it reads.
    #[serde(flatten)]
    pub reading: Reading,
    /// Digest of the fleet that was compared with the store last; 64 zeros before the first.
    pub digest: String,
    /// How many fleets were compared.
    pub round: u64,
    /// Everything that fleet says is in the store, but for what is held.
    pub written: bool,
    /// What the store refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// Effects that were sent and are not confirmed.
    pub in_flight: usize,
    /// Actions that wait.
    pub held: Vec<Held>,
}

pub(super) fn hosts<S: Stores>(served: &Served<S>) -> Response<Body> {
    let overview = served.engine.overview();
    let holds: HashMap<Key, Hold> = served
        .standing
        .borrow()
        .held
        .iter()
        .map(|(action, hold)| (action.host.clone(), hold.clone()))
        .collect();
    let reasons = overview.hosts.into_iter().map(move |line| {
        let key = line.host.key();
        let (code, text, blocked) = line
            .why
            .map(|why| (why.code.to_owned(), why.text.clone(), why.blocked))
            .unwrap_or_default();
        let held = holds.get(&key).filter(|_| line.settled).map(|hold| Waits {
            code: hold.code.to_string(),
            text: hold.text.to_string(),
        });
        Reason {
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            code,
            text,
            blocked,
            settled: line.settled,
            needs_person: line.needs_person,
            since: line.since,
            held,
        }
    });
    let texts = reasons.map(|reason| serde_json::to_string(&reason).unwrap_or_default());
    answer::list("[".to_owned(), texts, "]")
}

pub(super) fn held<S: Stores>(served: &Served<S>) -> Response<Body> {
    let standing = served.standing.borrow().clone();
    let held: Vec<Held> = standing
        .held
        .iter()
        .map(|(action, hold)| Held {
            host: action.host.to_string(),
            disruption: action.disruption.word().to_owned(),
            code: hold.code.to_string(),
            text: hold.text.to_string(),
            needs_person: hold.code.needs_person(),
        })
        .collect();
    let following = Following {
        reading: served.reading.borrow().clone(),
        digest: standing.digest.to_string(),
        round: standing.round,
        written: standing.trouble.is_none() && !standing.pending,
        trouble: standing.trouble,
        in_flight: served.engine.overview().in_flight,
        held,
    };
    answer::json(StatusCode::OK, &following)
}
