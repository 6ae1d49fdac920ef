//! What is said about files that cannot be had, or that say nothing.

use std::path::Path;

use super::{Diagnostic, FileId, Loader, Place, ReadError, Span};
use crate::diag::codes::language;
use crate::diag::{Applicability, Fix};

impl Loader<'_> {
    /// A file of an import that cannot be had.
    pub(super) fn cannot_import(&mut self, spelled: &str, place: Place, error: &ReadError) {
        self.project.complete = false;
        let finding = self.trouble(spelled, place, error);
        self.findings.add(match error {
            ReadError::Folder { .. } => finding.fix(Fix::replace(
                "import the files in it",
                Applicability::Unsafe,
                place,
                format!("\"{}/*.kdl\"", spelled.trim_end_matches('/')),
            )),
            _ => finding,
        });
    }

    /// A file that is no part of the spec's text (a table, a script) and cannot be had.
    pub(super) fn cannot_read(&mut self, spelled: &str, place: Place, error: &ReadError) {
        self.project.complete = false;
        let finding = self.trouble(spelled, place, error);
        self.findings.add(finding);
    }

    /// What is said of it.
    fn trouble(&self, spelled: &str, place: Place, error: &ReadError) -> Diagnostic {
        let shown = |path: &Path| {
            if path.starts_with(self.root.path()) {
                self.root.display(path)
            } else {
                spelled.to_owned()
            }
        };
        let what = match error {
            ReadError::Missing { .. } => format!("no file at `{spelled}`"),
            ReadError::Dangling { path } => {
                format!("`{}` is a link that leads nowhere", shown(path))
            }
            ReadError::Outside { path, .. } => format!(
                "`{}` leads outside the project, and nothing there is read",
                shown(path)
            ),
            ReadError::Folder { .. } => format!("`{spelled}` is a folder"),
            ReadError::NotAFile { path } => format!("`{}` is not a regular file", shown(path)),
            ReadError::Unreadable { path, reason } => {
                format!("`{}` cannot be read: {reason}", shown(path))
            }
            other => other.to_string(),
        };
        let finding = Diagnostic::error(error.code(), what, place, "");
        match error {
            ReadError::Missing { path } => finding.note(format!("tried `{}`", shown(path))),
            ReadError::Dangling { .. } => finding.help("bring its target back, or delete the link"),
            ReadError::Outside { root, .. } => {
                let name = root
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned());
                finding.help(format!(
                    "move it into `{}`, the folder of the root file; links are followed first",
                    name.unwrap_or_default()
                ))
            }
            _ => finding,
        }
    }

    /// A file with nothing in it was cut off by a full disk or a save that goes on, more often than
    /// it is meant: what it said before is not taken back by it.
    pub(super) fn empty(&mut self, file: FileId, import: Option<Place>) {
        let text = self.project.files.text(file);
        if !text.trim_start_matches('\u{feff}').trim().is_empty() {
            return;
        }
        self.project.complete = false;
        let finding = Diagnostic::error(
            language::EMPTY_FILE,
            format!("`{}` is empty", self.project.files.path(file)),
            Span::point(0).in_file(file),
            "",
        )
        .help("delete the file, or leave a comment in it: `// no hosts yet`");
        self.findings.add(match import {
            Some(place) => finding.label(place, "imported here"),
            None => finding,
        });
    }

    /// MF2207: files that import each other.
    pub(super) fn cycle(&mut self, at: usize, import: Option<Place>) {
        let Some(place) = import else { return };
        let files = &self.project.files;
        let names: Vec<&str> = self.stack[at..]
            .iter()
            .map(|(file, _)| files.path(*file))
            .chain(std::iter::once(files.path(self.stack[at].0)))
            .collect();
        let mut finding = Diagnostic::error(
            language::IMPORT,
            format!("imports in a circle: {}", names.join(" -> ")),
            place,
            "this closes the circle",
        )
        .help("import order never matters: import both files from the root file");
        for (_, import) in &self.stack[at + 1..] {
            if let Some(import) = import {
                finding = finding.label(*import, "by way of this");
            }
        }
        self.findings.add(finding);
    }
}
