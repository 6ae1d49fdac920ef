//! MF6xxx: hygiene.
//!
//! The examples are evaluated by a test: each bad one has this finding, each good one has none.

use super::Entry;
use crate::diag::{Code, Severity};

/// The rules of this thousand, in the order of their codes.
pub(super) const ENTRIES: &[Entry] = &[Entry {
    code: Code(6006),
    slug: "commented-out",
    severity: Severity::Warning,
    summary: "A host, rack, group or pool that is commented out",
    why: "`/-` takes the whole node away, as if it had been deleted: a machine that was deployed would be deprovisioned. That is rarely what somebody means who comments out a few lines. A host of which another declaration stands is none of these.",
    bad: "host n1\n/-host n2\n",
    good: "host n1\nhost n2\n",
    fix: "Take the `/-` away, or delete the node if its machines are to go. The fix takes it away.",
}];
