//! MF3xxx: hosts.

use super::Entry;

/// The rules of this thousand, in the order of their codes.
pub(super) const ENTRIES: &[Entry] = &[];
