//! Words that are numbers.

/// What a word that starts like a number is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    /// An integer.
    Int(i64),
    /// An integer beyond 64 bits.
    Big,
    /// With a point or an exponent.
    Float(f64),
    /// No number after all.
    Malformed,
}

/// Whether KDL takes a word for a number, or for a mistake: a digit, perhaps after a sign or a
/// point.
#[inline]
pub(super) fn is_number_like(word: &[u8]) -> bool {
    match word {
        [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => true,
        [b'+' | b'-', rest @ ..] => matches!(rest, [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..]),
        _ => false,
    }
}

/// Reads a word for which [`is_number_like`] holds.
pub(super) fn parse(word: &str) -> Number {
    let bytes = word.as_bytes();
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, bytes),
    };
    let radix = match digits {
        [b'0', b'x', ..] => 16,
        [b'0', b'o', ..] => 8,
        [b'0', b'b', ..] => 2,
        _ => 10,
    };
    if radix == 10 {
        decimal(word, negative, digits)
    } else {
        integer(negative, &digits[2..], radix)
    }
}

/// An integer whose digits are all of `digits`.
fn integer(negative: bool, digits: &[u8], radix: u32) -> Number {
    if matches!(digits, [] | [b'_', ..]) {
        return Number::Malformed;
    }
    let mut value: Option<i64> = Some(0);
    for &byte in digits {
        if byte == b'_' {
            continue;
        }
        let Some(digit) = (byte as char).to_digit(radix) else {
            return Number::Malformed;
        };
        // Counting down reaches the smallest number, too.
        value = value
            .and_then(|value| value.checked_mul(i64::from(radix)))
            .and_then(|value| value.checked_sub(i64::from(digit)));
    }
    match value {
        Some(value) if negative => Number::Int(value),
        Some(value) => value.checked_neg().map_or(Number::Big, Number::Int),
        None => Number::Big,
    }
}

fn decimal(word: &str, negative: bool, digits: &[u8]) -> Number {
    let whole = run(digits);
    if whole == digits.len() {
        return integer(negative, digits, 10);
    }
    let mut at = whole;
    if at == 0 {
        return Number::Malformed;
    }
    if digits.get(at) == Some(&b'.') {
        let fraction = run(&digits[at + 1..]);
        if fraction == 0 {
            return Number::Malformed;
        }
        at += 1 + fraction;
    }
    if let Some(b'e' | b'E') = digits.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = digits.get(at) {
            at += 1;
        }
        let exponent = run(&digits[at..]);
        if exponent == 0 {
            return Number::Malformed;
        }
        at += exponent;
    }
    if at != digits.len() {
        return Number::Malformed;
    }
    let parsed = if word.contains('_') {
        word.replace('_', "").parse()
    } else {
        word.parse()
    };
    parsed.map_or(Number::Malformed, Number::Float)
}

/// Length of `digit (digit | '_')*` at the start of `bytes`.
fn run(bytes: &[u8]) -> usize {
    if !bytes.first().is_some_and(u8::is_ascii_digit) {
        return 0;
    }
    bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b'_')
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_all_their_forms() {
        for (word, number) in [
            ("0", Number::Int(0)),
            ("+7", Number::Int(7)),
            ("-1_000", Number::Int(-1000)),
            ("0xff", Number::Int(255)),
            ("-0b1_0", Number::Int(-2)),
            ("0o17", Number::Int(15)),
            ("9223372036854775807", Number::Int(i64::MAX)),
            ("-9223372036854775808", Number::Int(i64::MIN)),
            ("9223372036854775808", Number::Big),
            ("0xffffffffffffffffffff", Number::Big),
            ("1.5", Number::Float(1.5)),
            ("1e3", Number::Float(1000.0)),
            ("-1_0.5_0E-1_0", Number::Float(-10.5e-10)),
        ] {
            assert!(is_number_like(word.as_bytes()), "{word}");
            assert_eq!(parse(word), number, "{word}");
        }
        for word in [
            "0x", "0x_1", "0b2", "0o8", "1.", "1._5", "1e", "1e+", "1.5.5", "10.0.0.1", "480GiB",
            ".5", "+.5", "1e3e3", "0n", "1é", "0xx1", "1.e3",
        ] {
            assert!(is_number_like(word.as_bytes()), "{word}");
            assert_eq!(parse(word), Number::Malformed, "{word}");
        }
        for word in ["a", "-", "+", ".", "-a", "+.", "..5", "--1"] {
            assert!(!is_number_like(word.as_bytes()), "{word}");
        }
    }
}
