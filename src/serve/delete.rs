//! DELETE with its preconditions.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::store::{Deleted, Key, Object, Store, StoreError, Version};

use super::answer::{self, Body};
use super::objects::{bad_request, typed};
use super::query::Query;

/// Deletes, under the preconditions that query and body name: `resourceVersion` and `uid`.
pub(super) async fn delete<K: Object, S: Store<K>>(
    store: &S,
    key: &Key,
    query: &Query,
    bytes: &[u8],
) -> Response<Body> {
    let options = match DeleteOptions::read(bytes) {
        Ok(options) => options,
        Err(reason) => return bad_request(&reason),
    };
    let conditions = options.preconditions.unwrap_or_default();
    let mut expected = query.version;
    if let Some(version) = &conditions.resource_version {
        match version.parse() {
            Ok(version) => expected = Some(Version(version)),
            Err(_) => return bad_request("preconditions.resourceVersion: not a version"),
        }
    }
    let Some(object) = store.get(key) else {
        let key = key.clone();
        return answer::store_error(&StoreError::NotFound { kind: K::KIND, key });
    };
    let uid = object.meta().uid.as_deref().unwrap_or_default();
    if let Some(wanted) = conditions.uid.filter(|wanted| wanted != uid) {
        let message = format!("{} {key} has uid {uid}, not {wanted}", K::KIND);
        return answer::failure(StatusCode::CONFLICT, "Conflict", &message);
    }
    let success = || {
        answer::json(
            StatusCode::OK,
            &json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}),
        )
    };
    match store.delete(key, expected).await {
        Ok(Deleted::Gone) => success(),
        Ok(Deleted::Marked) => match store.get(key) {
            Some(object) => answer::json(StatusCode::OK, &typed(&*object)),
            None => success(),
        },
        Err(error) => answer::store_error(&error),
    }
}

/// The parts of `DeleteOptions` that matter here.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DeleteOptions {
    preconditions: Option<Preconditions>,
    dry_run: Vec<String>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Preconditions {
    uid: Option<String>,
    resource_version: Option<String>,
}

impl DeleteOptions {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let options: Self = serde_json::from_slice(bytes)
            // A list would be read as fields in order.
            .and_then(|map: serde_json::Map<String, Value>| serde_json::from_value(map.into()))
            .map_err(|error| format!("the body is no DeleteOptions: {error}"))?;
        if options.dry_run.is_empty() {
            Ok(options)
        } else {
            Err("`dryRun` is not supported".to_owned())
        }
    }
}
