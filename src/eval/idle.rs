//! Lines that do nothing: MF2403 to MF2406 about definitions, MF2205 and MF2206 about names.
//!
//! Nothing is judged while the evaluation is incomplete or has errors, for what is missing may be
//! what a line is for. A line that no host reaches is not judged either: its `when` may be true
//! with other parameters.

mod unread;

use std::collections::HashMap;
use std::sync::Arc;

use super::collect::Profile;
use super::compile::{At, Given, Set, Step};
use super::declare::{Body, Program};
use super::effect::{Effect, Sum, is_structure};
use super::import::Project;
use super::merge::Strength;
use super::report::Findings;
use crate::diag::{Applicability, Code, Diagnostic, Fix, Place, Span, Subject};
use crate::fleet::Value;
use crate::schema::Paths;
use crate::syntax::{Node, Nodes};

/// Reports all that does nothing.
pub(super) fn report(
    project: &Project,
    program: &Program<'_>,
    paths: &Paths,
    findings: &mut Findings,
) {
    if program.hosts.is_empty() || findings.has_errors() {
        return;
    }
    let mut idle = Idle::default();
    let effects = findings.effects.sum();
    idle.shared(program, &effects, paths);
    idle.own(&effects);
    idle.report(project, findings);
    unread::report(project, program, findings);
}

/// A definition that does nothing.
struct Line {
    code: u16,
    place: Place,
    path: Arc<str>,
    /// The one host that it is about.
    host: Option<Arc<str>>,
}

#[derive(Default)]
struct Idle {
    lines: Vec<Line>,
    /// Every line that is forced by an annotation on it or around it, and whether that is idle.
    forced: Vec<(Place, bool)>,
}

impl Idle {
    fn shared(&mut self, program: &Program<'_>, effects: &Sum<'_>, paths: &Paths) {
        for Profile { steps, sites, .. } in &program.profiles {
            self.steps(steps, *sites, true, effects, paths);
        }
        let mut seen = 0;
        let mut bodies: Vec<&Body<'_>> = program.bodies.iter().collect();
        bodies.sort_by_key(|body| body.sites);
        for body in bodies {
            // The racks of a range share theirs.
            if body.sites >= seen {
                seen = self.steps(&body.steps, body.sites, false, effects, paths);
            }
        }
    }

    /// Judges the lines of a block; answers the number of the next site.
    fn steps(
        &mut self,
        steps: &[Step<'_>],
        first: u32,
        in_profile: bool,
        effects: &Sum<'_>,
        paths: &Paths,
    ) -> u32 {
        let mut site = first;
        for step in steps {
            match step {
                Step::Set(set) => {
                    self.set(set, effects.of(site), in_profile, paths);
                    site += 1;
                }
                Step::When(when) => {
                    site = self.steps(&when.steps, site, in_profile, effects, paths);
                }
                Step::Use(_) | Step::Broken => {}
            }
        }
        site
    }

    fn set(&mut self, set: &Set<'_>, effect: Effect, in_profile: bool, paths: &Paths) {
        let (At::Path(id) | At::Keyed(id, _)) = &set.at;
        let path = paths.get(*id);
        let value = match &set.value {
            Given::Value(value) => Some(value),
            _ => None,
        };
        let removes = matches!(set.value, Given::Remove);
        let structure =
            is_structure(path.field, path.key.is_some(), value) || value == Some(&Value::Present);
        let code = judge(effect, removes, structure);
        let made = matches!(set.value, Given::Made(_) | Given::MadeList(_));
        let strong = matches!(set.strength, Some(Strength::Force | Strength::Final));
        // A profile does not inherit: it says what it says wherever it is used. And an expression
        // gives the inherited value with these facts only.
        let kept = code == Some(2405) && (in_profile || made || strong);
        if let Some(code) = code.filter(|_| !kept) {
            self.lines.push(Line {
                code,
                place: set.place,
                path: Arc::clone(&path.text),
                host: None,
            });
        }
        if set.strength == Some(Strength::Force) {
            let is_idle = effect.has(Effect::REACHED) && !effect.has(Effect::OPPOSED);
            self.forced.push((set.place, is_idle));
        }
    }

    fn own(&mut self, effects: &Sum<'_>) {
        for own in &effects.own {
            let code = judge(own.effect, own.removes, own.structure);
            if let Some(code) = code.filter(|code| *code != 2405 || !own.strong) {
                self.lines.push(Line {
                    code,
                    place: own.place,
                    path: Arc::clone(&own.path),
                    host: Some(Arc::clone(&own.host)),
                });
            }
            if own.forced {
                self.forced
                    .push((own.place, !own.effect.has(Effect::OPPOSED)));
            }
        }
    }

    fn report(mut self, project: &Project, findings: &mut Findings) {
        self.forced.sort_unstable();
        let mut cuts: HashMap<Place, Option<Span>> = self
            .lines
            .iter()
            .filter(|line| line.code == 2405)
            .map(|line| (line.place, None))
            .collect();
        let any_forced = self.forced.iter().any(|(_, is_idle)| *is_idle);
        if any_forced || !cuts.is_empty() {
            for (_, parse) in &project.sources {
                each_node(parse.tree.nodes(), &mut |node| {
                    self.force(node, findings);
                    find_cuts(node, parse.tree.text(), &mut cuts);
                });
            }
        }
        for line in &self.lines {
            let text = &project.files.text(line.place.file)[line.place.span.range()];
            if line.code == 2405 && text.contains("${") {
                continue;
            }
            let cut = cuts.get(&line.place).copied().flatten();
            findings.add(line.finding(cut));
        }
    }

    /// MF2403 about a node that is forced, where no line in it needs that.
    fn force(&self, node: Node<'_>, findings: &mut Findings) {
        let Some(("force", annotation)) = node.annotation() else {
            return;
        };
        let whole = node.span();
        let from = Span::point(whole.start).in_file(node.file());
        let first = self.forced.partition_point(|(place, _)| *place < from);
        let mut inside = self.forced[first..]
            .iter()
            .take_while(|(place, _)| place.file == node.file() && whole.contains(place.span))
            .peekable();
        if inside.peek().is_none() || !inside.all(|(_, is_idle)| *is_idle) {
            return;
        }
        let place = annotation.in_file(node.file());
        findings.add(
            Diagnostic::warning(Code(2403), "`(force)` overrides nothing", place, "")
                .help("nothing else is said about it, so it wins without force")
                .fix(Fix::replace(
                    "take out `(force)`",
                    Applicability::Safe,
                    place,
                    "",
                )),
        );
    }
}

/// Which rule a definition breaks that did all this and no more.
fn judge(effect: Effect, removes: bool, structure: bool) -> Option<u16> {
    if !effect.has(Effect::REACHED) || structure {
        return None;
    }
    if removes && !effect.has(Effect::REMOVED) {
        return Some(2406);
    }
    if !effect.has(Effect::HOLDS) {
        return Some(2404);
    }
    let repeats = effect.has(Effect::LEADS) && !effect.has(Effect::MATTERS);
    repeats.then_some(2405)
}

impl Line {
    fn finding(&self, cut: Option<Span>) -> Diagnostic {
        let path = &self.path;
        let warning =
            |message: String| Diagnostic::warning(Code(self.code), message, self.place, "");
        let mut finding = match (self.code, &self.host) {
            (2404, Some(host)) => warning(format!(
                "`{path}` of host `{host}` is never what is said here: something stronger wins"
            ))
            .help(format!(
                "`metalform explain host/{host} {path}` shows what does; take this out, make it stronger, or mark it `(default)`"
            )),
            (2404, None) => warning(format!(
                "`{path}` is never what is said here: something stronger wins on every host"
            ))
            .help(format!(
                "`metalform explain host/NAME {path}` shows what does; take this out, make it stronger, or mark it `(default)`"
            )),
            (2405, _) => warning(format!("`{path}` repeats the inherited value"))
                .help("take it out: what stands further out says the same"),
            _ => warning(format!("there is no `{path}` to remove"))
                .help("take it out: nothing that it reaches sets this"),
        };
        if let Some(span) = cut {
            finding = finding.fix(Fix::replace(
                "take it out",
                Applicability::Safe,
                span.in_file(self.place.file),
                "",
            ));
        }
        if let Some(host) = &self.host {
            finding = finding.subject(Subject {
                kind: "host",
                names: vec![host.to_string()],
                path: Some(path.to_string()),
            });
        }
        finding
    }
}

/// Calls `see` with every node, those in blocks included. Depth is bounded by the reader.
fn each_node<'t>(nodes: Nodes<'t>, see: &mut impl FnMut(Node<'t>)) {
    for node in nodes {
        see(node);
        each_node(node.children(), see);
    }
}

/// Finds what to cut out so that a value is gone: its property, or the line that says only it.
fn find_cuts(node: Node<'_>, text: &str, cuts: &mut HashMap<Place, Option<Span>>) {
    if cuts.is_empty() {
        return;
    }
    let entries: Vec<_> = node.entries().collect();
    let alone = node.block_span().is_none() && entries.len() == 1;
    for entry in &entries {
        let Some(cut) = cuts.get_mut(&super::decode::value_place(*entry)) else {
            continue;
        };
        if alone {
            *cut = Some(line_of(node.span(), text));
        } else if entry.key().is_some() {
            let before = &text[..entry.span().start as usize];
            let start = before.trim_end_matches([' ', '\t']).len() as u32;
            *cut = Some(Span::new(start, entry.span().end));
        }
    }
}

/// A node with the space before it, and its line where it has one to itself.
fn line_of(span: Span, text: &str) -> Span {
    let before = &text[..span.start as usize];
    let start = before.trim_end_matches([' ', '\t']).len();
    let after = &text[span.end as usize..];
    let own_line = start == 0 || before.as_bytes()[start - 1] == b'\n';
    if own_line && after.starts_with('\n') {
        return Span::new(start as u32, span.end + 1);
    }
    Span::new(start as u32, span.end)
}
