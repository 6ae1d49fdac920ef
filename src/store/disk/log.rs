//! The change log: a file beside the rows to which each commit appends one frame.
//!
//! A frame is one write and one sync of bytes that lie together; the same commit into a tree was
//! thirty reads and writes all over the file, and took a busy disk ten times as long.
//!
//! ```text
//! frame := magic, length u32, seed u64, base u64, check 8 bytes, entry*   length: of all entries
//! entry := version u64, length u32, record                                numbers little-endian
//! ```
//!
//! Once its entries are rows the log begins again at its start, over what is there: that spares
//! the file system from finding space anew. What remains behind the last frame is told by its
//! versions, which are those of rows or lower than the ones before.
//!
//! A crash in the middle of a write leaves a frame that is not whole. It was acknowledged to
//! nobody, so the log ends before it. If whole newer frames stand behind it, it is no crash but
//! damage, which is an error.

use std::io;

use redb::StorageBackend;
use sha2::{Digest as _, Sha256};

const MAGIC: [u8; 4] = *b"mfl\x01";
const HEAD: usize = 32;
/// So much of the log is looked through at once.
const WINDOW: u64 = 1 << 20;
/// Version and length of an entry.
const ENTRY: usize = 12;

/// Where a record is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    offset: u64,
    length: u32,
}

/// The open log.
#[derive(Debug)]
pub(super) struct Log {
    file: Box<dyn StorageBackend>,
    /// The store's: tells its frames from those of another store.
    seed: u64,
    /// The last version that is in rows.
    base: u64,
    /// Where the next frame begins.
    end: u64,
    /// A write failed: something of it may stand at the end.
    spoilt: bool,
    frame: Vec<u8>,
}

impl Log {
    /// The log in this file, of a store with this seed whose rows hold all up to `base`. Entries
    /// above are handed to `take` in order. The error says what is damaged.
    pub fn open(
        file: Box<dyn StorageBackend>,
        seed: u64,
        base: u64,
        take: &mut dyn FnMut(u64, &[u8]) -> Result<(), String>,
    ) -> Result<Self, String> {
        let mut log = Self {
            file,
            seed,
            base,
            end: 0,
            spoilt: false,
            frame: Vec::new(),
        };
        let text = |error: io::Error| error.to_string();
        let length = log.file.len().map_err(text)?;
        let mut last = base;
        while let Some(frame) = log.frame_at(log.end, length).map_err(text)? {
            if frame.seed != seed {
                return Err("its log is that of another store".into());
            }
            if frame.base > base {
                return Err("its log goes on from a later state than its rows are of".into());
            }
            if frame.last() <= Some(last) {
                // Of before the last fold.
                break;
            }
            for (version, record) in frame.iter() {
                take(version, record)?;
                last = version;
            }
            log.end += HEAD as u64 + frame.entries.len() as u64;
        }
        log.nothing_after(last, length)?;
        if log.end > 0 {
            // What a process wrote that was killed before its sync may be in the system's memory
            // only, and is believed from here on.
            log.file.sync_data().map_err(text)?;
        }
        Ok(log)
    }

    /// A log in this file, whatever is there.
    pub fn anew(file: Box<dyn StorageBackend>, seed: u64, base: u64) -> io::Result<Self> {
        file.set_len(0)?;
        Ok(Self {
            file,
            seed,
            base,
            end: 0,
            spoilt: false,
            frame: Vec::new(),
        })
    }

    /// Refuses a log with whole frames that nobody would read.
    fn nothing_after(&self, last: u64, length: u64) -> Result<(), String> {
        let text = |error: io::Error| error.to_string();
        let mut window = Vec::new();
        let mut at = self.end;
        while at + MAGIC.len() as u64 <= length {
            window.resize((length - at).min(WINDOW) as usize, 0);
            self.file.read(at, &mut window).map_err(text)?;
            for (offset, magic) in window.windows(MAGIC.len()).enumerate() {
                if magic != MAGIC {
                    continue;
                }
                let frame = self.frame_at(at + offset as u64, length).map_err(text)?;
                if frame.is_some_and(|frame| frame.seed == self.seed && frame.last() > Some(last)) {
                    return Err("a part of its log cannot be read".into());
                }
            }
            // The next window begins with what may be the first bytes of a frame here.
            at += (window.len() - MAGIC.len() + 1) as u64;
        }
        Ok(())
    }

    /// The whole frame at an offset, if there is one.
    fn frame_at(&self, at: u64, length: u64) -> io::Result<Option<Frame>> {
        if at + HEAD as u64 > length {
            return Ok(None);
        }
        let mut head = [0; HEAD];
        self.file.read(at, &mut head)?;
        let size = u64::from(u32::from_le_bytes(part(&head, 4)));
        if head[..4] != MAGIC || at + HEAD as u64 + size > length {
            return Ok(None);
        }
        let mut entries = vec![0; size as usize];
        self.file.read(at + HEAD as u64, &mut entries)?;
        let seed = u64::from_le_bytes(part(&head, 8));
        let base = u64::from_le_bytes(part(&head, 16));
        if check(seed, base, &entries) != part::<8>(&head, 24) {
            return Ok(None);
        }
        let frame = Frame {
            seed,
            base,
            entries,
        };
        Ok(Some(frame))
    }

    /// Writes records durably, all or none. Versions grow.
    pub fn append(&mut self, records: &[(u64, Vec<u8>)]) -> io::Result<()> {
        self.erase()?;
        let frame = &mut self.frame;
        frame.clear();
        frame.resize(HEAD, 0);
        for (version, record) in records {
            frame.extend_from_slice(&version.to_le_bytes());
            frame.extend_from_slice(&(record.len() as u32).to_le_bytes());
            frame.extend_from_slice(record);
        }
        let (head, entries) = frame.split_at_mut(HEAD);
        let size = u32::try_from(entries.len())
            .map_err(|_| io::Error::other("one commit is larger than 4 GB"))?;
        head[..4].copy_from_slice(&MAGIC);
        head[4..8].copy_from_slice(&size.to_le_bytes());
        head[8..16].copy_from_slice(&self.seed.to_le_bytes());
        head[16..24].copy_from_slice(&self.base.to_le_bytes());
        head[24..].copy_from_slice(&check(self.seed, self.base, entries));
        let end = self.end + frame.len() as u64;
        self.spoilt = true;
        self.file.write(self.end, frame)?;
        self.file.sync_data()?;
        self.spoilt = false;
        self.end = end;
        // One that was large is not kept.
        self.frame.shrink_to(1 << 20);
        Ok(())
    }

    /// Takes back what a failed write may have left, so that it does not come back.
    pub fn erase(&mut self) -> io::Result<()> {
        if self.spoilt {
            let left = self.file.len()?.saturating_sub(self.end);
            let nothing = [0; HEAD];
            let nothing = &nothing[..HEAD.min(left as usize)];
            self.file.write(self.end, nothing)?;
            self.file.sync_data()?;
            self.spoilt = false;
        }
        Ok(())
    }

    /// All entries up to `base` are in rows now: begins anew.
    pub fn folded(&mut self, base: u64) {
        self.base = base;
        self.end = 0;
    }

    /// Gives back the space of a log whose entries are all in rows.
    pub fn shrink(&mut self) -> io::Result<()> {
        self.file.set_len(self.end)
    }

    /// Walks over all entries since the last fold, with the place of each.
    pub fn walk(
        &self,
        take: &mut dyn FnMut(u64, Place, &[u8]) -> Result<(), redb::Error>,
    ) -> Result<(), redb::Error> {
        let mut at = 0;
        while at < self.end {
            let frame = self.frame_at(at, self.end)?;
            let frame = frame.ok_or_else(|| {
                redb::Error::Corrupted("the log does not read as it was written".into())
            })?;
            let start = at + HEAD as u64;
            let mut offset = start;
            for (version, record) in frame.iter() {
                let place = Place {
                    offset: offset + ENTRY as u64,
                    length: record.len() as u32,
                };
                take(version, place, record)?;
                offset = place.offset + record.len() as u64;
            }
            at = start + frame.entries.len() as u64;
        }
        Ok(())
    }

    /// The record at a place.
    pub fn read(&self, place: Place, record: &mut Vec<u8>) -> io::Result<()> {
        record.clear();
        record.resize(place.length as usize, 0);
        self.file.read(place.offset, record)
    }
}

/// A frame as read.
struct Frame {
    seed: u64,
    base: u64,
    entries: Vec<u8>,
}

impl Frame {
    fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut rest = self.entries.as_slice();
        std::iter::from_fn(move || {
            let (head, after) = rest.split_first_chunk::<ENTRY>()?;
            let length = u32::from_le_bytes(part(head, 8)) as usize;
            let (record, after) = after.split_at_checked(length)?;
            rest = after;
            Some((u64::from_le_bytes(part(head, 0)), record))
        })
    }

    fn last(&self) -> Option<u64> {
        self.iter().last().map(|(version, _)| version)
    }
}

fn check(seed: u64, base: u64, entries: &[u8]) -> [u8; 8] {
    let hash = Sha256::new_with_prefix(seed.to_le_bytes())
        .chain_update(base.to_le_bytes())
        .chain_update(entries)
        .finalize();
    part(&hash, 0)
}

/// Some bytes of more, of a length that is known.
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}
