//! Sizes of disks and memory.

use std::fmt;

use super::{
    Decimal, MISMATCH, NO_UNIT, NOT_WHOLE, OUT_OF_RANGE, Product, UNKNOWN_WORD, UnitError,
    duration, quoted, split_unit,
};

const EXPECTED: &str = "a size is a number and its unit, such as `480GB` or `446GiB`";

/// A unit of size: decimal as vendors print it (`GB`), or binary (`GiB`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum SizeUnit {
    B,
    KB,
    MB,
    GB,
    TB,
    PB,
    KiB,
    MiB,
    GiB,
    TiB,
    PiB,
}

impl SizeUnit {
    /// All units, small to large, decimal first.
    pub const ALL: [SizeUnit; 11] = [
        SizeUnit::B,
        SizeUnit::KB,
        SizeUnit::MB,
        SizeUnit::GB,
        SizeUnit::TB,
        SizeUnit::PB,
        SizeUnit::KiB,
        SizeUnit::MiB,
        SizeUnit::GiB,
        SizeUnit::TiB,
        SizeUnit::PiB,
    ];

    /// Bytes in one.
    pub fn bytes(self) -> u64 {
        match self {
            SizeUnit::B => 1,
            SizeUnit::KB => 1_000,
            SizeUnit::MB => 1_000_000,
            SizeUnit::GB => 1_000_000_000,
            SizeUnit::TB => 1_000_000_000_000,
            SizeUnit::PB => 1_000_000_000_000_000,
            SizeUnit::KiB => 1 << 10,
            SizeUnit::MiB => 1 << 20,
            SizeUnit::GiB => 1 << 30,
            SizeUnit::TiB => 1 << 40,
            SizeUnit::PiB => 1 << 50,
        }
    }

    /// As it is written: `GiB`.
    pub fn name(self) -> &'static str {
        match self {
            SizeUnit::B => "B",
            SizeUnit::KB => "kB",
            SizeUnit::MB => "MB",
            SizeUnit::GB => "GB",
            SizeUnit::TB => "TB",
            SizeUnit::PB => "PB",
            SizeUnit::KiB => "KiB",
            SizeUnit::MiB => "MiB",
            SizeUnit::GiB => "GiB",
            SizeUnit::TiB => "TiB",
            SizeUnit::PiB => "PiB",
        }
    }

    /// The unit of that exact name; `KB` is taken for `kB`.
    pub fn from_name(name: &str) -> Option<SizeUnit> {
        if name == "KB" {
            return Some(SizeUnit::KB);
        }
        SizeUnit::ALL.into_iter().find(|unit| unit.name() == name)
    }

    /// The unit that `Gi`, `G` or `gib` was meant to be.
    fn meant(word: &str) -> Option<SizeUnit> {
        let all = SizeUnit::ALL.into_iter();
        all.filter(|unit| *unit != SizeUnit::B || word == "b")
            .find(|unit| {
                let name = unit.name();
                name.eq_ignore_ascii_case(word) || name[..name.len() - 1].eq_ignore_ascii_case(word)
            })
    }
}

impl fmt::Display for SizeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A size in whole bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// Reads `480GiB`, `1.5TB`: a number, and its unit right behind it.
pub fn size(text: &str) -> Result<Size, UnitError> {
    read(text, None)
}

/// As [`size`], where a number without unit was probably meant in `natural`.
pub fn size_for(text: &str, natural: SizeUnit) -> Result<Size, UnitError> {
    read(text, Some(natural))
}

fn read(text: &str, natural: Option<SizeUnit>) -> Result<Size, UnitError> {
    let (number, word) = split_unit(text);
    let unit = SizeUnit::from_name(word);
    if let (Some(decimal), Some(unit)) = (Decimal::read(number), unit) {
        return match decimal.times(unit.bytes()) {
            Product::Whole(bytes) => Ok(Size(bytes)),
            Product::Fraction => Err(UnitError::new(
                MISMATCH,
                format!("{} is not a whole number of bytes", quoted(text)),
                "write fewer decimals, or a smaller unit, such as `307B`",
            )),
            Product::TooLarge => Err(too_large(text)),
        };
    }
    Err(explain(text, number, word, natural))
}

fn too_large(text: &str) -> UnitError {
    UnitError::new(
        OUT_OF_RANGE,
        format!("{} is too large", quoted(text)),
        "sizes go up to 18446744073709551615 bytes, about 16,000 PiB",
    )
}

#[cold]
fn explain(text: &str, number: &str, word: &str, natural: Option<SizeUnit>) -> UnitError {
    if text.starts_with('-') && text.len() > 1 {
        let message = format!("{} is negative, no size is", quoted(text));
        return UnitError::new(OUT_OF_RANGE, message, EXPECTED);
    }
    let plain: String = number.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    if Decimal::read(&plain).is_none() {
        let message = format!("{} is not a size", quoted(text));
        return UnitError::new(MISMATCH, message, EXPECTED);
    }
    let word = word.trim();
    if word.is_empty() {
        return UnitError::new(
            NO_UNIT,
            format!("{} has no unit", quoted(text)),
            "write `GB` for 1000³ bytes, as disk vendors do, or `GiB` for 1024³",
        )
        .maybe_fix(natural.map(|unit| format!("{plain}{unit}")));
    }
    if let Some(unit) = SizeUnit::from_name(word) {
        let odd = if plain == number {
            "a space before its unit"
        } else {
            "grouped digits"
        };
        return UnitError::new(MISMATCH, format!("{} has {odd}", quoted(text)), EXPECTED)
            .fix(format!("{plain}{unit}"));
    }
    if duration::is_unit(word) {
        let message = format!("{} is a duration, a size is expected", quoted(text));
        return UnitError::new(NO_UNIT, message, EXPECTED);
    }
    let names: Vec<String> = SizeUnit::ALL
        .iter()
        .map(|unit| format!("`{unit}`"))
        .collect();
    UnitError::new(
        UNKNOWN_WORD,
        format!("{} is not a unit of size", quoted(word)),
        format!("units are {}, such as `480GB`", names.join(", ")),
    )
    .maybe_fix(SizeUnit::meant(word).map(|unit| format!("{plain}{unit}")))
}

impl Size {
    /// `number` of `unit`, as `(GB)480` writes it.
    pub fn new(number: i64, unit: SizeUnit) -> Result<Size, UnitError> {
        let text = || format!("{number}{unit}");
        let Ok(count) = u64::try_from(number) else {
            let message = format!("`{}` is negative, no size is", text());
            return Err(UnitError::new(OUT_OF_RANGE, message, EXPECTED));
        };
        count
            .checked_mul(unit.bytes())
            .map(Size)
            .ok_or_else(|| too_large(&text()))
    }

    /// A size of that many bytes.
    pub fn from_bytes(bytes: u64) -> Size {
        Size(bytes)
    }

    /// Bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// How many of `unit` this is; MF3317 where it is no whole number, for nothing is rounded.
    pub fn whole(self, unit: SizeUnit) -> Result<u64, UnitError> {
        let count = self.0 / unit.bytes();
        let rest = self.0 % unit.bytes();
        if rest == 0 {
            return Ok(count);
        }
        let thousandths = u128::from(rest) * 1000 / u128::from(unit.bytes());
        Err(UnitError::new(
            NOT_WHOLE,
            format!("`{self}` is about {count}.{thousandths:03} {unit}, not a whole number"),
            format!(
                "this field is kept in whole {unit}, and nothing is rounded: write `{count}{unit}` \
                 or `{}{unit}`",
                count + 1
            ),
        ))
    }
}

/// The unit in which the number is smallest: `480GB`, `446GiB`.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = SizeUnit::ALL
            .into_iter()
            .filter(|unit| self.0 > 0 && self.0.is_multiple_of(unit.bytes()))
            .map(|unit| (self.0 / unit.bytes(), unit))
            .min_by_key(|(count, _)| *count)
            .unwrap_or((self.0, SizeUnit::B));
        f.pad(&format!("{count}{unit}"))
    }
}
