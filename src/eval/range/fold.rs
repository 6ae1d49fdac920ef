//! Sets of names back to text.

use std::collections::BTreeMap;

use super::parse::{MAX_DIGITS, padded, push_number};
use super::{natural_cmp, order};

/// Writes a set of names with ranges: `r01-n[01-06,08-12] r02-n[01-02]`.
///
/// Groups are separated by one space and stand in natural order of their first name; order and
/// repeats of the input do not matter. No two groups could be written as one. Names that
/// [`super::expand`] makes come back exactly: expanding each group gives the set again.
pub fn fold<I>(names: I) -> String
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    let names: Vec<I::Item> = names.into_iter().collect();
    let mut texts: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    texts.sort_unstable();
    texts.dedup();
    let mut groups = fold_tails(texts, MAX_NUMBERS);
    groups.sort_by(|a, b| natural_cmp(&a.first, &b.first).then_with(|| a.text.cmp(&b.text)));
    let texts: Vec<String> = groups.into_iter().map(|group| group.text).collect();
    texts.join(" ")
}

/// Numbers of one name that are folded; the rest of the name is taken as it is.
const MAX_NUMBERS: usize = 16;

/// Tails of names written as one text, and the first of them in natural order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    text: String,
    first: String,
}

/// Folds the tails of names that share everything before.
///
/// Works from the end of the names: tails after one number are folded first, then numbers with
/// the same folded tail share a bracket. So two groups of the result never differ in one
/// bracket only.
fn fold_tails(tails: Vec<&str>, numbers_left: usize) -> Vec<Group> {
    let mut out = Vec::new();
    // By the text before the first number, then by that number.
    let mut heads: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for tail in tails {
        match first_number(tail).filter(|_| numbers_left > 0) {
            None => out.push(Group {
                text: tail.to_owned(),
                first: tail.to_owned(),
            }),
            Some((from, to)) => heads
                .entry(&tail[..from])
                .or_default()
                .entry(&tail[from..to])
                .or_default()
                .push(&tail[to..]),
        }
    }
    for (head, numbers) in heads {
        let mut by_tail: BTreeMap<Group, Vec<&str>> = BTreeMap::new();
        for (number, tails) in numbers {
            for group in fold_tails(tails, numbers_left - 1) {
                by_tail.entry(group).or_default().push(number);
            }
        }
        for (tail, numbers) in by_tail {
            for set in by_width(&numbers) {
                let (bracket, first) = write(&set);
                out.push(Group {
                    text: format!("{head}{bracket}{}", tail.text),
                    first: format!("{head}{first}{}", tail.first),
                });
            }
        }
    }
    out
}

/// The first run of digits that a range can make.
fn first_number(text: &str) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(offset) = bytes[at..].iter().position(u8::is_ascii_digit) {
        let from = at + offset;
        let to = order::end_of_digits(bytes, from);
        if to - from <= MAX_DIGITS {
            return Some((from, to));
        }
        at = to;
    }
    None
}

/// Splits numbers into sets that one bracket can hold: one padded width, and nothing narrower.
fn by_width<'t>(numbers: &[&'t str]) -> Vec<Vec<&'t str>> {
    let mut sets: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for number in numbers.iter().filter(|number| padded(number)) {
        sets.entry(number.len()).or_default().push(number);
    }
    // A number that needs no padding joins the widest set that does not pad it; 0 is no padding.
    for number in numbers.iter().filter(|number| !padded(number)) {
        let width = sets
            .range(..=number.len())
            .next_back()
            .map_or(0, |(width, _)| *width);
        sets.entry(width).or_default().push(number);
    }
    sets.into_values().collect()
}

/// A bracket, or a plain number for a set of one, and the first number.
fn write(numbers: &[&str]) -> (String, String) {
    let mut values: Vec<(i64, usize)> = numbers
        .iter()
        .filter_map(|number| number.parse().ok().map(|value| (value, number.len())))
        .collect();
    values.sort_unstable();
    let text = |(value, width): (i64, usize)| {
        let mut out = String::with_capacity(width);
        push_number(&mut out, value, width);
        out
    };
    let first = values
        .first()
        .map_or_else(String::new, |value| text(*value));
    if values.len() == 1 {
        return (first.clone(), first);
    }
    let mut items: Vec<String> = Vec::new();
    let mut run: Option<((i64, usize), (i64, usize))> = None;
    let close = |items: &mut Vec<String>, from: (i64, usize), to: (i64, usize)| {
        items.push(if from == to {
            text(from)
        } else {
            format!("{}-{}", text(from), text(to))
        });
    };
    for value in values {
        run = Some(match run {
            // A padded range ends where its width does: `[01-99,100]`.
            Some((from, to))
                if to.0 + 1 == value.0 && (to.1 == value.1 || !padded(&text(from))) =>
            {
                (from, value)
            }
            Some((from, to)) => {
                close(&mut items, from, to);
                (value, value)
            }
            None => (value, value),
        });
    }
    if let Some((from, to)) = run {
        close(&mut items, from, to);
    }
    (format!("[{}]", items.join(",")), first)
}
