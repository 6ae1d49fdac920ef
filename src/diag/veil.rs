//! Passwords that stand in a spec where none should: they are in the file, but need not be in the
//! log of a CI job as well.

use std::borrow::Cow;
use std::ops::Range;

/// What a secret is said by in a spec, where a reference `(secret)NAME` belongs: every name and
/// other spelling of a field that takes one. A value in quotes after one of them is hidden.
const NAMES: [&str; 23] = [
    "apiCredentialsName",
    "auth",
    "ca",
    "ca-cert",
    "cacert",
    "credentials",
    "credentialsName",
    "meta-data",
    "metaData",
    "network-data",
    "networkData",
    "ociAuthSecretName",
    "passwd",
    "password",
    "preprovisioning-network-data",
    "preprovisioningNetworkDataName",
    "pull-secret",
    "secret",
    "token",
    "user",
    "user-data",
    "userData",
    "username",
];

/// How much before and after a place is read to see whether it is hidden.
const NEAR: usize = 500;

/// The text with what looks like a password replaced by `*`, byte by byte, so that places stay:
/// user and password of a URL, and the value of whatever is called a password or a secret.
pub(super) fn veiled(text: &str) -> Cow<'_, str> {
    let logins = text
        .match_indices("://")
        .filter_map(|(at, found)| login(text, at + found.len()));
    let named = words(text).filter_map(|word| {
        // What is called a password is one. The others may be the name of a secret: then it stands
        // without quotes.
        let bare = ["assw", "ASSW"].iter().any(|part| word.text.contains(part));
        (bare || NAMES.binary_search(&word.text).is_ok()).then(|| named(text, word, bare))?
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

/// The part of `text` at `span` as it may be shown: hidden as it would be in its line.
pub(crate) fn veiled_at(text: &str, span: Range<usize>) -> Cow<'_, str> {
    let first = text.ceil_char_boundary(span.start.saturating_sub(NEAR));
    let line = text[first..span.start].rfind('\n');
    let first = line.map_or(first, |end| first + end + 1);
    let last = text.floor_char_boundary(text.len().min(span.end + NEAR));
    let inner = span.start - first..span.end - first;
    match veiled(&text[first..last]) {
        Cow::Borrowed(around) => Cow::Borrowed(&around[inner]),
        Cow::Owned(around) => Cow::Owned(around[inner].to_owned()),
    }
}

/// A word that may be a name, and where it ends.
#[derive(Clone, Copy)]
struct Word<'t> {
    text: &'t str,
    end: usize,
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_')
}

fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    text.split(|c| !is_name(c))
        .filter(|word| !word.is_empty())
        .map(move |word| Word {
            text: word,
            end: word.as_ptr().addr() - text.as_ptr().addr() + word.len(),
        })
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

/// The value of the entry whose name is `word`: of a property, or of a node.
fn named(text: &str, word: Word<'_>, bare: bool) -> Option<Range<usize>> {
    let after_name = &text[word.end..];
    let after_name = after_name.strip_prefix('"').unwrap_or(after_name);
    // A colon is no part of KDL, but of what hands are used to.
    let value = after_name.trim_start_matches([' ', '\t', '=', ':']);
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
    let before = text[..word.end - word.text.len()].trim_end_matches('"');
    let line = before.rsplit('\n').next().unwrap_or_default().trim_end();
    let is_node = line.is_empty() || line.ends_with(['{', ';']);
    let bare = value.find(|c: char| c.is_whitespace() || matches!(c, ';' | '{' | '}' | '(' | ')'));
    let end = bare.unwrap_or(value.len());
    let is_value = is_node || between.contains('=') || between.ends_with(':');
    (is_value && end > 0).then(|| start..start + end)
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
    use crate::schema::{Entity, Field, Kind, Type};

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
            (r#"password: "hunter2""#, r#"password: "*******""#),
            (r#""password": "hunter2""#, r#""password": "*******""#),
            ("bmc password:hunter2", "bmc password:*******"),
            ("{ password: hunter2 }", "{ password: ******* }"),
            (r#"credentials="hunter2""#, r#"credentials="*******""#),
            (r#"auth "hunter2""#, r#"auth "*******""#),
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
            r#"secrets "secrets""#,
            r#"author "Ada""#,
            r#"credentials (secret)"bmc""#,
            "credentials bmc",
            "password",
            "",
        ] {
            assert_eq!(veiled(plain), plain);
        }
    }

    #[test]
    fn every_field_that_takes_a_secret_is_known_here() {
        fn check(fields: &[Field]) {
            for field in fields {
                if matches!(field.kind, Kind::Leaf(Type::Secret | Type::Bundle)) {
                    for name in field.also.iter().chain([&field.name]) {
                        assert!(NAMES.contains(name), "{name} takes a secret");
                    }
                }
                check(field.fields());
            }
        }
        assert!(NAMES.is_sorted());
        for entity in Entity::ALL {
            check(entity.fields());
        }
    }

    #[test]
    fn a_part_is_hidden_as_in_its_line() {
        let text = "n1 {\n    bmc password=0penSesame x=1\n}";
        let at = |part: &str| text.find(part).map(|at| at..at + part.len()).unwrap();
        assert_eq!(veiled_at(text, at("0penSesame")), "**********");
        assert_eq!(veiled_at(text, at("x=1")), "x=1");
        assert_eq!(veiled_at(text, at("password")), "password");
        let long = format!("bmc password={} x", "é0".repeat(2 * NEAR));
        let shown = veiled_at(&long, 13..long.len() - 2);
        assert_eq!(shown, "*".repeat(3 * 2 * NEAR));
    }
}
