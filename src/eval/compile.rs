//! Blocks of fields, compiled once: paths resolved, literals decoded, expressions parsed.
//!
//! What is wrong in a block is found here, once, however many hosts the block reaches; each host
//! that it reaches is then held ([`Step::Broken`], [`Given::Bad`]).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use smallvec::SmallVec;

use super::decode::{self, Want};
use super::expr::{Expr, ExprError, Template};
use super::merge::Strength;
use super::report::Findings;
use crate::diag::suggest::{Suggestion, similar};
use crate::diag::{Applicability, Code, Diagnostic, Edit, Fix, Place, Span};
use crate::fleet::{Text, Value};
use crate::schema::{
    ENTITY_WORDS, Entity, Field, Kind, LATER_WORDS, Lower, PathId, Paths, Type, suggest_field,
};
use crate::syntax::{Entry, Node, Nodes, Value as Kdl};
use crate::vfs::Files;

mod habit;
mod keyed;
mod leaf;
mod record;
mod selector;
mod unknown;
mod uses;

/// One line of a compiled block.
#[derive(Debug)]
pub(super) enum Step<'t> {
    /// A definition.
    Set(Set<'t>),
    /// `use PROFILE k=v`.
    Use(Box<Use<'t>>),
    /// `when "…" { … }`.
    When(Box<When<'t>>),
    /// Something here could not be read: whoever it reaches is not what was meant.
    Broken,
}

/// A definition without its rank.
#[derive(Debug)]
pub(super) struct Set<'t> {
    pub at: At<'t>,
    pub value: Given<'t>,
    /// As annotated here or on a block around it.
    pub strength: Option<Strength>,
    pub place: Place,
}

/// Where a definition goes.
#[derive(Debug, Clone)]
pub(super) enum At<'t> {
    Path(PathId),
    /// The path has keys that are expressions: the shape of it, and which of its parts they are.
    Keyed(PathId, Arc<[(PathId, Key<'t>)]>),
}

/// A key that has to be made for each instance.
#[derive(Debug, Clone)]
pub(super) enum Key<'t> {
    Made(Made<'t>),
    /// A record that is known by its content: names of fields and what they say.
    Content(Arc<[(&'static str, Item<'t>)]>),
}

impl At<'_> {
    pub(super) fn shape(&self) -> PathId {
        match self {
            Self::Path(id) | Self::Keyed(id, _) => *id,
        }
    }
}

/// What a definition says.
#[derive(Debug)]
pub(super) enum Given<'t> {
    Value(Value),
    Remove,
    Bad,
    Made(Box<(Made<'t>, Want)>),
    MadeList(Vec<Item<'t>>),
}

#[derive(Debug, Clone)]
pub(super) enum Item<'t> {
    Text(Text),
    Made(Made<'t>),
}

/// A text with expressions, and where it is written.
#[derive(Debug, Clone)]
pub(super) struct Made<'t> {
    pub template: Template,
    pub entry: Entry<'t>,
}

#[derive(Debug)]
pub(super) struct Use<'t> {
    pub profile: usize,
    pub args: Vec<(&'t str, Arg<'t>)>,
    pub strength: Option<Strength>,
    /// The profile's name in the `use`.
    pub place: Place,
}

/// An argument of a `use`, or the default of a parameter.
#[derive(Debug)]
pub(super) enum Arg<'t> {
    Val(super::expr::Val),
    /// Boxed: most are plain values, and there are many.
    Made(Box<Made<'t>>),
    Bad,
}

#[derive(Debug)]
pub(super) struct When<'t> {
    pub condition: Expr,
    pub entry: Entry<'t>,
    pub steps: Vec<Step<'t>>,
    /// In a pool: the condition reads what differs from host to host.
    pub per_host: bool,
    /// How many sites there are in it.
    pub sites: u32,
}

/// How many sites a block has: definitions, those under conditions included. They are numbered in
/// their order; see [`super::effect`].
pub(super) fn sites(steps: &[Step<'_>]) -> u32 {
    let of = |step: &Step<'_>| match step {
        Step::Set(_) => 1,
        Step::When(when) => when.sites,
        Step::Use(_) | Step::Broken => 0,
    };
    steps.iter().map(of).sum()
}

/// What is known of a profile before its body is compiled.
#[derive(Debug)]
pub(super) struct Signature<'t> {
    pub index: usize,
    pub params: Vec<(&'t str, bool)>,
}

pub(super) type Signatures<'t> = BTreeMap<&'t str, Signature<'t>>;

/// Compiles blocks.
pub(super) struct Compiler<'a, 't> {
    pub files: &'a Files,
    pub paths: &'a mut Paths,
    pub findings: &'a mut Findings,
    pub profiles: &'a Signatures<'t>,
    pub entity: Entity,
    /// See [`super::declare::Program::partial`].
    pub partial: bool,
    /// Something that declares instances stands where nothing is declared.
    pub lost: bool,
}

/// The strength that a node's annotation states.
pub(super) fn strength(node: Node<'_>) -> Result<Option<Strength>, Diagnostic> {
    let Some((word, span)) = node.annotation() else {
        return Ok(None);
    };
    let place = span.in_file(node.file());
    Ok(Some(match word {
        "default" => Strength::Default,
        "force" => Strength::Force,
        "final" => Strength::Final,
        _ => {
            if decode::is_constructor(word) {
                let finding = Diagnostic::error(
                    Code(2010),
                    format!("`({word})` stands on a node; it says what a value is"),
                    place,
                    "",
                )
                .help(format!(
                    "write it before the value: `{} ({word})…`",
                    node.name()
                ));
                let mut entries = node.entries();
                return Err(match (entries.next(), entries.next()) {
                    (Some(only), None) if only.annotation().is_none() => finding.fix(Fix {
                        title: "write it before the value".into(),
                        applicability: Applicability::Safe,
                        edits: vec![
                            Edit {
                                place: Span::new(span.start, node.name_span().start)
                                    .in_file(node.file()),
                                text: String::new(),
                            },
                            Edit {
                                place: Span::point(only.value_span().start).in_file(node.file()),
                                text: format!("({word})"),
                            },
                        ],
                    }),
                    _ => finding,
                });
            }
            let finding = Diagnostic::error(
                Code(2011),
                format!("unknown annotation `({word})` on a node"),
                place,
                "",
            )
            .note("a node takes `(default)`, `(force)` or `(final)`");
            let near = similar(word, decode::STRENGTHS.iter().copied());
            return Err(finding.did_you_mean(near, place, |word| format!("({word})")));
        }
    }))
}

/// What is wrong with an expression, at its place in the file.
pub(super) fn expression(entry: Entry<'_>, error: &ExprError) -> Diagnostic {
    let place = entry.locate(error.range.clone()).in_file(entry.file());
    let mut finding = Diagnostic::error(Code(error.code), error.message.clone(), place, "");
    if let Some(help) = &error.help {
        finding = finding.help(help.clone());
    }
    if let [only] = error.suggestions.as_slice() {
        // `fleet.region` is three slips from `fleet.edition`, and another name.
        let text = entry.value().as_str().unwrap_or_default();
        let written = text.get(error.range.clone()).unwrap_or_default();
        let slips = strsim::damerau_levenshtein(&words(written), &words(only));
        let below = only.strip_suffix(written);
        let sure = if slips <= 1 || below.is_some_and(|scope| scope.ends_with('.')) {
            Applicability::Safe
        } else {
            Applicability::Unsafe
        };
        finding = finding.fix(Fix::replace(
            format!("write `{only}`"),
            sure,
            place,
            only.clone(),
        ));
    } else if !error.suggestions.is_empty() {
        let list: Vec<String> = error
            .suggestions
            .iter()
            .map(|text| format!("`{text}`"))
            .collect();
        finding = finding.note(format!("did you mean {}?", list.join(" or ")));
    }
    finding
}

/// A name in lower case with its parts joined in one way.
fn words(name: &str) -> String {
    name.to_lowercase().replace(['-', '.'], "_")
}

/// A template from an entry that is one.
pub(super) fn template(entry: Entry<'_>) -> Result<Template, Diagnostic> {
    let text = entry.value().as_str().unwrap_or_default();
    Template::compile(text).map_err(|error| expression(entry, &error))
}

/// An entry as an input value: literal or expression.
pub(super) fn arg<'t>(entry: Entry<'t>, findings: &mut Findings) -> Arg<'t> {
    if decode::is_template(entry) {
        return match template(entry) {
            Ok(template) => Arg::Made(Box::new(Made { template, entry })),
            Err(finding) => {
                findings.add(finding);
                Arg::Bad
            }
        };
    }
    match decode::val(entry) {
        Ok(value) => Arg::Val(value),
        Err(finding) => {
            findings.add(finding);
            Arg::Bad
        }
    }
}

impl<'t> Compiler<'_, 't> {
    /// Compiles the children of an entity, `each`, `refine`, `when` or `profile`. `owner` is the
    /// word that opens the block; `let`, `except` and `param` are left to whoever called, where
    /// they may stand.
    pub(super) fn block(&mut self, owner: &str, nodes: Nodes<'t>, out: &mut Vec<Step<'t>>) {
        self.lines(owner, nodes, None, out);
    }

    fn lines(
        &mut self,
        owner: &str,
        nodes: Nodes<'t>,
        strength: Option<Strength>,
        out: &mut Vec<Step<'t>>,
    ) {
        let root = At::Path(Paths::root(self.entity));
        for node in nodes {
            if node.is_broken() {
                out.push(Step::Broken);
                continue;
            }
            match node.name() {
                "let" | "except" | "param" | "limits" if self.is_misplaced(owner, node, out) => {}
                "let" | "except" => {}
                "param" if owner == "profile" => {}
                "use" if self.entity == Entity::Host => self.use_profile(node, strength, out),
                "when" => self.when(node, strength, out),
                _ => self.field(node, &root, strength, owner, out),
            }
        }
    }

    fn report(&mut self, finding: Diagnostic, out: &mut Vec<Step<'t>>) {
        self.findings.add(finding);
        out.push(Step::Broken);
    }

    /// The strength of a node: its own, else that of what is around it.
    fn strength(
        &mut self,
        node: Node<'t>,
        around: Option<Strength>,
        out: &mut Vec<Step<'t>>,
    ) -> Option<Strength> {
        match strength(node) {
            Ok(own) => own.or(around),
            Err(finding) => {
                self.report(finding, out);
                around
            }
        }
    }

    fn when(&mut self, node: Node<'t>, around: Option<Strength>, out: &mut Vec<Step<'t>>) {
        let strength = self.strength(node, around, out);
        match condition(node) {
            Ok((condition, entry)) => {
                let mut steps = Vec::new();
                self.lines("when", node.children(), strength, &mut steps);
                out.push(Step::When(Box::new(When {
                    condition,
                    entry,
                    sites: sites(&steps),
                    steps,
                    per_host: false,
                })));
            }
            Err(finding) => self.report(finding, out),
        }
    }

    /// One field node below `parent`.
    fn field(
        &mut self,
        node: Node<'t>,
        parent: &At<'t>,
        around: Option<Strength>,
        owner: &str,
        out: &mut Vec<Step<'t>>,
    ) {
        let strength = self.strength(node, around, out);
        let Some(path) = self.paths.child(parent.shape(), node.name()) else {
            let finding = self.unknown(node.name(), node.name_span(), node, parent.shape(), owner);
            return self.report(finding, out);
        };
        let Some(field) = self.paths.get(path).field else {
            return;
        };
        let at = below(parent, path);
        let name = node.name_span().in_file(node.file());
        match &field.kind {
            Kind::Later => {
                let finding = decode::later(name, &format!("`{}`", field.name));
                self.report(finding, out);
            }
            Kind::Leaf(ty) => self.leaf(node, field, *ty, at, strength, out),
            Kind::Record { arg, .. } => self.record(node, *arg, &at, strength, owner, out),
            Kind::Union(variants) => self.union(node, variants, &at, strength, owner, out),
            Kind::Map(ty) => self.map(node, *ty, &at, strength, out),
            Kind::Keyed {
                content,
                key,
                fields,
            } => {
                self.keyed(node, (*content, key, fields), &at, strength, owner, out);
            }
            Kind::Selector(_) => self.selector(node, &at, strength, out),
        }
    }
}

/// The condition of a `when`.
pub(super) fn condition(node: Node<'_>) -> Result<(Expr, Entry<'_>), Diagnostic> {
    let name = node.name_span().in_file(node.file());
    let mut entries = node.entries();
    let Some(entry) = entries.next().filter(|entry| entry.key().is_none()) else {
        return Err(
            Diagnostic::error(Code(2004), "`when` needs a condition", name, "")
                .help("write it in quotes: `when \"param.env == 'lab'\" { … }`"),
        );
    };
    if let Some(extra) = entries.next() {
        return Err(Diagnostic::error(
            Code(2004),
            "`when` takes one condition",
            extra.span().in_file(extra.file()),
            "",
        )
        .help("the whole condition stands in one pair of quotes"));
    }
    let text = decode::name(entry, "a condition")?;
    let condition = Expr::compile(text).map_err(|error| expression(entry, &error))?;
    Ok((condition, entry))
}

pub(super) fn let_in_when(place: Place) -> Diagnostic {
    Diagnostic::error(Code(2001), "`let` cannot stand inside `when`", place, "")
        .help("a name that is there only sometimes could not be relied on: put it around")
}

/// Adds "did you mean" for the value of an entry.
pub(super) fn with_near(
    finding: Diagnostic,
    entry: Entry<'_>,
    near: Option<Suggestion<'_>>,
) -> Diagnostic {
    let place = entry.value_span().in_file(entry.file());
    finding.did_you_mean(near, place, |word| decode::quoted_like(entry, word))
}

fn below<'t>(parent: &At<'t>, path: PathId) -> At<'t> {
    match parent {
        At::Path(_) => At::Path(path),
        At::Keyed(_, keys) => At::Keyed(path, Arc::clone(keys)),
    }
}

fn span_of(entries: &[Entry<'_>]) -> Span {
    let first = entries
        .first()
        .map_or(Span::point(0), |entry| decode::value_place(*entry).span);
    entries.iter().fold(first, |span, entry| {
        span.to(decode::value_place(*entry).span)
    })
}

fn list(fields: &[Field]) -> String {
    let names: Vec<String> = fields
        .iter()
        .map(|field| format!("`{}`", field.name))
        .collect();
    names.join(", ")
}
