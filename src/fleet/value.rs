//! Typed values of fields.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// A piece of a shared text. What a spec says is kept as a slice of its file, so that ten thousand
/// hosts cost no copy; computed texts have a text of their own.
#[derive(Clone)]
pub struct Text {
    whole: Arc<str>,
    start: u32,
    end: u32,
}

impl Text {
    /// A text of its own.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        let whole: Arc<str> = text.into();
        let end = whole.len() as u32;
        Self {
            whole,
            start: 0,
            end,
        }
    }

    /// `part` as a slice of `whole` where it is one, else a copy.
    pub fn of(whole: &Arc<str>, part: &str) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        match whole.get(start..start.wrapping_add(part.len())) {
            Some(slice) if std::ptr::eq(slice.as_ptr(), part.as_ptr()) => Self {
                whole: Arc::clone(whole),
                start: start as u32,
                end: (start + part.len()) as u32,
            },
            _ => Self::new(part),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // The bounds were checked when it was made; an empty text is the safe answer to a bug.
        self.whole
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Arc<str>> for Text {
    fn from(text: Arc<str>) -> Self {
        Self::new(text)
    }
}

impl From<&Text> for Arc<str> {
    fn from(text: &Text) -> Self {
        Self::from(text.as_str())
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

/// A value after decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A keyed record is there; stands at its key.
    Present,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text: also MAC addresses (lower case with colons), URLs, words of an enum, names of
    /// images, the variant of a union, `all`.
    Text(Text),
    /// A size in bytes.
    Size(u64),
    /// A span of time.
    Duration(Duration),
    /// A reference; there is no text behind it in any phase.
    Ref(Ref),
    /// A list.
    List(Arc<[Text]>),
}

/// A reference to something that is not in the spec.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ref {
    /// What it refers to.
    pub kind: RefKind,
    /// Its name.
    pub name: Text,
}

/// What a reference refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefKind {
    /// `(secret)name`.
    Secret,
    /// `(configmap)name`.
    ConfigMap,
}

impl RefKind {
    /// The annotation that makes one.
    pub fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::ConfigMap => "configmap",
        }
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}){}", self.kind.word(), self.name)
    }
}

impl fmt::Debug for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Value {
    /// As messages and `explain` show it: texts quoted, sizes with their unit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present => f.write_str("there"),
            Self::Bool(true) => f.write_str("#true"),
            Self::Bool(false) => f.write_str("#false"),
            Self::Int(number) => number.fmt(f),
            Self::Text(text) => write!(f, "{:?}", &**text),
            Self::Size(bytes) => f.write_str(&show_size(*bytes)),
            Self::Duration(time) => f.write_str(&show_duration(*time)),
            Self::Ref(reference) => reference.fmt(f),
            Self::List(texts) => {
                for (index, text) in texts.iter().enumerate() {
                    if index > 0 {
                        f.write_str(" ")?;
                    }
                    write!(f, "{:?}", &**text)?;
                }
                Ok(())
            }
        }
    }
}

/// The largest unit that divides a size.
fn unit_of(bytes: u64) -> (&'static str, u64) {
    const UNITS: [(&str, u64); 8] = [
        ("TiB", 1 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("KiB", 1 << 10),
        ("KB", 1_000),
    ];
    let fitting = UNITS
        .into_iter()
        .find(|(_, unit)| bytes != 0 && bytes.is_multiple_of(*unit));
    fitting.unwrap_or(("B", 1))
}

/// A size as a spec may write it in quotes, without loss: `480GB`.
pub fn show_size(bytes: u64) -> String {
    let (unit, size) = unit_of(bytes);
    format!("{}{unit}", bytes / size)
}

/// A span of time as a spec may write it in quotes, without loss.
pub fn show_duration(time: Duration) -> String {
    let millis = time.as_millis();
    if millis.is_multiple_of(1000) {
        let seconds = millis / 1000;
        match seconds {
            0 => "0s".to_owned(),
            s if s.is_multiple_of(3600) => format!("{}h", s / 3600),
            s if s.is_multiple_of(60) => format!("{}m", s / 60),
            s => format!("{s}s"),
        }
    } else {
        format!("{millis}ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_of_a_file_is_not_copied() {
        let file: Arc<str> = Arc::from("host r01");
        let name = Text::of(&file, &file[5..]);
        assert_eq!(&*name, "r01");
        assert_eq!(Arc::strong_count(&file), 2);
        let other = Text::of(&file, "r01");
        assert_eq!(name, other);
        assert_eq!(Arc::strong_count(&file), 2);
    }

    #[test]
    fn values_show_as_they_are_written() {
        let shown = |value: Value| value.to_string();
        assert_eq!(shown(Value::Size(480_000_000_000)), "480GB");
        assert_eq!(shown(Value::Size(446 << 30)), "446GiB");
        assert_eq!(shown(Value::Size(7)), "7B");
        assert_eq!(shown(Value::Duration(Duration::from_secs(90))), "90s");
        let secret = Ref {
            kind: RefKind::Secret,
            name: Text::from("bmc-r01"),
        };
        assert_eq!(shown(Value::Ref(secret)), "(secret)bmc-r01");
        assert_eq!(
            shown(Value::List(Arc::from([Text::from("a"), Text::from("b")]))),
            "\"a\" \"b\""
        );
    }

    #[test]
    fn a_value_is_small() {
        assert!(size_of::<Value>() <= 32);
    }
}
