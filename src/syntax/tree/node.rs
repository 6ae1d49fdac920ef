//! Views on nodes.

use super::{BROKEN, DASHED, Entry, IN_DASHED_BLOCK, NAMELESS, NONE, NodeRecord, Tree};
use crate::diag::{FileId, Span};

/// Nodes beside each other.
#[derive(Debug, Clone)]
pub struct Nodes<'t> {
    pub(super) tree: &'t Tree,
    pub(super) next: u32,
    pub(super) end: u32,
    pub(super) hidden: u8,
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
    pub(super) tree: &'t Tree,
    pub(super) index: u32,
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
