//! `Store` for the embedded store.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{self, BoxStream, StreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::Value;

use super::commit::Waits;
use super::decide::{Decision, Setting};
use super::meta::api_version;
use super::{Accept, Embedded, Shared, StoreError};
use crate::store::table::{Changed, Item, Table, Tabled, Write};
use crate::store::{Change, Deleted, Key, Object, Patch, Result, Snapshot, Store, Version, log};

/// What came of a write.
enum Outcome<K> {
    Is(Arc<K>),
    Gone(Arc<K>),
}

impl<K> Outcome<K> {
    fn object(self) -> Arc<K> {
        match self {
            Self::Is(object) | Self::Gone(object) => object,
        }
    }
}

impl Embedded {
    /// Decides a write and waits until it is durable.
    async fn write<K: Object>(
        &self,
        key: &Key,
        decide: impl FnOnce(&Setting<'_>, Option<&Item<K>>) -> Result<Decision<K>> + Send,
    ) -> Result<Outcome<K>> {
        let (waits, result) = self.accept_write(key, decide)?;
        waits.done().await?;
        result
    }

    /// The part of a write that is done at once, in the order in which writers come.
    fn accept_write<K: Object>(
        &self,
        key: &Key,
        decide: impl FnOnce(&Setting<'_>, Option<&Item<K>>) -> Result<Decision<K>>,
    ) -> Result<(Waits, Result<Outcome<K>>)> {
        let table = self.table::<K>()?;
        let mut accept = self.accept();
        if accept.closed {
            return Err(StoreError::Backend(
                "the store is closed: metalform is stopping".into(),
            ));
        }
        let (current, on_its_way) = table.newest(key);
        let setting = Setting {
            shared: &self.shared,
            manager: &self.manager,
            key,
            version: Version(accept.version + 1),
        };
        let decision = match decide(&setting, current.as_ref()) {
            Ok(Decision::Same(item)) => Ok(Outcome::Is(item.object)),
            Err(error) => Err(error),
            Ok(Decision::Put(item, changed)) => {
                let object = Arc::clone(&item.object);
                let waits =
                    self.submit(&mut accept, &table, key, current, Some(item), None, changed);
                if let Some(rule) = K::RETENTION {
                    self.expire(&mut accept, &table, &object, rule);
                }
                return Ok((waits, Ok(Outcome::Is(object))));
            }
            Ok(Decision::Remove(last)) => {
                let changed = Changed {
                    main: true,
                    status: true,
                };
                let object = Arc::clone(&last);
                let waits =
                    self.submit(&mut accept, &table, key, current, None, Some(last), changed);
                return Ok((waits, Ok(Outcome::Gone(object))));
            }
        };
        // An answer that rests on what is not durable yet waits for it: whoever then reads again
        // finds what the answer is about.
        let waits = if on_its_way {
            Shared::enqueue(&self.shared, &mut accept, None)
        } else {
            Waits::Done
        };
        Ok((waits, decision))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one write")]
    fn submit<K: Object>(
        &self,
        accept: &mut Accept,
        table: &Arc<Table<K>>,
        key: &Key,
        before: Option<Item<K>>,
        after: Option<Item<K>>,
        last: Option<Arc<K>>,
        changed: Changed,
    ) -> Waits {
        accept.version += 1;
        let write = Write {
            key: key.clone(),
            version: Version(accept.version),
            before,
            after,
            last,
            changed,
        };
        table.accept(&write);
        let table = Arc::clone(table);
        Shared::enqueue(
            &self.shared,
            accept,
            Some(Box::new(Tabled { table, write })),
        )
    }

    /// Removes what is over the retention of its kind, in the same commit.
    fn expire<K: Object>(
        &self,
        accept: &mut Accept,
        table: &Arc<Table<K>>,
        object: &K,
        rule: crate::store::Retention,
    ) {
        for key in table.expire(object, rule, Self::now(&self.shared)) {
            let (Some(item), _) = table.newest(&key) else {
                continue;
            };
            let mut last = item.object.as_ref().clone();
            last.meta_mut().resource_version = Some((accept.version + 1).to_string().into());
            let changed = Changed {
                main: true,
                status: true,
            };
            let last = Some(Arc::new(last));
            // Nobody waits for it.
            drop(self.submit(accept, table, &key, Some(item), None, last, changed));
        }
    }
}

impl<K: Object> Store<K> for Embedded {
    fn snapshot(&self) -> BoxFuture<'_, Result<Snapshot<K>>> {
        std::future::ready(self.table::<K>().map(|table| table.snapshot())).boxed()
    }

    fn get(&self, key: &Key) -> Option<Arc<K>> {
        Some(self.table::<K>().ok()?.get(key)?.object)
    }

    fn list(&self) -> Vec<Arc<K>> {
        self.table::<K>()
            .map(|table| table.list())
            .unwrap_or_default()
    }

    fn watch(&self, from: Version) -> BoxStream<'static, Change<K>> {
        match self.table::<K>() {
            Ok(table) => log::watch(table, from),
            Err(_) => stream::pending().boxed(),
        }
    }

    fn create(&self, object: K) -> BoxFuture<'_, Result<Arc<K>>> {
        async move {
            let key = object.key();
            let outcome = self
                .write(&key, |setting, current| setting.create(current, object))
                .await?;
            Ok(outcome.object())
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
        async move {
            let outcome = self
                .write(key, |setting, current| {
                    setting.apply(current, wanted, owner, force)
                })
                .await?;
            Ok(outcome.object())
        }
        .boxed()
    }

    fn patch<'a>(
        &'a self,
        key: &'a Key,
        patch: Patch,
        expected: Option<Version>,
    ) -> BoxFuture<'a, Result<Arc<K>>> {
        async move {
            let outcome = self
                .write(key, |setting, current| {
                    setting.patch(current, &patch, expected)
                })
                .await?;
            Ok(outcome.object())
        }
        .boxed()
    }

    fn update_status(&self, object: K, expected: Version) -> BoxFuture<'_, Result<Arc<K>>> {
        async move {
            let key = object.key();
            let outcome = self
                .write(&key, |setting, current| {
                    setting.update_status(current, object, expected)
                })
                .await?;
            Ok(outcome.object())
        }
        .boxed()
    }

    fn keeps_order(&self) -> bool {
        true
    }

    fn delete<'a>(
        &'a self,
        key: &'a Key,
        expected: Option<Version>,
    ) -> BoxFuture<'a, Result<Deleted>> {
        async move {
            let outcome = self
                .write::<K>(key, |setting, current| setting.delete(current, expected))
                .await?;
            Ok(match outcome {
                Outcome::Is(_) => Deleted::Marked,
                Outcome::Gone(_) => Deleted::Gone,
            })
        }
        .boxed()
    }

    fn managed_fields<'a>(
        &'a self,
        key: &'a Key,
    ) -> BoxFuture<'a, Result<Vec<ManagedFieldsEntry>>> {
        let found = self.table::<K>().and_then(|table| {
            let item = table.get(key).ok_or_else(|| StoreError::NotFound {
                kind: K::KIND,
                key: key.clone(),
            })?;
            Ok(item.managed.to_api(&api_version::<K>()))
        });
        std::future::ready(found).boxed()
    }
}
