//! What is in the file, and the four things that are done to it: append, take back, fold, load.

use std::collections::BTreeMap;

use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use super::Loaded;
use crate::store::record::{self, LAST};

pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
pub(super) const CHANGE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("change");
pub(super) const OBJECT: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("object");

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
        let mut rows: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
        for entry in change.range(..=until)? {
            let (version, bytes) = entry?;
            let Some(record) = record::read(bytes.value()) else {
                continue;
            };
            for (name, content) in record.pieces {
                if name == LAST {
                    continue;
                }
                // A piece that an object lost leaves an empty row: its version may be the
                // object's last.
                let row = (!record.gone).then(|| {
                    let content = content.unwrap_or_default();
                    let mut row = Vec::with_capacity(content.len() + 8);
                    row.extend_from_slice(&version.value().to_le_bytes());
                    row.extend_from_slice(content);
                    row
                });
                rows.insert(row_key(record.key, name), row);
            }
        }
        change.retain_in(..=until, |_, _| false)?;
        for entry in change.iter()? {
            entries += 1;
            bytes += entry?.1.value().len();
        }
        let mut object = transaction.open_table(OBJECT)?;
        for (key, row) in rows {
            match row {
                Some(row) => object.insert(key.as_slice(), row.as_slice()).map(drop)?,
                None => object.remove(key.as_slice()).map(drop)?,
            }
        }
        transaction.open_table(META)?.insert("folded", until)?;
    }
    transaction.commit()?;
    Ok((entries, bytes))
}

/// Reads all there is, with the entries and bytes of the log.
pub(super) fn load(database: &Database) -> Result<(Loaded, usize, usize), String> {
    let mut loaded = Loaded::default();
    let (mut entries, mut bytes) = (0, 0);
    let mut read = || -> Result<Option<&'static str>, redb::Error> {
        let transaction = database.begin_read()?;
        let meta = transaction.open_table(META)?;
        let number = |name| Ok::<_, redb::Error>(meta.get(name)?.map_or(0, |n| n.value()));
        loaded.seed = number("seed")?;
        loaded.folded = number("folded")?;
        loaded.version = loaded.folded;
        for row in transaction.open_table(OBJECT)?.iter()? {
            let (key, row) = row?;
            let Some((key, name)) = split_row_key(key.value()) else {
                return Ok(Some("a row has no key"));
            };
            let Some((version, content)) = row.value().split_first_chunk::<8>() else {
                return Ok(Some("a row is cut"));
            };
            let object = loaded.objects.entry(key).or_default();
            object.version = object.version.max(u64::from_le_bytes(*version));
            if !content.is_empty() {
                object.pieces.insert(name.into(), content.to_vec());
            }
        }
        for entry in transaction.open_table(CHANGE)?.iter()? {
            let (version, record) = entry?;
            entries += 1;
            bytes += record.value().len();
            loaded.version = version.value();
            let Some(record) = record::read(record.value()) else {
                return Ok(Some("an entry of the log is cut"));
            };
            if record.gone {
                loaded.objects.remove(record.key);
                let last = record.pieces.iter().find(|(name, _)| *name == LAST);
                let last = last.and_then(|(_, content)| *content).unwrap_or_default();
                loaded
                    .gone
                    .push((version.value(), record.key.to_vec(), last.to_vec()));
                continue;
            }
            let object = match loaded.objects.get_mut(record.key) {
                Some(object) => object,
                None => loaded.objects.entry(record.key.to_vec()).or_default(),
            };
            object.version = version.value();
            for (name, content) in record.pieces {
                match content {
                    Some(content) => {
                        object.pieces.insert(name.into(), content.to_vec());
                    }
                    None => {
                        object.pieces.remove(name);
                    }
                }
            }
        }
        Ok(None)
    };
    match read() {
        Ok(None) => Ok((loaded, entries, bytes)),
        Ok(Some(reason)) => Err(reason.into()),
        Err(error) => Err(error.to_string()),
    }
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

/// The object's key and the name of the piece.
fn split_row_key(row: &[u8]) -> Option<(Vec<u8>, &str)> {
    let mut parts = row.splitn(3, |byte| *byte == 0);
    let (kind, piece, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let mut key = Vec::with_capacity(row.len());
    key.extend_from_slice(kind);
    key.push(0);
    key.extend_from_slice(rest);
    Some((key, std::str::from_utf8(piece).ok()?))
}
