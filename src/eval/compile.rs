//! Blocks of fields, compiled once: paths resolved, literals decoded, expressions parsed.
//!
//! What is wrong in a block is found here, once, however many hosts the block reaches; each host
//! that it reaches is then held ([`Step::Broken`], [`Given::Bad`]).

use std::collections::HashMap;
use std::sync::Arc;

use super::decode::{self, Want};
use super::expr::{Expr, ExprError, Template};
use super::merge::Strength;
use super::report::Findings;
use crate::diag::suggest::similar;
use crate::diag::{Applicability, Code, Diagnostic, Fix, Place, Span};
use crate::fleet::{Text, Value};
use crate::schema::{
    ENTITY_WORDS, Entity, Field, Kind, LATER_WORDS, Lower, PathId, Paths, Type, suggest_field,
};
use crate::syntax::{Entry, Node, Nodes, Value as Kdl};
use crate::vfs::Files;

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
    Keyed(PathId, Arc<[(PathId, Made<'t>)]>),
}

impl At<'_> {
    fn shape(&self) -> PathId {
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

#[derive(Debug)]
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
    Made(Made<'t>),
    Bad,
}

#[derive(Debug)]
pub(super) struct When<'t> {
    pub condition: Expr,
    pub entry: Entry<'t>,
    pub steps: Vec<Step<'t>>,
}

/// What is known of a profile before its body is compiled.
#[derive(Debug)]
pub(super) struct Signature<'t> {
    pub index: usize,
    pub params: Vec<(&'t str, bool)>,
}

pub(super) type Signatures<'t> = HashMap<&'t str, Signature<'t>>;

/// Compiles blocks.
pub(super) struct Compiler<'a, 't> {
    pub files: &'a Files,
    pub paths: &'a mut Paths,
    pub findings: &'a mut Findings,
    pub profiles: &'a Signatures<'t>,
    pub entity: Entity,
}

/// The strength that a node's annotation states.
pub(super) fn strength(node: Node<'_>) -> Result<Option<Strength>, Diagnostic> {
    let Some((word, span)) = node.annotation() else { return Ok(None) };
    let place = span.in_file(node.file());
    Ok(Some(match word {
        "default" => Strength::Default,
        "force" => Strength::Force,
        "final" => Strength::Final,
        _ => {
            let on_values =
                ["secret", "configmap", "cidr", "mac", "GB", "GiB", "MB", "MiB", "TB", "TiB", "s"];
            if on_values.contains(&word) {
                return Err(Diagnostic::error(
                    Code(2010),
                    format!("`({word})` stands on a node; it says what a value is"),
                    place,
                    "",
                )
                .help(format!("write it before the value: `{} ({word})…`", node.name())));
            }
            let finding = Diagnostic::error(
                Code(2011),
                format!("unknown annotation `({word})` on a node"),
                place,
                "",
            )
            .note("a node takes `(default)`, `(force)` or `(final)`");
            return Err(match similar(word, decode::STRENGTHS.iter().copied()) {
                Some(near) => finding.fix(Fix::replace(
                    format!("write `({near})`"),
                    Applicability::Safe,
                    place,
                    format!("({near})"),
                )),
                None => finding,
            });
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
        finding = finding.fix(Fix::replace(
            format!("write `{only}`"),
            Applicability::Safe,
            place,
            only.clone(),
        ));
    } else if !error.suggestions.is_empty() {
        let list: Vec<String> =
            error.suggestions.iter().map(|text| format!("`{text}`")).collect();
        finding = finding.note(format!("did you mean {}?", list.join(" or ")));
    }
    finding
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
            Ok(template) => Arg::Made(Made { template, entry }),
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
    /// word that opens the block; `let`, `except` and `param` are left to whoever called.
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
                "let" | "except" => {}
                "param" if owner == "profile" => {}
                "use" if self.entity == Entity::Host => self.use_profile(node, strength, out),
                "when" => self.when(owner, node, strength, out),
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

    fn use_profile(
        &mut self,
        node: Node<'t>,
        around: Option<Strength>,
        out: &mut Vec<Step<'t>>,
    ) {
        let strength = self.strength(node, around, out);
        if let Some(child) = node.children().next() {
            let place = child.name_span().in_file(child.file());
            self.report(
                Diagnostic::error(Code(2002), "`use` takes no block", place, "")
                    .help("pass values as properties: `use PROFILE name=value`"),
                out,
            );
        }
        let mut args = node.args();
        let Some(entry) = args.next() else {
            let place = node.name_span().in_file(node.file());
            let finding = Diagnostic::error(Code(2004), "`use` needs a profile", place, "");
            self.report(finding, out);
            return;
        };
        for extra in args {
            let place = extra.span().in_file(extra.file());
            self.report(
                Diagnostic::error(Code(2004), "`use` takes one profile", place, "")
                    .help("write one `use` for each"),
                out,
            );
        }
        let name = match decode::name(entry, "the name of a profile") {
            Ok(name) => name,
            Err(finding) => return self.report(finding, out),
        };
        let place = entry.value_span().in_file(entry.file());
        let Some(signature) = self.profiles.get(name) else {
            let near = similar(name, self.profiles.keys().copied());
            let finding =
                Diagnostic::error(Code(2201), format!("no profile is called `{name}`"), place, "");
            let finding = with_near(finding, entry, near);
            return self.report(finding, out);
        };
        let mut given = Vec::new();
        let mut wrong = Vec::new();
        for prop in node.props() {
            let key = prop.key().unwrap_or_default();
            if signature.params.iter().any(|(param, _)| *param == key) {
                given.push((key, arg(prop, self.findings)));
                continue;
            }
            let key_place = prop.key_span().unwrap_or_else(|| prop.span()).in_file(prop.file());
            let finding = Diagnostic::error(
                Code(2202),
                format!("profile `{name}` has no parameter `{key}`"),
                key_place,
                "",
            );
            let names = signature.params.iter().map(|(param, _)| *param);
            wrong.push(match similar(key, names) {
                Some(near) => finding.help(format!("did you mean `{near}`?")).fix(Fix::replace(
                    format!("write `{near}`"),
                    Applicability::Safe,
                    key_place,
                    near,
                )),
                None if signature.params.is_empty() => finding.note("it takes none"),
                None => finding.note(format!(
                    "it takes {}",
                    signature
                        .params
                        .iter()
                        .map(|(param, _)| format!("`{param}`"))
                        .collect::<Vec<_>>()
                        .join(", ")
                )),
            });
        }
        let missing: Vec<String> = signature
            .params
            .iter()
            .filter(|(param, has_default)| {
                !has_default && !node.props().any(|prop| prop.key() == Some(param))
            })
            .map(|(param, _)| format!("`{param}`"))
            .collect();
        if !missing.is_empty() && wrong.is_empty() {
            wrong.push(
                Diagnostic::error(
                    Code(2204),
                    format!("profile `{name}` needs {}", missing.join(", ")),
                    place,
                    "",
                )
                .help("pass it as a property, or give the parameter a default in the profile"),
            );
        }
        let profile = signature.index;
        let broken = !wrong.is_empty();
        for finding in wrong {
            self.findings.add(finding);
        }
        if broken {
            out.push(Step::Broken);
        }
        out.push(Step::Use(Box::new(Use { profile, args: given, strength, place })));
    }

    fn when(
        &mut self,
        owner: &str,
        node: Node<'t>,
        around: Option<Strength>,
        out: &mut Vec<Step<'t>>,
    ) {
        let strength = self.strength(node, around, out);
        match condition(node) {
            Ok((condition, entry)) => {
                let mut steps = Vec::new();
                self.lines(owner, node.children(), strength, &mut steps);
                for child in node.children().filter(|child| child.name() == "let") {
                    let place = child.name_span().in_file(child.file());
                    self.findings.add(let_in_when(place));
                }
                out.push(Step::When(Box::new(When { condition, entry, steps })));
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
        let Some(field) = self.paths.get(path).field else { return };
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
            Kind::Keyed { content, key, fields } => {
                self.keyed(node, (*content, key, fields), &at, strength, owner, out);
            }
            Kind::Selector(_) => self.selector(node, &at, strength, out),
        }
    }

    fn leaf(
        &mut self,
        node: Node<'t>,
        field: &'static Field,
        ty: Type,
        at: At<'t>,
        strength: Option<Strength>,
        out: &mut Vec<Step<'t>>,
    ) {
        self.no_properties(node, out);
        self.no_block(node, out);
        let args: Vec<Entry<'t>> = node.args().collect();
        let want = Want { ty, lower: field.lower };
        let name = node.name_span().in_file(node.file());
        match args.as_slice() {
            [] => {
                let finding = Diagnostic::error(
                    Code(2004),
                    format!("`{}` needs a value: {ty}", field.name),
                    name,
                    "",
                );
                let end = Span::point(node.name_span().end).in_file(node.file());
                self.report(
                    if ty == Type::Bool {
                        finding.fix(Fix::replace(
                            "write `#true`",
                            Applicability::Unsafe,
                            end,
                            " #true",
                        ))
                    } else {
                        finding
                    },
                    out,
                );
            }
            [one] if !(ty == Type::Texts && decode::is_template(*one)) => {
                let value = self.given(*one, want);
                out.push(Step::Set(Set { at, value, strength, place: decode::value_place(*one) }));
            }
            many if ty == Type::Texts => {
                let value = self.list(many);
                let place = span_of(many).in_file(node.file());
                out.push(Step::Set(Set { at, value, strength, place }));
            }
            [_, extra, ..] => {
                let place = extra.span().in_file(extra.file());
                let finding = Diagnostic::error(
                    Code(2004),
                    format!("`{}` takes one value", field.name),
                    place,
                    "one too many",
                );
                self.report(finding, out);
            }
            [_] => {}
        }
    }

    fn list(&mut self, entries: &[Entry<'t>]) -> Given<'t> {
        let mut items = Vec::with_capacity(entries.len());
        let mut made = false;
        for entry in entries {
            if let Err(finding) = decode::check_annotation(*entry, "this field") {
                self.findings.add(finding);
                return Given::Bad;
            }
            if decode::is_template(*entry) {
                match template(*entry) {
                    Ok(template) => items.push(Item::Made(Made { template, entry: *entry })),
                    Err(finding) => {
                        self.findings.add(finding);
                        return Given::Bad;
                    }
                }
                made = true;
            } else {
                match decode::name(*entry, "an item of the list") {
                    Ok(text) => {
                        items.push(Item::Text(Text::of(self.files.text(entry.file()), text)));
                    }
                    Err(finding) => {
                        self.findings.add(finding);
                        return Given::Bad;
                    }
                }
            }
        }
        if made {
            return Given::MadeList(items);
        }
        Given::Value(Value::List(
            items
                .into_iter()
                .filter_map(|item| match item {
                    Item::Text(text) => Some(text),
                    Item::Made(_) => None,
                })
                .collect(),
        ))
    }

    /// What an entry says, for a field of that type.
    fn given(&mut self, entry: Entry<'t>, want: Want) -> Given<'t> {
        if entry.is_broken() {
            return Given::Bad;
        }
        if matches!(entry.value(), Kdl::Null) {
            return Given::Remove;
        }
        let found = if decode::is_template(entry) {
            match template(entry) {
                Ok(template) => match template.literal() {
                    None => {
                        return Given::Made(Box::new((Made { template, entry }, want)));
                    }
                    Some(value) => {
                        decode::decode(want, entry, &decode::raw_of(value), false)
                    }
                },
                Err(finding) => Err(finding),
            }
        } else {
            let raw = decode::raw(entry, self.files.text(entry.file()));
            decode::decode(want, entry, &raw, false)
        };
        match found {
            Ok(value) => Given::Value(value),
            Err(finding) => {
                self.findings.add(finding);
                Given::Bad
            }
        }
    }

    fn record(
        &mut self,
        node: Node<'t>,
        arg: Option<&str>,
        at: &At<'t>,
        strength: Option<Strength>,
        owner: &str,
        out: &mut Vec<Step<'t>>,
    ) {
        let mut args = node.args();
        if let Some(first) = args.next() {
            let place = decode::value_place(first);
            match arg {
                _ if matches!(first.value(), Kdl::Null) => {
                    out.push(Step::Set(Set {
                        at: at.clone(),
                        value: Given::Remove,
                        strength,
                        place,
                    }));
                }
                Some(arg) => self.set_child(arg, first, at, strength, out),
                None => {
                    let finding = Diagnostic::error(
                        Code(2004),
                        format!("`{}` takes no value of its own", node.name()),
                        place,
                        "",
                    )
                    .help(format!("it has fields: {}", self.listed(at.shape())));
                    self.report(finding, out);
                }
            }
        }
        for extra in args {
            let finding = Diagnostic::error(
                Code(2004),
                format!("`{}` takes {} value", node.name(), if arg.is_some() { "one" } else { "no" }),
                decode::value_place(extra),
                "one too many",
            );
            self.report(finding, out);
        }
        // `simulated` without anything in it says something; elsewhere an empty record does not.
        if self.entity == Entity::Spec && node.entries().next().is_none() {
            out.push(Step::Set(Set {
                at: at.clone(),
                value: Given::Value(Value::Present),
                strength,
                place: node.name_span().in_file(node.file()),
            }));
        }
        self.fields_of(node, at, strength, owner, out);
    }

    /// Properties and children of a record.
    fn fields_of(
        &mut self,
        node: Node<'t>,
        at: &At<'t>,
        strength: Option<Strength>,
        owner: &str,
        out: &mut Vec<Step<'t>>,
    ) {
        for prop in node.props() {
            let key = prop.key().unwrap_or_default();
            if let Some(child) = node.children().find(|child| child.name() == key) {
                let place = child.name_span().in_file(child.file());
                let finding = Diagnostic::error(
                    Code(1024),
                    format!("`{key}` is written as a property and as a child"),
                    place,
                    "here again",
                )
                .label(prop.span().in_file(prop.file()), "as a property");
                self.report(finding, out);
            }
            self.set_child(key, prop, at, strength, out);
        }
        for child in node.children() {
            if child.is_broken() {
                out.push(Step::Broken);
            } else {
                self.field(child, at, strength, owner, out);
            }
        }
    }

    /// A scalar child by its name: from a property or an argument.
    fn set_child(
        &mut self,
        name: &str,
        entry: Entry<'t>,
        parent: &At<'t>,
        strength: Option<Strength>,
        out: &mut Vec<Step<'t>>,
    ) {
        let span = entry.key_span().unwrap_or_else(|| entry.span());
        let Some(path) = self.paths.child(parent.shape(), name) else {
            let finding = self.unknown_prop(name, span.in_file(entry.file()), parent.shape());
            return self.report(finding, out);
        };
        let Some(field) = self.paths.get(path).field else { return };
        match field.kind {
            Kind::Leaf(ty) => {
                let value = if ty == Type::Texts {
                    self.list(&[entry])
                } else {
                    self.given(entry, Want { ty, lower: field.lower })
                };
                let at = below(parent, path);
                out.push(Step::Set(Set { at, value, strength, place: decode::value_place(entry) }));
            }
            Kind::Later => {
                let finding = decode::later(span.in_file(entry.file()), &format!("`{name}`"));
                self.report(finding, out);
            }
            _ => {
                let finding = Diagnostic::error(
                    Code(2005),
                    format!("`{name}` has fields of its own, so it cannot be a property"),
                    span.in_file(entry.file()),
                    "",
                )
                .help(format!("write it as a child: `{{ {name} … }}`"));
                self.report(finding, out);
            }
        }
    }

    fn union(
        &mut self,
        node: Node<'t>,
        variants: &'static [Field],
        at: &At<'t>,
        strength: Option<Strength>,
        owner: &str,
        out: &mut Vec<Step<'t>>,
    ) {
        let names: Vec<&str> = variants.iter().map(|variant| variant.name).collect();
        let mut args = node.args();
        let Some(first) = args.next() else {
            let place = node.name_span().in_file(node.file());
            let finding = Diagnostic::error(
                Code(2004),
                format!("`{}` needs to say which: {}", node.name(), names.join(" or ")),
                place,
                "",
            );
            return self.report(finding, out);
        };
        let place = decode::value_place(first);
        if matches!(first.value(), Kdl::Null) {
            out.push(Step::Set(Set { at: at.clone(), value: Given::Remove, strength, place }));
            self.no_properties(node, out);
            self.no_block(node, out);
            return;
        }
        if let Some(extra) = args.next() {
            let finding = Diagnostic::error(
                Code(2004),
                format!("`{}` takes one value", node.name()),
                decode::value_place(extra),
                "one too many",
            );
            self.report(finding, out);
        }
        let name = match decode::name(first, &names.join(" or ")) {
            Ok(name) => name,
            Err(finding) => return self.report(finding, out),
        };
        let Some(variant) = variants.iter().find(|variant| variant.name == name) else {
            let finding = Diagnostic::error(
                Code(2007),
                format!("`{}` is {}, not `{name}`", node.name(), names.join(" or ")),
                place,
                "",
            );
            let spelt = variants
                .iter()
                .find(|v| v.also.iter().any(|also| also.eq_ignore_ascii_case(name)))
                .map(|v| v.name);
            let near = spelt.or_else(|| similar(name, names.iter().copied()));
            let finding = with_near(finding, first, near);
            return self.report(finding, out);
        };
        out.push(Step::Set(Set {
            at: at.clone(),
            value: Given::Value(Value::Text(Text::of(self.files.text(first.file()), name))),
            strength,
            place,
        }));
        if let Some(path) = self.paths.child(at.shape(), variant.name) {
            self.fields_of(node, &below(at, path), strength, owner, out);
        }
    }

    fn map(
        &mut self,
        node: Node<'t>,
        ty: Type,
        at: &At<'t>,
        strength: Option<Strength>,
        out: &mut Vec<Step<'t>>,
    ) {
        let want = Want { ty, lower: Lower::None };
        for arg in node.args() {
            let place = decode::value_place(arg);
            if matches!(arg.value(), Kdl::Null) {
                let at = at.clone();
                out.push(Step::Set(Set { at, value: Given::Remove, strength, place }));
            } else {
                let finding = Diagnostic::error(
                    Code(2004),
                    format!("`{}` takes keys and values", node.name()),
                    place,
                    "a value without a key",
                )
                .help(format!("write `{} key=value`", node.name()));
                self.report(finding, out);
            }
        }
        for prop in node.props() {
            let key = prop.key().unwrap_or_default();
            if let Some(child) = node.children().find(|child| child.name() == key) {
                let finding = Diagnostic::error(
                    Code(1024),
                    format!("`{key}` is written as a property and as a child"),
                    child.name_span().in_file(child.file()),
                    "here again",
                )
                .label(prop.span().in_file(prop.file()), "as a property");
                self.report(finding, out);
            }
            let path = self.paths.key_or_add(at.shape(), key);
            let value = self.given(prop, want);
            let place = decode::value_place(prop);
            out.push(Step::Set(Set { at: below(at, path), value, strength, place }));
        }
        for child in node.children() {
            if child.is_broken() {
                out.push(Step::Broken);
                continue;
            }
            let strength = self.strength(child, strength, out);
            self.no_properties(child, out);
            self.no_block(child, out);
            let args: Vec<Entry<'t>> = child.args().collect();
            let [value] = args.as_slice() else {
                let place = args
                    .get(1)
                    .map_or_else(|| child.name_span(), |extra| extra.span())
                    .in_file(child.file());
                let finding = Diagnostic::error(
                    Code(2004),
                    format!("`{}` needs one value", child.name()),
                    place,
                    "",
                );
                self.report(finding, out);
                continue;
            };
            let path = self.paths.key_or_add(at.shape(), child.name());
            let given = self.given(*value, want);
            let place = decode::value_place(*value);
            out.push(Step::Set(Set { at: below(at, path), value: given, strength, place }));
        }
    }

    fn keyed(
        &mut self,
        node: Node<'t>,
        (content, what, fields): (bool, &str, &'static [Field]),
        at: &At<'t>,
        strength: Option<Strength>,
        owner: &str,
        out: &mut Vec<Step<'t>>,
    ) {
        let mut args = node.args();
        let Some(first) = args.next() else {
            if content {
                return self.by_content(node, fields, at, strength, owner, out);
            }
            let place = node.name_span().in_file(node.file());
            let finding = Diagnostic::error(
                Code(2004),
                format!("`{}` needs its {what}", node.name()),
                place,
                "",
            );
            return self.report(finding, out);
        };
        let place = decode::value_place(first);
        if matches!(first.value(), Kdl::Null) {
            out.push(Step::Set(Set { at: at.clone(), value: Given::Remove, strength, place }));
            return;
        }
        let at = match self.key(first, what, at) {
            Ok(at) => at,
            Err(finding) => return self.report(finding, out),
        };
        let mut value = Given::Value(Value::Present);
        if let Some(second) = args.next() {
            if matches!(second.value(), Kdl::Null) {
                value = Given::Remove;
            } else {
                let finding = Diagnostic::error(
                    Code(2004),
                    format!("`{}` takes one name", node.name()),
                    decode::value_place(second),
                    "one too many",
                );
                self.report(finding, out);
            }
        }
        out.push(Step::Set(Set { at: at.clone(), value, strength, place }));
        self.fields_of(node, &at, strength, owner, out);
    }

    /// The path of a key below a keyed field.
    fn key(&mut self, entry: Entry<'t>, what: &str, at: &At<'t>) -> Result<At<'t>, Diagnostic> {
        let key = decode::name(entry, what)?;
        if !decode::is_template(entry) {
            let path = self.paths.key_or_add(at.shape(), key);
            return Ok(below(at, path));
        }
        let template = template(entry)?;
        Ok(self.made_key(Made { template, entry }, key, at))
    }

    fn made_key(&mut self, made: Made<'t>, key: &str, at: &At<'t>) -> At<'t> {
        let path = self.paths.key_or_add(at.shape(), key);
        let before: &[(PathId, Made<'t>)] = match at {
            At::Path(_) => &[],
            At::Keyed(_, keys) => keys,
        };
        let keys = before.iter().cloned().chain(std::iter::once((path, made))).collect();
        At::Keyed(path, keys)
    }

    /// A keyed record without a key: what it says is its key.
    fn by_content(
        &mut self,
        node: Node<'t>,
        fields: &'static [Field],
        at: &At<'t>,
        strength: Option<Strength>,
        owner: &str,
        out: &mut Vec<Step<'t>>,
    ) {
        let mut parts = Vec::new();
        let mut made = None;
        for field in fields {
            let prop = node.props().find(|prop| prop.key() == Some(field.name));
            let child = || node.children().find(|child| child.name() == field.name);
            let Some(entry) = prop.or_else(|| child().and_then(|child| child.args().next())) else {
                continue;
            };
            let text = match entry.value() {
                Kdl::Str(text) => {
                    if decode::is_template(entry) {
                        made = Some(entry);
                    }
                    text.to_owned()
                }
                _ => match entry.annotation() {
                    Some((unit, _)) => format!("{}{unit}", entry.source()),
                    None => entry.source().trim_start_matches('#').to_owned(),
                },
            };
            parts.push(format!("{}={text}", field.name));
        }
        let place = node.name_span().in_file(node.file());
        if parts.is_empty() {
            let finding = Diagnostic::error(
                Code(2004),
                format!("`{}` says nothing", node.name()),
                place,
                "",
            )
            .help(format!("it has fields: {}", list(fields)));
            return self.report(finding, out);
        }
        let key = parts.join(",");
        let at = match made {
            None => {
                let path = self.paths.key_or_add(at.shape(), &key);
                below(at, path)
            }
            Some(entry) => match Template::compile(&key) {
                Ok(template) => self.made_key(Made { template, entry }, &key, at),
                Err(error) => {
                    let finding = expression(entry, &error);
                    return self.report(finding, out);
                }
            },
        };
        let value = Given::Value(Value::Present);
        out.push(Step::Set(Set { at: at.clone(), value, strength, place }));
        self.fields_of(node, &at, strength, owner, out);
    }

    fn selector(
        &mut self,
        node: Node<'t>,
        at: &At<'t>,
        strength: Option<Strength>,
        out: &mut Vec<Step<'t>>,
    ) {
        let child = |paths: &Paths, name| paths.child(at.shape(), name);
        let (Some(matches), Some(lacks)) =
            (child(self.paths, "match"), child(self.paths, "lacks"))
        else {
            return;
        };
        for arg in node.args() {
            let finding = Diagnostic::error(
                Code(2004),
                "`select` takes labels",
                decode::value_place(arg),
                "",
            )
            .help("write `select role=worker`");
            self.report(finding, out);
        }
        for prop in node.props() {
            let path = self.paths.key_or_add(matches, prop.key().unwrap_or_default());
            let value = self.list(&[prop]);
            let place = prop.span().in_file(prop.file());
            out.push(Step::Set(Set { at: At::Path(path), value, strength, place }));
        }
        for line in node.children() {
            let strength = self.strength(line, strength, out);
            self.no_block(line, out);
            let name = line.name_span().in_file(line.file());
            match line.name() {
                "match" => {
                    let args: Vec<Entry<'t>> = line.args().collect();
                    for prop in line.props() {
                        let path =
                            self.paths.key_or_add(matches, prop.key().unwrap_or_default());
                        let value = self.list(&[prop]);
                        let place = prop.span().in_file(prop.file());
                        out.push(Step::Set(Set { at: At::Path(path), value, strength, place }));
                    }
                    match args.as_slice() {
                        [] if line.props().next().is_some() => {}
                        [] | [_] => {
                            let finding = Diagnostic::error(
                                Code(2004),
                                "`match` needs a label and the values that will do",
                                name,
                                "",
                            )
                            .help("write `match role worker`");
                            self.report(finding, out);
                        }
                        [key, values @ ..] => match decode::name(*key, "a label") {
                            Ok(key) => {
                                let path = self.paths.key_or_add(matches, key);
                                let value = self.list(values);
                                let place = span_of(&args).in_file(line.file());
                                out.push(Step::Set(Set {
                                    at: At::Path(path),
                                    value,
                                    strength,
                                    place,
                                }));
                            }
                            Err(finding) => self.report(finding, out),
                        },
                    }
                }
                "lacks" => {
                    self.no_properties(line, out);
                    if line.args().next().is_none() {
                        let finding =
                            Diagnostic::error(Code(2004), "`lacks` needs a label", name, "");
                        self.report(finding, out);
                    }
                    for arg in line.args() {
                        match decode::name(arg, "a label") {
                            Ok(key) => {
                                let path = self.paths.key_or_add(lacks, key);
                                out.push(Step::Set(Set {
                                    at: At::Path(path),
                                    value: Given::Value(Value::Present),
                                    strength,
                                    place: decode::value_place(arg),
                                }));
                            }
                            Err(finding) => self.report(finding, out),
                        }
                    }
                }
                _ => {
                    let finding =
                        self.unknown(line.name(), line.name_span(), line, at.shape(), "select");
                    self.report(finding, out);
                }
            }
        }
    }

    fn no_properties(&mut self, node: Node<'t>, out: &mut Vec<Step<'t>>) {
        for prop in node.props() {
            let finding = Diagnostic::error(
                Code(2003),
                format!("`{}` takes no properties", node.name()),
                prop.span().in_file(prop.file()),
                "",
            );
            self.report(finding, out);
        }
    }

    fn no_block(&mut self, node: Node<'t>, out: &mut Vec<Step<'t>>) {
        if let Some(child) = node.children().next() {
            let finding = Diagnostic::error(
                Code(2002),
                format!("`{}` takes no block", node.name()),
                child.name_span().in_file(child.file()),
                "",
            );
            self.report(finding, out);
        }
    }

    fn listed(&self, shape: PathId) -> String {
        list(self.paths.fields(shape))
    }

    /// A node that is no field here.
    fn unknown(
        &self,
        name: &str,
        span: Span,
        node: Node<'t>,
        parent: PathId,
        owner: &str,
    ) -> Diagnostic {
        let place = span.in_file(node.file());
        let top = parent == Paths::root(self.entity);
        if top && LATER_WORDS.contains(&name) {
            return decode::later(place, &format!("`{name}`"));
        }
        if top && ENTITY_WORDS.contains(&name) {
            return Diagnostic::error(
                Code(2001),
                format!("`{name}` cannot stand inside `{owner}`"),
                place,
                "",
            )
            .help(match name {
                "host" | "rack" | "group" | "each" | "refine" | "facts" => {
                    "it stands at the top of a file, or in a rack or group"
                }
                _ => "it stands at the top of a file",
            });
        }
        self.unknown_prop(name, place, parent)
    }

    fn unknown_prop(&self, name: &str, place: Place, parent: PathId) -> Diagnostic {
        let here = self.paths.fields(parent);
        let path = self.paths.get(parent);
        let what = match path.field {
            Some(field) => format!("`{}` has no field `{name}`", field.name),
            None => format!("a {} has no field `{name}`", self.entity.word()),
        };
        let finding = Diagnostic::error(Code(2002), what, place, "");
        match suggest_field(name, here, self.entity.fields()) {
            Some(meant) => {
                let finding = finding.help(format!("did you mean `{}`?", meant.words));
                if meant.replaces {
                    finding.fix(Fix::replace(
                        format!("write `{}`", meant.words),
                        Applicability::Safe,
                        place,
                        meant.words.clone(),
                    ))
                } else {
                    finding
                }
            }
            None if here.len() <= 12 => finding.note(format!("it has {}", list(here))),
            None => finding,
        }
    }
}

/// The condition of a `when`.
pub(super) fn condition(node: Node<'_>) -> Result<(Expr, Entry<'_>), Diagnostic> {
    let name = node.name_span().in_file(node.file());
    let mut entries = node.entries();
    let Some(entry) = entries.next().filter(|entry| entry.key().is_none()) else {
        return Err(Diagnostic::error(
            Code(2004),
            "`when` needs a condition",
            name,
            "",
        )
        .help("write it in quotes: `when \"param.env == 'lab'\" { … }`"));
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
pub(super) fn with_near(finding: Diagnostic, entry: Entry<'_>, near: Option<&str>) -> Diagnostic {
    match near {
        Some(near) => finding.help(format!("did you mean `{near}`?")).fix(Fix::replace(
            format!("write `{near}`"),
            Applicability::Safe,
            entry.value_span().in_file(entry.file()),
            decode::quoted_like(entry, near),
        )),
        None => finding,
    }
}

fn below<'t>(parent: &At<'t>, path: PathId) -> At<'t> {
    match parent {
        At::Path(_) => At::Path(path),
        At::Keyed(_, keys) => At::Keyed(path, Arc::clone(keys)),
    }
}

fn span_of(entries: &[Entry<'_>]) -> Span {
    let first = entries.first().map_or(Span::point(0), |entry| decode::value_place(*entry).span);
    entries.iter().fold(first, |span, entry| span.to(decode::value_place(*entry).span))
}

fn list(fields: &[Field]) -> String {
    let names: Vec<String> = fields.iter().map(|field| format!("`{}`", field.name)).collect();
    names.join(", ")
}

