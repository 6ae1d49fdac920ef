//! One evaluation from end to end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::thread;

use super::collect::{Collector, Gathered, Part, Spot, no_args};
use super::compile::{Signature, Signatures};
use super::declare::{Named, Program, Spec, declare};
use super::hosts::{self, WORTH_A_THREAD};
use super::import::{Cache, Project, load};
use super::instance::{Bench, Evaluated, Layer};
use super::kept::{Kept, Left, Start, refined};
use super::merge::Merged;
use super::report::{Findings, cap};
use super::scope::{ScopeKind, Subject};
use super::{Evaluation, Inputs, Namespace, consequence, faults, idle, pool, rules};
use crate::diag::Diagnostic;
use crate::fleet::{
    Candidate, Canonical, Fields, Fleet, Held, Host, Image, Ironic, Item, Rack, Ramdisk,
    Simulation, Value,
};
use crate::schema::{Entity, PathId, Paths};

/// See [`super::evaluate_in`].
pub(super) fn evaluate(
    inputs: &Inputs<'_>,
    namespace: &Namespace,
    cache: &mut Cache,
) -> Evaluation {
    let mut findings = Findings::default();
    let mut project = load(inputs, namespace, cache, &mut findings);
    project.partial = !project.complete && findings.has_errors();
    let project = Arc::new(project);
    let start = cache.kept.as_ref().and_then(|kept| kept.start(&project));
    let (fleet, complete, left) = fleet(&project, &mut findings, start.as_ref());
    let fleet = Arc::new(fleet);
    if complete && !findings.has_errors() {
        let (project, fleet) = (Arc::clone(&project), Arc::clone(&fleet));
        cache.kept = Some(Kept::new(project, fleet, left));
    }
    let mut diagnostics = findings.finish();
    consequence::leave_out(&mut diagnostics);
    let files = &project.files;
    diagnostics.sort_by(|a, b| {
        super::instance::by_site(files, a.primary.place, b.primary.place)
            .then_with(|| a.code.cmp(&b.code))
            .then_with(|| a.message.cmp(&b.message))
    });
    cap(&mut diagnostics, project.limits.diagnostics);
    debug_assert!(
        complete && fleet.held.is_empty() || diagnostics.iter().any(Diagnostic::is_error),
        "something is kept as it is, and nothing says why"
    );
    Evaluation {
        fleet,
        files: project.files.clone(),
        diagnostics,
        complete,
        watched: watched(&project),
        project,
    }
}

fn watched(project: &Project) -> Vec<std::path::PathBuf> {
    let mut watched = project.watched.clone();
    watched.sort();
    watched.dedup();
    watched
}

/// The signatures of all profiles, for blocks that are compiled late.
pub(super) fn signatures<'t>(program: &Program<'t>) -> Signatures<'t> {
    program
        .profiles
        .iter()
        .enumerate()
        .map(|(index, profile)| {
            let params = profile
                .params
                .iter()
                .map(|param| (param.name, param.default.is_some()))
                .collect();
            (profile.name, Signature { index, params })
        })
        .collect()
}

/// `start` is where the last evaluation is gone on from; if that does not do, from nothing.
fn fleet(
    project: &Project,
    findings: &mut Findings,
    start: Option<&Start<'_>>,
) -> (Fleet, bool, Left) {
    let before = start.map(|_| findings.clone()).unwrap_or_default();
    let mut paths = start.map_or_else(Paths::new, |start| Paths::clone(start.table()));
    if start.is_some() {
        paths.take_met();
    }
    let (program, properties) = declare(project, &mut paths, findings);
    let signatures = signatures(&program);
    let known = rules::Known::of(&paths);
    let lab: OnceLock<bool> = OnceLock::new();
    let bench = |paths: Paths| Bench {
        program: &program,
        properties: &properties,
        signatures: &signatures,
        files: &project.files,
        paths,
        findings: Findings::default(),
        gathered: Gathered::default(),
        merged: Merged::default(),
        layers: Vec::new(),
        steps: Vec::new(),
        fact_names: Vec::new(),
        depth_limit: project.limits.profile_depth,
        known: known.clone(),
        lab: lab.get().copied().unwrap_or(false),
        lost: false,
        unusable: BTreeSet::new(),
    };

    // Everything that is no host: few, and pools have to be known before hosts are placed.
    let mut small = bench(paths);
    let mut complete = program.complete;
    let spec = program
        .spec
        .as_ref()
        .map(|spec| named_spec(&mut small, spec));
    if let Some((items, _)) = &spec {
        let path = small.paths.child(Paths::root(Entity::Spec), "lab");
        let is_lab = items
            .iter()
            .any(|item| Some(item.path) == path && item.value == Value::Bool(true));
        lab.set(is_lab).ok();
    }
    let entities: Vec<(usize, Vec<Item>, bool)> = program
        .named
        .iter()
        .enumerate()
        .map(|(index, named)| {
            let (items, broken) = entity(&mut small, named);
            complete &= !broken;
            (index, items, broken)
        })
        .collect();
    findings.absorb(std::mem::take(&mut small.findings));
    let mut paths = small.paths;

    let refined = refined(&program);
    let evaluated = match start {
        None => hosts::all(&program.hosts, &mut paths, &bench),
        Some(start) => {
            let reuse = start.reuse(&program, &refined, paths.take_met());
            let some = |reuse| hosts::some(&program.hosts, &mut paths, reuse, &bench);
            let Some(evaluated) = reuse.and_then(some) else {
                *findings = before;
                return fleet(project, findings, None);
            };
            evaluated
        }
    };
    findings.absorb(evaluated.findings);
    complete &= !evaluated.lost;
    let mut small = bench(paths);
    let mut hosts: Vec<Evaluated> = evaluated.hosts;
    small.unusable = entities
        .iter()
        .filter(|(_, _, broken)| *broken)
        .map(|(index, ..)| {
            (
                program.named[*index].entity,
                Arc::clone(&program.named[*index].name),
            )
        })
        .collect();
    let mut selection = pool::select(&mut small, &entities, &mut hosts);
    rules::between(&mut small, &mut hosts, &mut selection.candidates);
    findings.absorb(std::mem::take(&mut small.findings));
    let same = start
        .map(Start::table)
        .filter(|table| table.len() == small.paths.len());
    let paths = same.map_or_else(
        || {
            small.paths.forget_met();
            Arc::new(small.paths)
        },
        Arc::clone,
    );
    let mut left = Left {
        identities: hosts.iter().map(|host| host.identity).collect(),
        did: BTreeMap::new(),
        starts: program.starts.clone(),
        refined,
        tables: start.map_or(0, |start| start.tables(&paths)),
    };

    let edition: Arc<str> = program.spec.as_ref().map_or_else(
        || Arc::from(crate::schema::EDITION),
        |s| Arc::clone(&s.edition),
    );
    let rank = paths.rank();
    let mut fleet = Fleet {
        edition: Arc::clone(&edition),
        paths: Arc::clone(&paths),
        namespace: Arc::clone(&program.namespace),
        ..Fleet::empty()
    };
    if let (Some(spec), Some((items, broken))) = (&program.spec, spec) {
        complete &= !broken;
        fleet.name = Arc::clone(&spec.name);
        fleet.origin = Some(spec.place.into());
        read_spec(&mut fleet, &fields(&paths, &rank, items), project);
    }
    for scope in &program.world.scopes[1..] {
        let rack = Rack {
            name: Arc::clone(&scope.name),
            facts: scope.facts.clone(),
            origin: scope.place.into(),
        };
        match scope.kind {
            ScopeKind::Rack => fleet.racks.push(rack),
            ScopeKind::Group => fleet.groups.push(rack),
            ScopeKind::Fleet => {}
        }
    }
    for list in [&mut fleet.racks, &mut fleet.groups] {
        list.sort_by(|a, b| crate::fleet::natural(&a.name, &b.name));
    }
    for (index, items, broken) in entities {
        let named = &program.named[index];
        if broken {
            continue;
        }
        let fields = fields(&paths, &rank, items);
        let (name, origin) = (Arc::clone(&named.name), named.place.into());
        match named.entity {
            Entity::Image => fleet.images.push(Image {
                digest: Canonical::default().of(&edition, &name, &fields),
                name,
                fields,
                origin,
            }),
            Entity::Ironic => fleet.ironics.extend(ironic(name, &fields, origin)),
            Entity::Pool => fleet.pools.push(pool::typed(name, fields, origin)),
            Entity::Spec | Entity::Host => {}
        }
    }
    fleet
        .images
        .sort_by(|a, b| crate::fleet::natural(&a.name, &b.name));
    fleet
        .ironics
        .sort_by(|a, b| crate::fleet::natural(&a.name, &b.name));
    fleet
        .pools
        .sort_by(|a, b| crate::fleet::natural(&a.name, &b.name));
    finish_hosts(&mut fleet, &program, hosts, selection, &rank);
    if complete {
        idle::report(project, &program, &paths, findings);
    }
    left.did = std::mem::take(&mut findings.effects.files);
    (fleet, complete, left)
}

/// Sorts fields by path and freezes them.
fn fields(paths: &Arc<Paths>, rank: &[u32], mut items: Vec<Item>) -> Fields {
    sort(rank, &mut items);
    Fields {
        paths: Arc::clone(paths),
        items: items.into(),
    }
}

fn sort(rank: &[u32], items: &mut [Item]) {
    items.sort_unstable_by_key(|item| rank[item.path.0 as usize]);
}

fn finish_hosts(
    fleet: &mut Fleet,
    program: &Program<'_>,
    hosts: Vec<Evaluated>,
    mut selection: pool::Selection,
    rank: &[u32],
) {
    let paths = Arc::clone(&fleet.paths);
    let edition = Arc::clone(&fleet.edition);
    let rack = |mut scope: usize, evaluated: &Evaluated| loop {
        let found = &program.world.scopes[scope];
        match (found.kind, found.parent) {
            (ScopeKind::Rack, _) => return Some(Arc::clone(&found.name)),
            (_, Some(parent)) => scope = parent,
            (_, None) => {
                return evaluated
                    .facts
                    .get("rack")
                    .map(|rack| Arc::from(super::facts::plain(rack)));
            }
        }
    };
    let mut ready: Vec<Arc<Host>> = Vec::with_capacity(hosts.len());
    for (index, (declared, evaluated)) in program.hosts.iter().zip(hosts).enumerate() {
        if evaluated.broken {
            fleet.held.push(Held {
                name: Arc::clone(&declared.name),
                origin: declared.place.into(),
            });
            continue;
        }
        let pool = selection
            .candidates
            .remove(&index)
            .map(|(name, items)| Candidate {
                pool: name,
                fields: fields(&paths, rank, items),
            });
        if let Some(candidate) = &pool
            && let Some(pool) = fleet
                .pools
                .iter_mut()
                .find(|pool| pool.name == candidate.pool)
        {
            pool.candidates.push(Arc::clone(&declared.name));
        }
        ready.push(match evaluated.known {
            Some(known) if is_same(known.pool.as_ref(), pool.as_ref()) => known,
            Some(known) => Arc::new(Host {
                pool,
                ..Host::clone(&known)
            }),
            None => Arc::new(Host {
                name: Arc::clone(&declared.name),
                rack: rack(declared.scope, &evaluated),
                facts: evaluated.facts,
                fields: Fields {
                    paths: Arc::clone(&paths),
                    items: evaluated.items.into(),
                },
                pool,
                origin: declared.place.into(),
                digest: crate::fleet::Digest([0; 32]),
            }),
        });
    }
    let finish = |hosts: &mut [Arc<Host>]| {
        let mut canonical = Canonical::default();
        // One that is shared was finished when it was made.
        for host in hosts.iter_mut().filter_map(Arc::get_mut) {
            sort(rank, &mut host.fields.items);
            host.digest = canonical.of(&edition, &host.name, &host.fields);
        }
    };
    if ready.len() < WORTH_A_THREAD {
        finish(&mut ready);
    } else {
        let middle = ready.len() / 2;
        let (left, right) = ready.split_at_mut(middle);
        thread::scope(|scope| {
            scope.spawn(|| finish(left));
            finish(right);
        });
    }
    fleet.hosts = ready;
}

/// Whether a host has the same from its pool, written at the same places.
fn is_same(before: Option<&Candidate>, now: Option<&Candidate>) -> bool {
    match (before, now) {
        (None, None) => true,
        (Some(a), Some(b)) => a.pool == b.pool && a.fields.items == b.fields.items,
        _ => false,
    }
}

fn named_spec<'t>(bench: &mut Bench<'_, 't>, spec: &Spec<'t>) -> (Vec<Item>, bool) {
    simple(
        bench,
        Entity::Spec,
        &spec.name,
        &spec.steps,
        spec.frame,
        Part::All,
    )
}

/// An image, pool or Ironic; of a pool all but `deploy`, which is evaluated for each host.
fn entity<'t>(bench: &mut Bench<'_, 't>, named: &Named<'t>) -> (Vec<Item>, bool) {
    let part = match (named.entity, deploy(&bench.paths)) {
        (Entity::Pool, Some(deploy)) => Part::Without(deploy),
        _ => Part::All,
    };
    let (items, mut broken) = simple(
        bench,
        named.entity,
        &named.name,
        &named.steps,
        named.frame,
        part,
    );
    broken |= rules::entity(bench, named, &items, broken);
    (items, broken)
}

/// The path of a pool's `deploy`.
pub(super) fn deploy(paths: &Paths) -> Option<PathId> {
    paths.child(Paths::root(Entity::Pool), "deploy")
}

fn simple<'t>(
    bench: &mut Bench<'_, 't>,
    entity: Entity,
    name: &Arc<str>,
    steps: &[super::compile::Step<'t>],
    frame: usize,
    part: Part,
) -> (Vec<Item>, bool) {
    bench.gathered.clear();
    bench.layers.clear();
    bench.layers.push(Layer::Own);
    let args = no_args();
    Collector {
        world: &bench.program.world,
        profiles: &bench.program.profiles,
        paths: &mut bench.paths,
        findings: &mut bench.findings,
        subject: Subject {
            scope: 0,
            host: None,
        },
        kind: entity.word(),
        name,
        entity,
        depth_limit: bench.depth_limit,
        part,
    }
    .run(
        steps,
        Spot {
            frame,
            args: &args,
            depth: 1,
            layer: 0,
            chain: None,
            strength: None,
        },
        &mut bench.gathered,
    );
    let items = bench.settle(entity.word(), name);
    let broken = bench.gathered.broken || bench.merged.bad || !bench.merged.problems.is_empty();
    (items, broken)
}

fn read_spec(fleet: &mut Fleet, fields: &Fields, project: &Project) {
    fleet.lab = fields.bool("lab").unwrap_or(false);
    fleet.secrets = fields.text("secrets").cloned();
    let mut simulated = fields.iter().filter(|found| {
        &*found.path.text == "simulated" || found.path.text.starts_with("simulated.")
    });
    let Some(first) = simulated.next() else {
        return;
    };
    let int = |path: &str| fields.int(path);
    let (faults, origins) = faults::all(fields, project);
    fleet.simulation_origin = Some(first.origin);
    fleet.faults = origins;
    fleet.simulation = Some(Simulation {
        pace: int("simulated.pace").and_then(|pace| u32::try_from(pace).ok()),
        seed: int("simulated.seed")
            .and_then(|seed| u64::try_from(seed).ok())
            .unwrap_or(0),
        faults,
        fault_percent: int("simulated.fault-percent")
            .and_then(|share| u8::try_from(share).ok())
            .unwrap_or(0),
    });
}

fn ramdisk(fields: &Fields) -> Option<Ramdisk> {
    Some(Ramdisk {
        kernel: fields.text("ramdisk.kernel")?.clone(),
        initramfs: fields.text("ramdisk.initramfs")?.clone(),
    })
}

fn ironic(name: Arc<str>, fields: &Fields, origin: crate::fleet::Origin) -> Option<Ironic> {
    let slots = |path: &str| fields.int(path).and_then(|slots| u32::try_from(slots).ok());
    Some(Ironic {
        name,
        url: fields.text("url")?.clone(),
        auth: fields.reference("auth").cloned(),
        ca: fields.reference("ca").cloned(),
        verify_ca: fields.bool("verify-ca").unwrap_or(true),
        ramdisk: ramdisk(fields),
        inspect: slots("limits.inspect"),
        clean: slots("limits.clean"),
        deploy: slots("limits.deploy"),
        origin,
    })
}
