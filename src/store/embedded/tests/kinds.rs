//! Kinds: those that metalform keeps, those it does not know, those it keeps for a while.

use serde::{Deserialize, Serialize};

use crate::api::Metadata;

use super::*;

/// A kind that is not kept for ever.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Tick {
    #[serde(default)]
    metadata: Metadata,
    about: String,
}

impl Object for Tick {
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Tick";
    const PLURAL: &'static str = "ticks";
    const HAS_STATUS: bool = false;
    const RETENTION: Option<Retention> = Some(Retention {
        each: 3,
        total: 5,
        age: Duration::from_mins(1),
    });

    fn meta(&self) -> &Metadata {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    fn about(&self) -> Option<String> {
        Some(self.about.clone())
    }
}

/// A clock that is set by hand: seconds.
fn clock() -> (Arc<AtomicU64>, Options) {
    let now = Arc::new(AtomicU64::new(1_000_000));
    let clock = Arc::clone(&now);
    let options = options()
        .kind::<Tick>()
        .clock(move || Timestamp::from_second(clock.load(Ordering::SeqCst) as i64).unwrap());
    (now, options)
}

async fn tick(store: &Embedded, name: &str, about: &str) {
    let metadata = Metadata {
        name: Some(name.into()),
        namespace: Some("metal".into()),
        ..Metadata::default()
    };
    store
        .create(Tick {
            metadata,
            about: about.into(),
        })
        .await
        .unwrap();
}

fn ticks(store: &Embedded) -> Vec<String> {
    let name = |tick: &Arc<Tick>| tick.metadata.name.as_deref().unwrap().to_owned();
    Store::<Tick>::list(store).iter().map(name).collect()
}

#[tokio::test]
async fn the_oldest_go_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let (now, options) = clock();
    let store = Embedded::open(&path, options.clone()).unwrap();
    for n in 0..5 {
        tick(&store, &format!("a{n}"), "a").await;
    }
    assert_eq!(ticks(&store), ["a2", "a3", "a4"]);
    tick(&store, "b0", "b").await;
    tick(&store, "b1", "b").await;
    tick(&store, "c0", "c").await;
    assert_eq!(ticks(&store), ["a3", "a4", "b0", "b1", "c0"]);
    now.fetch_add(50, Ordering::SeqCst);
    tick(&store, "c1", "c").await;
    assert_eq!(ticks(&store), ["a4", "b0", "b1", "c0", "c1"]);
    drop(store);
    let store = Embedded::open(&path, options).unwrap();
    assert_eq!(ticks(&store), ["a4", "b0", "b1", "c0", "c1"]);
    now.fetch_add(20, Ordering::SeqCst);
    tick(&store, "d", "d").await;
    assert_eq!(ticks(&store), ["c1", "d"]);
}

#[tokio::test]
async fn what_expires_is_told_and_costs_versions_in_order() {
    let store = Embedded::memory(clock().1);
    for n in 0..4 {
        tick(&store, &format!("a{n}"), "a").await;
    }
    let told: Vec<_> = Store::<Tick>::watch(&store, Version(0))
        .take(5)
        .collect()
        .await;
    let versions: Vec<u64> = told
        .iter()
        .map(|change| match change {
            Change::Applied(tick) | Change::Deleted(tick) => tick.version().0,
            Change::Reset(_) => 0,
        })
        .collect();
    assert_eq!(versions, [1, 2, 3, 4, 5]);
    assert!(
        matches!(&told[4], Change::Deleted(gone) if gone.metadata.name.as_deref() == Some("a0"))
    );
}

#[tokio::test]
async fn a_kind_that_is_not_known_is_kept_for_those_who_know_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = Embedded::open(&path, clock().1).unwrap();
    tick(&store, "a", "a").await;
    drop(store);
    let store = open(&path);
    assert!(Store::<Tick>::list(&store).is_empty());
    let refused = Store::<Tick>::delete(&store, &key("a"), None).await;
    assert!(matches!(refused, Err(StoreError::Backend(_))));
    apply(&store, "w", json!({})).await;
    drop(store);
    let store = Embedded::open(&path, clock().1).unwrap();
    assert_eq!(ticks(&store), ["a"]);
    assert_eq!(all(&store).len(), 1);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_objects() {
    let live = async |seed| {
        let store = Embedded::memory(options().seed(seed));
        for n in 0..3 {
            apply(&store, &format!("a{n}"), json!({ "n": n })).await;
        }
        all(&store)
    };
    assert_eq!(live(1).await, live(1).await);
    let (one, two) = (live(1).await, live(2).await);
    assert_ne!(one[0].metadata.uid, two[0].metadata.uid);
    assert_ne!(one[0].metadata.uid, one[1].metadata.uid);
}

#[tokio::test]
async fn a_file_keeps_its_seed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    drop(Embedded::open(&path, options().seed(1)).unwrap());
    let store = Embedded::open(&path, options().seed(2)).unwrap();
    let from_file = apply(&store, "a", json!({})).await;
    let memory = Embedded::memory(options().seed(1));
    assert_eq!(from_file, apply(&memory, "a", json!({})).await);
}

#[tokio::test]
async fn a_file_keeps_its_salt_gets_one_where_it_has_none_and_is_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let open = |salt: u8| Embedded::open(&path, options().salt([salt; 32])).unwrap();
    assert_eq!(open(1).salt(), [1; 32]);
    assert_eq!(open(2).salt(), [1; 32]);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // As a store from before there were salts.
    let database = redb::Builder::new().open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let table: redb::TableDefinition<'_, (), [u8; 32]> = redb::TableDefinition::new("salt");
    assert!(transaction.delete_table(table).unwrap());
    transaction.commit().unwrap();
    drop(database);
    assert_eq!(open(3).salt(), [3; 32]);
    assert_eq!(open(4).salt(), [3; 32]);
}

fn host() -> serde_json::Value {
    json!({
        "spec": {
            "online": true,
            "bmc": { "address": "redfish://10.0.0.1", "credentialsName": "bmc" },
            "image": { "url": "http://images/a.qcow2", "checksum": "abc" },
            "userData": { "name": "user-data" },
            "unknownToUs": { "kept": true },
        },
    })
}

#[tokio::test]
async fn a_host_and_its_inventory_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = Embedded::open(&path, options().fold_entries(4)).unwrap();
    let key = key("r01-u01");
    let host: Arc<BareMetalHost> = store.apply(&key, host(), "metalform", false).await.unwrap();
    let hardware = json!({ "hostname": "r01-u01", "ramMebibytes": 1024, "new": [1] });
    let mut next = host.as_ref().clone();
    let mut status = serde_json::to_value(crate::api::BareMetalHostStatus::default()).unwrap();
    status["hardware"] = hardware.clone();
    status["somethingNew"] = json!({ "x": 1 });
    next.status = Some(serde_json::from_value(status).unwrap());
    let version = next.version();
    let host = store.update_status(next, version).await.unwrap();
    let mut next = host.as_ref().clone();
    next.status.as_mut().unwrap().error_message = "power".into();
    let host = store.update_status(next, host.version()).await.unwrap();
    assert_eq!(host.metadata.generation, Some(1));
    let inventory = json!({ "spec": { "hardware": hardware } });
    let data: Arc<HardwareData> = store
        .apply(&key, inventory, "metalform", true)
        .await
        .unwrap();
    let owners = Store::<BareMetalHost>::managed_fields(&store, &key)
        .await
        .unwrap();
    insta::assert_snapshot!(serde_json::to_string(&owners[0].fields_v1).unwrap(), @r#"{"f:spec":{"f:bmc":{"f:address":{},"f:credentialsName":{}},"f:image":{"f:checksum":{},"f:url":{}},"f:online":{},"f:unknownToUs":{"f:kept":{}},"f:userData":{}}}"#);
    for _ in 0..5 {
        apply(&store, "w", json!({ "n": store.version().0 })).await;
    }
    drop(store);
    let store = open(&path);
    assert_eq!(Store::<BareMetalHost>::list(&store), [Arc::clone(&host)]);
    assert_eq!(Store::<HardwareData>::list(&store), [data]);
    // An inventory that goes is gone from the file too.
    let mut next = host.as_ref().clone();
    next.status.as_mut().unwrap().hardware = None;
    let host = store.update_status(next, host.version()).await.unwrap();
    drop(store);
    let store = open(&path);
    assert_eq!(Store::<BareMetalHost>::list(&store), [host]);
}

#[tokio::test]
async fn applying_a_host_again_as_it_is_costs_nothing() {
    let store = Embedded::memory(options());
    let key = key("r01-u01");
    let one: Arc<BareMetalHost> = store.apply(&key, host(), "metalform", false).await.unwrap();
    let two: Arc<BareMetalHost> = store.apply(&key, host(), "metalform", false).await.unwrap();
    assert!(Arc::ptr_eq(&one, &two));
}
