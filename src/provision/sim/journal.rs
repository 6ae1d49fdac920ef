//! What simulated machines remember: a file with one JSON line a change.
//!
//! A line is written before its effect is acknowledged, in one piece and without waiting for the
//! disk: it survives a kill of the process, not a power cut. Reading it from the top gives the
//! machines as they were; times in it are absolute, so that what was going on goes on while no
//! process is there. A last line without its end was not acknowledged and is dropped. Now and then
//! the file is written anew with one line a machine, beside the old one, and renamed.
//!
//! Nothing secret is in it: of credentials it keeps the version that the effect carried.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::machine;
use crate::api::Timestamp;

/// Version of the file's format.
const FORMAT: u32 = 1;
/// A file that is smaller is never written anew while it is open.
const SMALL: u64 = 4 << 20;
/// Written anew when it is this many times as large as it was after the last time.
const GROWTH: u64 = 4;

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all lines are the large one"
)]
pub(super) enum Line {
    /// The first one.
    Machines {
        /// See [`FORMAT`].
        format: u32,
        /// When these machines began: scripts count from here.
        began: Timestamp,
    },
    /// A machine as it is from here on.
    Machine(Entry),
    /// A rule that was given while the machines ran.
    Fault {
        /// Its text.
        rule: String,
        /// When it was given.
        at: Timestamp,
    },
    /// A rule that happens once has happened.
    Happened {
        /// Its id.
        rule: u64,
    },
}

/// A machine and what the simulation knows of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The name by which the hardware is known: MAC address or BMC address.
    pub rack: Arc<str>,
    /// Namespace of the host that it belongs, or belonged to.
    pub namespace: Arc<str>,
    /// Name of that host.
    pub host: Arc<str>,
    /// Digest of the settings.
    #[serde(default)]
    pub settings: u64,
    /// Digest of where its BMC is.
    #[serde(default)]
    pub place: u64,
    /// The inventory's ports are made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ports: bool,
    /// Effects that were accepted.
    #[serde(default)]
    pub orders: u32,
    /// Version of the credentials that were tried first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Arc<str>>,
    /// How often each counted rule struck.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub struck: Vec<(u64, u32)>,
    /// How often each task began.
    #[serde(default)]
    pub began: [u16; 7],
    /// The machine.
    pub machine: machine::Record,
}

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("{path}: cannot {verb}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What was tried.
        verb: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A line makes no sense.
    #[error(
        "{path}:{line}: {reason}; the file holds what the simulated machines remember: restore a \
         copy of it, or move it away and the machines start anew, empty"
    )]
    Corrupt {
        /// The file.
        path: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// It is of a newer metalform.
    #[error(
        "{path}: format {found} is newer than this metalform's ({FORMAT}); use the metalform that \
         wrote it, or move the file away and the simulated machines start anew, empty"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: u32,
    },
}

impl JournalError {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "MachinesUnreadable",
            Self::Corrupt { .. } => "MachinesCorrupt",
            Self::Newer { .. } => "MachinesNewer",
        }
    }
}

/// An open journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes that are good.
    length: u64,
    /// Bytes after it was last written anew.
    base: u64,
}

impl Journal {
    /// Opens or makes the file. Its lines, none when it is new, are to be read before anything is
    /// written, and what is good of them to be kept with [`Journal::keep`].
    pub fn open(path: &Path) -> Result<(Self, Lines), JournalError> {
        let failed = |verb| move |source| io_error(path, verb, source);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(failed("open"))?;
        let lines = Lines {
            path: path.to_owned(),
            file: io::BufReader::new(file.try_clone().map_err(failed("open"))?),
            line: 0,
            length: 0,
        };
        let journal = Self {
            path: path.to_owned(),
            file,
            length: 0,
            base: 0,
        };
        Ok((journal, lines))
    }

    /// Goes on behind the lines that were read.
    pub fn keep(&mut self, lines: &Lines) -> Result<(), JournalError> {
        (self.length, self.base) = (lines.length, lines.length);
        self.cut()
            .map_err(|source| io_error(&self.path, "cut", source))
    }

    /// Removes what is behind the good part.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(io::SeekFrom::Start(self.length)).map(drop)
    }

    /// Appends lines, all or none.
    pub fn append(&mut self, lines: &[Line]) -> Result<(), JournalError> {
        let bytes = encode(lines);
        let written = self.file.write_all(&bytes);
        if let Err(source) = written {
            // Half a line must not stand before the next one.
            self.cut().ok();
            return Err(io_error(&self.path, "write", source));
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// True when it has grown so much that it is worth writing anew.
    pub fn is_long(&self) -> bool {
        self.length > SMALL.max(self.base.saturating_mul(GROWTH))
    }

    /// Writes the file anew with these lines.
    pub fn rewrite(&mut self, lines: impl Iterator<Item = Line>) -> Result<(), JournalError> {
        let path = self.path.clone();
        let failed = |verb| move |source| io_error(&path, verb, source);
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut next = tempfile::Builder::new()
            .prefix(".machines-")
            .tempfile_in(folder)
            .map_err(failed.clone()("write anew"))?;
        let length = write(&mut next, lines).map_err(failed.clone()("write anew"))?;
        // The rename may reach the disk before the content does.
        next.as_file()
            .sync_data()
            .map_err(failed.clone()("write anew"))?;
        self.file = next
            .persist(&self.path)
            .map_err(|error| failed("write anew")(error.error))?;
        (self.length, self.base) = (length, length);
        Ok(())
    }
}

/// Writes lines one by one, for there are as many as machines, and says how many bytes they are.
fn write(to: &mut impl io::Write, lines: impl Iterator<Item = Line>) -> io::Result<u64> {
    let mut to = io::BufWriter::new(to);
    let mut length = 0;
    for line in lines {
        let bytes = encode(&[line]);
        to.write_all(&bytes)?;
        length += bytes.len() as u64;
    }
    to.flush()?;
    Ok(length)
}

fn io_error(path: &Path, verb: &'static str, source: io::Error) -> JournalError {
    JournalError::Io {
        path: path.display().to_string(),
        verb,
        source,
    }
}

fn encode(lines: &[Line]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(lines.len() * 512);
    for line in lines {
        serde_json::to_writer(&mut bytes, line).expect("plain fields are JSON");
        bytes.push(b'\n');
    }
    bytes
}

/// The lines of a journal, one by one, for there are as many as machines. A last one without its end
/// was never acknowledged and is none.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    file: io::BufReader<File>,
    /// How many were read.
    line: usize,
    /// How many bytes they are.
    length: u64,
}

impl Iterator for Lines {
    type Item = Result<Line, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut bytes = Vec::new();
        match self.file.read_until(b'\n', &mut bytes) {
            Ok(_) if bytes.last() == Some(&b'\n') => {}
            Ok(_) => return None,
            Err(source) => return Some(Err(io_error(&self.path, "read", source))),
        }
        self.line += 1;
        self.length += bytes.len() as u64;
        Some(self.read(&bytes))
    }
}

impl Lines {
    fn read(&self, bytes: &[u8]) -> Result<Line, JournalError> {
        let first = self.line == 1;
        let line = serde_json::from_slice(bytes)
            .map_err(|error| self.corrupt(format!("not readable ({error})")))?;
        match line {
            Line::Machines { format, .. } if first && format > FORMAT => Err(JournalError::Newer {
                path: self.path.display().to_string(),
                found: format,
            }),
            Line::Machines { .. } if !first => Err(self.corrupt("a second beginning")),
            Line::Machine(_) | Line::Fault { .. } | Line::Happened { .. } if first => {
                Err(self.corrupt("not a journal of machines"))
            }
            line => Ok(line),
        }
    }

    /// The line that was read last makes no sense.
    pub fn corrupt(&self, reason: impl Into<String>) -> JournalError {
        JournalError::Corrupt {
            path: self.path.display().to_string(),
            line: self.line,
            reason: reason.into(),
        }
    }
}

/// The first line of a journal.
pub(super) const fn first(began: Timestamp) -> Line {
    Line::Machines {
        format: FORMAT,
        began,
    }
}
