//! What KDL takes and nobody means, and what lacks its quotes.

use super::Source;
use crate::diag::Applicability::Unsafe;
use crate::diag::codes::syntax as codes;
use crate::diag::{Diagnostic, Edit, Fix, Span};
use crate::syntax::clump;

impl Source<'_> {
    /// MF1020.
    pub(in crate::syntax) fn cut_url(self, span: Span) -> Diagnostic {
        let shown = self.excerpt(span);
        let comment = self
            .str(span)
            .find("//")
            .map_or(span.start, |at| span.start + at as u32);
        Diagnostic::error(
            codes::CUT_URL,
            format!("the URL `{shown}` needs quotes"),
            self.place(span),
            "without quotes, a comment starts at `//`",
        )
        .note(format!(
            "KDL would read only `{}`",
            self.excerpt(Span::new(span.start, comment))
        ))
        .fix(self.quote_fix(span))
    }

    /// MF1021.
    pub(in crate::syntax) fn bare_expression(self, span: Span, closed: bool) -> Diagnostic {
        let found = Diagnostic::error(
            codes::BARE_EXPRESSION,
            "an expression needs quotes",
            self.place(span),
            "without quotes, `{` starts a child block",
        )
        .help("expressions are read inside quoted strings only: `\"${…}\"`");
        if closed {
            found.fix(self.quote_fix(span))
        } else {
            found
        }
    }

    /// MF1022.
    pub(in crate::syntax) fn bare_comparison(self, span: Span, key: Span) -> Diagnostic {
        let quoted = clump::quote(&self.shown(span));
        Diagnostic::error(
            codes::BARE_COMPARISON,
            "a comparison needs quotes",
            self.place(span),
            format!("KDL reads a property named `{}`", self.excerpt(key)),
        )
        .help(format!("write `{quoted}`"))
        .fix(self.quote_fix(span))
    }

    /// MF1023.
    pub(in crate::syntax) fn duplicate_property(
        self,
        key: &str,
        again: Span,
        first: Span,
    ) -> Diagnostic {
        Diagnostic::error(
            codes::DUPLICATE_PROPERTY,
            format!("property `{key}` is written twice"),
            self.place(again),
            "again here",
        )
        .label(self.place(first), "first here")
        .help("KDL would silently keep the last; remove one")
    }

    /// MF1025, for a run of text.
    pub(in crate::syntax) fn needs_quotes(self, span: Span) -> Diagnostic {
        let source = self.str(span);
        let culprit = source
            .chars()
            .find(|c| matches!(c, '/' | '[' | ']' | '(' | ')' | '\\' | '#' | '='));
        let label = match culprit {
            Some(c) => format!("`{c}` cannot stand in text without quotes"),
            None => "cannot stand without quotes".to_owned(),
        };
        let found = Diagnostic::error(
            codes::NEEDS_QUOTES,
            format!("`{}` needs quotes", self.excerpt(span)),
            self.place(span),
            label,
        );
        if source.starts_with('[') {
            let help = "if a list is meant: values stand behind each other, without brackets";
            return found.help(help).fix(self.quote_fix(span));
        }
        found.fix(self.quote_fix(span))
    }

    /// MF1025, for a key that reads as a number.
    pub(in crate::syntax) fn number_as_name(self, span: Span) -> Diagnostic {
        Diagnostic::error(
            codes::NEEDS_QUOTES,
            format!("the name `{}` needs quotes", self.excerpt(span)),
            self.place(span),
            "starts like a number, and numbers cannot be names",
        )
        .fix(self.quote_fix(span))
    }

    /// MF1030: `r"…"`.
    pub(in crate::syntax) fn old_raw_string(self, letter: Span, string: Span) -> Diagnostic {
        let edit = |span, text: &str| Edit {
            place: self.place(span),
            text: text.to_owned(),
        };
        let edits = if self.str(string).starts_with('#') {
            vec![edit(letter, "")]
        } else {
            vec![edit(letter, "#"), edit(Span::point(string.end), "#")]
        };
        Diagnostic::error(
            codes::OLD_KDL,
            "`r\"…\"` is a raw string of KDL 1",
            self.place(letter.to(string)),
            "KDL 2 writes `#\"…\"#`",
        )
        .fix(Fix {
            title: "write it as KDL 2 does".to_owned(),
            applicability: Unsafe,
            edits,
        })
    }

    /// MF1030: the marker says another version.
    pub(in crate::syntax) fn old_version(self, number: Span) -> Diagnostic {
        Diagnostic::error(
            codes::OLD_KDL,
            format!(
                "the file says that it is KDL {}, and KDL 2 is read",
                self.str(number)
            ),
            self.place(number),
            "not version 2",
        )
        .note("the file is read as KDL 2; what else is reported is what has changed")
        .help("set the version to 2 and make the fixes that are offered")
        .fix(Fix::replace(
            "set the version to 2",
            Unsafe,
            self.place(number),
            "2",
        ))
    }
}
