//! The embedded store alone: what the conformance suite cannot see.

mod bad_days;
mod commits;
mod kinds;
mod model;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use futures::StreamExt as _;
use redb::StorageBackend;
use redb::backends::FileBackend;
use serde_json::json;

use super::*;
use futures::future::BoxFuture;

use crate::api::{BareMetalHost, Event, HardwareData, Timestamp};
use crate::store::conformance::Widget;
use crate::store::conformance::{self, Backend};
use crate::store::disk::Medium;
use crate::store::{Change, Retention, Store};

/// A file that does not wait for the disk: what is tested is what a process leaves behind, and
/// the kernel keeps that. A disk that others keep busy would make minutes of it.
#[derive(Debug)]
struct Unsynced(FileBackend);

impl StorageBackend for Unsynced {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}

fn unsynced(file: File) -> io::Result<Unsynced> {
    FileBackend::new(file)
        .map(Unsynced)
        .map_err(io::Error::other)
}

fn options() -> Options {
    let start: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let medium: Medium = Arc::new(|file| Ok(Box::new(unsynced(file)?)));
    Options::default()
        .clock(move || start)
        .seed(7)
        .kind::<Widget>()
        .medium(medium)
}

fn key(name: &str) -> Key {
    Key::new("metal", name)
}

async fn apply(store: &Embedded, name: &str, spec: serde_json::Value) -> Arc<Widget> {
    store
        .apply(&key(name), json!({ "spec": spec }), "metalform", false)
        .await
        .unwrap()
}

async fn set_phase(store: &Embedded, name: &str, phase: &str) -> Arc<Widget> {
    let widget: Arc<Widget> = store.get(&key(name)).unwrap();
    let version = widget.version();
    let mut widget = widget.as_ref().clone();
    widget
        .status
        .get_or_insert_default()
        .insert("phase".into(), phase.into());
    store.update_status(widget, version).await.unwrap()
}

fn all(store: &Embedded) -> Vec<Arc<Widget>> {
    Store::<Widget>::list(store)
}

fn open(path: &Path) -> Embedded {
    Embedded::open(path, options()).unwrap()
}

/// In memory, or in a file. One store for all cases, each in a namespace of its own.
struct Here {
    folder: Option<tempfile::TempDir>,
    fold_entries: usize,
    count: std::sync::atomic::AtomicUsize,
    store: Mutex<Option<Embedded>>,
}

impl Here {
    fn new(on_disk: bool, fold_entries: usize) -> Self {
        let here = Self {
            folder: on_disk.then(|| tempfile::tempdir().unwrap()),
            fold_entries,
            count: 0.into(),
            store: Mutex::new(None),
        };
        here.start();
        here
    }

    fn start(&self) -> Embedded {
        let mut options = options().fold_entries(self.fold_entries);
        options.window = 64;
        let store = match &self.folder {
            None => Embedded::memory(options),
            Some(folder) => Embedded::open(&folder.path().join("store.db"), options).unwrap(),
        };
        *self.store.lock().unwrap() = Some(store.clone());
        store
    }
}

impl Backend for Here {
    type Store = Embedded;

    fn fresh(&self) -> BoxFuture<'_, (Embedded, String)> {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let store = self.store.lock().unwrap().clone().unwrap();
        Box::pin(std::future::ready((store, format!("case-{count}"))))
    }

    fn by(&self, store: &Embedded, manager: &str) -> Embedded {
        store.by(manager)
    }

    fn restart(&self, store: Embedded) -> BoxFuture<'_, Option<Embedded>> {
        let again = self.folder.as_ref().map(|_| {
            drop(store);
            self.store.lock().unwrap().take();
            self.start()
        });
        Box::pin(std::future::ready(again))
    }

    fn window(&self) -> Option<usize> {
        Some(64)
    }
}

#[tokio::test]
async fn conforms_in_memory() {
    let report = conformance::run(&Here::new(false, 0)).await;
    assert!(report.failed.is_empty(), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms_on_disk_with_threads_and_much_folding() {
    let report = conformance::run(&Here::new(true, 3)).await;
    assert!(report.failed.is_empty(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn conforms_on_virtual_time() {
    let report = conformance::run(&Here::new(true, 0)).await;
    assert!(report.failed.is_empty(), "{report}");
}

#[tokio::test]
async fn what_was_acknowledged_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    apply(&store, "a", json!({ "color": "red" })).await;
    apply(&store, "b", json!({ "color": "blue" })).await;
    let a = set_phase(&store, "a", "ready").await;
    Store::<Widget>::delete(&store, &key("b"), None)
        .await
        .unwrap();
    let before = all(&store);
    let version = store.version();
    drop(store);
    let store = open(&path);
    assert_eq!(all(&store), before);
    assert_eq!(before, [a]);
    assert_eq!(store.version(), Version(version.0 + super::MEMORY_ONLY));
    let owners = Store::<Widget>::managed_fields(&store, &key("a"))
        .await
        .unwrap();
    assert_eq!(owners.len(), 1);
    store.close().await.unwrap();
}

#[tokio::test]
async fn notes_are_there_again_and_older_files_have_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    assert_eq!(store.note("machines"), None);
    store.set_note("machines", "simulated").unwrap();
    apply(&store, "a", json!({ "color": "red" })).await;
    store.close().await.unwrap();
    drop(store);
    let store = open(&path);
    assert_eq!(store.note("machines").as_deref(), Some("simulated"));
    store.set_note("machines", "http://ironic").unwrap();
    drop(store);
    let store = open(&path);
    assert_eq!(store.note("machines").as_deref(), Some("http://ironic"));
    assert_eq!(all(&store).len(), 1);
    let memory = Embedded::memory(options());
    memory.set_note("a", "b").unwrap();
    assert_eq!(memory.note("a").as_deref(), Some("b"));
}

/// Events go with the process: they are not in the file, versions go on above theirs, and who watched
/// them hears that they are gone.
#[tokio::test]
async fn what_is_not_durable_is_gone_after_a_restart_and_its_watchers_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    apply(&store, "a", json!({ "color": "red" })).await;
    let event: Event = serde_json::from_value(json!({
        "metadata": { "name": "e", "namespace": "m" },
        "involvedObject": { "kind": "Widget", "name": "a", "namespace": "m" },
        "reason": "Painted",
    }))
    .unwrap();
    let event = Store::<Event>::create(&store, event).await.unwrap();
    let seen = event.version();
    assert_eq!(Store::<Event>::list(&store).len(), 1);
    store.close().await.unwrap();
    drop(store);
    let store = open(&path);
    assert_eq!(Store::<Event>::list(&store).len(), 0);
    assert!(store.version() > seen);
    let mut late = Store::<Event>::watch(&store, seen);
    assert!(matches!(late.next().await, Some(Change::Reset(all)) if all.objects.is_empty()));
    // A watcher of what is durable goes on where it was, and misses nothing.
    let mut widgets = Store::<Widget>::watch(&store, seen);
    let painted = apply(&store, "a", json!({ "color": "blue" })).await;
    match widgets.next().await {
        Some(Change::Applied(told)) => assert_eq!(told.version(), painted.version()),
        other => panic!("{other:?}"),
    }
}
