//! MF2205 and MF2206: profiles that nothing uses, names that no expression reads.
//!
//! Told from the text, so that it does not depend on which hosts there are or which conditions are
//! true. What only something unread reads counts as read: taking that out shows it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::Ordering as Atomic;

use super::super::declare::Program;
use super::super::decode;
use super::super::expr::{Expr, Template};
use super::super::import::Project;
use super::super::report::Findings;
use super::line_of;
use crate::diag::{Applicability, Code, Diagnostic, Fix, Place};
use crate::syntax::{Entry, Node, Nodes};

pub(super) fn report(project: &Project, program: &Program<'_>, findings: &mut Findings) {
    let mut text = Text::default();
    for profile in &program.profiles {
        // What was used needs no looking for.
        if !profile.used.load(Atomic::Relaxed) {
            text.profiles.insert(profile.name, profile.place);
        }
    }
    for (_, parse) in &project.sources {
        for node in parse.tree.nodes().filter(|node| node.name() == "param") {
            if let Some(name) = name_of(node) {
                let number = text.add("parameter", name, node);
                text.params.insert(name, number);
            }
        }
    }
    let lets = program
        .world
        .frames
        .iter()
        .any(|frame| !frame.lets.is_empty());
    let params = program
        .profiles
        .iter()
        .any(|profile| !profile.params.is_empty());
    if text.names.is_empty() && text.profiles.is_empty() && !lets && !params {
        return;
    }
    for (_, parse) in &project.sources {
        text.block(parse.tree.nodes(), Block::Scope);
    }
    for (name, place) in text.profiles {
        findings.add(
            Diagnostic::warning(
                Code(2205),
                format!("profile `{name}` is used nowhere"),
                place,
                "",
            )
            .help(format!(
                "write `use {name}` where it is meant, or take it out"
            )),
        );
    }
    for number in text.unread {
        let name = &text.names[number];
        let node = name.node;
        let cut = line_of(node.span(), project.files.text(node.file()));
        findings.add(
            Diagnostic::warning(
                Code(2206),
                format!("no expression reads {} `{}`", name.kind, name.name),
                name.place,
                "",
            )
            .fix(Fix::replace(
                "take it out",
                Applicability::Unsafe,
                cut.in_file(node.file()),
                "",
            )),
        );
    }
}

/// A name that expressions can read.
struct Name<'t> {
    kind: &'static str,
    name: &'t str,
    place: Place,
    node: Node<'t>,
}

/// What a block holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    /// Entities, at the top of a file or in a rack or group.
    Scope,
    /// The same under a condition; no `let`s.
    When,
    /// What an entity says.
    Entity,
    /// The fields of a field.
    Fields,
}

#[derive(Default)]
struct Text<'t> {
    names: Vec<Name<'t>>,
    /// Numbers of those that nothing read so far.
    unread: BTreeSet<usize>,
    params: HashMap<&'t str, usize>,
    /// Profiles that nothing uses so far.
    profiles: BTreeMap<&'t str, Place>,
    /// The names in sight, innermost last, by blocks.
    sight: Vec<HashMap<&'t str, usize>>,
}

fn name_of(node: Node<'_>) -> Option<&str> {
    node.args().next()?.value().as_str()
}

impl<'t> Text<'t> {
    fn add(&mut self, kind: &'static str, name: &'t str, node: Node<'t>) -> usize {
        let entry = node.args().next();
        let place = entry.map_or_else(|| node.name_span(), Entry::value_span);
        self.names.push(Name {
            kind,
            name,
            place: place.in_file(node.file()),
            node,
        });
        let number = self.names.len() - 1;
        self.unread.insert(number);
        number
    }

    fn block(&mut self, nodes: Nodes<'t>, block: Block) {
        let mut own = HashMap::new();
        if matches!(block, Block::Scope | Block::Entity) {
            for node in nodes.clone() {
                let kind = match node.name() {
                    "let" => "`let`",
                    // At the top they were added before, for all files.
                    "param" if block == Block::Entity => "parameter",
                    _ => continue,
                };
                if let Some(name) = name_of(node) {
                    own.insert(name, self.add(kind, name, node));
                }
            }
        }
        let has_own = !own.is_empty();
        if has_own {
            self.sight.push(own);
        }
        for node in nodes {
            self.node(node, block);
        }
        if has_own {
            self.sight.pop();
        }
    }

    fn node(&mut self, node: Node<'t>, block: Block) {
        if block == Block::Fields && self.unread.is_empty() && self.profiles.is_empty() {
            return;
        }
        let word = node.name();
        if word == "use"
            && block != Block::Scope
            && let Some(name) = name_of(node)
        {
            self.profiles.remove(name);
        }
        for entry in node.entries() {
            if !self.unread.is_empty() {
                self.entry(entry, word == "when" && entry.key().is_none());
            }
        }
        let inner = match (block, word) {
            (Block::Scope | Block::When, "rack" | "group") => Block::Scope,
            (Block::Scope | Block::When, "when") => Block::When,
            (Block::Scope | Block::When, "facts") => Block::Fields,
            (Block::Scope | Block::When, _) => Block::Entity,
            (Block::Entity | Block::Fields, _) => Block::Fields,
        };
        if word == "profile" && block == Block::Scope {
            // It sees its parameters and `let`s, and nothing around it.
            let around = std::mem::take(&mut self.sight);
            self.block(node.children(), inner);
            self.sight = around;
        } else {
            self.block(node.children(), inner);
        }
    }

    fn entry(&mut self, entry: Entry<'t>, condition: bool) {
        let Some(text) = entry.value().as_str() else {
            return;
        };
        // Reading an expression costs more than finding a name in it: first, whether it may matter.
        const FEW: usize = 8;
        let may_hold = |number: &usize| text.contains(self.names[*number].name);
        if !(condition || decode::is_template(entry))
            || (self.unread.len() <= FEW && !self.unread.iter().any(may_hold))
        {
            return;
        }
        if condition {
            if let Ok(expression) = Expr::compile(text) {
                for read in expression.references() {
                    self.read(read.path);
                }
            }
        } else if let Ok(template) = Template::compile(text) {
            for read in template.references() {
                self.read(read.path);
            }
        }
    }

    fn read(&mut self, path: &str) {
        let number = match path.split_once('.') {
            Some(("param", name)) => self.params.get(name),
            Some(_) => None,
            None => self.sight.iter().rev().find_map(|names| names.get(path)),
        };
        if let Some(number) = number {
            self.unread.remove(number);
        }
    }
}
