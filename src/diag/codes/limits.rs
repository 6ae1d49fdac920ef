//! MF9xxx: limits. Each finding names the number that was exceeded.

use super::Entry;
use crate::diag::{Code, Severity};

/// A file is larger than allowed.
pub const FILE_SIZE: Code = Code(9001);
/// The project's files are larger than allowed together.
pub const PROJECT_SIZE: Code = Code(9002);
/// More hosts than allowed.
pub const INSTANCES: Code = Code(9003);
/// A range names more hosts than allowed.
pub const RANGE: Code = Code(9004);
/// A string is longer than allowed.
pub const STRING: Code = Code(9005);
/// Profiles, `let`s or imports are nested deeper than allowed.
pub const NESTING: Code = Code(9006);
/// More findings than are shown.
pub const DIAGNOSTICS: Code = Code(9007);

/// The rules of this thousand, in the order of their codes.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: FILE_SIZE,
        slug: "file-size",
        severity: Severity::Error,
        summary: "A file is larger than allowed",
        why: "A file of more than 16 MiB is hardly written by hand; reading it would cost \
               everybody who opens the project.",
        bad: "",
        good: "",
        fix: "Split it, and import the parts.",
    },
    Entry {
        code: PROJECT_SIZE,
        slug: "project-size",
        severity: Severity::Error,
        summary: "The project's files are larger than allowed together",
        why: "All files together may have 256 MiB.",
        bad: "",
        good: "",
        fix: "Use ranges and profiles instead of one block a host.",
    },
    Entry {
        code: INSTANCES,
        slug: "instance-count",
        severity: Severity::Error,
        summary: "More hosts than allowed",
        why: "A fleet may have 100,000 hosts; more is usually a range that is too long.",
        bad: "",
        good: "",
        fix: "Check the ranges, or split the fleet.",
    },
    Entry {
        code: RANGE,
        slug: "range-size",
        severity: Severity::Error,
        summary: "A range names more hosts than allowed",
        why: "One range may stand for 65,536 names; a billion would only be found out when the \
               memory is gone.",
        bad: "",
        good: "",
        fix: "Check the bounds of the range.",
    },
    Entry {
        code: STRING,
        slug: "string-size",
        severity: Severity::Error,
        summary: "A string is longer than allowed",
        why: "Strings may have 64 KiB. Longer texts belong into a secret or a file of their own, \
               where they are not copied into every host.",
        bad: "",
        good: "",
        fix: "Keep the text elsewhere and refer to it.",
    },
    Entry {
        code: NESTING,
        slug: "definition-nesting",
        severity: Severity::Error,
        summary: "Profiles, `let`s or imports are nested deeper than allowed",
        why: "Profiles may use each other 16 deep, `let`s may read one another 64 deep, imports may \
               follow one another 32 deep.",
        bad: "",
        good: "",
        fix: "Flatten them.",
    },
    Entry {
        code: DIAGNOSTICS,
        slug: "too-many-findings",
        severity: Severity::Error,
        summary: "More findings than are shown",
        why: "After 1,000 findings in a file the rest is not shown; they hardly help any more.",
        bad: "",
        good: "",
        fix: "Correct the first ones and check again.",
    },
];
