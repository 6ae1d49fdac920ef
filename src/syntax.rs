//! KDL 2 text to a lossless tree, with every mistake in it reported.
//!
//! ```text
//! text ── scan (tokens) ── reader (explicit stack, recovery) ── tree (arenas) ── Node, Entry
//! ```
//!
//! [`parse`] never fails, takes time linear in the text and a stack that does not grow with it,
//! and keeps what is commented out by `/-`. What KDL allows but a fleet hardly ever means (a URL
//! cut short by `//`, a property written twice) is an error here as well, unless
//! [`Dialect::Kdl`] is asked for. The grammar is in `grammar/kdl.md`.
//!
//! ```
//! use metalform::diag::FileId;
//! use metalform::syntax::{self, Limits, Value};
//!
//! let text = "/- kdl-version 2\nhost r01-n01 slot=1 { online #true; }\n".into();
//! let parse = syntax::parse(FileId(0), &text, &Limits::default());
//! let host = parse.tree.nodes().next().expect("one node");
//! assert_eq!(host.name(), "host");
//! assert_eq!(host.args().next().map(|name| name.value()), Some(Value::Str("r01-n01")));
//! assert_eq!(host.children().count(), 1);
//! assert!(parse.diagnostics.is_empty());
//! ```

mod class;
mod clump;
mod number;
mod reader;
mod report;
mod scan;
mod script;
mod string;
mod tree;

use std::sync::Arc;

pub use scan::{Kind, Token, tokens};
pub use tree::{Entry, Form, Node, Nodes, Tree, Value};

use crate::diag::{Diagnostic, FileId};

/// Which rules hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// KDL 2 as the fleet language uses it: what is legal and surely not meant is reported, too
    /// (MF1014, MF1020 to MF1023, MF1030, MF1031, strings beyond the limit).
    #[default]
    Fleet,
    /// KDL 2 as its specification says, nothing more.
    Kdl,
}

/// Bounds on what one text may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Nesting of child blocks. Raising it costs memory in whatever walks the tree; deeper blocks
    /// are reported once (MF1012) and skipped.
    pub depth: usize,
    /// Findings kept for one text; one more says that there were too many (MF9007).
    pub diagnostics: usize,
    /// Bytes of one decoded string (MF9005). Only for [`Dialect::Fleet`].
    pub string: usize,
    /// Which rules hold.
    pub dialect: Dialect,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 128,
            diagnostics: 1000,
            string: 64 * 1024,
            dialect: Dialect::Fleet,
        }
    }
}

impl Limits {
    /// Limits for plain KDL 2; see [`Dialect::Kdl`].
    pub fn kdl() -> Self {
        Self {
            dialect: Dialect::Kdl,
            ..Self::default()
        }
    }
}

/// What became of a text.
#[derive(Debug, Clone)]
pub struct Parse {
    /// All that could be made out.
    pub tree: Tree,
    /// What is wrong, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

impl Parse {
    /// Whether there was an error, so that something may be missing from the tree.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Reads `text`, which is `file`. Never fails; texts of 4 GiB and more are cut off there, but
/// [`crate::vfs`] refuses them long before.
pub fn parse(file: FileId, text: &Arc<str>, limits: &Limits) -> Parse {
    reader::read(file, text, limits)
}

#[cfg(test)]
mod tests;
