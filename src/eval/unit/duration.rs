//! Durations.

use std::fmt;
use std::time::Duration;

use super::{
    Decimal, MISMATCH, NO_UNIT, OUT_OF_RANGE, Product, SizeUnit, UNKNOWN_WORD, UnitError, quoted,
    split_unit,
};

const EXPECTED: &str = "a duration is written like `60s`, `5m` or `1h30m`";

/// Longest duration: what the Kubernetes API can hold (Go's 64-bit nanoseconds), in milliseconds.
const MAX_MILLIS: u64 = i64::MAX as u64 / 1_000_000;

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DurationUnit {
    /// `ms`
    Milliseconds,
    /// `s`
    Seconds,
    /// `m`
    Minutes,
    /// `h`
    Hours,
    /// `d`, always 24 hours
    Days,
}

impl DurationUnit {
    const ALL: [DurationUnit; 5] = [
        DurationUnit::Days,
        DurationUnit::Hours,
        DurationUnit::Minutes,
        DurationUnit::Seconds,
        DurationUnit::Milliseconds,
    ];

    /// As it is written: `ms`, `s`, `m`, `h`, `d`.
    pub fn name(self) -> &'static str {
        match self {
            DurationUnit::Milliseconds => "ms",
            DurationUnit::Seconds => "s",
            DurationUnit::Minutes => "m",
            DurationUnit::Hours => "h",
            DurationUnit::Days => "d",
        }
    }

    /// Milliseconds in one.
    pub fn millis(self) -> u64 {
        match self {
            DurationUnit::Milliseconds => 1,
            DurationUnit::Seconds => 1_000,
            DurationUnit::Minutes => 60_000,
            DurationUnit::Hours => 3_600_000,
            DurationUnit::Days => 86_400_000,
        }
    }

    /// The unit of that exact name.
    pub fn from_name(name: &str) -> Option<DurationUnit> {
        DurationUnit::ALL
            .into_iter()
            .find(|unit| unit.name() == name)
    }

    /// The unit that `sec` or `Hours` was meant to be.
    fn meant(word: &str) -> Option<DurationUnit> {
        Some(match word.to_ascii_lowercase().trim_end_matches('s') {
            "" | "sec" | "second" => DurationUnit::Seconds,
            "min" | "minute" => DurationUnit::Minutes,
            "h" | "hr" | "hour" => DurationUnit::Hours,
            "d" | "day" => DurationUnit::Days,
            "m" | "msec" | "milli" | "millisecond" if word.len() > 1 => DurationUnit::Milliseconds,
            _ => return None,
        })
    }

    /// `count` of this unit, as `(s)60` writes it.
    pub fn times(self, count: i64) -> Result<Duration, UnitError> {
        let text = format!("{count}{self}");
        let Ok(count) = u64::try_from(count) else {
            let message = format!("`{text}` is negative, no duration is");
            return Err(UnitError::new(OUT_OF_RANGE, message, EXPECTED));
        };
        let millis = count
            .checked_mul(self.millis())
            .filter(|millis| *millis <= MAX_MILLIS);
        millis
            .map(Duration::from_millis)
            .ok_or_else(|| too_long(&text))
    }
}

impl fmt::Display for DurationUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Whether the word is a unit of time and of nothing else.
pub(super) fn is_unit(word: &str) -> bool {
    DurationUnit::from_name(word).is_some()
}

/// Reads `60s`, `1.5h`, `1h30m`: numbers with units, largest unit first, down to milliseconds.
pub fn duration(text: &str) -> Result<Duration, UnitError> {
    read(text, None)
}

/// As [`duration`], where a number without unit was probably meant in `natural`.
pub fn duration_for(text: &str, natural: DurationUnit) -> Result<Duration, UnitError> {
    read(text, Some(natural))
}

fn read(text: &str, natural: Option<DurationUnit>) -> Result<Duration, UnitError> {
    let mut rest = text;
    let mut total = 0u64;
    let mut before: Option<DurationUnit> = None;
    while !rest.is_empty() || before.is_none() {
        let (number, tail) = split_unit(rest);
        let (word, after) = tail.split_at(
            tail.find(|c: char| c.is_ascii_digit() || c.is_whitespace())
                .unwrap_or(tail.len()),
        );
        let (Some(decimal), Some(unit)) = (Decimal::read(number), DurationUnit::from_name(word))
        else {
            return Err(explain(text, number, tail, natural));
        };
        if before.is_some_and(|before| before <= unit) {
            return Err(UnitError::new(
                MISMATCH,
                format!(
                    "{} does not run from large units to small ones",
                    quoted(text)
                ),
                EXPECTED,
            ));
        }
        let millis = match decimal.times(unit.millis()) {
            Product::Whole(millis) => millis,
            Product::Fraction => {
                return Err(UnitError::new(
                    MISMATCH,
                    format!("{} is not a whole number of milliseconds", quoted(text)),
                    EXPECTED,
                ));
            }
            Product::TooLarge => return Err(too_long(text)),
        };
        total = total
            .checked_add(millis)
            .filter(|total| *total <= MAX_MILLIS)
            .ok_or_else(|| too_long(text))?;
        before = Some(unit);
        rest = after;
    }
    Ok(Duration::from_millis(total))
}

fn too_long(text: &str) -> UnitError {
    UnitError::new(
        OUT_OF_RANGE,
        format!("{} is too long", quoted(text)),
        "durations go up to about 290 years",
    )
}

#[cold]
fn explain(text: &str, number: &str, tail: &str, natural: Option<DurationUnit>) -> UnitError {
    let error = |code, message: String| UnitError::new(code, message, EXPECTED);
    if text.starts_with('-') && text.len() > 1 {
        return error(
            OUT_OF_RANGE,
            format!("{} is negative, no duration is", quoted(text)),
        );
    }
    if let Some(iso) = from_iso(text) {
        return error(MISMATCH, format!("{} is in ISO 8601 form", quoted(text))).fix(iso);
    }
    let tight: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if tight != text && duration(&tight).is_ok() {
        return error(MISMATCH, format!("{} has spaces in it", quoted(text))).fix(tight);
    }
    if Decimal::read(number).is_none() {
        return error(MISMATCH, format!("{} is not a duration", quoted(text)));
    }
    let word = tail.trim();
    if word.is_empty() {
        let whole = number.len() == text.trim_end().len();
        return error(NO_UNIT, format!("{} has no unit", quoted(text))).maybe_fix(
            natural
                .filter(|_| whole)
                .map(|unit| format!("{number}{unit}")),
        );
    }
    if SizeUnit::from_name(word).is_some() {
        return error(
            NO_UNIT,
            format!("{} is a size, a duration is expected", quoted(text)),
        );
    }
    let alone = text.len() == number.len() + tail.len();
    UnitError::new(
        UNKNOWN_WORD,
        format!("{} is not a unit of time", quoted(word)),
        "units are `ms`, `s`, `m`, `h` and `d`, such as `60s` or `1h30m`",
    )
    .maybe_fix(
        DurationUnit::meant(word)
            .filter(|_| alone)
            .map(|unit| format!("{number}{unit}")),
    )
}

/// `PT1H30M` as `1h30m`.
fn from_iso(text: &str) -> Option<String> {
    let rest = text.strip_prefix('P')?;
    let ours = rest.replace('T', "").to_ascii_lowercase();
    let months = rest
        .split('T')
        .next()
        .is_some_and(|days| days.contains('M'));
    (!months && !ours.contains("ms") && duration(&ours).is_ok()).then_some(ours)
}

/// Writes a duration the shortest way that [`duration`] reads: `1h30m`, `250ms`, `0s`.
///
/// Days are written as hours, and what is below a millisecond is left out.
pub fn show_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut out = String::new();
    for unit in DurationUnit::ALL
        .into_iter()
        .filter(|unit| *unit != DurationUnit::Days)
    {
        let count = rest / unit.millis();
        rest %= unit.millis();
        if count > 0 {
            out += &count.to_string();
            out.push_str(unit.name());
        }
    }
    if out.is_empty() {
        out.push_str("0s");
    }
    out
}
