//! Between accepting and answering: what is visible when, and who waits for whom.

use std::sync::Condvar;

use futures::poll;

use super::*;
use crate::store::Patch;

/// A disk whose syncs wait for a gate.
#[derive(Debug)]
struct Gated {
    file: Unsynced,
    gate: Arc<Gate>,
}

#[derive(Debug, Default)]
struct Gate {
    closed: Mutex<bool>,
    moved: Condvar,
}

impl Gate {
    fn set(&self, closed: bool) {
        *self.closed.lock().unwrap() = closed;
        self.moved.notify_all();
    }

    fn pass(&self) {
        let closed = self.closed.lock().unwrap();
        drop(self.moved.wait_while(closed, |closed| *closed).unwrap());
    }

    fn medium(self: &Arc<Self>) -> Medium {
        let gate = Arc::clone(self);
        Arc::new(move |file: File| {
            let file = unsynced(file)?;
            let gate = Arc::clone(&gate);
            Ok(Box::new(Gated { file, gate }) as Box<dyn StorageBackend>)
        })
    }
}

impl StorageBackend for Gated {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.gate.pass();
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

fn gated(folder: &tempfile::TempDir) -> (Embedded, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let options = options().medium(gate.medium());
    let store = Embedded::open(&folder.path().join("store.db"), options).unwrap();
    (store, gate)
}

fn status_write(
    store: &Embedded,
    read: &Arc<Widget>,
    phase: &str,
) -> BoxFuture<'static, Result<Arc<Widget>>> {
    let (store, version) = (store.clone(), read.version());
    let mut widget = read.as_ref().clone();
    widget
        .status
        .get_or_insert_default()
        .insert("phase".into(), phase.into());
    Box::pin(async move { store.update_status(widget, version).await })
}

#[tokio::test]
async fn nothing_is_seen_before_it_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let (store, gate) = gated(&folder);
    let a = apply(&store, "a", json!({})).await;
    let mut watch = Store::<Widget>::watch(&store, a.version());
    gate.set(true);
    let mut write = status_write(&store, &a, "ready");
    assert!(poll!(&mut write).is_pending());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(poll!(&mut write).is_pending());
    assert!(poll!(watch.next()).is_pending());
    assert_eq!(all(&store), [Arc::clone(&a)]);
    assert_eq!(store.version(), a.version());
    gate.set(false);
    let written = write.await.unwrap();
    assert_eq!(all(&store), [Arc::clone(&written)]);
    assert!(matches!(watch.next().await, Some(Change::Applied(told)) if told == written));
}

#[tokio::test]
async fn a_write_is_decided_against_what_is_on_its_way() {
    let folder = tempfile::tempdir().unwrap();
    let (store, gate) = gated(&folder);
    let a = apply(&store, "a", json!({})).await;
    gate.set(true);
    let mut first = status_write(&store, &a, "first");
    let mut second = status_write(&store, &a, "second");
    let create = store.create(a.as_ref().clone());
    let none = key("none");
    let mut delete = Store::<Widget>::delete(&store, &none, None);
    tokio::pin!(create);
    assert!(poll!(&mut first).is_pending());
    // It will conflict, and says so once there is something newer to read.
    assert!(poll!(&mut second).is_pending());
    // What rests on durable state alone is answered at once.
    assert!(poll!(&mut delete).is_ready());
    gate.set(false);
    let first = first.await.unwrap();
    match second.await {
        Err(StoreError::Conflict {
            expected, found, ..
        }) => {
            assert_eq!((expected, found), (a.version(), first.version()));
        }
        other => panic!("no conflict: {other:?}"),
    }
    assert!(matches!(create.await, Err(StoreError::Exists { .. })));
}

#[tokio::test]
async fn a_create_behind_a_delete_makes_a_new_object() {
    let folder = tempfile::tempdir().unwrap();
    let (store, gate) = gated(&folder);
    let a = apply(&store, "a", json!({ "n": 1 })).await;
    gate.set(true);
    let one = key("a");
    let mut delete = Store::<Widget>::delete(&store, &one, None);
    assert!(poll!(&mut delete).is_pending());
    let mut again: BoxFuture<'_, Result<Arc<Widget>>> =
        store.apply(&one, json!({ "spec": { "n": 2 } }), "metalform", false);
    assert!(poll!(&mut again).is_pending());
    let patch = Patch::Merge(json!({ "spec": { "m": 3 } }));
    let mut patched: BoxFuture<'_, Result<Arc<Widget>>> = store.patch(&one, patch, None);
    assert!(poll!(&mut patched).is_pending());
    gate.set(false);
    delete.await.unwrap();
    again.await.unwrap();
    let patched = patched.await.unwrap();
    assert_ne!(patched.metadata.uid, a.metadata.uid);
    assert_eq!(patched.metadata.generation, Some(2));
    assert_eq!(
        serde_json::Value::Object(patched.spec.clone()),
        json!({ "n": 2, "m": 3 })
    );
    let told: Vec<_> = Store::<Widget>::watch(&store, a.version())
        .take(3)
        .collect()
        .await;
    assert!(
        matches!(&*told, [Change::Deleted(_), Change::Applied(_), Change::Applied(last)] if *last == patched)
    );
    drop(store);
    assert_eq!(all(&open(&folder.path().join("store.db"))), [patched]);
}

#[tokio::test]
async fn a_writer_that_gives_up_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (store, gate) = gated(&folder);
    let a = apply(&store, "a", json!({})).await;
    gate.set(true);
    let mut write = status_write(&store, &a, "ready");
    assert!(poll!(&mut write).is_pending());
    drop(write);
    gate.set(false);
    apply(&store, "b", json!({})).await;
    // It was accepted, so it came through.
    let a: Arc<Widget> = store.get(&key("a")).unwrap();
    assert_eq!(a.status.as_ref().unwrap()["phase"], "ready");
}

#[tokio::test(start_paused = true)]
async fn virtual_time_stands_still_during_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let (store, gate) = gated(&folder);
    let a = apply(&store, "a", json!({})).await;
    let start = tokio::time::Instant::now();
    gate.set(true);
    let opener = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        gate.set(false);
    });
    let timer = tokio::time::sleep(Duration::from_secs(1));
    let write = status_write(&store, &a, "ready");
    tokio::pin!(timer);
    tokio::select! {
        biased;
        () = &mut timer => panic!("the clock ran on while the commit was under way"),
        written = write => drop(written.unwrap()),
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    opener.join().unwrap();
}

#[tokio::test]
async fn a_closed_store_answers_and_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = gated(&folder);
    let a = apply(&store, "a", json!({})).await;
    let watch = Store::<Widget>::watch(&store, Version(0));
    let late = status_write(&store, &a, "late");
    store.close().await.unwrap();
    assert_eq!(all(&store), [Arc::clone(&a)]);
    let text = late.await.unwrap_err().to_string();
    assert_eq!(text, "the store is closed: metalform is stopping");
    assert_eq!(watch.count().await, 1);
    store.close().await.unwrap();
    // Another may have it now.
    assert_eq!(all(&open(&folder.path().join("store.db"))), [a]);
}

#[tokio::test]
async fn watches_end_with_the_last_handle() {
    let store = Embedded::memory(options());
    apply(&store, "a", json!({})).await;
    let watch = Store::<Widget>::watch(&store, Version(0));
    let other = store.by("somebody");
    drop(store);
    apply(&other, "b", json!({})).await;
    drop(other);
    assert_eq!(watch.count().await, 2);
}

/// Polls a future on this thread, with no runtime around it.
fn without_runtime<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn a_store_works_without_a_runtime_and_over_several() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.db"));
    without_runtime(apply(&store, "a", json!({})));
    for name in ["b", "c"] {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(apply(&store, name, json!({})));
    }
    without_runtime(apply(&store, "d", json!({})));
    assert_eq!(all(&store).len(), 4);
}
