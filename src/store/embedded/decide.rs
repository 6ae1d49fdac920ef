//! What a write makes of an object: the rules of an API server, without waiting and without I/O.

use std::sync::Arc;

use serde_json::Value;

use super::meta::{api_version, check_name, keep_meta, tidy_meta};
use super::{Embedded, Result, Shared, StoreError, Version};
use crate::api::{Metadata, Timestamp, whole_seconds};
use crate::store::apply::{self, Claim};
use crate::store::fields::{Difference, FieldSet, Schema};
use crate::store::managed::Managed;
use crate::store::table::{Changed, Item};
use crate::store::{Key, Object, Patch};

/// The setting of a decision.
pub(super) struct Setting<'a> {
    pub shared: &'a Shared,
    pub manager: &'a str,
    pub key: &'a Key,
    /// The version that a change gets.
    pub version: Version,
}

/// What comes of it.
pub(super) enum Decision<K> {
    /// All stays.
    Same(Item<K>),
    /// A new state.
    Put(Item<K>, Changed),
    /// The object goes; its last state.
    Remove(Arc<K>),
}

impl Embedded {
    /// The time that is written into objects: whole seconds, as on the wire.
    pub(super) fn now(shared: &Shared) -> Timestamp {
        whole_seconds((shared.clock)())
    }
}

impl Setting<'_> {
    fn now(&self) -> Timestamp {
        Embedded::now(self.shared)
    }

    fn invalid<K: Object>(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Invalid {
            kind: K::KIND,
            key: self.key.clone(),
            reason: reason.into(),
        }
    }

    fn not_found<K: Object>(&self) -> StoreError {
        StoreError::NotFound {
            kind: K::KIND,
            key: self.key.clone(),
        }
    }

    fn expect<K: Object>(&self, object: &K, expected: Option<Version>) -> Result<()> {
        let found = object.version();
        match expected {
            Some(expected) if expected != found => Err(StoreError::Conflict {
                kind: K::KIND,
                key: self.key.clone(),
                expected,
                found,
            }),
            _ => Ok(()),
        }
    }

    /// A new object.
    pub fn create<K: Object>(
        &self,
        current: Option<&Item<K>>,
        mut object: K,
    ) -> Result<Decision<K>> {
        if current.is_some() {
            return Err(StoreError::Exists {
                kind: K::KIND,
                key: self.key.clone(),
            });
        }
        if object
            .meta()
            .resource_version
            .as_deref()
            .is_some_and(|version| !version.is_empty())
        {
            return Err(self.invalid::<K>("metadata.resourceVersion is set on an object to create"));
        }
        object.set_status(None);
        if !K::DURABLE {
            // Whoever made what is gone so soon is the only one who changes it; who owns which of
            // its fields would cost more than all the rest of it.
            return self.first(object, Vec::new());
        }
        let value = self.to_value(&object)?;
        let nothing = Value::Object(serde_json::Map::new());
        let difference = Difference::between(&nothing, &value, Schema::of::<K>());
        let claims = apply::update(&[], &difference, self.manager);
        self.first(object, claims)
    }

    /// The first state of an object.
    fn first<K: Object>(&self, mut object: K, claims: Vec<Claim>) -> Result<Decision<K>> {
        check_name(self.key).map_err(|reason| self.invalid::<K>(reason))?;
        let now = self.now();
        let uid = format!(
            "{}/{}/{}/{}/{}",
            K::GROUP,
            K::KIND,
            self.key.namespace,
            self.key.name,
            self.version.0
        );
        let meta = object.meta_mut();
        meta.name = Some(Arc::clone(&self.key.name));
        meta.namespace = Some(Arc::clone(&self.key.namespace));
        meta.uid = Some(
            uuid::Uuid::new_v5(&self.shared.seed, uid.as_bytes())
                .to_string()
                .into(),
        );
        meta.creation_timestamp = Some(now);
        // Kinds of the core group that come here (events) have no generation.
        meta.generation = (!K::GROUP.is_empty()).then_some(1);
        meta.deletion_timestamp = None;
        meta.deletion_grace_period_seconds = None;
        meta.self_link = None;
        tidy_meta(meta);
        let managed = self
            .shared
            .tables
            .shapes
            .keep(claims, &Managed::default(), now);
        Ok(self.put(object, managed, ALL))
    }

    fn put<K: Object>(&self, mut object: K, managed: Managed, changed: Changed) -> Decision<K> {
        let meta = object.meta_mut();
        meta.resource_version = Some(self.version.0.to_string().into());
        let gone = meta.deletion_timestamp.is_some() && meta.finalizers.is_none();
        object.compact();
        let object = Arc::new(object);
        if gone {
            return Decision::Remove(object);
        }
        Decision::Put(Item { object, managed }, changed)
    }

    /// Server-side apply.
    pub fn apply<K: Object>(
        &self,
        current: Option<&Item<K>>,
        mut wanted: Value,
        owner: &str,
        force: bool,
    ) -> Result<Decision<K>> {
        let schema = Schema::of::<K>();
        self.check_wanted::<K>(&mut wanted, schema)?;
        let asked = wanted
            .pointer("/metadata/resourceVersion")
            .and_then(Value::as_str);
        let asked = asked.filter(|text| !text.is_empty()).map(str::to_owned);
        let Some(current) = current else {
            if asked.is_some() {
                return Err(self.not_found::<K>());
            }
            let claims = vec![Claim {
                manager: owner.to_owned(),
                apply: true,
                fields: FieldSet::of(&wanted, schema),
            }];
            let claims = claims
                .into_iter()
                .filter(|claim| !claim.fields.is_empty())
                .collect();
            let mut object: K = self.read(wanted)?;
            object.set_status(None);
            return self.first(object, claims);
        };
        if let Some(asked) = asked {
            let asked = asked.parse().map(Version).unwrap_or_default();
            self.expect(current.object.as_ref(), Some(asked))?;
        }
        let live = self.to_value(current.object.as_ref())?;
        let claims = current.managed.claims();
        let applied =
            apply::apply(&live, &claims, &wanted, owner, force, schema).map_err(|clash| {
                StoreError::Owned {
                    kind: K::KIND,
                    key: self.key.clone(),
                    fields: clash.fields,
                    owner: clash.owner,
                }
            })?;
        let object = if applied.value == live {
            None
        } else {
            Some(self.read::<K>(applied.value)?)
        };
        self.change(current, object, applied.claims)
    }

    fn check_wanted<K: Object>(&self, wanted: &mut Value, schema: Schema) -> Result<()> {
        let Value::Object(map) = wanted else {
            return Err(self.invalid::<K>("what is applied is not an object"));
        };
        if K::HAS_STATUS {
            map.remove("status");
        }
        let api_version = api_version::<K>();
        for (name, is) in [("apiVersion", api_version.as_str()), ("kind", K::KIND)] {
            match map.get(name).and_then(Value::as_str) {
                Some(text) if text != is => {
                    return Err(self.invalid::<K>(format!("{name} is {text}, not {is}")));
                }
                Some(_) => {}
                None => drop(map.insert(name.into(), is.into())),
            }
        }
        let meta = map
            .entry("metadata")
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
        let Value::Object(meta) = meta else {
            return Err(self.invalid::<K>("metadata is not an object"));
        };
        if meta
            .get("managedFields")
            .is_some_and(|fields| !fields.is_null())
        {
            return Err(self.invalid::<K>("metadata.managedFields is set in what is applied"));
        }
        for (name, is) in [("name", &self.key.name), ("namespace", &self.key.namespace)] {
            match meta.get(name).and_then(Value::as_str) {
                Some(text) if *text != **is => {
                    return Err(self.invalid::<K>(format!("metadata.{name} is {text}, not {is}")));
                }
                Some(_) => {}
                None => drop(meta.insert(name.into(), Value::String(is.to_string()))),
            }
        }
        apply::without_nulls(wanted);
        match apply::duplicate(wanted, schema, &mut String::new()) {
            Some(path) => Err(self.invalid::<K>(format!("{path} stands twice"))),
            None => Ok(()),
        }
    }

    /// A merge or JSON patch of anything but status.
    pub fn patch<K: Object>(
        &self,
        current: Option<&Item<K>>,
        patch: &Patch,
        expected: Option<Version>,
    ) -> Result<Decision<K>> {
        let current = current.ok_or_else(|| self.not_found::<K>())?;
        self.expect(current.object.as_ref(), expected)?;
        let live = self.to_value(current.object.as_ref())?;
        let mut value = live.clone();
        match patch {
            Patch::Merge(patch) => json_patch::merge(&mut value, patch),
            Patch::Json(patch) => json_patch::patch(&mut value, patch)
                .map_err(|error| self.invalid::<K>(format!("the patch does not fit: {error}")))?,
        }
        if value == live {
            return Ok(Decision::Same(current.clone()));
        }
        let mut object: K = self.read(value)?;
        let meta = object.meta();
        if meta.name != current.object.meta().name
            || meta.namespace != current.object.meta().namespace
        {
            return Err(self.invalid::<K>("name and namespace cannot change"));
        }
        if meta.uid != current.object.meta().uid {
            return Err(self.invalid::<K>("metadata.uid cannot change"));
        }
        if meta.resource_version != current.object.meta().resource_version {
            self.expect(current.object.as_ref(), Some(object.version()))?;
        }
        object.set_status(Some(current.object.as_ref()));
        // What is owned is what the object became, not what the patch said.
        let after = self.to_value(&object)?;
        let difference = Difference::between(&live, &after, Schema::of::<K>());
        let claims = apply::update(&current.managed.claims(), &difference, self.manager);
        self.change(current, Some(object), claims)
    }

    /// Metadata and status of `object` at the version that it was read at.
    pub fn update_status<K: Object>(
        &self,
        current: Option<&Item<K>>,
        mut object: K,
        expected: Version,
    ) -> Result<Decision<K>> {
        let current = current.ok_or_else(|| self.not_found::<K>())?;
        let live = current.object.as_ref();
        self.expect(live, Some(expected))?;
        if !object.same_spec(live) {
            object.set_spec(live);
        }
        keep_meta(object.meta_mut(), live.meta());
        let changed = Changed {
            main: object.meta() != live.meta(),
            status: !object.same_status(live),
        };
        if changed == NOTHING {
            return Ok(Decision::Same(current.clone()));
        }
        let mut managed = current.managed.clone();
        if changed.main {
            self.check_finalizers::<K>(live.meta(), object.meta())?;
            let (before, after) = (self.meta_value::<K>(live)?, self.meta_value(&object)?);
            let difference = Difference::between(&before, &after, Schema::of::<K>());
            let claims = apply::update(&managed.claims(), &difference, self.manager);
            managed = self.shared.tables.shapes.keep(claims, &managed, self.now());
        }
        Ok(self.put(object, managed, changed))
    }

    /// A change of an object that is there, by apply or patch.
    fn change<K: Object>(
        &self,
        current: &Item<K>,
        object: Option<K>,
        claims: Vec<Claim>,
    ) -> Result<Decision<K>> {
        let live = current.object.as_ref();
        let mut object = object.unwrap_or_else(|| live.clone());
        object.set_status(Some(live));
        keep_meta(object.meta_mut(), live.meta());
        let same_spec = object.same_spec(live);
        let shapes = &self.shared.tables.shapes;
        let managed = shapes.keep(claims, &current.managed, self.now());
        if same_spec && object.meta() == live.meta() && managed.same_owners(&current.managed) {
            return Ok(Decision::Same(current.clone()));
        }
        self.check_finalizers::<K>(live.meta(), object.meta())?;
        if !same_spec && let Some(generation) = &mut object.meta_mut().generation {
            *generation += 1;
        }
        // Without a subresource the status is one more part of what was changed.
        let changed = if K::HAS_STATUS { MAIN } else { ALL };
        Ok(self.put(object, managed, changed))
    }

    /// Marks or removes.
    pub fn delete<K: Object>(
        &self,
        current: Option<&Item<K>>,
        expected: Option<Version>,
    ) -> Result<Decision<K>> {
        let current = current.ok_or_else(|| self.not_found::<K>())?;
        self.expect(current.object.as_ref(), expected)?;
        let meta = current.object.meta();
        let has_finalizers = !meta.finalizers().is_empty();
        if has_finalizers && meta.deletion_timestamp.is_some() {
            return Ok(Decision::Same(current.clone()));
        }
        let mut object = current.object.as_ref().clone();
        if has_finalizers {
            let meta = object.meta_mut();
            meta.deletion_timestamp = Some(self.now());
            meta.deletion_grace_period_seconds = Some(0);
            // As a server does: whoever compares generations sees that something is wanted.
            meta.generation = meta.generation.map(|generation| generation + 1);
            return Ok(self.put(object, current.managed.clone(), MAIN));
        }
        object.meta_mut().resource_version = Some(self.version.0.to_string().into());
        Ok(Decision::Remove(Arc::new(object)))
    }

    fn check_finalizers<K: Object>(&self, old: &Metadata, new: &Metadata) -> Result<()> {
        if old.deletion_timestamp.is_none() {
            return Ok(());
        }
        let (old, new) = (old.finalizers(), new.finalizers());
        match new.iter().find(|finalizer| !old.contains(finalizer)) {
            Some(added) => Err(self.invalid::<K>(format!(
                "the finalizer {added} cannot be added: the object is being deleted"
            ))),
            None => Ok(()),
        }
    }

    fn to_value<K: Object>(&self, object: &K) -> Result<Value> {
        serde_json::to_value(object)
            .map_err(|error| self.invalid::<K>(format!("it cannot be written as JSON: {error}")))
    }

    fn meta_value<K: Object>(&self, object: &K) -> Result<Value> {
        let meta = serde_json::to_value(object.meta())
            .map_err(|error| self.invalid::<K>(format!("metadata: {error}")))?;
        Ok(serde_json::json!({ "metadata": meta }))
    }

    fn read<K: Object>(&self, value: Value) -> Result<K> {
        serde_json::from_value(value).map_err(|error| self.invalid::<K>(error.to_string()))
    }
}

const ALL: Changed = Changed {
    main: true,
    status: true,
};
const MAIN: Changed = Changed {
    main: true,
    status: false,
};
const NOTHING: Changed = Changed {
    main: false,
    status: false,
};
