//! Child blocks: opening, closing, and what is wrong with braces.

use super::{Block, Reader};
use crate::diag::Span;
use crate::syntax::clump;
use crate::syntax::scan::Kind;
use crate::syntax::tree::NONE;

impl<'t> Reader<'t> {
    /// Takes `{`, or skips the whole block if it is nested too deep.
    pub(super) fn open(&mut self, node: u32, dashed: bool) {
        let brace = self.token;
        if self.blocks.len() >= self.limits.depth {
            return self.skip_block(node);
        }
        self.bump();
        self.blocks.push(Block {
            node,
            brace: brace.start,
            dashed,
            last: NONE,
        });
    }

    #[cold]
    pub(super) fn skip_block(&mut self, node: u32) {
        if !self.too_deep {
            self.too_deep = true;
            self.report(self.source.nesting(self.token.span(), self.limits.depth));
        }
        self.mark_broken(node);
        let mut depth = 0usize;
        loop {
            match self.token.kind {
                Kind::OpenBrace => depth += 1,
                Kind::CloseBrace => depth -= 1,
                Kind::End => {
                    self.swallowed = true;
                    return;
                }
                _ => {}
            }
            self.bump();
            if depth == 0 {
                break;
            }
        }
        self.tree.nodes[node as usize].end = self.last_end;
        self.after_block(node);
    }

    /// Takes `}`.
    pub(super) fn close(&mut self) {
        // One report for any number of them behind each other.
        let repeated = self.last_end == self.stray_close;
        let brace = self.bump().span();
        let Some(block) = self.blocks.pop() else {
            self.stray_close = self.last_end;
            if !self.swallowed && !repeated {
                self.report(self.source.unexpected_close(brace, self.last_closed));
            }
            if self.token.kind == Kind::Semicolon {
                self.bump();
                self.stray_close = self.last_end;
            }
            return;
        };
        if self.suspect.is_none() && self.stands_further_left(brace.start, block) {
            self.suspect = Some((block, brace));
        }
        self.finish_block(block, brace.end);
        let name = self.tree.nodes[block.node as usize].name;
        self.last_closed = Some((Span::new(name.start, name.end), brace));
        self.after_block(block.node);
    }

    pub(super) fn finish_block(&mut self, block: Block, end: u32) {
        let span = Span::new(block.brace, end);
        let nodes = self.tree.nodes.len() as u32;
        let record = &mut self.tree.nodes[block.node as usize];
        record.subtree_end = nodes;
        record.end = end;
        if block.dashed {
            self.tree.dashed_blocks.push((block.node, span));
        } else if record.block.start == NONE {
            record.block = span;
        } else {
            // A second block, which has been reported.
            record.block.end = end;
        }
    }

    /// Whether `}` and the block's node both start their lines, and `}` stands further left.
    pub(super) fn stands_further_left(&self, brace: u32, block: Block) -> bool {
        let node = self.tree.nodes[block.node as usize].start;
        match (self.indentation(brace), self.indentation(node)) {
            (Some(close), Some(open)) => close.len() < open.len() && open.starts_with(close),
            _ => false,
        }
    }

    /// The white space before `at`, if nothing else stands before it on its line.
    pub(super) fn indentation(&self, at: u32) -> Option<&'t str> {
        let before = &self.text.as_bytes()[..at as usize];
        let spaces = before
            .iter()
            .rev()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        let start = before.len() - spaces;
        (start == 0 || before[start - 1] == b'\n').then(|| &self.text[start..at as usize])
    }

    /// What may follow a block: another block commented out, the block if there was only one
    /// commented out, and the node's end.
    pub(super) fn after_block(&mut self, node: u32) {
        self.node_space();
        match self.token.kind {
            Kind::Newline | Kind::Semicolon => {
                self.advance();
            }
            Kind::End | Kind::CloseBrace | Kind::LineComment => {}
            Kind::Slashdash => {
                let dash = self.bump().span();
                self.line_space();
                match self.token.kind {
                    Kind::OpenBrace => return self.open(node, true),
                    Kind::End | Kind::Newline | Kind::Semicolon | Kind::CloseBrace => {
                        self.report(self.source.stray_slashdash(dash));
                    }
                    _ => self.something_after_block(node, true),
                }
            }
            Kind::OpenBrace => {
                let first = self.tree.nodes[node as usize].block;
                if first.start != NONE {
                    self.report(self.source.second_block(self.token.span(), first));
                    self.mark_broken(node);
                }
                return self.open(node, false);
            }
            _ => return self.something_after_block(node, false),
        }
        self.set_last(NONE);
    }

    /// An entry after a block. Where no block came before but one that is commented out, it was
    /// meant for this node; otherwise a newline is missing, and a new node starts.
    #[cold]
    pub(super) fn something_after_block(&mut self, node: u32, slashdashed: bool) {
        let extra = clump::first_char(self.text, self.token.span());
        let extra = if self.token.kind == Kind::Word {
            self.token.span()
        } else {
            extra
        };
        let record = &self.tree.nodes[node as usize];
        let only_dashed = record.block.start == NONE;
        let end = record.end;
        self.report(
            self.source
                .after_block(extra, Span::new(record.start, end), only_dashed),
        );
        self.mark_broken(node);
        self.set_last(NONE);
        let starts_node = matches!(self.token.kind, Kind::Word | Kind::Quoted | Kind::OpenParen)
            && !self.word_is_key();
        if !only_dashed && !slashdashed && starts_node {
            return;
        }
        self.resync();
        match self.token.kind {
            Kind::OpenBrace => self.open(node, false),
            Kind::Semicolon | Kind::Newline => self.advance(),
            _ => {}
        }
    }

    pub(super) fn set_last(&mut self, node: u32) {
        match self.blocks.last_mut() {
            Some(block) => block.last = node,
            None => self.last = node,
        }
    }

    /// Reports what is still open at the end, once, at the block that is the most likely culprit.
    pub(super) fn close_at_end(&mut self) {
        let end = self.token.start;
        let culprit = self.suspect.map(|(block, taken)| (block, Some(taken)));
        let culprit = culprit.or_else(|| self.blocks.last().map(|block| (*block, None)));
        if let Some((block, taken)) = culprit
            && !self.blocks.is_empty()
            && !self.swallowed
        {
            let name = self.tree.nodes[block.node as usize].name;
            let name = Span::new(name.start, name.end);
            let brace = Span::new(block.brace, block.brace + 1);
            let around = self.blocks.len() - 1;
            self.report(self.source.unclosed_block(brace, name, around, taken));
            self.mark_broken(block.node);
        }
        while let Some(block) = self.blocks.pop() {
            self.mark_broken(block.node);
            self.finish_block(block, end);
        }
    }
}
