//! Text to parts: literal text, brackets and `*`.

use std::ops::Range;
use std::sync::Arc;

use super::lows::Lows;
use super::{BAD_RANGE, MAX_TEXT, RANGE_LIMIT, RangeError, STRING_LIMIT};

/// Numbers have at most this many digits, so that each fits an `i64`.
pub(super) const MAX_DIGITS: usize = 18;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(Box<str>),
    Set(Bracket),
    Star { at: usize },
}

/// One `[…]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bracket {
    pub(super) capture: Option<Arc<str>>,
    pub(super) items: Vec<Item>,
    /// The items by their lowest number, for looking a number up.
    pub(super) lows: Lows,
    /// How many numbers all items list.
    pub(super) count: u128,
    /// The bracket in the text, `[` and `]` included.
    pub(super) range: Range<usize>,
}

/// `n`, `lo-hi` or `lo-hi/step`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) lo: i64,
    pub(super) hi: i64,
    pub(super) step: i64,
    /// Numbers are padded with zeros to this width.
    pub(super) width: usize,
    /// How many numbers the items before this one list.
    before: u128,
    pub(super) range: Range<usize>,
}

impl Item {
    pub(super) fn count(&self) -> i64 {
        (self.hi - self.lo) / self.step + 1
    }

    pub(super) fn value(&self, nth: i64) -> i64 {
        self.lo + nth * self.step
    }

    /// Bytes of the longest number.
    pub(super) fn longest(&self) -> usize {
        digits_of(self.hi).max(self.width)
    }

    /// The item as text, its numbers padded to `width`.
    fn at_width(&self, width: usize) -> String {
        match (self.lo == self.hi, self.step) {
            (true, _) => format!("{:0width$}", self.lo),
            (false, 1) => format!("{:0width$}-{:0width$}", self.lo, self.hi),
            (false, step) => format!("{:0width$}-{:0width$}/{step}", self.lo, self.hi),
        }
    }

    pub(super) fn contains(&self, value: i64) -> bool {
        (self.lo..=self.hi).contains(&value) && (value - self.lo) % self.step == 0
    }
}

impl Bracket {
    /// The number at `nth`, which is less than `count`, and its width.
    pub(super) fn nth(&self, nth: u128) -> (i64, usize) {
        let index = self
            .items
            .partition_point(|item| item.before <= nth)
            .saturating_sub(1);
        let item = &self.items[index];
        (item.value((nth - item.before) as i64), item.width)
    }
}

pub(super) fn digits_of(value: i64) -> usize {
    value.checked_ilog10().unwrap_or(0) as usize + 1
}

pub(super) fn push_number(out: &mut String, value: i64, width: usize) {
    let mut buffer = [0u8; 20];
    let mut at = buffer.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    for _ in (buffer.len() - at)..width {
        out.push('0');
    }
    out.extend(buffer[at..].iter().map(|digit| char::from(*digit)));
}

/// Parts of `text`, without regard to how many names they make.
pub(super) fn parse(text: &str) -> Result<Vec<Part>, RangeError> {
    if text.len() > MAX_TEXT {
        return Err(RangeError {
            code: STRING_LIMIT,
            message: format!(
                "the name is {} bytes long, the limit is {MAX_TEXT}",
                text.len()
            ),
            range: 0..text.len(),
            help: None,
            fix: None,
        });
    }
    if text.is_empty() {
        return Err(bad("the name is empty", 0..0));
    }
    let mut parts = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let plain = rest.find(['[', ']', '*']).unwrap_or(rest.len());
        if plain > 0 {
            parts.push(Part::Text(rest[..plain].into()));
            at += plain;
            continue;
        }
        match rest.as_bytes()[0] {
            b'*' => {
                parts.push(Part::Star { at });
                at += 1;
            }
            b'[' => {
                let set = bracket(text, at)?;
                at = set.range.end;
                if let Some(name) = &set.capture {
                    refuse_same_capture(&parts, name, &set)?;
                }
                parts.push(Part::Set(set));
            }
            _ => return Err(bad("`]` without `[`", at..at + 1)),
        }
    }
    Ok(parts)
}

fn refuse_same_capture(parts: &[Part], name: &Arc<str>, set: &Bracket) -> Result<(), RangeError> {
    let twice = parts.iter().any(|part| match part {
        Part::Set(other) => other.capture.as_ref() == Some(name),
        Part::Text(_) | Part::Star { .. } => false,
    });
    if !twice {
        return Ok(());
    }
    let start = set.range.start + 1;
    Err(bad(
        format!("two brackets capture `{name}`"),
        start..start + name.len(),
    )
    .help("give each capture its own name, such as `[row=1-3]` and `[slot=01-18]`"))
}

/// The bracket that starts at `start`.
fn bracket(text: &str, start: usize) -> Result<Bracket, RangeError> {
    let inner = start + 1;
    let Some(length) = text[inner..].find([']', '[']) else {
        return Err(bad("`[` is never closed", start..text.len()).help("write `[01-18]`"));
    };
    let end = inner + length;
    if text.as_bytes()[end] == b'[' {
        return Err(bad("a bracket inside a bracket", end..end + 1)
            .help("several brackets stand side by side: `r[01-02]-n[01-18]`"));
    }
    let (capture, first) = capture(text, inner..end)?;
    if first == end {
        return Err(bad("the range is empty", start..end + 1).help("write `[01-18]`"));
    }
    let mut items = Vec::new();
    let mut count = 0u128;
    let mut at = first;
    loop {
        let stop = text[at..end].find(',').map_or(end, |comma| at + comma);
        let mut item = item(text, at..stop, start..end + 1)?;
        item.before = count;
        count += item.count() as u128;
        items.push(item);
        if stop == end {
            break;
        }
        at = stop + 1;
    }
    refuse_mixed_items(text, &items)?;
    Ok(Bracket {
        capture,
        lows: Lows::of(&items),
        items,
        count,
        range: start..end + 1,
    })
}

/// The capture name in front of `=`, and where the numbers start.
fn capture(text: &str, inner: Range<usize>) -> Result<(Option<Arc<str>>, usize), RangeError> {
    let Some(length) = text[inner.clone()].find('=') else {
        return Ok((None, inner.start));
    };
    let range = inner.start..inner.start + length;
    let name = &text[range.clone()];
    let bytes = name.as_bytes();
    let snake = bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_');
    if snake {
        return Ok((Some(name.into()), range.end + 1));
    }
    let error = bad(format!("`{name}` cannot name a capture"), range.clone())
        .help("a capture is a fact: lower-case letters, digits and `_`, as in `[slot=01-18]`");
    let likely = name
        .trim()
        .to_ascii_lowercase()
        .replace(['-', '.', ' '], "_");
    let usable = likely
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase())
        && likely
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    Err(if usable {
        error.fix(range, likely)
    } else {
        error
    })
}

/// One item of a bracket; `before` is filled in by the caller.
fn item(text: &str, range: Range<usize>, whole: Range<usize>) -> Result<Item, RangeError> {
    let body = &text[range.clone()];
    if body.is_empty() {
        // Nothing to underline between two commas: take the comma or the bracket before it.
        let at = range.start.saturating_sub(1);
        return Err(bad("a number is missing", at..range.end.max(at + 1))
            .help("items are `n`, `lo-hi` or `lo-hi/step`, separated by commas"));
    }
    if let Some(space) = body.find(char::is_whitespace) {
        let tight: String = text[whole.clone()].split_whitespace().collect();
        let at = range.start + space;
        let wide = text[at..].chars().next().map_or(1, char::len_utf8);
        return Err(bad("a range has no spaces", at..at + wide).fix(whole, tight));
    }
    let (span, step) = match body.find('/') {
        None => (range.clone(), 1),
        Some(slash) => {
            let digits = range.start + slash + 1..range.end;
            let step = number(text, digits.clone(), "the step")?;
            if step == 0 {
                return Err(bad("the step is zero", digits).help("leave `/0` out, or write `/1`"));
            }
            (range.start..range.start + slash, step)
        }
    };
    let Some(dash) = text[span.clone()].find('-') else {
        let lo = number(text, span.clone(), "a number")?;
        if span.end != range.end {
            return Err(bad("a step needs a range in front of it", range)
                .help("write `lo-hi/step`, such as `01-17/2`"));
        }
        let width = span.len();
        return Ok(Item {
            lo,
            hi: lo,
            step: 1,
            width,
            before: 0,
            range,
        });
    };
    let first = span.start..span.start + dash;
    let last = span.start + dash + 1..span.end;
    let lo = number(text, first.clone(), "the first number")?;
    let hi = number(text, last.clone(), "the last number")?;
    let (low, high) = (&text[first.clone()], &text[last.clone()]);
    if lo > hi {
        return Err(bad(
            format!("the range runs backwards, from {low} to {high}"),
            span.clone(),
        )
        .fix(span, format!("{high}-{low}")));
    }
    if low.len() != high.len() && (padded(low) || padded(high)) {
        let width = low.len().max(high.len());
        return Err(bad(
            format!("`{low}` and `{high}` have different widths"),
            span.clone(),
        )
        .help("the width of the first number pads all of them: write both equally wide")
        .fix(span, format!("{lo:0width$}-{hi:0width$}")));
    }
    // The last number of the progression, so that `hi` is always a member.
    let hi = lo + (hi - lo) / step * step;
    Ok(Item {
        lo,
        hi,
        step,
        width: low.len(),
        before: 0,
        range,
    })
}

/// Whether the digits start with a zero that only pads.
pub(super) fn padded(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0')
}

/// In one bracket all padded numbers have one width, and no number is narrower than it.
fn refuse_mixed_items(text: &str, items: &[Item]) -> Result<(), RangeError> {
    let Some(model) = items
        .iter()
        .find(|item| padded(&text[item.range.clone()][..item.width]))
    else {
        return Ok(());
    };
    let odd = items.iter().find(|item| {
        item.width < model.width
            || (item.width > model.width && padded(&text[item.range.clone()][..item.width]))
    });
    let Some(odd) = odd else { return Ok(()) };
    let width = model.width.max(odd.width);
    let all: Vec<String> = items.iter().map(|item| item.at_width(width)).collect();
    let whole = items[0].range.start..items[items.len() - 1].range.end;
    let than = if odd.width < model.width {
        "narrower"
    } else {
        "wider"
    };
    Err(bad(
        format!(
            "`{}` is {than} than `{}`",
            &text[odd.range.clone()],
            &text[model.range.clone()]
        ),
        odd.range.clone(),
    )
    .help("write all numbers of a bracket equally wide")
    .fix(whole, all.join(",")))
}

fn number(text: &str, range: Range<usize>, what: &str) -> Result<i64, RangeError> {
    let digits = &text[range.clone()];
    if digits.is_empty() {
        let at = range.start.saturating_sub(1);
        return Err(bad(format!("{what} is missing"), at..at + 1)
            .help("items are `n`, `lo-hi` or `lo-hi/step`, separated by commas"));
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let error = bad(format!("`{digits}` is not a number"), range.clone())
            .help("items are `n`, `lo-hi` or `lo-hi/step`, in decimal digits");
        // As other languages write a range.
        let ends = ["..", ":"].iter().find_map(|sign| digits.split_once(sign));
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        return Err(match ends {
            Some((low, high)) if all_digits(low) && all_digits(high) => {
                error.fix(range, format!("{low}-{high}"))
            }
            _ => error,
        });
    }
    if digits.len() > MAX_DIGITS {
        return Err(RangeError {
            code: RANGE_LIMIT,
            message: format!(
                "the number has {} digits, at most {MAX_DIGITS} fit",
                digits.len()
            ),
            range,
            help: None,
            fix: None,
        });
    }
    // Digits only and few of them: this cannot fail, but an error is better than a panic.
    digits
        .parse()
        .map_err(|_| bad(format!("`{digits}` is not a number"), range))
}

fn bad(message: impl Into<String>, range: Range<usize>) -> RangeError {
    RangeError {
        code: BAD_RANGE,
        message: message.into(),
        range,
        help: None,
        fix: None,
    }
}

impl RangeError {
    fn help(mut self, text: &str) -> RangeError {
        self.help = Some(text.into());
        self
    }

    fn fix(mut self, range: Range<usize>, text: String) -> RangeError {
        self.fix = Some((range, text));
        self
    }
}
