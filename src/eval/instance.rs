//! One instance after another: facts, definitions, merge.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::collect::{Chain, Collector, Gathered, Part, Profile, Spot, no_args};
use super::compile::{Arg, Compiler, Signatures, Step};
use super::declare::{Declared, Own, Program, Properties};
use super::expr::Val;
use super::facts::{self, Collected};
use super::merge::{Def, Merged, Problem, merge};
use super::report::Findings;
use super::rules::{self, Identity};
use super::scope::{ScopeKind, Subject, View};
use crate::diag::{Code, Diagnostic, Place};
use crate::fleet::{Facts, Host, Item};
use crate::schema::{Entity, PathId, Paths};
use crate::vfs::Files;

/// Which block brought a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// `each` in this scope.
    Each(usize),
    /// The instance's own block.
    Own,
    /// This `refine`.
    Refine(usize),
}

/// What evaluating one instance needs, used for one after another.
pub(super) struct Bench<'a, 't> {
    pub program: &'a Program<'t>,
    pub properties: &'a [Properties<'t>],
    pub signatures: &'a Signatures<'t>,
    pub files: &'a Files,
    pub paths: Paths,
    pub findings: Findings,
    pub gathered: Gathered,
    pub merged: Merged,
    pub layers: Vec<Layer>,
    /// Room for the lines of a host's own block.
    pub steps: Vec<Step<'t>>,
    /// Names of facts that were met, so that each is kept once.
    pub fact_names: Vec<Arc<str>>,
    pub depth_limit: u8,
    /// Paths that rules ask for.
    pub known: rules::Known,
    /// The fleet says that it is a lab.
    pub lab: bool,
    /// A block of a host declares something that nobody will see.
    pub lost: bool,
    /// Images and Ironics that have an error.
    pub unusable: BTreeSet<(Entity, Arc<str>)>,
}

/// One evaluated host.
#[derive(Debug, Default)]
pub(super) struct Evaluated {
    /// That of the last evaluation, where it is taken over; it then has facts and items.
    pub known: Option<Arc<Host>>,
    pub facts: Facts,
    pub items: Vec<Item>,
    pub broken: bool,
    pub identity: Identity,
}

impl Evaluated {
    /// A host of the last evaluation.
    pub(super) fn known(host: &Arc<Host>, identity: Identity) -> Self {
        Self {
            known: Some(Arc::clone(host)),
            identity,
            ..Self::default()
        }
    }

    pub(super) fn facts(&self) -> &Facts {
        self.known.as_ref().map_or(&self.facts, |host| &host.facts)
    }

    /// What stands at a path of hosts that has no key in it.
    pub(super) fn at(&self, path: PathId, paths: &Paths) -> Option<&Item> {
        let Some(host) = &self.known else {
            // Sorted by number but for keys, which have the greatest.
            let at = self.items.binary_search_by_key(&path, |item| item.path);
            return at.ok().map(|at| &self.items[at]);
        };
        let text = &paths.get(path).text;
        let items = &host.fields.items;
        let at = items.binary_search_by(|item| paths.get(item.path).text.cmp(text));
        at.ok().map(|at| &items[at])
    }

    /// In no order.
    pub(super) fn items(&self) -> &[Item] {
        let known = self.known.as_ref();
        known.map_or(&self.items, |host| &host.fields.items)
    }
}

impl<'t> Bench<'_, 't> {
    /// Evaluates a host.
    pub(super) fn host(&mut self, host: &Declared<'t>) -> Evaluated {
        let (facts, mut broken) = self.facts(host);
        self.collect_host(host, &facts);
        broken |= host.broken || self.gathered.broken;
        let items = self.settle("host", &host.name);
        let broken = broken || self.merged.bad || !self.merged.problems.is_empty();
        Evaluated {
            facts,
            items,
            broken,
            ..Evaluated::default()
        }
    }

    /// The facts of a host: captures, properties, rows of tables.
    pub(super) fn facts(&mut self, host: &Declared<'t>) -> (Facts, bool) {
        let mut collected = Collected::default();
        for (name, value) in &host.captures {
            let value = Val::Int(*value);
            collected.add(
                "host",
                &host.name,
                name,
                value,
                host.place,
                &mut self.findings,
            );
        }
        let read;
        let properties = match (host.facts, host.own) {
            (Some(shared), _) => &self.properties[shared],
            (None, Own::Body(_)) => &Properties::new(),
            (None, Own::Node(node, _)) => {
                let names = &mut self.fact_names;
                let (found, broken) = facts::properties(node, &[], names, &mut self.findings);
                collected.broken |= broken;
                read = found;
                &read
            }
        };
        if !properties.is_empty() {
            // Only expressions look at the facts that are there already.
            let computed = properties
                .iter()
                .any(|(_, value, _)| matches!(value, Arg::Made(_)));
            let known = if computed {
                collected.so_far()
            } else {
                Facts::default()
            };
            let args = no_args();
            let frame = match host.own {
                Own::Body(body) => self.program.bodies[body].frame,
                Own::Node(_, frame) => frame,
            };
            for (name, value, place) in properties {
                let subject = Subject {
                    scope: host.scope,
                    host: Some((&host.name, &known)),
                };
                let view = View::new(&self.program.world, subject, frame, &args);
                match facts::value(value, &view, &mut self.findings, "host", &host.name) {
                    Some(value) => {
                        let findings = &mut self.findings;
                        collected.add("host", &host.name, name, value, *place, findings);
                    }
                    None => collected.broken = true,
                }
            }
        }
        self.tables(host, &mut collected);
        let broken = collected.broken;
        (collected.finish(), broken)
    }

    /// Joins the tables in scope. A row may give the key of another table, so this goes on until
    /// nothing is added.
    fn tables(&mut self, host: &Declared<'t>, collected: &mut Collected) {
        let mut waiting: Vec<usize> = Vec::new();
        let mut at = Some(host.scope);
        while let Some(index) = at {
            let scope = &self.program.world.scopes[index];
            waiting.extend(&scope.tables);
            at = scope.parent;
        }
        let mut progress = true;
        while progress && !waiting.is_empty() {
            progress = false;
            let mut later = Vec::new();
            for index in waiting {
                let table = &self.program.tables[index];
                let key = if table.key == "name" {
                    Some(host.name.to_string())
                } else {
                    collected.get(&table.key).map(facts::plain)
                };
                let Some(key) = key else {
                    later.push(index);
                    continue;
                };
                progress = true;
                let Some(row) = table.rows.get(&key) else {
                    continue;
                };
                for (name, value, place) in &row.cells {
                    let findings = &mut self.findings;
                    collected.add("host", &host.name, name, value.clone(), *place, findings);
                }
            }
            waiting = later;
        }
    }

    /// Collects all definitions of a host.
    pub(super) fn collect_host(&mut self, host: &Declared<'t>, facts: &Facts) {
        self.gathered.clear();
        self.layers.clear();
        let program = self.program;
        let world = &program.world;
        let args = no_args();
        let depth = world.scopes[host.scope].depth + 1;

        let mut blocks: Vec<(usize, u16, Layer)> = Vec::new();
        let mut at = Some(host.scope);
        while let Some(index) = at {
            let scope = &world.scopes[index];
            self.gathered.broken |= scope.broken;
            blocks.extend(
                scope
                    .eaches
                    .iter()
                    .map(|body| (*body, scope.depth, Layer::Each(index))),
            );
            at = scope.parent;
        }
        for refine in &host.refines {
            let found = &program.refines[*refine];
            let above = if found.exact { 2 } else { 1 };
            blocks.push((found.body, depth + above, Layer::Refine(*refine)));
        }
        let own = match host.own {
            Own::Body(body) => {
                blocks.push((body, depth, Layer::Own));
                None
            }
            Own::Node(node, frame) => {
                let mut steps = std::mem::take(&mut self.steps);
                steps.clear();
                let mut compiler = Compiler {
                    files: self.files,
                    paths: &mut self.paths,
                    findings: &mut self.findings,
                    profiles: self.signatures,
                    entity: Entity::Host,
                    partial: program.partial,
                    lost: false,
                };
                compiler.block("host", node.children(), &mut steps);
                self.lost |= compiler.lost;
                Some((steps, frame))
            }
        };
        let mut collector = Collector {
            world,
            profiles: &program.profiles,
            paths: &mut self.paths,
            findings: &mut self.findings,
            subject: Subject {
                scope: host.scope,
                host: Some((&host.name, facts)),
            },
            kind: "host",
            name: &host.name,
            entity: Entity::Host,
            depth_limit: self.depth_limit,
            part: Part::All,
        };
        let spot = |frame: usize, depth: u16, layer: usize| Spot {
            frame,
            args: &args,
            depth,
            layer: layer as u16,
            chain: None,
            strength: None,
        };
        for (body, depth, layer) in blocks {
            let body = &program.bodies[body];
            self.layers.push(layer);
            let at = spot(body.frame, depth, self.layers.len() - 1);
            collector.body(&body.steps, body.sites, at, &mut self.gathered);
        }
        if let Some((steps, frame)) = own {
            self.layers.push(Layer::Own);
            let at = spot(frame, depth, self.layers.len() - 1);
            collector.run(&steps, at, &mut self.gathered);
            self.steps = steps;
        }
    }

    /// Merges what was collected; what is wrong is reported.
    pub(super) fn settle(&mut self, kind: &'static str, name: &Arc<str>) -> Vec<Item> {
        let files = self.files;
        merge(
            &mut self.gathered.defs,
            &self.paths,
            &|a, b| by_site(files, a, b),
            &mut self.merged,
        );
        for problem in &self.merged.problems {
            let scene = Scene {
                program: self.program,
                paths: &self.paths,
                gathered: &self.gathered,
                layers: &self.layers,
                files,
                kind,
                name,
            };
            let (code, place, path) = scene.key(problem);
            self.findings
                .about(kind, name, code, place, &path, || scene.describe(problem));
        }
        if kind == "host" && self.merged.problems.is_empty() {
            let defs = &self.gathered.defs;
            let effects = &mut self.findings.effects;
            effects.note(defs, &self.merged, &self.paths, name);
        }
        // Room for exactly what there is: ten thousand of these are kept.
        let mut items = Vec::with_capacity(self.merged.winners.len());
        items.extend(self.merged.winners.iter().filter_map(|index| {
            let def = &mut self.gathered.defs[*index];
            let value = if self.gathered.trace.is_some() {
                def.value.clone()?
            } else {
                def.value.take()?
            };
            Some(Item {
                path: def.path,
                value,
                origin: def.place.into(),
            })
        }));
        items
    }
}

/// The order of places that does not depend on the order of loading.
pub(super) fn by_site(files: &Files, a: Place, b: Place) -> Ordering {
    files
        .path(a.file)
        .cmp(files.path(b.file))
        .then_with(|| a.span.cmp(&b.span))
}

/// What a message about definitions draws on.
pub(super) struct Scene<'a, 't> {
    pub program: &'a Program<'t>,
    pub paths: &'a Paths,
    pub gathered: &'a Gathered,
    pub layers: &'a [Layer],
    pub files: &'a Files,
    pub kind: &'static str,
    pub name: &'a Arc<str>,
}

impl<'a, 't> Scene<'a, 't> {
    fn key(&self, problem: &Problem) -> (u16, Place, String) {
        let (code, at) = match problem {
            Problem::Conflict(all) => (2400, all[0]),
            Problem::SetAndRemoved(stone, _) => (2401, *stone),
            Problem::Sealed(seal, _) => (2402, *seal),
        };
        let def = &self.gathered.defs[at];
        let place = match problem {
            Problem::Sealed(_, other) => self.gathered.defs[*other].place,
            _ => def.place,
        };
        (code, place, self.paths.get(def.path).text.to_string())
    }

    fn describe(&self, problem: &Problem) -> Diagnostic {
        let defs = &self.gathered.defs;
        let (code, place, path) = self.key(problem);
        let whose = format!("{} `{}`", self.kind, self.name);
        let mut finding = match problem {
            Problem::Conflict(all) => {
                let mut values: Vec<String> = all.iter().map(|i| said(&defs[*i])).collect();
                values.sort();
                values.dedup();
                let many = match values.len() {
                    2 => "two values".to_owned(),
                    n => format!("{n} values"),
                };
                let mut finding = Diagnostic::error(
                    Code(code),
                    format!("`{path}` has {many} of equal rank for {whose}"),
                    place,
                    self.line(&defs[all[0]]),
                );
                for index in &all[1..] {
                    finding = finding.label(defs[*index].place, self.line(&defs[*index]));
                }
                let mut uses: Vec<Place> = Vec::new();
                for index in all {
                    if let Some(chain) = self.chain(&defs[*index]).next()
                        && !uses.contains(&chain.place)
                    {
                        uses.push(chain.place);
                    }
                }
                for place in uses {
                    finding = finding.label(place, "used here");
                }
                finding.help(format!(
                    "write it nearer (in this {}, or in an exact `refine`), or mark one line `(default)`",
                    self.kind
                ))
            }
            Problem::SetAndRemoved(_, set) => {
                let mut finding = Diagnostic::error(
                    Code(code),
                    format!("`{path}` is set and removed at equal rank for {whose}"),
                    place,
                    "removed here",
                );
                let mut places: Vec<Place> = set.iter().map(|index| defs[*index].place).collect();
                places.sort_by(|a, b| by_site(self.files, *a, *b));
                places.dedup();
                for place in places {
                    finding = finding.label(place, "set here");
                }
                finding.help("write the one that is meant nearer, or mark the other `(default)`")
            }
            Problem::Sealed(seal, other) => {
                let what = if defs[*other].value.is_some() {
                    format!("{} here", said(&defs[*other]))
                } else {
                    "removed here".to_owned()
                };
                Diagnostic::error(
                    Code(code),
                    format!("`{path}` is sealed and cannot be anything else for {whose}"),
                    place,
                    what,
                )
                .label(
                    defs[*seal].place,
                    format!("sealed as {} by `(final)`", said(&defs[*seal])),
                )
                .help("take out this line, or the `(final)`; even `(force)` does not break a seal")
            }
        };
        finding.subject = Some(crate::diag::Subject {
            kind: self.kind,
            names: Vec::new(),
            path: Some(path),
        });
        finding
    }

    fn line(&self, def: &Def) -> String {
        let value = said(def);
        match self.chain(def).next() {
            Some(chain) => {
                format!(
                    "{value}, from profile `{}`",
                    self.program.profiles[chain.profile].name
                )
            }
            None => value,
        }
    }

    /// The uses that led to a definition, innermost first.
    pub(super) fn chain(&self, def: &Def) -> impl Iterator<Item = Chain> + 'a {
        let gathered = self.gathered;
        let mut at = (def.chain != u16::MAX).then_some(def.chain);
        std::iter::from_fn(move || {
            let chain = *gathered.chains.get(usize::from(at?))?;
            at = chain.before;
            Some(chain)
        })
    }

    /// `each in rack r01`, `refine r01-n07`, `host r01-n07`.
    pub(super) fn where_from(&self, def: &Def) -> String {
        match self.layers.get(usize::from(def.layer)) {
            Some(Layer::Each(scope)) => {
                let scope = &self.program.world.scopes[*scope];
                match scope.kind {
                    ScopeKind::Fleet => "each in the fleet".to_owned(),
                    kind => format!("each in {} {}", kind.word(), scope.name),
                }
            }
            Some(Layer::Refine(index)) => format!("refine {}", self.program.refines[*index].text),
            Some(Layer::Own) | None => format!("{} {}", self.kind, self.name),
        }
    }

    /// The names of the profiles on the way, innermost first.
    pub(super) fn profiles(&self, def: &Def) -> Vec<&'t str> {
        let profiles: &'a [Profile<'t>] = &self.program.profiles;
        self.chain(def)
            .map(|chain| profiles[chain.profile].name)
            .collect()
    }
}

/// What a definition says, as a spec would write it.
pub(super) fn said(def: &Def) -> String {
    match &def.value {
        Some(value) => value.to_string(),
        None if def.bad => "unreadable".to_owned(),
        None => "#null".to_owned(),
    }
}
