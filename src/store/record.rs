//! What one write puts into the file: a record of the change log.
//!
//! ```text
//! record := flags u8, key, piece*          flags: 1 the object is gone
//! key    := text (kind NUL namespace NUL name)
//! piece  := text (name), bytes | absent    absent: the length is 0xFFFF_FFFF
//! text   := length u16, bytes              all numbers little-endian
//! ```
//!
//! A piece that a record does not name is unchanged. The record of a deletion removes all pieces
//! and carries the last state as a piece called `last`.

/// Name of the piece with the last state of a deleted object.
pub(super) const LAST: &str = "last";

const GONE: u8 = 1;
const ABSENT: u32 = u32::MAX;

/// A record being made.
#[derive(Debug)]
pub(super) struct Draft(Vec<u8>);

impl Draft {
    /// Starts a record about the object with this key (see [`key`]).
    pub fn new(key: &[u8], gone: bool) -> Self {
        let mut draft = Self(Vec::with_capacity(1024));
        draft.0.push(if gone { GONE } else { 0 });
        draft.text(key);
        draft
    }

    fn text(&mut self, text: &[u8]) {
        // Names are at most 253 bytes (checked when objects come in).
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0
            .extend_from_slice(text.get(..length.into()).unwrap_or(text));
    }

    /// Adds a piece, or its absence.
    pub fn piece(&mut self, name: &str, content: Option<&[&[u8]]>) {
        self.text(name.as_bytes());
        let Some(parts) = content else {
            self.0.extend_from_slice(&ABSENT.to_le_bytes());
            return;
        };
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.0.extend_from_slice(&(length as u32).to_le_bytes());
        for part in parts {
            self.0.extend_from_slice(part);
        }
    }

    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// A record as read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// The object is gone.
    pub gone: bool,
    /// Its key.
    pub key: &'a [u8],
    /// Name and content of the pieces that changed.
    pub pieces: Vec<(&'a str, Option<&'a [u8]>)>,
}

/// Reads a record. `None` when it is not one.
pub(super) fn read(bytes: &[u8]) -> Option<Record<'_>> {
    let (flags, rest) = bytes.split_first()?;
    let (key, mut rest) = text(rest)?;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (name, after) = text(rest)?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length);
        let name = std::str::from_utf8(name).ok()?;
        if length == ABSENT {
            pieces.push((name, None));
            rest = after;
        } else {
            let (content, after) = after.split_at_checked(length as usize)?;
            pieces.push((name, Some(content)));
            rest = after;
        }
    }
    Some(Record {
        gone: flags & GONE != 0,
        key,
        pieces,
    })
}

fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_le_bytes(*length).into())
}

/// The key of an object in a record.
pub(super) fn key(kind: &str, namespace: &str, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(kind.len() + namespace.len() + name.len() + 2);
    key.extend_from_slice(kind.as_bytes());
    key.push(0);
    key.extend_from_slice(namespace.as_bytes());
    key.push(0);
    key.extend_from_slice(name.as_bytes());
    key
}

/// Kind, namespace and name of a key.
pub(super) fn parts(key: &[u8]) -> Option<(&str, &str, &str)> {
    let mut parts = std::str::from_utf8(key).ok()?.splitn(3, '\0');
    Some((parts.next()?, parts.next()?, parts.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_as_it_was_written() {
        let key = key("things.example", "metal", "a");
        let mut draft = Draft::new(&key, false);
        draft.piece("", Some(&[b"head", b"{}"]));
        draft.piece("status", None);
        draft.piece("x", Some(&[]));
        let bytes = draft.finish();
        let record = read(&bytes).unwrap();
        assert!(!record.gone);
        assert_eq!(parts(record.key), Some(("things.example", "metal", "a")));
        assert_eq!(
            record.pieces,
            [
                ("", Some(&b"head{}"[..])),
                ("status", None),
                ("x", Some(&b""[..]))
            ]
        );
    }

    #[test]
    fn a_cut_record_is_not_read_as_a_shorter_one_with_content() {
        let mut draft = Draft::new(&key("k", "n", "o"), true);
        draft.piece("last", Some(&[b"content"]));
        let bytes = draft.finish();
        let whole = read(&bytes).unwrap();
        for end in 0..bytes.len() {
            let cut = read(&bytes[..end]);
            assert!(
                cut.is_none_or(|record| record.pieces.len() < whole.pieces.len()),
                "{end}"
            );
        }
    }
}
