//! Annotations: `(name)`.

use super::Reader;
use crate::diag::Span;
use crate::syntax::scan::{Kind, Token};
use crate::syntax::tree::{AnnotationRecord, NONE, Text};

impl Reader<'_> {
    /// `(name)`; the index of its record, or nothing if it was malformed and skipped.
    pub(super) fn annotation(&mut self) -> Option<u32> {
        let open = self.bump();
        self.node_space();
        let text = match self.token.kind {
            Kind::Word => {
                let token = self.bump();
                self.name_of_word(token)
            }
            kind if kind.is_quoted() => {
                let token = self.bump();
                self.string(token)
            }
            _ => return self.broken_annotation(open),
        };
        self.node_space();
        if self.token.kind != Kind::CloseParen {
            return self.broken_annotation(open);
        }
        let close = self.bump();
        let span = Span::new(open.start, close.end);
        self.tree.annotations.push(AnnotationRecord { text, span });
        Some(self.tree.annotations.len() as u32 - 1)
    }

    #[cold]
    pub(super) fn broken_annotation(&mut self, open: Token) -> Option<u32> {
        let found = self.token;
        // Skip to its end, if that is on the line.
        while !matches!(
            self.token.kind,
            Kind::End
                | Kind::Newline
                | Kind::LineComment
                | Kind::Semicolon
                | Kind::OpenBrace
                | Kind::CloseBrace
                | Kind::CloseParen
        ) {
            self.bump();
        }
        let closed = self.token.kind == Kind::CloseParen;
        if closed {
            self.bump();
        }
        let span = if closed {
            Span::new(open.start, self.last_end)
        } else {
            open.span()
        };
        let (message, help) = if !closed {
            ("an annotation is not closed", "add the `)`")
        } else if found.kind == Kind::CloseParen {
            (
                "an annotation is empty",
                "write a name between the parentheses, or remove them",
            )
        } else if found.kind == Kind::Slashdash {
            (
                "`/-` cannot stand in an annotation",
                "put it before the annotation",
            )
        } else {
            (
                "an annotation holds one name",
                "write a single name between the parentheses",
            )
        };
        self.report(self.source.annotation(span, message, help));
        if closed {
            // The rest of the line can be read.
            self.tree.annotations.push(AnnotationRecord {
                text: Text {
                    start: open.start,
                    end: open.start,
                    owned: NONE,
                },
                span,
            });
            return Some(self.tree.annotations.len() as u32 - 1);
        }
        None
    }
}
