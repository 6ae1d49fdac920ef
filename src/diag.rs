//! Diagnostics as values: what is wrong, where, and what to do about it.
//!
//! Every stage from [`crate::syntax`] to [`crate::plan`](crate) returns `Vec<Diagnostic>`; nothing
//! here prints. Rendering is apart: [`render`] for people, [`json`] for programs. Each code that
//! may appear is listed once, in [`codes`].

pub mod codes;
pub mod json;
pub mod render;
mod source;
pub mod suggest;
mod veil;

use std::fmt;

use serde::Serialize;

pub(crate) use source::{one_line, printable};
pub(crate) use veil::veiled_at;

/// Which text a place is in: an index that [`crate::vfs::Files`] hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A half-open range of bytes in one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte; never before `start`.
    pub end: u32,
}

impl Span {
    /// The span `start..end`.
    pub fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// The empty span at `at`.
    pub fn point(at: u32) -> Self {
        Self { start: at, end: at }
    }

    /// Length in bytes.
    pub fn len(self) -> u32 {
        self.end - self.start
    }

    /// Whether it covers nothing.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The smallest span over both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    /// Whether `other` lies within this span.
    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The span as an index range.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The same span, in a file.
    pub fn in_file(self, file: FileId) -> Place {
        Place { file, span: self }
    }
}

/// A span in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which text.
    pub file: FileId,
    /// Where in it.
    pub span: Span,
}

/// How bad it is. Ordered: an error is greater than a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Probably not what was meant; nothing is held back.
    Warning,
    /// The text cannot be taken as it stands.
    Error,
}

impl Severity {
    /// `info`, `warning` or `error`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A rule's number, shown as `MF1001`. Numbers are never reused; [`codes`] lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MF{:04}", self.0)
    }
}

impl std::str::FromStr for Code {
    type Err = UnknownCode;

    /// Reads `MF1001`, in either case, with or without the letters.
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let digits = match text.get(..2) {
            Some(prefix) if prefix.eq_ignore_ascii_case("mf") => &text[2..],
            _ => text,
        };
        if digits.len() == 4
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && let Ok(number) = digits.parse()
        {
            return Ok(Self(number));
        }
        Err(UnknownCode {
            text: text.to_owned(),
        })
    }
}

/// A text that is no rule code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no rule code; codes are MF and four digits, as in MF1001")]
pub struct UnknownCode {
    /// What was given.
    pub text: String,
}

/// A place with a few words beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// What is to be seen there; may be empty.
    pub text: String,
}

/// One replacement of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What to replace; an empty span inserts.
    pub place: Place,
    /// What to put there.
    pub text: String,
}

/// Whether a fix may be made without a human looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Applicability {
    /// Keeps the meaning that the text visibly has.
    Safe,
    /// Probably right, but a human should look.
    Unsafe,
    /// Shows the way; has to be completed by hand.
    Manual,
}

/// A way out, as edits. The edits of one fix do not overlap and are made together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does, in the imperative.
    pub title: String,
    /// Whether it can be made unseen.
    pub applicability: Applicability,
    /// The replacements.
    pub edits: Vec<Edit>,
}

impl Fix {
    /// A fix of one replacement.
    pub fn replace(
        title: impl Into<String>,
        applicability: Applicability,
        place: Place,
        text: impl Into<String>,
    ) -> Self {
        Self {
            title: title.into(),
            applicability,
            edits: vec![Edit {
                place,
                text: text.into(),
            }],
        }
    }
}

/// What a finding is about, after evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// `host`, `rack`, `pool`, ….
    pub kind: &'static str,
    /// Names, in natural order.
    pub names: Vec<String>,
    /// Field path, as `boot.mode`.
    pub path: Option<String>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The rule.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// One line without a full stop.
    pub message: String,
    /// The place to look at first.
    pub primary: Label,
    /// Other places, in any file.
    pub secondary: Vec<Label>,
    /// Further facts, a line each.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<String>,
    /// Ways out, best first.
    pub fixes: Vec<Fix>,
    /// What it is about, where that is known.
    pub subject: Option<Subject>,
}

impl Diagnostic {
    fn new(
        severity: Severity,
        code: Code,
        message: impl Into<String>,
        place: Place,
        label: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            primary: Label {
                place,
                text: label.into(),
            },
            secondary: Vec::new(),
            notes: Vec::new(),
            help: None,
            fixes: Vec::new(),
            subject: None,
        }
    }

    /// An error at `place`; `label` is what stands beside the carets and may be empty.
    pub fn error(
        code: Code,
        message: impl Into<String>,
        place: Place,
        label: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Error, code, message, place, label)
    }

    /// A warning; see [`Diagnostic::error`].
    pub fn warning(
        code: Code,
        message: impl Into<String>,
        place: Place,
        label: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Warning, code, message, place, label)
    }

    /// A piece of information; see [`Diagnostic::error`].
    pub fn info(
        code: Code,
        message: impl Into<String>,
        place: Place,
        label: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Info, code, message, place, label)
    }

    /// Adds a second place.
    #[must_use]
    pub fn label(mut self, place: Place, text: impl Into<String>) -> Self {
        self.secondary.push(Label {
            place,
            text: text.into(),
        });
        self
    }

    /// Adds a note.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Adds a way out.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fixes.push(fix);
        self
    }

    /// Says what it is about.
    #[must_use]
    pub fn subject(mut self, subject: Subject) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The order in which findings are shown: by file, then place, then code. Stable, so that equal
/// findings keep the order they were made in.
pub fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by_key(|finding| (finding.primary.place, finding.code));
}

/// The worst severity among `diagnostics`, if there are any.
pub fn worst(diagnostics: &[Diagnostic]) -> Option<Severity> {
    diagnostics.iter().map(|finding| finding.severity).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_they_are_shown() {
        assert_eq!(Code(1001).to_string(), "MF1001");
        for text in ["MF1001", "mf1001", "1001"] {
            assert_eq!(text.parse(), Ok(Code(1001)));
        }
        for text in ["", "MF", "MF1", "MF10011", "MFé", "é", "MF+100", "XX1001"] {
            assert!(text.parse::<Code>().is_err(), "{text}");
        }
    }

    #[test]
    fn findings_are_sorted_by_place_then_code() {
        let at = |file, start| Span::new(start, start + 1).in_file(FileId(file));
        let mut found = vec![
            Diagnostic::error(Code(1002), "c", at(1, 0), ""),
            Diagnostic::error(Code(1002), "b", at(0, 5), ""),
            Diagnostic::warning(Code(1001), "a", at(0, 5), ""),
        ];
        sort(&mut found);
        let order: Vec<_> = found
            .iter()
            .map(|finding| finding.message.as_str())
            .collect();
        assert_eq!(order, ["a", "b", "c"]);
        assert_eq!(worst(&found), Some(Severity::Error));
        assert_eq!(worst(&[]), None);
    }
}
