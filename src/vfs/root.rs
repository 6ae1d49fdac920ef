//! The folder that nothing is read outside of.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::disk::clean;
use super::{Disk, FileKind, ReadError, natural_cmp};

/// A project's folder, as a real path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    path: PathBuf,
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
        Ok(Self { path })
    }

    /// The real path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path relative to the root with `/` between its parts, for people; the whole path if it
    /// is not inside.
    pub fn display(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.path).unwrap_or(path);
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

    /// The files that the pattern `spelled` names, relative to the folder `from`, as real paths in
    /// natural order of their spelling, each once. `*`, `?` and `[…]` stand for parts of one name;
    /// names that start with a dot are only met by a pattern that does. Without any of these it
    /// is [`Root::resolve`]. Folders that were looked into, and paths that lead over a link (which may
    /// come to lead elsewhere), are added to `visited`, so that they can be watched.
    pub fn glob(
        &self,
        disk: &dyn Disk,
        from: &Path,
        spelled: &str,
        visited: &mut Vec<PathBuf>,
    ) -> Result<Vec<PathBuf>, ReadError> {
        if !is_pattern(spelled) {
            let real = self.resolve(disk, from, spelled)?;
            let path = clean(&from.join(spelled));
            visited.extend((path != real).then_some(path));
            return Ok(vec![real]);
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
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none();
            if !is_pattern(part) {
                found = found
                    .iter()
                    .map(|folder| clean(&folder.join(part)))
                    .collect();
                continue;
            }
            let pattern = glob::Pattern::new(part).map_err(|error| ReadError::Pattern {
                pattern: spelled.to_owned(),
                reason: error.msg.to_owned(),
            })?;
            let mut next = Vec::new();
            for folder in found {
                next.extend(self.matching(disk, &folder, &pattern, last, visited)?);
            }
            found = next;
        }
        let mut real = Vec::new();
        let mut seen = HashSet::new();
        for path in found {
            // A name without a pattern after one need not exist everywhere.
            if disk.kind(&path).is_err() {
                continue;
            }
            let found = self.resolve(disk, &path, "")?;
            visited.extend((path != found).then_some(path));
            if seen.insert(found.clone()) {
                real.push(found);
            }
        }
        Ok(real)
    }

    /// The paths in `folder` whose names match: files if `last`, folders otherwise.
    fn matching(
        &self,
        disk: &dyn Disk,
        folder: &Path,
        pattern: &glob::Pattern,
        last: bool,
        visited: &mut Vec<PathBuf>,
    ) -> Result<Vec<PathBuf>, ReadError> {
        visited.push(folder.to_owned());
        // A folder that is not there holds nothing, but may come.
        if !matches!(disk.kind(folder), Ok(FileKind::Folder)) {
            return Ok(Vec::new());
        }
        let real = self.resolve(disk, folder, "")?;
        let listed = disk
            .list(&real)
            .map_err(|error| ReadError::io(folder, &error))?;
        let options = glob::MatchOptions {
            require_literal_leading_dot: true,
            ..Default::default()
        };
        let wanted = if last {
            FileKind::File
        } else {
            FileKind::Folder
        };
        let mut names: Vec<String> = listed
            .iter()
            .filter_map(|path| path.file_name()?.to_str().map(str::to_owned))
            .filter(|name| pattern.matches_with(name, options))
            // What cannot be looked at is kept, so that reading it says why.
            .filter(|name| {
                disk.kind(&folder.join(name))
                    .map_or(last, |kind| kind == wanted)
            })
            .collect();
        names.sort_by(|a, b| natural_cmp(a, b));
        Ok(names.into_iter().map(|name| folder.join(name)).collect())
    }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}
