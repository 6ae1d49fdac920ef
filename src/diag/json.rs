//! Findings for programs: JSON of a stable shape.
//!
//! ```json
//! {
//!   "format_version": "1.0",
//!   "diagnostics": [
//!     {
//!       "code": "MF1005",
//!       "severity": "error",
//!       "message": "property `mode` has no value",
//!       "primary": {
//!         "path": "racks/r01.kdl",
//!         "start": { "offset": 120, "line": 7, "column": 10 },
//!         "end": { "offset": 125, "line": 7, "column": 15 },
//!         "text": "a value has to follow the `=`"
//!       },
//!       "secondary": [],
//!       "notes": [],
//!       "help": "write `mode=\"…\"`, or `mode=#null` for nothing",
//!       "fixes": [
//!         {
//!           "title": "quote it",
//!           "applicability": "safe",
//!           "edits": [{ "path": "…", "start": {}, "end": {}, "text": "…" }]
//!         }
//!       ],
//!       "subject": { "kind": "host", "names": ["r01-n01"], "path": "boot.mode" }
//!     }
//!   ],
//!   "summary": { "error": 1, "warning": 0, "info": 0 }
//! }
//! ```
//!
//! Offsets are bytes from 0, lines and columns count from 1, columns in code points, and an end
//! is where the first byte after lies. `help` and `subject` may be `null`. A minor version adds
//! fields; a major one may change them.

use std::fmt::{self, Write};

use serde::Serialize;

use super::{Applicability, Diagnostic, Place, Severity, Span};
use crate::vfs::Files;

/// Version of the shape.
pub const FORMAT_VERSION: &str = "1.0";

/// Writes the findings as one JSON document, indented, with a newline at the end.
pub fn render_json(out: &mut dyn Write, files: &Files, diagnostics: &[Diagnostic]) -> fmt::Result {
    let count = |severity| {
        diagnostics
            .iter()
            .filter(|found| found.severity == severity)
            .count()
    };
    let report = Report {
        format_version: FORMAT_VERSION,
        diagnostics: diagnostics
            .iter()
            .map(|found| finding(files, found))
            .collect(),
        summary: Summary {
            error: count(Severity::Error),
            warning: count(Severity::Warning),
            info: count(Severity::Info),
        },
    };
    let text = serde_json::to_string_pretty(&report).map_err(|_| fmt::Error)?;
    writeln!(out, "{text}")
}

#[derive(Serialize)]
struct Report<'a> {
    format_version: &'static str,
    diagnostics: Vec<Finding<'a>>,
    summary: Summary,
}

#[derive(Serialize)]
struct Summary {
    error: usize,
    warning: usize,
    info: usize,
}

#[derive(Serialize)]
struct Finding<'a> {
    code: String,
    severity: Severity,
    message: &'a str,
    primary: Piece<'a>,
    secondary: Vec<Piece<'a>>,
    notes: &'a [String],
    help: Option<&'a str>,
    fixes: Vec<Fix<'a>>,
    subject: Option<Subject<'a>>,
}

/// A label or an edit: a place and a text.
#[derive(Serialize)]
struct Piece<'a> {
    path: &'a str,
    start: Position,
    end: Position,
    text: &'a str,
}

#[derive(Serialize)]
struct Position {
    offset: u32,
    line: u32,
    column: u32,
}

#[derive(Serialize)]
struct Fix<'a> {
    title: &'a str,
    applicability: Applicability,
    edits: Vec<Piece<'a>>,
}

#[derive(Serialize)]
struct Subject<'a> {
    kind: &'a str,
    names: &'a [String],
    path: Option<&'a str>,
}

fn finding<'a>(files: &'a Files, found: &'a Diagnostic) -> Finding<'a> {
    Finding {
        code: found.code.to_string(),
        severity: found.severity,
        message: &found.message,
        primary: piece(files, found.primary.place, &found.primary.text),
        secondary: found
            .secondary
            .iter()
            .map(|label| piece(files, label.place, &label.text))
            .collect(),
        notes: &found.notes,
        help: found.help.as_deref(),
        fixes: found
            .fixes
            .iter()
            .map(|fix| Fix {
                title: &fix.title,
                applicability: fix.applicability,
                edits: fix
                    .edits
                    .iter()
                    .map(|edit| piece(files, edit.place, &edit.text))
                    .collect(),
            })
            .collect(),
        subject: found.subject.as_ref().map(|subject| Subject {
            kind: subject.kind,
            names: &subject.names,
            path: subject.path.as_deref(),
        }),
    }
}

fn piece<'a>(files: &'a Files, place: Place, text: &'a str) -> Piece<'a> {
    let Span { start, end } = place.span;
    Piece {
        path: files.path(place.file),
        start: position(files, place, start),
        end: position(files, place, end),
        text,
    }
}

fn position(files: &Files, place: Place, offset: u32) -> Position {
    let (line, column) = files.line_col(Span::point(offset).in_file(place.file));
    Position {
        offset,
        line,
        column,
    }
}
