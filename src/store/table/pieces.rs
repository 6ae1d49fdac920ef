//! Objects to records, and back from what the file holds.

use std::sync::Arc;

use super::{Item, Write};
use crate::store::Object;
use crate::store::disk::Stored;
use crate::store::managed::Shapes;
use crate::store::record::{self, Draft, LAST};
use crate::store::rows::{self, MAIN, STATUS, Wanted};

/// The record of a write: the pieces that changed.
pub(super) fn draft<K: Object>(kind: &str, write: &Write<K>) -> Result<Vec<u8>, serde_json::Error> {
    let key = record::key(kind, &write.key.namespace, &write.key.name);
    let Some(after) = &write.after else {
        let mut draft = Draft::new(&key, true);
        for name in [MAIN, STATUS].iter().chain(K::LARGE_STATUS) {
            draft.piece(name, None);
        }
        if let Some(last) = &write.last {
            draft.piece(LAST, Some(&[&serde_json::to_vec(last.as_ref())?]));
        }
        return Ok(draft.finish());
    };
    let mut draft = Draft::new(&key, false);
    // An inventory is most of a host, and most writes leave it alone.
    let same_large = (write.before.as_ref())
        .is_some_and(|before| before.object.shares_large_status(&after.object));
    let wanted = match (write.changed.main, same_large) {
        (true, _) => Wanted::All,
        (false, true) => Wanted::Small,
        (false, false) => Wanted::Status,
    };
    let pieces = rows::cut(after.object.as_ref(), wanted)?;
    if write.changed.main {
        let managed = after.managed.to_row();
        let length = (managed.len() as u32).to_le_bytes();
        draft.piece(MAIN, Some(&[&length, &managed, &pieces.main]));
    }
    if write.changed.status {
        match &pieces.status {
            Some(status) => draft.piece(STATUS, Some(&[status])),
            None if write.before.is_some() => draft.piece(STATUS, None),
            None => {}
        }
    }
    if write.changed.status && !same_large {
        let before = match &write.before {
            Some(before) => rows::cut(before.object.as_ref(), Wanted::Large)?.large,
            None => Vec::new(),
        };
        for (name, text) in &pieces.large {
            if !before
                .iter()
                .any(|(other, same)| other == name && same == text)
            {
                draft.piece(name, Some(&[text]));
            }
        }
        for (name, _) in &before {
            if !pieces.large.iter().any(|(other, _)| other == name) {
                draft.piece(name, None);
            }
        }
    }
    Ok(draft.finish())
}

/// An object from its pieces.
pub(super) fn restore<K: Object>(stored: &Stored, shapes: &Shapes) -> Result<Item<K>, String> {
    let main = stored.pieces.get(MAIN).ok_or("its main row is gone")?;
    let (length, rest) = main.split_first_chunk::<4>().ok_or("its main row is cut")?;
    let length = u32::from_le_bytes(*length) as usize;
    let (managed, main) = rest.split_at_checked(length).ok_or("its main row is cut")?;
    let status = stored.pieces.get(STATUS).map(Vec::as_slice);
    let large: Vec<(&str, &[u8])> = stored
        .pieces
        .iter()
        .filter(|(name, _)| ![MAIN, STATUS].contains(&&***name))
        .map(|(name, piece)| (&**name, piece.as_slice()))
        .collect();
    let text = rows::join(main, status, &large);
    let mut object: K = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    object.meta_mut().resource_version = Some(stored.version.to_string().into());
    object.compact();
    Ok(Item {
        object: Arc::new(object),
        managed: shapes.read(managed)?,
    })
}
