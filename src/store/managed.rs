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

/// A set of fields as its text, canonical FieldsV1, shared by all objects that have it. It is read
/// when somebody computes with it: as a tree it takes ten times the memory, and what a controller
/// does all day (status) never asks.
#[derive(Debug)]
pub(super) struct Shape {
    text: Box<RawValue>,
}

impl Shape {
    fn set(&self) -> FieldSet {
        let read = || FieldSet::from_json(&serde_json::from_str(self.text.get()).ok()?);
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
    shape: Arc<Shape>,
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
    shapes: HashMap<u64, Weak<Shape>>,
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
    fields: &'a RawValue,
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
    fn shape(&self, text: Cow<'_, RawValue>, known: bool) -> Option<Arc<Shape>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = all.hasher.hash_one(text.get());
        if let Some(found) = all.shapes.get(&hash).and_then(Weak::upgrade)
            && found.text.get() == text.get()
        {
            return Some(found);
        }
        if !known {
            FieldSet::from_json(&serde_json::from_str(text.get()).ok()?)?;
        }
        let shape = Arc::new(Shape {
            text: text.into_owned(),
        });
        if all.shapes.len() >= all.sweep_at {
            all.shapes.retain(|_, shape| shape.strong_count() > 0);
            all.names.retain(|_, name| name.strong_count() > 0);
            all.sweep_at = (all.shapes.len() * 2).max(256);
        }
        all.shapes.insert(hash, Arc::downgrade(&shape));
        Some(shape)
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
                let text = serde_json::value::to_raw_value(&claim.fields.to_json()).ok()?;
                if let Some(old) = old
                    && old.shape.text.get() == text.get()
                {
                    return Some(old.clone());
                }
                Some(Entry {
                    manager: self.name(&claim.manager),
                    apply: claim.apply,
                    time: now,
                    shape: self.shape(Cow::Owned(text), true)?,
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
                    .shape(Cow::Borrowed(row.fields), false)
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
                        && entry.shape.text.get() == other.shape.text.get()
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
                serde_json::from_str(entry.shape.text.get()).unwrap_or(Value::Null),
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
        let rows: Vec<Row<'_>> = self
            .entries()
            .iter()
            .map(|entry| Row {
                manager: Cow::Borrowed(&entry.manager),
                apply: entry.apply,
                time: entry.time.as_second(),
                fields: &entry.shape.text,
            })
            .collect();
        serde_json::to_vec(&rows).unwrap_or_default()
    }
}
