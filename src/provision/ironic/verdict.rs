//! What an answer of Ironic's means for the host whose request it was. Pure.

use super::error::IronicError;
use crate::provision::{Facts, NodeState, Outage};

/// What to make of a request that brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The node is not there.
    Gone,
    /// Locked, overloaded, or elsewhere than it was seen: to be looked at and asked again.
    Busy(String),
    /// Ironic failed. With `maybe_done` the request may have been carried out all the same.
    Failed {
        /// What was said.
        text: String,
        /// Nobody knows whether it was done.
        maybe_done: bool,
    },
    /// No conductor serves the node now: Ironic is down as far as this host goes.
    Unserved(String),
    /// Our own credentials are refused.
    Unauthorized {
        /// HTTP status.
        status: u16,
        /// What was said.
        text: String,
    },
    /// It would be refused again: an error of this host.
    Refused(String),
    /// Nobody answered, or nobody was asked.
    Silent(Outage),
}

impl IronicError {
    /// What it means for the host whose machine was seen as `seen` when the request was decided.
    ///
    /// Ironic says 409 for a lock and also for what the node's state forbids for good, 400 and 404
    /// for a node that is gone and also for a conductor that is: only the texts tell them apart.
    pub fn verdict(self, seen: Option<&Facts>) -> Verdict {
        match self {
            Self::Status { status, text } => answered(status, text, seen),
            Self::Crowded { .. } | Self::Fenced => Verdict::Busy(self.to_string()),
            Self::Down(outage) => Verdict::Silent(outage),
            other => Verdict::Silent(Outage::new(other.to_string())),
        }
    }

    /// True when the node that was asked for is not there.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Status { status: 404, text } if names_no_node(text))
    }

    /// True when the node is there and has no inventory. The text names the node's number, or with
    /// `[inventory]data_backend` other than `database` its UUID.
    pub fn is_no_inventory(&self) -> bool {
        matches!(self, Self::Status { status: 404, text } if text.contains("inventory"))
    }
}

fn answered(status: u16, text: String, seen: Option<&Facts>) -> Verdict {
    match status {
        // NodeProtected.
        403 if text.contains("is protected") => Verdict::Refused(text),
        401 | 403 => Verdict::Unauthorized { status, text },
        // NoValidHost: 404 on verbs and power, 400 on all else.
        400 | 404 if text.contains("No valid host was found") => Verdict::Unserved(text),
        // 404, but 400 where the node is named in a body.
        400 | 404 if names_no_node(&text) => Verdict::Gone,
        404 => Verdict::Failed {
            text,
            maybe_done: false,
        },
        409 if is_lock(&text) => Verdict::Busy(text),
        400 | 409 if is_stale(&text, seen) => Verdict::Busy(text),
        429 | 503 => Verdict::Busy(text),
        500.. => Verdict::Failed {
            text,
            maybe_done: true,
        },
        _ => Verdict::Refused(text),
    }
}

/// NodeNotFound: `Node 1be2… could not be found.`
fn names_no_node(text: &str) -> bool {
    text.starts_with("Node ") && text.contains(" could not be found") && !text.contains("inventory")
}

/// True for what passes by itself: a lock on the node or on one that belongs to it, a state that is
/// just being left.
fn is_lock(text: &str) -> bool {
    text.contains("is locked by host")
        || text.contains("is presently locked")
        || text.contains("a state transition is in progress")
}

/// True when Ironic refuses because of a state in which the node was not seen: it moved between our
/// look and our request. The state that was seen will refuse again.
fn is_stale(text: &str, seen: Option<&Facts>) -> bool {
    if text.contains("because it's in maintenance mode") {
        return seen.is_none_or(|facts| !facts.maintenance);
    }
    let named = [
        "while it is in state \"",
        "Current state is '",
        "provision state \"",
    ]
    .into_iter()
    .find_map(|before| text.split_once(before))
    .and_then(|(_, after)| after.split(['"', '\'']).next());
    named.is_some_and(|name| seen.is_none_or(|facts| facts.state != NodeState::from(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::ironic::endpoint::Endpoint;

    fn facts(state: NodeState, maintenance: bool) -> Facts {
        Facts {
            id: "1be26c0b".into(),
            name: None,
            state,
            target: None,
            power: None,
            power_changing: false,
            maintenance,
            fault: None,
            last_error: None,
            health: None,
            inspected: false,
            image: None,
            instance: None,
            updated_at: None,
        }
    }

    /// The verdict on a node that was seen as manageable.
    fn of(status: u16, text: &str) -> &'static str {
        on(status, text, &facts(NodeState::Manageable, false))
    }

    fn on(status: u16, text: &str, seen: &Facts) -> &'static str {
        let error = IronicError::Status {
            status,
            text: text.into(),
        };
        match error.verdict(Some(seen)) {
            Verdict::Gone => "gone",
            Verdict::Busy(_) => "busy",
            Verdict::Failed { maybe_done, .. } if maybe_done => "unclear",
            Verdict::Failed { .. } => "failed",
            Verdict::Unserved(_) => "unserved",
            Verdict::Unauthorized { .. } => "unauthorized",
            Verdict::Refused(_) => "refused",
            Verdict::Silent(_) => "silent",
        }
    }

    /// Texts as Ironic 39.0.0 words them (`common/exception.py`, `conductor/manager.py`).
    #[test]
    fn tells_waits_from_errors() {
        let locked =
            "Node x is locked by host y, please retry after the current operation is completed.";
        assert_eq!(of(409, locked), "busy");
        let parent = "Node x parent_node y is presently locked and we are unable to perform any action on it at this time.";
        assert_eq!(of(409, parent), "busy");
        let moving = "Node x can not be updated while a state transition is in progress.";
        assert_eq!(of(409, moving), "busy");
        assert_eq!(of(503, "lack of free conductor workers"), "busy");
        assert_eq!(of(429, "slow down"), "busy");
        for status in [500, 502, 504] {
            assert_eq!(of(status, "boom"), "unclear", "{status}");
        }
        assert_eq!(of(400, "no such driver"), "refused");
        assert_eq!(of(401, "who?"), "unauthorized");
        assert_eq!(of(403, "no"), "unauthorized");
        assert_eq!(
            of(403, "Node x is protected and cannot be undeployed"),
            "refused"
        );
        let endpoint = Endpoint::parse("http://x").unwrap();
        let crowded = IronicError::Crowded {
            ironic: endpoint.to_string(),
            waited: std::time::Duration::from_secs(30),
        };
        assert_eq!(
            crowded.verdict(None),
            Verdict::Busy(
                "Ironic at http://x is slow: no connection to it was free for 30 s".into()
            )
        );
    }

    #[test]
    fn a_conflict_that_is_no_lock_would_come_again() {
        assert_eq!(of(409, "Node x is associated with instance y."), "refused");
        let available = "Can not delete node \"x\" while it is in provision state \"manageable\". Valid provision states to perform deletion are: \"('manageable', 'enroll')\", or set the node into maintenance mode";
        assert_eq!(of(409, available), "refused");
    }

    #[test]
    fn a_state_that_was_not_seen_is_looked_at_again() {
        for text in [
            "The requested action \"manage\" can not be performed on node \"x\" while it is in state \"cleaning\".",
            "Cannot update node \"x\" while it is in state \"cleaning\".",
            "Node x can not have boot_interface updated unless it is in one of allowed (enroll, available) states or in maintenance mode. Current state is 'cleaning'.",
        ] {
            for status in [400, 409] {
                assert_eq!(of(status, text), "busy", "{text}");
                let seen = facts(NodeState::Cleaning, false);
                assert_eq!(on(status, text, &seen), "refused", "{text}");
            }
        }
        let text = "The provisioning operation can't be performed on node x because it's in maintenance mode.";
        assert_eq!(of(400, text), "busy");
        assert_eq!(
            on(400, text, &facts(NodeState::Manageable, true)),
            "refused"
        );
    }

    #[test]
    fn only_a_node_that_is_named_is_gone() {
        assert_eq!(of(404, "Node 1be26c0b could not be found."), "gone");
        assert_eq!(of(400, "Node 1be26c0b could not be found."), "gone");
        assert_eq!(of(404, ""), "failed");
        assert_eq!(of(404, "Image x could not be found."), "failed");
        let away = "No valid host was found. Reason: No conductor service registered which supports driver redfish for conductor group \"b\". Ensure the driver is valid and enabled.";
        assert_eq!((of(404, away), of(400, away)), ("unserved", "unserved"));
        for node in ["1", "1be26c0b"] {
            let error = IronicError::Status {
                status: 404,
                text: format!("Node inventory record for node {node} could not be found."),
            };
            assert!(error.is_no_inventory() && !error.is_gone());
        }
    }
}
