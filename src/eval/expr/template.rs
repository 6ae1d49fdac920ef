//! Texts with `${…}` in them.

use std::ops::Range;
use std::sync::Arc;

use super::error::TYPE;
use super::node::{Kind, Node};
use super::{Env, ExprError, Reference, Val, parse, walk};

/// A quoted string, compiled.
#[derive(Debug, Clone)]
pub struct Template {
    text: Arc<str>,
    parts: Parts,
}

#[derive(Debug, Clone)]
enum Parts {
    /// No `${…}`: always this text.
    Literal(Val),
    /// Exactly one `${…}` and nothing around it: its value keeps its type.
    One(Node),
    Many(Box<[Part]>),
}

#[derive(Debug, Clone)]
enum Part {
    Text(Box<str>),
    /// The expression, and where its `${…}` stands.
    Value(Node, Range<usize>),
}

/// Whether `text` is a plain one, which needs no compiling: it holds no `${`.
pub fn is_plain(text: &str) -> bool {
    !text.contains("${")
}

impl Template {
    /// Compiles a decoded quoted string. `$${` stands for the text `${`; any other `$` is text.
    ///
    /// Errors as [`super::Expr::compile`]; the first one only.
    pub fn compile(text: &str) -> Result<Template, ExprError> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while let Some(dollar) = text[at..].find('$').map(|offset| at + offset) {
            plain.push_str(&text[at..dollar]);
            let rest = &text[dollar..];
            if rest.starts_with("$${") {
                plain.push_str("${");
                at = dollar + 3;
            } else if rest.starts_with("${") {
                let (node, end) = parse::inside(text, dollar + 2)?;
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain).into()));
                }
                parts.push(Part::Value(node, dollar..end));
                at = end;
            } else {
                plain.push('$');
                at = dollar + 1;
            }
        }
        plain.push_str(&text[at..]);
        if !plain.is_empty() {
            parts.push(Part::Text(plain.into()));
        }
        let parts = match parts.pop() {
            None => Parts::Literal(Val::from("")),
            Some(Part::Text(text)) if parts.is_empty() => Parts::Literal(Val::Str(text.into())),
            Some(Part::Value(node, _)) if parts.is_empty() => Parts::One(node),
            Some(last) => {
                parts.push(last);
                Parts::Many(parts.into())
            }
        };
        Ok(Template {
            text: text.into(),
            parts,
        })
    }

    /// The value: of any type for exactly one `${…}`, else a string.
    ///
    /// Inside a text integers are written in decimal and booleans as `true` and `false`; a list
    /// there is MF2307. Other errors as [`super::Expr::eval`]. A text without expressions is
    /// bounded by who read it.
    pub fn eval(&self, env: &dyn Env) -> Result<Val, ExprError> {
        let parts = match &self.parts {
            Parts::Literal(value) => return Ok(value.clone()),
            Parts::One(node) => return walk::value(node, &self.text, env),
            Parts::Many(parts) => parts,
        };
        let limit = env.max_string();
        let mut out = String::with_capacity(self.text.len());
        for part in parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value(node, range) => {
                    if !walk::value(node, &self.text, env)?.render(&mut out) {
                        return Err(ExprError::new(
                            TYPE,
                            "a list cannot stand inside a text",
                            range.clone(),
                        )
                        .help("write it with `join(list, ',')`"));
                    }
                    if out.len() > limit {
                        return Err(walk::string_too_long(out.len(), limit, range.clone()));
                    }
                }
            }
        }
        if out.len() > limit {
            return Err(walk::string_too_long(out.len(), limit, 0..self.text.len()));
        }
        Ok(Val::from(out))
    }

    /// The text that was compiled.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value, where it is the same everywhere because there is no `${…}`.
    pub fn literal(&self) -> Option<&Val> {
        match &self.parts {
            Parts::Literal(value) => Some(value),
            Parts::One(_) | Parts::Many(_) => None,
        }
    }

    /// The names read, in the order written, with repeats.
    pub fn references(&self) -> Vec<Reference<'_>> {
        let mut out = Vec::new();
        for node in self.nodes() {
            super::collect_references(node, &self.text, false, &mut out);
        }
        out
    }

    /// The text with values in the place of names, for `explain`.
    ///
    /// A single `${…}` gives the bare expression, `mac('b0:7b:25:01:00:00', 7 * 16)`; otherwise
    /// the text around stays, and a part that is only a name becomes its value.
    pub fn show(&self, env: &dyn Env) -> String {
        let mut out = String::new();
        match &self.parts {
            Parts::Literal(value) => out.push_str(value.as_str().unwrap_or_default()),
            Parts::One(node) => super::show(node, &self.text, node.range(), env, &mut out),
            Parts::Many(parts) => {
                for part in parts {
                    match part {
                        Part::Text(text) => out.push_str(text),
                        Part::Value(node, _) => self.show_part(node, env, &mut out),
                    }
                }
            }
        }
        out
    }

    fn show_part(&self, node: &Node, env: &dyn Env, out: &mut String) {
        if let Kind::Path(path) = &node.kind
            && path
                .value(&self.text, env)
                .is_some_and(|value| value.render(out))
        {
            return;
        }
        out.push_str("${");
        super::show(node, &self.text, node.range(), env, out);
        out.push('}');
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        let (one, many): (Option<&Node>, &[Part]) = match &self.parts {
            Parts::Literal(_) => (None, &[]),
            Parts::One(node) => (Some(node), &[]),
            Parts::Many(parts) => (None, parts),
        };
        one.into_iter()
            .chain(many.iter().filter_map(|part| match part {
                Part::Text(_) => None,
                Part::Value(node, _) => Some(node),
            }))
    }
}
