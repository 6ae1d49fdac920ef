//! Findings for people: in full with the text they are about, or a line each.

use std::fmt::{self, Write};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use super::source::{Shelf, Texts};
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
            finding.message
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
        f.write_str(&self.finding.message)
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
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.shelf)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let primary = &self.finding.primary;
        let primary =
            LabeledSpan::new_primary_with_span(text(&primary.text), self.shelf.span(primary.place));
        let secondary = self.finding.secondary.iter().map(move |label| {
            LabeledSpan::new_with_span(text(&label.text), self.shelf.span(label.place))
        });
        Some(Box::new(std::iter::once(primary).chain(secondary)))
    }
}
