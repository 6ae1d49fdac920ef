//! A store that fails when told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Value, json};

use crate::store::{
    Change, Deleted, Embedded, Key, Object, Patch, Result, Snapshot, Store, StoreError, Version,
};

/// A store that fails when told.
pub(super) struct Flaky {
    store: Embedded,
    refuses: AtomicBool,
    forbids: AtomicBool,
    forbidden: AtomicUsize,
    hangs: AtomicBool,
    interferes: AtomicUsize,
    interfered: AtomicUsize,
}

impl Flaky {
    pub fn new(store: Embedded) -> Self {
        Self {
            store,
            refuses: AtomicBool::new(false),
            forbids: AtomicBool::new(false),
            forbidden: AtomicUsize::new(0),
            hangs: AtomicBool::new(false),
            interferes: AtomicUsize::new(0),
            interfered: AtomicUsize::new(0),
        }
    }

    /// No status is written, as on a full disk.
    pub fn refuse(&self, on: bool) {
        self.refuses.store(on, Ordering::SeqCst);
    }

    /// A status is taken for invalid, as by a server with an older CRD.
    pub fn forbid(&self, on: bool) {
        self.forbids.store(on, Ordering::SeqCst);
    }

    /// How often that was so.
    pub fn forbidden(&self) -> usize {
        self.forbidden.load(Ordering::SeqCst)
    }

    /// Writes of any kind never end.
    pub fn hang(&self, on: bool) {
        self.hangs.store(on, Ordering::SeqCst);
    }

    /// Somebody else writes just before each of the next so many writes of status.
    pub fn interfere(&self, times: usize) {
        self.interferes.store(times, Ordering::SeqCst);
    }

    pub fn interfered(&self) -> usize {
        self.interfered.load(Ordering::SeqCst)
    }

    /// Waits for ever while writes hang.
    async fn gate(&self) {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

impl<K: Object> Store<K> for Flaky {
    fn snapshot(&self) -> BoxFuture<'_, Result<Snapshot<K>>> {
        self.store.snapshot()
    }

    fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.store.get(key)
    }

    fn list(&self) -> Vec<Arc<K>> {
        self.store.list()
    }

    fn watch(&self, from: Version) -> BoxStream<'static, Change<K>> {
        self.store.watch(from)
    }

    fn create(&self, object: K) -> BoxFuture<'_, Result<Arc<K>>> {
        async move {
            self.gate().await;
            self.store.create(object).await
        }
        .boxed()
    }

    fn apply<'a>(
        &'a self,
        key: &'a Key,
        wanted: Value,
        owner: &'a str,
        force: bool,
    ) -> BoxFuture<'a, Result<Arc<K>>> {
        self.store.apply(key, wanted, owner, force)
    }

    fn patch<'a>(
        &'a self,
        key: &'a Key,
        patch: Patch,
        expected: Option<Version>,
    ) -> BoxFuture<'a, Result<Arc<K>>> {
        async move {
            self.gate().await;
            self.store.patch(key, patch, expected).await
        }
        .boxed()
    }

    fn update_status(&self, object: K, expected: Version) -> BoxFuture<'_, Result<Arc<K>>> {
        async move {
            self.gate().await;
            if self.refuses.load(Ordering::SeqCst) {
                return Err(StoreError::Backend("cannot write: the disk is full".into()));
            }
            if self.forbids.load(Ordering::SeqCst) {
                self.forbidden.fetch_add(1, Ordering::SeqCst);
                return Err(StoreError::Invalid {
                    kind: K::KIND,
                    key: object.key(),
                    reason: "status.x: not allowed".into(),
                });
            }
            let left = self.interferes.load(Ordering::SeqCst);
            // Every second one: the writer comes through in between.
            if left > 0 {
                self.interferes.store(left - 1, Ordering::SeqCst);
                if left.is_multiple_of(2) {
                    let count = self.interfered.fetch_add(1, Ordering::SeqCst);
                    let note = json!({ "metadata": { "annotations": { "n": count.to_string() } } });
                    let patched: Result<Arc<K>> = self
                        .store
                        .patch(&object.key(), Patch::Merge(note), None)
                        .await;
                    patched?;
                }
            }
            self.store.update_status(object, expected).await
        }
        .boxed()
    }

    fn delete<'a>(
        &'a self,
        key: &'a Key,
        expected: Option<Version>,
    ) -> BoxFuture<'a, Result<Deleted>> {
        Store::<K>::delete(&self.store, key, expected)
    }

    fn managed_fields<'a>(
        &'a self,
        key: &'a Key,
    ) -> BoxFuture<'a, Result<Vec<ManagedFieldsEntry>>> {
        Store::<K>::managed_fields(&self.store, key)
    }
}
