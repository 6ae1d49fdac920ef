//! Sets of fields, as `managedFields` keeps them, and what two values differ in.
//!
//! A path element is written as FieldsV1 does: `f:name` for a field, `k:{"type":"Ready"}` for an
//! item of a list with keys, `v:"x"` for an item of a set.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Value};

use super::Object;

/// A set of paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FieldSet {
    /// The path up to here is in the set.
    member: bool,
    /// Longer paths, by their next element.
    children: BTreeMap<Box<str>, FieldSet>,
}

/// As FieldsV1 writes it. Canonical: equal sets give equal texts.
impl Serialize for FieldSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.member && !self.children.is_empty() {
            map.serialize_entry(".", &BTreeMap::<&str, ()>::new())?;
        }
        for (element, child) in &self.children {
            if !child.is_empty() {
                map.serialize_entry(element, child)?;
            }
        }
        map.end()
    }
}

/// How the items of a list belong to owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListKind {
    /// As one.
    Atomic,
    /// Each by its value.
    Set,
    /// Each by some of its fields.
    Keyed(&'static [&'static str]),
}

/// What the schema of a kind says about ownership.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema {
    atomic: &'static [&'static str],
    keyed: &'static [(&'static str, &'static [&'static str])],
}

impl Schema {
    /// The schema of a kind.
    pub fn of<K: Object>() -> Self {
        Self {
            atomic: K::ATOMIC,
            keyed: K::KEYED,
        }
    }

    /// How the list at a dotted path is owned.
    pub fn list_kind(self, path: &str) -> ListKind {
        match path {
            "metadata.finalizers" => ListKind::Set,
            "metadata.ownerReferences" => ListKind::Keyed(&["uid"]),
            _ => self
                .keyed
                .iter()
                .find(|(keyed, _)| *keyed == path)
                .map_or(ListKind::Atomic, |(_, keys)| ListKind::Keyed(keys)),
        }
    }

    /// True when the map at a dotted path is owned whole.
    pub fn is_atomic(self, path: &str) -> bool {
        self.atomic.contains(&path)
    }
}

/// Paths of what the server itself sets and nobody owns.
const UNOWNED: &[&str] = &[
    "apiVersion",
    "kind",
    "status",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.creationTimestamp",
    "metadata.deletionTimestamp",
    "metadata.deletionGracePeriodSeconds",
    "metadata.generation",
    "metadata.managedFields",
    "metadata.resourceVersion",
    "metadata.selfLink",
];

/// True for a path that belongs to the server or to another subresource.
pub(super) fn is_unowned(path: &str) -> bool {
    UNOWNED.contains(&path)
}

impl FieldSet {
    /// True when there is no path in it.
    pub fn is_empty(&self) -> bool {
        !self.member && self.children.values().all(Self::is_empty)
    }

    /// The subset below an element.
    pub fn child(&self, element: &str) -> Option<&Self> {
        self.children.get(element)
    }

    /// True when this very path is in the set.
    pub fn is_member(&self) -> bool {
        self.member
    }

    /// True when there are paths that go on from here.
    pub fn has_children(&self) -> bool {
        !self.children.is_empty()
    }

    fn child_mut(&mut self, element: String) -> &mut Self {
        self.children.entry(element.into_boxed_str()).or_default()
    }

    /// All paths of both.
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.add(other);
        all
    }

    fn add(&mut self, other: &Self) {
        self.member |= other.member;
        for (element, theirs) in &other.children {
            self.children
                .entry(element.clone())
                .or_default()
                .add(theirs);
        }
    }

    /// The paths that are in both.
    pub fn intersection(&self, other: &Self) -> Self {
        let children = self.children.iter().filter_map(|(element, ours)| {
            let both = ours.intersection(other.children.get(element)?);
            (!both.is_empty()).then(|| (element.clone(), both))
        });
        Self {
            member: self.member && other.member,
            children: children.collect(),
        }
    }

    /// The paths that are in this and not in the other.
    pub fn difference(&self, other: &Self) -> Self {
        let children = self.children.iter().filter_map(|(element, ours)| {
            let rest = match other.children.get(element) {
                Some(theirs) => ours.difference(theirs),
                None => ours.clone(),
            };
            (!rest.is_empty()).then(|| (element.clone(), rest))
        });
        Self {
            member: self.member && !other.member,
            children: children.collect(),
        }
    }

    /// The paths for people: `.spec.image.url`, in order.
    pub fn paths(&self) -> Vec<String> {
        fn walk(set: &FieldSet, path: &mut String, out: &mut Vec<String>) {
            if set.member && !path.is_empty() {
                out.push(path.clone());
            }
            for (element, child) in &set.children {
                let length = path.len();
                match element.split_at_checked(2) {
                    Some(("f:", name)) => {
                        path.push('.');
                        path.push_str(name);
                    }
                    Some((_, item)) => {
                        path.push('[');
                        path.push_str(item);
                        path.push(']');
                    }
                    None => path.push_str(element),
                }
                walk(child, path, out);
                path.truncate(length);
            }
        }
        let mut out = Vec::new();
        walk(self, &mut String::new(), &mut out);
        out
    }

    /// Reads FieldsV1. `None` when it is something else.
    pub fn from_json(value: &Value) -> Option<Self> {
        fn walk(value: &Value, root: bool) -> Option<FieldSet> {
            let map = value.as_object()?;
            let mut set = FieldSet {
                member: map.is_empty() && !root,
                ..FieldSet::default()
            };
            for (element, child) in map {
                if element == "." {
                    set.member = true;
                } else {
                    set.children
                        .insert(element.as_str().into(), walk(child, false)?);
                }
            }
            Some(set)
        }
        walk(value, true)
    }

    /// The fields that a partial object sets: what an apply of it owns.
    pub fn of(value: &Value, schema: Schema) -> Self {
        let mut set = Self::default();
        let mut path = String::new();
        if let Value::Object(map) = value {
            set.add_map(map, schema, &mut path);
        }
        set
    }

    fn add_value(&mut self, value: &Value, schema: Schema, path: &mut String) {
        match value {
            Value::Object(map) if !map.is_empty() && !schema.is_atomic(path) => {
                self.add_map(map, schema, path);
            }
            Value::Array(items) => match schema.list_kind(path) {
                ListKind::Atomic => self.member = true,
                kind => {
                    for item in items {
                        let Some(element) = item_element(kind, item) else {
                            continue;
                        };
                        let child = self.child_mut(element);
                        child.member = true;
                        if let (ListKind::Keyed(_), Value::Object(map)) = (kind, item) {
                            child.add_item(map, schema, path);
                        }
                    }
                    // An empty list is still a value that somebody set.
                    self.member |= items.is_empty();
                }
            },
            _ => self.member = true,
        }
    }

    fn add_map(&mut self, map: &Map<String, Value>, schema: Schema, path: &mut String) {
        for (name, value) in map {
            let length = push(path, name);
            if !is_unowned(path) {
                let child = self.child_mut(format!("f:{name}"));
                child.add_value(value, schema, path);
                if child.is_empty() {
                    self.children.remove(format!("f:{name}").as_str());
                }
            }
            path.truncate(length);
        }
    }

    /// Fields of a list item: lists within items are atomic.
    fn add_item(&mut self, map: &Map<String, Value>, schema: Schema, path: &mut String) {
        let length = push(path, "[]");
        self.add_map(map, schema, path);
        path.truncate(length);
    }
}

/// Appends a name to a dotted path; answers with the length before.
fn push(path: &mut String, name: &str) -> usize {
    let length = path.len();
    if length > 0 {
        path.push('.');
    }
    path.push_str(name);
    length
}

/// The path element of a list item; `None` when it lacks its keys.
pub(super) fn item_element(kind: ListKind, item: &Value) -> Option<String> {
    match kind {
        ListKind::Atomic => None,
        ListKind::Set => Some(format!("v:{item}")),
        ListKind::Keyed(keys) => {
            let item = item.as_object()?;
            let mut found = Map::new();
            for key in keys {
                found.insert((*key).into(), item.get(*key)?.clone());
            }
            Some(format!("k:{}", Value::Object(found)))
        }
    }
}

/// The items of a list by their path element. With two of one element the last counts.
pub(super) fn items(kind: ListKind, list: &[Value]) -> Vec<(String, &Value)> {
    list.iter()
        .filter_map(|item| Some((item_element(kind, item)?, item)))
        .collect()
}

/// How two values differ, field by field.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// In the new value only, with the parents that came with them.
    pub added: FieldSet,
    /// In both, with other values.
    pub modified: FieldSet,
    /// In the old value only, with the parents that went with them.
    pub removed: FieldSet,
}

impl Difference {
    /// What differs, without what nobody owns (status, what the server sets).
    pub fn between(old: &Value, new: &Value, schema: Schema) -> Self {
        let mut all = Self::default();
        let mut path = String::new();
        if let (Value::Object(old), Value::Object(new)) = (old, new) {
            compare_maps(old, new, schema, &mut path, &mut all.parts());
        }
        all
    }

    /// What the new value sets.
    pub fn touched(&self) -> FieldSet {
        self.added.union(&self.modified)
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts {
            added: &mut self.added,
            modified: &mut self.modified,
            removed: &mut self.removed,
        }
    }
}

/// The same node in the three sets.
struct Parts<'a> {
    added: &'a mut FieldSet,
    modified: &'a mut FieldSet,
    removed: &'a mut FieldSet,
}

impl Parts<'_> {
    /// Works on the node below; leaves no empty ones behind.
    fn below(&mut self, element: &str, work: impl FnOnce(&mut Parts<'_>)) {
        let mut below = Difference::default();
        work(&mut below.parts());
        for (set, child) in [
            (&mut *self.added, below.added),
            (&mut *self.modified, below.modified),
            (&mut *self.removed, below.removed),
        ] {
            if !child.is_empty() {
                set.children.insert(element.into(), child);
            }
        }
    }
}

fn compare_maps(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    schema: Schema,
    path: &mut String,
    parts: &mut Parts<'_>,
) {
    for (name, theirs) in new {
        let length = push(path, name);
        if !is_unowned(path) && old.get(name) != Some(theirs) {
            parts.below(&format!("f:{name}"), |parts| {
                compare(old.get(name), Some(theirs), schema, path, parts);
            });
        }
        path.truncate(length);
    }
    for (name, ours) in old {
        if new.contains_key(name) {
            continue;
        }
        let length = push(path, name);
        if !is_unowned(path) {
            parts.below(&format!("f:{name}"), |parts| {
                compare(Some(ours), None, schema, path, parts);
            });
        }
        path.truncate(length);
    }
}

fn compare(
    old: Option<&Value>,
    new: Option<&Value>,
    schema: Schema,
    path: &mut String,
    parts: &mut Parts<'_>,
) {
    if old == new {
        return;
    }
    match (old, new) {
        // Metadata is always there.
        _ if path == "metadata" => {}
        (Some(_), None) => parts.removed.member = true,
        (None, Some(_)) => parts.added.member = true,
        _ => {}
    }
    let empty = Map::new();
    let (old_map, new_map) = (map_of(old, &empty), map_of(new, &empty));
    if let (Some(old_map), Some(new_map)) = (old_map, new_map)
        && !schema.is_atomic(path)
    {
        compare_maps(old_map, new_map, schema, path, parts);
        return;
    }
    let kind = schema.list_kind(path);
    if let (Some(old_list), Some(new_list)) = (list_of(old), list_of(new))
        && kind != ListKind::Atomic
    {
        let (old_items, new_items) = (items(kind, old_list), items(kind, new_list));
        for (element, item) in &new_items {
            let before = old_items.iter().find(|(other, _)| other == element);
            parts.below(element, |parts| {
                compare_items(
                    before.map(|(_, item)| *item),
                    Some(item),
                    schema,
                    path,
                    parts,
                );
            });
        }
        for (element, item) in &old_items {
            if !new_items.iter().any(|(other, _)| other == element) {
                parts.below(element, |parts| {
                    compare_items(Some(item), None, schema, path, parts);
                });
            }
        }
        return;
    }
    if old.is_some() && new.is_some() {
        parts.modified.member = true;
    }
}

fn compare_items(
    old: Option<&Value>,
    new: Option<&Value>,
    schema: Schema,
    path: &mut String,
    parts: &mut Parts<'_>,
) {
    let length = push(path, "[]");
    compare(old, new, schema, path, parts);
    path.truncate(length);
}

fn map_of<'a>(
    value: Option<&'a Value>,
    empty: &'a Map<String, Value>,
) -> Option<&'a Map<String, Value>> {
    value.map_or(Some(empty), Value::as_object)
}

fn list_of(value: Option<&Value>) -> Option<&[Value]> {
    value.map_or(Some(&[]), |value| value.as_array().map(Vec::as_slice))
}
