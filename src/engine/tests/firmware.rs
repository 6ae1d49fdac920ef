//! The firmware objects beside hosts, over their lives.

use super::*;
use crate::api::{FirmwareSchema, HostFirmwareComponents, HostFirmwareSettings, HostUpdatePolicy};

/// A machine that becomes available: no image is wanted.
async fn available(bench: &Bench, number: u8) -> Key {
    let key = Key::new("m", format!("h{number}").as_str());
    bench
        .create(json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": { "name": *key.name, "namespace": "m" },
            "spec": {
                "online": true,
                "bmc": { "address": format!("redfish://10.0.0.{number}/s/1"), "credentialsName": "bmc" },
                "bootMACAddress": format!("52:54:00:00:00:{number:02x}"),
            },
        }))
        .await;
    key
}

impl Bench {
    fn all<K: store::Object>(&self) -> Vec<Arc<K>> {
        Store::<K>::list(self.store.as_ref())
    }

    async fn want(&self, key: &Key, settings: serde_json::Value) {
        let patch = store::Patch::Merge(json!({ "spec": { "settings": settings } }));
        let patched = Store::<HostFirmwareSettings>::patch(self.store.as_ref(), key, patch, None);
        drop(patched.await.unwrap());
    }

    fn setting(&self, key: &Key, name: &str) -> Option<String> {
        let object: Arc<HostFirmwareSettings> = self.store.get(key)?;
        object.status.as_ref()?.settings.get().ok()?.0.remove(name)
    }

    /// How often each object beside a host was written.
    fn versions(&self) -> Vec<String> {
        let settings = self.all::<HostFirmwareSettings>();
        let components = self.all::<HostFirmwareComponents>();
        let versions = settings.iter().map(|it| &it.metadata);
        let versions = versions.chain(components.iter().map(|it| &it.metadata));
        let version = |meta: &crate::api::Metadata| format!("{:?}", meta.resource_version);
        versions.map(version).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn they_come_with_their_host_share_a_schema_and_go_with_it() {
    let clock = clock();
    let bench = Bench::with(simulation("", clock), clock);
    let keys = [available(&bench, 1).await, available(&bench, 2).await];
    bench
        .until("settled", |all| all.hosts.len() == 2 && all.settled())
        .await;
    let schemas = bench.all::<FirmwareSchema>();
    assert_eq!(schemas.len(), 1);
    assert_eq!(schemas[0].metadata.owner_references, None);
    for key in &keys {
        let host: Arc<BareMetalHost> = bench.store.get(key).unwrap();
        let object: Arc<HostFirmwareSettings> = bench.store.get(key).unwrap();
        let owners = object.metadata.owner_references.as_deref().unwrap();
        assert_eq!(
            serde_json::to_value(owners).unwrap(),
            json!([{
                "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost", "name": *key.name,
                "uid": host.metadata.uid, "controller": true, "blockOwnerDeletion": true,
            }])
        );
        let named = object.status.as_ref().unwrap().schema.as_ref().unwrap();
        assert_eq!(
            Some(named.name.as_str()),
            schemas[0].metadata.name.as_deref()
        );
    }
    // Whatever time passes, nothing is written.
    let before = bench.versions();
    tokio::time::sleep(Duration::from_hours(24)).await;
    assert_eq!(bench.versions(), before);

    bench.delete(&keys[0]).await;
    bench.until("one is left", |all| all.hosts.len() == 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.all::<HostFirmwareSettings>().len(), 1);
    assert_eq!(bench.all::<FirmwareSchema>().len(), 1);
    bench.delete(&keys[1]).await;
    bench
        .until("none is left", |all| all.hosts.is_empty())
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(bench.all::<HostFirmwareSettings>().is_empty());
    assert!(bench.all::<HostFirmwareComponents>().is_empty());
    assert!(bench.all::<FirmwareSchema>().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_wanted_is_there_before_the_host_or_comes_later() {
    let clock = clock();
    let bench = Bench::with(simulation("", clock), clock);
    let early = Key::new("m", "h1");
    let mut object = HostFirmwareSettings::new("h1", Default::default());
    object.metadata.namespace = Some("m".into());
    drop(bench.store.create(object).await.unwrap());
    bench
        .want(&early, json!({ "ProcTurboMode": "Disabled" }))
        .await;
    // Of a host that never comes.
    let mut stranger = HostFirmwareSettings::new("h9", Default::default());
    stranger.metadata.namespace = Some("m".into());
    drop(bench.store.create(stranger).await.unwrap());
    let mut policy = HostUpdatePolicy::new("h1", Default::default());
    policy.metadata.namespace = Some("m".into());
    drop(bench.store.create(policy).await.unwrap());
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(bench.all::<HostFirmwareSettings>().len(), 2);

    available(&bench, 1).await;
    bench
        .until("settled", |all| all.hosts.len() == 1 && all.settled())
        .await;
    assert_eq!(
        bench.setting(&early, "ProcTurboMode").as_deref(),
        Some("Disabled")
    );
    let policy: Arc<HostUpdatePolicy> = bench.store.get(&early).unwrap();
    assert!(policy.metadata.owner_references.is_some());

    bench
        .want(&early, json!({ "ProcTurboMode": "Enabled" }))
        .await;
    bench.until("at work", |all| !all.settled()).await;
    bench.until("settled", Overview::settled).await;
    assert_eq!(
        bench.setting(&early, "ProcTurboMode").as_deref(),
        Some("Enabled")
    );
    // One that somebody deletes is made anew.
    let store: &dyn Store<HostFirmwareSettings> = bench.store.as_ref();
    store.delete(&early, None).await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(
        bench.setting(&early, "ProcTurboMode").as_deref(),
        Some("Enabled")
    );

    bench.delete(&early).await;
    bench.until("gone", |all| all.hosts.is_empty()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let left = bench.all::<HostFirmwareSettings>();
    assert_eq!(left.len(), 1, "what is nobody's stays");
    assert_eq!(left[0].metadata.name.as_deref(), Some("h9"));
    assert!(bench.all::<HostUpdatePolicy>().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_what_was_read_is_asked_again() {
    let clock = clock();
    let bench = Bench::with(simulation("", clock), clock);
    let key = available(&bench, 1).await;
    bench
        .until("settled", |all| all.hosts.len() == 1 && all.settled())
        .await;
    bench.want(&key, json!({ "NumCores": "12" })).await;
    bench.store.refuse(true);
    bench
        .until("refused", |all| {
            let why = all.hosts[0].why.as_ref();
            why.is_some_and(|why| why.code == "StoreFailed")
        })
        .await;
    bench.store.refuse(false);
    bench.store.interfere(8);
    bench
        .until("settled", |all| {
            all.settled() && all.hosts[0].state() == "available"
        })
        .await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(bench.setting(&key, "NumCores").as_deref(), Some("12"));
}
