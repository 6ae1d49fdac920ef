//! MF4xxx: pools, images and Ironic.

use super::Entry;

/// The rules of this thousand, in the order of their codes.
pub(super) const ENTRIES: &[Entry] = &[];
