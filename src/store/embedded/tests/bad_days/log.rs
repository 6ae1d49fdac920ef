//! The log: cut, spoilt, older or newer than the rows.

use super::*;

/// A store that was not closed, with this many writes in its log; its path, and what is in it.
async fn killed(folder: &tempfile::TempDir, writes: usize) -> (PathBuf, Vec<Arc<Widget>>) {
    let path = folder.path().join("store.db");
    let store = open(&path);
    for n in 0..writes {
        apply(&store, &format!("a{n}"), json!({ "n": n })).await;
    }
    let widgets = all(&store);
    drop(store);
    (path, widgets)
}

#[tokio::test]
async fn a_log_that_is_cut_ends_before_the_write_that_nobody_was_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let (path, widgets) = killed(&folder, 5).await;
    let whole = fs::read(log_of(&path)).unwrap();
    for cut in [1, 20, whole.len() / 10] {
        fs::write(log_of(&path), &whole[..whole.len() - cut]).unwrap();
        assert_eq!(all(&open(&path)), widgets[..4], "cut by {cut}");
    }
    // Of a frame only the end came to the disk.
    let mut torn = whole.clone();
    let last = whole
        .windows(4)
        .rposition(|four| four == b"mfl\x01")
        .unwrap();
    torn[last..last + 30].fill(0);
    fs::write(log_of(&path), torn).unwrap();
    let store = open(&path);
    assert_eq!(all(&store), widgets[..4]);
    // What comes next takes its place.
    apply(&store, "b", json!({})).await;
    let now = all(&store);
    drop(store);
    assert_eq!(all(&open(&path)), now);
}

#[tokio::test]
async fn a_log_that_is_spoilt_before_its_end_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = killed(&folder, 5).await;
    let whole = fs::read(log_of(&path)).unwrap();
    let last = whole
        .windows(4)
        .rposition(|four| four == b"mfl\x01")
        .unwrap();
    for at in (0..last).step_by(7) {
        let mut spoilt = whole.clone();
        spoilt[at] ^= 0x55;
        fs::write(log_of(&path), &spoilt).unwrap();
        let error = error(&path);
        assert_eq!(error.code(), "StoreDamaged", "spoilt at {at}: {error}");
        assert!(fs::read(log_of(&path)).unwrap() == spoilt);
    }
}

/// The log is looked through in windows of a megabyte: a frame may begin at the end of one.
#[tokio::test]
async fn a_frame_behind_a_spoilt_one_is_found_wherever_it_begins() {
    const WINDOW: usize = 1 << 20;
    let second = async |filling: usize| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = Embedded::open(&path, options()).unwrap();
        apply(&store, "a", json!({ "text": "x".repeat(filling) })).await;
        apply(&store, "b", json!({})).await;
        drop(store);
        let log = fs::read(log_of(&path)).unwrap();
        let at = log.windows(4).rposition(|four| four == b"mfl\x01");
        (folder, path, log, at.unwrap())
    };
    let (.., least) = second(0).await;
    for wanted in WINDOW - 4..=WINDOW + 1 {
        let (_folder, path, mut log, at) = second(wanted - least).await;
        assert_eq!(at, wanted);
        log[0] = 0;
        fs::write(log_of(&path), &log).unwrap();
        assert_eq!(error(&path).code(), "StoreDamaged", "frame at {at}");
    }
}

#[tokio::test]
async fn rows_of_earlier_than_the_log_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = killed(&folder, 5).await;
    let early = fs::read(&path).unwrap();
    open(&path).close().await.unwrap();
    let store = open(&path);
    apply(&store, "b", json!({})).await;
    let widgets = all(&store);
    drop(store);
    let late = fs::read(&path).unwrap();
    fs::write(&path, early).unwrap();
    insta::assert_snapshot!(text(&error(&path), &folder), @"the store DIR/store.db is damaged (its log goes on from a later state than its rows are of) and was left as it is; put copies of it and of its .log back, or move both away to start with an empty one (machines are found again where they are enrolled)");
    fs::write(&path, late).unwrap();
    assert_eq!(all(&open(&path)), widgets);
}

#[tokio::test]
async fn neither_file_does_without_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let (path, widgets) = killed(&folder, 3).await;
    let (rows, log) = (fs::read(&path).unwrap(), fs::read(log_of(&path)).unwrap());
    // The rows alone are not opened as an older state.
    fs::remove_file(log_of(&path)).unwrap();
    insta::assert_snapshot!(text(&error(&path), &folder), @"the store DIR/store.db is damaged (its log is gone, which has the latest changes) and was left as it is; put copies of it and of its .log back, or move both away to start with an empty one (machines are found again where they are enrolled)");
    assert!(!log_of(&path).exists());
    // Nor is the log thrown away where the rows went.
    fs::write(log_of(&path), &log).unwrap();
    fs::remove_file(&path).unwrap();
    insta::assert_snapshot!(text(&error(&path), &folder), @"the store DIR/store.db is damaged (it is gone, and its log has changes that are nowhere else) and was left as it is; put copies of it and of its .log back, or move both away to start with an empty one (machines are found again where they are enrolled)");
    assert_eq!(fs::read(log_of(&path)).unwrap(), log);
    fs::write(&path, &rows).unwrap();
    assert_eq!(all(&open(&path)), widgets);
    // Nor is one of another store taken, or written over.
    let other = tempfile::tempdir().unwrap();
    let path_of_other = other.path().join("store.db");
    let store = Embedded::open(&path_of_other, options().seed(99)).unwrap();
    apply(&store, "x", json!({})).await;
    drop(store);
    fs::copy(log_of(&path_of_other), log_of(&path)).unwrap();
    let foreign = fs::read(log_of(&path)).unwrap();
    insta::assert_snapshot!(text(&error(&path), &folder), @"the store DIR/store.db is damaged (its log is that of another store) and was left as it is; put copies of it and of its .log back, or move both away to start with an empty one (machines are found again where they are enrolled)");
    assert_eq!(fs::read(log_of(&path)).unwrap(), foreign);
    // Closed, the rows alone are a whole copy.
    fs::write(log_of(&path), &log).unwrap();
    open(&path).close().await.unwrap();
    fs::remove_file(log_of(&path)).unwrap();
    assert_eq!(all(&open(&path)), widgets);
    // And where both are away a new one is made.
    open(&path).close().await.unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(all(&open(&path)), []);
}

/// What is left of earlier entries behind those since the last fold does not come back.
#[tokio::test]
async fn a_log_that_began_anew_ends_where_it_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let open = || Embedded::open(&path, options().fold_entries(10)).unwrap();
    let mut store = open();
    for n in 0..47 {
        apply(&store, &format!("a{}", n % 5), json!({ "n": n })).await;
        let now = all(&store);
        drop(store);
        store = open();
        assert_eq!(all(&store), now, "after {n}");
    }
}

#[tokio::test]
async fn a_file_of_the_first_format_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let (path, widgets) = killed(&folder, 3).await;
    open(&path).close().await.unwrap();
    {
        let database = redb::Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        let meta: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("meta");
        let change: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("change");
        let mut meta = transaction.open_table(meta).unwrap();
        meta.insert("format", 1).unwrap();
        meta.remove("floor").unwrap();
        let mut change = transaction.open_table(change).unwrap();
        let key = crate::store::record::key("widgets.conformance.metalform.dev", "metal", "a1");
        let mut gone = crate::store::record::Draft::new(&key, true);
        let last = serde_json::to_vec(widgets[1].as_ref()).unwrap();
        gone.piece(crate::store::record::LAST, Some(&[&last]));
        change.insert(5_000_000, gone.finish().as_slice()).unwrap();
        drop((meta, change));
        transaction.commit().unwrap();
    }
    let kept = [Arc::clone(&widgets[0]), Arc::clone(&widgets[2])];
    for _ in 0..2 {
        let store = open(&path);
        assert_eq!(all(&store), kept);
        let told = Store::<Widget>::watch(&store, Version(4_000_000))
            .next()
            .await;
        assert!(matches!(told, Some(Change::Deleted(_))), "{told:?}");
    }
}
