//! What a cluster's API does not have: every host's reason, and the actions that wait.

use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::api::Timestamp;
use crate::engine::Stores;
use crate::store::Object as _;

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
    /// Since when the code is this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
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
}

pub(super) fn hosts<S: Stores>(served: &Served<S>) -> Response<Body> {
    let overview = served.engine.overview();
    let reasons: Vec<Reason> = overview
        .hosts
        .into_iter()
        .map(|line| {
            let key = line.host.key();
            let (code, text, blocked) = line
                .why
                .map(|why| (why.code.to_owned(), why.text, why.blocked))
                .unwrap_or_default();
            Reason {
                namespace: key.namespace.to_string(),
                name: key.name.to_string(),
                code,
                text,
                blocked,
                settled: line.settled,
                since: line.since,
            }
        })
        .collect();
    answer::json(StatusCode::OK, &reasons)
}

pub(super) fn held<S: Stores>(served: &Served<S>) -> Response<Body> {
    let standing = served.standing.borrow().clone();
    let held: Vec<Held> = standing
        .held
        .iter()
        .map(|(action, hold)| Held {
            host: action.host.to_string(),
            disruption: action.disruption.word().to_owned(),
            code: hold.code.to_owned(),
            text: hold.text.clone(),
        })
        .collect();
    answer::json(StatusCode::OK, &held)
}
