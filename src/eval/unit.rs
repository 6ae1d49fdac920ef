//! Values as people write them, read into types: sizes, durations, addresses, URLs, names.
//!
//! Every function takes the whole text of a value. Its error says what was expected, with an
//! example, and gives the text to write instead where only one is likely. Nothing is ever
//! rounded, trimmed or guessed.

mod mac;
mod net;

pub use mac::Mac;
pub use net::{cidr, interface, ip, ipv4, ipv6};

/// Code of a value of the wrong type.
pub const MISMATCH: u16 = 2005;
/// Code of a size or duration without unit, or of the wrong dimension.
pub const NO_UNIT: u16 = 2006;
/// Code of an unknown word where a few are allowed.
pub const UNKNOWN_WORD: u16 = 2007;
/// Code of a number out of range.
pub const OUT_OF_RANGE: u16 = 2008;
/// Code of a name that Kubernetes or the baremetal-operator refuses.
pub const BAD_NAME: u16 = 3101;
/// Code of an invalid label or annotation.
pub const BAD_LABEL: u16 = 3103;
/// Code of a size that the wanted unit cannot express.
pub const NOT_WHOLE: u16 = 3317;
/// Code of an invalid name of a Secret or ConfigMap.
pub const BAD_SECRET: u16 = 3406;

/// Why a text is not the value it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UnitError {
    /// Digits of the `MFnnnn` code. Where a field has its own rule, its caller replaces it.
    pub code: u16,
    /// What is wrong.
    pub message: String,
    /// What was expected, with an example.
    pub help: String,
    /// The whole text to write instead, where one is likely.
    pub fix: Option<String>,
}

impl UnitError {
    fn new(code: u16, message: impl Into<String>, help: impl Into<String>) -> UnitError {
        UnitError {
            code,
            message: message.into(),
            help: help.into(),
            fix: None,
        }
    }

    fn fix(mut self, text: impl Into<String>) -> UnitError {
        self.fix = Some(text.into());
        self
    }

    fn maybe_fix(mut self, text: Option<String>) -> UnitError {
        self.fix = text;
        self
    }

    /// The same under the code of a more special rule.
    #[must_use]
    pub fn with_code(mut self, code: u16) -> UnitError {
        self.code = code;
        self
    }
}

/// `text` in back quotes for a message: control characters escaped, and cut where it is long.
fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let mut out = String::from("`");
    for (count, c) in text.chars().enumerate() {
        if count == MOST {
            out.push('…');
            break;
        }
        if c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out.push('`');
    out
}
