//! What goes wrong in talking to Ironic, and what that means for a host.

use std::time::Duration;

use serde_json::Value;

use crate::provision::Fault;
use crate::secrets::Sealed;

/// Longest text of Ironic's that is passed on.
const LONGEST: usize = 600;

/// Why a request to Ironic brought nothing. Never holds a secret: texts of Ironic's go through
/// [`Scrub`] first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IronicError {
    /// No connection, no answer in time, or an answer that broke off.
    #[error("Ironic at {url} does not answer: {reason}")]
    Unreachable {
        /// Address without credentials.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// The connection is not trusted.
    #[error(
        "Ironic at {url} shows a TLS certificate that is not trusted: {reason}; give the CA's certificate with --ironic-ca FILE"
    )]
    Untrusted {
        /// Address without credentials.
        url: String,
        /// What the check said.
        reason: String,
    },
    /// An answer with a status that means no.
    #[error("{text}")]
    Status {
        /// HTTP status.
        status: u16,
        /// Ironic's own words, or the status in words.
        text: String,
    },
    /// Another address answers in its place.
    #[error("{url} redirects to {to}: give that address as Ironic's")]
    Redirect {
        /// Address without credentials.
        url: String,
        /// Where it points to.
        to: String,
    },
    /// Something answers that is not Ironic, or not as Ironic should.
    #[error("{url} does not answer as Ironic's API does: {reason}")]
    NotIronic {
        /// Address without credentials.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The API's versions and ours do not meet.
    #[error(
        "Ironic at {url} speaks API versions {min} to {max}; metalform needs {need} or newer, which Ironic has since 2024.2"
    )]
    Version {
        /// Address without credentials.
        url: String,
        /// Oldest that it speaks.
        min: String,
        /// Newest that it speaks.
        max: String,
        /// Oldest that we speak.
        need: String,
    },
}

impl IronicError {
    /// A stable label for metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "Unreachable",
            Self::Untrusted { .. } => "UntrustedCertificate",
            Self::Status { status, .. } => match status {
                401 | 403 => "Unauthorized",
                404 => "NotFound",
                406 => "NotAcceptable",
                409 => "Conflict",
                500.. => "ServerError",
                _ => "Refused",
            },
            Self::Redirect { .. } => "Redirect",
            Self::NotIronic { .. } => "NotIronic",
            Self::Version { .. } => "UnsupportedVersion",
        }
    }

    /// The HTTP status, for answers.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// True for a conflict because such a name or MAC address is there already.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Status { status: 409, text } if text.contains("already exists"))
    }

    /// What it means for the host whose effect this was. `seed` spreads the retries of hosts that
    /// were refused at the same time.
    ///
    /// A locked node (409), an overloaded Ironic (503) and a node that is not in the state that it
    /// was seen in (400 with Ironic's text for a transition that is not possible) all mean: look
    /// and ask again. Other answers of 500 and above do too, but later: they are Ironic's failures,
    /// not the host's.
    pub fn fault(self, seed: u64) -> Fault {
        let spread = |from: u64| Duration::from_millis(from + seed % 2000);
        match self {
            Self::Status {
                status: 401 | 403,
                text,
            } => Fault::Unauthorized(format!("Ironic refuses metalform's credentials: {text}")),
            Self::Status { status: 404, .. } => Fault::Gone,
            Self::Status {
                status: 409 | 503 | 429,
                text,
            } => Fault::Busy {
                what: text,
                retry: spread(1000),
            },
            Self::Status { status: 400, text } if is_stale(&text) => Fault::Busy {
                what: text,
                retry: spread(1000),
            },
            Self::Status {
                status: 500..,
                text,
            } => Fault::Busy {
                what: format!("Ironic failed: {text}"),
                retry: spread(5000),
            },
            Self::Status { text, .. } => Fault::Refused(text),
            other => Fault::Unreachable(other.to_string()),
        }
    }
}

/// True for Ironic's text about a transition that the node's state does not permit: the node moved
/// between our look and our request.
fn is_stale(text: &str) -> bool {
    text.contains("can not be performed on node") && text.contains("while it is in state")
}

/// Texts that must not come back in a message.
#[derive(Debug, Clone, Default)]
pub struct Scrub(Vec<Sealed>);

impl Scrub {
    /// Hides these texts, each also line by line: an error may quote a part of a file.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Sealed>) -> Self {
        let mut hidden = Vec::new();
        for secret in secrets {
            let whole = secret.reveal();
            hidden.push(whole.to_owned());
            hidden.extend(whole.lines().map(|line| line.trim().to_owned()));
        }
        hidden.retain(|text| text.len() >= 3);
        // The longest first, so that no rest of it stays.
        hidden.sort_by_key(|text| std::cmp::Reverse(text.len()));
        hidden.dedup();
        Self(hidden.into_iter().map(Sealed::new).collect())
    }

    /// The text without secrets, at most 600 bytes long.
    ///
    /// Ironic quotes what it does not like: a patch that it cannot apply, a value that its schema
    /// refuses. Quotes of what may hold secrets are cut out whole, whatever is in them.
    fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            if text.contains(secret.reveal()) {
                text = text.replace(secret.reveal(), "(secret)");
            }
        }
        text = cut(&text, "Couldn't apply patch", "Reason:");
        if !self.0.is_empty() {
            // Python's way to write a map: a part of what was sent.
            if let (Some(start), Some(end)) = (text.find('{'), text.rfind('}'))
                && start < end
            {
                text.replace_range(start..=end, "{…}");
            }
            text = cut(&text, "Value:", "\u{0}");
        }
        let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.len() > LONGEST {
            let end = (0..=LONGEST)
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(0);
            text.truncate(end);
            text.push('…');
        }
        text
    }
}

/// The text without what stands between two marks, or without all after the first when the second
/// is not there.
fn cut(text: &str, from: &str, to: &str) -> String {
    let Some(start) = text.find(from).map(|at| at + from.len()) else {
        return text.to_owned();
    };
    match text[start..].find(to) {
        Some(end) => format!("{} … {}", &text[..start], &text[start + end..]),
        None => format!("{} …", &text[..start]),
    }
}

/// Ironic's own words from the body of an answer, whichever shape it has:
/// - `{"error_message": "{\"faultstring\": \"…\"}"}`: JSON as a string in JSON; the usual one;
/// - the same with `title` and `description` inside: a refused API version;
/// - `{"error": {"message": "…", "code": 401}}`: from the authentication in front of it;
/// - `{"errors": [{"detail": "…"}]}` and plain text or HTML: from proxies.
pub fn message(status: u16, body: &[u8], scrub: &Scrub) -> String {
    let text = serde_json::from_slice(body)
        .ok()
        .as_ref()
        .and_then(words)
        .unwrap_or_else(|| {
            let text = String::from_utf8_lossy(body);
            let text = text.trim();
            if text.is_empty() || text.starts_with(['<', '{', '[']) {
                String::new()
            } else {
                text.to_owned()
            }
        });
    let text = scrub.clean(&text);
    if text.is_empty() {
        let reason = http::StatusCode::from_u16(status)
            .ok()
            .and_then(|s| s.canonical_reason());
        return format!("HTTP {status} {}", reason.unwrap_or_default())
            .trim_end()
            .to_owned();
    }
    text
}

fn words(body: &Value) -> Option<String> {
    let text = |value: &Value, key: &str| value.get(key)?.as_str().map(str::to_owned);
    let fault = |value: &Value| {
        text(value, "faultstring")
            .or_else(|| text(value, "description"))
            .or_else(|| text(value, "message"))
            .or_else(|| text(value, "detail"))
            .or_else(|| text(value, "title"))
            .filter(|text| !text.is_empty())
    };
    match body.get("error_message") {
        Some(Value::String(inner)) => match serde_json::from_str::<Value>(inner) {
            Ok(value) => return fault(&value).or_else(|| Some(inner.clone())),
            Err(_) => return Some(inner.clone()),
        },
        Some(value) => return fault(value),
        None => {}
    }
    if let Some(error) = body.get("error") {
        return fault(error).or_else(|| error.as_str().map(str::to_owned));
    }
    body.get("errors")
        .and_then(|errors| fault(errors.get(0)?))
        .or_else(|| fault(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> String {
        message(status, body.as_bytes(), &Scrub::default())
    }

    #[test]
    fn reads_every_shape() {
        let usual = r#"{"error_message": "{\"faultcode\": \"Client\", \"faultstring\": \"A port with MAC address 52:54:00:12:34:56 already exists.\", \"debuginfo\": null}"}"#;
        assert_eq!(
            said(409, usual),
            "A port with MAC address 52:54:00:12:34:56 already exists."
        );
        let version = r#"{"error_message": "{\"code\": 406, \"title\": \"Not Acceptable\", \"description\": \"Version 1.999 was requested\"}"}"#;
        assert_eq!(said(406, version), "Version 1.999 was requested");
        let auth = r#"{"error": {"message": "Authorization required", "code": 401}}"#;
        assert_eq!(said(401, auth), "Authorization required");
        assert_eq!(said(400, r#"{"error_message": "plain"}"#), "plain");
        assert_eq!(
            said(400, r#"{"error_message": {"faultstring": "object"}}"#),
            "object"
        );
        assert_eq!(
            said(
                429,
                r#"{"errors": [{"status": 429, "detail": "slow down"}]}"#
            ),
            "slow down"
        );
        assert_eq!(
            said(502, "<html><body>oops</body></html>"),
            "HTTP 502 Bad Gateway"
        );
        assert_eq!(said(503, "try\n later "), "try later");
        assert_eq!(said(500, ""), "HTTP 500 Internal Server Error");
        assert_eq!(said(500, "{}"), "HTTP 500 Internal Server Error");
    }

    #[test]
    fn quotes_no_secrets() {
        let secrets = [
            Sealed::new("hunter2"),
            Sealed::new("#cloud-config\npassword: tops3cret\n"),
        ];
        let scrub = Scrub::new(&secrets);
        let body = r#"{"error_message": "{\"faultstring\": \"bad password hunter2 in password: tops3cret\"}"}"#;
        assert_eq!(
            message(400, body.as_bytes(), &scrub),
            "bad password (secret) in (secret)"
        );
        let patch = r#"{"error_message": "{\"faultstring\": \"Couldn't apply patch '{'op': 'add', 'value': 'x\\ny'}'. Reason: no such thing\"}"}"#;
        assert_eq!(
            message(400, patch.as_bytes(), &scrub),
            "Couldn't apply patch … Reason: no such thing"
        );
        let schema = r#"{"error_message": "{\"faultstring\": \"Schema error for node: {'a': {'b': 'hunter'}} is not valid\"}"}"#;
        assert_eq!(
            message(400, schema.as_bytes(), &scrub),
            "Schema error for node: {…} is not valid"
        );
        let value = r#"{"error_message": "{\"faultstring\": \"Invalid input for configdrive. Value: 'anything'\"}"}"#;
        assert_eq!(
            message(400, value.as_bytes(), &scrub),
            "Invalid input for configdrive. Value: …"
        );
        assert_eq!(
            format!("{scrub:?}"),
            "Scrub([(secret), (secret), (secret), (secret)])"
        );
    }

    #[test]
    fn cuts_long_texts_between_characters() {
        let long = "é".repeat(1000);
        let text = said(400, &long);
        assert!(text.ends_with('…') && text.len() <= LONGEST + 3);
    }

    #[test]
    fn tells_waits_from_errors() {
        let status = |status, text: &str| IronicError::Status {
            status,
            text: text.into(),
        };
        let code = |error: IronicError| error.fault(7).code();
        assert_eq!(code(status(409, "Node x is locked by host y")), "busy");
        assert_eq!(code(status(503, "no free worker")), "busy");
        assert_eq!(code(status(500, "boom")), "busy");
        let stale = "The requested action \"manage\" can not be performed on node \"x\" while it is in state \"verifying\".";
        assert_eq!(code(status(400, stale)), "busy");
        assert_eq!(code(status(400, "no such driver")), "refused");
        assert_eq!(code(status(401, "who?")), "unauthorized");
        assert_eq!(code(status(403, "no")), "unauthorized");
        assert_eq!(code(status(404, "")), "gone");
        let gone = IronicError::Unreachable {
            url: "http://x".into(),
            reason: "refused".into(),
        };
        assert_eq!(code(gone), "unreachable");
        assert!(status(409, "A node with name a~b already exists.").is_duplicate());
        assert!(!status(409, "Node x is locked").is_duplicate());
    }
}
