//! `key=value`, and what looks like it.

use super::entry::Pending;
use super::{CLUMP, Reader, Role};
use crate::diag::Span;
use crate::syntax::scan::{Kind, Token};
use crate::syntax::tree::{DASHED, NONE};

impl Reader<'_> {
    /// `(type)key=value`.
    #[cold]
    pub(super) fn annotated_key(&mut self, node: u32) {
        let equals = self.token.span();
        let annotation = self.tree.entries.last().map_or(equals, |entry| {
            self.tree
                .annotations
                .get(entry.annotation as usize)
                .map_or(equals, |found| found.span)
        });
        self.report(self.source.annotation(
            annotation,
            "an annotation cannot stand before a key",
            "it goes before the value: `key=(type)value`",
        ));
        self.mark_broken(node);
        self.bump();
        self.node_space();
        self.forgiven = self.token.start;
        // The value, if there is one, becomes an argument of a node that is broken anyway.
    }

    /// `first` has been taken, and is a key if `=` follows. Loops where a value turns out to be
    /// the next key (`a= b=1`).
    pub(super) fn after_first_word(&mut self, node: u32, start: u32, flags: u8, first: Token) {
        let mut start = start;
        let mut flags = flags;
        let mut first = first;
        loop {
            self.node_space();
            if self.token.kind != Kind::Equals {
                let pending = Pending {
                    start,
                    flags,
                    key: NONE,
                    annotation: NONE,
                };
                return self.push_value(node, pending, first);
            }
            let equals = self.bump();
            let key = self.key(node, first);
            self.node_space();
            let pending = Pending {
                start,
                flags,
                key,
                annotation: NONE,
            };
            match self.token.kind {
                Kind::Word => {
                    let spaced = self.is_spaced();
                    if spaced && self.word_is_key() {
                        self.report(self.source.missing_value(first.span(), equals.span()));
                        self.mark_broken(node);
                        self.tree.keys.pop();
                        start = self.token.start;
                        flags = 0;
                        first = self.word(Role::Key);
                        continue;
                    }
                    let value = self.word(Role::Value);
                    self.push_value(node, pending, value);
                }
                Kind::Equals => {
                    // `a == b`
                    self.bump();
                    self.node_space();
                    if self.is_value() {
                        self.value(node, pending, Role::Value);
                    }
                    return self.comparison(node, first, start, flags);
                }
                Kind::OpenParen => match self.annotation() {
                    Some(annotation) => {
                        self.node_space();
                        self.value(
                            node,
                            Pending {
                                annotation,
                                ..pending
                            },
                            Role::Value,
                        );
                    }
                    None => return self.skip_entry(node),
                },
                Kind::Slashdash => {
                    self.report(self.source.slashdash_inside(self.token.span()));
                    self.mark_broken(node);
                    self.bump();
                    self.line_space();
                    if self.is_value() {
                        self.value(
                            node,
                            Pending {
                                flags: flags | DASHED,
                                ..pending
                            },
                            Role::Value,
                        );
                    }
                }
                _ if self.is_value() => self.value(node, pending, Role::Value),
                _ => {
                    if self.is_comparison(first) {
                        return self.comparison(node, first, start, flags);
                    }
                    self.report(self.source.missing_value(first.span(), equals.span()));
                    self.mark_broken(node);
                    self.tree.keys.pop();
                    return;
                }
            }
            if self.is_comparison(first) {
                self.comparison(node, first, start, flags);
            }
            return;
        }
    }

    pub(super) fn is_value(&self) -> bool {
        matches!(
            self.token.kind,
            Kind::Word | Kind::Keyword | Kind::Stray | Kind::CloseParen
        ) || self.token.kind.is_quoted()
    }

    /// Whether the token, a word, has a `=` right behind it.
    pub(super) fn word_is_key(&self) -> bool {
        self.text.as_bytes().get(self.token.end as usize) == Some(&b'=')
    }

    /// Whether a key is the left side of a comparison that lacks its quotes.
    #[inline]
    pub(super) fn is_comparison(&self, key: Token) -> bool {
        self.is_fleet()
            && key.kind == Kind::Word
            && matches!(
                self.text.as_bytes()[key.end as usize - 1],
                b'!' | b'<' | b'>'
            )
    }

    /// Turns the property just read, or what there is of it, into the text of a comparison.
    #[cold]
    pub(super) fn comparison(&mut self, node: u32, key: Token, start: u32, flags: u8) {
        let first = self.tree.nodes[node as usize].first_entry as usize;
        if self.tree.entries.len() > first
            && self
                .tree
                .entries
                .last()
                .is_some_and(|entry| entry.start == start)
        {
            self.tree.entries.pop();
        }
        let mut start = if flags & DASHED == 0 {
            start
        } else {
            key.start
        };
        // In `a != b`, the left side has been read as an argument.
        let alone = self.text[key.span().range()]
            .bytes()
            .all(|byte| matches!(byte, b'!' | b'<' | b'>'));
        if alone
            && self.tree.entries.len() > first
            && let Some(left) = self.tree.entries.pop()
        {
            start = left.start;
        }
        let span = Span::new(start, self.last_end);
        self.report(self.source.bare_comparison(span, key.span()));
        self.mark_broken(node);
        let text = Token {
            kind: Kind::Word,
            marks: CLUMP,
            start: span.start,
            end: span.end,
        };
        self.push_value(
            node,
            Pending {
                start,
                flags,
                key: NONE,
                annotation: NONE,
            },
            text,
        );
    }
}
