//! Who owns which fields, kept small: ten thousand objects share a handful of shapes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::apply::Claim;
use super::fields::FieldSet;
use crate::api::Timestamp;

/// A set of fields as its text, canonical FieldsV1. It is read when somebody computes with it: as a
/// tree it takes ten times the memory, and what a controller does all day (status) never asks.
///
/// Objects that have the same fields share the text. Where one names an owner, which is another one
/// for every object (`k:{"uid":"…"}`), they share what is around the uid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    text: Arc<str>,
    /// What comes between the text's [`UID`] and what follows it.
    uid: Option<Box<str>>,
}

/// What is before the uid of an owner.
const UID: &str = r#""k:{\"uid\":\""#;

impl Shape {
    /// The text in its two parts. With more than one owner nothing is taken out.
    fn split(text: &str) -> (Cow<'_, str>, Option<&str>) {
        let whole = (Cow::Borrowed(text), None);
        let Some((before, rest)) = text.split_once(UID) else {
            return whole;
        };
        match rest.find('\\') {
            Some(end) if end > 0 && !rest.contains(UID) => {
                let (uid, after) = rest.split_at(end);
                (Cow::Owned([before, UID, after].concat()), Some(uid))
            }
            _ => whole,
        }
    }

    fn text(&self) -> Cow<'_, str> {
        match (&self.uid, self.text.split_once(UID)) {
            (Some(uid), Some((before, after))) => [before, UID, uid, after].concat().into(),
            _ => Cow::Borrowed(&*self.text),
        }
    }

    fn is(&self, text: &str) -> bool {
        let (rest, uid) = Self::split(text);
        *self.text == *rest && self.uid.as_deref() == uid
    }

    fn set(&self) -> FieldSet {
        let read = || FieldSet::from_json(&serde_json::from_str(&self.text()).ok()?);
        // It was made from a set, or read once when it came from the file.
        read().unwrap_or_default()
    }
}

/// One owner's entry.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    manager: Arc<str>,
    apply: bool,
    time: Timestamp,
    shape: Shape,
}

/// All owners of one object, in the order in which a server lists them. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Managed(Option<Arc<[Entry]>>);

/// The shapes and names in use.
#[derive(Debug, Default)]
pub(super) struct Shapes(Mutex<Interned>);

#[derive(Debug, Default)]
struct Interned {
    /// By a hash of the text, so that a text is kept once. Two texts with one hash are not shared,
    /// which costs memory and nothing else.
    shapes: HashMap<u64, Weak<str>>,
    hasher: RandomState,
    names: HashMap<Box<str>, Weak<str>>,
    /// Sweep the dead when there are this many.
    sweep_at: usize,
}

/// An entry in the file.
#[derive(Serialize, Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    manager: Cow<'a, str>,
    apply: bool,
    /// Seconds.
    time: i64,
    #[serde(borrow)]
    fields: Cow<'a, RawValue>,
}

impl<'a> Row<'a> {
    fn of(entry: &'a Entry) -> Option<Self> {
        Some(Self {
            manager: Cow::Borrowed(&entry.manager),
            apply: entry.apply,
            time: entry.time.as_second(),
            // It was JSON when it came.
            fields: Cow::Owned(RawValue::from_string(entry.shape.text().into()).ok()?),
        })
    }
}

impl Shapes {
    fn name(&self, name: &str) -> Arc<str> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.names.get(name).and_then(Weak::upgrade) {
            return known;
        }
        let new: Arc<str> = name.into();
        all.names.insert(name.into(), Arc::downgrade(&new));
        new
    }

    /// The shape with this text, which is canonical FieldsV1. `None` when it cannot be read;
    /// `known` says that it was made from a set.
    fn shape(&self, text: &str, known: bool) -> Option<Shape> {
        let (rest, uid) = Shape::split(text);
        let uid = uid.map(Box::from);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = all.hasher.hash_one(&*rest);
        if let Some(found) = all.shapes.get(&hash).and_then(Weak::upgrade)
            && *found == *rest
        {
            return Some(Shape { text: found, uid });
        }
        if !known {
            FieldSet::from_json(&serde_json::from_str(text).ok()?)?;
        }
        let shared: Arc<str> = rest.into();
        if all.shapes.len() >= all.sweep_at {
            all.shapes.retain(|_, shape| shape.strong_count() > 0);
            all.names.retain(|_, name| name.strong_count() > 0);
            all.sweep_at = (all.shapes.len() * 2).max(256);
        }
        all.shapes.insert(hash, Arc::downgrade(&shared));
        Some(Shape { text: shared, uid })
    }

    /// Keeps claims; those that did not change keep their time.
    pub fn keep(&self, claims: Vec<Claim>, before: &Managed, now: Timestamp) -> Managed {
        let mut entries: Vec<Entry> = claims
            .into_iter()
            .filter_map(|claim| {
                let old = before
                    .entries()
                    .iter()
                    .find(|entry| entry.apply == claim.apply && *entry.manager == *claim.manager);
                // A map of texts and maps has no reason to fail.
                let text = serde_json::to_string(&claim.fields).unwrap_or_default();
                if let Some(old) = old
                    && old.shape.is(&text)
                {
                    return Some(old.clone());
                }
                Some(Entry {
                    manager: self.name(&claim.manager),
                    apply: claim.apply,
                    time: now,
                    shape: self.shape(&text, true)?,
                })
            })
            .collect();
        entries.sort_by(|a, b| {
            let order = |entry: &Entry| (!entry.apply, entry.time);
            order(a)
                .cmp(&order(b))
                .then_with(|| a.manager.cmp(&b.manager))
        });
        Managed::of(entries)
    }

    /// Reads what [`Managed::to_row`] wrote.
    pub fn read(&self, row: &[u8]) -> Result<Managed, String> {
        if row.is_empty() {
            return Ok(Managed::default());
        }
        let rows: Vec<Row<'_>> = serde_json::from_slice(row).map_err(|error| error.to_string())?;
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            entries.push(Entry {
                manager: self.name(&row.manager),
                apply: row.apply,
                time: Timestamp::from_second(row.time).map_err(|error| error.to_string())?,
                shape: self
                    .shape(row.fields.get(), false)
                    .ok_or("field owners are not FieldsV1")?,
            });
        }
        Ok(Managed::of(entries))
    }
}

impl Managed {
    fn of(entries: Vec<Entry>) -> Self {
        Self((!entries.is_empty()).then(|| entries.into()))
    }

    fn entries(&self) -> &[Entry] {
        self.0.as_deref().unwrap_or_default()
    }

    /// True when the owners and their fields are the same; times do not count.
    pub fn same_owners(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.entries(), other.entries());
        ours.len() == theirs.len()
            && ours.iter().all(|entry| {
                theirs.iter().any(|other| {
                    entry.apply == other.apply
                        && entry.manager == other.manager
                        && entry.shape == other.shape
                })
            })
    }

    /// To compute with.
    pub fn claims(&self) -> Vec<Claim> {
        let claim = |entry: &Entry| Claim {
            manager: entry.manager.to_string(),
            apply: entry.apply,
            fields: entry.shape.set(),
        };
        self.entries().iter().map(claim).collect()
    }

    /// As `metadata.managedFields` has it.
    pub fn to_api(&self, api_version: &str) -> Vec<ManagedFieldsEntry> {
        let entry = |entry: &Entry| ManagedFieldsEntry {
            api_version: Some(api_version.to_owned()),
            fields_type: Some("FieldsV1".into()),
            fields_v1: Some(FieldsV1(
                serde_json::from_str(&entry.shape.text()).unwrap_or(Value::Null),
            )),
            manager: Some(entry.manager.to_string()),
            operation: Some(if entry.apply { "Apply" } else { "Update" }.into()),
            subresource: None,
            time: Some(Time(entry.time)),
        };
        self.entries().iter().map(entry).collect()
    }

    /// As the file has it; empty for nobody.
    pub fn to_row(&self) -> Vec<u8> {
        if self.entries().is_empty() {
            return Vec::new();
        }
        let rows: Vec<Row<'_>> = self.entries().iter().filter_map(Row::of).collect();
        serde_json::to_vec(&rows).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned_by(uid: &str) -> String {
        format!(r#"{{"f:metadata":{{"f:ownerReferences":{{"k:{{\"uid\":\"{uid}\"}}":{{}}}}}}}}"#)
    }

    #[test]
    fn the_fields_of_different_owners_are_one_text() {
        let shapes = Shapes::default();
        let read = |text: &str| shapes.shape(text, false).unwrap();
        let (one, other) = (owned_by("1f0"), owned_by("2e1"));
        let shape = read(&one);
        assert!(Arc::ptr_eq(&shape.text, &read(&other).text));
        assert_ne!(shape, read(&other));
        for text in [&one, &other] {
            assert_eq!(read(text).text(), **text);
            assert!(read(text).is(text));
        }
        assert!(!shape.is(&other));
    }

    #[test]
    fn texts_with_no_owner_or_several_stay_whole() {
        let shapes = Shapes::default();
        for text in [
            owned_by(""),
            r#"{"f:spec":{"f:online":{}}}"#.to_owned(),
            r#"{"f:a":{"k:{\"uid\":\"1\"}":{},"k:{\"uid\":\"2\"}":{}}}"#.to_owned(),
        ] {
            let shape = shapes.shape(&text, false).unwrap();
            assert_eq!((&*shape.text(), shape.uid.as_ref()), (&*text, None));
        }
    }
}
