//! Views on arguments and properties.

use std::ops::Range;

use super::{BROKEN, DASHED, EntryRecord, Form, NONE, Node, Tag, Text, Tree, Value};
use crate::diag::{FileId, Span};
use crate::syntax::string;

/// An argument or a property.
#[derive(Clone, Copy)]
pub struct Entry<'t> {
    pub(super) tree: &'t Tree,
    pub(super) index: u32,
}

impl<'t> Entry<'t> {
    fn record(self) -> &'t EntryRecord {
        &self.tree.entries[self.index as usize]
    }

    /// The file it stands in.
    pub fn file(self) -> FileId {
        self.tree.file
    }

    /// The node that it stands on.
    pub fn node(self) -> Node<'t> {
        // Nodes and entries lie in the order of the text; of nodes that begin at one entry, all
        // but the last have none.
        let nodes = &self.tree.nodes;
        let after = nodes.partition_point(|node| node.first_entry <= self.index);
        Node {
            tree: self.tree,
            index: after.saturating_sub(1) as u32,
        }
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
