//! Pools: which hosts they select, and what they deploy on each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::collect::{Collector, Part, Spot, no_args};
use super::instance::{Bench, Evaluated, Layer};
use super::rules;
use super::run;
use super::scope::Subject;
use super::spelling::with_near_word;
use crate::diag::suggest::{Suggestion, similar};
use crate::diag::{Code, Diagnostic, Subject as About};
use crate::fleet::{Fields, Item, Origin, Pool, Rollout, Text, Value, fold};
use crate::schema::{Entity, Paths};

/// What the pools select.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// By index of the host: the pool that alone selects it, and its `deploy` for that host.
    pub candidates: HashMap<usize, (Arc<str>, Vec<Item>)>,
}

/// A pool's selector.
struct Selector {
    /// Index in the program's entities.
    pool: usize,
    matches: Vec<(String, Vec<Text>, Origin)>,
    lacks: Vec<String>,
    broken: bool,
}

/// Finds the hosts of every pool and evaluates the pool's `deploy` for each.
pub(super) fn select(
    bench: &mut Bench<'_, '_>,
    entities: &[(usize, Vec<Item>, bool)],
    hosts: &mut [Evaluated],
) -> Selection {
    let program = bench.program;
    let selectors: Vec<Selector> = entities
        .iter()
        .filter(|(index, ..)| program.named[*index].entity == Entity::Pool)
        .map(|(index, items, broken)| selector(&bench.paths, *index, items, *broken))
        .collect();
    let labels = Labels::of(&bench.paths, &selectors, hosts);
    // The labels of a host with an error are not settled: it may be the one that is looked
    // for, and which of two conflicting labels is seen here must not matter.
    let unsure = hosts.iter().filter(|host| host.broken).count();
    let mut selected: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, selector) in selectors.iter().enumerate() {
        if selector.broken && selector.matches.is_empty() && selector.lacks.is_empty() {
            continue;
        }
        let found = labels.select(selector, hosts.len());
        if found.is_empty() && unsure == 0 {
            nothing(bench, selector, &labels);
        }
        if let Some((_, items, false)) = entities
            .iter()
            .find(|(entity, ..)| *entity == selector.pool)
            && !program.partial
        {
            let sure = found.iter().filter(|host| !hosts[**host].broken).count();
            replicas(bench, selector, items, sure + unsure);
        }
        for host in found {
            selected.entry(host).or_default().push(index);
        }
    }
    overlaps(bench, &selectors, &selected, hosts);
    let mut selection = Selection::default();
    for (host, pools) in selected {
        let [only] = pools.as_slice() else {
            hosts[host].broken = true;
            continue;
        };
        let selector = &selectors[*only];
        if selector.broken {
            // What it would be deployed with is not known: it stays as it is.
            hosts[host].broken = true;
            continue;
        }
        let (items, broken) = deploy_of(bench, selector.pool, host, &hosts[host]);
        hosts[host].broken |= broken;
        let name = Arc::clone(&program.named[selector.pool].name);
        selection.candidates.insert(host, (name, items));
    }
    // A pool that cannot be read may be anybody's.
    if selectors
        .iter()
        .any(|s| s.broken && s.matches.is_empty() && s.lacks.is_empty())
    {
        for (index, host) in hosts.iter_mut().enumerate() {
            host.broken |= !selection.candidates.contains_key(&index);
        }
    }
    selection
}

fn selector(paths: &Paths, pool: usize, items: &[Item], broken: bool) -> Selector {
    let mut selector = Selector {
        pool,
        matches: Vec::new(),
        lacks: Vec::new(),
        broken,
    };
    for item in items {
        let path = paths.get(item.path);
        let (Some(key), Some(field)) = (&path.key, path.field) else {
            continue;
        };
        match (field.name, &item.value) {
            ("match", Value::List(values)) => {
                selector
                    .matches
                    .push((key.to_string(), values.to_vec(), item.origin));
            }
            ("lacks", _) => selector.lacks.push(key.to_string()),
            _ => {}
        }
    }
    selector.matches.sort_by(|a, b| a.0.cmp(&b.0));
    selector.lacks.sort();
    selector
}

/// The labels that selectors ask for: key to value to hosts.
struct Labels {
    by_key: HashMap<String, HashMap<Text, BTreeSet<usize>>>,
    known: BTreeSet<String>,
}

impl Labels {
    fn of(paths: &Paths, selectors: &[Selector], hosts: &[Evaluated]) -> Self {
        let mut by_key: HashMap<String, HashMap<Text, BTreeSet<usize>>> = HashMap::new();
        let map = paths.child(Paths::root(Entity::Host), "labels");
        let mut asked: Vec<Option<&str>> = vec![None; paths.len()];
        for selector in selectors {
            let keys = selector
                .matches
                .iter()
                .map(|(key, ..)| key)
                .chain(&selector.lacks);
            for key in keys {
                by_key.entry(key.clone()).or_default();
                if let Some(path) = map.and_then(|map| paths.key(map, key)) {
                    asked[path.0 as usize] = Some(key);
                }
            }
        }
        // Where nothing is asked for nobody has to be looked at.
        let hosts = if by_key.is_empty() { &[] } else { hosts };
        for (index, host) in hosts.iter().enumerate() {
            for item in host.items() {
                if let (Some(key), Value::Text(text)) = (asked[item.path.0 as usize], &item.value)
                    && let Some(values) = by_key.get_mut(key)
                {
                    match values.get_mut(text) {
                        Some(hosts) => {
                            hosts.insert(index);
                        }
                        None => {
                            values.insert(text.clone(), BTreeSet::from([index]));
                        }
                    }
                }
            }
        }
        let known = map.map_or_else(BTreeSet::new, |map| {
            paths.keys_below(map).map(str::to_owned).collect()
        });
        Self { by_key, known }
    }

    fn select(&self, selector: &Selector, hosts: usize) -> BTreeSet<usize> {
        let empty = HashMap::new();
        let values = |key: &str| self.by_key.get(key).unwrap_or(&empty);
        let mut found: Option<BTreeSet<usize>> = None;
        for (key, wanted, _) in &selector.matches {
            let having: BTreeSet<usize> = wanted
                .iter()
                .filter_map(|value| values(key).get(value))
                .flatten()
                .copied()
                .collect();
            found = Some(match found {
                None => having,
                Some(before) => before.intersection(&having).copied().collect(),
            });
        }
        let mut found = found.unwrap_or_else(|| (0..hosts).collect());
        if selector.lacks.is_empty() {
            return found;
        }
        let mut having = vec![false; hosts];
        // Marks are set in any order alike.
        for set in selector.lacks.iter().flat_map(|key| values(key).values()) {
            for host in set {
                having[*host] = true;
            }
        }
        found.retain(|host| !having[*host]);
        found
    }
}

/// MF4202, and MF4204 where a label is set nowhere.
fn nothing(bench: &mut Bench<'_, '_>, selector: &Selector, labels: &Labels) {
    let pool = &bench.program.named[selector.pool];
    let place = pool.place;
    for (key, _, origin) in &selector.matches {
        if labels.known.contains(key) {
            continue;
        }
        let finding = Diagnostic::error(
            Code(4204),
            format!(
                "pool `{}` selects by the label `{key}`, which no host has",
                pool.name
            ),
            origin.place(),
            "",
        );
        let near = similar(key, labels.known.iter().map(String::as_str));
        if bench.program.partial && !near.is_some_and(Suggestion::is_sure) {
            return;
        }
        let place = origin.place();
        let finding = with_near_word(finding, bench.files, place, key, near);
        bench.findings.add(finding);
        return;
    }
    if bench.program.partial {
        return;
    }
    bench.findings.add(
        Diagnostic::warning(
            Code(4202),
            format!("pool `{}` matches no host", pool.name),
            place,
            "",
        )
        .subject(About {
            kind: "pool",
            names: vec![pool.name.to_string()],
            path: None,
        }),
    );
}

/// MF4203.
fn replicas(bench: &mut Bench<'_, '_>, selector: &Selector, items: &[Item], found: usize) {
    let pool = &bench.program.named[selector.pool];
    for item in items {
        let path = bench.paths.get(item.path);
        let Value::Int(wanted) = item.value else {
            continue;
        };
        if &*path.text == "replicas" && wanted > found as i64 {
            bench.findings.add(
                Diagnostic::error(
                    Code(4203),
                    format!("pool `{}` wants {wanted} hosts, {found} match", pool.name),
                    item.origin.place(),
                    "",
                )
                .label(pool.place, "its selector matches too few")
                .help("declare more hosts with these labels, or lower `replicas`")
                .subject(About {
                    kind: "pool",
                    names: vec![pool.name.to_string()],
                    path: None,
                }),
            );
        }
    }
}

/// MF4201: hosts that two pools select.
fn overlaps(
    bench: &mut Bench<'_, '_>,
    selectors: &[Selector],
    selected: &BTreeMap<usize, Vec<usize>>,
    hosts: &[Evaluated],
) {
    let program = bench.program;
    let mut groups: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
    for (host, pools) in selected.iter().filter(|(_, pools)| pools.len() > 1) {
        groups.entry(pools.clone()).or_default().push(*host);
    }
    debug_assert!(groups.values().flatten().all(|host| *host < hosts.len()));
    for (pools, members) in groups {
        let mut pools: Vec<_> = pools
            .iter()
            .map(|index| &program.named[selectors[*index].pool])
            .collect();
        pools.sort_by(|a, b| super::instance::by_site(bench.files, a.place, b.place));
        let names: Vec<&str> = members
            .iter()
            .map(|host| &*program.hosts[*host].name)
            .collect();
        let shown: Vec<String> = pools
            .iter()
            .map(|pool| format!("`{}`", pool.name))
            .collect();
        let what = if names.len() == 1 { "host" } else { "hosts" };
        let mut finding = Diagnostic::error(
            Code(4201),
            format!(
                "{what} `{}` selected by pools {}",
                fold(&names),
                shown.join(" and ")
            ),
            pools[0].place,
            "selected by this pool",
        )
        .help("a host is in one pool: narrow one of them with `lacks`, or change a label");
        for pool in &pools[1..] {
            finding = finding.label(pool.place, "and by this one");
        }
        finding.subject = Some(About {
            kind: "host",
            names: names.iter().map(ToString::to_string).collect(),
            path: None,
        });
        bench.findings.add(finding);
    }
}

/// A pool's `deploy` for one of its hosts.
fn deploy_of(
    bench: &mut Bench<'_, '_>,
    pool: usize,
    host: usize,
    evaluated: &Evaluated,
) -> (Vec<Item>, bool) {
    let Some(deploy) = run::deploy(&bench.paths) else {
        return (Vec::new(), false);
    };
    let program = bench.program;
    let (named, declared) = (&program.named[pool], &program.hosts[host]);
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
            scope: declared.scope,
            host: Some((&declared.name, evaluated.facts())),
        },
        kind: "host",
        name: &declared.name,
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
    let items = bench.settle("pool", &named.name);
    let mut broken = bench.gathered.broken || bench.merged.bad || !bench.merged.problems.is_empty();
    broken |= rules::deployment(bench, named, &items, broken);
    (items, broken)
}

/// A pool from its fields.
pub(super) fn typed(name: Arc<str>, fields: Fields, origin: Origin) -> Pool {
    let mut matches: BTreeMap<Arc<str>, BTreeSet<Text>> = BTreeMap::new();
    let mut lacks = BTreeSet::new();
    for found in fields.iter() {
        let Some(key) = &found.path.key else { continue };
        match (found.schema.name, found.value) {
            ("match", Value::List(values)) => {
                matches.insert(Arc::clone(key), values.iter().cloned().collect());
            }
            ("lacks", _) => {
                lacks.insert(Arc::clone(key));
            }
            _ => {}
        }
    }
    let count = |path: &str| fields.int(path).and_then(|count| u32::try_from(count).ok());
    Pool {
        name,
        matches,
        lacks,
        replicas: count("replicas"),
        spread_by_rack: fields.get("spread.across").is_some(),
        rollout: Rollout {
            max_unavailable: count("rollout.max-unavailable").unwrap_or(1).max(1),
            by_rack: fields.get("rollout.by").is_some(),
        },
        prevent_destroy: fields.bool("lifecycle.prevent-destroy").unwrap_or(false),
        fields,
        candidates: Vec::new(),
        origin,
    }
}
