//! What is in the file of rows, and what is done to it.

use std::collections::BTreeMap;

use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError};

use super::FORMAT;
use super::log::{Log, Place};
use crate::store::record::{self, LAST};

pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// Number of [`META`]: 1 while the log has what rows have not.
pub(super) const LOGGED: &str = "logged";
pub(super) const SALT: TableDefinition<'_, (), [u8; 32]> = TableDefinition::new("salt");
/// Came later than the format: a file without it is one without notes.
pub(super) const NOTE: TableDefinition<'_, &str, &str> = TableDefinition::new("note");
/// The log of a file of format 1.
pub(super) const CHANGE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("change");
pub(super) const GONE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("gone");
pub(super) const OBJECT: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("object");

/// The salt of a file, which takes `new` where it has none.
pub(super) fn salt(database: &Database, new: [u8; 32]) -> Result<[u8; 32], redb::Error> {
    match database.begin_read()?.open_table(SALT) {
        Ok(table) => {
            if let Some(salt) = table.get(())? {
                return Ok(salt.value());
            }
        }
        Err(TableError::TableDoesNotExist(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let transaction = database.begin_write()?;
    transaction.open_table(SALT)?.insert((), new)?;
    transaction.commit()?;
    Ok(new)
}

/// Writes one note.
pub(super) fn note(database: &Database, name: &str, text: &str) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(NOTE)?.insert(name, text)?;
    transaction.commit()?;
    Ok(())
}

/// The entries of a file of format 1, which kept its log in a table.
pub(super) fn changes(database: &Database) -> Result<Vec<(u64, Vec<u8>)>, redb::Error> {
    let mut entries = Vec::new();
    let table = match database.begin_read()?.open_table(CHANGE) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(entries),
        table => table?,
    };
    for entry in table.iter()? {
        let (version, record) = entry?;
        entries.push((version.value(), record.value().to_vec()));
    }
    Ok(entries)
}

/// Moves the entries of a file of format 1 to the log: then it is one of this format.
pub(super) fn take_over(database: &Database, log: &mut Log) -> Result<(), redb::Error> {
    let entries = changes(database)?;
    let transaction = database.begin_write()?;
    {
        if !entries.is_empty() {
            log.append(&entries)?;
        }
        let mut meta = transaction.open_table(META)?;
        let folded = meta.get("folded")?.map_or(0, |folded| folded.value());
        meta.insert("floor", folded)?;
        meta.insert("format", FORMAT)?;
        meta.insert(LOGGED, 1)?;
    }
    transaction.delete_table(CHANGE)?;
    transaction.commit()?;
    Ok(())
}

/// Makes rows of all entries of the log, the last of which is `until`. Deletions above `floor` are
/// kept for watches that go on from before them.
pub(super) fn fold(
    database: &Database,
    log: &Log,
    until: u64,
    floor: u64,
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut gone = transaction.open_table(GONE)?;
        gone.retain_in(..=floor, |_, _| false)?;
        // First where the latest content of each row is, then the contents one by one and in
        // order of row: the log may be larger than what one wants in memory.
        let mut rows: BTreeMap<Vec<u8>, (u64, Place)> = BTreeMap::new();
        log.walk(&mut |version, place, bytes| {
            let record = record::read(bytes).ok_or_else(cut)?;
            for (name, _) in record.pieces {
                if name != LAST {
                    rows.insert(row_key(record.key, name), (version, place));
                }
            }
            if record.gone && version > floor {
                gone.insert(version, bytes)?;
            }
            Ok(())
        })?;
        let mut object = transaction.open_table(OBJECT)?;
        let (mut row, mut bytes) = (Vec::new(), Vec::new());
        for (key, (version, place)) in rows {
            log.read(place, &mut bytes)?;
            let record = record::read(&bytes).ok_or_else(cut)?;
            if record.gone {
                object.remove(key.as_slice())?;
                continue;
            }
            let named = |(name, _): &&(&str, _)| key == row_key(record.key, name);
            let content = record
                .pieces
                .iter()
                .find(named)
                .and_then(|(_, content)| *content);
            // A piece that an object lost leaves an empty row: its version may be the object's
            // last.
            row.clear();
            row.extend_from_slice(&version.to_le_bytes());
            row.extend_from_slice(content.unwrap_or_default());
            object.insert(key.as_slice(), row.as_slice())?;
        }
        let mut meta = transaction.open_table(META)?;
        meta.insert("folded", until)?;
        meta.insert("floor", floor)?;
        meta.insert(LOGGED, 0)?;
    }
    transaction.commit()?;
    Ok(())
}

fn cut() -> redb::Error {
    redb::Error::Corrupted("an entry of the log is cut".into())
}

/// Says that there are changes in the log that are not in rows: without the log they are lost.
pub(super) fn set_logged(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert(LOGGED, 1)?;
    transaction.commit()?;
    Ok(())
}

/// The last version that is in rows.
pub(super) fn folded(database: &Database) -> Result<u64, redb::Error> {
    number(database, "folded")
}

/// A number of the file; 0 where it has none.
pub(super) fn number(database: &Database, name: &str) -> Result<u64, redb::Error> {
    let meta = database.begin_read()?.open_table(META)?;
    Ok(meta.get(name)?.map_or(0, |number| number.value()))
}

/// `kind NUL piece NUL namespace NUL name`: pieces of a sort lie together, so that folding what
/// changes often does not touch the pages of what does not.
fn row_key(key: &[u8], piece: &str) -> Vec<u8> {
    let end = key
        .iter()
        .position(|byte| *byte == 0)
        .map_or(key.len(), |end| end + 1);
    let (kind, rest) = key.split_at(end);
    let mut row = Vec::with_capacity(key.len() + piece.len() + 1);
    row.extend_from_slice(kind);
    row.extend_from_slice(piece.as_bytes());
    row.push(0);
    row.extend_from_slice(rest);
    row
}
