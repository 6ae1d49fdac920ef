//! Why a field has its value: all that was said about it, the winner first.
//!
//! Provenance is not kept: the host's definitions are collected again when somebody asks.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::collect::{Collector, Gathered, Part, Spot, no_args};
use super::declare::{Declared, Program, declare};
use super::instance::{Bench, Layer, Scene, said};
use super::merge::{Def, Merged};
use super::report::Findings;
use super::scope::{ScopeKind, Subject};
use super::{Evaluation, rules, run};
use crate::diag::suggest::similar;
use crate::fleet::{Facts, Origin};
use crate::schema::{Disruption, Entity, Kind, PathId, Paths, suggest_field};

/// A field of a host with all that was said about it.
#[derive(Debug, Clone)]
pub struct Ladder {
    /// The host.
    pub host: String,
    /// The field's path.
    pub path: String,
    /// The value, as a spec would write it; none where nothing is said or what is said removes it.
    pub value: Option<String>,
    /// All definitions: the winner first if there is one, then by rank.
    pub rungs: Vec<Rung>,
    /// What holds where nothing is said.
    pub default: Option<&'static str>,
    /// Where in a `BareMetalHost` it lands.
    pub compiles_to: Option<&'static str>,
    /// What a change does to the machine.
    pub disruption: Disruption,
    /// What the field is for.
    pub doc: &'static str,
}

/// One definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// It gives the value.
    pub wins: bool,
    /// What it says; `#null` for a removal.
    pub value: String,
    /// Where it is written.
    pub origin: Origin,
    /// The same for people: `racks/r01.kdl:28`.
    pub site: String,
    /// The block: `refine r01-n07`, `each in rack r01`, with `via profile …`.
    pub from: String,
    /// Its rank in words: `plain, exact refine`.
    pub rank: String,
    /// The expression with the values put in, where it is one: `mac('b0:…', 7 * 16)`.
    pub expression: Option<String>,
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.value, self.default) {
            (Some(value), _) => writeln!(f, "{} = {value}", self.path)?,
            (None, Some(default)) => {
                writeln!(f, "{} is not set; {default} holds", self.path)?;
            }
            (None, None) => writeln!(f, "{} is not set", self.path)?,
        }
        let width = |part: fn(&Rung) -> &str| {
            self.rungs
                .iter()
                .map(|rung| part(rung).chars().count())
                .max()
                .unwrap_or(0)
        };
        let (site, from, rank) = (
            width(|rung| &rung.site),
            width(|rung| &rung.from),
            width(|rung| &rung.rank),
        );
        for rung in &self.rungs {
            let word = if rung.wins { "wins " } else { "loses" };
            let expression = rung
                .expression
                .as_ref()
                .map_or_else(String::new, |text| format!("  = {text}"));
            let line = format!(
                "  {word}  {:<site$}  {:<from$}  {:<rank$}  {}{expression}",
                rung.site, rung.from, rung.rank, rung.value
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        if let Some(at) = self.compiles_to {
            writeln!(
                f,
                "compiles to BareMetalHost/{} {at}   disruption: {}",
                self.host, self.disruption
            )?;
        }
        Ok(())
    }
}

/// Why there is nothing to explain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// No such host.
    #[error("no host is called `{name}`{}", did_you_mean(near.as_deref()))]
    NoHost {
        /// What was asked for.
        name: String,
        /// What was probably meant.
        near: Option<String>,
    },
    /// No such field.
    #[error("a host has no field `{path}`{}", did_you_mean(near.as_deref()))]
    NoField {
        /// What was asked for.
        path: String,
        /// What was probably meant.
        near: Option<String>,
    },
    /// A field that holds others.
    #[error("{}", below(path, fields))]
    NotAValue {
        /// What was asked for.
        path: String,
        /// Fields below it.
        fields: Vec<String>,
    },
}

fn below(path: &str, fields: &[String]) -> String {
    if fields.is_empty() {
        format!("`{path}` has no value of its own, and nothing is said below it: `{path}.NAME`")
    } else {
        format!(
            "`{path}` has no value of its own; ask for {}",
            fields.join(", ")
        )
    }
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// Explains a field of a host by its path (`boot.mac`, `labels.role`), of hosts with errors too.
pub fn explain(evaluation: &Evaluation, host: &str, path: &str) -> Result<Ladder, ExplainError> {
    let project = &evaluation.project;
    let mut paths = Paths::new();
    let mut findings = Findings::default();
    let (program, properties) = declare(project, &mut paths, &mut findings);
    let signatures = run::signatures(&program);
    let declared = program.hosts.iter().find(|known| *known.name == *host);
    let Some(declared) = declared else {
        let names = program.hosts.iter().map(|host| &*host.name);
        let near = similar(host, names).map(|found| found.word.to_owned());
        return Err(ExplainError::NoHost {
            name: host.to_owned(),
            near,
        });
    };
    let known = rules::Known::of(&paths);
    let mut bench = Bench {
        program: &program,
        properties: &properties,
        signatures: &signatures,
        files: &project.files,
        paths,
        findings,
        gathered: Gathered {
            trace: Some(Vec::new()),
            ..Gathered::default()
        },
        merged: Merged::default(),
        layers: Vec::new(),
        steps: Vec::new(),
        fact_names: Vec::new(),
        depth_limit: project.limits.profile_depth,
        known,
        lab: true,
        lost: false,
        unusable: BTreeSet::new(),
    };
    let (facts, _) = bench.facts(declared);
    bench.collect_host(declared, &facts);
    bench.settle("host", &declared.name);
    let id = find(&bench.paths, path)?;
    let mut ladder = ladder(&bench, declared, id);
    if ladder.rungs.is_empty()
        && let Some(from_pool) = pool(&mut bench, evaluation, declared, &facts, path)
    {
        ladder.value = from_pool.value;
        ladder.rungs = from_pool.rungs;
    }
    for rung in &mut ladder.rungs {
        rung.site = rung.origin.show(&evaluation.files);
    }
    if ladder.rungs.is_empty()
        && let Some(part) = path.strip_prefix("image.")
        && let Some((rung, value)) = deployed(evaluation, host, part)
    {
        ladder.value = Some(value);
        ladder.rungs.push(rung);
    }
    Ok(ladder)
}

/// What the image says that the host is deployed with, where the host says nothing of its own.
fn deployed(evaluation: &Evaluation, host: &str, part: &str) -> Option<(Rung, String)> {
    let fleet = &evaluation.fleet;
    let known = fleet.host(host)?;
    let by_pool = known.pool.as_ref().map(|pool| &pool.fields);
    let deploy = |fields: &crate::fleet::Fields| fields.text("deploy.image").cloned();
    let name = deploy(&known.fields).or_else(|| deploy(by_pool?))?;
    let found = fleet.image(&name)?;
    let said = found.fields.get(part)?;
    let by = explain(evaluation, host, "deploy.image").ok()?;
    let by = by.rungs.first()?;
    let value = said.value.to_string();
    let rung = Rung {
        wins: true,
        value: value.clone(),
        origin: said.origin,
        site: said.origin.show(&evaluation.files),
        from: format!("image {name}, deployed by {} at {}", by.from, by.site),
        rank: "plain, image".to_owned(),
        expression: None,
    };
    Some((rung, value))
}

/// The path that a text means, if something can stand there.
fn find(paths: &Paths, text: &str) -> Result<PathId, ExplainError> {
    let Some(id) = paths.find(Entity::Host, text).filter(|_| !text.is_empty()) else {
        // A key that nobody wrote is no error: nothing was said about it.
        if let Some((map, key)) = text.split_once('.')
            && let Some(id) = paths.find(Entity::Host, map)
            && paths
                .get(id)
                .field
                .is_some_and(|field| matches!(field.kind, Kind::Map(_)))
            && !key.is_empty()
        {
            return Ok(id);
        }
        let near = near(text);
        return Err(ExplainError::NoField {
            path: text.to_owned(),
            near,
        });
    };
    let path = paths.get(id);
    let has_value = path.key.is_some()
        || path
            .field
            .is_some_and(|field| matches!(field.kind, Kind::Leaf(_) | Kind::Union(_)));
    if has_value {
        return Ok(id);
    }
    let mut fields: Vec<String> = paths
        .fields(id)
        .iter()
        .map(|field| format!("`{text}.{}`", field.name))
        .collect();
    fields.extend(paths.keys_below(id).map(|key| format!("`{text}.{key}`")));
    fields.sort();
    Err(ExplainError::NotAValue {
        path: text.to_owned(),
        fields,
    })
}

/// The path that was probably meant: each word the nearest among the fields that it could be.
fn near(text: &str) -> Option<String> {
    let root = Entity::Host.fields();
    if let Some(found) = suggest_field(text, root, root) {
        return Some(found.words.replace(' ', "."));
    }
    let mut fields = root;
    let mut words = Vec::new();
    for word in text.split('.') {
        let names = fields.iter().map(|field| field.name);
        let found = similar(word, names)?.word;
        let field = fields.iter().find(|field| field.name == found)?;
        words.push(field.name);
        fields = field.fields();
    }
    Some(words.join("."))
}

fn ladder(bench: &Bench<'_, '_>, host: &Declared<'_>, id: PathId) -> Ladder {
    let scene = Scene {
        program: bench.program,
        paths: &bench.paths,
        gathered: &bench.gathered,
        layers: &bench.layers,
        files: bench.files,
        kind: "host",
        name: &host.name,
    };
    let path = bench.paths.get(id);
    let field = path.field;
    let rungs = rungs(bench, &scene, id, &|def| scene.where_from(def));
    Ladder {
        host: host.name.to_string(),
        path: path.text.to_string(),
        value: rungs
            .first()
            .filter(|rung| rung.wins && rung.value != "#null")
            .map(|r| r.value.clone()),
        rungs,
        default: field.and_then(|field| field.default),
        compiles_to: field.and_then(crate::schema::Field::crd_path),
        disruption: field.map_or(Disruption::None, |field| field.class),
        doc: field.map_or("", |field| field.doc),
    }
}

fn rungs(
    bench: &Bench<'_, '_>,
    scene: &Scene<'_, '_>,
    id: PathId,
    from: &dyn Fn(&Def) -> String,
) -> Vec<Rung> {
    let gathered = &bench.gathered;
    let mut rungs: Vec<(bool, Rung)> = Vec::new();
    for (index, def) in gathered.defs.iter().enumerate() {
        // What was removed further up counts, too: it is why the field is not there.
        let above = def.value.is_none() && bench.paths.is_below(id, def.path);
        if def.path != id && !above {
            continue;
        }
        let wins = bench.merged.winners.contains(&index);
        let via = scene.profiles(def);
        let mut from = from(def);
        for profile in &via {
            write!(from, ", profile {profile}").ok();
        }
        let strength = if def.sealed { "final" } else { def.rank.word() };
        let expression = gathered
            .trace
            .iter()
            .flatten()
            .find(|(place, chain, _)| *place == def.place && *chain == def.chain)
            .map(|(_, _, text)| text.clone());
        rungs.push((
            wins,
            Rung {
                wins,
                value: said(def),
                origin: def.place.into(),
                site: String::new(),
                from,
                rank: format!("{strength}, {}", depth_word(bench, def)),
                expression,
            },
        ));
    }
    // Definitions are sorted by rank already; the winner leads.
    rungs.sort_by_key(|(wins, _)| !wins);
    let mut rungs: Vec<Rung> = rungs.into_iter().map(|(_, rung)| rung).collect();
    if let Some(first) = rungs.first_mut()
        && first.value == "#null"
    {
        first.wins = true;
    }
    rungs
}

fn depth_word(bench: &Bench<'_, '_>, def: &Def) -> &'static str {
    match bench.layers.get(usize::from(def.layer)) {
        Some(Layer::Each(scope)) => match bench.program.world.scopes[*scope].kind {
            ScopeKind::Fleet => "fleet",
            ScopeKind::Rack => "rack",
            ScopeKind::Group => "group",
        },
        Some(Layer::Refine(index)) if bench.program.refines[*index].exact => "exact refine",
        Some(Layer::Refine(_)) => "refine by pattern",
        Some(Layer::Own) | None => "host",
    }
}

/// What the host's pool says, where the host says nothing.
fn pool<'t>(
    bench: &mut Bench<'_, 't>,
    evaluation: &Evaluation,
    host: &Declared<'t>,
    facts: &Facts,
    path: &str,
) -> Option<Ladder> {
    let name = &evaluation.fleet.host(&host.name)?.pool.as_ref()?.pool;
    let program: &Program<'t> = bench.program;
    let named = program
        .named
        .iter()
        .find(|named| named.entity == Entity::Pool && named.name == *name)?;
    let deploy = run::deploy(&bench.paths)?;
    bench.gathered.clear();
    bench.layers.clear();
    bench.layers.push(Layer::Own);
    let args = no_args();
    Collector {
        world: &program.world,
        profiles: &program.profiles,
        paths: &mut bench.paths,
        findings: &mut bench.findings,
        subject: Subject {
            scope: host.scope,
            host: Some((&host.name, facts)),
        },
        kind: "host",
        name: &host.name,
        entity: Entity::Pool,
        depth_limit: bench.depth_limit,
        part: Part::Below(deploy),
    }
    .run(
        &named.steps,
        Spot {
            frame: named.frame,
            args: &args,
            depth: 1,
            layer: 0,
            chain: None,
            strength: None,
        },
        &mut bench.gathered,
    );
    let name: Arc<str> = Arc::clone(&named.name);
    bench.settle("pool", &name);
    // `user-data` of a host is what `deploy { user-data }` of its pool says.
    let wanted = if path.starts_with("deploy.") {
        path.to_owned()
    } else {
        format!("deploy.{path}")
    };
    let id = bench.paths.find(Entity::Pool, &wanted)?;
    let scene = Scene {
        program,
        paths: &bench.paths,
        gathered: &bench.gathered,
        layers: &bench.layers,
        files: bench.files,
        kind: "pool",
        name: &name,
    };
    let mut rungs = rungs(bench, &scene, id, &|_| format!("pool {name}"));
    for rung in &mut rungs {
        rung.rank = rung.rank.replace("host", "pool");
    }
    let field = bench.paths.get(id).field?;
    Some(Ladder {
        host: host.name.to_string(),
        path: path.to_owned(),
        value: rungs
            .first()
            .filter(|rung| rung.wins)
            .map(|rung| rung.value.clone()),
        rungs,
        default: field.default,
        compiles_to: field.crd_path(),
        disruption: field.class,
        doc: field.doc,
    })
}
