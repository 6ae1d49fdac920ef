//! Passwords that stand in a spec where none should: they are in the file, but need not be in the
//! log of a CI job as well.

use std::borrow::Cow;
use std::ops::Range;

/// The text with what looks like a password replaced by `*`, byte by byte, so that places stay:
/// user and password of a URL, and the value of whatever is called a password.
pub(super) fn veiled(text: &str) -> Cow<'_, str> {
    let logins = text
        .match_indices("://")
        .filter_map(|(at, found)| login(text, at + found.len()));
    let named = text
        .match_indices("assw")
        .filter_map(|(at, found)| named(text, at + found.len()));
    let mut hidden: Vec<Range<usize>> = logins.chain(named).collect();
    if hidden.is_empty() {
        return Cow::Borrowed(text);
    }
    hidden.sort_by_key(|range| range.start);
    let mut out = String::with_capacity(text.len());
    for range in hidden {
        // A password may hold a URL.
        let start = range.start.max(out.len());
        if start < range.end {
            out.push_str(&text[out.len()..start]);
            out.extend(std::iter::repeat_n('*', range.end - start));
        }
    }
    out.push_str(&text[out.len()..]);
    Cow::Owned(out)
}

/// `user:password` of a URL whose authority starts at `at`.
fn login(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = &text[at..];
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\\' | ';'));
    let authority = &rest[..end.unwrap_or(rest.len())];
    let end = authority.rfind('@').filter(|end| *end > 0)?;
    Some(at..at + end)
}

/// The value of an entry in whose name `at` is: `password="…"`, `password=…`, `password "…"`.
fn named(text: &str, at: usize) -> Option<Range<usize>> {
    let after_name = text[at..]
        .trim_start_matches(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '"'));
    let value = after_name.trim_start_matches([' ', '\t', '=']);
    let between = &after_name[..after_name.len() - value.len()];
    let start = text.len() - value.len();
    if let Some(quoted) = value.strip_prefix('"').filter(|_| !between.is_empty()) {
        let mut escaped = false;
        let end = quoted.find(|c: char| {
            let end = c == '\n' || c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            end
        });
        let end = end.unwrap_or(quoted.len());
        return (end > 0).then(|| start + 1..start + 1 + end);
    }
    // A word after a blank is prose: "the password is wrong".
    let bare = value.find(|c: char| c.is_whitespace() || matches!(c, ';' | '{' | '}' | '(' | ')'));
    let end = bare.unwrap_or(value.len());
    (between.contains('=') && end > 0).then(|| start..start + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_password_is_hidden_in_place() {
        for (text, shown) in [
            (
                r#"bmc password="hunter2" x=1"#,
                r#"bmc password="*******" x=1"#,
            ),
            (r#"password "a\"b" c"#, r#"password "****" c"#),
            (r#""adminPassword"=geheim;"#, r#""adminPassword"=******;"#),
            (
                r#"address="ipmi://admin:hunter2@127.0.0.1""#,
                r#"address="ipmi://*************@127.0.0.1""#,
            ),
            (
                r#"password="https://a:b@c/""#,
                r#"password="**************""#,
            ),
            (r#"passwd="é"#, r#"passwd="**"#),
        ] {
            assert_eq!(veiled(text), shown);
            assert_eq!(veiled(text).len(), text.len());
        }
        for plain in [
            "bmc credentials=(secret)bmc",
            "password=(secret)bmc",
            "// the password is wrong",
            r#"url "https://127.0.0.1/a@b""#,
            "password",
            "",
        ] {
            assert_eq!(veiled(plain), plain);
        }
    }
}
