//! Patterns that pick from names which exist: brackets and `*`.

use super::parse::{self, Bracket, MAX_DIGITS, Part, padded};
use super::{Expansion, RangeError, order};

/// A name, a range or a glob, compiled for matching (`refine`, `except`, `--host`).
///
/// Brackets match exactly the names that [`super::expand`] would make; `*` matches any run of
/// characters, also none. Nothing is expanded, so ranges of any size are fine here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<Part>,
}

/// Whether `pattern` matches `name`; a pattern with errors matches nothing.
pub fn matches(pattern: &str, name: &str) -> bool {
    Pattern::compile(pattern).is_ok_and(|pattern| pattern.matches(name))
}

impl Pattern {
    /// Reads a pattern. Errors are those of [`super::expand`] without its limits on size.
    pub fn compile(text: &str) -> Result<Pattern, RangeError> {
        parse::parse(text).map(|parts| Pattern { parts })
    }

    /// The name, where the pattern is a plain one: `refine` by exact name ranks higher.
    pub fn exact(&self) -> Option<&str> {
        match &*self.parts {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The names that it stands for, where it has no `*` and they are at most `limit`.
    pub(super) fn expansion(&self, limit: usize) -> Option<Expansion> {
        let mut count = 1u128;
        for part in &self.parts {
            match part {
                Part::Text(_) => {}
                Part::Set(set) => count = count.saturating_mul(set.count),
                Part::Star { .. } => return None,
            }
        }
        let len = usize::try_from(count).ok().filter(|len| *len <= limit)?;
        Some(Expansion {
            parts: self.parts.as_slice().into(),
            len,
        })
    }

    /// What every name starts with and ends with.
    pub(super) fn ends(&self) -> (&str, &str) {
        let first = match self.parts.first() {
            Some(Part::Text(text)) => &**text,
            _ => "",
        };
        let last = match self.parts.last() {
            Some(Part::Text(text)) => &**text,
            _ => "",
        };
        (first, last)
    }

    /// Whether `name` is one of the names meant. Time is at most parts × length of the name.
    pub fn matches(&self, name: &str) -> bool {
        let text = name.as_bytes();
        // All offsets up to which the parts so far match. There is more than one only after
        // `*`, or where brackets stand side by side.
        let mut ends = vec![0usize];
        let mut next = Vec::new();
        for part in &self.parts {
            next.clear();
            match part {
                Part::Text(literal) => {
                    let literal = literal.as_bytes();
                    let fits = ends.iter().filter(|at| text[**at..].starts_with(literal));
                    next.extend(fits.map(|at| at + literal.len()));
                }
                Part::Star { .. } => {
                    let first = ends.iter().min().copied();
                    next.extend(first.into_iter().flat_map(|at| at..=text.len()));
                }
                Part::Set(set) => {
                    for at in &ends {
                        set.ends(name, *at, &mut next);
                    }
                    next.sort_unstable();
                    next.dedup();
                }
            }
            if next.is_empty() {
                return false;
            }
            std::mem::swap(&mut ends, &mut next);
        }
        ends.contains(&text.len())
    }
}

impl Bracket {
    /// Adds the offsets after each number of this set that `name` has at `at`.
    fn ends(&self, name: &str, at: usize, out: &mut Vec<usize>) {
        let most = order::end_of_digits(name.as_bytes(), at).min(at + MAX_DIGITS);
        for end in at + 1..=most {
            let digits = &name[at..end];
            let Ok(value) = digits.parse::<i64>() else {
                return;
            };
            let fits =
                |width: usize| digits.len() == width || (digits.len() > width && !padded(digits));
            if self.lows.list(&self.items, value, fits) {
                out.push(end);
            }
        }
    }
}
