//! Rules on the result: what an instance must have, what does not go together, what two hosts must
//! not share. They say offline what the Bare Metal Operator's webhook and Ironic would say later.

mod between;
mod host;
mod image;
mod raid;

use std::num::NonZero;
use std::sync::Arc;

use super::declare::{Declared, Named};
use super::instance::{Bench, Evaluated};
use super::report::Findings;
use crate::diag::{Code, Diagnostic, Place, Severity, Subject};
use crate::fleet::{Item, Text, Value};
use crate::schema::{Entity, Kind, PathId, Paths};
use crate::vfs::Files;

pub(super) use between::between;

/// Rules that look at one host.
pub(super) fn single<'t>(
    bench: &mut Bench<'_, 't>,
    host: &Declared<'t>,
    evaluated: &mut Evaluated,
) {
    let mut case = Case {
        files: bench.files,
        paths: &bench.paths,
        findings: &mut bench.findings,
        items: &evaluated.items,
        kind: "host",
        name: &host.name,
        place: host.place,
        whole: !evaluated.broken,
        failed: false,
    };
    case.required(Entity::Host);
    host::node_name(&mut case, &bench.program.namespace);
    let bmc = host::judge(&mut case, &bench.known, bench.lab);
    let mac = case.text(bench.known.mac).map(|(text, _)| host::hash(text));
    let disks = bench.known.disks.map(|(path, _)| {
        let text = case.text(path).map(|(text, _)| text.to_ascii_lowercase());
        text.map(|text| host::hash(&text))
    });
    evaluated.broken |= case.failed;
    let names = bench
        .known
        .names
        .iter()
        .any(|path| case.get(*path).is_some());
    evaluated.identity = Identity {
        mac,
        disks,
        bmc,
        names,
    };
}

/// Hashes of what tells a machine from all others, and what else spares a look at all fields.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Identity {
    mac: Option<NonZero<u64>>,
    disks: [Option<NonZero<u64>>; 3],
    bmc: Option<NonZero<u64>>,
    /// It names an image or an Ironic.
    names: bool,
}

/// Rules that look at one image, pool or Ironic. True when it cannot be used.
pub(super) fn entity<'t>(
    bench: &mut Bench<'_, 't>,
    named: &Named<'t>,
    items: &[Item],
    broken: bool,
) -> bool {
    let mut case = case(bench, named, items, broken);
    case.required(named.entity);
    if named.entity == Entity::Image {
        let root = Paths::root(Entity::Image);
        let image = image::Image::of(case.paths, root);
        image::judge(&mut case, &image);
    }
    case.failed
}

/// Rules on what a pool deploys on one of its hosts. True when it cannot be used.
pub(super) fn deployment<'t>(
    bench: &mut Bench<'_, 't>,
    pool: &Named<'t>,
    items: &[Item],
    broken: bool,
) -> bool {
    let mut case = case(bench, pool, items, broken);
    case.required_below(Entity::Pool);
    case.failed
}

fn case<'a, 't>(
    bench: &'a mut Bench<'_, 't>,
    named: &'a Named<'t>,
    items: &'a [Item],
    broken: bool,
) -> Case<'a> {
    Case {
        files: bench.files,
        paths: &bench.paths,
        findings: &mut bench.findings,
        items,
        kind: named.entity.word(),
        name: &named.name,
        place: named.place,
        whole: !broken,
        failed: false,
    }
}

/// Paths that rules ask for; all without keys, so that they are the same in every table.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub address: PathId,
    pub mode: PathId,
    pub mac: PathId,
    pub online: PathId,
    pub disable_power_off: PathId,
    pub inspection: PathId,
    pub raid: PathId,
    pub root_device: PathId,
    pub device: PathId,
    pub hardware: PathId,
    pub software: PathId,
    /// Hints that name one disk in the world.
    pub disks: [(PathId, &'static str); 3],
    pub labels: PathId,
    pub annotations: PathId,
    /// What names an image or an Ironic.
    pub names: [PathId; 2],
    image: image::Image,
}

impl Known {
    pub(super) fn of(paths: &Paths) -> Self {
        let root = Paths::root(Entity::Host);
        // A name that the schema lacks would be a bug; the root then matches no value.
        let at = |names: &[&str]| {
            names
                .iter()
                .try_fold(root, |at, name| paths.child(at, name))
                .unwrap_or(root)
        };
        Self {
            address: at(&["bmc", "address"]),
            mode: at(&["boot", "mode"]),
            mac: at(&["boot", "mac"]),
            online: at(&["online"]),
            disable_power_off: at(&["disable-power-off"]),
            inspection: at(&["inspection"]),
            raid: at(&["raid"]),
            root_device: at(&["root-device"]),
            device: at(&["root-device", "device"]),
            hardware: at(&["raid", "hardware", "volume"]),
            software: at(&["raid", "software", "volume"]),
            disks: [
                (at(&["root-device", "serial"]), "serial number"),
                (at(&["root-device", "wwn"]), "WWN"),
                (at(&["root-device", "wwn-with-extension"]), "WWN"),
            ],
            labels: at(&["labels"]),
            annotations: at(&["annotations"]),
            names: [at(&["deploy", "image"]), at(&["driven-by"])],
            image: image::Image::of(paths, at(&["image"])),
        }
    }
}

/// One instance under judgement.
pub(super) struct Case<'a> {
    pub files: &'a Files,
    pub paths: &'a Paths,
    pub findings: &'a mut Findings,
    /// In the order of their paths, as [`Bench::settle`] leaves them.
    pub items: &'a [Item],
    pub kind: &'static str,
    pub name: &'a Arc<str>,
    pub place: Place,
    /// All that was said about it could be read: only then is something missing that is not there.
    pub whole: bool,
    pub failed: bool,
}

impl<'a> Case<'a> {
    /// What stands at a path.
    pub(super) fn get(&self, path: PathId) -> Option<&'a Item> {
        let at = self.items.binary_search_by_key(&path, |item| item.path);
        at.ok().map(|at| &self.items[at])
    }

    pub(super) fn text(&self, path: PathId) -> Option<(&'a Text, Place)> {
        match self.get(path)? {
            Item {
                value: Value::Text(text),
                origin,
                ..
            } => Some((text, origin.place())),
            _ => None,
        }
    }

    pub(super) fn bool(&self, path: PathId) -> Option<(bool, Place)> {
        match self.get(path)? {
            Item {
                value: Value::Bool(value),
                origin,
                ..
            } => Some((*value, origin.place())),
            _ => None,
        }
    }

    /// The child of that name at or below a path that has one.
    pub(super) fn child(&self, path: PathId, name: &str) -> Option<&'a Item> {
        self.get(self.paths.child(path, name)?)
    }

    /// Whether anything stands at or below a path.
    pub(super) fn any(&self, path: PathId) -> Option<&'a Item> {
        self.items
            .iter()
            .find(|item| item.path == path || self.paths.is_below(item.path, path))
    }

    /// The keyed records of a field.
    pub(super) fn records(&self, path: PathId) -> impl Iterator<Item = (&'a Item, &'a str)> {
        let paths = self.paths;
        self.items.iter().filter_map(move |item| {
            let found = paths.get(item.path);
            (found.parent == Some(path) && item.value == Value::Present)
                .then_some((item, found.key.as_deref()?))
        })
    }

    /// Reports an error: the instance cannot be used.
    pub(super) fn error(&mut self, finding: Diagnostic) {
        self.failed = true;
        self.report(finding);
    }

    pub(super) fn warn(&mut self, mut finding: Diagnostic) {
        finding.severity = Severity::Warning;
        self.report(finding);
    }

    fn report(&mut self, finding: Diagnostic) {
        let (code, place) = (finding.code.0, finding.primary.place);
        self.findings
            .about(self.kind, self.name, code, place, "", || finding);
    }

    /// MF2009: fields that have to be there once what they belong to is.
    fn required(&mut self, entity: Entity) {
        self.required_of(Paths::root(entity), self.place);
        self.required_below(entity);
    }

    /// MF2009 without what the entity itself has to have.
    fn required_below(&mut self, entity: Entity) {
        debug_assert!(self.items.is_sorted_by_key(|item| item.path));
        let root = Paths::root(entity);
        // Parents of values, each once, by the first of its values: records that are there.
        let mut records: Vec<(PathId, Place)> = Vec::new();
        for item in self.items {
            let node = self.paths.get(item.path);
            let parent = if node.key.is_some() {
                Some(item.path)
            } else {
                node.parent
            };
            if let Some(parent) = parent
                && parent != root
                && records.last().is_none_or(|(last, _)| *last != parent)
                && self.paths.fields(parent).iter().any(|field| field.required)
            {
                records.push((parent, item.origin.place()));
            }
        }
        records.sort_by_key(|(parent, _)| *parent);
        records.dedup_by_key(|(parent, _)| *parent);
        for (parent, place) in records {
            self.required_of(parent, place);
        }
    }

    fn required_of(&mut self, parent: PathId, place: Place) {
        if !self.whole {
            return;
        }
        for field in self.paths.fields(parent) {
            if !field.required {
                continue;
            }
            let Some(path) = self.paths.child(parent, field.name) else {
                continue;
            };
            // Most have nothing below them: no need to look at all that is there.
            let there = match field.kind {
                Kind::Leaf(_) => self.get(path),
                _ => self.any(path),
            };
            if there.is_some() {
                continue;
            }
            let full = self.paths.get(path).text.to_string();
            let mut finding = Diagnostic::error(
                Code(2009),
                format!("{} `{}` has no `{full}`", self.kind, self.name),
                place,
                "",
            )
            .help(if self.kind == "host" {
                format!(
                    "write `{}` in the host, or in `each` around it for all",
                    field.name
                )
            } else {
                format!("write `{} …` in the block", field.name)
            });
            finding.subject = Some(Subject {
                kind: self.kind,
                names: Vec::new(),
                path: Some(full),
            });
            self.error(finding);
        }
    }
}
