//! The order in which people count: `r2` before `r10`.

use std::cmp::Ordering;

/// Compares texts with runs of digits as numbers; texts that are equal so far (`n7`, `n07`) by
/// their bytes, so that the order is total.
pub fn natural_cmp(left: &str, right: &str) -> Ordering {
    let (mut a, mut b) = (left.as_bytes(), right.as_bytes());
    loop {
        match (a, b) {
            ([], []) => return left.cmp(right),
            ([], _) => return Ordering::Less,
            (_, []) => return Ordering::Greater,
            ([b'0'..=b'9', ..], [b'0'..=b'9', ..]) => {
                let (first, rest_a) = number(a);
                let (second, rest_b) = number(b);
                let order = first
                    .len()
                    .cmp(&second.len())
                    .then_with(|| first.cmp(second));
                if order != Ordering::Equal {
                    return order;
                }
                (a, b) = (rest_a, rest_b);
            }
            ([x, rest_a @ ..], [y, rest_b @ ..]) => {
                if x != y {
                    return x.cmp(y);
                }
                (a, b) = (rest_a, rest_b);
            }
        }
    }
}

/// The digits at the start without leading zeros, and the rest.
fn number(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let zeros = bytes[..end]
        .iter()
        .take_while(|&&byte| byte == b'0')
        .count();
    (&bytes[zeros..end], &bytes[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_compared_as_numbers() {
        let mut names = vec!["r10", "r2", "r02", "r1-n10", "r1-n9", "r", "a", "r1"];
        names.sort_by(|a, b| natural_cmp(a, b));
        assert_eq!(
            names,
            ["a", "r", "r1", "r1-n9", "r1-n10", "r02", "r2", "r10"]
        );
    }
}
