//! Files that are not whole, not ours or not free.

use super::*;

#[tokio::test]
async fn an_empty_file_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    File::create(&path).unwrap();
    insta::assert_snapshot!(text(&error(&path), &folder), @"the store DIR/store.db is damaged (the file is empty) and was left as it is; put copies of it and of its .log back, or move both away to start with an empty one (machines are found again where they are enrolled)");
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
}

#[tokio::test]
async fn a_file_of_something_else_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    fs::write(&path, "host r01-u01 { }\n".repeat(1000)).unwrap();
    assert_eq!(error(&path).code(), "StoreDamaged");
    let database = redb::Database::create(folder.path().join("other.db")).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction
        .open_table(redb::TableDefinition::<u64, u64>::new("other"))
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = error(&folder.path().join("other.db"));
    insta::assert_snapshot!(text(&error, &folder), @"the store DIR/other.db is damaged (it is a database, but not metalform's) and was left as it is; put copies of it and of its .log back, or move both away to start with an empty one (machines are found again where they are enrolled)");
}

#[tokio::test]
async fn a_folder_is_not_a_store() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(error(folder.path()).code(), "StoreIo");
    let path = folder.path().join("gone").join("store.db");
    assert_eq!(error(&path).code(), "StoreIo");
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = lived(&folder).await;
    {
        let database = redb::Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction
            .open_table(redb::TableDefinition::<&str, u64>::new("meta"))
            .unwrap()
            .insert("format", 9)
            .unwrap();
        transaction.commit().unwrap();
    }
    let error = error(&path);
    assert_eq!(error.code(), "StoreNewer");
    insta::assert_snapshot!(text(&error, &folder), @"the store DIR/store.db has format 9, this metalform reads up to 2; use the metalform that wrote it, or a newer one");
}

#[tokio::test]
async fn a_store_in_use_says_by_whom() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    let error = error(&path);
    assert_eq!(error.code(), "StoreHeld");
    let pid = format!("process {}", std::process::id());
    insta::assert_snapshot!(text(&error, &folder).replace(&pid, "process PID"), @"the store DIR/store.db is in use by process PID; stop that process, or leave it running: `metalform get`, `plan` and `apply` talk to it");
    drop(store);
    open(&path).close().await.unwrap();
}

/// Opens a spoilt copy: it is refused and left as it is, or it opens with everything in it.
fn judge(path: &Path, expected: &[Arc<Widget>], what: &str) -> bool {
    let before = fs::read(path).unwrap();
    match Embedded::open(path, options()) {
        Ok(store) => {
            assert_eq!(all(&store), expected, "{what}");
            true
        }
        Err(error) => {
            assert_eq!(error.code(), "StoreDamaged", "{what}: {error}");
            assert!(
                fs::read(path).unwrap() == before,
                "{what}: the damaged file was changed"
            );
            false
        }
    }
}

#[tokio::test]
async fn a_cut_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = lived(&folder).await;
    let whole = fs::read(&path).unwrap();
    let expected = all(&open(&path));
    let copy = folder.path().join("copy.db");
    let mut refused = 0;
    for part in 0..40 {
        let length = whole.len() * part / 40;
        fs::write(&copy, &whole[..length]).unwrap();
        refused += usize::from(!judge(&copy, &expected, &format!("cut to {length}")));
    }
    assert_eq!(refused, 40);
}

#[tokio::test]
async fn spoilt_bytes_are_found_or_do_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let path = lived(&folder).await;
    let whole = fs::read(&path).unwrap();
    let expected = all(&open(&path));
    let copy = folder.path().join("copy.db");
    let mut seed = 1_u64;
    let mut refused = 0;
    for _ in 0..150 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let at = (seed >> 33) as usize % whole.len();
        let mut spoilt = whole.clone();
        for byte in spoilt.iter_mut().skip(at).take(16) {
            *byte ^= 0x55;
        }
        fs::write(&copy, spoilt).unwrap();
        refused += usize::from(!judge(&copy, &expected, &format!("spoilt at {at}")));
    }
    assert!(refused > 10, "{refused} of 150 were refused");
}
