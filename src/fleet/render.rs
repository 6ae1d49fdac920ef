//! The expanded fleet as a spec: one plain `host` block each, nothing left to evaluate.
//!
//! Closure: evaluating the text gives the same digests. What a pool deploys is the same for all its
//! hosts in most fleets and is written at the pool; where it differs from host to host, the value
//! becomes a fact of the host and the pool reads that fact.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use super::{Fields, Fleet, Found, Host, Pool, Value, natural};
use crate::eval::expr::Val;
use crate::schema::{Entity, Kind, PathId, Paths};

/// Records with at most this many plain fields are written in one line.
const INLINE: usize = 3;
/// A line is not made longer than this by writing a record in it.
const WIDTH: usize = 100;

/// The fleet as KDL. Evaluating it gives the same digests.
pub fn to_kdl(fleet: &Fleet) -> String {
    let mut out = Writer {
        text: String::from("/- kdl-version 2\n"),
        depth: 0,
    };
    spec(fleet, &mut out);
    for ironic in &fleet.ironics {
        out.open(&format!("ironic {}", word(&ironic.name)));
        out.line(&format!("url {}", quoted(&ironic.url)));
        for (name, reference) in [("auth", &ironic.auth), ("ca", &ironic.ca)] {
            if let Some(reference) = reference {
                out.line(&format!(
                    "{name} ({}){}",
                    reference.kind.word(),
                    quoted(&reference.name)
                ));
            }
        }
        if !ironic.verify_ca {
            out.line("verify-ca #false");
        }
        if let Some(ramdisk) = &ironic.ramdisk {
            let (kernel, initramfs) = (quoted(&ramdisk.kernel), quoted(&ramdisk.initramfs));
            out.open("ramdisk");
            out.line(&format!("kernel {kernel}"));
            out.line(&format!("initramfs {initramfs}"));
            out.close();
        }
        let slots = [
            ("inspect", ironic.inspect),
            ("clean", ironic.clean),
            ("deploy", ironic.deploy),
        ];
        let given: Vec<String> = slots
            .iter()
            .filter_map(|(name, slots)| Some(format!(" {name}={}", (*slots)?)))
            .collect();
        if !given.is_empty() {
            out.line(&format!("limits{}", given.concat()));
        }
        out.close();
    }
    for image in &fleet.images {
        out.open(&format!("image {}", word(&image.name)));
        fields(&image.fields, Entity::Image, &mut out);
        out.close();
    }
    let mut extra: HashMap<&str, BTreeMap<String, String>> = HashMap::new();
    for pool in &fleet.pools {
        out.open(&format!("pool {}", word(&pool.name)));
        fields(&pool.fields, Entity::Pool, &mut out);
        deploy(fleet, pool, &mut extra, &mut out);
        out.close();
    }
    let mut loose: Vec<&Host> = Vec::new();
    let mut racked: HashMap<&str, Vec<&Host>> = HashMap::new();
    for host in &fleet.hosts {
        match &host.rack {
            Some(rack) if fleet.racks.iter().any(|known| known.name == *rack) => {
                racked.entry(rack).or_default().push(host);
            }
            _ => loose.push(host),
        }
    }
    for rack in &fleet.racks {
        let facts = facts(rack.facts.iter().map(|(name, value)| (&**name, value)));
        out.open(&headed(&format!("rack {}", word(&rack.name)), &facts));
        for host in racked.get(&*rack.name).into_iter().flatten() {
            write_host(host, extra.get(&*host.name), &mut out);
        }
        out.close();
    }
    for host in loose {
        write_host(host, extra.get(&*host.name), &mut out);
    }
    out.text
}

fn spec(fleet: &Fleet, out: &mut Writer) {
    out.open(&format!(
        "spec {} edition={} namespace={}",
        word(&fleet.name),
        quoted(&fleet.edition),
        word(&fleet.namespace)
    ));
    if fleet.lab {
        out.line("lab #true");
    }
    if let Some(secrets) = &fleet.secrets {
        out.line(&format!("secrets {}", quoted(secrets)));
    }
    if let Some(simulation) = &fleet.simulation {
        out.open("simulated");
        if let Some(pace) = simulation.pace {
            out.line(&format!("pace {pace}"));
        }
        out.line(&format!("seed {}", simulation.seed));
        if !simulation.faults.is_empty() {
            let lines: Vec<String> = simulation.faults.iter().map(|line| quoted(line)).collect();
            out.line(&format!("faults {}", lines.join(" ")));
        }
        if simulation.fault_percent > 0 {
            out.line(&format!("fault-percent {}", simulation.fault_percent));
        }
        out.close();
    }
    out.close();
}

/// What a pool deploys: at the pool where it is the same for all, else by way of facts.
fn deploy<'f>(
    fleet: &'f Fleet,
    pool: &'f Pool,
    extra: &mut HashMap<&'f str, BTreeMap<String, String>>,
    out: &mut Writer,
) {
    let candidates: Vec<(&Host, &Fields)> = pool
        .candidates
        .iter()
        .filter_map(|name| fleet.host(name))
        .filter_map(|host| Some((host, &host.pool.as_ref()?.fields)))
        .collect();
    let mut paths: BTreeMap<&str, Found<'_>> = BTreeMap::new();
    for (_, fields) in &candidates {
        for found in fields.iter() {
            paths.entry(&found.path.text).or_insert(found);
        }
    }
    if paths.is_empty() {
        return;
    }
    let mut partial: Vec<(String, String)> = Vec::new();
    out.open("deploy");
    for (path, found) in paths {
        let same = candidates.iter().all(|(_, fields)| {
            fields
                .get(path)
                .is_some_and(|other| other.value == found.value)
        });
        let name = found.schema.name;
        if same {
            out.line(&format!("{name} {}", value(found.value)));
            continue;
        }
        let mut fact = format!("pool_{}", name.replace('-', "_"));
        // A fact of that name that says something else is another one.
        let is_other = |(host, fields): &(&Host, &Fields), fact: &str| {
            let said = fields.get(path).map(|found| match found.value {
                Value::Ref(reference) => reference.name.to_string(),
                Value::Text(text) => text.to_string(),
                other => value(other),
            });
            host.facts
                .get(fact)
                .is_some_and(|known| match (known, &said) {
                    (Val::Str(known), Some(said)) => **known != **said,
                    _ => true,
                })
        };
        while candidates.iter().any(|host| is_other(host, &fact)) {
            fact.push('_');
        }
        let mut annotation = String::new();
        for (host, fields) in &candidates {
            let Some(other) = fields.get(path) else {
                continue;
            };
            let text = match other.value {
                Value::Ref(reference) => {
                    annotation = format!("({})", reference.kind.word());
                    quoted(&reference.name)
                }
                other => value(other),
            };
            extra
                .entry(&host.name)
                .or_default()
                .insert(fact.clone(), text);
        }
        let line = format!("{name} {annotation}\"${{host.{fact}}}\"");
        if candidates
            .iter()
            .all(|(_, fields)| fields.get(path).is_some())
        {
            out.line(&line);
        } else {
            partial.push((fact, line));
        }
    }
    out.close();
    // Some have it and some do not: the condition stands around `deploy`, where it is a condition.
    for (fact, line) in partial {
        out.open(&format!("when \"has(host.{fact})\""));
        out.open("deploy");
        out.line(&line);
        out.close();
        out.close();
    }
}

fn write_host(host: &Host, extra: Option<&BTreeMap<String, String>>, out: &mut Writer) {
    let mut all = facts(host.facts.iter().map(|(name, value)| (&**name, value)));
    for (name, text) in extra.into_iter().flatten() {
        all.insert(name.clone(), text.clone());
    }
    out.open(&headed(&format!("host {}", word(&host.name)), &all));
    fields(&host.fields, Entity::Host, out);
    out.close();
}

/// Facts as properties; those that are called like a field came from a table and are spent.
fn facts<'a>(facts: impl Iterator<Item = (&'a str, &'a Val)>) -> BTreeMap<String, String> {
    facts
        .filter(|(name, _)| {
            !Entity::Host
                .fields()
                .iter()
                .any(|field| field.name == *name)
        })
        .filter_map(|(name, fact)| {
            let text = match fact {
                Val::Int(number) => number.to_string(),
                Val::Bool(yes) => format!("#{yes}"),
                Val::Str(text) => quoted(text),
                Val::List(_) => return None,
            };
            Some((name.to_owned(), text))
        })
        .collect()
}

fn headed(head: &str, facts: &BTreeMap<String, String>) -> String {
    facts.iter().fold(head.to_owned(), |head, (name, text)| {
        format!("{head} {name}={text}")
    })
}

/// A path with what is below it.
#[derive(Default)]
struct Tree<'a> {
    value: Option<&'a Value>,
    children: Vec<(PathId, Tree<'a>)>,
}

impl<'a> Tree<'a> {
    fn of(fields: &'a Fields) -> Self {
        let mut root = Self::default();
        for item in &fields.items {
            let mut way = vec![item.path];
            while let Some(parent) = fields.paths.get(way[way.len() - 1]).parent {
                way.push(parent);
            }
            way.pop();
            let mut at = &mut root;
            for id in way.into_iter().rev() {
                let index = match at.children.iter().position(|(known, _)| *known == id) {
                    Some(index) => index,
                    None => {
                        at.children.push((id, Self::default()));
                        at.children.len() - 1
                    }
                };
                at = &mut at.children[index].1;
            }
            at.value = Some(&item.value);
        }
        root
    }
}

fn fields(fields: &Fields, entity: Entity, out: &mut Writer) {
    let tree = Tree::of(fields);
    block(&tree, entity.fields(), &fields.paths, out);
}

/// Children in the order of the schema, keys in natural order.
fn block(tree: &Tree<'_>, order: &[crate::schema::Field], paths: &Paths, out: &mut Writer) {
    let mut children: Vec<&(PathId, Tree<'_>)> = tree.children.iter().collect();
    let place = |id: PathId| {
        let name = paths.get(id).field.map(|field| field.name);
        order.iter().position(|field| Some(field.name) == name)
    };
    children.sort_by_key(|(id, _)| place(*id));
    for (id, child) in children {
        node(*id, child, paths, out);
    }
}

fn node(id: PathId, tree: &Tree<'_>, paths: &Paths, out: &mut Writer) {
    let Some(field) = paths.get(id).field else {
        return;
    };
    match &field.kind {
        Kind::Leaf(_) => {
            if let Some(found) = tree.value {
                out.line(&format!("{} {}", field.name, value(found)));
            }
        }
        Kind::Record { fields, .. } => record(field.name, tree, fields, paths, out),
        Kind::Union(variants) => {
            let Some(Value::Text(variant)) = tree.value else {
                return;
            };
            let chosen = variants.iter().find(|field| *field.name == **variant);
            let below = tree.children.iter().find(|(child, _)| {
                paths
                    .get(*child)
                    .field
                    .is_some_and(|field| *field.name == **variant)
            });
            let head = format!("{} {}", field.name, word(variant));
            match (chosen, below) {
                (Some(chosen), Some((_, below))) => {
                    record(&head, below, chosen.fields(), paths, out);
                }
                _ => out.line(&head),
            }
        }
        Kind::Keyed { fields, .. } => {
            for (key, child) in by_key(tree, paths) {
                record(
                    &format!("{} {}", field.name, quoted(key)),
                    child,
                    fields,
                    paths,
                    out,
                );
            }
        }
        Kind::Map(_) => {
            out.open(field.name);
            for (key, child) in by_key(tree, paths) {
                if let Some(found) = child.value {
                    out.line(&format!("{} {}", word(key), value(found)));
                }
            }
            out.close();
        }
        Kind::Selector(_) => {
            out.open(field.name);
            for (list, below) in &tree.children {
                let name = paths.get(*list).field.map_or("", |field| field.name);
                for (key, child) in by_key(below, paths) {
                    match child.value {
                        Some(Value::List(_)) => {
                            let values = child.value.map_or_else(String::new, value);
                            out.line(&format!("{name} {} {values}", quoted(key)));
                        }
                        _ => out.line(&format!("{name} {}", quoted(key))),
                    }
                }
            }
            out.close();
        }
        Kind::Later => {}
    }
}

fn by_key<'a, 't>(tree: &'t Tree<'a>, paths: &'t Paths) -> Vec<(&'t str, &'t Tree<'a>)> {
    let mut children: Vec<(&str, &Tree<'_>)> = tree
        .children
        .iter()
        .filter_map(|(id, child)| Some((paths.get(*id).key.as_deref()?, child)))
        .collect();
    children.sort_by(|a, b| natural(a.0, b.0));
    children
}

fn record(
    head: &str,
    tree: &Tree<'_>,
    order: &[crate::schema::Field],
    paths: &Paths,
    out: &mut Writer,
) {
    if tree.children.is_empty() {
        return out.line(head);
    }
    let mut parts: Vec<(usize, String)> = Vec::new();
    let plain = tree.children.iter().all(|(id, child)| {
        let Some(field) = paths.get(*id).field else {
            return false;
        };
        let Some(found) = child.value else {
            return false;
        };
        let one = !matches!(found, Value::List(items) if items.len() != 1);
        let place = order
            .iter()
            .position(|known| known.name == field.name)
            .unwrap_or(0);
        parts.push((place, format!("{}={}", field.name, value(found))));
        one && matches!(field.kind, Kind::Leaf(_))
    });
    parts.sort();
    let line = parts
        .iter()
        .fold(head.to_owned(), |line, (_, part)| line + " " + part);
    if plain && parts.len() <= INLINE && line.len() + out.depth * 4 <= WIDTH {
        return out.line(&line);
    }
    out.open(head);
    block(tree, order, paths, out);
    out.close();
}

fn value(value: &Value) -> String {
    match value {
        Value::Present => String::new(),
        Value::Text(text) => quoted(text),
        Value::Size(_) | Value::Duration(_) => format!("\"{value}\""),
        Value::Ref(reference) => format!("({}){}", reference.kind.word(), quoted(&reference.name)),
        Value::List(items) => items
            .iter()
            .map(|item| quoted(item))
            .collect::<Vec<_>>()
            .join(" "),
        Value::Bool(_) | Value::Int(_) => value.to_string(),
    }
}

/// A word as a node's name or key: bare where KDL takes it so.
fn word(text: &str) -> String {
    let bare = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
        && !matches!(text, "true" | "false" | "null" | "inf" | "nan");
    if bare {
        text.to_owned()
    } else {
        string(text, false)
    }
}

/// A string as an argument or property: an expression in it is escaped.
fn quoted(text: &str) -> String {
    let simple = word(text);
    if simple == text {
        simple
    } else {
        string(text, true)
    }
}

fn string(text: &str, escape: bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if escape && rest.starts_with("${") {
            out.push('$');
        }
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_odd(c) => {
                write!(out, "\\u{{{:x}}}", c as u32).ok();
            }
            c => out.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    out.push('"');
    out
}

/// Characters that KDL wants escaped, or that a reader could not see.
fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

struct Writer {
    text: String,
    depth: usize,
}

impl Writer {
    fn line(&mut self, line: &str) {
        for _ in 0..self.depth {
            self.text.push_str("    ");
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn open(&mut self, head: &str) {
        self.line(&format!("{head} {{"));
        self.depth += 1;
    }

    /// Ends a block; an empty one goes back to a line without braces.
    fn close(&mut self) {
        self.depth -= 1;
        if let Some(open) = self.text.strip_suffix(" {\n") {
            let end = open.len();
            self.text.truncate(end);
            self.text.push('\n');
        } else {
            self.line("}");
        }
    }
}
