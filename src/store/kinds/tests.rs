//! Each kind in a store: created, its status written, applied to, and read again from the disk.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::store::{Embedded, Key, Options, Patch, Store};

fn open(path: &Path) -> Embedded {
    let options = Options::default()
        .kind::<PreprovisioningImage>()
        .kind::<DataImage>()
        .kind::<Fleet>();
    Embedded::open(path, options).unwrap()
}

/// All but metadata.
fn without_meta<K: Object>(object: &K) -> Value {
    let mut value = serde_json::to_value(object).unwrap();
    value.as_object_mut().unwrap().remove("metadata");
    value
}

async fn lives<K: Object>(path: &Path, golden: &[Value]) {
    let golden = golden.iter().find(|value| value["kind"] == K::KIND);
    let mut golden = golden.unwrap().clone();
    let key = Key::new("m", "a");
    golden["metadata"] = json!({ "name": "a", "namespace": "m" });
    let wanted: K = serde_json::from_value(golden.clone()).unwrap();
    golden.as_object_mut().unwrap().remove("metadata");

    let store = open(path);
    let made: Arc<K> = store.create(wanted.clone()).await.unwrap();
    let mut object = made.as_ref().clone();
    if K::HAS_STATUS {
        assert_eq!(
            without_meta(&object).get("status"),
            None,
            "{}: its status is written apart",
            K::KIND
        );
        object.set_status(Some(&wanted));
        object = (store.update_status(object, made.version()).await.unwrap())
            .as_ref()
            .clone();
    }
    assert_eq!(object.meta().generation, Some(1), "{}", K::KIND);
    assert_eq!(without_meta(&object), golden, "{}", K::KIND);
    // The same status again costs nothing.
    let version = object.version();
    let same = store.update_status(object.clone(), version).await.unwrap();
    assert_eq!(same.version(), version, "{}", K::KIND);

    let patch = Patch::Merge(json!({ "spec": { "added": 1 } }));
    let changed: Arc<K> = store.patch(&key, patch, None).await.unwrap();
    assert_eq!(changed.meta().generation, Some(2), "{}", K::KIND);
    golden["spec"]["added"] = json!(1);
    assert_eq!(without_meta(changed.as_ref()), golden, "{}", K::KIND);
    store.close().await.unwrap();
    drop(store);

    let store = open(path);
    let read: Arc<K> = store.get(&key).unwrap();
    assert_eq!(without_meta(read.as_ref()), golden, "{}", K::KIND);
    assert_eq!(read.meta(), changed.meta());
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_store_holds_every_kind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let golden = crate::api::golden::golden();
    lives::<HostFirmwareSettings>(&path, &golden).await;
    lives::<FirmwareSchema>(&path, &golden).await;
    lives::<HostFirmwareComponents>(&path, &golden).await;
    lives::<HostUpdatePolicy>(&path, &golden).await;
    lives::<PreprovisioningImage>(&path, &golden).await;
    lives::<DataImage>(&path, &golden).await;
    lives::<Fleet>(&path, &golden).await;
}

/// Where the status is no subresource it is patched like all else, and stays so.
#[tokio::test]
async fn a_status_that_is_no_subresource_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let key = Key::new("m", "a");
    let mut policy = HostUpdatePolicy::new("a", Default::default());
    policy.metadata.namespace = Some("m".into());
    let store = open(&path);
    drop(store.create(policy).await.unwrap());
    for status in [json!({ "seen": 1 }), json!({ "seen": 2 }), Value::Null] {
        let patch = Patch::Merge(json!({ "status": status }));
        let patched: Arc<HostUpdatePolicy> = store.patch(&key, patch, None).await.unwrap();
        assert_eq!(
            without_meta(patched.as_ref()).get("status").is_some(),
            !status.is_null()
        );
    }
    let wanted = json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "HostUpdatePolicy", "status": { "seen": 3 },
    });
    let applied: Arc<HostUpdatePolicy> = store.apply(&key, wanted, "o", true).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let store = open(&path);
    let read: Arc<HostUpdatePolicy> = store.get(&key).unwrap();
    assert_eq!(read, applied);
    assert_eq!(without_meta(read.as_ref())["status"], json!({ "seen": 3 }));
    store.close().await.unwrap();
}

/// A kind goes by the names that its CRD has.
#[test]
fn kinds_and_crds_have_the_same_names() {
    fn named<K: Object>() -> String {
        let large = K::KEYED.iter().map(|(path, _)| *path);
        format!(
            "{}/{} {} {} status={} keyed={}",
            K::GROUP,
            K::VERSION,
            K::KIND,
            K::PLURAL,
            K::HAS_STATUS,
            large.collect::<Vec<_>>().join(",")
        )
    }
    let ours = [
        named::<BareMetalHost>(),
        named::<HardwareData>(),
        named::<HostFirmwareSettings>(),
        named::<FirmwareSchema>(),
        named::<HostFirmwareComponents>(),
        named::<HostUpdatePolicy>(),
        named::<PreprovisioningImage>(),
        named::<DataImage>(),
        named::<Fleet>(),
    ];
    let theirs = crate::api::crd::crds().unwrap();
    let theirs = theirs.iter().map(|crd| {
        let version = &crd.spec.versions[0];
        let schema = serde_json::to_value(version.schema.as_ref().unwrap()).unwrap();
        let conditions =
            &schema["openAPIV3Schema"]["properties"]["status"]["properties"]["conditions"];
        let keyed = conditions["x-kubernetes-list-map-keys"] == json!(["type"]);
        let status = version.subresources.as_ref();
        format!(
            "{}/{} {} {} status={} keyed={}",
            crd.spec.group,
            version.name,
            crd.spec.names.kind,
            crd.spec.names.plural,
            status.is_some_and(|all| all.status.is_some()),
            if keyed { "status.conditions" } else { "" }
        )
    });
    assert!(theirs.eq(ours));
}
