//! The tree of an expression.

use std::ops::Range;

use smallvec::SmallVec;

use super::builtin::Builtin;
use super::{Env, MAX_PATH, Val};

/// A part of an expression with its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    start: u32,
    end: u32,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Literal(Val),
    Path(Path),
    List(Box<[Node]>),
    Call(&'static Builtin, Box<[Node]>),
    /// Its node is a path.
    Has(Box<Node>),
    /// Paths, and the default behind them.
    Coalesce(Box<[Node]>, Box<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    /// `a + b - c`, flat so that a long sum is not deep.
    Chain(Box<Node>, Box<[(Op, Node)]>),
    Compare(Test, Box<[Node; 2]>),
    All(Box<[Node]>),
    Any(Box<[Node]>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

/// The names of a path, as places in the text.
#[derive(Debug, Clone)]
pub(super) struct Path(pub(super) SmallVec<[(u32, u32); 3]>);

impl Path {
    /// Calls `ask` with the names.
    pub(super) fn with<T>(&self, text: &str, ask: impl FnOnce(&[&str]) -> T) -> T {
        let mut names = [""; MAX_PATH];
        for (name, (start, end)) in names.iter_mut().zip(&self.0) {
            *name = &text[*start as usize..*end as usize];
        }
        ask(&names[..self.0.len()])
    }

    pub(super) fn value(&self, text: &str, env: &dyn Env) -> Option<Val> {
        self.with(text, |path| env.lookup(path))
    }
}

impl Node {
    pub(super) fn new(kind: Kind, range: Range<usize>) -> Node {
        Node {
            kind,
            start: range.start as u32,
            end: range.end as u32,
        }
    }

    pub(super) fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(super) fn children(&self) -> impl Iterator<Item = &Node> {
        let (first, list, chain): (&[Node], &[Node], &[(Op, Node)]) = match &self.kind {
            Kind::Literal(_) | Kind::Path(_) => (&[], &[], &[]),
            Kind::List(nodes) | Kind::Call(_, nodes) | Kind::All(nodes) | Kind::Any(nodes) => {
                (&[], nodes, &[])
            }
            Kind::Coalesce(names, default) => (names, std::slice::from_ref(default), &[]),
            Kind::Has(node) | Kind::Not(node) | Kind::Negate(node) => {
                (std::slice::from_ref(node), &[], &[])
            }
            Kind::Chain(node, rest) => (std::slice::from_ref(node), &[], rest),
            Kind::Compare(_, sides) => (&[], sides.as_slice(), &[]),
        };
        first
            .iter()
            .chain(list)
            .chain(chain.iter().map(|(_, node)| node))
    }

    /// Calls `see` with each path, in the order written.
    pub(super) fn each_path<'n>(&'n self, see: &mut dyn FnMut(&'n Path, Range<usize>)) {
        if let Kind::Path(path) = &self.kind {
            see(path, self.range());
        }
        if !matches!(self.kind, Kind::Has(_)) {
            self.children().for_each(|child| child.each_path(see));
        }
    }

    /// Whether no name is read, so that the value says nothing new.
    pub(super) fn is_constant(&self) -> bool {
        !matches!(self.kind, Kind::Path(_)) && self.children().all(Node::is_constant)
    }
}
