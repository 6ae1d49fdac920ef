//! The firmware objects beside a host: HostFirmwareSettings, HostFirmwareComponents, FirmwareSchema
//! and HostUpdatePolicy.
//!
//! What is in them is decided in [`crate::firmware`]; here it is read and written. They have the
//! host's name, belong to it and go with it. Each is written when something was read or when what
//! it wants was judged, and at no other time.

use std::sync::Arc;

use tracing::warn;

use crate::api::names::{annotation, reason};
use crate::api::{
    BareMetalHost, Condition, ConditionStatus, FirmwareConditionType, FirmwareSchema,
    HostFirmwareComponents, HostFirmwareComponentsStatus, HostFirmwareSettings,
    HostFirmwareSettingsStatus, HostUpdatePolicy, Metadata, OwnerReference, SystemVendor,
    conditions,
};
use crate::firmware::{Found, Reading, Standing, components, schema, settings};
use crate::reconcile::Note;
use crate::store::{Key, Object, Store, StoreError};

use super::{Shared, Stores};

/// True for one that a host need not look at.
pub(super) fn settings_are_settled(object: &HostFirmwareSettings) -> bool {
    is_owned(&object.metadata) && settings::is_settled(object)
}

/// The same.
pub(super) fn components_are_settled(object: &HostFirmwareComponents) -> bool {
    is_owned(&object.metadata) && components::is_settled(object)
}

/// The same.
pub(super) fn policy_is_settled(object: &HostUpdatePolicy) -> bool {
    is_owned(&object.metadata)
}

impl<S: Stores> Shared<S> {
    /// What a step has to know.
    pub(super) fn firmware(&self, key: &Key) -> Standing {
        let settings = self.beside::<HostFirmwareSettings>(key);
        let schema = self.schema_of(settings.as_deref());
        let components = self.beside::<HostFirmwareComponents>(key);
        Standing::of(
            settings.as_deref(),
            schema.as_deref(),
            components.as_deref(),
        )
    }

    fn beside<K: Object>(&self, key: &Key) -> Option<Arc<K>>
    where
        S: Store<K>,
    {
        Store::<K>::get(self.store.as_ref(), key)
    }

    fn schema_of(&self, settings: Option<&HostFirmwareSettings>) -> Option<Arc<FirmwareSchema>> {
        let named = settings?.status.as_ref()?.schema.as_ref()?;
        self.beside(&Key::new(named.namespace.as_str(), named.name.as_str()))
    }

    /// What [`Shared::judge_firmware`] would look at, a line each.
    pub(super) fn unjudged(&self, key: &Key, host: &BareMetalHost) -> Vec<String> {
        let paused = host.annotation(annotation::PAUSED).is_some();
        if paused || host.metadata.deletion_timestamp.is_some() {
            return Vec::new();
        }
        let settings = self.beside::<HostFirmwareSettings>(key);
        let components = self.beside::<HostFirmwareComponents>(key);
        let policy = self.beside::<HostUpdatePolicy>(key);
        let mut lines = Vec::new();
        if settings.is_some_and(|object| !settings_are_settled(&object)) {
            lines.push(HostFirmwareSettings::KIND);
        }
        if components.is_some_and(|object| !components_are_settled(&object)) {
            lines.push(HostFirmwareComponents::KIND);
        }
        if policy.is_some_and(|object| !policy_is_settled(&object)) {
            lines.push(HostUpdatePolicy::KIND);
        }
        lines
            .into_iter()
            .map(|kind| format!("{kind}: its owner and its conditions"))
            .collect()
    }

    /// Makes the objects the host's, and judges what they want against what was read.
    pub(super) async fn judge_firmware(
        &self,
        key: &Key,
        host: &Arc<BareMetalHost>,
    ) -> Result<(), StoreError> {
        let paused = host.annotation(annotation::PAUSED).is_some();
        if paused || host.metadata.deletion_timestamp.is_some() {
            return Ok(());
        }
        let now = self.clock.now();
        let object = self.beside::<HostFirmwareSettings>(key);
        if let Some(object) = object.filter(|object| !settings_are_settled(object)) {
            let schema = self.schema_of(Some(&object));
            let schema = schema.as_deref();
            let read = settings::is_read(&object, schema);
            let status = read.then(|| settings::judged(&object, schema, now));
            self.put_settings(host, &object, status).await?;
        }
        let object = self.beside::<HostFirmwareComponents>(key);
        if let Some(object) = object.filter(|object| !components_are_settled(object)) {
            let read = components::is_read(&object);
            let status = read.then(|| components::judged(&object, now));
            self.put_components(host, &object, status).await?;
        }
        let object = self.beside::<HostUpdatePolicy>(key);
        if let Some(object) = object.filter(|object| !policy_is_settled(object)) {
            let next = HostUpdatePolicy::clone(&object);
            self.put(host, &object, next).await?;
        }
        Ok(())
    }

    /// Writes what was read of the host's machine.
    pub(super) async fn write_firmware(
        &self,
        host: &Arc<BareMetalHost>,
        reading: Reading,
        found: Found,
    ) -> Result<(), StoreError> {
        let key = host.key();
        let now = self.clock.now();
        if let Some(found) = &found.settings {
            let schema = schema::of(found, vendor(host).as_ref(), &key.namespace);
            if let Some(schema) = &schema
                && self.beside::<FirmwareSchema>(&schema.key()).is_none()
            {
                self.make(schema.clone()).await?;
            }
            let object = match self.beside::<HostFirmwareSettings>(&key) {
                Some(object) => object,
                None => self.make(new(&key, host)).await?,
            };
            let status = settings::read(&object, found, schema.as_ref(), now);
            self.put_settings(host, &object, Some(status)).await?;
        }
        if let Some(found) = found.components {
            let object = match self.beside::<HostFirmwareComponents>(&key) {
                Some(object) => object,
                None if found.is_empty() => return Ok(()),
                None => self.make(new(&key, host)).await?,
            };
            let status = components::read(&object, found, reading.installed, now);
            self.put_components(host, &object, Some(status)).await?;
        }
        Ok(())
    }

    async fn put_settings(
        &self,
        host: &Arc<BareMetalHost>,
        object: &Arc<HostFirmwareSettings>,
        status: Option<HostFirmwareSettingsStatus>,
    ) -> Result<(), StoreError> {
        let mut next = HostFirmwareSettings::clone(object);
        if let Some(status) = status {
            let before = object
                .status
                .as_ref()
                .map(|status| status.conditions.as_slice());
            self.tell_invalid(host, HostFirmwareSettings::KIND, before, &status.conditions);
            next.status = Some(status);
        }
        self.put(host, object, next).await
    }

    async fn put_components(
        &self,
        host: &Arc<BareMetalHost>,
        object: &Arc<HostFirmwareComponents>,
        status: Option<HostFirmwareComponentsStatus>,
    ) -> Result<(), StoreError> {
        let mut next = HostFirmwareComponents::clone(object);
        if let Some(status) = status {
            let before = object
                .status
                .as_ref()
                .map(|status| status.conditions.as_slice());
            self.tell_invalid(
                host,
                HostFirmwareComponents::KIND,
                before,
                &status.conditions,
            );
            next.status = Some(status);
        }
        self.put(host, object, next).await
    }

    /// Makes an object, or takes the one that somebody else made just now.
    async fn make<K: Object>(&self, object: K) -> Result<Arc<K>, StoreError>
    where
        S: Store<K>,
    {
        let key = object.key();
        let store: &dyn Store<K> = self.store.as_ref();
        match store.create(object).await {
            Err(StoreError::Exists { .. }) => store.read(&key).await,
            other => other,
        }
    }

    /// Writes that it is the host's, and its status, where they differ.
    async fn put<K: Object>(
        &self,
        host: &BareMetalHost,
        object: &Arc<K>,
        mut next: K,
    ) -> Result<(), StoreError>
    where
        S: Store<K>,
    {
        own(next.meta_mut(), host);
        if next.same_status(object) && next.meta() == object.meta() {
            return Ok(());
        }
        let written = Store::<K>::update_status(self.store.as_ref(), next, object.version());
        written.await.map(drop)
    }

    /// Tells that what is wanted cannot be done, once.
    fn tell_invalid<R>(
        &self,
        host: &Arc<BareMetalHost>,
        kind: &str,
        before: Option<&[Condition<FirmwareConditionType, R>]>,
        after: &[Condition<FirmwareConditionType, R>],
    ) {
        let invalid = |all: &[Condition<FirmwareConditionType, R>]| {
            let valid = conditions::find(all, &FirmwareConditionType::Valid)?;
            (valid.status == ConditionStatus::False).then(|| valid.message.clone())
        };
        if let Some(text) = invalid(after)
            && before.and_then(invalid).as_ref() != Some(&text)
        {
            let note = Note {
                reason: reason::VALIDATION_FAILED,
                message: format!("{kind} is not valid: {text}"),
                warning: true,
            };
            self.publish(host, &[note]);
        }
    }

    /// Removes the objects of a host that is gone, where nobody else does. What nobody made the
    /// host's stays.
    pub(super) async fn drop_firmware(&self, key: &Key) {
        self.drop_one::<HostFirmwareSettings>(key).await;
        self.drop_one::<HostFirmwareComponents>(key).await;
        self.drop_one::<HostUpdatePolicy>(key).await;
    }

    async fn drop_one<K: Object>(&self, key: &Key)
    where
        S: Store<K>,
    {
        let store: &dyn Store<K> = self.store.as_ref();
        let owned = store.get(key).is_some_and(|object| is_owned(object.meta()));
        if !store.collects_garbage() && owned {
            left(key, K::KIND, store.delete(key, None).await);
        }
    }

    /// These settings name this schema.
    pub(super) fn note_schema(&self, settings: &HostFirmwareSettings) {
        self.schemas
            .set(settings.key(), schema(settings).into_iter().collect());
    }

    /// The settings of a host are gone: a schema that no others name goes too.
    pub(super) async fn drop_schema(&self, settings: &HostFirmwareSettings) {
        self.schemas.forget(&settings.key());
        let Some(key) = schema(settings) else { return };
        if self.schemas.count(&key, 1, |_| false) > 0 {
            return;
        }
        let gone = Store::<FirmwareSchema>::delete(self.store.as_ref(), &key, None).await;
        left(&key, FirmwareSchema::KIND, gone);
    }
}

/// The schema that settings name. It is in their namespace.
fn schema(settings: &HostFirmwareSettings) -> Option<Key> {
    let named = settings.status.as_ref()?.schema.as_ref()?;
    Some(Key::new(settings.key().namespace, named.name.as_str()))
}

fn left(key: &Key, kind: &str, gone: Result<crate::store::Deleted, StoreError>) {
    match gone {
        Ok(_) | Err(StoreError::NotFound { .. }) => {}
        Err(error) => warn!(host = %key, code = error.code(), "{kind} is left: {error}"),
    }
}

/// A new object of the host's name.
fn new<K: Object + Default>(key: &Key, host: &BareMetalHost) -> K {
    let mut object = K::default();
    let meta = object.meta_mut();
    meta.name = Some(Arc::clone(&key.name));
    meta.namespace = Some(Arc::clone(&key.namespace));
    own(meta, host);
    object
}

fn is_owned(meta: &Metadata) -> bool {
    let owners = meta.owner_references.as_deref();
    owners
        .into_iter()
        .flatten()
        .any(|owner| &*owner.kind == "BareMetalHost")
}

/// Makes an object the host's. One that has a controller already keeps it.
fn own(meta: &mut Metadata, host: &BareMetalHost) {
    let uid = host.metadata.uid.clone().unwrap_or_default();
    let mut owners = meta
        .owner_references
        .as_deref()
        .cloned()
        .unwrap_or_default();
    if owners.iter().any(|owner| owner.uid == uid) {
        return;
    }
    // One of this name that is no more, whose objects are this one's now.
    owners.retain(|owner| &*owner.kind != "BareMetalHost");
    let controlled = owners.iter().any(|owner| owner.controller == Some(true));
    owners.push(OwnerReference {
        api_version: crate::api::API_VERSION.into(),
        kind: "BareMetalHost".into(),
        name: host.metadata.name.clone().unwrap_or_default(),
        uid,
        controller: (!controlled).then_some(true),
        block_owner_deletion: Some(true),
    });
    meta.owner_references = Some(owners.into());
}

/// Who made the machine, as its inventory tells.
fn vendor(host: &BareMetalHost) -> Option<SystemVendor> {
    let hardware = host.status.as_ref()?.hardware.as_ref()?;
    Some(hardware.get().ok()?.system_vendor)
}
