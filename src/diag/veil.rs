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
    // What is called user-data may be the name of a secret: then it stands without quotes.
    let names = [
        ("assw", true),
        ("ASSW", true),
        ("user-data", false),
        ("userData", false),
    ];
    let named = names.into_iter().flat_map(|(name, bare)| {
        let found = text.match_indices(name);
        found.filter_map(move |(at, found)| named(text, at + found.len(), bare))
    });
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
            for c in text[start..range.end].chars() {
                match c {
                    // Lines stay lines.
                    '\n' | '\r' => out.push(c),
                    c => out.extend(std::iter::repeat_n('*', c.len_utf8())),
                }
            }
        }
    }
    out.push_str(&text[out.len()..]);
    Cow::Owned(out)
}

/// `user:password` of a URL whose authority starts at `at`. A password may hold a slash: all up to
/// the last `@` of the word goes.
fn login(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = &text[at..];
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | ';'));
    let word = &rest[..end.unwrap_or(rest.len())];
    let end = word.rfind('@').filter(|end| *end > 0)?;
    Some(at..at + end)
}

/// The value of an entry whose name holds the bytes that end at `at`: of a property, or of a node.
fn named(text: &str, at: usize, bare: bool) -> Option<Range<usize>> {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '"');
    let after_name = text[at..].trim_start_matches(is_name);
    let value = after_name.trim_start_matches([' ', '\t', '=']);
    let between = &after_name[..after_name.len() - value.len()];
    if between.is_empty() {
        return None;
    }
    let value = match value
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(')'))
    {
        // A name, and what it is called by is no secret.
        Some(("secret" | "configmap", _)) => return None,
        Some((_, value)) => value.trim_start_matches([' ', '\t']),
        None => value,
    };
    let start = text.len() - value.len();
    if let Some((open, close)) = quotes(value) {
        let inside = &value[open.len()..];
        let end = closing(inside, &close).unwrap_or(inside.len());
        let start = start + open.len();
        return (end > 0).then(|| start..start + end);
    }
    if !bare {
        return None;
    }
    // A word after a blank is prose ("the password is wrong"), unless the name begins a node.
    let before = text[..at].trim_end_matches(is_name);
    let line = before.rsplit('\n').next().unwrap_or_default().trim_end();
    let is_node = line.is_empty() || line.ends_with(['{', ';']);
    let bare = value.find(|c: char| c.is_whitespace() || matches!(c, ';' | '{' | '}' | '(' | ')'));
    let end = bare.unwrap_or(value.len());
    ((between.contains('=') || is_node) && end > 0).then(|| start..start + end)
}

/// What opens a string here, and what closes it: `"`, `"""`, either with `#` around it.
fn quotes(value: &str) -> Option<(&str, String)> {
    let hashes = value.len() - value.trim_start_matches('#').len();
    let count = if value[hashes..].starts_with("\"\"\"") {
        3
    } else {
        usize::from(value[hashes..].starts_with('"'))
    };
    let open = value.get(..hashes + count).filter(|_| count > 0)?;
    Some((
        open,
        format!("{}{}", "\"".repeat(count), "#".repeat(hashes)),
    ))
}

/// Where the string ends. What is escaped closes no string, but for raw ones; a line break closes
/// one of a single line.
fn closing(inside: &str, close: &str) -> Option<usize> {
    let (raw, lines) = (close.ends_with('#'), close.starts_with("\"\"\""));
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        if (c == '\n' && !lines) || (!escaped && inside[at..].starts_with(close)) {
            return Some(at);
        }
        escaped = !raw && c == '\\' && !escaped;
    }
    None
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
            ("bmc { password hunter2; }", "bmc { password *******; }"),
            (
                "bmc {\n    password hunter2\n}",
                "bmc {\n    password *******\n}",
            ),
            ("PASSWORD=x;", "PASSWORD=*;"),
            (
                r##"user-data "#cloud-config""##,
                r#"user-data "*************""#,
            ),
            (r##"password #"a "b"# c"##, r##"password #"****"# c"##),
            (r##"password=#"a b"#"##, r##"password=#"***"#"##),
            (
                "password \"\"\"\n  a \"b\"\n  \"\"\"\nx",
                "password \"\"\"\n*******\n**\"\"\"\nx",
            ),
            (r#"password=(string)"x" y=1"#, r#"password=(string)"*" y=1"#),
            (
                r#"address="ipmi://admin:hun/ter2@host""#,
                r#"address="ipmi://**************@host""#,
            ),
        ] {
            assert_eq!(veiled(text), shown);
            assert_eq!(veiled(text).len(), text.len());
        }
        for plain in [
            "bmc credentials=(secret)bmc",
            "password=(secret)bmc",
            "user-data cloud-init",
            "deploy debian { user-data (secret)cloud-init; }",
            "// the password is wrong",
            "/* password: see below */",
            r#"password=(secret)"bmc""#,
            "password",
            "",
        ] {
            assert_eq!(veiled(plain), plain);
        }
    }
}
