//! The order in which names are listed.

use std::cmp::Ordering;

/// Natural order of names: runs of digits compare as numbers, so `n2` comes before `n10`.
///
/// Names that differ only in padding (`n07`, `n7`) are ordered by their text, which makes this a
/// total order that agrees with equality.
pub fn natural_cmp(a: &str, b: &str) -> Ordering {
    let (left, right) = (a.as_bytes(), b.as_bytes());
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        let order = if left[i].is_ascii_digit() && right[j].is_ascii_digit() {
            let (from_i, from_j) = (i, j);
            i = end_of_digits(left, i);
            j = end_of_digits(right, j);
            let ours = without_zeros(&left[from_i..i]);
            let theirs = without_zeros(&right[from_j..j]);
            ours.len().cmp(&theirs.len()).then_with(|| ours.cmp(theirs))
        } else {
            i += 1;
            j += 1;
            left[i - 1].cmp(&right[j - 1])
        };
        if order.is_ne() {
            return order;
        }
    }
    (left.len() - i)
        .cmp(&(right.len() - j))
        .then_with(|| a.cmp(b))
}

/// The index after the run of digits that holds `from`.
pub(super) fn end_of_digits(text: &[u8], from: usize) -> usize {
    text[from..]
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .map_or(text.len(), |n| from + n)
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    &digits[digits.iter().take_while(|byte| **byte == b'0').count()..]
}
