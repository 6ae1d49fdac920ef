//! What is in the file, and what is done to it: append, take back, fold.

use std::collections::BTreeMap;

use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError};

use crate::store::record::{self, LAST};

pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
pub(super) const SALT: TableDefinition<'_, (), [u8; 32]> = TableDefinition::new("salt");
/// Came later than the format: a file without it is one without notes.
pub(super) const NOTE: TableDefinition<'_, &str, &str> = TableDefinition::new("note");
pub(super) const CHANGE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("change");
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

/// Writes records in one transaction.
pub(super) fn append(database: &Database, records: &[(u64, Vec<u8>)]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut change = transaction.open_table(CHANGE)?;
        for (version, record) in records {
            change.insert(version, record.as_slice())?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Writes one note.
pub(super) fn note(database: &Database, name: &str, text: &str) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(NOTE)?.insert(name, text)?;
    transaction.commit()?;
    Ok(())
}

/// Removes what was written but never acknowledged.
pub(super) fn take_back(database: &Database, acknowledged: u64) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    let last = {
        let change = transaction.open_table(CHANGE)?;
        change.last()?.map(|(version, _)| version.value())
    };
    if last.is_none_or(|last| last <= acknowledged) {
        transaction.abort()?;
        return Ok(());
    }
    transaction
        .open_table(CHANGE)?
        .retain_in(acknowledged + 1.., |_, _| false)?;
    transaction.commit()?;
    Ok(())
}

/// Moves log entries up to `until` into rows. Answers with entries and bytes that are left.
pub(super) fn fold(database: &Database, until: u64) -> Result<(usize, usize), redb::Error> {
    let transaction = database.begin_write()?;
    let (mut entries, mut bytes) = (0, 0);
    {
        let mut change = transaction.open_table(CHANGE)?;
        // First where the latest content of each row is, then the contents one by one and in
        // order of row: the log may be larger than what one wants in memory.
        let mut rows: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for entry in change.range(..=until)? {
            let (version, bytes) = entry?;
            let Some(record) = record::read(bytes.value()) else {
                continue;
            };
            for (name, _) in record.pieces {
                if name != LAST {
                    rows.insert(row_key(record.key, name), version.value());
                }
            }
        }
        let mut object = transaction.open_table(OBJECT)?;
        let mut row = Vec::new();
        for (key, version) in rows {
            let entry = change.get(version)?;
            let Some(record) = entry.as_ref().and_then(|entry| record::read(entry.value())) else {
                continue;
            };
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
        change.retain_in(..=until, |_, _| false)?;
        for entry in change.iter()? {
            entries += 1;
            bytes += entry?.1.value().len();
        }
        transaction.open_table(META)?.insert("folded", until)?;
    }
    transaction.commit()?;
    Ok((entries, bytes))
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
