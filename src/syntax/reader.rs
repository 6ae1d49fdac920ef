//! Tokens to tree. One token of look-ahead, a stack of open blocks on the heap, and recovery: an
//! error in a line never costs more than that line, and never a brace.

use std::collections::HashMap;
use std::sync::Arc;

use super::report::Source;
use super::scan::{self, Kind, Token, scan};
use super::string::Fault;
use super::tree::{
    AnnotationRecord, BROKEN, DASHED, EntryRecord, IN_DASHED_BLOCK, NAMELESS, NONE, NodeRecord,
    Tag, Text, halves,
};
use super::{Dialect, Form, Limits, Parse, Tree, class, clump, number, script, string};
use crate::diag::{self, Diagnostic, FileId, Span};

/// A word that stands for a run of several tokens; see [`clump`].
const CLUMP: u8 = 16;

pub(super) fn read(file: FileId, text: &Arc<str>, limits: &Limits) -> Parse {
    let mut end = text.len().min(NONE as usize - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut reader = Reader::new(file, text, &text[..end], limits);
    reader.document();
    let Reader {
        mut tree,
        mut diagnostics,
        ..
    } = reader;
    tree.dashed_blocks
        .sort_unstable_by_key(|(node, span)| (*node, span.start));
    diag::sort(&mut diagnostics);
    Parse { tree, diagnostics }
}

/// A child block that is open.
#[derive(Debug, Clone, Copy)]
struct Block {
    node: u32,
    brace: u32,
    dashed: bool,
    /// The last node in it so far that ended without a block: one that a `{` on the next line is
    /// meant for.
    last: u32,
}

struct Reader<'t> {
    source: Source<'t>,
    text: &'t str,
    limits: &'t Limits,
    fleet: bool,
    tree: Tree,
    diagnostics: Vec<Diagnostic>,
    overflowing: bool,
    token: Token,
    /// Where the last token that is not trivia ended.
    last_end: u32,
    /// A missing space before this offset has been reported.
    forgiven: u32,
    blocks: Vec<Block>,
    /// [`Block::last`] of the top level.
    last: u32,
    /// The name and `}` of the last node that ended with a block.
    last_closed: Option<(Span, Span)>,
    /// The first block closed by a `}` that stands further left than its node, and that `}`.
    suspect: Option<(Block, Span)>,
    /// Part of the text went missing in something unclosed, so braces cannot be counted any more.
    swallowed: bool,
    too_deep: bool,
    /// Where the last `}` that closes nothing ended.
    stray_close: u32,
    /// The last node that a missing space was reported in.
    spaceless: u32,
}

impl<'t> Reader<'t> {
    fn new(file: FileId, whole: &Arc<str>, text: &'t str, limits: &'t Limits) -> Self {
        // A node takes about 48 bytes of text with its entries; growing later is cheap.
        let nodes = text.len() / 56 + 4;
        Self {
            source: Source { file, text },
            text,
            limits,
            fleet: limits.dialect == Dialect::Fleet,
            tree: Tree {
                file,
                text: Arc::clone(whole),
                nodes: Vec::with_capacity(nodes),
                entries: Vec::with_capacity(nodes),
                keys: Vec::new(),
                annotations: Vec::new(),
                owned: String::new(),
                owned_ends: Vec::new(),
                dashed_blocks: Vec::new(),
                version: None,
            },
            diagnostics: Vec::new(),
            overflowing: false,
            token: Token {
                kind: Kind::End,
                marks: 0,
                start: 0,
                end: 0,
            },
            last_end: 0,
            forgiven: NONE,
            blocks: Vec::new(),
            last: NONE,
            last_closed: None,
            suspect: None,
            swallowed: false,
            too_deep: false,
            stray_close: NONE,
            spaceless: NONE,
        }
    }

    // ---- tokens

    /// Goes on to the next token, whatever it is.
    #[inline]
    fn advance(&mut self) {
        self.jump(self.token.end);
    }

    #[inline]
    fn jump(&mut self, at: u32) {
        self.token = scan(self.text, at as usize);
        if self.token.is(scan::UNCLOSED | scan::TAINTED) {
            self.complain();
        }
    }

    /// Takes the token, which is not trivia.
    #[inline]
    fn bump(&mut self) -> Token {
        let token = self.token;
        self.last_end = token.end;
        self.advance();
        token
    }

    /// Reports what is wrong with the token by itself.
    #[cold]
    fn complain(&mut self) {
        let token = self.token;
        if token.is(scan::UNCLOSED) {
            self.report(self.source.unclosed_text(token));
            if !matches!(token.kind, Kind::Quoted | Kind::Raw) {
                self.swallowed = true;
            }
        }
        if token.is(scan::TAINTED) {
            let mut at = token.start as usize;
            while at < token.end as usize {
                let (class, len) = class::at(self.text, at);
                let mut end = at + len;
                if class & class::DISALLOWED != 0 {
                    loop {
                        let (class, len) = class::at(self.text, end);
                        if class & class::DISALLOWED == 0 || end >= token.end as usize {
                            break;
                        }
                        end += len;
                    }
                    let run = Span::new(at as u32, end as u32);
                    self.report(self.source.disallowed(run, token.kind));
                    if self.overflowing {
                        return;
                    }
                }
                at = end;
            }
        }
    }

    #[cold]
    fn report(&mut self, found: Diagnostic) {
        if self.overflowing {
            return;
        }
        if self.diagnostics.len() >= self.limits.diagnostics {
            self.overflowing = true;
            let last = found.primary.place.span;
            self.diagnostics
                .push(self.source.too_many(last, self.limits.diagnostics));
            return;
        }
        self.diagnostics.push(found);
    }

    /// Skips white space, comments and continued lines; the token is then something else.
    #[inline]
    fn node_space(&mut self) {
        loop {
            match self.token.kind {
                Kind::Space | Kind::BlockComment | Kind::Disallowed | Kind::Bom => self.advance(),
                Kind::Backslash => self.continued_line(),
                _ => return,
            }
        }
    }

    /// `\`, then perhaps a comment, then the line's end.
    fn continued_line(&mut self) {
        let backslash = self.token.span();
        self.advance();
        while matches!(self.token.kind, Kind::Space | Kind::BlockComment) {
            self.advance();
        }
        if self.token.kind == Kind::LineComment {
            self.advance();
        }
        match self.token.kind {
            Kind::Newline => self.advance(),
            Kind::End => {}
            _ => self.report(self.source.stray_backslash(backslash)),
        }
    }

    /// Skips all trivia, newlines included.
    #[inline]
    fn line_space(&mut self) {
        loop {
            match self.token.kind {
                Kind::Newline | Kind::LineComment => self.advance(),
                Kind::Space
                | Kind::BlockComment
                | Kind::Disallowed
                | Kind::Bom
                | Kind::Backslash => {
                    self.node_space();
                }
                _ => return,
            }
        }
    }

    /// Whether there is a space, comment or continued line before the token.
    #[inline]
    fn is_spaced(&self) -> bool {
        self.token.start != self.last_end || self.token.start == self.forgiven
    }

    /// The code point that ends at `end`, where something was taken.
    #[cold]
    fn char_before(&self, end: u32) -> Span {
        let len = self.text[..end as usize]
            .chars()
            .next_back()
            .map_or(0, char::len_utf8);
        Span::new(end - len as u32, end)
    }

    /// Skips to the end of the line, or a `;`, or a brace.
    #[cold]
    fn resync(&mut self) {
        loop {
            match self.token.kind {
                Kind::End
                | Kind::Newline
                | Kind::LineComment
                | Kind::Semicolon
                | Kind::OpenBrace
                | Kind::CloseBrace => return,
                Kind::Space | Kind::BlockComment | Kind::Disallowed => self.advance(),
                _ => {
                    self.bump();
                }
            }
        }
    }

    // ---- structure

    fn document(&mut self) {
        self.token = scan(self.text, 0);
        let start = if self.token.kind == Kind::Bom {
            self.token.end
        } else {
            0
        };
        self.version_marker(start);
        self.jump(start);
        loop {
            self.line_space();
            match self.token.kind {
                Kind::End => break,
                Kind::CloseBrace => self.close(),
                _ => self.node(),
            }
        }
        self.close_at_end();
    }

    /// `/- kdl-version 2` and a newline, at the very start.
    fn version_marker(&mut self, start: u32) {
        let rest = &self.text[start as usize..];
        let line = rest.split([
            '\n', '\r', '\u{85}', '\u{b}', '\u{c}', '\u{2028}', '\u{2029}',
        ]);
        let line = line.into_iter().next().unwrap_or_default();
        let is_space = |c: char| class::char(c) & class::SPACE != 0;
        let number = line
            .strip_prefix("/-")
            .map(|rest| rest.trim_start_matches(is_space))
            .and_then(|rest| rest.strip_prefix("kdl-version"))
            .filter(|rest| rest.starts_with(is_space))
            .map(|rest| rest.trim_matches(is_space))
            .filter(|number| !number.is_empty() && !number.contains(is_space));
        let Some(number) = number else {
            if self.fleet && !rest.trim().is_empty() {
                self.report(self.source.missing_version(start));
            }
            return;
        };
        self.tree.version = number.parse().ok();
        if self.fleet && number != "2" {
            let at = number.as_ptr() as usize - self.text.as_ptr() as usize;
            self.report(
                self.source
                    .old_version(Span::new(at as u32, (at + number.len()) as u32)),
            );
        }
    }

    /// A node up to its block or its end.
    fn node(&mut self) {
        let start = self.token.start;
        let mut flags = 0;
        if self.token.kind == Kind::Slashdash {
            flags |= DASHED;
            let dash = self.bump().span();
            self.line_space();
            if self.token.kind == Kind::Slashdash {
                self.report(self.source.slashdash_inside(self.token.span()));
                while self.token.kind == Kind::Slashdash {
                    self.bump();
                    self.line_space();
                }
            }
            if matches!(
                self.token.kind,
                Kind::End | Kind::CloseBrace | Kind::Semicolon
            ) {
                self.report(self.source.stray_slashdash(dash));
                if self.token.kind == Kind::Semicolon {
                    self.bump();
                }
                return;
            }
        }
        let mut annotation = NONE;
        if self.token.kind == Kind::OpenParen {
            let Some(index) = self.annotation() else {
                flags |= BROKEN;
                return self.after_lost_name(start, flags);
            };
            annotation = index;
            self.node_space();
            if self.token.kind == Kind::Slashdash {
                self.report(self.source.slashdash_inside(self.token.span()));
                self.bump();
                self.line_space();
            }
        }
        let name = match self.token.kind {
            Kind::Word => {
                let word = self.word(Role::Name);
                let name = self.name_of_word(word);
                if word.is(CLUMP) || word.kind != Kind::Word {
                    flags |= BROKEN;
                }
                name
            }
            kind if kind.is_quoted() => {
                let token = self.bump();
                self.string(token)
            }
            Kind::OpenBrace => return self.block_without_name(start, flags),
            Kind::Stray | Kind::Keyword if self.is_hash_comment() => return self.hash_comment(),
            Kind::Stray | Kind::CloseParen => {
                let word = self.clump(Role::Name, self.token);
                flags |= BROKEN;
                self.text_of_word(word)
            }
            _ => {
                self.report(self.source.missing_name(self.token));
                return self.after_lost_name(start, flags);
            }
        };
        let node = self.push_node(start, name, annotation, flags);
        self.entries(node);
    }

    /// After an error in front of a node's name: skips the line, but keeps its block.
    #[cold]
    fn after_lost_name(&mut self, start: u32, flags: u8) {
        self.resync();
        if self.token.kind == Kind::OpenBrace {
            let node = self.push_nameless(start, flags);
            self.open(node, false);
        } else {
            while self.token.kind == Kind::Semicolon {
                self.bump();
            }
        }
    }

    /// A `{` where a node has to start.
    #[cold]
    fn block_without_name(&mut self, start: u32, flags: u8) {
        let last = self.blocks.last().map_or(self.last, |block| block.last);
        if flags == 0
            && let Some(record) = self.tree.nodes.get(last as usize)
            && last as usize + 1 == self.tree.nodes.len()
        {
            let before = Span::new(record.start, record.end);
            let name = Span::new(record.name.start, record.name.end);
            self.report(
                self.source
                    .brace_on_next_line(self.token.span(), before, name),
            );
            self.mark_broken(last);
            self.open(last, false);
            return;
        }
        // One report for any number of braces right behind each other.
        let nested = self.blocks.last().is_some_and(|block| {
            self.tree.nodes[block.node as usize].flags & NAMELESS != 0
                && block.node as usize + 1 == self.tree.nodes.len()
        });
        if !nested {
            self.report(self.source.missing_name(self.token));
        }
        let node = self.push_nameless(start, flags);
        self.open(node, false);
    }

    /// Whether a `#` at the token was meant to start a comment: one with a space behind it, or a
    /// word that is no keyword where a node has to start.
    #[cold]
    fn is_hash_comment(&self) -> bool {
        let Token {
            kind, start, end, ..
        } = self.token;
        let text = &self.text[start as usize..];
        match kind {
            Kind::Stray => {
                let (class, len) = class::at(self.text, end as usize);
                text.starts_with('#') && (len == 0 || class & (class::SPACE | class::NEWLINE) != 0)
            }
            Kind::Keyword => bare_keyword(&self.text[start as usize + 1..end as usize]).is_none(),
            _ => false,
        }
    }

    /// Reports and skips the rest of a line that was meant as a comment.
    #[cold]
    fn hash_comment(&mut self) {
        let start = self.token.start;
        let hash = Span::new(start, start + 1);
        self.report(self.source.hash_comment(hash));
        let rest = &self.text[start as usize..];
        let end = rest
            .char_indices()
            .find(|(_, c)| class::char(*c) & class::NEWLINE != 0);
        let end = end.map_or(self.text.len(), |(at, _)| start as usize + at);
        self.jump(end as u32);
    }

    fn push_nameless(&mut self, start: u32, flags: u8) -> u32 {
        let name = Text {
            start,
            end: start,
            owned: NONE,
        };
        self.push_node(start, name, NONE, flags | NAMELESS | BROKEN)
    }

    #[inline]
    fn push_node(&mut self, start: u32, name: Text, annotation: u32, flags: u8) -> u32 {
        let index = self.tree.nodes.len() as u32;
        let in_dashed = self.blocks.last().is_some_and(|block| block.dashed);
        self.tree.nodes.push(NodeRecord {
            name,
            annotation,
            start,
            end: self.last_end.max(start),
            first_entry: self.tree.entries.len() as u32,
            subtree_end: index + 1,
            block: Span {
                start: NONE,
                end: NONE,
            },
            flags: if in_dashed {
                flags | IN_DASHED_BLOCK
            } else {
                flags
            },
        });
        index
    }

    #[cold]
    fn mark_broken(&mut self, node: u32) {
        self.tree.nodes[node as usize].flags |= BROKEN;
    }

    /// Takes `{`, or skips the whole block if it is nested too deep.
    fn open(&mut self, node: u32, dashed: bool) {
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
    fn skip_block(&mut self, node: u32) {
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
    fn close(&mut self) {
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

    fn finish_block(&mut self, block: Block, end: u32) {
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
    fn stands_further_left(&self, brace: u32, block: Block) -> bool {
        let node = self.tree.nodes[block.node as usize].start;
        match (self.indentation(brace), self.indentation(node)) {
            (Some(close), Some(open)) => close.len() < open.len() && open.starts_with(close),
            _ => false,
        }
    }

    /// The white space before `at`, if nothing else stands before it on its line.
    fn indentation(&self, at: u32) -> Option<&'t str> {
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
    fn after_block(&mut self, node: u32) {
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
    fn something_after_block(&mut self, node: u32, slashdashed: bool) {
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

    fn set_last(&mut self, node: u32) {
        match self.blocks.last_mut() {
            Some(block) => block.last = node,
            None => self.last = node,
        }
    }

    /// Reports what is still open at the end, once, at the block that is the most likely culprit.
    fn close_at_end(&mut self) {
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

    // ---- entries

    /// The rest of a node's line: up to its block, which it opens, or its end.
    fn entries(&mut self, node: u32) {
        loop {
            self.node_space();
            match self.token.kind {
                Kind::Word => {
                    self.need_space(node);
                    self.entry(node, self.token.start, 0);
                }
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
                Kind::Quoted
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
    fn need_space(&mut self, node: u32) {
        if !self.is_spaced() && !self.token.is(scan::UNCLOSED) {
            self.space_is_missing(node);
        }
    }

    /// Reports it once a node: quotes within quotes lack several.
    #[cold]
    fn space_is_missing(&mut self, node: u32) {
        let before = self.char_before(self.last_end);
        self.missing_space(node, before, self.token.span());
    }

    #[cold]
    fn missing_space(&mut self, node: u32, before: Span, after: Span) {
        if self.spaceless != node {
            self.spaceless = node;
            self.report(self.source.missing_space(before, after));
        }
        self.mark_broken(node);
    }

    /// Ends a node that has no block, or whose block follows.
    #[inline]
    fn end_node(&mut self, node: u32) {
        let record = &mut self.tree.nodes[node as usize];
        record.end = self.last_end;
        let entries = self.tree.entries.len() - record.first_entry as usize;
        let keep = record.flags & (DASHED | NAMELESS) == 0;
        self.set_last(if keep { node } else { NONE });
        if entries > 1 && self.fleet {
            self.duplicates(node);
        }
    }

    /// `/-` among the entries. Returns whether it opened a block.
    fn slashdash(&mut self, node: u32) -> bool {
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
    fn entry(&mut self, node: u32, start: u32, flags: u8) {
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

    /// `(type)key=value`.
    #[cold]
    fn annotated_key(&mut self, node: u32) {
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
    fn after_first_word(&mut self, node: u32, start: u32, flags: u8, first: Token) {
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

    fn is_value(&self) -> bool {
        matches!(
            self.token.kind,
            Kind::Word | Kind::Keyword | Kind::Stray | Kind::CloseParen
        ) || self.token.kind.is_quoted()
    }

    /// Whether the token, a word, has a `=` right behind it.
    fn word_is_key(&self) -> bool {
        self.text.as_bytes().get(self.token.end as usize) == Some(&b'=')
    }

    /// Whether a key is the left side of a comparison that lacks its quotes.
    #[inline]
    fn is_comparison(&self, key: Token) -> bool {
        self.fleet
            && key.kind == Kind::Word
            && matches!(
                self.text.as_bytes()[key.end as usize - 1],
                b'!' | b'<' | b'>'
            )
    }

    /// Turns the property just read, or what there is of it, into the text of a comparison.
    #[cold]
    fn comparison(&mut self, node: u32, key: Token, start: u32, flags: u8) {
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

    #[cold]
    fn skip_entry(&mut self, node: u32) {
        self.mark_broken(node);
        self.resync();
    }

    /// A value at the token.
    fn value(&mut self, node: u32, pending: Pending, role: Role) {
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
    fn push_value(&mut self, node: u32, pending: Pending, token: Token) {
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

    /// What a token that is a value stands for, and whether that is a guess.
    #[inline]
    fn decode(&mut self, token: Token) -> (Tag, [u32; 2], Form, bool) {
        match token.kind {
            Kind::Word => self.decode_word(token),
            Kind::Keyword => self.decode_keyword(token),
            _ => {
                let errors = self.diagnostics.len();
                let text = self.string(token);
                let broken = token.is(scan::UNCLOSED) || self.diagnostics.len() > errors;
                (Tag::Str, [text.owned, 0], Form::of(token.kind), broken)
            }
        }
    }

    #[inline]
    fn decode_word(&mut self, token: Token) -> (Tag, [u32; 2], Form, bool) {
        const TEXT: (Tag, [u32; 2], Form, bool) = (Tag::Str, [NONE, 0], Form::Bare, false);
        const GUESS: (Tag, [u32; 2], Form, bool) = (Tag::Str, [NONE, 0], Form::Bare, true);
        let word = &self.text[token.span().range()];
        if token.is(CLUMP) {
            return GUESS;
        }
        if number::is_number_like(word.as_bytes()) {
            return match number::parse(word) {
                number::Number::Int(number) => {
                    (Tag::Int, halves(number as u64), Form::Number, false)
                }
                number::Number::Big => (Tag::Big, [0; 2], Form::Number, false),
                number::Number::Float(number) => {
                    (Tag::Float, halves(number.to_bits()), Form::Number, false)
                }
                number::Number::Malformed => {
                    self.report(self.source.malformed_number(token.span()));
                    match clump::repaired(word).map(|word| number::parse(&word)) {
                        Some(number::Number::Int(number)) => {
                            (Tag::Int, halves(number as u64), Form::Number, true)
                        }
                        Some(number::Number::Float(number)) => {
                            (Tag::Float, halves(number.to_bits()), Form::Number, true)
                        }
                        _ => GUESS,
                    }
                }
            };
        }
        if let Some((tag, payload)) = bare_keyword(word) {
            self.report(self.source.bare_keyword(token.span()));
            return (tag, payload, Form::Keyword, true);
        }
        if token.is(scan::WIDE) {
            self.look_at_letters(token);
        }
        TEXT
    }

    fn decode_keyword(&mut self, token: Token) -> (Tag, [u32; 2], Form, bool) {
        let word = &self.text[token.span().range()];
        if let Some((tag, payload)) = word.strip_prefix('#').and_then(bare_keyword) {
            return (tag, payload, Form::Keyword, false);
        }
        let (found, meant) = self.source.unknown_keyword(token.span());
        self.report(found);
        let guess = meant.and_then(|meant| bare_keyword(&meant[1..]));
        let (tag, payload) = guess.unwrap_or((Tag::Null, [0; 2]));
        (tag, payload, Form::Keyword, true)
    }

    // ---- words and strings

    /// Takes the word at the token, and all that was meant to be part of it.
    #[inline]
    fn word(&mut self, role: Role) -> Token {
        let word = self.token;
        let bytes = self.text.as_bytes();
        match bytes.get(word.end as usize) {
            None | Some(b' ' | b'\n' | b';' | b'}' | b'\t' | b'\r') => self.bump(),
            Some(b'=') if role != Role::Value => self.bump(),
            Some(b'{') if bytes[word.end as usize - 1] != b'$' => self.bump(),
            _ => self.stuck_word(role),
        }
    }

    /// A word with something right behind it.
    #[cold]
    fn stuck_word(&mut self, role: Role) -> Token {
        let word = self.token;
        let text = &self.text[word.span().range()];
        let next = scan(self.text, word.end as usize);
        match next.kind {
            Kind::LineComment if self.fleet && text.ends_with(':') => self.clump(role, word),
            Kind::BlockComment if self.is_glob(next) => self.clump(role, word),
            Kind::Backslash => {
                let after = word.end as usize + 1;
                let (class, len) = class::at(self.text, after);
                let continues = len == 0
                    || class & (class::SPACE | class::NEWLINE) != 0
                    || self.text[after..].starts_with("//")
                    || self.text[after..].starts_with("/*");
                if continues {
                    self.bump()
                } else {
                    self.clump(role, word)
                }
            }
            Kind::OpenBrace if self.fleet => self.clump(role, word),
            Kind::Quoted | Kind::Raw if text == "r" => {
                self.bump();
                let string = self.bump();
                self.report(self.source.old_raw_string(word.span(), string.span()));
                // Escapes mean nothing in it.
                Token {
                    kind: Kind::Raw,
                    marks: string.marks & !scan::ESCAPED | CLUMP,
                    ..string
                }
            }
            Kind::OpenParen if role == Role::Name => self.bump(),
            Kind::Stray | Kind::Keyword | Kind::OpenParen | Kind::CloseParen | Kind::Equals => {
                self.clump(role, word)
            }
            _ => self.bump(),
        }
    }

    /// Whether a comment right behind a word is rather a path with a `*`.
    fn is_glob(&self, comment: Token) -> bool {
        let inside = &self.text[comment.span().range()];
        comment.is(scan::UNCLOSED)
            || self.fleet
                && inside.contains('\n')
                && inside[2..].starts_with(|c: char| matches!(c, '.' | '/' | '*' | '-'))
    }

    /// Takes a run of tokens that was meant as one word, and says what it lacks.
    #[cold]
    fn clump(&mut self, role: Role, first: Token) -> Token {
        let start = first.start as usize;
        let end = clump::end(self.text, start, role != Role::Value).max(first.end as usize);
        let span = Span::new(first.start, end as u32);
        let source = &self.text[span.range()];
        let word = source.as_bytes();
        let open = self.text[..end].ends_with('$') && self.text[end..].starts_with('{');
        let is_url = source
            .find("//")
            .is_some_and(|at| at > 0 && word[at - 1] == b':');
        self.report(if is_url {
            self.source.cut_url(span)
        } else if open || source.contains("${") {
            self.source.bare_expression(span, !open)
        } else if number::is_number_like(word) && role == Role::Value
            || number::is_number_like(word)
                && !self.text[end..].starts_with('=')
                && role == Role::Key
        {
            self.source.malformed_number(span)
        } else {
            self.source.needs_quotes(span)
        });
        self.last_end = span.end;
        self.jump(span.end);
        if !matches!(self.token.kind, Kind::Equals | Kind::OpenBrace) {
            self.forgiven = span.end;
        }
        Token {
            kind: Kind::Word,
            marks: CLUMP,
            start: span.start,
            end: span.end,
        }
    }

    /// A word as a node's name.
    #[inline]
    fn name_of_word(&mut self, token: Token) -> Text {
        if token.kind == Kind::Word && !token.is(CLUMP) {
            let word = &self.text[token.span().range()];
            match word.as_bytes()[0] {
                b'0'..=b'9' | b'+' | b'-' | b'.' | b't' | b'f' | b'n' | b'i' => {
                    self.check_name(token);
                }
                _ => {}
            }
            if token.is(scan::WIDE) {
                self.look_at_letters(token);
            }
        }
        self.text_of_word(token)
    }

    fn text_of_word(&mut self, token: Token) -> Text {
        if token.kind == Kind::Word {
            Text {
                start: token.start,
                end: token.end,
                owned: NONE,
            }
        } else {
            self.string(token)
        }
    }

    fn check_name(&mut self, token: Token) {
        let word = &self.text[token.span().range()];
        if number::is_number_like(word.as_bytes()) {
            self.report(self.source.number_as_name(token.span()));
        } else if bare_keyword(word).is_some() {
            self.report(self.source.keyword_as_name(token.span()));
        }
    }

    #[inline]
    fn key(&mut self, node: u32, token: Token) -> u32 {
        let errors = self.diagnostics.len();
        let text = if token.kind == Kind::Word {
            self.name_of_word(token)
        } else {
            self.string(token)
        };
        if self.diagnostics.len() > errors || token.is(CLUMP) {
            self.mark_broken(node);
        }
        self.tree.keys.push(text);
        self.tree.keys.len() as u32 - 1
    }

    #[cold]
    fn look_at_letters(&mut self, token: Token) {
        if self.fleet
            && let Some(oddity) = script::oddity(&self.text[token.span().range()])
        {
            self.report(self.source.confusable(token.span(), oddity));
        }
    }

    /// A string in quotes that has been taken.
    #[inline]
    fn string(&mut self, token: Token) -> Text {
        let text = Text {
            start: token.start,
            end: token.end,
            owned: NONE,
        };
        if matches!(token.kind, Kind::Quoted) && !token.is(scan::ESCAPED) || token.kind == Kind::Raw
        {
            if token.end - token.start > self.limits.string as u32 {
                self.check_length(token, (token.end - token.start) as usize - 2);
            }
            return text;
        }
        self.decoded(token)
    }

    fn decoded(&mut self, token: Token) -> Text {
        let before = self.tree.owned.len();
        let faults: Vec<Fault> = string::decode(self.text, token, &mut self.tree.owned);
        // Where a string ends that is not closed is a guess, and so is what is wrong in it.
        if !faults.is_empty() && !token.is(scan::UNCLOSED) {
            for found in self.source.string_faults(token, &faults) {
                self.report(found);
            }
        }
        self.check_length(token, self.tree.owned.len() - before);
        self.tree.owned_ends.push(self.tree.owned.len() as u32);
        Text {
            start: token.start,
            end: token.end,
            owned: self.tree.owned_ends.len() as u32 - 1,
        }
    }

    fn check_length(&mut self, token: Token, len: usize) {
        if self.fleet && len > self.limits.string {
            self.report(
                self.source
                    .long_string(token.span(), len, self.limits.string),
            );
        }
    }

    // ---- annotations

    /// `(name)`; the index of its record, or nothing if it was malformed and skipped.
    fn annotation(&mut self) -> Option<u32> {
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
    fn broken_annotation(&mut self, open: Token) -> Option<u32> {
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

    // ---- duplicates

    /// Reports live properties that are written more than once.
    fn duplicates(&mut self, node: u32) {
        /// Up to here, comparing all with all beats hashing.
        const FEW: usize = 12;
        let first = self.tree.nodes[node as usize].first_entry as usize;
        let live = |entry: &&EntryRecord| entry.key != NONE && entry.flags & DASHED == 0;
        let records = &self.tree.entries[first..];
        let key_text = |key: u32| {
            let text = self.tree.keys[key as usize];
            if text.owned == NONE {
                &self.text[string::plain_body(self.text, text.start, text.end)]
            } else {
                self.tree.owned_str(text.owned)
            }
        };
        let mut twice: Vec<(u32, u32)> = Vec::new();
        if records.len() <= FEW {
            for (index, entry) in records.iter().enumerate().filter(|(_, entry)| live(entry)) {
                let key = key_text(entry.key);
                let before = records[..index]
                    .iter()
                    .filter(live)
                    .find(|other| key_text(other.key) == key);
                if let Some(before) = before {
                    twice.push((entry.key, before.key));
                }
            }
        } else {
            let mut seen = HashMap::new();
            for entry in records.iter().filter(live) {
                let first = *seen.entry(key_text(entry.key)).or_insert(entry.key);
                if first != entry.key {
                    twice.push((entry.key, first));
                }
            }
        }
        let span = |key: u32| {
            let text = self.tree.keys[key as usize];
            Span::new(text.start, text.end)
        };
        let found: Vec<Diagnostic> = twice
            .iter()
            .take(self.limits.diagnostics)
            .map(|&(again, first)| {
                self.source
                    .duplicate_property(key_text(again), span(again), span(first))
            })
            .collect();
        for found in found {
            self.report(found);
            self.mark_broken(node);
        }
    }
}

/// An entry whose value is still to come.
#[derive(Debug, Clone, Copy)]
struct Pending {
    start: u32,
    flags: u8,
    key: u32,
    annotation: u32,
}

/// What a word is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A node's name.
    Name,
    /// The first word of an entry: a key if `=` follows.
    Key,
    /// A value.
    Value,
}

/// KDL's keywords, without their `#`.
#[inline]
fn bare_keyword(word: &str) -> Option<(Tag, [u32; 2])> {
    Some(match word {
        "true" => (Tag::True, [0; 2]),
        "false" => (Tag::False, [0; 2]),
        "null" => (Tag::Null, [0; 2]),
        "inf" => (Tag::Float, halves(f64::INFINITY.to_bits())),
        "-inf" => (Tag::Float, halves(f64::NEG_INFINITY.to_bits())),
        "nan" => (Tag::Float, halves(f64::NAN.to_bits())),
        _ => return None,
    })
}
