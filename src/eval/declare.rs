//! Declarations: what there is, by name. Ranges are expanded, lexical scopes and facts are set up,
//! and every block that reaches more than one host is compiled.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use super::collect::{Param, Profile, no_args};
use super::compile::{
    Arg, Compiler, Signature, Signatures, Step, arg, condition, expression, let_in_when,
    template, with_near,
};
use super::decode;
use super::expr::Val;
use super::facts::{self, Collected, Table};
use super::import::Project;
use super::range::{self, Pattern, RangeError};
use super::report::Findings;
use super::unit;
use super::scope::{Frame, Let, LetValue, Scope, ScopeKind, Subject, View, World};
use crate::diag::suggest::similar;
use crate::diag::{Applicability, Code, Diagnostic, FileId, Fix, Place, Subject as About};
use crate::fleet::{Facts, fold, natural};
use crate::schema::{EDITION, ENTITY_WORDS, Entity, LATER_WORDS, Paths};
use crate::syntax::{Entry, Node, Nodes};

/// Everything that is declared.
#[derive(Debug)]
pub(super) struct Program<'t> {
    pub world: World<'t>,
    pub profiles: Vec<Profile<'t>>,
    pub bodies: Vec<Body<'t>>,
    pub tables: Vec<Table>,
    pub refines: Vec<Refine>,
    pub hosts: Vec<Declared<'t>>,
    pub named: Vec<Named<'t>>,
    pub spec: Option<Spec<'t>>,
    /// What can be read is all that was meant.
    pub complete: bool,
}

/// A compiled block that reaches several instances.
#[derive(Debug)]
pub(super) struct Body<'t> {
    pub steps: Vec<Step<'t>>,
    pub frame: usize,
    /// The word that opens it.
    pub place: Place,
}

/// `refine NAMES { … }`.
#[derive(Debug)]
pub(super) struct Refine {
    pub exact: bool,
    pub body: usize,
    pub text: String,
}

/// A host by name.
#[derive(Debug)]
pub(super) struct Declared<'t> {
    pub name: Arc<str>,
    pub scope: usize,
    pub captures: range::Captures,
    pub own: Own<'t>,
    pub place: Place,
    pub refines: Vec<usize>,
    pub broken: bool,
    /// Index of the facts from its properties, shared by a range.
    pub facts: usize,
}

/// A host's own block.
#[derive(Debug, Clone, Copy)]
pub(super) enum Own<'t> {
    /// Compiled, for it is shared by a range or has `let`s.
    Body(usize),
    /// Compiled when the host is evaluated; with its lexical scope.
    Node(Node<'t>, usize),
}

/// An image, a pool or an Ironic.
#[derive(Debug)]
pub(super) struct Named<'t> {
    pub entity: Entity,
    pub name: Arc<str>,
    pub place: Place,
    pub steps: Vec<Step<'t>>,
    pub frame: usize,
}

/// `spec`.
#[derive(Debug)]
pub(super) struct Spec<'t> {
    pub name: Arc<str>,
    pub namespace: Arc<str>,
    pub edition: Arc<str>,
    pub place: Place,
    pub steps: Vec<Step<'t>>,
    pub frame: usize,
}

/// Facts from the properties of a host node.
pub(super) type Properties<'t> = Vec<(Arc<str>, Arg<'t>, Place)>;

/// Declares everything. The second part of the result are the properties of hosts, by
/// [`Declared::facts`].
pub(super) fn declare<'t>(
    project: &'t Project,
    paths: &mut Paths,
    findings: &mut Findings,
) -> (Program<'t>, Vec<Properties<'t>>) {
    let mut declarer = Declarer {
        project,
        paths,
        findings,
        signatures: HashMap::new(),
        program: Program {
            world: World::default(),
            profiles: Vec::new(),
            bodies: Vec::new(),
            tables: Vec::new(),
            refines: Vec::new(),
            hosts: Vec::new(),
            named: Vec::new(),
            spec: None,
            complete: project.complete,
        },
        properties: Vec::new(),
        pending: Vec::new(),
        instances: 0,
    };
    declarer.all();
    let Declarer { program, properties, .. } = declarer;
    (program, properties)
}

struct Declarer<'a, 't> {
    project: &'t Project,
    paths: &'a mut Paths,
    findings: &'a mut Findings,
    signatures: Signatures<'t>,
    program: Program<'t>,
    properties: Vec<Properties<'t>>,
    /// Every `refine`; matched when all hosts are known.
    pending: Vec<Pending<'t>>,
    instances: usize,
}

/// A `refine` whose hosts are not known yet.
struct Pending<'t> {
    entry: Entry<'t>,
    text: String,
    scope: usize,
    body: usize,
    except: Vec<(Pattern, Place)>,
}

impl<'t> Declarer<'_, 't> {
    /// Reports what may hide an instance: nothing may be removed on its account.
    fn lost(&mut self, finding: Diagnostic) {
        self.program.complete = false;
        self.findings.add(finding);
    }

    fn all(&mut self) {
        let project = self.project;
        self.program.world.scopes.push(Scope {
            kind: ScopeKind::Fleet,
            name: Arc::from("fleet"),
            parent: None,
            depth: 0,
            facts: Facts::default(),
            place: crate::diag::Span::point(0).in_file(FileId(0)),
            eaches: Vec::new(),
            tables: Vec::new(),
            broken: false,
        });
        // What everything may refer to comes first: parameters, the spec, the profiles' names.
        for (_, parse) in &project.sources {
            for node in parse.tree.nodes() {
                match node.name() {
                    "param" => self.param(node),
                    "profile" => self.profile_signature(node),
                    _ => {}
                }
            }
        }
        self.params_file();
        for (_, parse) in &project.sources {
            for node in parse.tree.nodes().filter(|node| node.name() == "spec") {
                self.spec(node);
            }
        }
        let frames: Vec<usize> = project
            .sources
            .iter()
            .map(|(_, parse)| self.frame(parse.tree.nodes(), None, 0))
            .collect();
        self.spec_block(&frames);
        for ((_, parse), frame) in project.sources.iter().zip(&frames) {
            for node in parse.tree.nodes().filter(|node| node.name() == "profile") {
                self.profile(node, *frame);
            }
        }
        self.profile_cycles();
        for ((_, parse), frame) in project.sources.iter().zip(&frames) {
            self.items(parse.tree.nodes(), 0, *frame, true);
        }
        self.duplicates();
        self.refines();
        self.close_names();
    }

    fn compile(
        &mut self,
        entity: Entity,
        owner: &str,
        nodes: Nodes<'t>,
    ) -> Vec<Step<'t>> {
        let mut steps = Vec::new();
        Compiler {
            files: &self.project.files,
            paths: self.paths,
            findings: self.findings,
            profiles: &self.signatures,
            entity,
        }
        .block(owner, nodes, &mut steps);
        steps
    }

    // ---- inputs

    fn param(&mut self, node: Node<'t>) {
        let Some((name, place)) = self.single_name(node, "the parameter") else { return };
        if self.program.world.params.contains_key(name) {
            let finding = Diagnostic::error(
                Code(2101),
                format!("parameter `{name}` is declared twice"),
                place,
                "",
            );
            return self.lost(finding);
        }
        for prop in node.props() {
            if prop.key() != Some("doc") {
                let place = prop.span().in_file(prop.file());
                let finding = Diagnostic::error(
                    Code(2002),
                    "a parameter takes a default and `doc=`",
                    place,
                    "",
                );
                self.findings.add(finding);
            }
        }
        let value = node.args().nth(1).and_then(|entry| self.plain_value(entry));
        self.program.world.params.insert(name.to_owned(), value);
    }

    /// A literal; inputs are no expressions.
    fn plain_value(&mut self, entry: Entry<'t>) -> Option<Val> {
        let value = if decode::is_template(entry) {
            Err(Diagnostic::error(
                Code(2302),
                "a parameter is an input, so it cannot be an expression",
                decode::value_place(entry),
                "",
            )
            .help("use `let` for what is computed"))
        } else {
            decode::val(entry)
        };
        match value {
            Ok(value) => Some(value),
            Err(finding) => {
                self.lost(finding);
                None
            }
        }
    }

    fn params_file(&mut self) {
        let project = self.project;
        let declared: HashMap<&str, Option<Entry<'t>>> = project
            .sources
            .iter()
            .flat_map(|(_, parse)| parse.tree.nodes())
            .filter(|node| node.name() == "param")
            .filter_map(|node| {
                Some((node.args().next()?.value().as_str()?, node.args().nth(1)))
            })
            .collect();
        let mut given: BTreeMap<&str, Place> = BTreeMap::new();
        if let Some((_, parse)) = &project.params {
            for node in parse.tree.nodes() {
                if node.name() != "param" {
                    let place = node.name_span().in_file(node.file());
                    let finding = Diagnostic::error(
                        Code(2001),
                        "a params file holds `param NAME VALUE` and nothing else",
                        place,
                        "",
                    );
                    self.lost(finding);
                    continue;
                }
                let Some((name, place)) = self.single_name(node, "the parameter") else { continue };
                let Some(default) = declared.get(name) else {
                    let near = similar(name, declared.keys().copied());
                    let finding = Diagnostic::error(
                        Code(2202),
                        format!("no file of the spec has a parameter `{name}`"),
                        place,
                        "",
                    );
                    let finding = match node.args().next() {
                        Some(entry) => with_near(finding, entry, near),
                        None => finding,
                    };
                    self.lost(finding);
                    continue;
                };
                if let Some(first) = given.insert(name, place) {
                    let finding = Diagnostic::error(
                        Code(2101),
                        format!("parameter `{name}` is given twice"),
                        place,
                        "",
                    )
                    .label(first, "first here");
                    self.lost(finding);
                    continue;
                }
                let Some(entry) = node.args().nth(1) else {
                    let finding = Diagnostic::error(
                        Code(2004),
                        format!("parameter `{name}` needs a value here"),
                        place,
                        "",
                    );
                    self.lost(finding);
                    continue;
                };
                let mut value = self.plain_value(entry);
                // What the declaration pins holds for the value that replaces it, too.
                if let (Some(found), Some(default)) = (&value, default)
                    && default.annotation().is_some()
                    && let Err(finding) = decode::pinned(*default, found.clone())
                {
                    let place = decode::value_place(entry);
                    let finding = Diagnostic::error(finding.code, finding.message, place, "")
                        .label(decode::value_place(*default), "its type is pinned here");
                    self.lost(finding);
                    value = None;
                }
                self.program.world.params.insert(name.to_owned(), value);
            }
        }
        for (_, parse) in &project.sources {
            for node in parse.tree.nodes().filter(|node| node.name() == "param") {
                let Some(name) = node.args().next().and_then(|entry| entry.value().as_str()) else {
                    continue;
                };
                if node.args().nth(1).is_none() && !given.contains_key(name) {
                    let place = node.name_span().in_file(node.file());
                    let finding = Diagnostic::error(
                        Code(2204),
                        format!("parameter `{name}` has no value"),
                        place,
                        "",
                    )
                    .help(format!(
                        "give it a default, or a value in the file of `--params`: `param {name} …`"
                    ));
                    self.lost(finding);
                }
            }
        }
    }

    /// The name of an entity that has exactly one plain name.
    fn single_name(&mut self, node: Node<'t>, what: &str) -> Option<(&'t str, Place)> {
        if node.is_broken() {
            self.program.complete = false;
            return None;
        }
        if node.annotation().is_some() {
            self.annotated(node);
        }
        let Some(entry) = node.args().next() else {
            let place = node.name_span().in_file(node.file());
            let finding = Diagnostic::error(
                Code(2004),
                format!("`{}` needs the name of {what}", node.name()),
                place,
                "",
            );
            self.lost(finding);
            return None;
        };
        match decode::name(entry, &format!("the name of {what}")) {
            Ok(name) => Some((name, entry.value_span().in_file(entry.file()))),
            Err(finding) => {
                self.lost(finding);
                None
            }
        }
    }

    /// Merge annotations do not go on declarations.
    fn annotated(&mut self, node: Node<'t>) {
        let Some((word, span)) = node.annotation() else { return };
        let finding = Diagnostic::error(
            Code(2010),
            format!("`({word})` cannot stand on `{}`: declarations are never merged", node.name()),
            span.in_file(node.file()),
            "",
        )
        .help("write it before a field or a block of fields");
        self.findings.add(finding);
    }

    fn only_name(&mut self, node: Node<'t>) {
        for extra in node.args().skip(1) {
            let finding = Diagnostic::error(
                Code(2004),
                format!("`{}` takes one name", node.name()),
                decode::value_place(extra),
                "one too many",
            );
            self.lost(finding);
        }
    }

    // ---- spec

    fn spec(&mut self, node: Node<'t>) {
        let Some((name, place)) = self.single_name(node, "the fleet") else { return };
        self.only_name(node);
        if let Some(first) = &self.program.spec {
            let finding =
                Diagnostic::error(Code(2101), "`spec` is declared twice", place, "")
                    .label(first.place, "first here");
            return self.lost(finding);
        }
        let mut edition: Arc<str> = Arc::from(EDITION);
        let mut namespace: Arc<str> = Arc::from("metal3");
        for prop in node.props() {
            match prop.key() {
                Some("edition") => match decode::name(prop, "an edition") {
                    Ok(EDITION) => {}
                    Ok(other) => {
                        let finding = Diagnostic::error(
                            Code(2013),
                            format!("edition `{other}` is not known here; this is {EDITION}"),
                            prop.value_span().in_file(prop.file()),
                            "",
                        );
                        edition = Arc::from(other);
                        self.lost(finding);
                    }
                    Err(finding) => self.lost(finding),
                },
                Some("namespace") => match decode::name(prop, "a namespace") {
                    Ok(name) if unit::name_label(name).is_ok() => {
                        namespace = Arc::from(name);
                    }
                    Ok(name) => {
                        let finding = Diagnostic::error(
                            Code(3101),
                            format!("`{name}` cannot be the name of a namespace"),
                            prop.value_span().in_file(prop.file()),
                            "",
                        )
                        .help("lower-case letters, digits and `-`, at most 63");
                        self.lost(finding);
                    }
                    Err(finding) => self.lost(finding),
                },
                Some(other) => {
                    if let Some(near) = similar(other, ["edition", "namespace"]) {
                        let key = prop.key_span().unwrap_or_else(|| prop.span());
                        let place = key.in_file(prop.file());
                        let finding = Diagnostic::error(
                            Code(2002),
                            format!("`spec` has no property `{other}`"),
                            place,
                            "",
                        )
                        .help(format!("did you mean `{near}`?"))
                        .fix(Fix::replace(
                            format!("write `{near}`"),
                            Applicability::Safe,
                            place,
                            near,
                        ));
                        self.lost(finding);
                    }
                }
                None => {}
            }
        }
        let (properties, broken) =
            facts::properties(node, &["edition", "namespace"], self.findings);
        let owner: Arc<str> = Arc::from(name);
        let mut collected = Collected { broken, ..Collected::default() };
        for (fact, value, place) in properties {
            if let Arg::Val(value) = value {
                collected.add("fleet", &owner, &fact, value, place, self.findings);
            } else {
                collected.broken = true;
            }
        }
        let text = Arc::clone(&namespace);
        for (fact, value) in [("namespace", Val::Str(text)), ("edition", Val::from(&*edition))] {
            collected.add("fleet", &owner, &Arc::from(fact), value, place, self.findings);
        }
        let scope = &mut self.program.world.scopes[0];
        scope.name = Arc::clone(&owner);
        scope.place = place;
        scope.broken = collected.broken;
        scope.facts = collected.finish();
        self.program.spec =
            Some(Spec { name: owner, namespace, edition, place, steps: Vec::new(), frame: 0 });
    }

    fn spec_block(&mut self, frames: &[usize]) {
        let project = self.project;
        let Some(place) = self.program.spec.as_ref().map(|spec| spec.place) else { return };
        for ((file, parse), frame) in project.sources.iter().zip(frames) {
            if *file != place.file {
                continue;
            }
            let found = parse.tree.nodes().find(|node| node.name() == "spec");
            if let Some(node) = found {
                let steps = self.compile(Entity::Spec, "spec", node.children());
                if let Some(spec) = &mut self.program.spec {
                    spec.steps = steps;
                    spec.frame = *frame;
                }
            }
        }
    }

    // ---- lexical scopes

    /// A lexical scope of the `let`s among `nodes`; the scope around where there are none.
    fn frame(&mut self, nodes: Nodes<'t>, parent: Option<usize>, scope: usize) -> usize {
        let mut lets: BTreeMap<String, Let<'t>> = BTreeMap::new();
        for node in nodes.filter(|node| node.name() == "let") {
            let Some((name, place)) = self.single_name(node, "the value") else { continue };
            let args: Vec<Entry<'t>> = node.args().collect();
            let value = match args.as_slice() {
                [_, entry] => match arg(*entry, self.findings) {
                    Arg::Val(value) => LetValue::Val(value),
                    Arg::Made(made) => LetValue::Template(Arc::new(made.template)),
                    Arg::Bad => LetValue::Broken,
                },
                _ => {
                    let finding = Diagnostic::error(
                        Code(2004),
                        format!("`let {name}` needs one value"),
                        place,
                        "",
                    );
                    self.lost(finding);
                    LetValue::Broken
                }
            };
            for extra in node.props().map(|prop| prop.span()).chain(node.block_span()) {
                let finding = Diagnostic::error(
                    Code(2002),
                    "`let` takes a name and a value",
                    extra.in_file(node.file()),
                    "",
                );
                self.findings.add(finding);
            }
            if !is_identifier(name) {
                let better = name.to_lowercase().replace(['-', '.'], "_");
                let finding = Diagnostic::error(
                    Code(2301),
                    format!("`{name}` cannot be read by an expression: a hyphen would be a minus"),
                    place,
                    "",
                )
                .help(format!("lower-case letters, digits and `_`, as in `{better}`"));
                self.findings.add(finding);
            }
            if let Some(first) = lets.get(name) {
                let finding = Diagnostic::error(
                    Code(2101),
                    format!("`let {name}` is there twice in one scope"),
                    place,
                    "",
                )
                .label(first.place, "first here");
                self.lost(finding);
                continue;
            }
            lets.insert(
                name.to_owned(),
                Let {
                    value,
                    entry: args.get(1).copied(),
                    place,
                    shared: false,
                    cached: OnceLock::new(),
                },
            );
        }
        match (lets.is_empty(), parent) {
            (true, Some(parent)) if self.program.world.frames[parent].scope == scope => parent,
            _ => self.push_frame(Frame { parent, lets, is_profile: false, scope }),
        }
    }

    fn push_frame(&mut self, mut frame: Frame<'t>) -> usize {
        self.cycles(&mut frame);
        let world = &self.program.world;
        let mut shared: HashMap<String, bool> = HashMap::new();
        for name in frame.lets.keys() {
            is_shared(name, &frame, world, &mut shared);
        }
        for (name, found) in &mut frame.lets {
            found.shared = shared.get(name).copied().unwrap_or(false);
        }
        self.program.world.frames.push(frame);
        self.program.world.frames.len() - 1
    }

    /// MF2304: `let`s of one scope that read each other in a circle.
    fn cycles(&mut self, frame: &mut Frame<'t>) {
        let reads = |name: &str| -> Vec<String> {
            match frame.lets.get(name).map(|found| &found.value) {
                Some(LetValue::Template(template)) => template
                    .references()
                    .iter()
                    .map(|read| read.path.to_owned())
                    .filter(|path| frame.lets.contains_key(path))
                    .collect(),
                _ => Vec::new(),
            }
        };
        let names: Vec<String> = frame.lets.keys().cloned().collect();
        let circles = circles(&names, reads);
        for circle in circles {
            let first = &circle[0];
            let mut shown = circle.clone();
            shown.push(first.clone());
            let mut finding = Diagnostic::error(
                Code(2304),
                format!("`let`s in a circle: {}", shown.join(" -> ")),
                frame.lets[first].place,
                "",
            );
            for name in &circle[1..] {
                finding = finding.label(frame.lets[name].place, "by way of this");
            }
            self.findings.add(finding);
            for name in &circle {
                if let Some(found) = frame.lets.get_mut(name) {
                    found.value = LetValue::Broken;
                }
            }
        }
    }

    // ---- profiles

    fn profile_signature(&mut self, node: Node<'t>) {
        let Some((name, place)) = self.single_name(node, "the profile") else { return };
        self.only_name(node);
        for prop in node.props() {
            let finding = Diagnostic::error(
                Code(2002),
                "a profile takes no properties",
                prop.span().in_file(prop.file()),
                "",
            )
            .help("its parameters are children: `param NAME DEFAULT`");
            self.findings.add(finding);
        }
        if let Some(first) = self.signatures.get(name) {
            let first = self.program.profiles[first.index].place;
            let finding = Diagnostic::error(
                Code(2101),
                format!("profile `{name}` is declared twice"),
                place,
                "",
            )
            .label(first, "first here");
            return self.lost(finding);
        }
        let mut params = Vec::new();
        for param in node.children().filter(|child| child.name() == "param") {
            if let Some((param_name, param_place)) = self.single_name(param, "the parameter") {
                if params.iter().any(|(known, _)| *known == param_name) {
                    let finding = Diagnostic::error(
                        Code(2101),
                        format!("parameter `{param_name}` is declared twice"),
                        param_place,
                        "",
                    );
                    self.findings.add(finding);
                    continue;
                }
                params.push((param_name, param.args().nth(1).is_some()));
            }
        }
        let index = self.program.profiles.len();
        self.program.profiles.push(Profile {
            name,
            place,
            params: Vec::new(),
            steps: Vec::new(),
            frame: 0,
            cyclic: false,
            used: AtomicBool::new(false),
        });
        self.signatures.insert(name, Signature { index, params });
    }

    fn profile(&mut self, node: Node<'t>, _file: usize) {
        let Some(entry) = node.args().next() else { return };
        let Some(name) = entry.value().as_str() else { return };
        let place = entry.value_span().in_file(entry.file());
        let Some(index) = self.signatures.get(name).map(|signature| signature.index) else {
            return;
        };
        if self.program.profiles[index].place != place {
            return;
        }
        // A profile sees its parameters, `param.*` and the instance's facts, and nothing around it.
        let outer = Frame { parent: None, lets: BTreeMap::new(), is_profile: true, scope: 0 };
        let outer = self.push_frame(outer);
        let has_lets = node.children().any(|child| child.name() == "let");
        let frame =
            if has_lets { self.frame(node.children(), Some(outer), 0) } else { outer };
        let params = node
            .children()
            .filter(|child| child.name() == "param" && !child.is_broken())
            .filter_map(|param| {
                let name = param.args().next()?.value().as_str()?;
                let default = param.args().nth(1).map(|entry| arg(entry, self.findings));
                Some(Param { name, default })
            })
            .collect();
        let steps = self.compile(Entity::Host, "profile", node.children());
        let profile = &mut self.program.profiles[index];
        profile.params = params;
        profile.steps = steps;
        profile.frame = frame;
    }

    fn profile_cycles(&mut self) {
        let mut edges: BTreeMap<String, Vec<(String, Place)>> = BTreeMap::new();
        for profile in &self.program.profiles {
            let mut uses = Vec::new();
            uses_of(&profile.steps, &mut |index, place| {
                uses.push((self.program.profiles[index].name.to_owned(), place));
            });
            edges.insert(profile.name.to_owned(), uses);
        }
        let names: Vec<String> = edges.keys().cloned().collect();
        let reads = |name: &str| -> Vec<String> {
            edges.get(name).map_or_else(Vec::new, |uses| {
                uses.iter().map(|(name, _)| name.clone()).collect()
            })
        };
        for circle in circles(&names, reads) {
            let mut shown = circle.clone();
            shown.push(circle[0].clone());
            let place = |from: &str, to: &str| {
                edges[from].iter().find(|(name, _)| name == to).map(|(_, place)| *place)
            };
            let Some(primary) = place(&circle[circle.len() - 1], &circle[0]) else { continue };
            let mut finding = Diagnostic::error(
                Code(2203),
                format!("profiles use each other in a circle: {}", shown.join(" -> ")),
                primary,
                "this closes the circle",
            );
            for pair in circle.windows(2) {
                if let Some(place) = place(&pair[0], &pair[1]) {
                    finding = finding.label(place, "by way of this");
                }
            }
            self.findings.add(finding);
            for profile in &mut self.program.profiles {
                if circle.iter().any(|name| name == profile.name) {
                    profile.cyclic = true;
                }
            }
        }
    }

    // ---- what stands in scopes

    /// `file`: directly at the top of a file, where what is for all of the fleet may stand.
    fn items(&mut self, nodes: Nodes<'t>, scope: usize, frame: usize, file: bool) {
        let top = scope == 0;
        for node in nodes {
            if node.is_broken() {
                // The reader said what is wrong; what the node would have been is not known.
                self.program.complete = false;
                self.program.world.scopes[scope].broken |= node.name() == "each";
                continue;
            }
            match node.name() {
                "let" => {}
                "import" | "param" | "profile" | "spec" if file => {}
                "import" | "param" | "profile" | "spec" => self.misplaced(node),
                "image" | "pool" | "ironic" if !top => self.misplaced(node),
                "image" => self.named(node, Entity::Image, frame),
                "pool" => self.named(node, Entity::Pool, frame),
                "ironic" => self.named(node, Entity::Ironic, frame),
                "each" => self.each(node, scope, frame),
                "host" => self.hosts(node, scope, frame),
                "refine" => self.refine(node, scope, frame),
                "rack" => self.nested(node, ScopeKind::Rack, scope, frame),
                "group" => self.nested(node, ScopeKind::Group, scope, frame),
                "facts" => self.facts_table(node, scope),
                "when" => self.when(node, scope, frame),
                name => self.unknown(name, node, top),
            }
        }
    }

    fn misplaced(&mut self, node: Node<'t>) {
        let finding = Diagnostic::error(
            Code(2001),
            format!("`{}` stands at the top of a file only", node.name()),
            node.name_span().in_file(node.file()),
            "",
        );
        self.lost(finding);
    }

    fn unknown(&mut self, name: &str, node: Node<'t>, top: bool) {
        let place = node.name_span().in_file(node.file());
        if LATER_WORDS.contains(&name) {
            return self.lost(decode::later(place, &format!("`{name}`")));
        }
        if Entity::Host.fields().iter().any(|field| field.name == name) || name == "use" {
            let what = if name == "use" { "a profile is used" } else { "fields stand" };
            let finding = Diagnostic::error(
                Code(2001),
                format!("`{name}` cannot stand here: {what} in a block"),
                place,
                "",
            )
            .help("put it in `each { … }`, for every host below");
            return self.lost(finding);
        }
        let words: Vec<&str> = ENTITY_WORDS
            .iter()
            .copied()
            .filter(|word| !matches!(*word, "use" | "except"))
            .filter(|word| top || matches!(*word, "let" | "rack" | "group" | "host" | "each" | "refine" | "facts" | "when"))
            .collect();
        let finding =
            Diagnostic::error(Code(2001), format!("there is no `{name}` in the language"), place, "");
        let finding = match similar(name, words) {
            Some(near) => finding.help(format!("did you mean `{near}`?")).fix(Fix::replace(
                format!("write `{near}`"),
                Applicability::Safe,
                place,
                near,
            )),
            None => finding,
        };
        self.lost(finding);
    }

    fn when(&mut self, node: Node<'t>, scope: usize, frame: usize) {
        for child in node.children().filter(|child| child.name() == "let") {
            self.findings.add(let_in_when(child.name_span().in_file(child.file())));
        }
        let (condition, entry) = match condition(node) {
            Ok(found) => found,
            Err(finding) => return self.lost(finding),
        };
        let args = no_args();
        let subject = Subject { scope, host: None };
        let view = View::new(&self.program.world, subject, frame, &args);
        let result = condition.test(&view);
        let tainted = view.tainted.get();
        let troubles = view.troubles.take();
        self.troubles(troubles);
        match result {
            Ok(true) => self.items(node.children(), scope, frame, false),
            Ok(false) => {}
            Err(error) => {
                self.program.complete = false;
                if !tainted {
                    let reads_host = condition
                        .references()
                        .iter()
                        .any(|read| read.path.starts_with("host."));
                    let finding = expression(entry, &error);
                    self.findings.add(if reads_host {
                        finding.help("no host is in sight here: put `when` in `each` or `host`")
                    } else {
                        finding
                    });
                }
            }
        }
    }

    fn each(&mut self, node: Node<'t>, scope: usize, frame: usize) {
        for entry in node.entries() {
            let finding = Diagnostic::error(
                Code(2004),
                "`each` takes a block and nothing else",
                entry.span().in_file(entry.file()),
                "",
            )
            .help("for some of the hosts only, use `refine NAMES { … }`");
            self.lost(finding);
        }
        let frame = self.inner_frame(node, frame, scope);
        let steps = self.compile(Entity::Host, "each", node.children());
        let strengthened = self.push_down(node, steps);
        let body = self.body(node, strengthened, frame);
        self.program.world.scopes[scope].eaches.push(body);
    }

    /// An annotation on a whole block goes to the definitions in it.
    fn push_down(&mut self, node: Node<'t>, mut steps: Vec<Step<'t>>) -> Vec<Step<'t>> {
        match super::compile::strength(node) {
            Ok(None) => {}
            Ok(Some(strength)) => strengthen(&mut steps, strength),
            Err(finding) => {
                self.findings.add(finding);
                steps.push(Step::Broken);
            }
        }
        steps
    }

    fn body(&mut self, node: Node<'t>, steps: Vec<Step<'t>>, frame: usize) -> usize {
        let place = node.name_span().in_file(node.file());
        self.program.bodies.push(Body { steps, frame, place });
        self.program.bodies.len() - 1
    }

    fn inner_frame(&mut self, node: Node<'t>, frame: usize, scope: usize) -> usize {
        if node.children().any(|child| child.name() == "let") {
            self.frame(node.children(), Some(frame), scope)
        } else {
            frame
        }
    }

    fn named(&mut self, node: Node<'t>, entity: Entity, frame: usize) {
        let Some((name, place)) = self.single_name(node, &format!("the {}", entity.word())) else {
            return;
        };
        self.only_name(node);
        for prop in node.props() {
            let key = prop.key().unwrap_or_default();
            let place = prop.span().in_file(prop.file());
            let is_field = entity.fields().iter().any(|field| field.name == key);
            let finding = Diagnostic::error(
                Code(2003),
                format!("properties of an entity are facts, and a {} has none", entity.word()),
                place,
                "",
            );
            self.lost(if is_field {
                finding.help(format!("`{key}` is a field: write it in the block"))
            } else {
                finding
            });
        }
        let first = self
            .program
            .named
            .iter()
            .find(|known| known.entity == entity && *known.name == *name)
            .map(|known| known.place);
        if let Some(first) = first {
            let finding = Diagnostic::error(
                Code(2101),
                format!("{} `{name}` is declared twice", entity.word()),
                place,
                "",
            )
            .label(first, "first here");
            return self.lost(finding);
        }
        if !self.count(1, place) {
            return;
        }
        let frame = self.inner_frame(node, frame, 0);
        let steps = self.compile(entity, entity.word(), node.children());
        self.program.named.push(Named { entity, name: Arc::from(name), place, steps, frame });
    }

    fn facts_table(&mut self, node: Node<'t>, scope: usize) {
        let csv = node
            .props()
            .find(|prop| prop.key() == Some("from"))
            .and_then(|prop| {
                self.project.tables.get(&prop.value_span().in_file(prop.file())).copied()
            });
        let (table, broken) = facts::table(node, csv, &self.project.files, self.findings);
        self.program.world.scopes[scope].broken |= broken;
        if let Some(table) = table {
            self.program.tables.push(table);
            let index = self.program.tables.len() - 1;
            self.program.world.scopes[scope].tables.push(index);
        }
    }

    /// Counts instances against the limit.
    fn count(&mut self, more: usize, place: Place) -> bool {
        let limit = self.project.limits.instances;
        if self.instances.saturating_add(more) > limit {
            let finding = Diagnostic::error(
                Code(9003),
                format!("more than {limit} hosts, racks, groups and pools"),
                place,
                format!("{more} more here, after {}", self.instances),
            )
            .help("raise `instances` in `spec { limits … }` if this is meant");
            self.lost(finding);
            return false;
        }
        self.instances += more;
        true
    }

    /// The names that an entity's first argument stands for.
    fn names(
        &mut self,
        node: Node<'t>,
        what: &str,
        scope: usize,
        frame: usize,
    ) -> Option<(Entry<'t>, range::Expansion)> {
        let (name, place) = self.single_name(node, what)?;
        self.only_name(node);
        let entry = node.args().next()?;
        let text = self.scope_text(entry, name, scope, frame)?;
        match range::expand(&text, self.project.limits.range) {
            Ok(names) => self.count(names.len(), place).then_some((entry, names)),
            Err(error) => {
                let finding = range_error(entry, &error);
                self.lost(finding);
                None
            }
        }
    }

    /// A name, with its expressions evaluated in the scope around it.
    fn scope_text(
        &mut self,
        entry: Entry<'t>,
        text: &str,
        scope: usize,
        frame: usize,
    ) -> Option<String> {
        if !decode::is_template(entry) {
            return Some(text.to_owned());
        }
        let made = match template(entry) {
            Ok(made) => made,
            Err(finding) => {
                self.lost(finding);
                return None;
            }
        };
        let args = no_args();
        let view =
            View::new(&self.program.world, Subject { scope, host: None }, frame, &args);
        let result = made.eval(&view);
        let tainted = view.tainted.get();
        let troubles = view.troubles.take();
        self.troubles(troubles);
        match result {
            Ok(value) => Some(facts::plain(&value)),
            Err(error) => {
                self.program.complete = false;
                if !tainted {
                    self.findings.add(expression(entry, &error));
                }
                None
            }
        }
    }

    fn nested(&mut self, node: Node<'t>, kind: ScopeKind, scope: usize, frame: usize) {
        if kind == ScopeKind::Rack && in_rack(&self.program.world, scope) {
            let finding = Diagnostic::error(
                Code(2001),
                "a rack cannot stand inside a rack",
                node.name_span().in_file(node.file()),
                "",
            )
            .help("`group` may stand anywhere, and as deep as you like");
            return self.lost(finding);
        }
        let Some((entry, names)) = self.names(node, &format!("the {}", kind.word()), scope, frame)
        else {
            return;
        };
        let place = entry.value_span().in_file(entry.file());
        let (properties, broken) = facts::properties(node, &[], self.findings);
        let depth = self.program.world.scopes[scope].depth + 1;
        if depth > 100 {
            return;
        }
        for (name, captures) in names.iter() {
            let name: Arc<str> = Arc::from(name);
            if let Err(finding) = check_name(&name, kind.word(), place) {
                self.lost(finding);
            }
            let mut collected = Collected { broken, ..Collected::default() };
            for (fact, value) in captures {
                collected.add(kind.word(), &name, &fact, Val::Int(value), place, self.findings);
            }
            let args = no_args();
            for (fact, value, at) in &properties {
                let view = View::new(
                    &self.program.world,
                    Subject { scope, host: None },
                    frame,
                    &args,
                );
                match facts::value(value, &view, self.findings, kind.word(), &name) {
                    Some(value) => {
                        collected.add(kind.word(), &name, fact, value, *at, self.findings);
                    }
                    None => collected.broken = true,
                }
            }
            let broken = collected.broken || self.program.world.scopes[scope].broken;
            self.program.world.scopes.push(Scope {
                kind,
                name: Arc::clone(&name),
                parent: Some(scope),
                depth,
                facts: collected.finish(),
                place,
                eaches: Vec::new(),
                tables: Vec::new(),
                broken,
            });
            let inner = self.program.world.scopes.len() - 1;
            let inner_frame = self.frame(node.children(), Some(frame), inner);
            self.items(node.children(), inner, inner_frame, false);
        }
    }

    fn troubles(&mut self, troubles: Vec<(Entry<'t>, super::expr::ExprError)>) {
        for (entry, error) in troubles {
            self.findings.add(expression(entry, &error));
        }
    }

    // ---- hosts

    fn hosts(&mut self, node: Node<'t>, scope: usize, frame: usize) {
        let Some((entry, names)) = self.names(node, "the host", scope, frame) else { return };
        let place = entry.value_span().in_file(entry.file());
        let (properties, broken) = facts::properties(node, &[], self.findings);
        let facts = self.properties.len();
        self.properties.push(properties);
        let except = self.except(node, scope, frame);
        let has_lets = node.children().any(|child| child.name() == "let");
        let own = if names.len() > 1 || has_lets {
            let frame = self.inner_frame(node, frame, scope);
            let steps = self.compile(Entity::Host, "host", node.children());
            Own::Body(self.body(node, steps, frame))
        } else {
            Own::Node(node, frame)
        };
        let mut met = vec![false; except.len()];
        for (name, captures) in names.iter() {
            let mut out = false;
            for (index, (pattern, _)) in except.iter().enumerate() {
                if pattern.matches(&name) {
                    met[index] = true;
                    out = true;
                }
            }
            if out {
                continue;
            }
            let name: Arc<str> = Arc::from(name);
            let mut broken = broken;
            if let Err(finding) = check_name(&name, "host", place) {
                broken = true;
                let (code, about) = (finding.code.0, finding.message.clone());
                self.findings.about("host", &name, code, place, &about, || finding);
            }
            self.program.hosts.push(Declared {
                name,
                scope,
                captures,
                own,
                place,
                refines: Vec::new(),
                broken,
                facts,
            });
        }
        for ((_, place), met) in except.iter().zip(met) {
            if !met {
                let finding = Diagnostic::warning(
                    Code(2105),
                    "`except` takes out no host",
                    *place,
                    "",
                );
                self.findings.add(finding);
            }
        }
    }

    fn except(&mut self, node: Node<'t>, scope: usize, frame: usize) -> Vec<(Pattern, Place)> {
        let mut patterns = Vec::new();
        for except in node.children().filter(|child| child.name() == "except") {
            for entry in except.args() {
                let text = match decode::name(entry, "a name or range") {
                    Ok(text) => text,
                    Err(finding) => {
                        self.lost(finding);
                        continue;
                    }
                };
                let Some(text) = self.scope_text(entry, text, scope, frame) else { continue };
                match Pattern::compile(&text) {
                    Ok(pattern) => {
                        patterns.push((pattern, entry.value_span().in_file(entry.file())));
                    }
                    Err(error) => {
                        let finding = range_error(entry, &error);
                        self.lost(finding);
                    }
                }
            }
            let mut rest =
                except.props().map(|prop| prop.span()).chain(except.children().map(Node::span));
            if let Some(span) = rest.next() {
                let finding = Diagnostic::error(
                    Code(2004),
                    "`except` takes names only",
                    span.in_file(except.file()),
                    "",
                );
                self.lost(finding);
            }
        }
        patterns
    }

    fn refine(&mut self, node: Node<'t>, scope: usize, frame: usize) {
        let Some((name, _)) = self.single_name(node, "the hosts to refine") else { return };
        self.only_name(node);
        for prop in node.props() {
            let finding = Diagnostic::error(
                Code(2003),
                "`refine` takes no facts: they belong to the host",
                prop.span().in_file(prop.file()),
                "",
            );
            self.findings.add(finding);
        }
        let Some(entry) = node.args().next() else { return };
        let Some(text) = self.scope_text(entry, name, scope, frame) else { return };
        let inner = self.inner_frame(node, frame, scope);
        let steps = self.compile(Entity::Host, "refine", node.children());
        let body = self.body(node, steps, inner);
        let except = self.except(node, scope, frame);
        self.pending.push(Pending { entry, text, scope, body, except });
    }

    /// Finds the hosts of every `refine`.
    fn refines(&mut self) {
        let by_name: HashMap<Arc<str>, usize> = self
            .program
            .hosts
            .iter()
            .enumerate()
            .map(|(index, host)| (Arc::clone(&host.name), index))
            .collect();
        for Pending { entry, text, scope, body, except } in std::mem::take(&mut self.pending) {
            let pattern = match Pattern::compile(&text) {
                Ok(pattern) => pattern,
                Err(error) => {
                    let finding = range_error(entry, &error);
                    self.lost(finding);
                    continue;
                }
            };
            let exact = pattern.exact().is_some();
            let inside = |host: &Declared<'_>| {
                self.within(host.scope, scope)
                    && !except.iter().any(|(pattern, _)| pattern.matches(&host.name))
            };
            let matched: Vec<usize> = match pattern.exact() {
                Some(name) => by_name
                    .get(name)
                    .copied()
                    .filter(|index| inside(&self.program.hosts[*index]))
                    .into_iter()
                    .collect(),
                None => (0..self.program.hosts.len())
                    .filter(|index| {
                        let host = &self.program.hosts[*index];
                        pattern.matches(&host.name) && inside(host)
                    })
                    .collect(),
            };
            if matched.is_empty() {
                let place = entry.value_span().in_file(entry.file());
                let elsewhere = by_name.get(&*text).map(|index| self.program.hosts[*index].place);
                let finding = Diagnostic::error(
                    Code(2103),
                    format!("`refine {text}` matches no host"),
                    place,
                    "",
                );
                let finding = if let Some(place) = elsewhere {
                    finding
                        .label(place, "this host is not in the scope of the `refine`")
                        .help("write it where the host is declared, or at the top of a file")
                } else {
                    let near = similar(&text, by_name.keys().map(|name| &**name)).map(str::to_owned);
                    with_near(finding, entry, near.as_deref())
                };
                self.findings.add(finding);
                continue;
            }
            self.program.refines.push(Refine { exact, body, text });
            let index = self.program.refines.len() - 1;
            for host in matched {
                self.program.hosts[host].refines.push(index);
            }
        }
    }

    fn within(&self, mut scope: usize, outer: usize) -> bool {
        loop {
            if scope == outer {
                return true;
            }
            match self.program.world.scopes[scope].parent {
                Some(parent) => scope = parent,
                None => return false,
            }
        }
    }

    /// MF2102: one name, two declarations. Both go: which one was meant is not known.
    fn duplicates(&mut self) {
        self.duplicate_scopes();
        let files = &self.project.files;
        let order = |a: Place, b: Place| {
            files.path(a.file).cmp(files.path(b.file)).then_with(|| a.span.cmp(&b.span))
        };
        self.program.hosts.sort_by(|a, b| {
            natural(&a.name, &b.name).then_with(|| order(a.place, b.place))
        });
        let mut doubles: BTreeMap<(Place, Place), Vec<Arc<str>>> = BTreeMap::new();
        let hosts = &mut self.program.hosts;
        let mut first = 0;
        for index in 1..hosts.len() {
            if hosts[index].name == hosts[first].name {
                doubles
                    .entry((hosts[index].place, hosts[first].place))
                    .or_default()
                    .push(Arc::clone(&hosts[index].name));
                hosts[first].broken = true;
            } else {
                first = index;
            }
        }
        hosts.dedup_by(|later, earlier| later.name == earlier.name);
        for ((place, first), names) in doubles {
            let texts: Vec<&str> = names.iter().map(|name| &**name).collect();
            let folded = fold(&texts);
            let what = if names.len() == 1 { "host" } else { "hosts" };
            let message = if names.len() == 1 {
                format!("host `{folded}` is declared twice")
            } else {
                format!("hosts `{folded}` are declared twice")
            };
            let mut finding = Diagnostic::error(Code(2102), message, place, "again here")
                .label(first, format!("the same {what} here"))
                .help("to change a host that is there, write `refine` in the place of `host`");
            finding.subject = Some(About {
                kind: "host",
                names: texts.iter().map(ToString::to_string).collect(),
                path: None,
            });
            self.findings.add(finding);
        }
    }

    fn duplicate_scopes(&mut self) {
        let mut seen: HashMap<(&'static str, Arc<str>), Place> = HashMap::new();
        let mut found = Vec::new();
        for scope in &self.program.world.scopes[1..] {
            let key = (scope.kind.word(), Arc::clone(&scope.name));
            match seen.get(&key) {
                Some(first) => found.push(
                    Diagnostic::error(
                        Code(2102),
                        format!("{} `{}` is declared twice", scope.kind.word(), scope.name),
                        scope.place,
                        "again here",
                    )
                    .label(*first, "first here"),
                ),
                None => {
                    seen.insert(key, scope.place);
                }
            }
        }
        for finding in found {
            self.lost(finding);
        }
    }

    /// MF2106: names that differ only by case or padding.
    fn close_names(&mut self) {
        let mut seen: HashMap<String, usize> = HashMap::with_capacity(self.program.hosts.len());
        let mut found = Vec::new();
        for (index, host) in self.program.hosts.iter().enumerate() {
            let mut key = String::with_capacity(host.name.len());
            let mut zeros = true;
            for c in host.name.chars() {
                if c == '0' && zeros {
                    continue;
                }
                zeros = !c.is_ascii_digit();
                key.extend(c.to_lowercase());
            }
            match seen.get(&key) {
                Some(first) => {
                    let other = &self.program.hosts[*first];
                    found.push(
                        Diagnostic::warning(
                            Code(2106),
                            format!(
                                "`{}` and `{}` differ only by case or padding",
                                other.name, host.name
                            ),
                            host.place,
                            "",
                        )
                        .label(other.place, "the other one"),
                    );
                }
                None => {
                    seen.insert(key, index);
                }
            }
        }
        for finding in found {
            self.findings.add(finding);
        }
    }
}

/// Whether a `let` of `frame` is the same for every instance that can read it: nothing that it
/// reads is of a host, of a group or of a profile's arguments.
fn is_shared(
    name: &str,
    frame: &Frame<'_>,
    world: &World<'_>,
    known: &mut HashMap<String, bool>,
) -> bool {
    if let Some(known) = known.get(name) {
        return *known;
    }
    let Some(found) = frame.lets.get(name) else {
        let mut at = frame.parent;
        if frame.is_profile {
            return false;
        }
        while let Some(index) = at {
            let outer = &world.frames[index];
            if let Some(found) = outer.lets.get(name) {
                return found.shared;
            }
            if outer.is_profile {
                return false;
            }
            at = outer.parent;
        }
        return true;
    };
    let answer = match &found.value {
        LetValue::Val(_) | LetValue::Broken => true,
        LetValue::Template(template) => template.references().iter().all(|read| {
            match read.path.split_once('.') {
                Some(("host" | "group", _)) => false,
                Some(("rack", _)) => in_rack(world, frame.scope),
                Some(_) => true,
                None => is_shared(read.path, frame, world, known),
            }
        }),
    };
    known.insert(name.to_owned(), answer);
    answer
}

/// Whether a scope is a rack or stands in one. Racks do not nest, so all hosts below have it.
fn in_rack(world: &World<'_>, scope: usize) -> bool {
    let mut at = Some(scope);
    while let Some(index) = at {
        if world.scopes[index].kind == ScopeKind::Rack {
            return true;
        }
        at = world.scopes[index].parent;
    }
    false
}

/// Puts a strength on all definitions that state none.
fn strengthen(steps: &mut [Step<'_>], strength: super::merge::Strength) {
    for step in steps {
        match step {
            Step::Set(set) => set.strength = set.strength.or(Some(strength)),
            Step::Use(used) => used.strength = used.strength.or(Some(strength)),
            Step::When(when) => strengthen(&mut when.steps, strength),
            Step::Broken => {}
        }
    }
}

fn uses_of(steps: &[Step<'_>], visit: &mut impl FnMut(usize, Place)) {
    for step in steps {
        match step {
            Step::Use(used) => visit(used.profile, used.place),
            Step::When(when) => uses_of(&when.steps, visit),
            Step::Set(_) | Step::Broken => {}
        }
    }
}

/// Circles in a graph of names, each once, starting at its least name; sorted.
fn circles(names: &[String], reads: impl Fn(&str) -> Vec<String>) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    let mut done: HashSet<String> = HashSet::new();
    for start in names {
        if done.contains(start) {
            continue;
        }
        // Depth first with an explicit trail: names on it, and what of their reads is left.
        let mut trail: Vec<(String, Vec<String>)> = vec![(start.clone(), reads(start))];
        while let Some((name, rest)) = trail.last_mut() {
            let Some(next) = rest.pop() else {
                done.insert(name.clone());
                trail.pop();
                continue;
            };
            if let Some(at) = trail.iter().position(|(open, _)| *open == next) {
                let mut circle: Vec<String> =
                    trail[at..].iter().map(|(name, _)| name.clone()).collect();
                let least = (0..circle.len()).min_by_key(|index| circle[*index].clone());
                circle.rotate_left(least.unwrap_or(0));
                if !found.contains(&circle) {
                    found.push(circle);
                }
            } else if !done.contains(&next) {
                let reads = reads(&next);
                trail.push((next, reads));
            }
        }
    }
    found.sort();
    found
}

/// A name as expressions can read it.
fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
}

/// MF3101: what Kubernetes and the Bare Metal Operator take as a name.
fn check_name(name: &str, what: &str, place: Place) -> Result<(), Diagnostic> {
    if what != "host" {
        return Ok(());
    }
    let wrong = |why: &str| {
        Err(Diagnostic::error(
            Code(3101),
            format!("`{name}` cannot be the name of a host: {why}"),
            place,
            "",
        ))
    };
    unit::host_name(name).map(|_| ()).or_else(|error| wrong(&error.message))
}

/// What is wrong with a range, at its place.
fn range_error(entry: Entry<'_>, error: &RangeError) -> Diagnostic {
    let place = if decode::is_template(entry) {
        entry.value_span().in_file(entry.file())
    } else {
        entry.locate(error.range.clone()).in_file(entry.file())
    };
    let mut finding = Diagnostic::error(Code(error.code), error.message.clone(), place, "");
    if let Some(help) = &error.help {
        finding = finding.help(help.clone());
    }
    if let Some((range, text)) = &error.fix
        && !decode::is_template(entry)
    {
        finding = finding.fix(Fix::replace(
            format!("write `{text}`"),
            Applicability::Safe,
            entry.locate(range.clone()).in_file(entry.file()),
            text.clone(),
        ));
    }
    finding
}
