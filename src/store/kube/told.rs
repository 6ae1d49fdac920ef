//! An object as a watch tells of it: whose word it is, and the text. It is read only where that version
//! is not in memory yet, for half of what a watch tells is what this process wrote itself.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{NamespaceResourceScope, Resource};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;
use tracing::warn;

use crate::store::{Key, Object, Version};

use super::shard::Shard;

/// Left behind by `kubectl apply`: a copy of the spec that nobody here looks at.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// See the module.
pub(super) struct Told<K> {
    /// For kube-runtime: the version, by which it finds its place again.
    meta: ObjectMeta,
    key: Key,
    text: Box<RawValue>,
    of: PhantomData<fn() -> K>,
}

/// Whose word it is.
#[derive(Deserialize)]
struct Named {
    metadata: Name,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Name {
    #[serde(default)]
    namespace: Arc<str>,
    name: Arc<str>,
    #[serde(default)]
    resource_version: String,
}

impl<K: Object> Told<K> {
    /// The object, cut down to what is kept in memory.
    pub fn read(&self, shard: &Shard<K>) -> Result<Arc<K>, serde_json::Error> {
        let version = self.meta.resource_version.as_deref().unwrap_or_default();
        let version = version.parse().ok().map(Version);
        if let Some(known) = version.and_then(|version| shard.at_version(&self.key, version)) {
            return Ok(known);
        }
        let mut object: K = serde_json::from_str(self.text.get())?;
        prune(&mut object);
        Ok(Arc::new(object))
    }

    /// In place of one that cannot be read (a field of another type than the CRD had): the object as
    /// it was known, at the new version. It is there, so it must not be missed; or it is gone.
    ///
    /// # Errors
    /// When it was not known either: why it cannot be read.
    pub fn or_as_known(&self, shard: &Shard<K>) -> Result<Arc<K>, String> {
        let error = match self.read(shard) {
            Ok(object) => return Ok(object),
            Err(error) => error,
        };
        let Some(known) = shard.get(&self.key) else {
            return Err(error.to_string());
        };
        self.stays(&error);
        let mut known = K::clone(&known);
        let version = self.meta.resource_version.as_deref().map(Arc::from);
        known.meta_mut().resource_version = version;
        Ok(Arc::new(known))
    }

    /// Brings what was told into a shard.
    pub fn applies(&self, shard: &Shard<K>) {
        match self.read(shard) {
            Ok(object) => shard.applied(object),
            Err(error) if shard.get(&self.key).is_some() => self.stays(&error),
            Err(error) => shard.cannot_read(self.key.clone(), error.to_string()),
        }
    }

    /// The same of one that is among all that there are.
    pub fn comes(&self, shard: &Shard<K>) {
        match self.or_as_known(shard) {
            Ok(object) => shard.comes(object),
            Err(reason) => shard.cannot_read(self.key.clone(), reason),
        }
    }

    /// The same of one that went.
    pub fn goes(&self, shard: &Shard<K>) {
        match self.or_as_known(shard) {
            Ok(object) => shard.deleted(object),
            Err(_) => shard.is_no_more(&self.key),
        }
    }

    fn stays(&self, error: &serde_json::Error) {
        warn!(
            code = "Unreadable",
            "{} {} is left as it was known: what the server told of it cannot be read: {error}",
            K::KIND,
            self.key
        );
    }
}

/// Makes an object from a server as small as it can be: who owns which field is asked for when
/// somebody wants to know.
pub(super) fn prune<K: Object>(object: &mut K) {
    let meta = object.meta_mut();
    meta.self_link = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove(LAST_APPLIED);
    }
    meta.annotations.take_if(|all| all.is_empty());
    object.compact();
}

impl<'de, K> Deserialize<'de> for Told<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let named: Named = serde_json::from_str(text.get()).map_err(de::Error::custom)?;
        let Name {
            namespace,
            name,
            resource_version,
        } = named.metadata;
        Ok(Self {
            meta: ObjectMeta {
                resource_version: Some(resource_version).filter(|version| !version.is_empty()),
                ..ObjectMeta::default()
            },
            key: Key { namespace, name },
            text,
            of: PhantomData,
        })
    }
}

impl<K> Clone for Told<K> {
    fn clone(&self) -> Self {
        Self {
            meta: self.meta.clone(),
            key: self.key.clone(),
            text: self.text.clone(),
            of: PhantomData,
        }
    }
}

impl<K: Object> fmt::Debug for Told<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", K::KIND, self.key)
    }
}

impl<K: Object> Resource for Told<K> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        K::KIND.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        K::GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        K::VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

#[cfg(test)]
mod tests {
    use kube::core::WatchEvent;
    use serde_json::{Value, json};

    use super::*;
    use crate::store::conformance::Widget;

    fn widget(version: &str, spec: &Value) -> Value {
        json!({
            "apiVersion": "test.metalform.dev/v1", "kind": "Widget",
            "metadata": {
                "name": "a", "namespace": "n", "uid": "1", "resourceVersion": version,
                "managedFields": [{ "manager": "kubectl" }],
            },
            "spec": spec,
        })
    }

    /// One line of a watch, as kube reads it.
    fn told(version: &str, spec: &Value) -> Told<Widget> {
        let line = json!({ "type": "MODIFIED", "object": widget(version, spec) });
        // As the server has it: the type first.
        let line = line.to_string();
        let line = line
            .strip_prefix('{')
            .unwrap()
            .strip_suffix(r#","type":"MODIFIED"}"#);
        let line = format!(r#"{{"type":"MODIFIED",{}}}"#, line.unwrap());
        match serde_json::from_str(&line).unwrap() {
            WatchEvent::Modified(told) => told,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_written_here_is_not_read_again() {
        let shard = Shard::new(None, 8);
        let read = told("7", &json!({ "color": "red" })).read(&shard).unwrap();
        assert_eq!(read.version(), Version(7));
        shard.begins();
        shard.comes(Arc::clone(&read));
        shard.is_whole();
        let again = told("7", &json!({ "color": "red" }));
        assert_eq!(again.meta().resource_version.as_deref(), Some("7"));
        assert!(Arc::ptr_eq(&again.read(&shard).unwrap(), &read));
        let other = told("8", &json!({ "color": "blue" }));
        assert!(!Arc::ptr_eq(&other.read(&shard).unwrap(), &read));
    }

    #[test]
    fn one_that_cannot_be_read_is_there_all_the_same() {
        let shard = Shard::new(None, 8);
        let bad = told("8", &json!("text"));
        assert!(bad.read(&shard).is_err());
        assert!(bad.or_as_known(&shard).is_err());
        shard.begins();
        shard.comes(told("7", &json!({ "color": "red" })).read(&shard).unwrap());
        shard.is_whole();
        let known = bad.or_as_known(&shard).unwrap();
        assert_eq!(known.version(), Version(8));
        assert_eq!(known.spec, shard.get(&Key::new("n", "a")).unwrap().spec);
        bad.applies(&shard);
        assert_eq!(shard.unreadable(), None, "it is known");
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_with_one_that_was_never_known_is_not_whole() {
        let whole = async |shard: &Shard<Widget>| {
            let soon = std::time::Duration::from_millis(1);
            tokio::time::timeout(soon, shard.synced()).await.is_ok()
        };
        let shard = Shard::new(None, 8);
        shard.begins();
        told("7", &json!("text")).comes(&shard);
        assert_eq!(shard.unreadable(), None, "the list is not there yet");
        shard.is_whole();
        let text = shard.unreadable().unwrap();
        assert!(
            text.starts_with("Widget n/a is there and cannot be read: "),
            "{text}"
        );
        assert!(!whole(&shard).await);
        // Somebody mends it.
        told("8", &json!({ "color": "red" })).applies(&shard);
        assert_eq!(shard.unreadable(), None);
        assert!(whole(&shard).await);
        told("9", &json!({ "color": "red" })).goes(&shard);
        // One that comes later takes nothing back and is said.
        told("10", &json!("text")).applies(&shard);
        assert!(whole(&shard).await && shard.unreadable().is_some());
        told("11", &json!("text")).goes(&shard);
        assert_eq!(shard.unreadable(), None);
    }
}
