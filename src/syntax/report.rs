//! The words for what the reader finds. Each function makes one diagnostic; none decides anything
//! about recovery.

use super::clump::{self, Shape};
use super::scan::{Kind, Token};
use super::script::Oddity;
use super::string::Fault;
use crate::diag::codes::{limits, syntax as codes};
use crate::diag::{Applicability, Diagnostic, Edit, FileId, Fix, Place, Span, suggest};

/// A text and its file, for messages that quote it.
#[derive(Clone, Copy)]
pub(super) struct Source<'t> {
    pub(super) file: FileId,
    pub(super) text: &'t str,
}

use Applicability::{Safe, Unsafe};

impl<'t> Source<'t> {
    fn place(self, span: Span) -> Place {
        span.in_file(self.file)
    }

    fn range(self, range: &std::ops::Range<usize>) -> Place {
        self.place(Span::new(range.start as u32, range.end as u32))
    }

    fn str(self, span: Span) -> &'t str {
        &self.text[span.range()]
    }

    /// The text at `span`, shortened so that a message stays a line.
    fn excerpt(self, span: Span) -> String {
        const MOST: usize = 40;
        let text = self.str(span);
        let line = text.lines().next().unwrap_or_default();
        let mut kept: String = line.chars().take(MOST).collect();
        if kept.len() < text.len() {
            kept.push('…');
        }
        kept
    }

    fn quote_fix(self, span: Span) -> Fix {
        let quoted = clump::quote(self.str(span));
        Fix::replace("quote it", Safe, self.place(span), quoted)
    }

    /// MF1001. `around` is how many blocks around it are open, too; `taken` is a `}` that closed
    /// it although it visibly belongs to another block.
    pub(super) fn unclosed_block(
        self,
        brace: Span,
        name: Span,
        around: usize,
        taken: Option<Span>,
    ) -> Diagnostic {
        let block = if name.is_empty() {
            "block".to_owned()
        } else {
            format!("block of `{}`", self.excerpt(name))
        };
        let mut found = Diagnostic::error(
            codes::UNCLOSED_BLOCK,
            format!("the {block} is not closed"),
            self.place(brace),
            "this `{` has no `}`",
        );
        if !name.is_empty() {
            found = found.label(self.place(name), "the node it belongs to");
        }
        if let Some(taken) = taken {
            found = found.label(
                self.place(taken),
                "this `}` closes it, but stands further left and looks like another block's",
            );
        }
        if around > 0 {
            let blocks = if around == 1 { "block" } else { "blocks" };
            found = found.note(format!(
                "{around} more {blocks} around it open at the end of the file"
            ));
        }
        found.help("add the missing `}`")
    }

    /// MF1002.
    pub(super) fn unexpected_close(self, brace: Span, last: Option<(Span, Span)>) -> Diagnostic {
        let mut found = Diagnostic::error(
            codes::UNEXPECTED_CLOSE,
            "`}` closes nothing",
            self.place(brace),
            "no block is open here",
        );
        if let Some((name, close)) = last {
            found = found.label(
                self.place(close),
                format!(
                    "the block of `{}` is closed here already",
                    self.excerpt(name)
                ),
            );
        }
        found.help("remove it, or find the `{` that is missing")
    }

    /// MF1003.
    pub(super) fn unclosed_text(self, token: Token) -> Diagnostic {
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

    /// MF1004, for a value. `word` is one of KDL's keywords without its `#`.
    pub(super) fn bare_keyword(self, span: Span) -> Diagnostic {
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
    pub(super) fn keyword_as_name(self, span: Span) -> Diagnostic {
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
    pub(super) fn missing_value(self, key: Span, equals: Span) -> Diagnostic {
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
    pub(super) fn missing_space(self, before: Span, after: Span) -> Diagnostic {
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

    /// MF1007 and MF1008: a word that starts like a number.
    pub(super) fn malformed_number(self, span: Span) -> Diagnostic {
        let word = self.str(span);
        let shown = self.excerpt(span);
        let quoted = clump::quote(word);
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
            found = found.help(format!("write `{quoted}`"));
        }
        found
    }

    /// MF1007, where the number that was meant is plain.
    fn almost_a_number(self, span: Span, label: &str) -> Diagnostic {
        let word = self.str(span);
        let better = clump::repaired(word).unwrap_or_else(|| word.to_owned());
        let title = format!("write `{better}`");
        Diagnostic::error(
            codes::MALFORMED_NUMBER,
            format!("`{word}` is no number"),
            self.place(span),
            label,
        )
        .fix(Fix::replace(title, Safe, self.place(span), better))
    }

    /// MF1009. Returns the finding and the keyword that was probably meant.
    pub(super) fn unknown_keyword(self, span: Span) -> (Diagnostic, Option<&'static str>) {
        const KEYWORDS: [&str; 6] = ["#true", "#false", "#null", "#inf", "#-inf", "#nan"];
        let word = self.str(span);
        let meant = match word.to_ascii_lowercase().as_str() {
            "#yes" | "#on" | "#enabled" => Some("#true"),
            "#no" | "#off" | "#disabled" => Some("#false"),
            "#none" | "#nil" | "#undefined" => Some("#null"),
            "#infinity" | "#+inf" => Some("#inf"),
            "#-infinity" => Some("#-inf"),
            _ => suggest::similar(word, KEYWORDS),
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
    pub(super) fn hash_comment(self, hash: Span) -> Diagnostic {
        Diagnostic::error(
            codes::UNKNOWN_KEYWORD,
            "comments start with `//`, not with `#`",
            self.place(hash),
            "starts a keyword such as `#true`",
        )
        .fix(Fix::replace("write `//`", Safe, self.place(hash), "//"))
    }

    /// MF1010 and MF1011: what is wrong inside the string `token`, at most one finding of a kind.
    pub(super) fn string_faults(self, token: Token, faults: &[Fault]) -> Vec<Diagnostic> {
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

    fn unknown_escape(
        self,
        fault: &Fault,
        range: &std::ops::Range<usize>,
        more: usize,
    ) -> Diagnostic {
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

    fn opening_line(self, token: Token, quotes: &std::ops::Range<usize>) -> Diagnostic {
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
                .fix(Fix::replace(
                    "use one quote",
                    Safe,
                    self.place(span),
                    format!("{0}\"{body}\"{0}", &source[..hashes]),
                )),
            _ => found,
        }
    }

    fn closing_line(self, token: Token, line: &std::ops::Range<usize>) -> Diagnostic {
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

    /// MF1012.
    pub(super) fn nesting(self, brace: Span, limit: usize) -> Diagnostic {
        Diagnostic::error(
            codes::NESTING,
            format!("blocks are nested more than {limit} deep"),
            self.place(brace),
            "this block and what is in it are not read",
        )
        .help("a fleet needs a handful of levels; look for braces that are never closed")
    }

    /// MF1013, for a run of code points in a token of `kind`.
    pub(super) fn disallowed(self, span: Span, kind: Kind) -> Diagnostic {
        let c = self.str(span).chars().next().unwrap_or_default();
        let number = c as u32;
        let what = match c {
            '\u{feff}' => "a byte order mark inside the text",
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                "a control that makes text show in another order than it is read"
            }
            _ => "a control character",
        };
        let escaped: String = self
            .str(span)
            .chars()
            .map(|c| format!("\\u{{{:X}}}", c as u32))
            .collect();
        let found = Diagnostic::error(
            codes::DISALLOWED_CHARACTER,
            format!("U+{number:04X} is not allowed: {what}"),
            self.place(span),
            "does not show, but is here",
        );
        match kind {
            Kind::Quoted | Kind::Multiline => found
                .help(format!("if the string needs it, write `{escaped}`"))
                .fix(Fix::replace(
                    "write it as an escape",
                    Safe,
                    self.place(span),
                    escaped,
                )),
            Kind::Raw | Kind::RawMultiline => {
                found.fix(Fix::replace("remove it", Unsafe, self.place(span), ""))
            }
            _ => found.fix(Fix::replace("remove it", Safe, self.place(span), "")),
        }
    }

    /// MF1014.
    pub(super) fn confusable(self, span: Span, oddity: Oddity) -> Diagnostic {
        let shown = self.excerpt(span);
        let (message, label) = match oddity {
            Oddity::Invisible(c) => (
                format!(
                    "`{shown}` has a character that does not show: U+{:04X}",
                    c as u32
                ),
                "another name than it seems".to_owned(),
            ),
            Oddity::Mixed {
                letter,
                script,
                looks_like,
            } => (
                format!("`{shown}` mixes Latin letters with {script} ones"),
                match looks_like {
                    Some(latin) => {
                        format!(
                            "`{letter}` (U+{:04X}) is not the Latin `{latin}`",
                            letter as u32
                        )
                    }
                    None => format!("`{letter}` (U+{:04X}) is not Latin", letter as u32),
                },
            ),
            Oddity::Lookalike(script) => (
                format!("`{shown}` looks Latin but is {script}"),
                "another name than it seems".to_owned(),
            ),
        };
        Diagnostic::warning(codes::CONFUSABLE, message, self.place(span), label)
            .help("type the word anew if that was not meant")
    }

    /// MF1015, for something after a block.
    pub(super) fn after_block(self, extra: Span, block: Span, dashed: bool) -> Diagnostic {
        let found = Diagnostic::error(
            codes::AFTER_BLOCK,
            "nothing can follow a child block on its line",
            self.place(extra),
            "stands after the block",
        )
        .label(
            self.place(Span::new(block.end - 1, block.end)),
            "the block ends here",
        );
        if dashed {
            found.help(
                "a block that is commented out counts, too: values and properties stand before it",
            )
        } else {
            found.help("start a new line before it, or move it in front of the block")
        }
    }

    /// MF1015, for a second block.
    pub(super) fn second_block(self, brace: Span, first: Span) -> Diagnostic {
        Diagnostic::error(
            codes::AFTER_BLOCK,
            "a node has one child block at most",
            self.place(brace),
            "a second block starts here",
        )
        .label(
            self.place(Span::new(first.start, first.start + 1)),
            "the first one starts here",
        )
        .help("put all children into one block")
    }

    /// MF1016: a `{` on a line of its own after the node `before`.
    pub(super) fn brace_on_next_line(self, brace: Span, before: Span, name: Span) -> Diagnostic {
        let gap = self.place(Span::new(before.end, brace.start));
        let plain = self.str(gap.span).trim().is_empty();
        let found = Diagnostic::error(
            codes::MISSING_NAME,
            "a `{` must stand on the line of its node",
            self.place(brace),
            "a block without a node",
        )
        .label(
            self.place(name),
            "the node it is meant for ends with its line",
        );
        if plain {
            found.fix(Fix::replace("move it to the node's line", Safe, gap, " "))
        } else {
            found
        }
    }

    /// MF1016: no name where a node has to start.
    pub(super) fn missing_name(self, token: Token) -> Diagnostic {
        let span = token.span();
        let (message, help) = match token.kind {
            Kind::OpenBrace => (
                "a block needs a node that it belongs to",
                "write a name before the `{`",
            ),
            Kind::Semicolon => ("there is no node before this `;`", "remove it"),
            Kind::Equals => (
                "there is no name before this `=`",
                "a line starts with a node's name; properties follow as `key=value`",
            ),
            Kind::Keyword => (
                "a keyword cannot be a node's name",
                "a line starts with a node's name; values follow it",
            ),
            Kind::End | Kind::Newline | Kind::CloseBrace | Kind::LineComment => {
                ("a node's name is missing", "write the name")
            }
            _ => (
                "a node has to start with a name",
                "put the name in quotes if it is one",
            ),
        };
        let span = if span.is_empty() {
            span
        } else {
            clump::first_char(self.text, span)
        };
        let found = Diagnostic::error(
            codes::MISSING_NAME,
            message,
            self.place(span),
            "a name is expected here",
        )
        .help(help);
        if token.kind == Kind::Semicolon {
            found.fix(Fix::replace("remove it", Safe, self.place(span), ""))
        } else {
            found
        }
    }

    /// MF1016: `name = value`, where KDL writes `name value`.
    pub(super) fn stray_equals(self, equals: Span, name: Span) -> Diagnostic {
        let shown = self.excerpt(name);
        Diagnostic::error(
            codes::MISSING_NAME,
            format!("`{shown}` is the node's name here, so `=` has no key"),
            self.place(equals),
            "no `=` between a node and its value",
        )
        .help(format!("write `{shown} …` without `=`"))
        .fix(Fix::replace(
            "remove the `=`",
            Unsafe,
            self.place(equals),
            " ",
        ))
    }

    /// MF1016: `=` after a whole value.
    pub(super) fn equals_after_value(self, equals: Span) -> Diagnostic {
        Diagnostic::error(
            codes::MISSING_NAME,
            "there is no key before this `=`",
            self.place(equals),
            "only a name can stand before `=`",
        )
    }

    /// MF1017.
    pub(super) fn annotation(self, span: Span, message: &str, help: &str) -> Diagnostic {
        Diagnostic::error(codes::MALFORMED_ANNOTATION, message, self.place(span), "").help(help)
    }

    /// MF1018.
    pub(super) fn stray_backslash(self, span: Span) -> Diagnostic {
        Diagnostic::error(
            codes::STRAY_BACKSLASH,
            "`\\` must be the last thing on its line",
            self.place(span),
            "continues the line, but the line goes on here",
        )
        .help("remove it, or put quotes around the text that it belongs to")
    }

    /// MF1019: `/-` with nothing to comment out.
    pub(super) fn stray_slashdash(self, span: Span) -> Diagnostic {
        Diagnostic::error(
            codes::STRAY_SLASHDASH,
            "`/-` comments out nothing",
            self.place(span),
            "a node, value, property or block has to follow",
        )
        .help("remove it")
    }

    /// MF1019: `/-` in the middle of something.
    pub(super) fn slashdash_inside(self, span: Span) -> Diagnostic {
        Diagnostic::error(
            codes::STRAY_SLASHDASH,
            "`/-` cannot stand here",
            self.place(span),
            "comments out whole nodes, values, properties and blocks only",
        )
        .help("put it before the annotation or key, so that it covers all of it")
    }

    /// MF1020.
    pub(super) fn cut_url(self, span: Span) -> Diagnostic {
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
    pub(super) fn bare_expression(self, span: Span, closed: bool) -> Diagnostic {
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
    pub(super) fn bare_comparison(self, span: Span, key: Span) -> Diagnostic {
        let quoted = clump::quote(self.str(span));
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
    pub(super) fn duplicate_property(self, key: &str, again: Span, first: Span) -> Diagnostic {
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
    pub(super) fn needs_quotes(self, span: Span) -> Diagnostic {
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
    pub(super) fn number_as_name(self, span: Span) -> Diagnostic {
        Diagnostic::error(
            codes::NEEDS_QUOTES,
            format!("the name `{}` needs quotes", self.excerpt(span)),
            self.place(span),
            "starts like a number, and numbers cannot be names",
        )
        .fix(self.quote_fix(span))
    }

    /// MF1030: `r"…"`.
    pub(super) fn old_raw_string(self, letter: Span, string: Span) -> Diagnostic {
        let source = self.str(string);
        let better = if source.starts_with('#') {
            source.to_owned()
        } else {
            format!("#{source}#")
        };
        Diagnostic::error(
            codes::OLD_KDL,
            "`r\"…\"` is a raw string of KDL 1",
            self.place(letter.to(string)),
            "KDL 2 writes `#\"…\"#`",
        )
        .fix(Fix::replace(
            "write it as KDL 2 does",
            Unsafe,
            self.place(letter.to(string)),
            better,
        ))
    }

    /// MF1030: the marker says another version.
    pub(super) fn old_version(self, number: Span) -> Diagnostic {
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

    /// MF1031.
    pub(super) fn missing_version(self, at: u32) -> Diagnostic {
        let place = self.place(Span::point(at));
        Diagnostic::warning(
            codes::MISSING_VERSION,
            "the file does not say which KDL it is",
            place,
            "`/- kdl-version 2` is expected as the first line",
        )
        .fix(Fix::replace(
            "add `/- kdl-version 2`",
            Safe,
            place,
            "/- kdl-version 2\n",
        ))
    }

    /// MF9005.
    pub(super) fn long_string(self, span: Span, len: usize, limit: usize) -> Diagnostic {
        Diagnostic::error(
            limits::STRING,
            format!("the string has {len} bytes; {limit} are allowed"),
            self.place(clump::first_char(self.text, span)),
            "starts here",
        )
        .help("keep long texts (user data, certificates) in a secret or a file of their own")
    }

    /// MF9007.
    pub(super) fn too_many(self, at: Span, limit: usize) -> Diagnostic {
        Diagnostic::error(
            limits::DIAGNOSTICS,
            format!("more than {limit} findings in this file; the rest is not shown"),
            self.place(at),
            "shown up to here",
        )
    }
}
