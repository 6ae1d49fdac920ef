//! For one who looks once: all objects at one moment, or whether there is one. Nothing is watched.

use kube::api::ListParams;
use serde::Deserialize;

use crate::store::{Key, Object, Result, StoreError};

use super::Kube;
use super::request::error;
use super::told::prune;
use super::write::requests;

/// Objects in a page.
const PAGE: u32 = 500;

#[derive(Deserialize)]
struct Page<K> {
    #[serde(default)]
    metadata: Head,
    items: Vec<K>,
}

#[derive(Deserialize, Default)]
struct Head {
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

impl Kube {
    /// All objects of a kind in the namespaces of this store, as the server has them now, in order
    /// of key.
    ///
    /// # Errors
    /// Those of any request; at once, unlike a watch, which tries again.
    pub async fn list_now<K: Object>(&self) -> Result<Vec<K>> {
        let mut all = Vec::new();
        match self.shared.namespaces.as_slice() {
            [] => self.list_into::<K>(None, &mut all).await?,
            some => {
                for namespace in some {
                    self.list_into(Some(namespace), &mut all).await?;
                }
            }
        }
        all.sort_by_cached_key(K::key);
        Ok(all)
    }

    /// True when there is an object of this kind and key. Only its metadata comes over the wire.
    ///
    /// # Errors
    /// Those of any request.
    pub async fn exists<K: Object>(&self, key: &Key) -> Result<bool> {
        let what = format!("look for {} {key}", K::KIND);
        let request = requests::<K>(Some(&key.namespace));
        let request = request.get_metadata(&key.name, &Default::default());
        let request =
            request.map_err(|error| StoreError::Backend(format!("cannot {what}: {error}")))?;
        let answer = self.call::<K>(request, &what).await;
        match answer.map_err(|refusal| error::<K>(key, None, refusal, &what)) {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn list_into<K: Object>(&self, namespace: Option<&str>, all: &mut Vec<K>) -> Result<()> {
        let what = match namespace {
            Some(namespace) => format!("list {} in {namespace}", K::PLURAL),
            None => format!("list {} in all namespaces", K::PLURAL),
        };
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let request = requests::<K>(namespace).list(&params);
            let request =
                request.map_err(|error| StoreError::Backend(format!("cannot {what}: {error}")))?;
            let answer = self.call::<K>(request, &what).await.map_err(|refusal| {
                let key = Key::new(namespace.unwrap_or_default(), "");
                error::<K>(&key, None, refusal, &what)
            })?;
            let page: Page<K> = serde_json::from_slice(&answer).map_err(|error| {
                StoreError::Backend(format!("cannot {what}: the answer is no list: {error}"))
            })?;
            all.extend(page.items.into_iter().map(|mut object| {
                prune(&mut object);
                object
            }));
            match page.metadata.next.filter(|next| !next.is_empty()) {
                Some(next) => params.continue_token = Some(next),
                None => return Ok(()),
            }
        }
    }
}
