//! What goes wrong in talking to Ironic. What that means for a host is its [`super::verdict`].

use std::time::Duration;

use serde_json::Value;

use super::endpoint::Endpoint;
use crate::provision::Outage;
use crate::secrets::Sealed;

/// Longest text of Ironic's that is passed on.
const LONGEST: usize = 600;

/// Why a request to Ironic brought nothing. Never holds a secret: texts of Ironic's go through
/// [`Scrub`] first. `ironic` is the name and the address without credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IronicError {
    /// No connection, no answer in time, or an answer that broke off.
    #[error("{ironic} does not answer: {reason}")]
    Unreachable {
        /// Which one.
        ironic: String,
        /// What the system said.
        reason: String,
    },
    /// The connection is not trusted.
    #[error("{ironic} shows a TLS certificate that is not trusted: {reason}; {remedy}")]
    Untrusted {
        /// Which one.
        ironic: String,
        /// What the check said.
        reason: String,
        /// What to do.
        remedy: String,
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
    #[error("{ironic} redirects to {to}: give that address as Ironic's")]
    Redirect {
        /// Which one.
        ironic: String,
        /// Where it points to.
        to: String,
    },
    /// Something answers that is not Ironic, or not as Ironic should.
    #[error("{ironic} does not answer as Ironic's API does: {reason}")]
    NotIronic {
        /// Which one.
        ironic: String,
        /// What is wrong.
        reason: String,
    },
    /// The API's versions and ours do not meet.
    #[error(
        "{ironic} speaks API versions {min} to {max}; metalform needs {need} or newer, which Ironic has since 2025.1"
    )]
    Version {
        /// Which one.
        ironic: String,
        /// Oldest that it speaks.
        min: String,
        /// Newest that it speaks.
        max: String,
        /// Oldest that we speak.
        need: String,
    },
    /// Nobody knows where it is.
    #[error("{ironic} cannot be used yet: {reason}")]
    Unknown {
        /// Which one.
        ironic: String,
        /// Why.
        reason: String,
    },
    /// The API is up, and nobody behind it.
    #[error("{ironic} has no conductor yet: it lists no drivers")]
    NoConductor {
        /// Which one.
        ironic: String,
    },
    /// Not asked at all, as it is down.
    #[error("{}", .0.text)]
    Down(Outage),
    /// Not asked at all, as all connections were in use.
    #[error("{ironic} is slow: no connection to it was free for {} s", .waited.as_secs_f32())]
    Crowded {
        /// Which one.
        ironic: String,
        /// How long.
        waited: Duration,
    },
    /// Not asked at all, as another process may act by now.
    #[error("the lease ran out before it could be sent")]
    Fenced,
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
            Self::Unknown { .. } => "NotReady",
            Self::NoConductor { .. } => "NoConductor",
            Self::Down(_) => "Down",
            Self::Crowded { .. } => "Crowded",
            Self::Fenced => "Fenced",
        }
    }

    /// The HTTP status, for answers.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// True when another login, certificate or address may help. Nothing was carried out then,
    /// unless nobody answered.
    pub(super) fn is_locked_out(&self) -> bool {
        match self {
            Self::Status { status, text } => {
                matches!(status, 401 | 403) && !text.contains("is protected")
            }
            Self::Untrusted { .. } | Self::Unreachable { .. } | Self::Redirect { .. } => true,
            Self::NotIronic { .. }
            | Self::Version { .. }
            | Self::Unknown { .. }
            | Self::NoConductor { .. }
            | Self::Down(_)
            | Self::Crowded { .. }
            | Self::Fenced => false,
        }
    }

    /// True for a conflict because such a name or MAC address is there already.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Status { status: 409, text } if text.contains("already exists"))
    }

    /// What it means for all machines when looking at them ended so.
    pub fn outage(&self, endpoint: &Endpoint) -> Outage {
        match self {
            Self::Status {
                status: status @ (401 | 403),
                text,
            } => Outage {
                text: unauthorized(endpoint, *status, text).into(),
                unauthorized: true,
            },
            Self::Status { text, .. } => Outage::new(format!("{endpoint} answers: {text}")),
            other => Outage::new(other.to_string()),
        }
    }
}

/// The text for credentials that are refused: whose, by whom, and what to do.
pub fn unauthorized(endpoint: &Endpoint, status: u16, text: &str) -> String {
    let remedy = endpoint.login_remedy();
    format!("{endpoint} refuses metalform's credentials ({status}: {text}); {remedy}")
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
    fn an_outage_says_which_ironic_and_what_to_do() {
        let endpoint = Endpoint::parse("http://x:6385")
            .expect("parses")
            .of_node("fra1");
        let status = |status, text: &str| IronicError::Status {
            status,
            text: text.into(),
        };
        let refused = status(401, "Authorization required").outage(&endpoint);
        assert!(refused.unauthorized);
        assert_eq!(
            &*refused.text,
            "Ironic `fra1` at http://x:6385 refuses metalform's credentials (401: Authorization \
             required); name a secret with `username` and `password` as `auth` of `ironic fra1`"
        );
        let failed = status(502, "HTTP 502 Bad Gateway").outage(&endpoint);
        assert_eq!(
            failed,
            Outage::new("Ironic `fra1` at http://x:6385 answers: HTTP 502 Bad Gateway")
        );
    }
}
