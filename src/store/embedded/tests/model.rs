//! Random lives against a model that is simple enough to be right by reading.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::store::{Deleted, Patch};

const NAMES: [&str; 3] = ["a", "b", "c"];
const FIELDS: [&str; 4] = ["f0", "f1", "f2", "f3"];
const APPLIERS: [&str; 2] = ["me", "you"];
const KEEP: &str = "example.com/keep";

type Fields = BTreeMap<usize, u8>;

#[derive(Debug, Clone)]
enum Op {
    Create(usize, Fields),
    Apply {
        name: usize,
        owner: usize,
        wanted: Fields,
        force: bool,
    },
    Merge(usize, BTreeMap<usize, Option<u8>>),
    Status {
        name: usize,
        phase: u8,
        stale: bool,
    },
    Finalizer(usize, bool),
    Delete(usize),
    Reopen,
}

fn fields() -> impl Strategy<Value = Fields> {
    prop::collection::btree_map(0..FIELDS.len(), 0..3_u8, 0..4)
}

fn op() -> impl Strategy<Value = Op> {
    let name = 0..NAMES.len();
    prop_oneof![
        2 => (name.clone(), fields()).prop_map(|(name, fields)| Op::Create(name, fields)),
        6 => (name.clone(), 0..APPLIERS.len(), fields(), any::<bool>()).prop_map(
            |(name, owner, wanted, force)| Op::Apply { name, owner, wanted, force }
        ),
        3 => (
            name.clone(),
            prop::collection::btree_map(0..FIELDS.len(), prop::option::of(0..3_u8), 0..3)
        )
            .prop_map(|(name, patch)| Op::Merge(name, patch)),
        4 => (name.clone(), 0..3_u8, prop::bool::weighted(0.2))
            .prop_map(|(name, phase, stale)| Op::Status { name, phase, stale }),
        2 => (name.clone(), any::<bool>()).prop_map(|(name, held)| Op::Finalizer(name, held)),
        2 => name.prop_map(Op::Delete),
        1 => Just(Op::Reopen),
    ]
}

/// One object of the model.
#[derive(Debug, Clone, Default, PartialEq)]
struct Thing {
    fields: Fields,
    /// Who owns each field; appliers by index, the patcher as `usize::MAX`.
    owners: BTreeMap<usize, BTreeSet<usize>>,
    phase: Option<u8>,
    held: bool,
    marked: bool,
    generation: i64,
}

const PATCHER: usize = usize::MAX;

impl Thing {
    fn set(&mut self, field: usize, value: u8, owner: usize) {
        self.fields.insert(field, value);
        self.owners.insert(field, [owner].into());
    }

    fn remove(&mut self, field: usize) {
        self.fields.remove(&field);
        self.owners.remove(&field);
    }

    /// False when somebody else owns what is wanted otherwise.
    fn apply(&mut self, owner: usize, wanted: &Fields, force: bool) -> bool {
        let before = self.clone();
        for field in 0..FIELDS.len() {
            let mine = before
                .owners
                .get(&field)
                .is_some_and(|owners| owners.contains(&owner));
            match (wanted.get(&field), before.fields.get(&field)) {
                (Some(wanted), Some(now)) if wanted == now => {
                    self.owners.entry(field).or_default().insert(owner);
                }
                (Some(wanted), now) => {
                    let others = before.owners.get(&field).into_iter().flatten();
                    if now.is_some()
                        && !force
                        && others.filter(|other| **other != owner).count() > 0
                    {
                        *self = before;
                        return false;
                    }
                    self.set(field, *wanted, owner);
                }
                (None, _) if mine => {
                    let owners = self.owners.entry(field).or_default();
                    owners.remove(&owner);
                    if owners.is_empty() {
                        self.remove(field);
                    }
                }
                (None, _) => {}
            }
        }
        true
    }
}

fn spec_of(fields: &Fields) -> serde_json::Value {
    fields
        .iter()
        .map(|(field, value)| (FIELDS[*field].to_owned(), json!(value)))
        .collect()
}

fn found(widget: &Widget) -> Thing {
    let field = |name: &String| FIELDS.iter().position(|field| field == name).unwrap();
    let meta = &widget.metadata;
    Thing {
        fields: widget
            .spec
            .iter()
            .map(|(name, value)| (field(name), value.as_u64().unwrap() as u8))
            .collect(),
        owners: BTreeMap::new(),
        phase: widget
            .status
            .as_ref()
            .and_then(|status| Some(status.get("phase")?.as_u64()? as u8)),
        held: meta.finalizers.is_some(),
        marked: meta.deletion_timestamp.is_some(),
        generation: meta.generation.unwrap(),
    }
}

struct World {
    store: Embedded,
    path: Option<std::path::PathBuf>,
    model: BTreeMap<usize, Thing>,
    stale: BTreeMap<usize, Arc<Widget>>,
    seen: Version,
}

impl World {
    fn options() -> Options {
        options().fold_entries(12)
    }

    fn key(name: usize) -> Key {
        key(NAMES[name])
    }

    async fn run(&mut self, op: Op) {
        let before = self.model.clone();
        let mut watch = Store::<Widget>::watch(&self.store, self.seen);
        match op {
            Op::Create(name, fields) => {
                let mut widget: Widget = serde_json::from_value(json!({
                    "apiVersion": "conformance.metalform.dev/v1",
                    "kind": "Widget",
                    "metadata": { "name": NAMES[name], "namespace": "metal" },
                }))
                .unwrap();
                widget
                    .spec
                    .clone_from(spec_of(&fields).as_object().unwrap());
                let result = self.store.create(widget).await;
                let std::collections::btree_map::Entry::Vacant(free) = self.model.entry(name)
                else {
                    assert!(matches!(result, Err(StoreError::Exists { .. })));
                    return;
                };
                result.unwrap();
                let mut thing = Thing {
                    generation: 1,
                    ..Thing::default()
                };
                for (field, value) in &fields {
                    thing.set(*field, *value, PATCHER);
                }
                free.insert(thing);
            }
            Op::Apply {
                name,
                owner,
                wanted,
                force,
            } => {
                // An empty spec would be owned as such.
                let spec = if wanted.is_empty() {
                    json!({})
                } else {
                    json!({ "spec": spec_of(&wanted) })
                };
                let key = Self::key(name);
                let result: Result<Arc<Widget>> =
                    self.store.apply(&key, spec, APPLIERS[owner], force).await;
                let is_new = !self.model.contains_key(&name);
                let thing = self.model.entry(name).or_default();
                if thing.apply(owner, &wanted, force) {
                    result.unwrap();
                    let changed =
                        before.get(&name).map(|before| &before.fields) != Some(&thing.fields);
                    thing.generation += i64::from(is_new || changed);
                } else {
                    assert!(
                        matches!(result, Err(StoreError::Owned { .. })),
                        "{result:?}"
                    );
                }
            }
            Op::Merge(name, patch) => {
                let spec: serde_json::Value = patch
                    .iter()
                    .map(|(field, value)| (FIELDS[*field].to_owned(), json!(value)))
                    .collect();
                let patched = Patch::Merge(json!({ "spec": spec }));
                let result: Result<Arc<Widget>> =
                    self.store.patch(&Self::key(name), patched, None).await;
                let Some(thing) = self.model.get_mut(&name) else {
                    assert!(matches!(result, Err(StoreError::NotFound { .. })));
                    return;
                };
                result.unwrap();
                for (field, value) in patch {
                    match value {
                        Some(value) if thing.fields.get(&field) == Some(&value) => {}
                        Some(value) => thing.set(field, value, PATCHER),
                        None => thing.remove(field),
                    }
                }
                let changed = before[&name].fields != thing.fields;
                thing.generation += i64::from(changed);
            }
            Op::Status { name, phase, stale } => {
                let now: Option<Arc<Widget>> = self.store.get(&Self::key(name));
                let Some(now) = now else { return };
                let read = if stale {
                    self.stale.get(&name).unwrap_or(&now)
                } else {
                    &now
                };
                let mut widget = read.as_ref().clone();
                widget
                    .status
                    .get_or_insert_default()
                    .insert("phase".into(), phase.into());
                let result = self.store.update_status(widget, read.version()).await;
                if read.version() == now.version() {
                    result.unwrap();
                    self.model.get_mut(&name).unwrap().phase = Some(phase);
                } else {
                    assert!(matches!(result, Err(StoreError::Conflict { .. })));
                }
                self.stale.insert(name, now);
            }
            Op::Finalizer(name, held) => {
                let now: Option<Arc<Widget>> = self.store.get(&Self::key(name));
                let Some(now) = now else { return };
                let mut widget = now.as_ref().clone();
                widget.metadata.finalizers = held.then(|| vec![KEEP.into()].into());
                self.store
                    .update_status(widget, now.version())
                    .await
                    .unwrap();
                let thing = self.model.get_mut(&name).unwrap();
                thing.held = held;
                if thing.marked && !held {
                    self.model.remove(&name);
                }
            }
            Op::Delete(name) => {
                let result = Store::<Widget>::delete(&self.store, &Self::key(name), None).await;
                match self.model.get_mut(&name) {
                    None => assert!(matches!(result, Err(StoreError::NotFound { .. }))),
                    Some(thing) if thing.held => {
                        assert_eq!(result.unwrap(), Deleted::Marked);
                        thing.generation += i64::from(!thing.marked);
                        thing.marked = true;
                    }
                    Some(_) => {
                        assert_eq!(result.unwrap(), Deleted::Gone);
                        self.model.remove(&name);
                    }
                }
            }
            Op::Reopen => self.reopen(),
        }
        self.check(&before, &mut watch).await;
    }

    fn reopen(&mut self) {
        let Some(path) = &self.path else { return };
        let before = all(&self.store);
        // The old one goes first: it holds the lock.
        self.store = Embedded::memory(Self::options());
        self.store = Embedded::open(path, Self::options()).unwrap();
        assert_eq!(all(&self.store), before);
        // Well above the last durable version; again the same where nothing was written meanwhile.
        let version = self.store.version();
        let above = Version(self.seen.0 + super::super::MEMORY_ONLY);
        assert!(version == self.seen || version == above, "{version:?}");
        self.seen = version;
    }

    /// The store holds what the model does; one change was told if something changed, else none.
    async fn check(
        &mut self,
        before: &BTreeMap<usize, Thing>,
        watch: &mut futures::stream::BoxStream<'static, Change<Widget>>,
    ) {
        let stored: BTreeMap<usize, Thing> = all(&self.store)
            .iter()
            .map(|widget| {
                let name = widget.metadata.name.as_deref().unwrap();
                (
                    NAMES.iter().position(|other| *other == name).unwrap(),
                    found(widget),
                )
            })
            .collect();
        let without_owners = |model: &BTreeMap<usize, Thing>| {
            let mut model = model.clone();
            for thing in model.values_mut() {
                thing.owners.clear();
            }
            model
        };
        assert_eq!(stored, without_owners(&self.model));
        let version = self.store.version();
        if without_owners(before) != without_owners(&self.model) {
            assert!(version > self.seen);
            match watch.next().await.unwrap() {
                Change::Applied(told) => assert_eq!(told.version(), version),
                Change::Deleted(told) => {
                    assert_eq!(told.version(), version);
                    assert!(Store::<Widget>::get(&self.store, &told.key()).is_none());
                }
                Change::Reset(_) => panic!("a watcher at the front was reset"),
            }
        } else if *before == self.model {
            assert_eq!(version, self.seen, "nothing changed, and it cost a version");
        }
        self.seen = version;
        for name in self.model.keys() {
            let owners = Store::<Widget>::managed_fields(&self.store, &Self::key(*name)).await;
            assert_eq!(
                owned(&owners.unwrap()),
                self.model[name].owners,
                "owners of {}",
                NAMES[*name]
            );
        }
    }
}

/// Owners of the fields of the spec.
fn owned(
    entries: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry],
) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut owners: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for entry in entries {
        let owner = match entry.operation.as_deref() {
            Some("Apply") => APPLIERS
                .iter()
                .position(|name| entry.manager.as_deref() == Some(name))
                .unwrap(),
            _ => PATCHER,
        };
        let fields = entry
            .fields_v1
            .as_ref()
            .and_then(|fields| fields.0.get("f:spec"));
        for name in fields
            .and_then(serde_json::Value::as_object)
            .into_iter()
            .flatten()
        {
            let name = name.0.strip_prefix("f:").unwrap_or_default();
            if let Some(field) = FIELDS.iter().position(|field| *field == name) {
                owners.entry(field).or_default().insert(owner);
            }
        }
    }
    owners
}

fn live(ops: Vec<Op>, on_disk: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let folder = on_disk.then(|| tempfile::tempdir().unwrap());
        let path = folder.as_ref().map(|folder| folder.path().join("store.db"));
        let store = match &path {
            Some(path) => Embedded::open(path, World::options()).unwrap(),
            None => Embedded::memory(World::options()),
        };
        let mut world = World {
            store,
            path,
            model: BTreeMap::new(),
            stale: BTreeMap::new(),
            seen: Version(0),
        };
        for op in ops {
            world.run(op).await;
        }
        world.reopen();
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_store_in_memory_lives_as_the_model(ops in prop::collection::vec(op(), 1..60)) {
        live(ops, false);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_store_on_disk_lives_as_the_model(ops in prop::collection::vec(op(), 1..60)) {
        live(ops, true);
    }
}
