//! Sizes and durations.

use super::*;

pub(super) fn size(
    want: Want,
    entry: Entry<'_>,
    raw: &Raw<'_>,
    annotation: Option<&str>,
) -> Result<Value, Diagnostic> {
    let place = value_place(entry);
    let wrong = |code: u16, message: String| Diagnostic::error(Code(code), message, place, "");
    let read = |text: &str| unit::size(text).map_err(|error| unit_error(entry, error));
    let size = match (raw, annotation) {
        (Raw::Int(number), Some(unit)) => read(&format!("{number}{unit}"))?,
        (Raw::Int(number), None) => {
            let unit = if matches!(want.lower, Lower::Gigabytes(_)) {
                "GB"
            } else {
                "GiB"
            };
            let finding = wrong(2006, format!("{number} has no unit"))
                .help("sizes are written with their unit: `(GiB)446` or `\"446GiB\"`");
            return Err(with_unit(finding, entry, *number, unit));
        }
        (Raw::Text(text), None | Some("size")) => read(text)?,
        _ => return Err(mismatch(entry, "a size with its unit", raw.what())),
    };
    // The API counts in whole units here; nothing is ever rounded (MF3317).
    match want.lower {
        Lower::Gigabytes(_) => size.whole(SizeUnit::GB),
        Lower::Gibibytes(_) => size.whole(SizeUnit::GiB),
        _ => Ok(0),
    }
    .map_err(|error| unit_error(entry, error))?;
    Ok(Value::Size(size.bytes()))
}

/// Offers to put a unit before a bare number. Which one is meant is a guess.
fn with_unit(finding: Diagnostic, entry: Entry<'_>, number: i64, unit: &str) -> Diagnostic {
    if entry.form() != Form::Number {
        return finding;
    }
    finding.fix(Fix::replace(
        format!("write `({unit}){number}`, if that is what is meant"),
        Applicability::Unsafe,
        Span::point(entry.value_span().start).in_file(entry.file()),
        format!("({unit})"),
    ))
}

pub(super) fn duration(
    entry: Entry<'_>,
    raw: &Raw<'_>,
    annotation: Option<&str>,
) -> Result<Value, Diagnostic> {
    let wrong =
        |code: u16, message: String| Diagnostic::error(Code(code), message, value_place(entry), "");
    match (raw, annotation) {
        (Raw::Int(number), Some(unit)) => unit::duration(&format!("{number}{unit}")),
        (Raw::Text(text), None | Some("duration")) => unit::duration(text),
        (Raw::Int(number), None) => {
            let finding = wrong(2006, format!("{number} has no unit"))
                .help("durations are written with their unit: `(s)60` or `\"60s\"`");
            return Err(with_unit(finding, entry, *number, "s"));
        }
        _ => return Err(mismatch(entry, "a duration with its unit", raw.what())),
    }
    .map(Value::Duration)
    .map_err(|error| unit_error(entry, error))
}
