//! Findings for people: in full with the text they are about, or a line each.

use std::fmt::{self, Write};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use super::source::{Shelf, Texts, printable};
use super::{Applicability, Diagnostic, Severity};
use crate::vfs::Files;

pub use super::json::render_json;

/// How the full form looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// ANSI colours.
    pub color: bool,
    /// Lines drawn with box characters; ASCII otherwise.
    pub unicode: bool,
    /// Columns, at which messages are wrapped. Lines of the text are shown as they are.
    pub width: usize,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            color: false,
            unicode: true,
            width: 100,
        }
    }
}

/// The least width that messages are wrapped at.
const NARROWEST: usize = 40;

/// Writes each finding with the lines it is about, its notes, its help and its fixes, and an empty
/// line after each.
pub fn render_full(
    out: &mut dyn Write,
    files: &Files,
    diagnostics: &[Diagnostic],
    look: Look,
) -> fmt::Result {
    let width = look.width.max(NARROWEST);
    let theme = match (look.color, look.unicode) {
        (true, true) => GraphicalTheme::unicode(),
        (false, true) => GraphicalTheme::unicode_nocolor(),
        (true, false) => GraphicalTheme::ascii(),
        (false, false) => GraphicalTheme::none(),
    };
    let texts = Texts::new(files);
    for finding in diagnostics {
        let mut theme = theme.clone();
        // miette puts a sign before the message; the severity and code say more.
        let sign = format!("{}[{}]:", finding.severity, finding.code);
        for character in [
            &mut theme.characters.error,
            &mut theme.characters.warning,
            &mut theme.characters.advice,
        ] {
            character.clone_from(&sign);
        }
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(width)
            .with_context_lines(1)
            .without_cause_chain()
            .with_links(false)
            .without_syntax_highlighting();
        let mut text = String::new();
        handler.render_report(&mut text, &Report::new(&texts, finding))?;
        out.write_str(text.strip_prefix("  ").unwrap_or(&text))?;
        let mut line = |kind: &str, text: &str| write_wrapped(out, kind, text, width);
        for note in &finding.notes {
            line("note", note)?;
        }
        for fix in &finding.fixes {
            let how = match fix.applicability {
                Applicability::Safe => "",
                Applicability::Unsafe => " (have a look before you take it)",
                Applicability::Manual => " (by hand)",
            };
            line("fix", &format!("{}{how}", fix.title))?;
        }
        out.write_char('\n')?;
    }
    Ok(())
}

/// Writes each finding as `path:line:column: severity[CODE] message`. Lines and columns count from
/// 1, columns in code points.
pub fn render_concise(
    out: &mut dyn Write,
    files: &Files,
    diagnostics: &[Diagnostic],
) -> fmt::Result {
    for finding in diagnostics {
        let place = finding.primary.place;
        let (line, column) = files.line_col(place);
        writeln!(
            out,
            "{}:{line}:{column}: {}[{}] {}",
            files.path(place.file),
            finding.severity,
            finding.code,
            printable(&finding.message)
        )?;
    }
    Ok(())
}

/// How many findings of each severity there are, as `2 errors and 1 warning`; `no findings`.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let parts: Vec<String> = [
        (Severity::Error, "error", "errors"),
        (Severity::Warning, "warning", "warnings"),
        (Severity::Info, "remark", "remarks"),
    ]
    .into_iter()
    .filter_map(|(severity, one, many)| {
        let count = diagnostics
            .iter()
            .filter(|finding| finding.severity == severity)
            .count();
        (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { many }))
    })
    .collect();
    match parts.as_slice() {
        [] => "no findings".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Writes `  kind: text`, later lines below the text.
fn write_wrapped(out: &mut dyn Write, kind: &str, text: &str, width: usize) -> fmt::Result {
    let indent = kind.len() + 4;
    let text = &*printable(text);
    write!(out, "  {kind}:")?;
    let mut column = indent - 1;
    for (index, word) in text.split_whitespace().enumerate() {
        let len = word.chars().count();
        if index > 0 && column + 1 + len > width {
            write!(out, "\n{:indent$}{word}", "")?;
            column = indent + len;
        } else {
            write!(out, " {word}")?;
            column += 1 + len;
        }
    }
    out.write_char('\n')
}

/// A finding as miette sees it.
struct Report<'f> {
    finding: &'f Diagnostic,
    shelf: Shelf<'f>,
}

impl<'f> Report<'f> {
    fn new(texts: &'f Texts<'f>, finding: &'f Diagnostic) -> Self {
        let places = std::iter::once(&finding.primary).chain(&finding.secondary);
        Self {
            finding,
            shelf: Shelf::new(texts, places.map(|label| label.place)),
        }
    }
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.finding.fmt(f)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.finding.message))
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Info => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.finding.help.as_ref()?;
        Some(Box::new(printable(help)))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.shelf)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let text = |text: &str| (!text.is_empty()).then(|| printable(text).into_owned());
        let primary = &self.finding.primary;
        let primary =
            LabeledSpan::new_primary_with_span(text(&primary.text), self.shelf.span(primary.place));
        let secondary = self.finding.secondary.iter().map(move |label| {
            LabeledSpan::new_with_span(text(&label.text), self.shelf.span(label.place))
        });
        Some(Box::new(std::iter::once(primary).chain(secondary)))
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::diag::{Code, FileId, Fix, Span, Subject};

    /// Two files and a finding with labels in both.
    fn conflict() -> (Files, Diagnostic) {
        let mut files = Files::new();
        let profiles = files.add(
            "profiles.kdl",
            "/- kdl-version 2\n\nprofile a { boot mode=legacy; }\nprofile b { boot mode=UEFISecureBoot; }\n",
        );
        let rack = files.add(
            "racks/r01.kdl",
            "rack r01 {\n\thost \"hé1\" slot=1 { use a; use b; }\n}\n",
        );
        let place = |file: FileId, text: &str| {
            let at = files.text(file).find(text).expect("there") as u32;
            Span::new(at, at + text.len() as u32).in_file(file)
        };
        let finding = Diagnostic::error(
            Code(2400),
            "`boot.mode` has two values of equal rank for host hé1",
            place(rack, "use a; use b"),
            "both used in the same scope, so neither is nearer",
        )
        .label(place(profiles, "legacy"), "`legacy`, from profile `a`")
        .label(
            place(profiles, "UEFISecureBoot"),
            "`UEFISecureBoot`, from profile `b`",
        )
        .note("also affects 39 more hosts: h[2-40]")
        .help("write `boot mode=…` in this host, or mark one profile's line `(default)`")
        .fix(Fix::replace(
            "mark the line of profile `a`",
            Applicability::Unsafe,
            place(profiles, "boot"),
            "(default)boot",
        ))
        .subject(Subject {
            kind: "host",
            names: vec!["hé1".to_owned()],
            path: Some("boot.mode".to_owned()),
        });
        (files, finding)
    }

    fn full(files: &Files, finding: &Diagnostic, look: Look) -> String {
        let mut out = String::new();
        render_full(&mut out, files, std::slice::from_ref(finding), look).expect("a string");
        out
    }

    #[test]
    fn labels_may_be_in_several_files() {
        let (files, finding) = conflict();
        assert_snapshot!(full(&files, &finding, Look::default()), @r#"
        error[MF2400]: `boot.mode` has two values of equal rank for host hé1
           ╭─[racks/r01.kdl:2:22]
         1 │ rack r01 {
         2 │     host "hé1" slot=1 { use a; use b; }
           ·                         ──────┬─────
           ·                               ╰── both used in the same scope, so neither is nearer
         3 │ }
           ╰────
           ╭─[profiles.kdl:3:23]
         2 │ 
         3 │ profile a { boot mode=legacy; }
           ·                       ───┬──
           ·                          ╰── `legacy`, from profile `a`
         4 │ profile b { boot mode=UEFISecureBoot; }
           ·                       ───────┬──────
           ·                              ╰── `UEFISecureBoot`, from profile `b`
           ╰────
          help: write `boot mode=…` in this host, or mark one profile's line `(default)`
          note: also affects 39 more hosts: h[2-40]
          fix: mark the line of profile `a` (have a look before you take it)
        "#);
    }

    #[test]
    fn narrow_terminals_and_plain_ones_are_served() {
        let (files, finding) = conflict();
        let look = Look {
            width: 40,
            unicode: false,
            color: false,
        };
        let text = full(&files, &finding, look);
        assert!(
            text.chars()
                .filter(|c| !c.is_ascii())
                .all(|c| "é…".contains(c)),
            "{text}"
        );
        assert_snapshot!(text, @r#"
        error[MF2400]: `boot.mode` has two
          | values of equal rank for host hé1
           ,-[racks/r01.kdl:2:22]
         1 | rack r01 {
         2 |     host "hé1" slot=1 { use a; use b; }
           :                         ^^^^^^|^^^^^
           :                               `-- both used in the same scope, so neither is nearer
         3 | }
           `----
           ,-[profiles.kdl:3:23]
         2 | 
         3 | profile a { boot mode=legacy; }
           :                       ^^^|^^
           :                          `-- `legacy`, from profile `a`
         4 | profile b { boot mode=UEFISecureBoot; }
           :                       ^^^^^^^|^^^^^^
           :                              `-- `UEFISecureBoot`, from profile `b`
           `----
          help: write `boot mode=…` in this
                host, or mark one profile's
                line `(default)`
          note: also affects 39 more hosts:
                h[2-40]
          fix: mark the line of profile `a`
               (have a look before you take it)
        "#);
        let colored = full(
            &files,
            &finding,
            Look {
                color: true,
                ..Look::default()
            },
        );
        assert!(colored.contains("\u{1b}[31m"), "{colored}");
        assert!(!full(&files, &finding, Look::default()).contains('\u{1b}'));
    }

    #[test]
    fn a_line_each_and_json() {
        let (files, finding) = conflict();
        let found = [finding];
        let mut out = String::new();
        render_concise(&mut out, &files, &found).expect("a string");
        assert_snapshot!(out, @"racks/r01.kdl:2:22: error[MF2400] `boot.mode` has two values of equal rank for host hé1");
        let mut out = String::new();
        render_json(&mut out, &files, &found).expect("a string");
        assert_snapshot!(out, @r#"
        {
          "format_version": "1.0",
          "diagnostics": [
            {
              "code": "MF2400",
              "severity": "error",
              "message": "`boot.mode` has two values of equal rank for host hé1",
              "primary": {
                "path": "racks/r01.kdl",
                "start": {
                  "offset": 33,
                  "line": 2,
                  "column": 22
                },
                "end": {
                  "offset": 45,
                  "line": 2,
                  "column": 34
                },
                "text": "both used in the same scope, so neither is nearer"
              },
              "secondary": [
                {
                  "path": "profiles.kdl",
                  "start": {
                    "offset": 40,
                    "line": 3,
                    "column": 23
                  },
                  "end": {
                    "offset": 46,
                    "line": 3,
                    "column": 29
                  },
                  "text": "`legacy`, from profile `a`"
                },
                {
                  "path": "profiles.kdl",
                  "start": {
                    "offset": 72,
                    "line": 4,
                    "column": 23
                  },
                  "end": {
                    "offset": 86,
                    "line": 4,
                    "column": 37
                  },
                  "text": "`UEFISecureBoot`, from profile `b`"
                }
              ],
              "notes": [
                "also affects 39 more hosts: h[2-40]"
              ],
              "help": "write `boot mode=…` in this host, or mark one profile's line `(default)`",
              "fixes": [
                {
                  "title": "mark the line of profile `a`",
                  "applicability": "unsafe",
                  "edits": [
                    {
                      "path": "profiles.kdl",
                      "start": {
                        "offset": 30,
                        "line": 3,
                        "column": 13
                      },
                      "end": {
                        "offset": 34,
                        "line": 3,
                        "column": 17
                      },
                      "text": "(default)boot"
                    }
                  ]
                }
              ],
              "subject": {
                "kind": "host",
                "names": [
                  "hé1"
                ],
                "path": "boot.mode"
              }
            }
          ],
          "summary": {
            "error": 1,
            "warning": 0,
            "info": 0
          }
        }
        "#);
        let mut out = String::new();
        render_json(&mut out, &files, &[]).expect("a string");
        assert_snapshot!(out, @r#"
        {
          "format_version": "1.0",
          "diagnostics": [],
          "summary": {
            "error": 0,
            "warning": 0,
            "info": 0
          }
        }
        "#);
    }

    #[test]
    fn texts_do_not_steer_the_terminal() {
        let mut files = Files::new();
        let id = files.add("f.kdl", "a \u{1b}[31m \u{202e}b\u{9b}c\n");
        let place = Span::new(2, 3).in_file(id);
        let finding = Diagnostic::error(Code(1), "message \u{1b}[2J\n", place, "label \u{202e}")
            .note("note \u{7}")
            .help("help \u{1b}");
        let text = full(&files, &finding, Look::default());
        assert!(
            !text
                .chars()
                .any(|c| c.is_control() && c != '\n' || c == '\u{202e}'),
            "{text:?}"
        );
        assert_snapshot!(text, @r"
        error[MF0001]: message \u{1b}[2J\n
           ╭─[f.kdl:1:3]
         1 │ a ?[31m �b??c
           ·   ┬
           ·   ╰── label \u{202e}
           ╰────
          help: help \u{1b}
          note: note \u{7}
        ");
    }

    #[test]
    fn long_lines_are_cut_and_long_spans_shortened() {
        let mut files = Files::new();
        let long = format!("a {}MIDDLE {}\nnext\n", "x".repeat(5000), "y".repeat(5000));
        let id = files.add("f.kdl", long.as_str());
        let at = long.find("MIDDLE").expect("there") as u32;
        let finding = Diagnostic::error(Code(1), "m", Span::new(at, at + 6).in_file(id), "here");
        let text = full(&files, &finding, Look::default());
        assert!(text.contains("MIDDLE") && text.len() < 700, "{text}");
        assert!(text.contains("f.kdl:1:5003"), "{text}");
        let whole = Diagnostic::error(Code(1), "m", files.whole(id), "here");
        let text = full(&files, &whole, Look::default());
        assert!(text.len() < 1000, "{text}");
    }

    #[test]
    fn odd_places_do_no_harm() {
        let mut files = Files::new();
        for text in [
            "",
            "a",
            "a\n",
            "\n",
            "é",
            "a\r\nb\r",
            "\u{feff}x",
            "a\n\n\nb",
        ] {
            let id = files.add("f.kdl", text);
            for start in 0..=text.len() as u32 + 1 {
                for end in start..=text.len() as u32 + 1 {
                    let place = Span::new(start, end).in_file(id);
                    let finding = Diagnostic::warning(Code(1), "m", place, "here").label(place, "");
                    full(&files, &finding, Look::default());
                    let mut out = String::new();
                    render_json(&mut out, &files, &[finding]).expect("a string");
                }
            }
        }
    }

    #[test]
    fn findings_in_a_large_file_are_shown_at_once() {
        let mut files = Files::new();
        let text = "host r01-n01 { bmc address=x; }\n".repeat(100_000);
        let id = files.add("f.kdl", text.as_str());
        let found: Vec<_> = (0..500)
            .map(|index| Span::new(index * 6000, index * 6000 + 4).in_file(id))
            .map(|place| Diagnostic::error(Code(1), "m", place, "here"))
            .collect();
        let start = std::time::Instant::now();
        let mut out = String::new();
        render_full(&mut out, &files, &found, Look::default()).expect("a string");
        // miette's own source takes some 15 ms each, optimized.
        assert!(
            start.elapsed() < std::time::Duration::from_secs(3),
            "{:?}",
            start.elapsed()
        );
    }

    #[test]
    fn summaries_are_counted() {
        let at = Span::new(0, 0).in_file(FileId(0));
        let error = Diagnostic::error(Code(1), "", at, "");
        let warning = Diagnostic::warning(Code(1), "", at, "");
        let info = Diagnostic::info(Code(1), "", at, "");
        assert_eq!(summary(&[]), "no findings");
        assert_eq!(summary(std::slice::from_ref(&error)), "1 error");
        let all = [error.clone(), error, warning, info];
        assert_eq!(summary(&all), "2 errors, 1 warning and 1 remark");
    }
}
