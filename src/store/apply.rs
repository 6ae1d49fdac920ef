//! Server-side apply on values: merge what is wanted, drop what its owner no longer wants, and say
//! who owns what. Pure; the semantics are those of a Kubernetes API server.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use super::fields::{Difference, FieldSet, ListKind, Schema, item_element, items};

/// The fields that one owner holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    /// Who.
    pub manager: String,
    /// By apply; else by create or patch. The same name counts as two owners.
    pub apply: bool,
    /// What.
    pub fields: FieldSet,
}

/// Fields that somebody else holds with another value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Clash {
    /// Dotted paths.
    pub fields: String,
    /// Names of the owners.
    pub owner: String,
}

/// What an apply makes of an object.
#[derive(Debug)]
pub(super) struct Applied {
    /// The object.
    pub value: Value,
    /// All claims on it.
    pub claims: Vec<Claim>,
}

/// Applies `wanted` to `live` (an empty object when there is none yet).
pub(super) fn apply(
    live: &Value,
    claims: &[Claim],
    wanted: &Value,
    owner: &str,
    force: bool,
    schema: Schema,
) -> Result<Applied, Clash> {
    let is_mine = |claim: &Claim| claim.apply && claim.manager == owner;
    let fields = FieldSet::of(wanted, schema);
    let mut others: Vec<Claim> = claims
        .iter()
        .filter(|claim| !is_mine(claim))
        .cloned()
        .collect();

    let mut value = live.clone();
    merge(&mut value, wanted, schema, &mut String::new());
    if let Some(before) = claims.iter().find(|claim| is_mine(claim)) {
        let mut kept = fields.clone();
        for claim in &others {
            kept = kept.union(&claim.fields);
        }
        prune(
            &mut value,
            &before.fields,
            &kept,
            schema,
            &mut String::new(),
        );
    }

    let difference = Difference::between(live, &value, schema);
    let clashes = clashes(&others, &difference.touched());
    if !force && !clashes.is_empty() {
        let all = clashes
            .iter()
            .fold(FieldSet::default(), |all, (_, set)| all.union(set));
        let mut owners: Vec<&str> = clashes.iter().map(|(owner, _)| owner.as_str()).collect();
        owners.dedup();
        return Err(Clash {
            fields: all.paths().join(", "),
            owner: owners.join(", "),
        });
    }
    release(&mut others, &difference);
    if !fields.is_empty() {
        others.push(Claim {
            manager: owner.to_owned(),
            apply: true,
            fields,
        });
    }
    Ok(Applied {
        value,
        claims: others,
    })
}

/// The claims after `owner` changed an object by create or patch: what it set is its own and
/// nobody else's, what it removed is nobody's.
pub(super) fn update(claims: &[Claim], difference: &Difference, owner: &str) -> Vec<Claim> {
    let is_mine = |claim: &Claim| !claim.apply && claim.manager == owner;
    let touched = difference.touched();
    let mut others: Vec<Claim> = claims
        .iter()
        .filter(|claim| !is_mine(claim))
        .cloned()
        .collect();
    release(&mut others, difference);
    let before = claims.iter().find(|claim| is_mine(claim));
    let before = before.map(|claim| claim.fields.clone()).unwrap_or_default();
    let fields = before.difference(&difference.removed).union(&touched);
    if !fields.is_empty() {
        others.push(Claim {
            manager: owner.to_owned(),
            apply: false,
            fields,
        });
    }
    others
}

fn clashes(others: &[Claim], touched: &FieldSet) -> Vec<(String, FieldSet)> {
    let clash = |claim: &Claim| {
        let both = claim.fields.intersection(touched);
        (!both.is_empty()).then(|| (claim.manager.clone(), both))
    };
    others.iter().filter_map(clash).collect()
}

/// Takes what changed from those who did not change it.
fn release(others: &mut Vec<Claim>, difference: &Difference) {
    let gone = difference.touched().union(&difference.removed);
    for claim in others.iter_mut() {
        claim.fields = claim.fields.difference(&gone);
    }
    others.retain(|claim| !claim.fields.is_empty());
}

/// Lays `wanted` over `value`.
fn merge(value: &mut Value, wanted: &Value, schema: Schema, path: &mut String) {
    match wanted {
        Value::Object(theirs) if !schema.is_atomic(path) => {
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            let Value::Object(ours) = value else { return };
            for (name, wanted) in theirs {
                let length = path.len();
                descend(path, name);
                match ours.get_mut(name) {
                    Some(value) => merge(value, wanted, schema, path),
                    None => {
                        ours.insert(name.clone(), wanted.clone());
                    }
                }
                path.truncate(length);
            }
        }
        Value::Array(theirs) => {
            let kind = schema.list_kind(path);
            match value {
                Value::Array(ours) if kind != ListKind::Atomic => {
                    for wanted in theirs {
                        let element = item_element(kind, wanted);
                        let same = ours
                            .iter_mut()
                            .find(|item| element.is_some() && item_element(kind, item) == element);
                        let length = path.len();
                        descend(path, "[]");
                        match same {
                            Some(item) => merge(item, wanted, schema, path),
                            None => ours.push(wanted.clone()),
                        }
                        path.truncate(length);
                    }
                }
                _ => value.clone_from(wanted),
            }
        }
        _ => value.clone_from(wanted),
    }
}

/// Removes the fields of `before` that are not in `kept`, and the maps and lists that are empty
/// because of it.
fn prune(value: &mut Value, before: &FieldSet, kept: &FieldSet, schema: Schema, path: &mut String) {
    match value {
        Value::Object(map) => {
            let names: Vec<String> = map.keys().cloned().collect();
            for name in names {
                let element = format!("f:{name}");
                let Some(below) = before.child(&element) else {
                    continue;
                };
                let nothing = FieldSet::default();
                let kept = kept.child(&element).unwrap_or(&nothing);
                let length = path.len();
                descend(path, &name);
                let Some(child) = map.get_mut(&name) else {
                    continue;
                };
                if prune_child(child, below, kept, schema, path) {
                    map.remove(&name);
                }
                path.truncate(length);
            }
        }
        Value::Array(list) => {
            let kind = schema.list_kind(path);
            let length = path.len();
            descend(path, "[]");
            list.retain_mut(|item| {
                let Some(element) = item_element(kind, item) else {
                    return true;
                };
                let Some(below) = before.child(&element) else {
                    return true;
                };
                let nothing = FieldSet::default();
                let kept = kept.child(&element).unwrap_or(&nothing);
                !prune_item(item, below, kept, schema, path)
            });
            path.truncate(length);
        }
        _ => {}
    }
}

/// True when the child is to go.
fn prune_child(
    child: &mut Value,
    before: &FieldSet,
    kept: &FieldSet,
    schema: Schema,
    path: &mut String,
) -> bool {
    let had_content = !is_empty(child);
    prune(child, before, kept, schema, path);
    if !kept.is_empty() {
        return false;
    }
    let is_leaf = !before.has_children();
    is_leaf || (had_content && is_empty(child))
}

/// True when the list item is to go: its owner wants it no more and nobody else holds a part.
fn prune_item(
    item: &mut Value,
    before: &FieldSet,
    kept: &FieldSet,
    schema: Schema,
    path: &mut String,
) -> bool {
    if kept.is_empty() && before.is_member() {
        return true;
    }
    prune(item, before, kept, schema, path);
    false
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

fn descend(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

/// Takes the nulls out: in what is applied an explicit null means absent.
pub(super) fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// The first item that stands twice in a list that is merged by key, as `path[element]`.
pub(super) fn duplicate(value: &Value, schema: Schema, path: &mut String) -> Option<String> {
    match value {
        Value::Object(map) => map.iter().find_map(|(name, value)| {
            let length = path.len();
            descend(path, name);
            let found = duplicate(value, schema, path);
            path.truncate(length);
            found
        }),
        Value::Array(list) => {
            let kind = schema.list_kind(path);
            let mut seen = std::collections::BTreeSet::new();
            let twice = items(kind, list)
                .into_iter()
                .find(|(element, _)| !seen.insert(element.clone()));
            twice.map(|(element, _)| format!("{path}[{}]", element.get(2..).unwrap_or_default()))
        }
        _ => None,
    }
}
