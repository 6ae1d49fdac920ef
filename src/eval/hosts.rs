//! All hosts, one after another: on several threads where that pays, and without those that are
//! taken over from the last evaluation ([`super::kept`]).

use std::sync::Arc;
use std::thread;

use super::declare::Declared;
use super::instance::{Bench, Evaluated};
use super::kept::Reuse;
use super::report::Findings;
use super::rules;
use crate::schema::{PathId, Paths};

/// Below this many hosts a second thread costs more than it gains.
pub(super) const WORTH_A_THREAD: usize = 256;

/// What became of hosts.
pub(super) struct Part {
    /// In the order in which they are declared.
    pub hosts: Vec<Evaluated>,
    pub findings: Findings,
    /// The block of one declares something that is lost there.
    pub lost: bool,
}

/// Evaluates all hosts; the result does not depend on threads.
pub(super) fn all<'a, 't: 'a, F>(declared: &[Declared<'t>], paths: &mut Paths, bench: &F) -> Part
where
    F: Fn(Paths) -> Bench<'a, 't> + Sync,
{
    let all: Vec<&Declared<'t>> = declared.iter().collect();
    several(&all, paths, bench)
}

/// Evaluates the hosts that cannot be taken over. `None` where `paths`, which go on from those of
/// the last evaluation, have a key that nobody names any more.
pub(super) fn some<'a, 't: 'a, F>(
    declared: &[Declared<'t>],
    paths: &mut Paths,
    reuse: Reuse,
    bench: &F,
) -> Option<Part>
where
    F: Fn(Paths) -> Bench<'a, 't> + Sync,
{
    let mut part = several(&reuse.others(declared), paths, bench);
    if !reuse.names_all_keys(paths, &part.findings.effects) {
        return None;
    }
    part.findings.effects.files.extend(reuse.did);
    let mut fresh = part.hosts.into_iter();
    let known = reuse.known.into_iter();
    let hosts = known.filter_map(|known| known.or_else(|| fresh.next()));
    Some(Part {
        hosts: hosts.collect(),
        ..part
    })
}

fn several<'a, 't: 'a, F>(declared: &[&Declared<'t>], paths: &mut Paths, bench: &F) -> Part
where
    F: Fn(Paths) -> Bench<'a, 't> + Sync,
{
    let threads = if declared.len() < WORTH_A_THREAD {
        1
    } else {
        thread::available_parallelism()
            .map_or(1, std::num::NonZero::get)
            .min(8)
    };
    let shared = paths.len();
    let size = declared.len().div_ceil(threads).max(1);
    let parts: Vec<_> = thread::scope(|scope| {
        let mut chunks = declared.chunks(size);
        let first = chunks.next().unwrap_or_default();
        let others: Vec<_> = chunks
            .map(|chunk| {
                let paths = paths.clone();
                scope.spawn(|| in_turn(chunk, bench(paths)))
            })
            .collect();
        let mut parts = vec![in_turn(first, bench(paths.clone()))];
        for other in others {
            match other.join() {
                Ok(part) => parts.push(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        parts
    });
    let mut all = Part {
        hosts: Vec::with_capacity(declared.len()),
        findings: Findings::default(),
        lost: false,
    };
    for (mut part, grown) in parts {
        let renamed = paths.absorb(&grown, shared);
        let rename = |id: PathId| match (id.0 as usize).checked_sub(shared) {
            Some(index) => renamed[index],
            None => id,
        };
        for item in part.hosts.iter_mut().flat_map(|host| &mut host.items) {
            item.path = rename(item.path);
        }
        for did in part.findings.effects.files.values_mut() {
            let did = Arc::make_mut(did);
            did.keys = did.keys.iter().map(|id| rename(*id)).collect();
        }
        all.lost |= part.lost;
        all.hosts.append(&mut part.hosts);
        all.findings.absorb(part.findings);
    }
    all
}

/// Hosts on one thread, and the table of paths as it grew.
fn in_turn<'t>(declared: &[&Declared<'t>], mut bench: Bench<'_, 't>) -> (Part, Paths) {
    bench.paths.take_met();
    let mut hosts = Vec::with_capacity(declared.len());
    for host in declared {
        let file = host.node.file();
        if !bench.findings.effects.is_at(file) {
            let keys = bench.paths.take_met();
            bench.findings.effects.turn(keys, Some(file));
        }
        let said = bench.findings.said;
        let mut evaluated = bench.host(host);
        rules::single(&mut bench, host, &mut evaluated);
        if bench.findings.said != said {
            bench.findings.effects.loud(file);
        }
        hosts.push(evaluated);
    }
    let keys = bench.paths.take_met();
    bench.findings.effects.turn(keys, None);
    let part = Part {
        hosts,
        findings: bench.findings,
        lost: bench.lost,
    };
    (part, bench.paths)
}
