//! The texts that were read.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use sha2::{Digest as _, Sha256};

use super::{Disk, FileKind, Root};
use crate::diag::codes::{language, limits, syntax};
use crate::diag::{Code, FileId, Place, Span};

/// Bounds on what is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one file (MF9001).
    pub file: u64,
    /// Bytes of all files together (MF9002).
    pub project: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file: 16 << 20,
            project: 256 << 20,
        }
    }
}

/// SHA-256 of a file's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Why a text cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Nothing there.
    #[error("no file at `{}`", path.display())]
    Missing {
        /// What was tried.
        path: PathBuf,
    },
    /// A link whose target is not there.
    #[error("`{}` is a link that leads nowhere", path.display())]
    Dangling {
        /// The link.
        path: PathBuf,
    },
    /// The real path is not in the root.
    #[error("`{}` leads to `{}`, which is outside the project `{}`", path.display(), real.display(), root.display())]
    Outside {
        /// What was tried.
        path: PathBuf,
        /// Where it leads.
        real: PathBuf,
        /// The project's folder.
        root: PathBuf,
    },
    /// A folder where a file was expected.
    #[error("`{}` is a folder; name a file, or `{}/*.kdl` for the files in it", path.display(), path.display())]
    Folder {
        /// What was tried.
        path: PathBuf,
    },
    /// A device, socket or pipe.
    #[error("`{}` is not a regular file", path.display())]
    NotAFile {
        /// What was tried.
        path: PathBuf,
    },
    /// Bytes that are no UTF-8.
    #[error("`{}` is not UTF-8: byte {offset} begins no character; save it as UTF-8", path.display())]
    NotUtf8 {
        /// Which file.
        path: PathBuf,
        /// Offset of the first bad byte.
        offset: usize,
    },
    /// The file is larger than allowed.
    #[error("`{}` is larger than {limit} bytes; split it", path.display())]
    FileTooLarge {
        /// Which file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// All files together are larger than allowed.
    #[error("the project's files are larger than {limit} bytes together, with `{}`", path.display())]
    ProjectTooLarge {
        /// The file that was too much.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// The system refuses.
    #[error("`{}` cannot be read: {reason}", path.display())]
    Unreadable {
        /// What was tried.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A pattern that is none.
    #[error("`{pattern}` is no pattern: {reason}")]
    Pattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ReadError {
    /// What the system's word for reading `path` means.
    pub fn io(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing { path },
            io::ErrorKind::IsADirectory => Self::Folder { path },
            _ => Self::Unreadable {
                path,
                reason: error.to_string(),
            },
        }
    }

    /// The rule that it is reported under.
    pub fn code(&self) -> Code {
        match self {
            Self::NotUtf8 { .. } => syntax::NOT_UTF8,
            Self::FileTooLarge { .. } => limits::FILE_SIZE,
            Self::ProjectTooLarge { .. } => limits::PROJECT_SIZE,
            Self::Missing { .. }
            | Self::Dangling { .. }
            | Self::Outside { .. }
            | Self::Folder { .. }
            | Self::NotAFile { .. }
            | Self::Unreadable { .. }
            | Self::Pattern { .. } => language::IMPORT,
        }
    }
}

/// A text and where it is from.
#[derive(Debug, Clone)]
pub struct File {
    /// For people: relative to the root, with `/`.
    pub path: String,
    /// On the disk; empty for texts that are not from there.
    pub real: PathBuf,
    /// The text.
    pub text: Arc<str>,
    digest: OnceLock<Digest>,
    lines: OnceLock<Arc<[u32]>>,
}

impl File {
    /// Of the bytes; made when somebody asks, for it costs as much as a third of reading the text.
    pub fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| Digest::of(self.text.as_bytes()))
    }

    /// Offsets at which lines start, the first of them 0. A line ends at LF, CR or CR LF.
    pub fn lines(&self) -> &[u32] {
        self.lines.get_or_init(|| line_starts(&self.text))
    }

    /// Line and column of an offset, both from 1, the column in code points.
    pub fn line_col(&self, offset: u32) -> (u32, u32) {
        let lines = self.lines();
        let mut at = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let line = lines.partition_point(|start| *start as usize <= at).max(1);
        let start = lines[line - 1] as usize;
        let column = self.text[start..at].chars().count() + 1;
        (line as u32, column as u32)
    }
}

fn line_starts(text: &str) -> Arc<[u32]> {
    let bytes = text.as_bytes();
    let mut starts = vec![0];
    for (index, byte) in bytes.iter().enumerate() {
        let ends = match byte {
            b'\n' => true,
            b'\r' => bytes.get(index + 1) != Some(&b'\n'),
            _ => false,
        };
        if ends {
            starts.push(index as u32 + 1);
        }
    }
    starts.into()
}

/// All texts of one evaluation, by id. Cheap to copy: texts are shared.
#[derive(Debug, Clone, Default)]
pub struct Files {
    all: Vec<File>,
    /// Only ever asked for single paths.
    by_path: HashMap<PathBuf, FileId>,
    bytes: u64,
}

impl Files {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the file at the real path `real`, once: a second time gives the same id.
    pub fn load(
        &mut self,
        disk: &dyn Disk,
        root: &Root,
        real: &Path,
        limits: &Limits,
    ) -> Result<FileId, ReadError> {
        if let Some(id) = self.find(real) {
            return Ok(id);
        }
        let path = || real.to_owned();
        match disk
            .kind(real)
            .map_err(|error| ReadError::io(real, &error))?
        {
            FileKind::File => {}
            FileKind::Folder => return Err(ReadError::Folder { path: path() }),
            FileKind::Other => return Err(ReadError::NotAFile { path: path() }),
        }
        let bytes = disk
            .read(real, limits.file)
            .map_err(|error| ReadError::io(real, &error))?;
        let size = bytes.len() as u64;
        if size > limits.file {
            return Err(ReadError::FileTooLarge {
                path: path(),
                limit: limits.file,
            });
        }
        if self.bytes + size > limits.project {
            return Err(ReadError::ProjectTooLarge {
                path: path(),
                limit: limits.project,
            });
        }
        let text = String::from_utf8(bytes).map_err(|error| ReadError::NotUtf8 {
            path: path(),
            offset: error.utf8_error().valid_up_to(),
        })?;
        Ok(self.push(root.display(real), path(), text.into()))
    }

    /// Adds a text that is not from the disk, such as one given on the command line.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<Arc<str>>) -> FileId {
        self.push(path.into(), PathBuf::new(), text.into())
    }

    fn push(&mut self, path: String, real: PathBuf, text: Arc<str>) -> FileId {
        self.bytes += text.len() as u64;
        let id = FileId(self.all.len() as u32);
        if !real.as_os_str().is_empty() {
            self.by_path.insert(real.clone(), id);
        }
        self.all.push(File {
            path,
            real,
            text,
            digest: OnceLock::new(),
            lines: OnceLock::new(),
        });
        id
    }

    /// The id of the file at a real path, if it was read.
    pub fn find(&self, real: &Path) -> Option<FileId> {
        self.by_path.get(real).copied()
    }

    /// A file.
    ///
    /// # Panics
    /// If `id` is from other files.
    pub fn get(&self, id: FileId) -> &File {
        &self.all[id.0 as usize]
    }

    /// A file's path for people.
    pub fn path(&self, id: FileId) -> &str {
        &self.get(id).path
    }

    /// A file's text.
    pub fn text(&self, id: FileId) -> &Arc<str> {
        &self.get(id).text
    }

    /// Keeps an equal text that is there already in the place of a file's own, so that a file that
    /// did not change is not kept twice. Does nothing if they differ.
    pub fn share(&mut self, id: FileId, text: &Arc<str>) {
        let file = &mut self.all[id.0 as usize];
        if *file.text == **text {
            file.text = Arc::clone(text);
        }
    }

    /// The digest of a file's bytes.
    pub fn digest(&self, id: FileId) -> Digest {
        self.get(id).digest()
    }

    /// Line and column at which a place starts, both from 1, the column in code points.
    pub fn line_col(&self, place: Place) -> (u32, u32) {
        self.get(place.file).line_col(place.span.start)
    }

    /// The text at a place, empty if it is not one of the file.
    pub fn str(&self, place: Place) -> &str {
        self.get(place.file)
            .text
            .get(place.span.range())
            .unwrap_or_default()
    }

    /// The whole of a file, as a place.
    pub fn whole(&self, id: FileId) -> Place {
        Span::new(0, self.get(id).text.len() as u32).in_file(id)
    }

    /// All files in the order of their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (FileId, &File)> {
        self.all
            .iter()
            .enumerate()
            .map(|(index, file)| (FileId(index as u32), file))
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}
