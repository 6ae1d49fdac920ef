//! The writes, each as the requests that it is.

mod target;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, header};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{DeleteParams, Patch as Way, PatchParams, PostParams, Preconditions};
use kube::core::Request;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Metadata, Owners};
use crate::store::{Deleted, Key, Object, Patch, Result, StoreError, Version};

use self::target::{Target, complete, to_bytes, to_json, to_value};
use super::Kube;
use super::delta::{Delta, at_version};
use super::told::prune;

/// A request, or why it cannot be made (a name that is none).
type Built = std::result::Result<http::Request<Vec<u8>>, kube::core::request::Error>;

/// What every object has.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    metadata: Metadata,
}

/// Requests about a kind in a namespace, or in all.
pub(super) fn requests<K: Object>(namespace: Option<&str>) -> Request {
    let group = if K::GROUP.is_empty() {
        "/api".to_owned()
    } else {
        format!("/apis/{}", K::GROUP)
    };
    let (version, plural) = (K::VERSION, K::PLURAL);
    Request::new(match namespace {
        Some(namespace) => format!("{group}/{version}/namespaces/{namespace}/{plural}"),
        None => format!("{group}/{version}/{plural}"),
    })
}

impl Kube {
    /// The object that the server answered with, which is shown from now on.
    fn take<K: Object>(&self, target: &Target<'_>, answer: &Bytes) -> Result<Arc<K>> {
        let mut object: K = serde_json::from_slice(answer).map_err(|error| {
            StoreError::Backend(format!(
                "{}: the API server answered with something else: {error}",
                target.what
            ))
        })?;
        prune(&mut object);
        let object = Arc::new(object);
        self.shows(target.key, &object);
        Ok(object)
    }

    /// From now on the object is this, or gone with its last finalizer. Not after a dry run.
    fn shows<K: Object>(&self, key: &Key, object: &Arc<K>) {
        if self.dry {
            return;
        }
        let Some(shard) = self.shard::<K>(key) else {
            return;
        };
        let meta = object.meta();
        if meta.deletion_timestamp.is_some() && meta.finalizers().is_empty() {
            shard.removed(key, meta.uid.as_ref());
        } else {
            shard.wrote(object);
        }
    }

    /// Carries a write out. After a conflict the object is read, so that what is decided next is
    /// decided on what is there, however late the watch is.
    async fn send<K: Object>(&self, target: &Target<'_>, request: Built) -> Result<Bytes> {
        let request = request.map_err(|error| target.invalid::<K>(error.to_string()))?;
        let shard = self.shard::<K>(target.key);
        let seen = shard.as_ref().map(|shard| shard.seen(target.key));
        match self.call::<K>(request, &target.what).await {
            Ok(answer) => Ok(answer),
            Err(refusal) => match target.error::<K>(refusal) {
                StoreError::Conflict { expected, .. } => {
                    let found = self.read_now::<K>(target.key).await?;
                    Err(StoreError::Conflict {
                        kind: K::KIND,
                        key: target.key.clone(),
                        expected,
                        found: found.version(),
                    })
                }
                not_found @ StoreError::NotFound { .. } => {
                    if let (Some(shard), Some(seen)) = (shard, seen) {
                        shard.missed(target.key, &seen);
                    }
                    Err(not_found)
                }
                error => Err(error),
            },
        }
    }

    /// The object as the server has it now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] and those of any request.
    pub async fn read_now<K: Object>(&self, key: &Key) -> Result<Arc<K>> {
        let target = Target::new::<K>("read", key, None);
        let answer = self.fetch::<K>(&target).await?;
        self.take(&target, &answer)
    }

    async fn fetch<K: Object>(&self, target: &Target<'_>) -> Result<Bytes> {
        let key = target.key;
        let request = requests::<K>(Some(&key.namespace)).get(&key.name, &Default::default());
        let request = request.map_err(|error| target.invalid::<K>(error.to_string()))?;
        let answer = self.call::<K>(request, &target.what).await;
        answer.map_err(|refusal| target.error::<K>(refusal))
    }

    pub(super) async fn owners<K: Object>(&self, key: &Key) -> Result<Vec<ManagedFieldsEntry>> {
        let target = Target::new::<K>("read", key, None);
        let answer = self.fetch::<K>(&target).await?;
        let owners: Owners = serde_json::from_slice(&answer)
            .map_err(|error| StoreError::Backend(format!("{}: {error}", target.what)))?;
        Ok(owners.into())
    }

    pub(super) async fn do_create<K: Object>(&self, object: K) -> Result<Arc<K>> {
        let key = object.key();
        let target = Target::new::<K>("create", &key, None);
        let version = object.meta().resource_version.as_deref();
        if version.is_some_and(|version| !version.is_empty()) {
            return Err(
                target.invalid::<K>("metadata.resourceVersion is set on an object to create")
            );
        }
        let body = to_bytes(&target, &object)?;
        let params = PostParams {
            dry_run: self.dry,
            field_manager: Some(self.manager.to_string()),
        };
        let request = requests::<K>(Some(&key.namespace)).create(&params, body);
        let answer = self.send::<K>(&target, request).await?;
        self.take(&target, &answer)
    }

    pub(super) async fn do_apply<K: Object>(
        &self,
        key: &Key,
        mut wanted: Value,
        owner: &str,
        force: bool,
    ) -> Result<Arc<K>> {
        let target = Target::new::<K>("apply", key, None);
        complete::<K>(&target, &mut wanted)?;
        let params = PatchParams {
            force,
            field_manager: Some(owner.to_owned()),
            dry_run: self.dry,
            ..PatchParams::default()
        };
        let request =
            requests::<K>(Some(&key.namespace)).patch(&key.name, &params, &Way::Apply(&wanted));
        let answer = self.send::<K>(&target, request).await?;
        self.take(&target, &answer)
    }

    pub(super) async fn do_patch<K: Object>(
        &self,
        key: &Key,
        patch: Patch,
        expected: Option<Version>,
    ) -> Result<Arc<K>> {
        let target = Target::new::<K>("change", key, expected);
        let answer = match patch {
            Patch::Merge(mut patch) => {
                if let Some(expected) = expected {
                    at_version_of(&mut patch, expected);
                }
                self.merge::<K>(&target, patch).await?
            }
            Patch::Json(patch) => {
                let mut steps = to_value(&target, &patch)?;
                if let (Some(steps), Some(Version(version))) = (steps.as_array_mut(), expected) {
                    let path = "/metadata/resourceVersion";
                    let step =
                        json!({ "op": "replace", "path": path, "value": version.to_string() });
                    steps.insert(0, step);
                }
                let body = to_bytes(&target, &steps)?;
                let request = self.json_patch::<K>(key, body);
                self.send::<K>(&target, request).await?
            }
        };
        self.take(&target, &answer)
    }

    async fn merge<K: Object>(&self, target: &Target<'_>, patch: Value) -> Result<Bytes> {
        let params = PatchParams {
            field_manager: Some(self.manager.to_string()),
            dry_run: self.dry,
            ..PatchParams::default()
        };
        let key = target.key;
        let requests = requests::<K>(Some(&key.namespace));
        let request = requests.patch(&key.name, &params, &Way::Merge(&patch));
        self.send::<K>(target, request).await
    }

    /// kube's own needs another feature of it for this one media type.
    fn json_patch<K: Object>(&self, key: &Key, body: Vec<u8>) -> Built {
        let path = &requests::<K>(Some(&key.namespace)).url_path;
        let (name, manager) = (&key.name, &self.manager);
        let dry = if self.dry { "&dryRun=All" } else { "" };
        http::Request::builder()
            .method(Method::PATCH)
            .uri(format!("{path}/{name}?fieldManager={manager}{dry}"))
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json-patch+json")
            .body(body)
            .map_err(kube::core::request::Error::BuildRequest)
    }

    pub(super) async fn do_update_status<K: Object>(
        &self,
        mut object: K,
        expected: Version,
    ) -> Result<Arc<K>> {
        let key = object.key();
        let target = Target::new::<K>("write the status of", &key, Some(expected));
        let base = self.base::<K>(&target, expected).await?;
        let delta = Delta::between(base.meta(), object.meta());
        let status = !object.same_status(&base);
        let mut now = base;
        if let Some(gains) = delta.gains {
            now = self.change_metadata(&target, &now, gains).await?;
        }
        // What goes with its last finalizer needs no status any more.
        let goes = delta.lets_go && now.meta().deletion_timestamp.is_some();
        if status && !goes {
            *object.meta_mut() = now.meta().clone();
            object.set_spec(&now);
            now = self.put_status(&target, object).await?;
        }
        if let Some(losses) = delta.losses {
            now = self.change_metadata(&target, &now, losses).await?;
        }
        Ok(now)
    }

    /// The object at this version.
    async fn base<K: Object>(&self, target: &Target<'_>, expected: Version) -> Result<Arc<K>> {
        let known = self
            .shard::<K>(target.key)
            .and_then(|shard| shard.get(target.key));
        let base = match known {
            Some(known) if known.version() >= expected => known,
            // Written by somebody else, and the watch is late; or not watched at all.
            _ => self.read_now::<K>(target.key).await?,
        };
        if base.version() == expected {
            return Ok(base);
        }
        Err(StoreError::Conflict {
            kind: K::KIND,
            key: target.key.clone(),
            expected,
            found: base.version(),
        })
    }

    /// Of the answer only the head is read: the rest is as it was at the version that is changed.
    async fn change_metadata<K: Object>(
        &self,
        target: &Target<'_>,
        now: &Arc<K>,
        metadata: Value,
    ) -> Result<Arc<K>> {
        let version = now.meta().resource_version.as_deref().unwrap_or_default();
        let patch = at_version(metadata, version);
        let answer = self.merge::<K>(target, patch).await?;
        self.take_head(target, K::clone(now), &answer)
    }

    /// The object with the metadata that the server answered with, which is shown from now on.
    fn take_head<K: Object>(
        &self,
        target: &Target<'_>,
        mut object: K,
        answer: &Bytes,
    ) -> Result<Arc<K>> {
        let head: Head = serde_json::from_slice(answer)
            .map_err(|error| StoreError::Backend(format!("{}: {error}", target.what)))?;
        *object.meta_mut() = head.metadata;
        prune(&mut object);
        let object = Arc::new(object);
        self.shows(target.key, &object);
        Ok(object)
    }

    /// Writes the status of an object with the metadata and the spec that the server has. Of the
    /// answer only the head is read: the status is what was sent.
    async fn put_status<K: Object>(&self, target: &Target<'_>, mut object: K) -> Result<Arc<K>> {
        let whole = object.meta().clone();
        *object.meta_mut() = Metadata {
            name: whole.name.clone(),
            namespace: whole.namespace.clone(),
            resource_version: whole.resource_version.clone(),
            uid: whole.uid.clone(),
            ..Metadata::default()
        };
        let body = to_bytes(target, &object)?;
        let params = PostParams {
            dry_run: self.dry,
            field_manager: Some(self.manager.to_string()),
        };
        let key = target.key;
        let requests = requests::<K>(Some(&key.namespace));
        let request = requests.replace_subresource("status", &key.name, &params, body);
        let answer = self.send::<K>(target, request).await?;
        self.take_head(target, object, &answer)
    }

    pub(super) async fn do_delete<K: Object>(
        &self,
        key: &Key,
        expected: Option<Version>,
    ) -> Result<Deleted> {
        let target = Target::new::<K>("delete", key, expected);
        let mut params = DeleteParams::background();
        params.dry_run = self.dry;
        if let Some(Version(version)) = expected {
            params.preconditions = Some(Preconditions {
                resource_version: Some(version.to_string()),
                uid: None,
            });
        }
        let request = requests::<K>(Some(&key.namespace)).delete(&key.name, &params);
        let shard = self.shard::<K>(key).filter(|_| !self.dry);
        let seen = shard.as_ref().map(|shard| shard.seen(key));
        let answer = self.send::<K>(&target, request).await?;
        // An object that is still there, or a `Status` that it is not.
        let answered: Value = to_json(&target, &answer)?;
        if answered["kind"] != "Status" && answered["metadata"]["deletionTimestamp"].is_string() {
            let object = self.take::<K>(&target, &answer)?;
            if !object.meta().finalizers().is_empty() {
                return Ok(Deleted::Marked);
            }
        }
        if let (Some(shard), Some(seen)) = (shard, seen) {
            let uid = [&answered["details"]["uid"], &answered["metadata"]["uid"]];
            match uid.into_iter().find_map(Value::as_str) {
                Some(uid) => shard.removed(key, Some(&uid.into())),
                None => shard.missed(key, &seen),
            }
        }
        Ok(Deleted::Gone)
    }
}

fn at_version_of(patch: &mut Value, Version(version): Version) {
    if !patch["metadata"].is_object() {
        patch["metadata"] = json!({});
    }
    patch["metadata"]["resourceVersion"] = version.to_string().into();
}
