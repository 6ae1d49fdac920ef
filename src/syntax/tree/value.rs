//! What a value is, and how it is written.

use crate::syntax::scan::Kind;

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// A word without quotes.
    Bare,
    /// `"…"`
    Quoted,
    /// `#"…"#`
    Raw,
    /// `"""…"""`
    Multiline,
    /// `#"""…"""#`
    RawMultiline,
    /// Digits.
    Number,
    /// `#true`, `#false`, `#null`, `#inf`, `#-inf`, `#nan`.
    Keyword,
}

impl Form {
    pub(in crate::syntax) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Quoted => Self::Quoted,
            Kind::Raw => Self::Raw,
            Kind::Multiline => Self::Multiline,
            Kind::RawMultiline => Self::RawMultiline,
            Kind::Keyword => Self::Keyword,
            _ => Self::Bare,
        }
    }
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'t> {
    /// A string, decoded.
    Str(&'t str),
    /// An integer.
    Int(i64),
    /// An integer that does not fit 64 bits, as it is written.
    Big(&'t str),
    /// A number with a point or an exponent, or `#inf`, `#-inf`, `#nan`.
    Float(f64),
    /// `#true` or `#false`.
    Bool(bool),
    /// `#null`.
    Null,
}

impl<'t> Value<'t> {
    /// The string, if it is one.
    pub fn as_str(self) -> Option<&'t str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one that fits.
    pub fn as_int(self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(number),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(value),
            _ => None,
        }
    }
}
