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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::syntax;

    /// No field takes a duration yet, so there is no spec that would show it.
    #[test]
    fn a_number_without_its_unit_is_offered_one() {
        let text = "a 60 \"60s\" (m)5";
        let read = syntax::parse(FileId(0), &text.into(), &syntax::Limits::kdl());
        let node = read.tree.nodes().next().unwrap();
        let want = Want {
            ty: Type::Duration,
            lower: Lower::None,
        };
        let all: Vec<_> = node
            .args()
            .map(|entry| decode(want, entry, &raw(entry, &text.into()), false))
            .collect();
        let finding = all[0].as_ref().unwrap_err();
        assert_eq!(finding.code, Code(2006));
        let fix = &finding.fixes[0];
        assert_eq!(fix.applicability, Applicability::Unsafe);
        let mut mended = text.to_owned();
        mended.replace_range(fix.edits[0].place.span.range(), &fix.edits[0].text);
        assert_eq!(mended, "a (s)60 \"60s\" (m)5");
        assert!(all[1].is_ok() && all[2].is_ok());
    }
}
