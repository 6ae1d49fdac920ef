//! `diff(desired, observed)`: the plan. Pure; equal input gives equal bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::Value;

use crate::api::BareMetalHost;
use crate::api::names::annotation;
use crate::desired::{Desired, Wanted};
use crate::store::{Key, Object as _};

use super::class::{deployed, disruption, refusal};
use super::fields::{leaves, owns};
use super::{Action, Disruption, FieldChange, Guard, OWNER, Plan, Refusal, Verb};

/// Who owns which fields of which host (managedFields).
pub type Owned = BTreeMap<Key, Vec<ManagedFieldsEntry>>;

/// The hosts that are there and not as wanted: those whose field owners [`diff`] has to know.
pub fn differing(desired: &Desired, observed: &[Arc<BareMetalHost>]) -> Vec<Key> {
    observed
        .iter()
        .filter_map(|host| {
            let key = host.key();
            let wanted = desired.hosts.get(&key)?;
            (!unchanged(wanted, host)).then_some(key)
        })
        .collect()
}

/// What has to change so that `observed` becomes `desired`.
///
/// Hosts that another fleet owns are not touched: a wanted host that exists and belongs to another
/// fleet is refused, one that belongs to nobody is adopted by an update. Nothing is removed when
/// `desired` is not complete.
///
/// `owned` has the field owners of at least the hosts that [`differing`] names: a field that the
/// spec does not say goes only if it was ours.
pub fn diff(desired: &Desired, observed: &[Arc<BareMetalHost>], owned: &Owned) -> Plan {
    let mut live: BTreeMap<Key, &Arc<BareMetalHost>> =
        observed.iter().map(|host| (host.key(), host)).collect();
    let mut plan = Plan { complete: desired.complete, ..Plan::default() };
    for (key, wanted) in &desired.hosts {
        match live.remove(key) {
            None => plan.actions.push(create(key, wanted)),
            Some(host) => match update(desired, key, wanted, host, owned) {
                Some(action) => plan.actions.push(action),
                None => plan.unchanged += 1,
            },
        }
    }
    for (key, host) in live {
        let ours = host.annotation(annotation::FLEET) == Some(&*desired.fleet);
        if desired.held.contains(&key) {
            plan.kept.push(key);
            continue;
        }
        if !ours || host.metadata.deletion_timestamp.is_some() {
            continue;
        }
        if desired.complete {
            plan.actions.push(delete(key, host));
        } else {
            plan.kept.push(key);
        }
    }
    plan.actions.sort_by(|a, b| {
        let rank = |action: &Action| (std::cmp::Reverse(action.disruption), action.verb);
        rank(a).cmp(&rank(b)).then_with(|| a.host.cmp(&b.host))
    });
    plan
}

fn create(key: &Key, wanted: &Wanted) -> Action {
    let changes = wanted_leaves(wanted)
        .into_iter()
        .map(|(path, value)| FieldChange {
            site: Arc::default(),
            path,
            before: None,
            after: Some(value),
            disruption: Disruption::None,
        })
        .collect();
    Action {
        host: key.clone(),
        verb: Verb::Create,
        disruption: Disruption::None,
        changes,
        pool: wanted.pool.clone(),
        rack: wanted.rack.clone(),
        guard: None,
        refusal: None,
    }
}

fn delete(key: Key, host: &BareMetalHost) -> Action {
    let guard = deployed(host).then(|| Guard {
        text: format!("{} is {} and is in the spec no more", key.name, host.state()),
        token: format!("delete:{}", host.metadata.uid.as_deref().unwrap_or_default()),
    });
    let disruption = if guard.is_some() { Disruption::Destroy } else { Disruption::None };
    Action {
        host: key,
        verb: Verb::Delete,
        disruption,
        changes: Vec::new(),
        pool: host.annotation(annotation::POOL).map(Arc::from),
        rack: host.annotation(annotation::RACK).map(Arc::from),
        guard,
        refusal: None,
    }
}

fn update(
    desired: &Desired,
    key: &Key,
    wanted: &Wanted,
    host: &BareMetalHost,
    owned: &Owned,
) -> Option<Action> {
    let owner = host.annotation(annotation::FLEET);
    let foreign = owner.is_some_and(|owner| owner != &*desired.fleet);
    let changes = changes(desired, key, wanted, host, owned);
    if changes.is_empty() && owner.is_some() {
        return None;
    }
    let refused = changes.iter().find_map(|change| {
        refusal(host, &change.path, change.before.as_ref(), change.after.as_ref())
    });
    let deleting = host.metadata.deletion_timestamp.is_some();
    let refusal = if foreign {
        Some(Refusal {
            code: "MF7106",
            text: format!(
                "the host belongs to fleet `{}`; give one of the two another name",
                owner.unwrap_or_default()
            ),
        })
    } else if deleting {
        Some(Refusal {
            code: "MF7105",
            text: "the host is being deleted; it is created again once it is gone".to_owned(),
        })
    } else {
        refused
    };
    let disruption =
        changes.iter().map(|change| change.disruption).max().unwrap_or(Disruption::None);
    let guard = guard(key, wanted, host, &changes, disruption);
    let refusal = refusal.or_else(|| prevented(wanted, guard.as_ref()));
    Some(Action {
        host: key.clone(),
        verb: Verb::Update,
        disruption,
        changes,
        pool: host.annotation(annotation::POOL).map(Arc::from).or_else(|| wanted.pool.clone()),
        rack: wanted.rack.clone(),
        guard,
        refusal,
    })
}

/// A deployed machine that loses its deployment for good, or moves to another pool and is deployed
/// anew there, needs a person's word; a new image in the same pool does not (it rolls).
fn guard(
    key: &Key,
    wanted: &Wanted,
    host: &BareMetalHost,
    changes: &[FieldChange],
    disruption: Disruption,
) -> Option<Guard> {
    let pool = host.annotation(annotation::POOL);
    let leaves = pool.is_some() && pool != wanted.pool.as_deref();
    let lost = disruption == Disruption::Destroy
        || (leaves && disruption == Disruption::Reprovision);
    if !lost {
        return None;
    }
    let what = match (pool, &wanted.pool) {
        (Some(pool), None) => format!("it leaves pool `{pool}`"),
        (Some(pool), Some(next)) if leaves => format!("it moves from pool `{pool}` to `{next}`"),
        (Some(_) | None, _) => "its image goes".to_owned(),
    };
    let image = changes.iter().find(|change| change.path == "spec.image.url");
    let after = image.and_then(|change| change.after.as_ref()).and_then(Value::as_str);
    Some(Guard {
        text: format!("{} is {} and {what}", key.name, host.state()),
        token: format!("leave:{}", after.unwrap_or_default()),
    })
}

/// `lifecycle prevent-destroy=#true` refuses what a guard would only hold.
fn prevented(wanted: &Wanted, guard: Option<&Guard>) -> Option<Refusal> {
    let guard = guard.filter(|_| wanted.prevent_destroy)?;
    Some(Refusal {
        code: "MF7101",
        text: format!(
            "{}, and `lifecycle prevent-destroy=#true` forbids it; take that line out first",
            guard.text
        ),
    })
}

/// The wanted object as owned leaves: spec, labels, annotations; not the origin (a line that moved
/// is no change) and not the digest.
fn wanted_leaves(wanted: &Wanted) -> Vec<(String, Value)> {
    let spec = serde_json::to_value(&wanted.spec).unwrap_or_default();
    let mut found = Vec::new();
    leaves("spec", &spec, &mut found);
    let mut all: Vec<(String, Value)> =
        found.into_iter().map(|(path, value)| (path, value.clone())).collect();
    for (name, value) in &wanted.labels {
        all.push((format!("metadata.labels.['{name}']"), Value::from(value.as_str())));
    }
    for (name, value) in &wanted.annotations {
        all.push((format!("metadata.annotations.['{name}']"), Value::from(value.as_str())));
    }
    for (name, value) in [("pool", &wanted.pool), ("rack", &wanted.rack)] {
        if let Some(value) = value {
            all.push((name.to_owned(), Value::from(value.as_ref())));
        }
    }
    all
}

fn changes(
    desired: &Desired,
    key: &Key,
    wanted: &Wanted,
    host: &BareMetalHost,
    owned: &Owned,
) -> Vec<FieldChange> {
    if unchanged(wanted, host) {
        return Vec::new();
    }
    let spec = serde_json::to_value(&host.spec).unwrap_or_default();
    let mut found = Vec::new();
    leaves("spec", &spec, &mut found);
    let mut before: BTreeMap<String, Value> =
        found.into_iter().map(|(path, value)| (path, value.clone())).collect();
    let metadata = &host.metadata;
    for (name, value) in metadata.labels.iter().flatten() {
        before.insert(format!("metadata.labels.['{name}']"), Value::from(value.as_str()));
    }
    for (name, value) in metadata.annotations.iter().flatten() {
        before.insert(format!("metadata.annotations.['{name}']"), Value::from(value.as_str()));
    }
    for (name, annotation) in [("pool", annotation::POOL), ("rack", annotation::RACK)] {
        if let Some(value) = host.annotation(annotation) {
            before.insert(name.to_owned(), Value::from(value));
        }
    }
    let mut changes = Vec::new();
    for (path, after) in wanted_leaves(wanted) {
        let known = before.remove(&path);
        if known.as_ref() != Some(&after) && !(known.is_none() && is_nothing(&after)) {
            changes.push(change(desired, host, path, known, Some(after)));
        }
    }
    let managed = owned.get(key).map(Vec::as_slice).unwrap_or_default();
    for (path, value) in before {
        if ours(managed, &path) && !is_nothing(&value) {
            changes.push(change(desired, host, path, Some(value), None));
        }
    }
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes
}

/// The cheap answer for nearly all hosts: specs are equal, and so is what we own of the metadata.
fn unchanged(wanted: &Wanted, host: &BareMetalHost) -> bool {
    let metadata = &host.metadata;
    let has = |all: &Option<BTreeMap<String, String>>, wanted: &BTreeMap<String, String>| {
        let known = |name: &String| all.as_ref().and_then(|all| all.get(name));
        wanted.iter().all(|(name, value)| known(name) == Some(value))
    };
    host.spec == wanted.spec
        && host.annotation(annotation::SPEC_DIGEST) == Some(&*wanted.digest)
        && host.annotation(annotation::POOL) == wanted.pool.as_deref()
        && host.annotation(annotation::RACK) == wanted.rack.as_deref()
        && has(&metadata.labels, &wanted.labels)
        && has(&metadata.annotations, &wanted.annotations)
}

fn change(
    desired: &Desired,
    host: &BareMetalHost,
    path: String,
    before: Option<Value>,
    after: Option<Value>,
) -> FieldChange {
    FieldChange {
        site: desired.sites.field(&host.key().name, &path).unwrap_or_default().into(),
        disruption: disruption(host, &path, before.as_ref(), after.as_ref()),
        path,
        before,
        after,
    }
}

/// `""`, `{}`, `[]`, `false` and null say the same as saying nothing.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Number(_) => false,
    }
}

/// True when a field that the spec does not say was set by us before: then it goes. Fields that
/// others set (`consumerRef`, an architecture that was found, a user's annotation) stay.
fn ours(managed: &[ManagedFieldsEntry], path: &str) -> bool {
    if path == "pool" || path == "rack" {
        return true;
    }
    let segments = segments(path);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    managed
        .iter()
        .filter(|entry| entry.manager.as_deref() == Some(OWNER))
        .filter_map(|entry| entry.fields_v1.as_ref())
        .any(|fields| owns(&fields.0, &segments))
        && !path.contains("metalform.dev/")
}

/// A dotted path's parts; `['a.b/c']` is one.
fn segments(path: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix("['")
            && let Some((name, after)) = inner.split_once("']")
        {
            parts.push(name.to_owned());
            rest = after.trim_start_matches('.');
        } else {
            let (name, after) = rest.split_once('.').unwrap_or((rest, ""));
            parts.push(name.to_owned());
            rest = after;
        }
    }
    parts
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
