//! Expressions: `"${…}"` in quoted strings, and the conditions of `when`, `assert` and `that`.
//!
//! A strict subset of CEL (language.md 5.2; `grammar/expressions.md` has the EBNF and the table
//! of functions). Evaluation is total: no loops, no recursion, no user functions, integers that
//! never wrap, results of bounded size. Everything is compiled once and evaluated per host.

pub mod builtin;
mod error;
mod lex;
mod node;
mod parse;
pub mod template;
#[cfg(test)]
mod tests;
mod value;
mod walk;

use std::ops::Range;

pub use error::ExprError;
pub use template::Template;
pub use value::Val;

use node::{Kind, Node};

/// Longest expression in bytes.
pub const MAX_EXPRESSION: usize = 4 * 1024;
/// Longest string in bytes that an expression makes, unless [`Env::max_string`] says otherwise.
pub const MAX_STRING: usize = 64 * 1024;
/// Most items in a list.
pub const MAX_LIST: usize = 4 * 1024;
/// Deepest nesting of parentheses, lists, calls and signs.
pub const MAX_DEPTH: usize = 64;
/// Most names in one path, such as 3 in `pool.workers.size`.
pub const MAX_PATH: usize = 8;

/// The names that an expression may read.
///
/// Which paths have values depends on the place: `param.*`, `let`s, facts of the instance, and in
/// asserts the merged configuration.
pub trait Env {
    /// The value at `path` (`host.slot` is `["host", "slot"]`), or none.
    fn lookup(&self, path: &[&str]) -> Option<Val>;

    /// All paths with a value, written with dots. Only asked for when a name is unknown.
    fn names(&self) -> Vec<String>;

    /// Longest string in bytes that may be made (MF9005).
    fn max_string(&self) -> usize {
        MAX_STRING
    }

    /// Whether `path` is configuration that expressions here may not read (MF2308).
    fn is_config(&self, path: &[&str]) -> bool;
}

/// One compiled expression.
#[derive(Debug, Clone)]
pub struct Expr {
    root: Node,
    text: Box<str>,
}

/// A name that an expression reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference<'e> {
    /// The path as written, such as `host.slot`.
    pub path: &'e str,
    /// Where, as bytes of the text that was compiled.
    pub range: Range<usize>,
    /// Whether the name may be missing, as in `has(…)` and `coalesce(…, …)`.
    pub optional: bool,
}

impl Expr {
    /// Compiles a condition. The text is the bare expression, without `${` and `}`.
    ///
    /// Errors: MF2302 (syntax), MF2301 (unknown function), MF2307 (number of arguments), MF2305
    /// (a number that does not fit), MF9005 and MF9006 (too long, too deep).
    pub fn compile(text: &str) -> Result<Expr, ExprError> {
        Ok(Expr {
            root: parse::condition(text)?,
            text: text.into(),
        })
    }

    /// The value.
    ///
    /// Errors: MF2301 (unknown name), MF2305 (overflow, division by zero), MF2306 (argument out of
    /// range), MF2307 (types), MF2308 (reads configuration), MF9005 (result too large).
    pub fn eval(&self, env: &dyn Env) -> Result<Val, ExprError> {
        walk::value(&self.root, &self.text, env)
    }

    /// The value of a condition: errors as [`Expr::eval`], and MF2307 when it is no boolean.
    pub fn test(&self, env: &dyn Env) -> Result<bool, ExprError> {
        match self.eval(env)? {
            Val::Bool(yes) => Ok(yes),
            other => Err(ExprError::new(
                error::TYPE,
                format!("a condition is true or false, this is {}", other.article()),
                self.root.range(),
            )
            .help("compare it with something, such as `param.prov_vlan != 120`")),
        }
    }

    /// The text that was compiled.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names read, in the order written, with repeats.
    pub fn references(&self) -> Vec<Reference<'_>> {
        let mut out = Vec::new();
        collect_references(&self.root, &self.text, false, &mut out);
        out
    }

    /// The expression with values in the place of names: `7 * 16` for `host.slot * 16`.
    ///
    /// Names without a value stay as they are, also inside `has(…)`.
    pub fn show(&self, env: &dyn Env) -> String {
        let mut out = String::new();
        show(&self.root, &self.text, 0..self.text.len(), env, &mut out);
        out
    }

    /// What a reader needs to see why a condition has its value: each name and each side of a
    /// comparison that is more than a literal, as text, with its value. No repeats.
    pub fn values(&self, env: &dyn Env) -> Vec<(&str, Val)> {
        let mut out = Vec::new();
        collect_values(&self.root, &self.text, env, &mut out);
        out
    }
}

fn collect_references<'e>(
    node: &Node,
    text: &'e str,
    optional: bool,
    out: &mut Vec<Reference<'e>>,
) {
    match &node.kind {
        Kind::Path(_) | Kind::Has(_) => {
            let (range, optional) = match &node.kind {
                Kind::Has(path) => (path.range(), true),
                _ => (node.range(), optional),
            };
            out.push(Reference {
                path: &text[range.clone()],
                range,
                optional,
            });
        }
        Kind::Coalesce(names, default) => {
            for name in names {
                collect_references(name, text, true, out);
            }
            collect_references(default, text, false, out);
        }
        _ => node
            .children()
            .for_each(|child| collect_references(child, text, false, out)),
    }
}

/// Writes `text[range]` with the paths of `node` replaced by their values.
fn show(node: &Node, text: &str, range: Range<usize>, env: &dyn Env, out: &mut String) {
    let mut paths = Vec::new();
    node.each_path(&mut |path, range| paths.push((path, range)));
    let mut at = range.start;
    for (path, found) in paths {
        out.push_str(&text[at..found.start]);
        at = found.end;
        match path.value(text, env) {
            Some(value) => out.push_str(&value.to_string()),
            None => out.push_str(&text[found]),
        }
    }
    out.push_str(&text[at..range.end]);
}

fn collect_values<'e>(node: &Node, text: &'e str, env: &dyn Env, out: &mut Vec<(&'e str, Val)>) {
    let mut add = |node: &Node| {
        let part = &text[node.range()];
        if out.iter().all(|(seen, _)| *seen != part)
            && let Ok(value) = walk::value(node, text, env)
        {
            out.push((part, value));
        }
    };
    match &node.kind {
        Kind::Has(_) => return add(node),
        Kind::Path(_) => add(node),
        Kind::Compare(_, sides) => {
            for side in sides.iter().filter(|side| !side.is_constant()) {
                add(side);
            }
        }
        _ => {}
    }
    for child in node.children() {
        collect_values(child, text, env, out);
    }
}
