//! Every code that exists, once: what `explain MFnnnn` prints and the reference is made from.
//!
//! To add a code: a constant and one [`Entry`] in the file of its thousand. A test holds the
//! tables to their order and completeness.

pub mod host;
pub mod hygiene;
pub mod language;
pub mod limits;
pub mod plan;
pub mod pool;
pub mod syntax;

use super::{Code, Severity};

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its number.
    pub code: Code,
    /// Its name for people: lower case, hyphens, never reused.
    pub slug: &'static str,
    /// How bad a finding is, unless it says otherwise.
    pub severity: Severity,
    /// The rule in one line, as a statement of what is wrong.
    pub summary: &'static str,
    /// Why that is a problem; one or more sentences.
    pub why: &'static str,
    /// A text with the mistake; empty where no text shows it.
    pub bad: &'static str,
    /// The same without it; empty where no text shows it.
    pub good: &'static str,
    /// What to do, and what of it a finding shows as its fix.
    pub fix: &'static str,
}

/// The tables, by thousand, in ascending order.
const TABLES: &[&[Entry]] = &[
    syntax::ENTRIES,
    language::ENTRIES,
    host::ENTRIES,
    pool::ENTRIES,
    hygiene::ENTRIES,
    plan::ENTRIES,
    limits::ENTRIES,
];

/// All rules, in the order of their codes.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// The rule with this code.
pub fn find(code: Code) -> Option<&'static Entry> {
    all().find(|entry| entry.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_in_order_and_complete() {
        let mut last = Code(0);
        let mut slugs = std::collections::BTreeSet::new();
        for entry in all() {
            assert!(entry.code > last, "{} comes after {last}", entry.code);
            last = entry.code;
            assert!(slugs.insert(entry.slug), "{} is used twice", entry.slug);
            assert!(
                entry
                    .slug
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
                "{}",
                entry.slug
            );
            for text in [entry.summary, entry.why, entry.fix] {
                assert!(!text.is_empty(), "{} has a gap", entry.code);
            }
            assert!(
                !entry.summary.ends_with('.'),
                "{}: no full stop",
                entry.code
            );
        }
    }
}
