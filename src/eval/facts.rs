//! Facts: what expressions read of an instance. Inputs, so they never merge; a second value that
//! differs is an error.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::compile::{Arg, arg};
use super::decode;
use super::expr::Val;
use super::report::Findings;
use super::scope::View;
use crate::diag::{Code, Diagnostic, FileId, Place, Span};
use crate::fleet::Facts;
use crate::schema::Entity;
use crate::syntax::{Entry, Node, Value as Kdl};
use crate::vfs::Files;

mod csv;

/// A table of facts: rows found by the value of one fact.
#[derive(Debug)]
pub(super) struct Table {
    /// The fact that chooses the row.
    pub key: String,
    /// Names of the facts that its rows give, whether or not each row does.
    pub columns: BTreeSet<Arc<str>>,
    /// Columns and values, by the key's value as text.
    pub rows: HashMap<String, Row>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub cells: Vec<(Arc<str>, Val, Place)>,
}

/// Facts of one instance while they come together.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// Sorted by name.
    facts: Vec<(Arc<str>, Val, Place)>,
    pub broken: bool,
}

impl Collected {
    /// No facts yet.
    pub(super) fn new(broken: bool) -> Self {
        Self {
            broken,
            ..Self::default()
        }
    }

    /// Adds a fact; MF2303 where it has another value already.
    pub(super) fn add(
        &mut self,
        kind: &'static str,
        instance: &Arc<str>,
        name: &Arc<str>,
        value: Val,
        place: Place,
        findings: &mut Findings,
    ) {
        if &**name == "name" {
            if value.as_str() != Some(instance) {
                self.conflict(
                    kind,
                    instance,
                    name,
                    &Val::Str(Arc::clone(instance)),
                    &value,
                    place,
                    findings,
                );
            }
            return;
        }
        match self.facts.binary_search_by(|(known, ..)| known.cmp(name)) {
            Ok(at) if self.facts[at].1 != value => {
                let known = self.facts[at].1.clone();
                self.conflict(kind, instance, name, &known, &value, place, findings);
            }
            Ok(_) => {}
            Err(at) => self.facts.insert(at, (Arc::clone(name), value, place)),
        }
    }

    /// A fact, so far.
    pub(super) fn get(&self, name: &str) -> Option<&Val> {
        let at = self
            .facts
            .binary_search_by(|(known, ..)| (**known).cmp(name))
            .ok()?;
        Some(&self.facts[at].1)
    }

    /// The facts so far.
    pub(super) fn so_far(&self) -> Facts {
        Facts::sorted(
            self.facts
                .iter()
                .map(|(name, value, _)| (Arc::clone(name), value.clone())),
        )
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call, all of it said in the message"
    )]
    fn conflict(
        &mut self,
        kind: &'static str,
        instance: &Arc<str>,
        name: &str,
        known: &Val,
        value: &Val,
        place: Place,
        findings: &mut Findings,
    ) {
        self.broken = true;
        let first = self
            .facts
            .iter()
            .find(|(fact, ..)| **fact == *name)
            .map(|(.., place)| *place);
        findings.about(kind, instance, 2303, place, name, || {
            let finding = Diagnostic::error(
                Code(2303),
                format!("the fact `{kind}.{name}` has two values for {kind} `{instance}`"),
                place,
                format!("{value} here"),
            )
            .help("facts are inputs and are never merged: leave one of the two out");
            match first {
                Some(first) => finding.label(first, format!("{known} here")),
                None => finding,
            }
        });
    }

    /// The facts, finished.
    pub(super) fn finish(self) -> Facts {
        Facts::sorted(self.facts.into_iter().map(|(name, value, _)| (name, value)))
    }
}

/// Facts from the properties of an entity. A property that is a field by name is MF2003.
pub(super) fn properties<'t>(
    node: Node<'t>,
    known: &[&str],
    names: &mut Vec<Arc<str>>,
    findings: &mut Findings,
) -> (Vec<(Arc<str>, Arg<'t>, Place)>, bool) {
    let mut facts = Vec::new();
    let mut broken = false;
    for prop in node.props() {
        let key = prop.key().unwrap_or_default();
        if known.contains(&key) {
            continue;
        }
        let place = prop
            .key_span()
            .unwrap_or_else(|| prop.span())
            .in_file(prop.file());
        if let Err(finding) = fact_name(key, place, node.name()) {
            findings.add(finding);
            broken = true;
            continue;
        }
        let value = arg(prop, findings);
        broken |= matches!(value, Arg::Bad);
        // Facts have few names: each is kept once.
        let name = match names.iter().find(|name| ***name == *key) {
            Some(name) => Arc::clone(name),
            None => {
                let name: Arc<str> = Arc::from(key);
                if names.len() < 64 {
                    names.push(Arc::clone(&name));
                }
                name
            }
        };
        facts.push((name, value, decode::value_place(prop)));
    }
    (facts, broken)
}

fn fact_name(key: &str, place: Place, owner: &str) -> Result<(), Diagnostic> {
    if let Some(field) = Entity::Host.fields().iter().find(|field| field.name == key) {
        return Err(Diagnostic::error(
            Code(2003),
            format!("`{key}` is a field; properties of an entity are facts"),
            place,
            "",
        )
        .help(if owner == "host" {
            format!("write it in the block: `host … {{ {} … }}`", field.name)
        } else {
            format!("write it in a block: `each {{ {} … }}`", field.name)
        }));
    }
    let identifier = key.starts_with(|c: char| c.is_ascii_lowercase())
        && key
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_');
    if identifier {
        return Ok(());
    }
    let better = key.to_lowercase().replace(['-', '.'], "_");
    Err(Diagnostic::error(
        Code(2301),
        format!("`{key}` cannot be the name of a fact: expressions could not read it"),
        place,
        "",
    )
    .help(format!(
        "lower-case letters, digits and `_`, as in `{better}`"
    )))
}

/// The value of a fact.
pub(super) fn value(
    arg: &Arg<'_>,
    view: &View<'_, '_>,
    findings: &mut Findings,
    kind: &'static str,
    name: &Arc<str>,
) -> Option<Val> {
    match arg {
        Arg::Val(value) => Some(value.clone()),
        Arg::Bad => None,
        Arg::Made(made) => {
            let result = made.template.eval(view);
            for (entry, error) in view.troubles.take() {
                let finding = super::compile::expression(entry, &error);
                let place = finding.primary.place;
                findings.about(kind, name, error.code, place, "", || finding);
            }
            match result {
                Ok(value) => match decode::pinned(made.entry, value) {
                    Ok(value) => Some(value),
                    Err(finding) => {
                        findings.add(finding);
                        None
                    }
                },
                Err(error) => {
                    if !view.tainted.get() {
                        let finding = super::compile::expression(made.entry, &error);
                        let place = finding.primary.place;
                        findings.about(kind, name, error.code, place, "", || finding);
                    }
                    None
                }
            }
        }
    }
}

/// `facts KEY { - v k=v … }` or `facts KEY from="x.csv"`. The flag says that something was wrong.
pub(super) fn table(
    node: Node<'_>,
    csv: Option<FileId>,
    files: &Files,
    findings: &mut Findings,
) -> (Option<Table>, bool) {
    let name = node.name_span().in_file(node.file());
    let Some(key) = node.args().next() else {
        findings.add(
            Diagnostic::error(
                Code(2004),
                "`facts` needs the fact that chooses a row",
                name,
                "",
            )
            .help("write `facts slot { - 1 mac=\"…\" }`"),
        );
        return (None, true);
    };
    let key = match decode::name(key, "the name of a fact") {
        Ok(key) => key,
        Err(finding) => {
            findings.add(finding);
            return (None, true);
        }
    };
    let mut table = Table {
        key: key.to_owned(),
        columns: BTreeSet::new(),
        rows: HashMap::new(),
    };
    let mut broken = false;
    for prop in node.props().filter(|prop| prop.key() != Some("from")) {
        let place = prop.span().in_file(prop.file());
        findings.add(
            Diagnostic::error(
                Code(2002),
                "`facts` takes rows, or `from=\"x.csv\"`",
                place,
                "",
            )
            .help("a row is `- KEY fact=value`"),
        );
        broken = true;
    }
    for row in node.children() {
        broken |= !inline_row(row, &mut table, findings);
    }
    if let Some(file) = csv {
        broken |= !csv::read(file, files, &mut table, findings);
    } else if node.props().any(|prop| prop.key() == Some("from")) {
        broken = true;
    }
    (Some(table), broken)
}

fn inline_row(row: Node<'_>, table: &mut Table, findings: &mut Findings) -> bool {
    let name = row.name_span().in_file(row.file());
    if row.name() != "-" {
        findings.add(
            Diagnostic::error(Code(2001), "a row of `facts` starts with `-`", name, "")
                .help("write `- 1 mac=\"…\"`"),
        );
        return false;
    }
    if let Some(finding) = decode::annotated(row) {
        findings.add(finding);
        return false;
    }
    if let Some(block) = row.block_span() {
        findings.add(
            Diagnostic::error(
                Code(2002),
                "a row of `facts` takes no block",
                block.in_file(row.file()),
                "",
            )
            .help("facts of a row are properties: `- 1 mac=\"…\"`"),
        );
        return false;
    }
    let mut args = row.args();
    let Some(key) = args.next() else {
        findings.add(Diagnostic::error(
            Code(2004),
            "a row needs the value of its key",
            name,
            "",
        ));
        return false;
    };
    if let Some(extra) = args.next() {
        let place = decode::value_place(extra);
        findings.add(
            Diagnostic::error(Code(2004), "a row has one key", place, "")
                .help("facts of a row are properties: `- 1 mac=\"…\"`"),
        );
        return false;
    }
    let mut cells = Vec::new();
    let mut fine = true;
    for prop in row.props() {
        let place = prop
            .key_span()
            .unwrap_or_else(|| prop.span())
            .in_file(prop.file());
        let fact = prop.key().unwrap_or_default();
        let checked = cell_name(fact, place).and_then(|()| literal(prop));
        match checked {
            Ok(value) => {
                let fact: Arc<str> = Arc::from(fact);
                table.columns.insert(Arc::clone(&fact));
                cells.push((fact, value, decode::value_place(prop)));
            }
            Err(finding) => {
                findings.add(finding);
                fine = false;
            }
        }
    }
    match literal(key) {
        Ok(value) => {
            add_row(
                table,
                &plain(&value),
                cells,
                decode::value_place(key),
                findings,
            ) && fine
        }
        Err(finding) => {
            findings.add(finding);
            false
        }
    }
}

fn literal(entry: Entry<'_>) -> Result<Val, Diagnostic> {
    if decode::is_template(entry) {
        return Err(Diagnostic::error(
            Code(2302),
            "a table holds plain values, no expressions",
            decode::value_place(entry),
            "",
        ));
    }
    if matches!(entry.value(), Kdl::Null) {
        return Err(Diagnostic::error(
            Code(2005),
            "expected a value, found #null",
            decode::value_place(entry),
            "",
        )
        .help("leave the fact out of this row"));
    }
    decode::val(entry)
}

/// In tables the names of fields are allowed: `mac` and `serial` are what exports are full of.
fn cell_name(fact: &str, place: Place) -> Result<(), Diagnostic> {
    match fact_name(fact, place, "host") {
        Err(finding) if finding.code.0 == 2003 => Ok(()),
        other => other,
    }
}

fn add_row(
    table: &mut Table,
    key: &str,
    cells: Vec<(Arc<str>, Val, Place)>,
    place: Place,
    findings: &mut Findings,
) -> bool {
    let Some(known) = table.rows.get_mut(key) else {
        table.rows.insert(key.to_owned(), Row { cells });
        return true;
    };
    // The same row twice adds nothing; rows that differ are told apart when they are joined.
    let mut fine = true;
    for (fact, value, cell) in cells {
        match known.cells.iter().find(|(name, _, _)| *name == fact) {
            None => known.cells.push((fact, value, cell)),
            Some((_, other, _)) if *other == value => {}
            Some((_, _, first)) => {
                fine = false;
                findings.add(
                    Diagnostic::error(
                        Code(2303),
                        format!("two rows for `{key}` differ in `{fact}`"),
                        cell,
                        "",
                    )
                    .label(*first, "the other value")
                    .label(place, "this row"),
                );
            }
        }
    }
    fine
}

/// A value as a key: `1` and `"1"` choose the same row.
pub(super) fn plain(value: &Val) -> String {
    match value {
        Val::Str(text) => text.to_string(),
        other => other.to_string(),
    }
}
