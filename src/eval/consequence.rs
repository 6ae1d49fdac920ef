//! What only follows from a declaration whose word is misspelt.
//!
//! `hots n1 { … }` is one mistake. That no host is called `n1`, that its pool has too few, is the
//! same one again, and the name nearest to it is another machine's.

use crate::diag::{Code, Diagnostic};

/// The words that declare something, and what is found where it is missing.
const LOST: &[(&[&str], &[u16])] = &[
    // Patterns, selectors and pools that find too few hosts; what no host uses.
    (
        &["host", "rack", "group"],
        &[2103, 2105, 2205, 2206, 4202, 4203, 4204],
    ),
    (&["profile"], &[2201]),
    (&["image"], &[4101]),
    (&["ironic"], &[4314]),
    (&["let", "param", "facts", "rack", "group"], &[2301]),
    // All of what stands in the other file.
    (
        &["import"],
        &[
            2103, 2105, 2201, 2205, 2206, 2301, 4101, 4202, 4203, 4204, 4314,
        ],
    ),
];

/// Takes out what follows from others. One who mends those sees all that is left.
pub(super) fn leave_out(findings: &mut Vec<Diagnostic>) {
    let lost: Vec<Code> = findings
        .iter()
        .filter(|finding| finding.code == Code(2001))
        .flat_map(|finding| &finding.fixes)
        .flat_map(|fix| &fix.edits)
        .flat_map(|edit| {
            LOST.iter()
                .filter(|(words, _)| words.contains(&&*edit.text))
        })
        .flat_map(|(_, codes)| codes.iter().map(|code| Code(*code)))
        .collect();
    findings.retain(|finding| !lost.contains(&finding.code));
}
