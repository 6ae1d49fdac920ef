//! What changes at one host that is there.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::Value;

use crate::api::fleet::applyset;
use crate::api::names::{self, annotation};
use crate::api::{BareMetalHost, BareMetalHostSpec, RaidConfig, Tags};
use crate::desired::{Desired, Wanted};
use crate::diag::one_line;
use crate::plan::class::{deployment, disruption, refusal};
use crate::plan::{Action, Disruption, FieldChange, Refusal, Verb, fields};
use crate::store::Key;

use super::{guard, is_ours};

/// The update of a host, `None` when it is as wanted. `managed` says who owns its fields.
pub(super) fn update(
    desired: &Desired,
    key: &Key,
    wanted: &Wanted,
    host: &BareMetalHost,
    managed: &[ManagedFieldsEntry],
) -> Option<Action> {
    let action = |changes: Vec<FieldChange>| Action {
        host: key.clone(),
        verb: Verb::Update,
        disruption: changes
            .iter()
            .map(|one| one.disruption)
            .max()
            .unwrap_or(Disruption::None),
        changes,
        // The one that it will be in: there it counts as out while the change is made. A pool that was
        // renamed would let all its machines go at once otherwise.
        pool: wanted
            .pool
            .clone()
            .or_else(|| host.annotation(annotation::POOL).map(Arc::from)),
        rack: wanted.rack.clone(),
        machine_of: None,
        guard: None,
        refusal: None,
    };
    if let Some(owner) = host.annotation(annotation::FLEET)
        && owner != &*desired.fleet
    {
        let owner = one_line(owner);
        let text = format!(
            "it belongs to fleet `{owner}`; if that is what this spec was called, put the name \
             back (`spec {owner}`), or else give one of the two hosts another name"
        );
        let refusal = Some(Refusal {
            code: "MF7111",
            text,
        });
        return Some(Action {
            refusal,
            ..action(Vec::new())
        });
    }
    if let (Some(set), Some(other)) = (desired.set.as_deref(), applyset::set_of(host))
        && other != set
        && !is_ours(desired, host)
    {
        let text = format!(
            "it belongs to the set `{}` (label {}) of another tool or fleet; take it out there \
             first, or give one of the two hosts another name",
            one_line(other),
            names::applyset::PART_OF
        );
        let refusal = Some(Refusal {
            code: "MF7111",
            text,
        });
        return Some(Action {
            refusal,
            ..action(Vec::new())
        });
    }
    let changes = changes(desired, key, wanted, host, managed);
    if changes.is_empty() && is_ours(desired, host) {
        return None;
    }
    let mut action = action(changes);
    action.guard = guard::of_update(desired, wanted, host, action.disruption);
    action.refusal = action
        .changes
        .iter()
        .find_map(|one| refusal(host, &one.path, one.before.as_ref(), one.after.as_ref()))
        .or_else(|| guard::prevented_update(wanted, host, action.guard.as_ref()?));
    Some(action)
}

/// The changes of one host, in order of path.
fn changes(
    desired: &Desired,
    key: &Key,
    wanted: &Wanted,
    host: &BareMetalHost,
    managed: &[ManagedFieldsEntry],
) -> Vec<FieldChange> {
    if is_plainly_same(wanted, host) {
        return Vec::new();
    }
    let applied = is_applied(wanted, host);
    let mut before = fields::live(host, wanted);
    let mut pairs: Vec<(String, Option<Value>, Option<Value>)> = Vec::new();
    for (path, after) in fields::wanted(wanted) {
        let known = before.remove(&path);
        if known.as_ref() != Some(&after) {
            pairs.push((path, known, Some(after)));
        }
    }
    // What is left of `before` the spec does not say.
    for (path, value) in before {
        if is_mark(&path) || (!applied && fields::ours(managed, &path)) {
            pairs.push((path, Some(value), None));
        }
    }
    if pairs.is_empty() {
        return Vec::new();
    }
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    let deployment = deployment(host, &wanted.spec);
    let sites = desired.sites.of(&key.name, wanted);
    let change = |(path, before, after): (String, Option<Value>, Option<Value>)| {
        let (deep, ..) = fields::difference(&path, before.as_ref(), after.as_ref());
        let said = after
            .is_some()
            .then(|| sites.at(&deep).or_else(|| sites.at(&path)))
            .flatten();
        FieldChange {
            site: said.unwrap_or_default().into(),
            disruption: disruption(host, wanted, &path, deployment),
            path,
            before,
            after,
        }
    };
    pairs.into_iter().map(change).collect()
}

/// The cheap answer for nearly all hosts: equal specs, and equal metadata as far as it is not
/// somebody else's.
pub(super) fn is_plainly_same(wanted: &Wanted, host: &BareMetalHost) -> bool {
    let applied = is_applied(wanted, host);
    let same = |wanted: &Tags, live: &Option<Tags>| {
        let live = live.iter().flatten();
        let mut live = live
            .filter(|(name, _)| !name.starts_with(annotation::OURS))
            .peekable();
        // Both are sorted. What the spec does not say is not ours if this text was applied.
        wanted.iter().all(|entry| {
            while applied && live.next_if(|found| found.0 < entry.0).is_some() {}
            live.next() == Some(entry)
        }) && (applied || live.next().is_none())
    };
    same_spec(&wanted.spec, &host.spec, applied)
        && wanted
            .marks()
            .into_iter()
            .all(|(name, _, value)| host.annotation(name) == value)
        && same(&wanted.labels, &host.metadata.labels)
        && same(&wanted.annotations, &host.metadata.annotations)
}

/// True for equal specs. RAID without any volumes is what is left when volumes go; and where this
/// very text was applied, what others are known to fill in is theirs.
fn same_spec(wanted: &BareMetalHostSpec, live: &BareMetalHostSpec, applied: bool) -> bool {
    if live == wanted {
        return true;
    }
    let mut live = live.clone();
    if live.raid.as_deref() == Some(&RaidConfig::default()) {
        live.raid = None;
    }
    if applied && wanted.architecture.is_empty() {
        live.architecture.clear();
    }
    if applied && wanted.consumer_ref.is_none() {
        live.consumer_ref = None;
    }
    live == *wanted
}

/// True when the host was last applied from the very text that is wanted now: then any field that
/// the text does not say is somebody else's.
pub(super) fn is_applied(wanted: &Wanted, host: &BareMetalHost) -> bool {
    host.annotation(annotation::SPEC_DIGEST)
        .is_some_and(|applied| wanted.digest.is(applied))
}

/// A mark of ours, which nobody else sets.
fn is_mark(path: &str) -> bool {
    !path.contains('.') && !path.contains('[')
}
