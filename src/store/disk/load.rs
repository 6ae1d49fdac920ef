//! Reading all there is, one object after the other: neither the rows of a kind nor the whole file
//! are ever in memory at once, only what the log says.

use std::collections::BTreeMap;

use redb::{Database, Range, ReadableDatabase as _, ReadableTable as _, TableError};

use super::tables::{GONE, META, NOTE, OBJECT};
use super::{Loaded, Stored, Take};
use crate::store::record::{self, LAST, Record};

/// Why the file cannot be read.
type Reason = String;

type Rows = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;

/// What the log says of an object.
#[derive(Default)]
struct Logged {
    /// The object was deleted since: what rows say is of another life.
    anew: bool,
    /// It is deleted now.
    gone: bool,
    version: u64,
    /// `None`: the piece is absent.
    pieces: BTreeMap<Box<str>, Option<Vec<u8>>>,
}

/// Reads the rows and what the log says beside them; objects come in order of key (see
/// [`record::key`]).
pub(super) fn load(
    database: &Database,
    logged: Logs,
    take: &mut Take<'_>,
) -> Result<Loaded, Reason> {
    let text = |error: redb::Error| error.to_string();
    let mut loaded = logged.loaded;
    beside(database, &mut loaded).map_err(text)?;
    let log = logged.objects;
    let transaction = database.begin_read().map_err(|error| text(error.into()))?;
    let rows = transaction
        .open_table(OBJECT)
        .map_err(|error| text(error.into()))?;
    let mut rows = Merge::new(&rows).map_err(text)?;
    let mut log = log.into_iter().peekable();
    loop {
        let row = rows.least();
        let from_log = match (&row, log.peek()) {
            (None, None) => return Ok(loaded),
            (Some(row), Some((key, _))) => row >= key,
            (row, _) => row.is_none(),
        };
        let from_rows = match (&row, log.peek()) {
            (Some(row), Some((key, _))) => row <= key,
            (row, _) => row.is_some(),
        };
        let logged = if from_log { log.next() } else { None };
        let mut stored = Stored::default();
        let mut key = Vec::new();
        if from_rows && let Some(row) = row {
            stored = rows.next(&row).map_err(text)?.ok_or("a row is cut")?;
            key = row;
        }
        if let Some((logged_key, logged)) = logged {
            if logged.anew {
                stored = Stored::default();
            }
            if logged.gone {
                continue;
            }
            stored.version = stored.version.max(logged.version);
            for (name, content) in logged.pieces {
                match content {
                    Some(content) => drop(stored.pieces.insert(name, content)),
                    None => drop(stored.pieces.remove(&name)),
                }
            }
            key = logged_key;
        }
        take(&key, stored)?;
    }
}

/// What is in the file beside objects.
fn beside(database: &Database, loaded: &mut Loaded) -> Result<(), redb::Error> {
    let transaction = database.begin_read()?;
    let meta = transaction.open_table(META)?;
    let number = |name| Ok::<_, redb::Error>(meta.get(name)?.map(|number| number.value()));
    loaded.seed = number("seed")?.unwrap_or_default();
    loaded.folded = number("folded")?.unwrap_or_default();
    loaded.floor = number("floor")?.unwrap_or(loaded.folded);
    loaded.version = loaded.version.max(loaded.folded);
    match transaction.open_table(NOTE) {
        Err(TableError::TableDoesNotExist(_)) => {}
        other => {
            for entry in other?.iter()? {
                let (name, text) = entry?;
                loaded
                    .notes
                    .insert(name.value().to_owned(), text.value().to_owned());
            }
        }
    }
    match transaction.open_table(GONE) {
        Err(TableError::TableDoesNotExist(_)) => {}
        other => {
            let mut gone = Vec::new();
            for entry in other?.iter()? {
                let (version, bytes) = entry?;
                if let Some(record) = record::read(bytes.value()) {
                    gone.push(deletion(version.value(), &record));
                }
            }
            loaded.gone.splice(..0, gone);
        }
    }
    Ok(())
}

fn deletion(version: u64, record: &Record<'_>) -> (u64, Vec<u8>, Vec<u8>) {
    let last = record.pieces.iter().find(|(name, _)| *name == LAST);
    let last = last.and_then(|(_, content)| *content).unwrap_or_default();
    (version, record.key.to_vec(), last.to_vec())
}

/// What the log says, by object.
#[derive(Default)]
pub(super) struct Logs {
    objects: BTreeMap<Vec<u8>, Logged>,
    loaded: Loaded,
}

impl Logs {
    /// Takes the next entry.
    pub fn take(&mut self, version: u64, bytes: &[u8]) -> Result<(), Reason> {
        let loaded = &mut self.loaded;
        loaded.entries += 1;
        loaded.bytes += bytes.len() as u64;
        loaded.version = version;
        let record = record::read(bytes).ok_or("an entry of the log is cut")?;
        let object = match self.objects.get_mut(record.key) {
            Some(object) => object,
            None => self.objects.entry(record.key.to_vec()).or_default(),
        };
        object.version = version;
        object.gone = record.gone;
        if record.gone {
            object.anew = true;
            object.pieces.clear();
            loaded.gone.push(deletion(version, &record));
            return Ok(());
        }
        for (name, content) in record.pieces {
            object
                .pieces
                .insert(name.into(), content.map(<[u8]>::to_vec));
        }
        Ok(())
    }
}

/// The rows of all pieces side by side: rows lie by kind, then piece, then object.
struct Merge<'a> {
    table: &'a Rows,
    /// `kind NUL` of the rows under way.
    kind: Vec<u8>,
    pieces: Vec<Piece<'a>>,
}

struct Piece<'a> {
    name: Box<str>,
    rows: Range<'a, &'static [u8], &'static [u8]>,
    /// The object's key, and its row.
    head: Option<(Vec<u8>, Vec<u8>)>,
}

impl<'a> Merge<'a> {
    fn new(table: &'a Rows) -> Result<Self, redb::Error> {
        let mut merge = Self {
            table,
            kind: Vec::new(),
            pieces: Vec::new(),
        };
        merge.next_kind()?;
        Ok(merge)
    }

    /// Goes to the first kind after this one.
    fn next_kind(&mut self) -> Result<(), redb::Error> {
        let mut from = after(&self.kind);
        self.pieces.clear();
        // From piece to piece: the first row of each tells its name.
        while let Some(row) = self.table.range::<&[u8]>(from.as_slice()..)?.next() {
            let row = row?.0.value().to_vec();
            let Some((kind, piece)) = names(&row) else {
                break;
            };
            if self.pieces.is_empty() {
                self.kind = kind.to_vec();
            } else if *kind != *self.kind {
                break;
            }
            let prefix = &row[..=kind.len() + piece.len()];
            from = after(prefix);
            let mut piece = Piece {
                name: String::from_utf8_lossy(piece).into(),
                rows: self.table.range::<&[u8]>(prefix..from.as_slice())?,
                head: None,
            };
            piece.advance(&self.kind)?;
            self.pieces.push(piece);
        }
        Ok(())
    }

    /// The key of the next object.
    fn least(&self) -> Option<Vec<u8>> {
        let heads = self.pieces.iter().filter_map(|piece| piece.head.as_ref());
        heads.map(|(key, _)| key).min().cloned()
    }

    /// The rows of the object with this key, which is the least. `None` when one is cut.
    fn next(&mut self, key: &[u8]) -> Result<Option<Stored>, redb::Error> {
        let mut stored = Stored::default();
        for piece in &mut self.pieces {
            if piece.head.as_ref().is_none_or(|(head, _)| head != key) {
                continue;
            }
            if let Some((_, mut row)) = piece.head.take() {
                let Some((version, content)) = row.split_first_chunk::<8>() else {
                    return Ok(None);
                };
                stored.version = stored.version.max(u64::from_le_bytes(*version));
                if !content.is_empty() {
                    row.drain(..8);
                    stored.pieces.insert(piece.name.clone(), row);
                }
            }
            piece.advance(&self.kind)?;
        }
        if self.least().is_none() {
            self.next_kind()?;
        }
        Ok(Some(stored))
    }
}

impl Piece<'_> {
    fn advance(&mut self, kind: &[u8]) -> Result<(), redb::Error> {
        self.head = match self.rows.next() {
            None => None,
            Some(row) => {
                let (row_key, row) = row?;
                let mut key = kind.to_vec();
                let rest = row_key.value().get(kind.len() + self.name.len() + 1..);
                key.extend_from_slice(rest.unwrap_or_default());
                Some((key, row.value().to_vec()))
            }
        };
        Ok(())
    }
}

/// `kind NUL` and the piece of a row's key.
fn names(row: &[u8]) -> Option<(&[u8], &[u8])> {
    let kind = row.iter().position(|byte| *byte == 0)? + 1;
    let (kind, rest) = row.split_at(kind);
    Some((kind, rest.split(|byte| *byte == 0).next()?))
}

/// The first key after all with this prefix, which ends in NUL.
fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    if let Some(last) = end.last_mut() {
        *last = 1;
    }
    end
}
