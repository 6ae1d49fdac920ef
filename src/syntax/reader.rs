//! Tokens to tree. One token of look-ahead, a stack of open blocks on the heap, and recovery: an
//! error in a line never costs more than that line, and never a brace.

mod annotation;
mod block;
mod duplicate;
mod entry;
mod property;
mod token;
mod word;

use std::sync::Arc;

use self::word::bare_keyword;

use super::report::Source;
use super::scan::{Kind, Token, scan};
use super::tree::{BROKEN, DASHED, IN_DASHED_BLOCK, NAMELESS, NONE, NodeRecord, Text};
use super::{Dialect, Limits, Parse, Tree, class};
use crate::diag::codes::syntax as codes;
use crate::diag::{self, Diagnostic, FileId, Span};

/// A word that stands for a run of several tokens; see [`clump`].
const CLUMP: u8 = 16;

/// How often something unclosed is followed to the end of the text, in vain, and then taken for
/// less than that. Without a bound, each line could cost as much as the text.
const MOST_RUNAWAYS: u32 = 16;

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
    tree.shrink();
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

/// The state of reading one text.
struct Reader<'t> {
    source: Source<'t>,
    text: &'t str,
    limits: &'t Limits,
    tree: Tree,
    diagnostics: Vec<Diagnostic>,
    token: Token,
    /// Where the last token that is not trivia ended.
    last_end: u32,
    /// A missing space before this offset has been reported.
    forgiven: u32,
    /// What is found before this offset follows from something that has been reported.
    muted: u32,
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
    /// See [`MOST_RUNAWAYS`].
    runaways: u32,
}

impl<'t> Reader<'t> {
    fn new(file: FileId, whole: &Arc<str>, text: &'t str, limits: &'t Limits) -> Self {
        // Most lines are one node with two entries. Memory that is reserved and not used costs
        // nothing, growing a large array costs a copy; but a text of nothing but newlines must
        // not reserve without bounds.
        let lines = text.bytes().filter(|byte| *byte == b'\n').count();
        let nodes = lines.min(text.len() / 24) + 4;
        Self {
            source: Source {
                file,
                text,
                is_spent: false,
            },
            text,
            limits,
            tree: Tree {
                file,
                text: Arc::clone(whole),
                nodes: Vec::with_capacity(nodes),
                entries: Vec::with_capacity(nodes * 7 / 4),

                keys: Vec::with_capacity(nodes / 2),
                annotations: Vec::new(),
                owned: String::new(),
                owned_ends: Vec::new(),
                dashed_blocks: Vec::new(),
                version: None,
            },
            diagnostics: Vec::new(),
            token: Token {
                kind: Kind::End,
                marks: 0,
                start: 0,
                end: 0,
            },
            last_end: 0,
            forgiven: NONE,
            muted: 0,
            blocks: Vec::new(),
            last: NONE,
            last_closed: None,
            suspect: None,
            swallowed: false,
            too_deep: false,
            stray_close: NONE,
            spaceless: NONE,
            runaways: 0,
        }
    }

    /// Whether the rules beyond KDL hold.
    #[inline]
    fn is_fleet(&self) -> bool {
        self.limits.dialect == Dialect::Fleet
    }

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
        // Comments mean the same in every version.
        if self.tree.nodes.is_empty() {
            self.diagnostics
                .retain(|finding| finding.code != codes::MISSING_VERSION);
        }
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
            if self.is_fleet() && !rest.trim().is_empty() {
                self.report(self.source.missing_version(start));
            }
            return;
        };
        self.tree.version = number.parse().ok();
        if self.is_fleet() && number != "2" {
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
}
