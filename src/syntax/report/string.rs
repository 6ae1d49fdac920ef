//! What is wrong with strings and comments.

use std::ops::Range;

use super::Source;
use crate::diag::Applicability::{Safe, Unsafe};
use crate::diag::codes::syntax as codes;
use crate::diag::{Diagnostic, Edit, Fix, Span};
use crate::syntax::scan::{Kind, Token};
use crate::syntax::string::Fault;

impl Source<'_> {
    /// MF1003.
    pub(in crate::syntax) fn unclosed_text(self, token: Token) -> Diagnostic {
        let span = token.span();
        let hashes = self
            .str(span)
            .bytes()
            .take_while(|&byte| byte == b'#')
            .count();
        let opener = |len: u32| Span::new(span.start, (span.start + len).min(span.end));
        let hash_text = "#".repeat(hashes);
        match token.kind {
            Kind::BlockComment => Diagnostic::error(
                codes::UNCLOSED_TEXT,
                "the comment is not closed",
                self.place(opener(2)),
                "starts here and goes on to the end of the file",
            )
            .help("add `*/`; comments nest, so each `/*` needs its own"),
            Kind::Quoted if self.str(span).contains('\n') => Diagnostic::error(
                codes::UNCLOSED_TEXT,
                "the string goes on over the end of its line",
                self.place(opener(1)),
                "starts here",
            )
            .label(self.place(Span::new(span.end - 1, span.end)), "ends here")
            .help("text of several lines stands between `\"\"\"` and `\"\"\"`, each on a line end of its own"),
            Kind::Quoted => Diagnostic::error(
                codes::UNCLOSED_TEXT,
                "the string is not closed",
                self.place(opener(1)),
                "has no closing `\"` on its line",
            )
            .help("add the closing `\"`"),
            Kind::Raw => Diagnostic::error(
                codes::UNCLOSED_TEXT,
                "the raw string is not closed",
                self.place(opener(hashes as u32 + 1)),
                format!("has no `\"{hash_text}` on its line"),
            )
            .help(format!("end it with `\"{hash_text}`: as many `#` as it starts with")),
            _ => Diagnostic::error(
                codes::UNCLOSED_TEXT,
                "the multi-line string is not closed",
                self.place(opener(hashes as u32 + 3)),
                format!("has no `\"\"\"{hash_text}`"),
            )
            .help(format!("end it with `\"\"\"{hash_text}` on a line of its own")),
        }
    }

    /// MF1010 and MF1011: what is wrong inside the string `token`, at most one finding of a kind.
    pub(in crate::syntax) fn string_faults(
        self,
        token: Token,
        faults: &[Fault],
    ) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let escapes: Vec<_> = faults
            .iter()
            .filter_map(|fault| match fault {
                Fault::UnknownEscape(range) | Fault::BadCodePoint(range) => Some((fault, range)),
                _ => None,
            })
            .collect();
        if let Some((first, range)) = escapes.first() {
            found.push(self.unknown_escape(first, range, escapes.len() - 1));
        }
        for fault in faults {
            match fault {
                Fault::OpeningLine(range) => found.push(self.opening_line(token, range)),
                Fault::ClosingLine(range) => found.push(self.closing_line(token, range)),
                _ => {}
            }
        }
        if let Some(finding) = self.indentation(token, faults) {
            found.push(finding);
        }
        found
    }

    fn unknown_escape(self, fault: &Fault, range: &Range<usize>, more: usize) -> Diagnostic {
        let place = self.range(range);
        let shown = self.excerpt(place.span);
        let mut found = if matches!(fault, Fault::BadCodePoint(_)) {
            Diagnostic::error(
                codes::UNKNOWN_ESCAPE,
                format!("`{shown}` names no character"),
                place,
                "write `\\u{…}` with one to six hexadecimal digits",
            )
            .help("the number has to be a Unicode scalar value: 0 to 10FFFF without D800 to DFFF")
        } else {
            Diagnostic::error(
                codes::UNKNOWN_ESCAPE,
                format!("there is no escape `{shown}`"),
                place,
                "not an escape",
            )
            .help("write `\\\\` for a backslash, or use a raw string: `#\"…\"#`")
        };
        if more > 0 {
            found = found.note(format!("{more} more in this string"));
        }
        found
    }

    fn opening_line(self, token: Token, quotes: &Range<usize>) -> Diagnostic {
        let span = token.span();
        let source = self.str(span);
        let found = Diagnostic::error(
            codes::MULTILINE_STRING,
            "`\"\"\"` must be the last thing on its line",
            self.range(quotes),
            "the text starts on the next line",
        );
        if let Some((_, last)) = source.rsplit_once('\n') {
            // The new line starts as the closing one does.
            let indentation = &last[..last.len() - last.trim_start().len()];
            let at = self.place(Span::point(quotes.end as u32));
            let text = format!("\n{indentation}");
            return found.fix(Fix::replace("start a new line", Unsafe, at, text));
        }
        let hashes = source.bytes().take_while(|&byte| byte == b'#').count();
        let body = source.get(hashes + 3..source.len().saturating_sub(hashes + 3));
        match body {
            Some(body) if !body.contains('"') => found
                .help("a text of one line needs only one quote on each side")
                .fix(self.one_quote(span, hashes as u32)),
            _ => found,
        }
    }

    /// Takes two of three quotes away on each side.
    fn one_quote(self, string: Span, hashes: u32) -> Fix {
        let (start, end) = (string.start + hashes, string.end - hashes);
        let edits = [Span::new(start, start + 2), Span::new(end - 2, end)].map(|quotes| Edit {
            place: self.place(quotes),
            text: String::new(),
        });
        Fix {
            title: "use one quote".to_owned(),
            applicability: Safe,
            edits: edits.into(),
        }
    }

    fn closing_line(self, token: Token, line: &Range<usize>) -> Diagnostic {
        let span = token.span();
        let quotes = Span::new(line.end as u32, span.end);
        let text = &self.text[line.clone()];
        let indentation = &text[..text.len() - text.trim_start().len()];
        let kept = text.trim_end().len();
        let gap = Span::new((line.start + kept) as u32, line.end as u32);
        let found = Diagnostic::error(
            codes::MULTILINE_STRING,
            "the closing `\"\"\"` must stand on a line of its own",
            self.place(quotes),
            "text stands before it",
        )
        .help("its indentation is what every line loses");
        if text.trim_end().ends_with('\\') {
            return found;
        }
        found.fix(Fix::replace(
            "move it to a new line",
            Safe,
            self.place(gap),
            format!("\n{indentation}"),
        ))
    }

    fn indentation(self, token: Token, faults: &[Fault]) -> Option<Diagnostic> {
        let lines: Vec<_> = faults
            .iter()
            .filter_map(|fault| match fault {
                Fault::Indentation { found, wanted } => Some((found, wanted)),
                _ => None,
            })
            .collect();
        let (first, wanted) = *lines.first()?;
        let same_kind = self.text[first.clone()].chars().all(|c| c == ' ')
            == self.text[wanted.clone()].chars().all(|c| c == ' ');
        let label = if same_kind || first.is_empty() {
            "is indented less than the closing quotes"
        } else {
            "mixes tabs and spaces with the closing quotes' line"
        };
        let line_end = self.text[first.end..]
            .find(['\n', '\r'])
            .map_or(self.text.len(), |at| first.end + at);
        let shown = Span::new(first.start as u32, line_end.min(token.end as usize) as u32);
        let mut found = Diagnostic::error(
            codes::MULTILINE_STRING,
            "a line does not start with the white space of the closing quotes",
            self.place(shown),
            label,
        )
        .label(
            self.place(Span::new(wanted.start as u32, token.end)),
            "every line has to start with the white space before these quotes",
        );
        if lines.len() > 1 {
            found = found.note(format!("{} more lines", lines.len() - 1));
        }
        let indent = &self.text[wanted.clone()];
        let edits = lines
            .iter()
            .map(|(range, _)| Edit {
                place: self.range(range),
                text: indent.to_owned(),
            })
            .collect();
        Some(found.fix(Fix {
            title: "indent as the closing quotes are".to_owned(),
            applicability: Safe,
            edits,
        }))
    }
}
