//! The embedded store alone: what the conformance suite cannot see.

use std::path::Path;

use serde_json::json;

use super::*;
use crate::store::conformance::Widget;
use crate::store::{Change, Store};

fn options() -> Options {
    let start: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    Options::default().clock(move || start).seed(7).kind::<Widget>()
}

fn key(name: &str) -> Key {
    Key::new("metal", name)
}

async fn apply(store: &Embedded, name: &str, spec: serde_json::Value) -> Arc<Widget> {
    store.apply(&key(name), json!({ "spec": spec }), "metalform", false).await.unwrap()
}

async fn set_phase(store: &Embedded, name: &str, phase: &str) -> Arc<Widget> {
    let widget: Arc<Widget> = store.get(&key(name)).unwrap();
    let version = widget.version();
    let mut widget = widget.as_ref().clone();
    widget.status.get_or_insert_default().insert("phase".into(), phase.into());
    store.update_status(widget, version).await.unwrap()
}

fn all(store: &Embedded) -> Vec<Arc<Widget>> {
    Store::<Widget>::list(store)
}

fn open(path: &Path) -> Embedded {
    Embedded::open(path, options()).unwrap()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    apply(&store, "a", json!({ "color": "red" })).await;
    apply(&store, "b", json!({ "color": "blue" })).await;
    let a = set_phase(&store, "a", "ready").await;
    Store::<Widget>::delete(&store, &key("b"), None).await.unwrap();
    let before = all(&store);
    let version = store.version();
    drop(store);
    let store = open(&path);
    assert_eq!(all(&store), before);
    assert_eq!(before, [a]);
    assert_eq!(store.version(), version);
    let owners = Store::<Widget>::managed_fields(&store, &key("a")).await.unwrap();
    assert_eq!(owners.len(), 1);
    store.close().await.unwrap();
}
