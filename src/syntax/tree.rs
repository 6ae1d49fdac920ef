//! The tree of a text: two arenas in source order, and views on them.
//!
//! Nodes lie in the order in which they are written, so that a node's children follow it and its
//! next sibling is where its subtree ends; its entries are those from its first up to the next
//! node's first. Strings are ranges of the text unless they had escapes. What is commented out by
//! `/-` stays, with a flag.

use std::ops::Range;
use std::sync::Arc;

use super::scan::{Kind, Token};
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

    fn str(&self, text: Text) -> &str {
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

    fn annotation(&self, index: u32) -> Option<(&str, Span)> {
        let record = self.annotations.get(index as usize)?;
        Some((self.str(record.text), record.span))
    }
}

/// Nodes beside each other.
#[derive(Debug, Clone)]
pub struct Nodes<'t> {
    tree: &'t Tree,
    next: u32,
    end: u32,
    hidden: u8,
}

impl<'t> Iterator for Nodes<'t> {
    type Item = Node<'t>;

    fn next(&mut self) -> Option<Node<'t>> {
        while self.next < self.end {
            let index = self.next;
            let record = &self.tree.nodes[index as usize];
            self.next = record.subtree_end;
            if record.flags & (self.hidden | NAMELESS) == 0 {
                return Some(Node {
                    tree: self.tree,
                    index,
                });
            }
        }
        None
    }
}

/// A node: a name, entries and children.
#[derive(Clone, Copy)]
pub struct Node<'t> {
    tree: &'t Tree,
    index: u32,
}

impl<'t> Node<'t> {
    fn record(self) -> &'t NodeRecord {
        &self.tree.nodes[self.index as usize]
    }

    /// Its place in the tree, from 0 in the order of the text; see [`Tree::node`].
    pub fn index(self) -> u32 {
        self.index
    }

    /// The file it stands in.
    pub fn file(self) -> FileId {
        self.tree.file
    }

    /// Its name, decoded.
    pub fn name(self) -> &'t str {
        self.tree.str(self.record().name)
    }

    /// Where the name is written, quotes included.
    pub fn name_span(self) -> Span {
        let name = self.record().name;
        Span::new(name.start, name.end)
    }

    /// From the start, `/-` and annotation included, to the end of the last entry or block.
    pub fn span(self) -> Span {
        let record = self.record();
        Span::new(record.start, record.end)
    }

    /// The annotation before the name, and where it stands, parentheses included.
    pub fn annotation(self) -> Option<(&'t str, Span)> {
        self.tree.annotation(self.record().annotation)
    }

    /// Whether it is commented out by its own `/-`. What is in a node that is commented out is
    /// live in relation to that node.
    pub fn is_dashed(self) -> bool {
        self.record().flags & DASHED != 0
    }

    /// Whether the reader reported an error in the node itself (not in its children), so that
    /// something may be missing from it.
    pub fn is_broken(self) -> bool {
        self.record().flags & BROKEN != 0
    }

    /// The braces around its children and what is between them.
    pub fn block_span(self) -> Option<Span> {
        let block = self.record().block;
        (block.start != NONE).then_some(block)
    }

    /// Child blocks that are commented out, each with its braces.
    pub fn dashed_blocks(self) -> impl Iterator<Item = Span> + 't {
        let blocks = &self.tree.dashed_blocks;
        let first = blocks.partition_point(|(node, _)| *node < self.index);
        blocks[first..]
            .iter()
            .take_while(move |(node, _)| *node == self.index)
            .map(|(_, span)| *span)
    }

    /// The live arguments and properties.
    pub fn entries(self) -> impl DoubleEndedIterator<Item = Entry<'t>> + Clone + 't {
        self.all_entries().filter(|entry| !entry.is_dashed())
    }

    /// All arguments and properties, commented out ones included.
    pub fn all_entries(self) -> impl DoubleEndedIterator<Item = Entry<'t>> + Clone + 't {
        let end = self
            .tree
            .nodes
            .get(self.index as usize + 1)
            .map_or(self.tree.entries.len() as u32, |next| next.first_entry);
        let tree = self.tree;
        (self.record().first_entry..end).map(move |index| Entry { tree, index })
    }

    /// The live arguments.
    pub fn args(self) -> impl DoubleEndedIterator<Item = Entry<'t>> + Clone + 't {
        self.entries().filter(|entry| entry.key().is_none())
    }

    /// The live properties, in the order of the text. A key that is written twice comes twice.
    pub fn props(self) -> impl DoubleEndedIterator<Item = Entry<'t>> + Clone + 't {
        self.entries().filter(|entry| entry.key().is_some())
    }

    /// The live children.
    pub fn children(self) -> Nodes<'t> {
        Nodes {
            tree: self.tree,
            next: self.index + 1,
            end: self.record().subtree_end,
            hidden: DASHED | IN_DASHED_BLOCK,
        }
    }

    /// All children, commented out ones included.
    pub fn all_children(self) -> Nodes<'t> {
        Nodes {
            hidden: 0,
            ..self.children()
        }
    }
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.name())
            .field("span", &self.span())
            .finish()
    }
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// A word without quotes.
    Bare,
    /// `"…"`
    Quoted,
    /// `#"…"#`
    Raw,
    /// `"""…"""`
    Multiline,
    /// `#"""…"""#`
    RawMultiline,
    /// Digits.
    Number,
    /// `#true`, `#false`, `#null`, `#inf`, `#-inf`, `#nan`.
    Keyword,
}

impl Form {
    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Quoted => Self::Quoted,
            Kind::Raw => Self::Raw,
            Kind::Multiline => Self::Multiline,
            Kind::RawMultiline => Self::RawMultiline,
            Kind::Keyword => Self::Keyword,
            _ => Self::Bare,
        }
    }
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'t> {
    /// A string, decoded.
    Str(&'t str),
    /// An integer.
    Int(i64),
    /// An integer that does not fit 64 bits, as it is written.
    Big(&'t str),
    /// A number with a point or an exponent, or `#inf`, `#-inf`, `#nan`.
    Float(f64),
    /// `#true` or `#false`.
    Bool(bool),
    /// `#null`.
    Null,
}

impl<'t> Value<'t> {
    /// The string, if it is one.
    pub fn as_str(self) -> Option<&'t str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one that fits.
    pub fn as_int(self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(number),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(value),
            _ => None,
        }
    }
}

/// An argument or a property.
#[derive(Clone, Copy)]
pub struct Entry<'t> {
    tree: &'t Tree,
    index: u32,
}

impl<'t> Entry<'t> {
    fn record(self) -> &'t EntryRecord {
        &self.tree.entries[self.index as usize]
    }

    /// The file it stands in.
    pub fn file(self) -> FileId {
        self.tree.file
    }

    /// A property's key, decoded; none for an argument.
    pub fn key(self) -> Option<&'t str> {
        self.tree
            .keys
            .get(self.record().key as usize)
            .map(|key| self.tree.str(*key))
    }

    /// Where the key is written, quotes included.
    pub fn key_span(self) -> Option<Span> {
        self.tree
            .keys
            .get(self.record().key as usize)
            .map(|key| Span::new(key.start, key.end))
    }

    /// The annotation before the value, and where it stands, parentheses included.
    pub fn annotation(self) -> Option<(&'t str, Span)> {
        self.tree.annotation(self.record().annotation)
    }

    /// The value. A number that could not be read is the string that it looks like.
    pub fn value(self) -> Value<'t> {
        let record = self.record();
        match record.tag {
            Tag::Str => Value::Str(self.tree.str(Text {
                start: record.value_start,
                end: record.end,
                owned: record.payload[0],
            })),
            Tag::Int => Value::Int(record.bits() as i64),
            Tag::Big => Value::Big(&self.tree.text[self.value_span().range()]),
            Tag::Float => Value::Float(f64::from_bits(record.bits())),
            Tag::True => Value::Bool(true),
            Tag::False => Value::Bool(false),
            Tag::Null => Value::Null,
        }
    }

    /// Where the value is written, quotes included and annotation excluded.
    pub fn value_span(self) -> Span {
        let record = self.record();
        Span::new(record.value_start, record.end)
    }

    /// All of it: `/-`, key, annotation and value.
    pub fn span(self) -> Span {
        let record = self.record();
        Span::new(record.start, record.end)
    }

    /// The value as it is written.
    pub fn source(self) -> &'t str {
        &self.tree.text[self.value_span().range()]
    }

    /// How the value is written.
    pub fn form(self) -> Form {
        self.record().form
    }

    /// Whether it is commented out by `/-`.
    pub fn is_dashed(self) -> bool {
        self.record().flags & DASHED != 0
    }

    /// Whether the reader reported an error in it, so that the value is a guess.
    pub fn is_broken(self) -> bool {
        self.record().flags & BROKEN != 0
    }

    /// Where a range of the decoded string is written. Offsets that fall inside an escape give the
    /// whole escape; the whole value for values that are not strings.
    pub fn locate(self, range: Range<usize>) -> Span {
        let record = self.record();
        if record.tag != Tag::Str {
            return self.value_span();
        }
        let span = self.value_span();
        if record.payload[0] == NONE {
            let body = string::plain_body(&self.tree.text, span.start, span.end);
            let clamp = |offset: usize| (body.start + offset).min(body.end) as u32;
            return Span::new(clamp(range.start), clamp(range.end));
        }
        string::locate(&self.tree.text, span, range)
    }
}

impl std::fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Entry");
        if let Some(key) = self.key() {
            debug.field("key", &key);
        }
        debug.field("value", &self.value()).finish()
    }
}
