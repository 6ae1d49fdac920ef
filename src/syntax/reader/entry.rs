//! Arguments and properties.

use super::{Reader, Role};
use crate::diag::Span;
use crate::syntax::clump;
use crate::syntax::scan::{self, Kind, Token};
use crate::syntax::tree::{BROKEN, DASHED, EntryRecord, NAMELESS, NONE, NodeRecord};

impl Reader<'_> {
    /// The rest of a node's line: up to its block, which it opens, or its end.
    pub(super) fn entries(&mut self, node: u32) {
        loop {
            self.node_space();
            match self.token.kind {
                Kind::Newline | Kind::Semicolon => {
                    self.end_node(node);
                    self.advance();
                    return;
                }
                Kind::OpenBrace => {
                    self.end_node(node);
                    return self.open(node, false);
                }
                Kind::End | Kind::LineComment | Kind::CloseBrace => return self.end_node(node),
                Kind::Word
                | Kind::Quoted
                | Kind::Multiline
                | Kind::Raw
                | Kind::RawMultiline
                | Kind::Keyword
                | Kind::OpenParen => {
                    self.need_space(node);
                    self.entry(node, self.token.start, 0);
                }
                Kind::Slashdash => {
                    if self.slashdash(node) {
                        return;
                    }
                }
                Kind::Stray if self.is_spaced() && self.is_hash_comment() => self.hash_comment(),
                Kind::Equals => {
                    let NodeRecord {
                        name,
                        first_entry,
                        flags,
                        ..
                    } = self.tree.nodes[node as usize];
                    self.mark_broken(node);
                    let equals = self.bump().span();
                    self.forgiven = self.token.start;
                    if first_entry as usize == self.tree.entries.len() {
                        // A name that has been reported is enough.
                        if flags & BROKEN == 0 {
                            let name = Span::new(name.start, name.end);
                            self.report(self.source.stray_equals(equals, name));
                        }
                    } else {
                        self.report(self.source.equals_after_value(equals));
                    }
                }
                _ => {
                    self.mark_broken(node);
                    if self.is_spaced() {
                        self.entry(node, self.token.start, 0);
                    } else {
                        // Stuck to something that has quotes: one finding for both.
                        let before = self.char_before(self.last_end);
                        self.missing_space(node, before, self.token.span());
                        let end = clump::end(self.text, self.token.start as usize, false);
                        self.last_end = (end as u32).max(self.token.end);
                        self.jump(self.last_end);
                        self.forgiven = self.last_end;
                    }
                }
            }
        }
    }

    /// Reports a token that follows another without a space.
    #[inline]
    pub(super) fn need_space(&mut self, node: u32) {
        if !self.is_spaced() && !self.token.is(scan::UNCLOSED) {
            self.space_is_missing(node);
        }
    }

    /// Reports it once a node: quotes within quotes lack several.
    #[cold]
    pub(super) fn space_is_missing(&mut self, node: u32) {
        let before = self.char_before(self.last_end);
        self.missing_space(node, before, self.token.span());
    }

    #[cold]
    pub(super) fn missing_space(&mut self, node: u32, before: Span, after: Span) {
        if self.spaceless != node {
            self.spaceless = node;
            match self.source.expression_around(after.start) {
                Some(expression) => {
                    self.report(self.source.quotes_in_expression(expression, after));
                    self.muted = expression.end;
                }
                None => self.report(self.source.missing_space(before, after)),
            }
        }
        self.mark_broken(node);
    }

    /// Ends a node that has no block, or whose block follows.
    #[inline]
    pub(super) fn end_node(&mut self, node: u32) {
        let record = &mut self.tree.nodes[node as usize];
        record.end = self.last_end;
        let entries = self.tree.entries.len() - record.first_entry as usize;
        let keep = record.flags & (DASHED | NAMELESS) == 0;
        self.set_last(if keep { node } else { NONE });
        if entries > 1 && self.is_fleet() {
            self.duplicates(node);
        }
    }

    /// `/-` among the entries. Returns whether it opened a block.
    pub(super) fn slashdash(&mut self, node: u32) -> bool {
        let spaced = self.is_spaced();
        let before = self.last_end;
        let dash = self.bump();
        self.line_space();
        if self.token.kind == Kind::Slashdash {
            self.report(self.source.slashdash_inside(self.token.span()));
            self.mark_broken(node);
            while self.token.kind == Kind::Slashdash {
                self.bump();
                self.line_space();
            }
        }
        match self.token.kind {
            Kind::OpenBrace => {
                self.end_node(node);
                self.tree.nodes[node as usize].end = self.last_end;
                self.open(node, true);
                return true;
            }
            Kind::End | Kind::Semicolon | Kind::CloseBrace => {
                self.report(self.source.stray_slashdash(dash.span()));
                self.mark_broken(node);
            }
            _ => {
                if !spaced {
                    let before = self.char_before(before);
                    self.missing_space(node, before, dash.span());
                }
                self.entry(node, dash.start, DASHED);
            }
        }
        false
    }

    /// An argument or property, from `start`, where its `/-` is if it has one.
    pub(super) fn entry(&mut self, node: u32, start: u32, flags: u8) {
        if self.token.kind == Kind::OpenParen {
            let Some(annotation) = self.annotation() else {
                return self.skip_entry(node);
            };
            self.node_space();
            self.value(
                node,
                Pending {
                    start,
                    flags,
                    key: NONE,
                    annotation,
                },
                Role::Key,
            );
            self.node_space();
            if self.token.kind == Kind::Equals {
                self.annotated_key(node);
            }
            return;
        }
        if self.token.kind == Kind::Word {
            let token = self.word(Role::Key);
            self.after_first_word(node, start, flags, token);
        } else if self.token.kind.is_quoted() {
            let token = self.bump();
            self.after_first_word(node, start, flags, token);
        } else {
            self.value(
                node,
                Pending {
                    start,
                    flags,
                    key: NONE,
                    annotation: NONE,
                },
                Role::Value,
            );
        }
    }

    #[cold]
    pub(super) fn skip_entry(&mut self, node: u32) {
        self.mark_broken(node);
        self.resync();
    }

    /// A value at the token.
    pub(super) fn value(&mut self, node: u32, pending: Pending, role: Role) {
        let token = match self.token.kind {
            Kind::Word => self.word(role),
            Kind::Keyword => self.bump(),
            kind if kind.is_quoted() => self.bump(),
            Kind::Stray | Kind::CloseParen => self.clump(role, self.token),
            Kind::Slashdash => {
                self.report(self.source.slashdash_inside(self.token.span()));
                return self.skip_entry(node);
            }
            Kind::OpenParen => {
                self.report(self.source.annotation(
                    self.token.span(),
                    "a value has one annotation at most",
                    "remove the second one",
                ));
                return self.skip_entry(node);
            }
            _ => {
                let span = self.tree.annotations.get(pending.annotation as usize);
                let span = span.map_or(self.token.span(), |annotation| annotation.span);
                self.report(self.source.annotation(
                    span,
                    "an annotation needs a value after it",
                    "write the value right behind the `)`",
                ));
                return self.mark_broken(node);
            }
        };
        self.push_value(node, pending, token);
    }

    #[inline]
    pub(super) fn push_value(&mut self, node: u32, pending: Pending, token: Token) {
        let (tag, payload, form, broken) = self.decode(token);
        if broken {
            self.mark_broken(node);
        }
        self.tree.entries.push(EntryRecord {
            payload,
            start: pending.start,
            end: token.end,
            value_start: token.start,
            key: pending.key,
            annotation: pending.annotation,
            tag,
            form,
            flags: if broken {
                pending.flags | BROKEN
            } else {
                pending.flags
            },
        });
    }
}

/// An entry whose value is still to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) start: u32,
    pub(super) flags: u8,
    pub(super) key: u32,
    pub(super) annotation: u32,
}
