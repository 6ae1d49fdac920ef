//! Names and ranges: `"r01-n[slot=01-18]"` (language.md 5.2).
//!
//! A bracket lists `n`, `lo-hi` or `lo-hi/step`, separated by commas. The width of `lo` pads.
//! An optional capture name in front (`slot=`) turns the number into a fact of the instance.
//! Several brackets multiply, the last one running fastest. This is the form that ClusterShell,
//! pdsh and Slurm use, so [`fold`] writes sets of names the same way.
//!
//! Sizes are computed from the text before anything is expanded: a range of a billion is
//! refused at once.

mod fold;
mod index;
mod lows;
mod order;
mod parse;
mod pattern;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

pub use fold::fold;
pub(crate) use index::Index;
pub use order::natural_cmp;
pub use pattern::{Pattern, matches};

use parse::{Bracket, Part};

/// Code of a range that is written wrong.
pub const BAD_RANGE: u16 = 2104;
/// Code of a name that the Kubernetes API server would refuse.
pub const BAD_NAME: u16 = 3101;
/// Code of a range with more names than the limit.
pub const RANGE_LIMIT: u16 = 9004;
/// Code of a text longer than [`MAX_TEXT`].
pub const STRING_LIMIT: u16 = 9005;

/// Longest pattern in bytes.
pub const MAX_TEXT: usize = 64 * 1024;
/// Longest name in bytes that a range may make (RFC 1123 subdomain, as Kubernetes limits it).
pub const MAX_NAME: usize = 253;

/// Why a name with ranges cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RangeError {
    /// Digits of the `MFnnnn` code.
    pub code: u16,
    /// What is wrong, without the source text around it.
    pub message: String,
    /// Where, as bytes of the text that was given.
    pub range: Range<usize>,
    /// What to do.
    pub help: Option<String>,
    /// Bytes to replace and what with, where one answer is likely.
    pub fix: Option<(Range<usize>, String)>,
}

/// The numbers that one name took from its range, by capture name, in the order written.
pub type Captures = Vec<(Arc<str>, i64)>;

/// The names that a text with ranges stands for.
///
/// Iterates `(name, captures)` in the order written, the last bracket running fastest. The
/// number of names is known and within the limit; names are made one at a time.
#[derive(Debug, Clone)]
pub struct Expansion {
    parts: Arc<[Part]>,
    len: usize,
}

/// Reads `text` as a name or a range of names, at most `limit` of them.
///
/// Errors: MF2104 for a bracket that is written wrong, MF9004 for more names than `limit`,
/// MF3101 for names longer than [`MAX_NAME`], MF9005 for a text longer than [`MAX_TEXT`].
pub fn expand(text: &str, limit: usize) -> Result<Expansion, RangeError> {
    let parts = parse::parse(text)?;
    if let Some(Part::Star { at }) = parts.iter().find(|part| matches!(part, Part::Star { .. })) {
        return Err(RangeError {
            code: BAD_RANGE,
            message: "`*` matches names that exist, it cannot make new ones".into(),
            range: *at..*at + 1,
            help: Some("write the numbers as a range, such as `r01-n[01-18]`".into()),
            fix: None,
        });
    }
    let count = parts.iter().fold(1u128, |total, part| match part {
        Part::Set(set) => total.saturating_mul(set.count),
        Part::Text(_) | Part::Star { .. } => total,
    });
    let len = match usize::try_from(count) {
        Ok(len) if len <= limit => len,
        _ => return Err(too_many(&parts, text, count, limit)),
    };
    let longest: usize = parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.len(),
            Part::Set(set) => set
                .items
                .iter()
                .map(parse::Item::longest)
                .max()
                .unwrap_or(0),
            Part::Star { .. } => 0,
        })
        .sum();
    if longest > MAX_NAME {
        return Err(RangeError {
            code: BAD_NAME,
            message: format!("the name is {longest} bytes long, at most {MAX_NAME} are allowed"),
            range: 0..text.len(),
            help: None,
            fix: None,
        });
    }
    for part in &parts {
        if let Part::Set(set) = part {
            refuse_repeats(set)?;
        }
    }
    Ok(Expansion {
        parts: parts.into(),
        len,
    })
}

/// Points at the bracket that brings the most, or at all of them.
fn too_many(parts: &[Part], text: &str, count: u128, limit: usize) -> RangeError {
    let worst = parts
        .iter()
        .filter_map(|part| match part {
            Part::Set(set) => Some(set),
            Part::Text(_) | Part::Star { .. } => None,
        })
        .filter(|set| set.count > limit as u128)
        .max_by_key(|set| set.count);
    let number = if count == u128::MAX {
        "far too many".to_owned()
    } else {
        grouped(count)
    };
    RangeError {
        code: RANGE_LIMIT,
        message: format!(
            "the range makes {number} names, the limit is {}",
            grouped(limit as u128)
        ),
        range: worst.map_or(0..text.len(), |set| set.range.clone()),
        help: Some("narrow the range, or raise `range` in `spec { limits … }`".into()),
        fix: None,
    }
}

/// `1000000` as `1,000,000`.
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number that one bracket lists twice is a slip of the pen, never two machines.
fn refuse_repeats(set: &Bracket) -> Result<(), RangeError> {
    if set.items.len() < 2 {
        return Ok(());
    }
    let mut seen: Vec<(i64, usize)> = Vec::new();
    for (index, item) in set.items.iter().enumerate() {
        seen.extend((0..item.count()).map(|nth| (item.value(nth), index)));
    }
    seen.sort_unstable();
    // The first repeat in reading order, so that the label does not depend on sorting.
    let repeat = seen
        .windows(2)
        .filter(|pair| pair[0].0 == pair[1].0)
        .min_by_key(|pair| pair[1].1);
    let Some([(value, _), (_, later)]) = repeat else {
        return Ok(());
    };
    let item = &set.items[*later];
    Err(RangeError {
        code: BAD_RANGE,
        message: format!("`{value:0width$}` is listed twice", width = item.width),
        range: item.range.clone(),
        help: Some("each name is declared once: narrow one of the two".into()),
        fix: None,
    })
}

impl Expansion {
    /// How many names there are; never 0.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Always false: a range without names is an error of [`expand`].
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the text was a plain name, without a bracket.
    pub fn is_exact(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// The capture names, in the order written.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Set(set) => set.capture.as_deref(),
            Part::Text(_) | Part::Star { .. } => None,
        })
    }

    /// The name and captures at `index`, counted from 0 in iteration order.
    pub fn at(&self, index: usize) -> Option<(String, Captures)> {
        if index >= self.len {
            return None;
        }
        let mut name = String::with_capacity(24);
        let mut captures = Captures::new();
        // `below` is how many names one step of the bracket at hand covers.
        let mut below = self.len as u128;
        let mut rest = index as u128;
        for part in &*self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Star { .. } => {}
                Part::Set(set) => {
                    below /= set.count;
                    let (value, width) = set.nth(rest / below);
                    rest %= below;
                    parse::push_number(&mut name, value, width);
                    if let Some(capture) = &set.capture {
                        captures.push((Arc::clone(capture), value));
                    }
                }
            }
        }
        Some((name, captures))
    }

    /// The names and captures, in the order written.
    pub fn iter(&self) -> Names {
        Names {
            expansion: self.clone(),
            next: 0,
        }
    }
}

impl IntoIterator for &Expansion {
    type Item = (String, Captures);
    type IntoIter = Names;

    fn into_iter(self) -> Names {
        self.iter()
    }
}

impl IntoIterator for Expansion {
    type Item = (String, Captures);
    type IntoIter = Names;

    fn into_iter(self) -> Names {
        Names {
            expansion: self,
            next: 0,
        }
    }
}

/// Iterator over the names of an [`Expansion`].
#[derive(Debug, Clone)]
pub struct Names {
    expansion: Expansion,
    next: usize,
}

impl Iterator for Names {
    type Item = (String, Captures);

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.expansion.at(self.next)?;
        self.next += 1;
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.expansion.len - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Names {}
