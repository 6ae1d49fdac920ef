//! What expressions can see: parameters, `let`s by lexical scope, and the facts of the instance.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use super::expr::{Env, ExprError, Template, Val};
use crate::diag::Place;
use crate::fleet::Facts;
use crate::schema::Entity;
use crate::syntax::Entry;

/// An entity that holds others: the fleet, a rack, a group.
#[derive(Debug)]
pub(super) struct Scope {
    pub kind: ScopeKind,
    pub name: Arc<str>,
    pub parent: Option<usize>,
    /// Number of scopes around it: the fleet has 0.
    pub depth: u16,
    pub facts: Facts,
    pub place: Place,
    /// `each` blocks written directly in it: indices of bodies.
    pub eaches: Vec<usize>,
    /// Tables of facts: indices of tables.
    pub tables: Vec<usize>,
    /// Something in it that concerns all its hosts could not be read.
    pub broken: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScopeKind {
    Fleet,
    Rack,
    Group,
}

impl ScopeKind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Fleet => "fleet",
            Self::Rack => "rack",
            Self::Group => "group",
        }
    }
}

/// A lexical scope: the `let`s of a file, an entity or a block.
#[derive(Debug, Default)]
pub(super) struct Frame<'t> {
    pub parent: Option<usize>,
    pub lets: BTreeMap<String, Let<'t>>,
    /// The parameters of a profile; their values come with each `use`.
    pub is_profile: bool,
    /// The scope whose facts `rack.*` and `group.*` mean where no host is in sight.
    pub scope: usize,
}

/// How many `let`s may read one another in a chain.
pub(super) const LET_DEPTH: usize = 64;

/// A `let`.
#[derive(Debug)]
pub(super) struct Let<'t> {
    pub value: LetValue,
    pub entry: Option<Entry<'t>>,
    pub place: Place,
    /// It is the same for every instance in its scope, so that one evaluation will do.
    pub shared: bool,
    /// Length of the longest chain of `let`s that it is evaluated by; 0 for a plain value. Those
    /// beyond [`LET_DEPTH`] are broken.
    pub depth: usize,
    pub cached: OnceLock<Outcome<'t>>,
}

/// What a `let` came to: its value, or what is wrong with it. Everybody who reads it reports the
/// latter, so that who reads it first makes no difference.
#[derive(Debug, Clone)]
pub(super) struct Outcome<'t> {
    value: Option<Val>,
    troubles: Arc<[(Entry<'t>, ExprError)]>,
}

#[derive(Debug)]
pub(super) enum LetValue {
    Val(Val),
    Template(Arc<Template>),
    /// It could not be read, or is part of a cycle; reported where it stands.
    Broken,
}

/// Everything that does not change from instance to instance.
#[derive(Debug, Default)]
pub(super) struct World<'t> {
    pub params: BTreeMap<String, Option<Val>>,
    pub scopes: Vec<Scope>,
    pub frames: Vec<Frame<'t>>,
    /// Facts that a table gives: these may be called like a field.
    pub columns: BTreeSet<Arc<str>>,
    /// Longest string that an expression may make.
    pub max_string: usize,
}

/// The instance that an expression is evaluated for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    /// The innermost scope around it.
    pub scope: usize,
    /// A host's name and facts.
    pub host: Option<(&'a Arc<str>, &'a Facts)>,
}

/// The names that an expression may read, at one place for one instance.
pub(super) struct View<'a, 't> {
    pub world: &'a World<'t>,
    pub subject: Subject<'a>,
    pub frame: usize,
    /// Values of a profile's parameters; `None` for one that could not be had.
    pub args: &'a HashMap<String, Option<Val>>,
    /// Something was read that is wrong where it stands: the error that follows is a consequence.
    pub tainted: Cell<bool>,
    /// `let`s that have no value, to be reported where they stand.
    pub troubles: RefCell<Vec<(Entry<'t>, ExprError)>>,
    /// The rack or group whose own properties are evaluated, with the facts that it has by then.
    pub within: Option<(ScopeKind, &'a Arc<str>, &'a Facts)>,
}

impl<'a, 't> View<'a, 't> {
    pub(super) fn new(
        world: &'a World<'t>,
        subject: Subject<'a>,
        frame: usize,
        args: &'a HashMap<String, Option<Val>>,
    ) -> Self {
        Self {
            world,
            subject,
            frame,
            args,
            tainted: Cell::new(false),
            troubles: RefCell::default(),
            within: None,
        }
    }

    fn scope_of(&self, kind: ScopeKind) -> Option<&'a Scope> {
        let mut at = Some(self.subject.scope);
        while let Some(index) = at {
            let scope = &self.world.scopes[index];
            if scope.kind == kind {
                return Some(scope);
            }
            at = scope.parent;
        }
        None
    }

    fn fact(&self, kind: ScopeKind, name: &str) -> Option<Val> {
        if let Some((_, own, facts)) = self.within.filter(|(inner, ..)| *inner == kind) {
            let found = match name {
                "name" => Some(Val::Str(Arc::clone(own))),
                _ => facts.get(name).cloned(),
            };
            if found.is_some() {
                return found;
            }
        }
        let scope = self.scope_of(kind)?;
        if name == "name" {
            return Some(Val::Str(Arc::clone(&scope.name)));
        }
        let found = scope.facts.get(name).cloned();
        if found.is_none() && scope.broken {
            self.tainted.set(true);
        }
        found
    }

    fn bare(&self, name: &str) -> Option<Val> {
        let mut at = Some(self.frame);
        while let Some(index) = at {
            let frame = &self.world.frames[index];
            if frame.is_profile
                && let Some(value) = self.args.get(name)
            {
                if value.is_none() {
                    self.tainted.set(true);
                }
                return value.clone();
            }
            if let Some(found) = frame.lets.get(name) {
                return self.let_value(found, index);
            }
            at = frame.parent;
        }
        None
    }

    fn let_value(&self, found: &Let<'t>, frame: usize) -> Option<Val> {
        let template = match &found.value {
            LetValue::Val(value) => return Some(value.clone()),
            LetValue::Template(template) => template,
            LetValue::Broken => {
                self.tainted.set(true);
                return None;
            }
        };
        let compute = || -> Outcome<'t> {
            let inner = View {
                world: self.world,
                subject: self.subject,
                frame,
                args: self.args,
                tainted: Cell::new(false),
                troubles: RefCell::default(),
                within: self.within,
            };
            let value = template.eval(&inner);
            let mut troubles = inner.troubles.take();
            let value = match (value, found.entry) {
                (Ok(value), _) => Some(value),
                (Err(error), Some(entry)) if !inner.tainted.get() => {
                    troubles.push((entry, error));
                    None
                }
                (Err(_), _) => None,
            };
            Outcome {
                value,
                troubles: troubles.into(),
            }
        };
        let outcome = if found.shared {
            found.cached.get_or_init(compute).clone()
        } else {
            compute()
        };
        self.troubles
            .borrow_mut()
            .extend(outcome.troubles.iter().cloned());
        if outcome.value.is_none() {
            self.tainted.set(true);
        }
        outcome.value
    }
}

impl Env for View<'_, '_> {
    fn lookup(&self, path: &[&str]) -> Option<Val> {
        match path {
            ["param", name] => {
                let value = self.world.params.get(*name)?;
                if value.is_none() {
                    self.tainted.set(true);
                }
                value.clone()
            }
            ["fleet", name] => self.fact(ScopeKind::Fleet, name),
            ["rack", name] => self.fact(ScopeKind::Rack, name),
            ["group", name] => self.fact(ScopeKind::Group, name),
            ["host", name] => {
                let (own, facts) = self.subject.host?;
                if *name == "name" {
                    return Some(Val::Str(Arc::clone(own)));
                }
                facts.get(name).cloned()
            }
            [name] => self.bare(name),
            _ => None,
        }
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .world
            .params
            .keys()
            .map(|name| format!("param.{name}"))
            .collect();
        if let Some((kind, _, facts)) = self.within {
            names.push(format!("{}.name", kind.word()));
            names.extend(
                facts
                    .iter()
                    .map(|(name, _)| format!("{}.{name}", kind.word())),
            );
        }
        for kind in [ScopeKind::Fleet, ScopeKind::Rack, ScopeKind::Group] {
            if let Some(scope) = self.scope_of(kind) {
                names.push(format!("{}.name", kind.word()));
                names.extend(
                    scope
                        .facts
                        .iter()
                        .map(|(name, _)| format!("{}.{name}", kind.word())),
                );
            }
        }
        if let Some((_, facts)) = self.subject.host {
            names.push("host.name".to_owned());
            names.extend(facts.iter().map(|(name, _)| format!("host.{name}")));
        }
        let mut at = Some(self.frame);
        while let Some(index) = at {
            let frame = &self.world.frames[index];
            if frame.is_profile {
                let mut args: Vec<String> = self.args.keys().cloned().collect();
                args.sort();
                names.append(&mut args);
            }
            names.extend(frame.lets.keys().cloned());
            at = frame.parent;
        }
        names
    }

    fn max_string(&self) -> usize {
        self.world.max_string
    }

    fn is_config(&self, path: &[&str]) -> bool {
        let field = |word: &str| {
            let word = word.replace('_', "-");
            Entity::Host.fields().iter().any(|field| field.name == word)
        };
        match path {
            // A table may have a column that is called like a field; where it says nothing, the
            // fact is missing.
            ["host", word] if self.world.columns.contains(*word) => false,
            ["host", word, ..] => field(word),
            [word, ..] => !matches!(*word, "param" | "fleet" | "rack" | "group") && field(word),
            [] => false,
        }
    }
}
