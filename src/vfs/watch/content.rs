//! What is at a path: its bytes, its names, or what the system says without reading.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use crate::vfs::{Digest, Disk, RealDisk};

/// What is known of a path's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// A file's bytes, or a folder's names.
    Known(Digest),
    /// Nothing there, or nothing that can be read.
    Absent,
}

/// What the system says about a path without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    /// What tells it from another one of the same name.
    pub identity: (u64, u64),
}

/// Reads it, a folder's names included.
pub(super) fn content(path: &Path) -> Content {
    /// Larger files are refused when they are read; a prefix tells them apart well enough.
    const MOST: u64 = 32 << 20;
    let read = || -> std::io::Result<Digest> {
        if fs::metadata(path)?.is_dir() {
            let mut names: Vec<_> = fs::read_dir(path)?
                .map(|entry| entry.map(|entry| entry.file_name()))
                .collect::<Result<_, _>>()?;
            names.sort();
            let mut list = Vec::new();
            for name in names {
                list.extend_from_slice(name.as_encoded_bytes());
                list.push(0);
            }
            return Ok(Digest::of(&list));
        }
        Disk::read(&RealDisk, path, MOST).map(|bytes| Digest::of(&bytes))
    };
    read().map_or(Content::Absent, Content::Known)
}

/// What the system says of it now.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let data = fs::metadata(path).ok()?;
    Some(Stamp {
        modified: data.modified().ok(),
        len: data.len(),
        identity: identity(&data),
    })
}

/// What tells a folder from another of the same name.
#[cfg(unix)]
fn identity(data: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (data.dev(), data.ino())
}

/// What tells a folder from another of the same name.
#[cfg(not(unix))]
fn identity(data: &fs::Metadata) -> (u64, u64) {
    let created = data
        .created()
        .ok()
        .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    (0, created.map_or(0, |time| time.as_nanos() as u64))
}
