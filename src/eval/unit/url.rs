//! URLs of images, firmware and management controllers.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{HOLDS_SECRET, MISMATCH, OUT_OF_RANGE, UNKNOWN_WORD, UnitError, name, quoted};

/// A URL in its parts, as written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Url<'t> {
    /// The whole text.
    pub text: &'t str,
    /// Before `://`, in lower case.
    pub scheme: &'t str,
    /// A name or an address, IPv6 without its brackets; empty only for `file`.
    pub host: &'t str,
    /// The port, where one is written.
    pub port: Option<u16>,
    /// Path, query and fragment, starting with `/`, `?` or `#`; may be empty.
    pub path: &'t str,
}

/// The text; a URL that holds a password is never made.
impl fmt::Debug for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.text, f)
    }
}

/// Reads a URL whose scheme is one of `schemes`; an empty list allows any.
///
/// User names and passwords are refused (MF3403), and never repeated in the error.
pub fn url<'t>(text: &'t str, schemes: &[&str]) -> Result<Url<'t>, UnitError> {
    let error = |code, message: String| UnitError::new(code, message, expected(schemes, false));
    let scheme_error = |code, message| UnitError::new(code, message, expected(schemes, true));
    let shown = quoted(&without_password(text));
    if let Some(odd) = text.chars().find(|c| c.is_whitespace() || c.is_control()) {
        return Err(error(
            MISMATCH,
            format!("{shown} holds `{}`", odd.escape_default()),
        )
        .maybe_fix((text.trim() != text && !text.contains('@')).then(|| text.trim().into())));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(scheme_error(MISMATCH, format!("{shown} has no scheme")));
    };
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        || !scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
    {
        return Err(scheme_error(
            MISMATCH,
            format!("{shown} does not start with a scheme"),
        ));
    }
    let split = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(split);
    let secret = || {
        UnitError::new(
            HOLDS_SECRET,
            format!("{shown} has a user name or password in it"),
            "put credentials into a secret, and refer to it with `(secret)name`",
        )
    };
    if let Some((_, host)) = authority.rsplit_once('@') {
        return Err(secret().fix(format!("{scheme}://{host}{path}")));
    }
    // A password with a `/` in it cuts the authority short: its start is no port.
    if path.contains('@')
        && !authority.starts_with('[')
        && authority
            .split_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_err())
    {
        return Err(secret());
    }
    let known = schemes.is_empty() || schemes.contains(&scheme);
    if !known || scheme.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let fix = nearest(&scheme.to_ascii_lowercase(), schemes)
            .map(|scheme| format!("{scheme}://{rest}"));
        let message = if known || schemes.contains(&&*scheme.to_ascii_lowercase()) {
            format!("the scheme {} is not in lower case", quoted(scheme))
        } else {
            format!("unknown scheme {}", quoted(scheme))
        };
        return Err(scheme_error(UNKNOWN_WORD, message).maybe_fix(fix));
    }
    let (host, port) = if let Some(inner) = authority.strip_prefix('[') {
        let Some((address, after)) = inner.split_once(']') else {
            return Err(error(MISMATCH, format!("{shown} has `[` without `]`")));
        };
        if address.parse::<Ipv6Addr>().is_err() {
            return Err(error(
                MISMATCH,
                format!("{} is not an IPv6 address", quoted(address)),
            ));
        }
        match after.strip_prefix(':') {
            Some(port) => (address, Some(port)),
            None if after.is_empty() => (address, None),
            None => return Err(error(MISMATCH, format!("{shown} has text after `]`"))),
        }
    } else {
        if authority.parse::<Ipv6Addr>().is_ok() {
            return Err(error(
                MISMATCH,
                format!("IPv6 in a URL stands in brackets: {shown}"),
            )
            .fix(format!("{scheme}://[{authority}]{path}")));
        }
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    if host.is_empty() && scheme != "file" {
        return Err(error(MISMATCH, format!("{shown} has no host")));
    }
    if !host.is_empty() && !authority.starts_with('[') {
        check_host(host).map_err(|message| error(MISMATCH, message))?;
    }
    let port = match port {
        None => None,
        Some(digits) => Some(match digits.parse::<u32>() {
            Ok(port @ 1..=65_535) if !digits.starts_with('+') => port as u16,
            Ok(_) => {
                let message = format!("the port {} is not 1 to 65535", quoted(digits));
                return Err(error(OUT_OF_RANGE, message));
            }
            Err(_) => return Err(error(MISMATCH, format!("{} is not a port", quoted(digits)))),
        }),
    };
    Ok(Url {
        text,
        scheme,
        host,
        port,
        path,
    })
}

fn check_host(host: &str) -> Result<(), String> {
    // What looks like an address has to be one: `10.0.0.300` would pass as a name.
    let numeric = host
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if numeric && host.parse::<Ipv4Addr>().is_err() {
        return Err(format!("{} is not an IPv4 address", quoted(host)));
    }
    name::hostname(host)
        .map(drop)
        .map_err(|error| error.message)
}

fn expected(schemes: &[&str], list: bool) -> String {
    let Some(first) = schemes.first() else {
        return "a URL is written like `https://images.example.net/disk.qcow2`".into();
    };
    let mut out = format!("a URL is expected, such as `{first}://host.example.net/path`");
    if list && schemes.len() > 1 {
        let names: Vec<String> = schemes.iter().map(|scheme| format!("`{scheme}`")).collect();
        out.push_str("; schemes are ");
        out.push_str(&names.join(", "));
    }
    out
}

/// The scheme that was probably meant.
fn nearest(written: &str, schemes: &[&str]) -> Option<String> {
    if schemes.is_empty() {
        return Some(written.to_owned());
    }
    let most = written.len().max(3) / 3;
    let mut found: Vec<(usize, &str)> = schemes
        .iter()
        .map(|scheme| (strsim::damerau_levenshtein(written, scheme), *scheme))
        .filter(|(off, _)| *off <= most)
        .collect();
    found.sort_unstable();
    match *found {
        [(off, _), (next, _), ..] if off == next => None,
        [(_, scheme), ..] => Some(scheme.to_owned()),
        [] => None,
    }
}

/// The text with `…` for what stands before the `@` of its authority.
fn without_password(text: &str) -> String {
    let start = match text.find("://") {
        Some(at) if !text[..at].contains('@') => at + 3,
        _ => 0,
    };
    let end = text[start..]
        .find(['/', '?', '#'])
        .map_or(text.len(), |at| start + at);
    // A password may hold a `/`, written wrongly: then hide up to the last `@`.
    match text[start..end]
        .rfind('@')
        .or_else(|| text[start..].rfind('@'))
    {
        Some(at) => format!("{}…{}", &text[..start], &text[start + at..]),
        None => text.to_owned(),
    }
}
