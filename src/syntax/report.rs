//! The words for what the reader finds. Each function makes one diagnostic; none decides anything
//! about recovery.

mod string;
mod trap;
mod word;

use std::borrow::Cow;

use super::clump;
use super::scan::{Kind, Token};
use super::script::{self, Oddity};
use crate::diag::Applicability::{Safe, Unsafe};
use crate::diag::codes::{limits, syntax as codes};
use crate::diag::{Diagnostic, Edit, FileId, Fix, Place, Span, veiled_at};

/// A text and its file, for messages that quote it.
#[derive(Clone, Copy)]
pub(super) struct Source<'t> {
    pub(super) file: FileId,
    pub(super) text: &'t str,
    /// Whether the cap on findings is met: no words are looked for then.
    pub(super) is_spent: bool,
}

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

    /// The text at `span`, without what looks like a password.
    fn shown(self, span: Span) -> Cow<'t, str> {
        if self.is_spent {
            return Cow::Borrowed("");
        }
        veiled_at(self.text, span.range())
    }

    /// The text at `span` as it is shown, shortened so that a message stays a line.
    fn excerpt(self, span: Span) -> String {
        const MOST: usize = 40;
        let text = self.str(span);
        let line = text.lines().next().unwrap_or_default();
        let end = line
            .char_indices()
            .nth(MOST)
            .map_or(line.len(), |(at, _)| at);
        // A span may reach to the end of a large file.
        let kept = self.shown(Span::new(span.start, span.start + end as u32));
        let more = if end < text.len() { "…" } else { "" };
        format!("{kept}{more}")
    }

    /// Puts quotes around the text at `span`, and does not repeat it: it may be a password.
    fn quote_fix(self, span: Span) -> Fix {
        let edits = clump::quoting(self.str(span)).map(|(at, text)| Edit {
            place: self.place(Span::point(span.start + at as u32)),
            text,
        });
        Fix {
            title: "quote it".to_owned(),
            applicability: Safe,
            edits: edits.collect(),
        }
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
            .flat_map(char::escape_unicode)
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
            Oddity::Quotes(c) => (
                format!("`{shown}` has `{c}`, which is no quotation mark to KDL"),
                "a letter of the word, as KDL reads it".to_owned(),
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
        let found = Diagnostic::warning(codes::CONFUSABLE, message, self.place(span), label);
        match oddity {
            Oddity::Quotes(_) => {
                let found = found.help("texts stand between two `\"`");
                match self.straight_quotes(span) {
                    Some(fix) => found.fix(fix),
                    None => found,
                }
            }
            _ => found.help("type the word anew if that was not meant"),
        }
    }

    /// Puts `"` in the place of the marks around a word.
    fn straight_quotes(self, span: Span) -> Option<Fix> {
        let word = self.str(span);
        let (first, last) = (word.chars().next()?, word.chars().next_back()?);
        let inside = word.get(first.len_utf8()..word.len().checked_sub(last.len_utf8())?)?;
        let around = script::is_quote(first) && script::is_quote(last);
        if !around || inside.contains(|c| c == '"' || c == '\\' || script::is_quote(c)) {
            return None;
        }
        let edit = |start, end| Edit {
            place: self.place(Span::new(start, end)),
            text: "\"".to_owned(),
        };
        let edits = vec![
            edit(span.start, span.start + first.len_utf8() as u32),
            edit(span.end - last.len_utf8() as u32, span.end),
        ];
        Some(Fix {
            title: "write `\"`".to_owned(),
            applicability: Unsafe,
            edits,
        })
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
