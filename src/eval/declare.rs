//! Declarations: what there is, by name. Ranges are expanded, lexical scopes and facts are set up,
//! and every block that reaches more than one host is compiled.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use super::collect::{Param, Profile, no_args};
use super::compile::{
    Arg, Compiler, Signature, Signatures, Step, arg, condition, expression, let_in_when, template,
    with_near,
};
use super::decode;
use super::expr::Val;
use super::facts::{self, Collected, Table};
use super::import::Project;
use super::range::{self, Pattern, RangeError};
use super::report::Findings;
use super::scope::{Frame, LET_DEPTH, Let, LetValue, Scope, ScopeKind, Subject, View, World};
use super::unit;
use crate::diag::suggest::{Suggestion, similar};
use crate::diag::{Applicability, Code, Diagnostic, FileId, Fix, Place, Subject as About};
use crate::fleet::{Facts, fold, natural};
use crate::schema::{EDITION, ENTITY_WORDS, Entity, LATER_WORDS, Paths};
use crate::syntax::{Entry, Node, Nodes};

mod circle;
mod dashed;
mod host;
mod inputs;
mod lexical;
mod pool;
mod profile;
mod scope;
mod unchosen;
mod unique;

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
    /// Of all objects.
    pub namespace: Arc<str>,
    /// Where the sites of each file start, first those of all files' profiles, then all others.
    pub starts: Vec<u32>,
    /// What can be read is all that was meant.
    pub complete: bool,
    /// Something that is reported is missing, so that what refers to it may be right.
    pub partial: bool,
}

/// A compiled block that reaches several instances.
#[derive(Debug)]
pub(super) struct Body<'t> {
    /// Shared by the racks of one range.
    pub steps: Arc<Vec<Step<'t>>>,
    /// The number of its first site.
    pub sites: u32,
    pub frame: usize,
}

/// `refine NAMES { … }`.
#[derive(Debug)]
pub(super) struct Refine {
    pub exact: bool,
    pub body: usize,
    pub text: String,
    /// Where it stands.
    pub file: FileId,
}

/// A host by name.
#[derive(Debug)]
pub(super) struct Declared<'t> {
    pub name: Arc<str>,
    pub scope: usize,
    pub captures: range::Captures,
    pub own: Own<'t>,
    pub place: Place,
    /// The node that declares it.
    pub node: Node<'t>,
    pub refines: Vec<usize>,
    pub broken: bool,
    /// Index of the facts from its properties, shared by a range; `None` where the host has its
    /// node to itself: they are then read from it when it is evaluated.
    pub facts: Option<usize>,
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
        signatures: Signatures::new(),
        program: Program {
            world: World {
                max_string: project.limits.string,
                ..World::default()
            },
            profiles: Vec::new(),
            bodies: Vec::new(),
            tables: Vec::new(),
            refines: Vec::new(),
            hosts: Vec::new(),
            named: Vec::new(),
            spec: None,
            namespace: project.namespace.choose(None),
            starts: Vec::new(),
            complete: project.complete,
            partial: project.partial,
        },
        properties: Vec::new(),
        pending: Vec::new(),
        instances: 0,
        fact_names: Vec::new(),
        next_site: 0,
        repeated: Repeated::default(),
    };
    declarer.all();
    let Declarer {
        program,
        properties,
        ..
    } = declarer;
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
    fact_names: Vec<Arc<str>>,
    /// The number of the next site.
    next_site: u32,
    /// What stands in a range of racks or groups is read once, however many they are.
    repeated: Repeated<'t>,
}

/// What one node gave, where the node is gone through once for each name of a range around it.
#[derive(Default)]
struct Repeated<'t> {
    /// How many ranges are around what is being declared.
    depth: usize,
    blocks: HashMap<(FileId, u32), (Arc<Vec<Step<'t>>>, u32)>,
    tables: HashMap<(FileId, u32), (Option<usize>, bool)>,
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
        // What the properties of `spec` see: no `let`s, which may read what these say.
        self.program.world.frames.push(Frame::default());
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
            self.program.starts.push(self.next_site);
            for node in parse.tree.nodes().filter(|node| node.name() == "profile") {
                self.profile(node, *frame);
            }
        }
        self.profile_cycles();
        for ((_, parse), frame) in project.sources.iter().zip(&frames) {
            self.program.starts.push(self.next_site);
            self.items(parse.tree.nodes(), 0, *frame, true);
        }
        self.duplicates();
        self.refines();
        self.close_names();
        self.commented_out();
    }

    fn compile(&mut self, entity: Entity, owner: &str, nodes: Nodes<'t>) -> Vec<Step<'t>> {
        let mut steps = Vec::new();
        let mut compiler = Compiler {
            files: &self.project.files,
            paths: self.paths,
            findings: self.findings,
            profiles: &self.signatures,
            entity,
            partial: self.project.partial,
            lost: false,
        };
        compiler.block(owner, nodes, &mut steps);
        self.program.complete &= !compiler.lost;
        steps
    }

    /// The body of a `host`, `refine` or `each`, by its index.
    fn block(&mut self, node: Node<'t>, owner: &str, frame: usize) -> usize {
        let (steps, sites) = self.compiled(node, owner);
        self.body(steps, sites, frame)
    }

    /// The block of a `host`, `refine` or `each`, compiled once for all names of a range around it,
    /// and the number of its first site.
    fn compiled(&mut self, node: Node<'t>, owner: &str) -> (Arc<Vec<Step<'t>>>, u32) {
        let key = (node.file(), node.index());
        if let Some((steps, sites)) = self.repeated.blocks.get(&key) {
            return (Arc::clone(steps), *sites);
        }
        let mut steps = self.compile(Entity::Host, owner, node.children());
        if owner == "each" {
            steps = self.push_down(node, steps);
        }
        let sites = self.sites(&steps);
        let steps = Arc::new(steps);
        if self.repeated.depth > 0 {
            let known = (Arc::clone(&steps), sites);
            self.repeated.blocks.insert(key, known);
        }
        (steps, sites)
    }

    /// Numbers the sites of a block; the first number.
    fn sites(&mut self, steps: &[Step<'t>]) -> u32 {
        let first = self.next_site;
        self.next_site += super::compile::sites(steps);
        first
    }

    /// The name of an entity that has exactly one plain name.
    fn single_name(&mut self, node: Node<'t>, what: &str) -> Option<(&'t str, Place)> {
        if node.is_broken() {
            self.program.complete = false;
            return None;
        }
        self.annotated(node);
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
        if let Some(finding) = decode::annotated(node) {
            self.findings.add(finding);
        }
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
        let view = View::new(
            &self.program.world,
            Subject { scope, host: None },
            frame,
            &args,
        );
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

    fn troubles(&mut self, troubles: Vec<(Entry<'t>, super::expr::ExprError)>) {
        for (entry, error) in troubles {
            self.findings.trouble(expression(entry, &error));
        }
    }
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

/// A name as expressions can read it.
fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
}

/// MF3101: what Kubernetes and the Bare Metal Operator take as a name.
fn check_name(name: &str, what: &str, place: Place) -> Result<(), Diagnostic> {
    if what != "host" {
        return Ok(());
    }
    let Err(error) = unit::host_name(name) else {
        return Ok(());
    };
    let mut text = format!("`{name}` cannot be the name of a host");
    // That it is none says no more; that it is too long does.
    if !error.message.ends_with("is not a name") {
        text = format!("{text}: {}", error.message);
    }
    let mut help = error.help;
    if let Some(likely) = &error.fix {
        help = format!("{help}; `{likely}` would be one");
    }
    Err(Diagnostic::error(Code(3101), text, place, "").help(help))
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
