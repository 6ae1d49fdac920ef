//! Where a value is written.

use crate::diag::{FileId, Place, Span};
use crate::vfs::Files;

/// A place in a file of the spec: that of the winner, for a merged value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// The file.
    pub file: FileId,
    /// The bytes.
    pub span: Span,
}

impl Origin {
    /// The same as a place for a label.
    pub fn place(self) -> Place {
        Place {
            file: self.file,
            span: self.span,
        }
    }

    /// `racks/r01.kdl:28`: path relative to the root and line, as annotations and `explain` show
    /// it.
    pub fn show(self, files: &Files) -> String {
        let (line, _) = files.line_col(self.place());
        format!("{}:{line}", files.path(self.file))
    }
}

impl From<Place> for Origin {
    fn from(place: Place) -> Self {
        Self {
            file: place.file,
            span: place.span,
        }
    }
}
