//! Rules between hosts, and between hosts and what they name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZero;
use std::sync::Arc;

use crate::api::bmc::BmcAddress;
use crate::diag::suggest::{Suggestion, similar};
use crate::diag::{Code, Diagnostic, Place, Subject};
use crate::eval::instance::{Bench, Evaluated};
use crate::eval::spelling::with_near_word;
use crate::fleet::{Item, Text, Value, fold};
use crate::schema::{Entity, PathId, Paths};

/// Boot MAC and BMC addresses that two hosts have; images and Ironics that nobody declares.
pub(in crate::eval) fn between(
    bench: &mut Bench<'_, '_>,
    hosts: &mut [Evaluated],
    candidates: &mut HashMap<usize, (Arc<str>, Vec<Item>)>,
) {
    let known = bench.known.clone();
    let text = |host: &Evaluated, path: PathId| {
        host.items()
            .iter()
            .find(|item| item.path == path)
            .and_then(|item| match &item.value {
                Value::Text(text) => Some(text.to_string()),
                _ => None,
            })
    };
    let macs = clashes(
        hosts,
        |host| host.identity.mac,
        |host| text(host, known.mac),
    );
    report(bench, hosts, known.mac, 3505, "boot MAC address", macs);
    for (number, (path, what)) in known.disks.into_iter().enumerate() {
        let same = clashes(
            hosts,
            |host| host.identity.disks[number],
            |host| text(host, path).map(|text| text.to_ascii_lowercase()),
        );
        report(bench, hosts, path, 3315, what, same);
    }
    let bmcs = clashes(
        hosts,
        |host| host.identity.bmc,
        |host| {
            Some(
                text(host, known.address)?
                    .parse::<BmcAddress>()
                    .ok()?
                    .identity(),
            )
        },
    );
    report(bench, hosts, known.address, 3203, "BMC address", bmcs);
    names(bench, hosts, candidates);
}

/// Hosts that have the same of something: by hash first, for there are many hosts and few clashes.
fn clashes(
    hosts: &[Evaluated],
    hash: impl Fn(&Evaluated) -> Option<NonZero<u64>>,
    identity: impl Fn(&Evaluated) -> Option<String>,
) -> Vec<Vec<usize>> {
    let mut hashes: Vec<(NonZero<u64>, usize)> = hosts
        .iter()
        .enumerate()
        .filter_map(|(index, host)| Some((hash(host)?, index)))
        .collect();
    hashes.sort_unstable();
    let mut found: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for same in hashes
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|same| same.len() > 1)
    {
        for (_, index) in same {
            if let Some(identity) = identity(&hosts[*index]) {
                found.entry(identity).or_default().push(*index);
            }
        }
    }
    let mut found: Vec<_> = found
        .into_values()
        .filter(|indices| indices.len() > 1)
        .collect();
    found.sort();
    found
}

/// MF4315: with several Ironics each host has to say which one is its own.
fn undriven(bench: &mut Bench<'_, '_>, hosts: &mut [Evaluated], ironics: &BTreeSet<&str>) {
    let driven_by = bench.paths.child(Paths::root(Entity::Host), "driven-by");
    let Some(driven_by) = driven_by.filter(|_| ironics.len() > 1) else {
        return;
    };
    for (index, evaluated) in hosts.iter_mut().enumerate() {
        // What could not be read is not missing.
        if evaluated.broken || evaluated.items().iter().any(|item| item.path == driven_by) {
            continue;
        }
        evaluated.broken = true;
        let host = &bench.program.hosts[index];
        bench
            .findings
            .about("host", &host.name, 4315, host.place, "", || {
                let known: Vec<&str> = ironics.iter().copied().collect();
                let text = "the fleet has several Ironics, and no `driven-by` says whose this is";
                Diagnostic::error(Code(4315), text.to_owned(), host.place, "").help(format!(
                    "say `driven-by NAME`, one of `{}`",
                    known.join("`, `")
                ))
            });
    }
}

/// What the values of two sites have in common.
struct Group {
    /// The first value that is there twice, and who has it.
    shown: String,
    first: BTreeSet<usize>,
    /// All hosts that have one with another, and the first host of each such value.
    members: BTreeSet<usize>,
    clashes: BTreeSet<usize>,
}

fn report(
    bench: &mut Bench<'_, '_>,
    hosts: &mut [Evaluated],
    path: PathId,
    code: u16,
    what: &str,
    clashes: Vec<Vec<usize>>,
) {
    // One finding a site and site it clashes with: a range without the number in it is one mistake.
    let mut groups: BTreeMap<(Place, Place), Group> = BTreeMap::new();
    let origin = |index: usize| {
        let item = hosts[index].items().iter().find(|item| item.path == path);
        item.map(|item| item.origin.place())
    };
    for clash in &clashes {
        let Some(first) = origin(clash[0]) else {
            continue;
        };
        for index in &clash[1..] {
            let Some(place) = origin(*index) else {
                continue;
            };
            let text = hosts[*index].items().iter().find(|item| item.path == path);
            let shown = text.map_or_else(String::new, |item| item.value.to_string());
            let group = groups.entry((place, first)).or_insert_with(|| Group {
                shown,
                first: BTreeSet::from([clash[0]]),
                members: BTreeSet::new(),
                clashes: BTreeSet::new(),
            });
            group.members.extend([clash[0], *index]);
            group.clashes.insert(clash[0]);
            if group.first.contains(&clash[0]) {
                group.first.insert(*index);
            }
        }
    }
    for ((place, first), group) in groups {
        let named = |members: &BTreeSet<usize>| -> Vec<&str> {
            let members = members.iter();
            members
                .map(|index| &*bench.program.hosts[*index].name)
                .collect()
        };
        let names = named(&group.members);
        // Two ranges that run alike clash host by host.
        let also = match group.clashes.len() - 1 {
            0 => String::new(),
            1 => ", and so do two others of these ranges".to_owned(),
            more => format!(", and so do {more} more pairs of these ranges"),
        };
        let text = format!(
            "hosts `{}` share the {what} {}{also}",
            fold(&named(&group.first)),
            group.shown
        );
        let mut finding = Diagnostic::error(Code(code), text, place, "");
        if first != place {
            finding = finding.label(first, "the same here");
        } else if code == 3505 {
            finding = finding.help(
                "write it with a number of the host in it: `${mac('52:54:00:00:00:00', host.slot)}`, where \
                 `slot` names the range in the host's name, as in `n[slot=1-8]`",
            );
        } else if code == 3203 {
            finding =
                finding.help("write it with the host's name in it, `${host.name}`, or its number");
        }
        finding.subject = Some(Subject {
            kind: "host",
            names: names.iter().map(ToString::to_string).collect(),
            path: Some(bench.paths.get(path).text.to_string()),
        });
        bench.findings.add(finding);
    }
    for index in clashes.into_iter().flatten() {
        hosts[index].broken = true;
    }
}

/// MF4101 and its like: `deploy IMAGE` and `driven-by IRONIC` name something that is declared.
fn names(
    bench: &mut Bench<'_, '_>,
    hosts: &mut [Evaluated],
    candidates: &mut HashMap<usize, (Arc<str>, Vec<Item>)>,
) {
    let child = |root: PathId, names: &[&str]| {
        names
            .iter()
            .try_fold(root, |at, name| bench.paths.child(at, name))
    };
    let host = Paths::root(Entity::Host);
    let pool = Paths::root(Entity::Pool);
    let wanted = [
        (child(host, &["deploy", "image"]), Entity::Image, 4101),
        (child(pool, &["deploy", "image"]), Entity::Image, 4101),
        (child(host, &["driven-by"]), Entity::Ironic, 4314),
    ];
    let declared = |entity: Entity| -> BTreeSet<&str> {
        let named = bench
            .program
            .named
            .iter()
            .filter(|named| named.entity == entity);
        named.map(|named| &*named.name).collect()
    };
    let images = declared(Entity::Image);
    let ironics = declared(Entity::Ironic);
    undriven(bench, hosts, &ironics);
    let mut found = Vec::new();
    for (index, evaluated) in hosts.iter_mut().enumerate() {
        let from_pool = candidates.get(&index).map(|(_, items)| items.as_slice());
        let named = bench
            .known
            .names
            .iter()
            .filter(|_| evaluated.identity.names);
        let own = named.filter_map(|path| evaluated.at(*path, &bench.paths));
        let all = own.chain(from_pool.unwrap_or_default());
        let mut broken = false;
        for item in all {
            let Some((_, entity, code)) = wanted.iter().find(|(path, ..)| *path == Some(item.path))
            else {
                continue;
            };
            let Value::Text(name) = &item.value else {
                continue;
            };
            let known = if *entity == Entity::Image {
                &images
            } else {
                &ironics
            };
            if known.contains(&**name) {
                // One that is there and cannot be used is as good as none.
                broken |= bench.unusable.contains(&(*entity, Arc::from(&**name)));
            } else {
                broken = true;
                found.push((index, item.origin.place(), *entity, *code, name.clone()));
            }
        }
        evaluated.broken |= broken;
    }
    // One name is usually missing to many hosts.
    let mut nears: HashMap<(Entity, Text), Option<Suggestion<'_>>> = HashMap::new();
    for (index, place, entity, code, name) in found {
        let known = if entity == Entity::Image {
            &images
        } else {
            &ironics
        };
        let host = &bench.program.hosts[index].name;
        let near = *nears
            .entry((entity, name.clone()))
            .or_insert_with(|| similar(&name, known.iter().copied()));
        if bench.program.partial && !near.is_some_and(Suggestion::is_sure) {
            // What is missing may declare it.
            continue;
        }
        bench.findings.about("host", host, code, place, &name, || {
            let finding = Diagnostic::error(
                Code(code),
                format!("no {} is called `{}`", entity.word(), &*name),
                place,
                "",
            );
            match near {
                Some(_) => with_near_word(finding, bench.files, place, &name, near),
                None => finding.help(format!(
                    "declare it: `{} {} {{ … }}`",
                    entity.word(),
                    &*name
                )),
            }
        });
    }
}
