//! Values as people write them, read into types: sizes, durations, addresses, URLs, names.
//!
//! Every function takes the whole text of a value. Its error says what was expected, with an
//! example, and gives the text to write instead where only one is likely. Nothing is ever
//! rounded, trimmed or guessed.

mod duration;
mod mac;
mod name;
mod net;
mod size;
#[cfg(test)]
mod tests;
mod url;

pub use duration::{DurationUnit, duration, duration_for, show_duration};
pub use mac::Mac;
pub use name::{
    host_name, hostname, label_key, label_value, name, name_label, secret_key, secret_name, uuid,
};
pub use net::{cidr, interface, ip, ipv4, ipv6};
pub use size::{Size, SizeUnit, size, size_for};
pub use url::{Url, url};

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
/// Code of a literal that holds a password.
pub const HOLDS_SECRET: u16 = 3403;
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

/// A number with decimals, exactly: `units` of 1 / 10^`scale`.
struct Decimal {
    units: u128,
    scale: u32,
}

impl Decimal {
    /// Reads digits with at most one point between them.
    fn read(text: &str) -> Option<Decimal> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (text, ""),
        };
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() + fraction.len() > 30 {
            return None;
        }
        if !digits(whole) || !digits(fraction) {
            return None;
        }
        let units = format!("{whole}{fraction}").parse().ok()?;
        Some(Decimal {
            units,
            scale: fraction.len() as u32,
        })
    }

    /// The number times `factor`.
    fn times(&self, factor: u64) -> Product {
        let scale = 10u128.pow(self.scale);
        let Some(product) = self.units.checked_mul(u128::from(factor)) else {
            return Product::TooLarge;
        };
        match u64::try_from(product / scale) {
            Ok(whole) if product % scale == 0 => Product::Whole(whole),
            Ok(_) => Product::Fraction,
            Err(_) => Product::TooLarge,
        }
    }
}

/// What a decimal number times a whole one is.
enum Product {
    Whole(u64),
    Fraction,
    TooLarge,
}

/// Splits `480GiB` into the number and the word behind it.
fn split_unit(text: &str) -> (&str, &str) {
    let number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '_' | ',');
    text.split_at(text.find(|c| !number(c)).unwrap_or(text.len()))
}

/// `text` in back quotes for a message: control characters escaped, and cut where it is long.
fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    if text.is_empty() {
        return "an empty text".into();
    }
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
