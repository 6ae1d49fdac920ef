//! MF2xxx: the language.

use super::Entry;
use crate::diag::Code;

/// An import that cannot be had.
pub const IMPORT: Code = Code(2207);

/// The rules of this thousand, in the order of their codes.
pub(super) const ENTRIES: &[Entry] = &[];
