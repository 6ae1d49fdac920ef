//! Objects: list, get, watch, create, apply, patch, update, delete.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::api::{
    BareMetalHost, Event, FirmwareSchema, HardwareData, HostFirmwareComponents,
    HostFirmwareSettings, HostUpdatePolicy,
};
use crate::engine::Stores;
use crate::store::{Key, Object, Patch, Store, StoreError};

use super::Served;
use super::answer::{self, Body};
use super::delete::delete;
use super::query::Query;
use super::route::{Kind, Target};
use super::watch::watch;

/// The largest body that is read, as in a real API server (etcd's limit, doubled).
const MOST_BYTES: usize = 3 << 20;

/// Answers a request for objects of one kind.
pub(super) async fn answer<S: Stores>(
    served: Served<S>,
    target: Target,
    stop: CancellationToken,
    request: Request<Incoming>,
) -> Response<Body> {
    let store = Arc::clone(served.engine.store());
    match target.kind {
        Kind::Host => kind::<BareMetalHost, S>(store, target, stop, request).await,
        Kind::Hardware => kind::<HardwareData, S>(store, target, stop, request).await,
        Kind::FirmwareSettings => {
            kind::<HostFirmwareSettings, S>(store, target, stop, request).await
        }
        Kind::FirmwareSchema => kind::<FirmwareSchema, S>(store, target, stop, request).await,
        Kind::FirmwareComponents => {
            kind::<HostFirmwareComponents, S>(store, target, stop, request).await
        }
        Kind::UpdatePolicy => kind::<HostUpdatePolicy, S>(store, target, stop, request).await,
        Kind::Event => kind::<Event, S>(store, target, stop, request).await,
    }
}

async fn kind<K: Object, S: Store<K>>(
    store: Arc<S>,
    target: Target,
    stop: CancellationToken,
    request: Request<Incoming>,
) -> Response<Body> {
    let query = match Query::parse(request.uri().query()) {
        Ok(query) => query,
        Err(reason) => return bad_request(&reason),
    };
    let method = request.method().clone();
    let Some(name) = target.name.as_deref() else {
        return match method {
            Method::GET if query.watch => watch::<K, S>(&store, &target, query, stop),
            Method::GET => list::<K, S>(&store, target, query).await,
            Method::POST => match body(request).await {
                Ok((_, bytes)) => create::<K, S>(&store, &target, &bytes).await,
                Err(failed) => failed,
            },
            _ => not_allowed(),
        };
    };
    let key = Key::new(target.namespace.as_deref().unwrap_or_default(), name);
    match method {
        Method::GET => match store.get(&key) {
            Some(object) => {
                let mut value = typed(&*object);
                // One object tells who owns its fields; a list would be twice as large with it.
                if let Ok(fields) = store.managed_fields(&key).await {
                    value["metadata"]["managedFields"] = json!(fields);
                }
                answer::json(StatusCode::OK, &value)
            }
            None => answer::store_error(&StoreError::NotFound { kind: K::KIND, key }),
        },
        Method::PATCH | Method::PUT => match body(request).await {
            Ok((content, bytes)) => {
                write::<K, S>(&store, &target, &key, &query, &content, &bytes).await
            }
            Err(failed) => failed,
        },
        // Deleting is of the whole object.
        Method::DELETE if target.status => not_allowed(),
        Method::DELETE => match body(request).await {
            Ok((_, bytes)) => delete::<K, S>(&store, &key, &query, &bytes).await,
            Err(failed) => failed,
        },
        _ => not_allowed(),
    }
}

fn not_allowed() -> Response<Body> {
    answer::failure(
        StatusCode::METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        "no such verb here",
    )
}

/// The object with its `apiVersion` and `kind`, whether its type writes them or not.
pub(super) fn typed<K: Object>(object: &K) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    value["apiVersion"] = json!(api_version::<K>());
    value["kind"] = json!(K::KIND);
    value
}

fn api_version<K: Object>() -> String {
    if K::GROUP.is_empty() {
        K::VERSION.to_owned()
    } else {
        format!("{}/{}", K::GROUP, K::VERSION)
    }
}

pub(super) fn inside(target: &Target, key: &Key) -> bool {
    target
        .namespace
        .as_deref()
        .is_none_or(|namespace| namespace == &*key.namespace)
}

async fn list<K: Object, S: Store<K>>(store: &S, target: Target, query: Query) -> Response<Body> {
    let snapshot = match store.snapshot().await {
        Ok(snapshot) => snapshot,
        Err(error) => return answer::store_error(&error),
    };
    let before = format!(
        r#"{{"apiVersion":"{}","kind":"{}List","metadata":{{"resourceVersion":"{}"}},"items":["#,
        api_version::<K>(),
        K::KIND,
        snapshot.version.0
    );
    let items = snapshot.objects.into_iter().filter_map(move |object| {
        let wanted = inside(&target, &object.key()) && query.selects(&*object);
        wanted.then(|| typed(&*object).to_string())
    });
    answer::list(before, items, "]}")
}

async fn create<K: Object, S: Store<K>>(
    store: &S,
    target: &Target,
    bytes: &[u8],
) -> Response<Body> {
    let mut object: K = match serde_json::from_slice(bytes) {
        Ok(object) => object,
        Err(error) => return bad_request(&error.to_string()),
    };
    if object.meta().namespace.is_none() {
        object.meta_mut().namespace = target.namespace.as_deref().map(Arc::from);
    }
    match store.create(object).await {
        Ok(object) => answer::json(StatusCode::CREATED, &typed(&*object)),
        Err(error) => answer::store_error(&error),
    }
}

/// PUT and the three kinds of PATCH.
async fn write<K: Object, S: Store<K>>(
    store: &S,
    target: &Target,
    key: &Key,
    query: &Query,
    content: &str,
    bytes: &[u8],
) -> Response<Body> {
    let result = if content.starts_with("application/apply-patch") {
        // Apply patches are YAML, of which JSON is a part.
        let wanted: Value = match serde_yaml_ng::from_slice(bytes) {
            Ok(wanted) => wanted,
            Err(error) => return bad_request(&error.to_string()),
        };
        if target.status {
            return not_allowed();
        }
        let Some(manager) = query.manager.as_deref() else {
            return bad_request("an apply patch needs ?fieldManager=");
        };
        store.apply(key, wanted, manager, query.force).await
    } else if content.starts_with("application/merge-patch") {
        match serde_json::from_slice(bytes) {
            Ok(patch) => patch_one(store, target, key, Patch::Merge(patch)).await,
            Err(error) => return bad_request(&error.to_string()),
        }
    } else if content.starts_with("application/json-patch") {
        match serde_json::from_slice(bytes) {
            Ok(patch) => patch_one(store, target, key, Patch::Json(patch)).await,
            Err(error) => return bad_request(&error.to_string()),
        }
    } else if content.starts_with("application/json") {
        match serde_json::from_slice::<Value>(bytes) {
            Ok(object) if !object.is_object() => return bad_request("the body is no object"),
            Ok(object) => replace(store, target, key, object).await,
            Err(error) => return bad_request(&error.to_string()),
        }
    } else {
        let message = format!("content type `{content}` is not understood");
        return answer::failure(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            &message,
        );
    };
    match result {
        Ok(object) => answer::json(StatusCode::OK, &typed(&*object)),
        Err(error) => answer::store_error(&error),
    }
}

async fn patch_one<K: Object, S: Store<K>>(
    store: &S,
    target: &Target,
    key: &Key,
    patch: Patch,
) -> Result<Arc<K>, StoreError> {
    if !target.status {
        return store.patch(key, patch, None).await;
    }
    let missing = || StoreError::NotFound {
        kind: K::KIND,
        key: key.clone(),
    };
    let current = store.get(key).ok_or_else(missing)?;
    let invalid = |reason: String| StoreError::Invalid {
        kind: K::KIND,
        key: key.clone(),
        reason,
    };
    let mut value = typed(&*current);
    match patch {
        Patch::Merge(patch) => json_patch::merge(&mut value, &patch),
        Patch::Json(patch) => {
            json_patch::patch(&mut value, &patch).map_err(|error| invalid(error.to_string()))?;
        }
    }
    let object: K = serde_json::from_value(value).map_err(|error| invalid(error.to_string()))?;
    store.update_status(object, current.version()).await
}

/// PUT: the whole object, at the version that it names.
async fn replace<K: Object, S: Store<K>>(
    store: &S,
    target: &Target,
    key: &Key,
    mut object: Value,
) -> Result<Arc<K>, StoreError> {
    // The path says them; a body may leave them out.
    if object["metadata"].is_null() {
        object["metadata"] = json!({});
    }
    for (field, value) in [("name", &key.name), ("namespace", &key.namespace)] {
        if object["metadata"][field].is_null() {
            object["metadata"][field] = json!(**value);
        }
    }
    let invalid = |reason: String| StoreError::Invalid {
        kind: K::KIND,
        key: key.clone(),
        reason,
    };
    let new: K =
        serde_json::from_value(object.clone()).map_err(|error| invalid(error.to_string()))?;
    let named = new.meta().resource_version.is_some().then(|| new.version());
    if target.status {
        let expected = named.ok_or_else(|| invalid("metadata.resourceVersion is needed".into()))?;
        return store.update_status(new, expected).await;
    }
    let missing = || StoreError::NotFound {
        kind: K::KIND,
        key: key.clone(),
    };
    let current = store.get(key).ok_or_else(missing)?;
    // As a merge patch: what the new object lacks goes.
    let mut patch = object;
    clear(&mut patch, &typed(&*current));
    store.patch(key, Patch::Merge(patch), named).await
}

/// Adds a null for every field that `old` has and `new` lacks, except in status and in the fields
/// that only the server writes.
fn clear(new: &mut Value, old: &Value) {
    let (Value::Object(new), Value::Object(old)) = (new, old) else {
        return;
    };
    for (name, value) in old {
        match new.get_mut(name) {
            Some(inner) => clear(inner, value),
            None if matches!(
                name.as_str(),
                "status"
                    | "uid"
                    | "creationTimestamp"
                    | "generation"
                    | "managedFields"
                    | "resourceVersion"
                    | "deletionTimestamp"
            ) => {}
            None => {
                new.insert(name.clone(), Value::Null);
            }
        }
    }
}

pub(super) fn bad_request(message: &str) -> Response<Body> {
    answer::failure(StatusCode::BAD_REQUEST, "BadRequest", message)
}

/// The content type and the body, or the answer that says why not.
async fn body(request: Request<Incoming>) -> Result<(String, Bytes), Response<Body>> {
    let content = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/json")
        .to_owned();
    match Limited::new(request.into_body(), MOST_BYTES)
        .collect()
        .await
    {
        Ok(body) => Ok((content, body.to_bytes())),
        Err(error) => Err(answer::failure(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            &format!("the body cannot be read: {error}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_put_takes_away_what_it_lacks() {
        let mut new = json!({"metadata": {"name": "a"}, "spec": {"online": true}});
        let old = json!({
            "metadata": {"name": "a", "uid": "u", "labels": {"x": "y"}},
            "spec": {"online": false, "description": "d"},
            "status": {},
        });
        clear(&mut new, &old);
        assert_eq!(
            new,
            json!({
                "metadata": {"name": "a", "labels": null},
                "spec": {"online": true, "description": null},
            })
        );
    }
}
