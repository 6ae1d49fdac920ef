//! Words in the text of a place: what merging keeps of a definition is where it stands, not how it
//! was read. A word that an expression made stands nowhere.

use super::decode;
use crate::diag::suggest::Suggestion;
use crate::diag::{Diagnostic, Place, Span};
use crate::vfs::Files;

/// A word as it is written somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Written {
    place: Place,
    bare: bool,
}

/// Adds "did you mean" for `word`, with which the text at `place` starts, quoted or not.
pub(super) fn with_near_word(
    finding: Diagnostic,
    files: &Files,
    place: Place,
    word: &str,
    near: Option<Suggestion<'_>>,
) -> Diagnostic {
    match starting(files, place, word) {
        Some(found) => finding.did_you_mean(near, found.place, |word| {
            decode::quoted_unless(found.bare, word)
        }),
        None => {
            let near = near.map(|near| Suggestion { fix: None, ..near });
            finding.did_you_mean(near, place, str::to_owned)
        }
    }
}

/// Where the word with which a text starts is written.
fn starting(files: &Files, place: Place, word: &str) -> Option<Written> {
    let source = &files.text(place.file)[place.span.range()];
    let quoted = format!("\"{word}\"");
    let (length, bare) = if source.starts_with(&quoted) {
        (quoted.len(), false)
    } else if source.starts_with(word) {
        (word.len(), true)
    } else {
        return None;
    };
    let ends = source[length..]
        .chars()
        .next()
        .is_none_or(|next| next == '=' || next.is_whitespace());
    ends.then(|| Written {
        place: Span::new(place.span.start, place.span.start + length as u32).in_file(place.file),
        bare,
    })
}

/// Where the key of a value is written: `role` for the `worker` of `role=worker` and of
/// `role worker`.
pub(super) fn key_before(files: &Files, value: Place, key: &str) -> Option<Place> {
    let before = &files.text(value.file)[..value.span.start as usize];
    let before = before.trim_end_matches([' ', '\t', '=']);
    let quoted = format!("\"{key}\"");
    let length = if before.ends_with(&quoted) {
        quoted.len()
    } else if before.ends_with(key) {
        key.len()
    } else {
        return None;
    };
    let end = before.len() as u32;
    Some(Span::new(end - length as u32, end).in_file(value.file))
}

/// Where the scheme of a URL is written, whose whole text stands at `place`.
pub(super) fn scheme(files: &Files, place: Place, scheme: &str) -> Option<Place> {
    let source = &files.text(place.file)[place.span.range()];
    let end = source.find("://")?;
    let start = source[..end].rfind('"').map_or(0, |quote| quote + 1);
    source[start..end].eq_ignore_ascii_case(scheme).then(|| {
        Span::new(
            place.span.start + start as u32,
            place.span.start + end as u32,
        )
        .in_file(place.file)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of places found in `text`, whose part from `from` on is the place.
    fn found(
        text: &str,
        from: &str,
        find: impl Fn(&Files, Place) -> Option<Place>,
    ) -> Option<String> {
        let mut files = Files::new();
        let file = files.add("a.kdl", text);
        let start = text.find(from).unwrap();
        let place = Span::new(start as u32, (start + from.len()) as u32).in_file(file);
        find(&files, place).map(|place| text[place.span.range()].to_owned())
    }

    #[test]
    fn a_word_is_found_where_it_starts_a_text() {
        let starts = |text: &str, word: &'static str| {
            found(text, text, |files, place| {
                starting(files, place, word).map(|found| found.place)
            })
        };
        assert_eq!(starts("rloe=a", "rloe").as_deref(), Some("rloe"));
        assert_eq!(starts("\"rloe\" a b", "rloe").as_deref(), Some("\"rloe\""));
        assert_eq!(
            starts("\"ubuntu\"", "ubuntu").as_deref(),
            Some("\"ubuntu\"")
        );
        assert_eq!(starts("\"${param.image}\"", "ubuntu"), None);
        assert_eq!(starts("ubuntu-24.04", "ubuntu"), None);
    }

    #[test]
    fn a_key_is_found_before_its_value() {
        let key = |text: &str, key: &'static str| {
            found(text, "worker", |files, place| key_before(files, place, key))
        };
        assert_eq!(key("labels role=worker", "role").as_deref(), Some("role"));
        assert_eq!(
            key("labels \"my role\"=worker", "my role").as_deref(),
            Some("\"my role\"")
        );
        assert_eq!(
            key("labels { role  worker; }", "role").as_deref(),
            Some("role")
        );
        assert_eq!(key("labels { \"${x}\" worker; }", "role"), None);
    }

    #[test]
    fn a_scheme_is_found_in_its_string() {
        let scheme = |text: &str, word: &'static str| {
            found(text, text, |files, place| scheme(files, place, word))
        };
        assert_eq!(
            scheme("\"Redfsh://10.0.0.1/\"", "redfsh").as_deref(),
            Some("Redfsh")
        );
        assert_eq!(
            scheme("(url)\"redfsh://${host.ip}\"", "redfsh").as_deref(),
            Some("redfsh")
        );
        assert_eq!(scheme("\"${param.scheme}://10.0.0.1\"", "redfsh"), None);
    }
}
