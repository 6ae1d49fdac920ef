//! Values of expressions.

use std::fmt;
use std::sync::Arc;

/// A value: addresses, subnets and MACs are strings in their canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Val {
    /// A whole number; arithmetic never wraps.
    Int(i64),
    /// Text, at most [`super::MAX_STRING`] bytes where an expression made it.
    Str(Arc<str>),
    /// `true` or `false`.
    Bool(bool),
    /// Numbers, strings and booleans; a list never holds a list, so that sizes stay bounded.
    List(Arc<[Val]>),
}

impl Val {
    /// The type with its article, as messages name it: `an integer`.
    pub fn article(&self) -> &'static str {
        match self {
            Val::Int(_) => "an integer",
            Val::Str(_) => "a string",
            Val::Bool(_) => "a boolean",
            Val::List(_) => "a list",
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Val::Str(text) => Some(text),
            Val::Int(_) | Val::Bool(_) | Val::List(_) => None,
        }
    }

    /// Adds the value as it stands inside a text: numbers in decimal, `true`, `false`, strings as
    /// they are. False for a list, which has no one way to be written: `join` says how.
    pub(super) fn render(&self, out: &mut String) -> bool {
        match self {
            Val::Int(number) => push_int(out, *number),
            Val::Str(text) => out.push_str(text),
            Val::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
            Val::List(_) => return false,
        }
        true
    }
}

fn push_int(out: &mut String, number: i64) {
    let mut buffer = [0u8; 20];
    let mut at = buffer.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push('-');
    }
    out.extend(buffer[at..].iter().map(|digit| char::from(*digit)));
}

/// The value as a literal of the language: `'r01'`, `7`, `true`, `['a', 'b']`.
impl fmt::Display for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Val::Int(number) => write!(f, "{number}"),
            Val::Bool(yes) => write!(f, "{yes}"),
            Val::Str(text) => {
                f.write_str("'")?;
                for c in text.chars() {
                    match c {
                        '\'' => f.write_str("\\'")?,
                        '\\' => f.write_str("\\\\")?,
                        '\n' => f.write_str("\\n")?,
                        '\r' => f.write_str("\\r")?,
                        '\t' => f.write_str("\\t")?,
                        c => fmt::Write::write_char(f, c)?,
                    }
                }
                f.write_str("'")
            }
            Val::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    fmt::Display::fmt(item, f)?;
                }
                f.write_str("]")
            }
        }
    }
}

impl From<i64> for Val {
    fn from(number: i64) -> Val {
        Val::Int(number)
    }
}

impl From<bool> for Val {
    fn from(yes: bool) -> Val {
        Val::Bool(yes)
    }
}

impl From<&str> for Val {
    fn from(text: &str) -> Val {
        Val::Str(text.into())
    }
}

impl From<String> for Val {
    fn from(text: String) -> Val {
        Val::Str(text.into())
    }
}

impl From<Vec<Val>> for Val {
    fn from(items: Vec<Val>) -> Val {
        Val::List(items.into())
    }
}
