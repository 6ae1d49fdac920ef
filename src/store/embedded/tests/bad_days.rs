//! Files that are not whole, disks that are full, processes that are killed.

mod damage;
mod disk;
mod kill;
mod log;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize};

use futures::future::join_all;

use super::*;

fn error(path: &Path) -> OpenError {
    match Embedded::open(path, options()) {
        Err(error) => error,
        Ok(_) => panic!("{} was opened", path.display()),
    }
}

fn text(error: &OpenError, folder: &tempfile::TempDir) -> String {
    error
        .to_string()
        .replace(&folder.path().display().to_string(), "DIR")
}

/// A store with some life in it; its path.
async fn lived(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("store.db");
    let store = Embedded::open(&path, options().fold_entries(20)).unwrap();
    for n in 0..30 {
        let name = format!("a{n}");
        apply(&store, &name, json!({ "n": n, "text": "x".repeat(200) })).await;
        set_phase(&store, &name, "ready").await;
    }
    Store::<Widget>::delete(&store, &key("a3"), None)
        .await
        .unwrap();
    store.close().await.unwrap();
    path
}

#[tokio::test]
async fn the_version_does_not_go_back_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = Embedded::open(&path, options()).unwrap();
    apply(&store, "a", json!({})).await;
    // A deletion's version is no object's.
    Store::<Widget>::delete(&store, &key("a"), None)
        .await
        .unwrap();
    let before = Store::<Widget>::snapshot(&store).await.unwrap().version;
    store.close().await.unwrap();
    let store = Embedded::open(&path, options()).unwrap();
    let after = Store::<Widget>::snapshot(&store).await.unwrap().version;
    assert!(after >= before, "{after:?} after {before:?}");
}

fn log_of(path: &Path) -> PathBuf {
    path.with_extension("db.log")
}

async fn try_apply(store: &Embedded, name: &str, n: usize) -> Result<Arc<Widget>> {
    store
        .apply(
            &key(name),
            json!({ "spec": { "n": n } }),
            "metalform",
            false,
        )
        .await
}
