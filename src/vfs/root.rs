//! The folder that nothing is read outside of.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::disk::{clean, is_absent};
use super::{Disk, FileKind, ReadError, natural_cmp};

/// A project's folder, as a real path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    path: PathBuf,
    /// Where Kubernetes mounts a volume: the folder inside that `..data` leads to now, and that
    /// the names in the root are links into.
    data: Option<PathBuf>,
}

impl Root {
    /// The folder `path`, or the folder of the file `path`.
    pub fn open(disk: &dyn Disk, path: &Path) -> Result<Self, ReadError> {
        let kind = disk
            .kind(path)
            .map_err(|error| ReadError::io(path, &error))?;
        let folder = match (kind, path.parent()) {
            (FileKind::Folder, _) | (_, None) => path,
            (_, Some(parent)) if parent.as_os_str().is_empty() => Path::new("."),
            (_, Some(parent)) => parent,
        };
        let path = disk
            .canonical(folder)
            .map_err(|error| ReadError::io(folder, &error))?;
        let data = disk.canonical(&path.join("..data")).ok();
        let data = data.filter(|data| data.starts_with(&path));
        Ok(Self { path, data })
    }

    /// The real path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path relative to the root with `/` between its parts, for people; the whole path if it
    /// is not inside. In a mounted volume files are shown by the names that stay when the volume
    /// is replaced.
    pub fn display(&self, path: &Path) -> String {
        let inside = self
            .data
            .iter()
            .chain([&self.path])
            .find_map(|folder| path.strip_prefix(folder).ok())
            .unwrap_or(path);
        let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
        if inside.has_root() {
            parts.join("/").replacen("//", "/", 1)
        } else {
            parts.join("/")
        }
    }

    /// The real path of `spelled`, which is relative to the folder `from`. It has to exist and to
    /// be inside the root after links are followed.
    pub fn resolve(
        &self,
        disk: &dyn Disk,
        from: &Path,
        spelled: &str,
    ) -> Result<PathBuf, ReadError> {
        let path = clean(&from.join(spelled));
        let real = disk
            .canonical(&path)
            .map_err(|error| ReadError::io(&path, &error))?;
        if real.starts_with(&self.path) {
            Ok(real)
        } else {
            Err(ReadError::Outside {
                path,
                real,
                root: self.path.clone(),
            })
        }
    }

    /// The files that the pattern `spelled` names, relative to the folder `from`. `*`, `?` and `[…]`
    /// stand for parts of one name; names that start with a dot are only met by a pattern that
    /// does. Without any of these it is [`Root::resolve`].
    pub fn glob(&self, disk: &dyn Disk, from: &Path, spelled: &str) -> Globbed {
        let mut search = Search {
            root: self,
            disk,
            globbed: Globbed::default(),
            seen: HashSet::new(),
        };
        if !is_pattern(spelled) {
            search.take(clean(&from.join(spelled)));
            return search.globbed;
        }
        let mut found = vec![if spelled.starts_with('/') {
            PathBuf::from("/")
        } else {
            from.to_owned()
        }];
        let mut parts = spelled
            .split('/')
            .filter(|part| !part.is_empty())
            .peekable();
        let mut first = true;
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none();
            if !is_pattern(part) {
                let paths = found.iter().map(|folder| clean(&folder.join(part)));
                // Before a pattern there is one path only; whoever looks into it says what it is.
                found = if first {
                    paths.collect()
                } else {
                    paths.filter(|path| search.is_there(path)).collect()
                };
                continue;
            }
            first = false;
            match glob::Pattern::new(part) {
                Ok(pattern) => {
                    found = found
                        .iter()
                        .flat_map(|folder| search.matching(folder, &pattern, last))
                        .collect();
                }
                Err(error) => {
                    search.globbed.errors.push(ReadError::Pattern {
                        pattern: spelled.to_owned(),
                        reason: error.msg.to_owned(),
                    });
                    return search.globbed;
                }
            }
        }
        for path in found {
            search.take(path);
        }
        search.globbed
    }
}

/// What a pattern names.
#[derive(Debug, Default)]
pub struct Globbed {
    /// Real paths in natural order of their spelling, each once.
    pub files: Vec<PathBuf>,
    /// What may be a file that is meant, and cannot be had.
    pub errors: Vec<ReadError>,
    /// What has to be watched besides the files: folders that were looked into, links, and names
    /// that are not there yet.
    pub visited: Vec<PathBuf>,
}

/// A search for the files that a pattern names. What is not there is passed over; what is there and
/// cannot be looked at is an error, for what it would have held is not known.
struct Search<'a> {
    root: &'a Root,
    disk: &'a dyn Disk,
    globbed: Globbed,
    seen: HashSet<PathBuf>,
}

impl Search<'_> {
    /// What is at a path, `None` if nothing is.
    fn look(&self, path: &Path) -> Result<Option<FileKind>, ReadError> {
        match self.disk.kind(path) {
            Ok(kind) => Ok(Some(kind)),
            Err(error) if is_absent(&error) => match self.disk.is_link(path) {
                Ok(false) => Ok(None),
                Ok(true) => Err(ReadError::Dangling {
                    path: path.to_owned(),
                }),
                Err(error) => Err(ReadError::io(path, &error)),
            },
            Err(error) => Err(ReadError::io(path, &error)),
        }
    }

    /// The same; an error is noted. What is not there, or not yet, is watched.
    fn noted(&mut self, path: &Path) -> Option<FileKind> {
        let looked = self.look(path);
        if !matches!(looked, Ok(Some(_))) {
            self.globbed.visited.push(path.to_owned());
        }
        looked.unwrap_or_else(|error| {
            self.globbed.errors.push(error);
            None
        })
    }

    /// A name without a pattern after one need not exist everywhere.
    fn is_there(&mut self, path: &Path) -> bool {
        self.noted(path).is_some()
    }

    /// Adds a file by its real path.
    fn take(&mut self, path: PathBuf) {
        let real = self.look(&path).and_then(|kind| match kind {
            Some(_) => self.root.resolve(self.disk, &path, ""),
            None => Err(ReadError::Missing { path: path.clone() }),
        });
        match real {
            Ok(real) => {
                // A link may come to lead elsewhere.
                if real != path {
                    self.globbed.visited.push(path);
                }
                if self.seen.insert(real.clone()) {
                    self.globbed.files.push(real);
                }
            }
            Err(error) => {
                self.globbed.visited.push(path);
                self.globbed.errors.push(error);
            }
        }
    }

    /// The paths in `folder` whose names match: folders, or all but folders if `last`.
    fn matching(&mut self, folder: &Path, pattern: &glob::Pattern, last: bool) -> Vec<PathBuf> {
        // A folder that is not there holds nothing, but may come.
        if self.noted(folder) != Some(FileKind::Folder) {
            return Vec::new();
        }
        self.globbed.visited.push(folder.to_owned());
        let listed = self
            .root
            .resolve(self.disk, folder, "")
            .and_then(|real| {
                self.disk
                    .list(&real)
                    .map_err(|error| ReadError::io(folder, &error))
            })
            .unwrap_or_else(|error| {
                self.globbed.errors.push(error);
                Vec::new()
            });
        let options = glob::MatchOptions {
            require_literal_leading_dot: true,
            ..Default::default()
        };
        let mut found: Vec<(String, PathBuf)> = Vec::new();
        for name in listed.iter().filter_map(|path| path.file_name()) {
            let path = folder.join(name);
            let shown = name.to_string_lossy().into_owned();
            if !pattern.matches_with(&shown, options) {
                continue;
            }
            if name.to_str().is_none() {
                self.globbed.errors.push(ReadError::Unreadable {
                    path,
                    reason: "its name is not UTF-8; rename it".to_owned(),
                });
                continue;
            }
            let Some(kind) = self.noted(&path) else {
                continue;
            };
            // What is neither file nor folder is kept, so that reading it says why it cannot be.
            if (kind == FileKind::Folder) != last {
                found.push((shown, path));
            }
        }
        found.sort_by(|(a, _), (b, _)| natural_cmp(a, b));
        found.into_iter().map(|(_, path)| path).collect()
    }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}
