//! What is wrong with words: keywords, numbers, what lacks its quotes.

use super::Source;
use crate::diag::Applicability::Safe;
use crate::diag::codes::syntax as codes;
use crate::diag::{Diagnostic, Edit, Fix, Span, suggest};
use crate::syntax::clump::{self, Shape};

/// How far from a place an expression around it is looked for, in bytes.
const REACH: usize = 1000;

impl Source<'_> {
    /// MF1004, for a value. `word` is one of KDL's keywords without its `#`.
    pub(in crate::syntax) fn bare_keyword(self, span: Span) -> Diagnostic {
        let word = self.str(span);
        Diagnostic::error(
            codes::BARE_KEYWORD,
            format!("`{word}` needs a `#` in KDL 2"),
            self.place(span),
            format!("write `#{word}`"),
        )
        .help(format!("write `#{word}`, or `\"{word}\"` if text is meant"))
        .fix(Fix::replace(
            format!("write `#{word}`"),
            Safe,
            self.place(span),
            format!("#{word}"),
        ))
    }

    /// MF1004, for a name.
    pub(in crate::syntax) fn keyword_as_name(self, span: Span) -> Diagnostic {
        let word = self.str(span);
        Diagnostic::error(
            codes::BARE_KEYWORD,
            format!("`{word}` as a name needs quotes"),
            self.place(span),
            "a keyword cannot be a name",
        )
        .help(format!("write `\"{word}\"`"))
        .fix(self.quote_fix(span))
    }

    /// MF1005.
    pub(in crate::syntax) fn missing_value(self, key: Span, equals: Span) -> Diagnostic {
        let name = self.excerpt(key);
        Diagnostic::error(
            codes::MISSING_VALUE,
            format!("property `{name}` has no value"),
            self.place(key.to(equals)),
            "a value has to follow the `=`",
        )
        .help(format!(
            "write `{name}=\"…\"`, or `{name}=#null` for nothing"
        ))
    }

    /// MF1006, between two tokens that meet at `at`.
    pub(in crate::syntax) fn missing_space(self, before: Span, after: Span) -> Diagnostic {
        let at = self.place(Span::point(after.start));
        Diagnostic::error(
            codes::MISSING_SPACE,
            "a space is missing between two values",
            self.place(after),
            "needs a space before it",
        )
        .label(self.place(before), "ends here")
        .help("put a space between them, or quotes around both if they are one text")
        .fix(Fix::replace("insert a space", Safe, at, " "))
    }

    /// The expression that opens before `at` in the same line and is not closed there: from its `${`
    /// to its `}`, or to the end of the line where there is none.
    pub(in crate::syntax) fn expression_around(self, at: u32) -> Option<Span> {
        let (before, after) = self.text.split_at_checked(at as usize)?;
        // A line may hold a million mistakes.
        let first = before.ceil_char_boundary(before.len().saturating_sub(REACH));
        let after = &after[..after.floor_char_boundary(REACH)];
        let line = before[first..]
            .rfind('\n')
            .map_or(first, |end| first + end + 1);
        let open = line + before[line..].rfind("${")?;
        if before[open..].contains('}') {
            return None;
        }
        let rest = after.split(['\n', '\r']).next().unwrap_or_default();
        let close = rest.find('}').map_or(rest.len(), |close| close + 1);
        Some(Span::new(open as u32, at + close as u32))
    }

    /// MF1006, for a string in double quotes inside an expression, which ends the text around it.
    pub(in crate::syntax) fn quotes_in_expression(
        self,
        expression: Span,
        after: Span,
    ) -> Diagnostic {
        let finding = Diagnostic::error(
            codes::MISSING_SPACE,
            "a string inside `${…}` takes single quotes",
            self.place(after),
            "the `\"` before it ends the text",
        )
        .help("write it as in `${mac('52:54:00:00:00:00', host.slot)}`");
        let quotes = self.str(expression).match_indices('"');
        let edits: Vec<Edit> = quotes
            .map(|(at, _)| {
                let at = expression.start + at as u32;
                Edit {
                    place: self.place(Span::new(at, at + 1)),
                    text: "'".to_owned(),
                }
            })
            .collect();
        if edits.len() % 2 == 1 || !self.str(expression).ends_with('}') {
            return finding;
        }
        finding.fix(Fix {
            title: "write single quotes".to_owned(),
            applicability: Safe,
            edits,
        })
    }

    /// MF1007 and MF1008: a word that starts like a number.
    pub(in crate::syntax) fn malformed_number(self, span: Span) -> Diagnostic {
        let word = self.str(span);
        let shown = self.excerpt(span);
        let (code, message, label) = match clump::shape(word) {
            Shape::Mac => (
                codes::MAC_AS_NUMBER,
                format!("the MAC address `{shown}` needs quotes"),
                "starts with a digit, so KDL reads a number",
            ),
            Shape::Address => (
                codes::MALFORMED_NUMBER,
                format!("the IP address `{shown}` needs quotes"),
                "KDL reads a number with too many points",
            ),
            Shape::Size => (
                codes::MALFORMED_NUMBER,
                format!("the size `{shown}` needs quotes"),
                "a number cannot carry its unit",
            ),
            Shape::Duration => (
                codes::MALFORMED_NUMBER,
                format!("the duration `{shown}` needs quotes"),
                "a number cannot carry its unit",
            ),
            Shape::Date => (
                codes::MALFORMED_NUMBER,
                format!("the date `{shown}` needs quotes"),
                "starts with a digit, so KDL reads a number",
            ),
            Shape::Version => (
                codes::MALFORMED_NUMBER,
                format!("the version `{shown}` needs quotes"),
                "KDL reads a number with too many points",
            ),
            Shape::NoWhole => {
                return self.almost_a_number(span, "a digit has to stand before the point");
            }
            Shape::NoFraction => {
                return self.almost_a_number(span, "a digit has to stand after the point");
            }
            Shape::Comma => {
                return self.almost_a_number(span, "spaces separate values, not commas");
            }
            Shape::Radix => (
                codes::MALFORMED_NUMBER,
                format!("`{shown}` has digits that do not go with its base"),
                "0x takes 0 to f, 0o takes 0 to 7, 0b takes 0 and 1",
            ),
            Shape::Other => (
                codes::MALFORMED_NUMBER,
                format!("`{shown}` is no number"),
                "starts like a number, so KDL does not take it for text",
            ),
        };
        let mut found =
            Diagnostic::error(code, message, self.place(span), label).fix(self.quote_fix(span));
        if word.len() <= 60 {
            let quoted = clump::quote(&self.shown(span));
            found = found.help(format!("write `{quoted}`"));
        }
        found
    }

    /// MF1007, where the number that was meant is plain.
    fn almost_a_number(self, span: Span, label: &str) -> Diagnostic {
        let word = self.str(span);
        let shown = self.shown(span);
        let found = Diagnostic::error(
            codes::MALFORMED_NUMBER,
            format!("`{shown}` is no number"),
            self.place(span),
            label,
        );
        match clump::repaired(word) {
            Some(better) if shown == word => found.fix(Fix::replace(
                format!("write `{better}`"),
                Safe,
                self.place(span),
                better,
            )),
            _ => found.fix(self.quote_fix(span)),
        }
    }

    /// MF1009. Returns the finding and the keyword that was probably meant.
    pub(in crate::syntax) fn unknown_keyword(
        self,
        span: Span,
    ) -> (Diagnostic, Option<&'static str>) {
        const KEYWORDS: [&str; 6] = ["#true", "#false", "#null", "#inf", "#-inf", "#nan"];
        let word = self.str(span);
        let meant = match word.to_ascii_lowercase().as_str() {
            "#yes" | "#on" | "#enabled" => Some("#true"),
            "#no" | "#off" | "#disabled" => Some("#false"),
            "#none" | "#nil" | "#undefined" => Some("#null"),
            "#infinity" | "#+inf" => Some("#inf"),
            "#-infinity" => Some("#-inf"),
            _ => suggest::similar(word, KEYWORDS).map(|found| found.word),
        };
        let shown = self.excerpt(span);
        let mut found = Diagnostic::error(
            codes::UNKNOWN_KEYWORD,
            format!("there is no keyword `{shown}`"),
            self.place(span),
            meant.map_or_else(String::new, |meant| format!("did you mean `{meant}`?")),
        );
        match meant {
            Some(meant) => {
                found = found
                    .help(format!("did you mean `{meant}`?"))
                    .fix(Fix::replace(
                        format!("write `{meant}`"),
                        Safe,
                        self.place(span),
                        meant,
                    ));
            }
            None => {
                found = found.help(
                    "keywords are `#true`, `#false`, `#null`, `#inf`, `#-inf` and `#nan`; text that starts with `#` needs quotes",
                );
            }
        }
        (found, meant)
    }

    /// MF1009: a `#` that was meant to start a comment.
    pub(in crate::syntax) fn hash_comment(self, hash: Span) -> Diagnostic {
        Diagnostic::error(
            codes::UNKNOWN_KEYWORD,
            "comments start with `//`, not with `#`",
            self.place(hash),
            "starts a keyword such as `#true`",
        )
        .fix(Fix::replace("write `//`", Safe, self.place(hash), "//"))
    }
}
