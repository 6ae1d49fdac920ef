//! Definitions of one instance: compiled blocks with the instance's values put in.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

mod uses;

use uses::Used;

use super::compile::{Arg, At, Given, Item, Key, Made, Step, expression};
use super::decode::{self, Raw};
use super::effect::NO_SITE;
use super::expr::{ExprError, Val};
use super::merge::{Def, Rank, Strength};
use super::report::Findings;
use super::scope::{Subject, View, World};
use crate::diag::{Diagnostic, Place};
use crate::fleet::{Text, Value};
use crate::schema::{Entity, PathId, Paths};
use crate::syntax::Entry;

/// A profile, compiled.
#[derive(Debug)]
pub(super) struct Profile<'t> {
    pub name: &'t str,
    pub place: Place,
    pub params: Vec<Param<'t>>,
    pub steps: Vec<Step<'t>>,
    /// The number of its first site.
    pub sites: u32,
    pub frame: usize,
    /// Part of a cycle: it is not followed.
    pub cyclic: bool,
    pub used: AtomicBool,
}

#[derive(Debug)]
pub(super) struct Param<'t> {
    pub name: &'t str,
    pub default: Option<Arg<'t>>,
}

/// By which profile a definition came, and by which before that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain {
    pub profile: usize,
    pub place: Place,
    pub before: Option<u16>,
    pub length: u8,
}

/// The definitions of one instance as they are collected; made once, used for one after another.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub defs: Vec<Def>,
    pub chains: Vec<Chain>,
    /// The instance is not what was meant.
    pub broken: bool,
    /// For `explain`: expressions with their values put in, by place and chain.
    pub trace: Option<Vec<(Place, u16, String)>>,
}

impl Gathered {
    pub(super) fn clear(&mut self) {
        self.defs.clear();
        self.chains.clear();
        self.broken = false;
        if let Some(trace) = &mut self.trace {
            trace.clear();
        }
    }
}

/// Puts an instance's values into blocks.
pub(super) struct Collector<'a, 't> {
    pub world: &'a World<'t>,
    pub profiles: &'a [Profile<'t>],
    pub paths: &'a mut Paths,
    pub findings: &'a mut Findings,
    pub subject: Subject<'a>,
    /// What the instance is, for findings.
    pub kind: &'static str,
    pub name: &'a Arc<str>,
    pub entity: Entity,
    pub depth_limit: u8,
    /// Only definitions at these paths or below (`deploy` of a pool), or without them.
    pub part: Part,
}

/// Which definitions of a block are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    All,
    Below(PathId),
    Without(PathId),
}

/// What does not change within one block.
#[derive(Clone, Copy)]
pub(super) struct Spot<'x> {
    pub frame: usize,
    pub args: &'x HashMap<String, Option<Val>>,
    pub depth: u16,
    pub layer: u16,
    pub chain: Option<u16>,
    pub strength: Option<Strength>,
}

fn next_site(site: u32, lines: u32) -> u32 {
    if site == NO_SITE { site } else { site + lines }
}

/// No arguments.
pub(super) fn no_args() -> HashMap<String, Option<Val>> {
    HashMap::new()
}

impl<'t> Collector<'_, 't> {
    /// Adds the definitions of a block and of the profiles that it uses.
    pub(super) fn run(&mut self, steps: &[Step<'t>], at: Spot<'_>, into: &mut Gathered) {
        self.body(steps, NO_SITE, at, into);
    }

    /// Adds the definitions of lines; `site` is the number of the first.
    fn lines(
        &mut self,
        steps: &[Step<'t>],
        mut site: u32,
        at: Spot<'_>,
        uses: &mut Vec<Used>,
        into: &mut Gathered,
    ) {
        for step in steps {
            match step {
                Step::Broken => into.broken = true,
                Step::Set(set) => {
                    let this = site;
                    site = next_site(site, 1);
                    let Some(path) = self.path(&set.at, at, into) else {
                        continue;
                    };
                    if !self.wanted(path) {
                        continue;
                    }
                    let (value, bad) = match &set.value {
                        Given::Value(value) => (Some(value.clone()), false),
                        Given::Remove => (None, false),
                        Given::Bad => (None, true),
                        Given::Made(made) => {
                            if let Some(trace) = &mut into.trace {
                                let shown = made.0.template.show(&self.view(at));
                                trace.push((set.place, at.chain.unwrap_or(u16::MAX), shown));
                            }
                            match self.made(&made.0, made.1, at) {
                                Some(value) => (Some(value), false),
                                None => (None, true),
                            }
                        }
                        Given::MadeList(items) => match self.list(items, at) {
                            Some(value) => (Some(value), false),
                            None => (None, true),
                        },
                    };
                    let strength = set.strength.or(at.strength).unwrap_or(Strength::Plain);
                    let length = at
                        .chain
                        .map_or(0, |index| into.chains[index as usize].length);
                    into.defs.push(Def {
                        path,
                        rank: Rank::new(strength, at.depth, length),
                        sealed: strength == Strength::Final,
                        value,
                        bad,
                        place: set.place,
                        layer: at.layer,
                        chain: at.chain.unwrap_or(u16::MAX),
                        site: this,
                    });
                }
                Step::Use(used) => self.use_profile(used, at, uses, into),
                // A pool's own fields are for all its hosts alike; a condition on the host concerns
                // what it deploys, which is evaluated for each.
                Step::When(when) if when.per_host && matches!(self.part, Part::Without(_)) => {
                    site = next_site(site, when.sites);
                }
                Step::When(when) => {
                    let inner = site;
                    site = next_site(site, when.sites);
                    let view = self.view(at);
                    let result = when.condition.test(&view);
                    let (tainted, troubles) = (view.tainted.get(), view.troubles.take());
                    match self.judge(result, when.entry, tainted, troubles) {
                        Some(true) => self.lines(&when.steps, inner, at, uses, into),
                        Some(false) => {}
                        None => into.broken = true,
                    }
                }
            }
        }
    }

    fn view<'x>(&'x self, at: Spot<'x>) -> View<'x, 't> {
        View::new(self.world, self.subject, at.frame, at.args)
    }

    fn wanted(&self, path: PathId) -> bool {
        match self.part {
            Part::All => true,
            Part::Below(root) => path == root || self.paths.is_below(path, root),
            Part::Without(root) => path != root && !self.paths.is_below(path, root),
        }
    }

    /// The value of an expression, or a report of why there is none: once for all instances that
    /// have it at the same place, and not where it only follows from something else.
    fn judge<T>(
        &mut self,
        result: Result<T, ExprError>,
        entry: Entry<'t>,
        tainted: bool,
        troubles: Vec<(Entry<'t>, ExprError)>,
    ) -> Option<T> {
        for (entry, error) in troubles {
            let finding = expression(entry, &error);
            self.report(finding);
        }
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                if !tainted {
                    let finding = expression(entry, &error);
                    self.report(finding);
                }
                None
            }
        }
    }

    fn report(&mut self, finding: Diagnostic) {
        let (code, place) = (finding.code.0, finding.primary.place);
        self.findings
            .about(self.kind, self.name, code, place, "", || finding);
    }

    fn eval(&mut self, made: &Made<'t>, at: Spot<'_>) -> Option<Val> {
        let view = self.view(at);
        let result = made.template.eval(&view);
        let (tainted, troubles) = (view.tainted.get(), view.troubles.take());
        self.judge(result, made.entry, tainted, troubles)
    }

    fn made(&mut self, made: &Made<'t>, want: decode::Want, at: Spot<'_>) -> Option<Value> {
        let value = self.eval(made, at)?;
        match decode::decode(want, made.entry, &decode::raw_of(&value), true) {
            Ok(value) => Some(value),
            Err(finding) => {
                self.report(finding.note(format!("`{}` is {value} here", made.template.text())));
                None
            }
        }
    }

    fn list(&mut self, items: &[Item<'t>], at: Spot<'_>) -> Option<Value> {
        let mut texts: Vec<Text> = Vec::with_capacity(items.len());
        let single = items.len() == 1;
        for item in items {
            match item {
                Item::Text(text) => texts.push(text.clone()),
                Item::Made(made) => match self.eval(made, at)? {
                    Val::Str(text) => {
                        if let Err(finding) = decode::annotated_text(made.entry, &text) {
                            self.report(finding);
                            return None;
                        }
                        texts.push(Text::from(text));
                    }
                    Val::List(list) if single => {
                        for item in list.iter() {
                            texts.push(match item {
                                Val::Str(text) => Text::from(Arc::clone(text)),
                                other => Text::from(other.to_string()),
                            });
                        }
                    }
                    other => texts.push(Text::from(match decode::raw_of(&other) {
                        Raw::Int(number) => number.to_string(),
                        _ => other.to_string(),
                    })),
                },
            }
        }
        Some(Value::List(texts.into()))
    }

    /// The path of a definition; keys that are expressions are evaluated.
    fn path(&mut self, place: &At<'t>, at: Spot<'_>, into: &mut Gathered) -> Option<PathId> {
        let (shape, keys) = match place {
            At::Path(path) => return Some(*path),
            At::Keyed(shape, keys) => (*shape, keys),
        };
        let mut way = vec![shape];
        while let Some(parent) = self.paths.get(way[way.len() - 1]).parent {
            way.push(parent);
        }
        let mut path = Paths::root(self.entity);
        for part in way.into_iter().rev().skip(1) {
            let (key, field) = {
                let node = self.paths.get(part);
                (node.key.clone(), node.field)
            };
            path = match key {
                None => self.paths.child(path, field?.name)?,
                Some(key) => match keys.iter().find(|(shape, _)| *shape == part) {
                    None => self.paths.key_or_add(path, &key),
                    Some((_, made)) => {
                        let Some(text) = self.key(made, at) else {
                            into.broken = true;
                            return None;
                        };
                        self.paths.key_or_add(path, &text)
                    }
                },
            };
        }
        Some(path)
    }

    fn key(&mut self, key: &Key<'t>, at: Spot<'_>) -> Option<Arc<str>> {
        let text = |value: Val| match value {
            Val::Str(text) => text,
            other => Arc::from(other.to_string()),
        };
        match key {
            Key::Made(made) => self.eval(made, at).map(text),
            Key::Content(parts) => {
                // Each is looked at, also behind one that has no value.
                let said: Vec<Option<String>> = parts
                    .iter()
                    .map(|(field, item)| {
                        let said = match item {
                            Item::Text(said) => Arc::from(&**said),
                            Item::Made(made) => self.eval(made, at).map(text)?,
                        };
                        Some(format!("{field}={said}"))
                    })
                    .collect();
                let said: Option<Vec<String>> = said.into_iter().collect();
                Some(Arc::from(said?.join(",")))
            }
        }
    }

    fn arg(&mut self, arg: &Arg<'t>, at: Spot<'_>) -> Option<Val> {
        match arg {
            Arg::Val(value) => Some(value.clone()),
            Arg::Bad => None,
            Arg::Made(made) => {
                let value = self.eval(made, at)?;
                match decode::pinned(made.entry, value) {
                    Ok(value) => Some(value),
                    Err(finding) => {
                        self.findings.add(finding);
                        None
                    }
                }
            }
        }
    }
}
