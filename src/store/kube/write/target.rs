//! The object that a write is of, what the write is called, and the words for what is wrong with it.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::store::kube::request::{Refusal, error};
use crate::store::{Key, Object, Result, StoreError, Version};

/// See the module.
pub(super) struct Target<'a> {
    pub key: &'a Key,
    pub expected: Option<Version>,
    /// As in `create BareMetalHost a/b`.
    pub what: String,
}

impl<'a> Target<'a> {
    pub fn new<K: Object>(verb: &str, key: &'a Key, expected: Option<Version>) -> Self {
        Self {
            key,
            expected,
            what: format!("{verb} {} {key}", K::KIND),
        }
    }

    pub fn error<K: Object>(&self, refusal: Refusal) -> StoreError {
        error::<K>(self.key, self.expected, refusal, &self.what)
    }

    pub fn invalid<K: Object>(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Invalid {
            kind: K::KIND,
            key: self.key.clone(),
            reason: reason.into(),
        }
    }
}

pub(super) fn to_bytes(target: &Target<'_>, value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|error| StoreError::Backend(format!("{}: no JSON: {error}", target.what)))
}

pub(super) fn to_value(target: &Target<'_>, value: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(value)
        .map_err(|error| StoreError::Backend(format!("{}: no JSON: {error}", target.what)))
}

pub(super) fn to_json(target: &Target<'_>, answer: &Bytes) -> Result<Value> {
    serde_json::from_slice(answer)
        .map_err(|error| StoreError::Backend(format!("{}: {error}", target.what)))
}

/// Fills in what names the object; refuses what names another one.
pub(super) fn complete<K: Object>(target: &Target<'_>, wanted: &mut Value) -> Result<()> {
    let api_version = if K::GROUP.is_empty() {
        K::VERSION.to_owned()
    } else {
        format!("{}/{}", K::GROUP, K::VERSION)
    };
    let key = target.key;
    let Some(all) = wanted.as_object_mut() else {
        return Err(target.invalid::<K>("it is not an object"));
    };
    let metadata = all.entry("metadata").or_insert_with(|| json!({}));
    if !metadata.is_object() {
        return Err(target.invalid::<K>("metadata is not an object"));
    }
    let names = [
        ("namespace", key.namespace.as_ref()),
        ("name", key.name.as_ref()),
    ];
    for (field, own) in names {
        name::<K>(
            target,
            &mut metadata[field],
            own,
            &format!("metadata.{field}"),
        )?;
    }
    for (field, own) in [("apiVersion", api_version.as_str()), ("kind", K::KIND)] {
        let value = all.entry(field).or_insert(Value::Null);
        name::<K>(target, value, own, field)?;
    }
    // A server keeps nulls; whoever applies one means that there is nothing.
    drop_nulls(wanted);
    Ok(())
}

fn name<K: Object>(target: &Target<'_>, value: &mut Value, own: &str, field: &str) -> Result<()> {
    if value.is_null() {
        *value = own.into();
    }
    if value.as_str() == Some(own) {
        return Ok(());
    }
    Err(target.invalid::<K>(format!("{field} is {value}, not {own:?}")))
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
