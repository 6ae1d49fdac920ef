//! The tree of a text: two arenas in source order, and views on them.
//!
//! Nodes lie in the order in which they are written, so that a node's children follow it and its
//! next sibling is where its subtree ends; its entries are those from its first up to the next
//! node's first. Strings are ranges of the text unless they had escapes. What is commented out by
//! `/-` stays, with a flag.

mod entry;
mod node;
mod value;

use std::sync::Arc;

pub use entry::Entry;
pub use node::{Node, Nodes};
pub use value::{Form, Value};

use super::scan::Token;
use super::{string, tokens};
use crate::diag::{FileId, Span};

/// No index.
pub(super) const NONE: u32 = u32::MAX;

/// The node is commented out by its own `/-`.
pub(super) const DASHED: u8 = 1;
/// The node stands in a child block that is commented out by `/-`.
pub(super) const IN_DASHED_BLOCK: u8 = 2;
/// The reader reported an error in the line, so that consequences need not be reported.
pub(super) const BROKEN: u8 = 4;
/// The node is not in the text: it carries a block that has no name.
pub(super) const NAMELESS: u8 = 8;

/// A string: the token it is written as, and its decoded text if that is not a part of the token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text {
    pub(super) start: u32,
    pub(super) end: u32,
    /// Index in [`Tree::owned`], or [`NONE`].
    pub(super) owned: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct NodeRecord {
    pub(super) name: Text,
    pub(super) annotation: u32,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) first_entry: u32,
    /// Index after the last node of the subtree.
    pub(super) subtree_end: u32,
    pub(super) block: Span,
    pub(super) flags: u8,
}

/// What the value is; the payload is in [`EntryRecord::payload`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Str,
    Int,
    Big,
    Float,
    True,
    False,
    Null,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct EntryRecord {
    /// The number's bits, or the index in [`Tree::owned`], in two halves so that a record needs
    /// no padding.
    pub(super) payload: [u32; 2],
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) value_start: u32,
    pub(super) key: u32,
    pub(super) annotation: u32,
    pub(super) tag: Tag,
    pub(super) form: Form,
    pub(super) flags: u8,
}

impl EntryRecord {
    pub(super) fn bits(&self) -> u64 {
        u64::from(self.payload[0]) | u64::from(self.payload[1]) << 32
    }
}

pub(super) fn halves(bits: u64) -> [u32; 2] {
    [bits as u32, (bits >> 32) as u32]
}

#[derive(Debug, Clone, Copy)]
pub(super) struct AnnotationRecord {
    pub(super) text: Text,
    /// With its parentheses.
    pub(super) span: Span,
}

/// A text and what it says. Cheap to keep: about 80 bytes a node with its entries, over the text.
#[derive(Debug, Clone)]
pub struct Tree {
    pub(super) file: FileId,
    pub(super) text: Arc<str>,
    pub(super) nodes: Vec<NodeRecord>,
    pub(super) entries: Vec<EntryRecord>,
    pub(super) keys: Vec<Text>,
    pub(super) annotations: Vec<AnnotationRecord>,
    /// Decoded strings, one after the other, and where each ends.
    pub(super) owned: String,
    pub(super) owned_ends: Vec<u32>,
    /// Child blocks commented out by `/-`, with the node that each belongs to.
    pub(super) dashed_blocks: Vec<(u32, Span)>,
    pub(super) version: Option<u8>,
}

impl Tree {
    /// Which file it was read from.
    pub fn file(&self) -> FileId {
        self.file
    }

    /// The text, byte for byte.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text, shared.
    pub fn shared_text(&self) -> &Arc<str> {
        &self.text
    }

    /// The version that the text's `/- kdl-version` line states, if it has one.
    pub fn version(&self) -> Option<u8> {
        self.version
    }

    /// The live nodes at the top level.
    pub fn nodes(&self) -> Nodes<'_> {
        Nodes {
            tree: self,
            next: 0,
            end: self.nodes.len() as u32,
            hidden: DASHED | IN_DASHED_BLOCK,
        }
    }

    /// All nodes at the top level, commented out ones included.
    pub fn all_nodes(&self) -> Nodes<'_> {
        Nodes {
            hidden: 0,
            ..self.nodes()
        }
    }

    /// The node that [`Node::index`] names.
    pub fn node(&self, index: u32) -> Option<Node<'_>> {
        ((index as usize) < self.nodes.len()).then_some(Node { tree: self, index })
    }

    /// How many nodes there are in all, commented out ones included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node at all.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The text's tokens, trivia included: put together they are the text again.
    pub fn tokens(&self) -> impl Iterator<Item = Token> + '_ {
        tokens(&self.text)
    }

    /// Gives back what was reserved and not used.
    pub(super) fn shrink(&mut self) {
        self.nodes.shrink_to_fit();
        self.entries.shrink_to_fit();
        self.keys.shrink_to_fit();
        self.annotations.shrink_to_fit();
        self.owned.shrink_to_fit();
        self.owned_ends.shrink_to_fit();
    }

    /// A string's decoded text.
    pub(super) fn str(&self, text: Text) -> &str {
        if text.owned == NONE {
            &self.text[string::plain_body(&self.text, text.start, text.end)]
        } else {
            self.owned_str(text.owned)
        }
    }

    pub(super) fn owned_str(&self, index: u32) -> &str {
        let index = index as usize;
        let start = if index == 0 {
            0
        } else {
            self.owned_ends[index - 1]
        };
        &self.owned[start as usize..self.owned_ends[index] as usize]
    }

    pub(super) fn annotation(&self, index: u32) -> Option<(&str, Span)> {
        let record = self.annotations.get(index as usize)?;
        Some((self.str(record.text), record.span))
    }
}
