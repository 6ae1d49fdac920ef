//! Names: of hosts, objects, labels and secrets, by the rules of Kubernetes.

use super::{BAD_LABEL, BAD_NAME, BAD_SECRET, MISMATCH, UnitError, quoted};

const NAME: &str =
    "lower-case letters, digits, `-` and `.`, a letter or digit at both ends, such as `r01-n07`";

/// Checks a name of an object: an RFC 1123 subdomain of at most 253 bytes.
pub fn name(text: &str) -> Result<&str, UnitError> {
    subdomain(text, BAD_NAME, "a name")
}

/// Checks a name of a host: as [`name`], and not a UUID, for the baremetal-operator would take
/// that for the id of an Ironic node.
pub fn host_name(text: &str) -> Result<&str, UnitError> {
    let name = name(text)?;
    if uuid(name).is_ok() {
        return Err(UnitError::new(
            BAD_NAME,
            format!("{} is a UUID, which cannot name a host", quoted(text)),
            "name a host by its place, such as `r01-n07`",
        ));
    }
    Ok(name)
}

/// Checks a name without dots: an RFC 1123 label of at most 63 bytes, as namespaces have.
pub fn name_label(text: &str) -> Result<&str, UnitError> {
    let error = |message: String| {
        UnitError::new(
            BAD_NAME,
            message,
            "lower-case letters, digits and `-`, such as `metal3`",
        )
    };
    if text.len() > 63 {
        return Err(error(format!(
            "{} is longer than 63 characters",
            quoted(text)
        )));
    }
    if is_label(text) {
        return Ok(text);
    }
    let likely = likely_name(text).replace('.', "-");
    Err(error(format!("{} is not a name", quoted(text)))
        .maybe_fix(is_label(&likely).then_some(likely)))
}

/// Checks a name of a Secret or ConfigMap.
pub fn secret_name(text: &str) -> Result<&str, UnitError> {
    subdomain(text, BAD_SECRET, "a Secret's name")
}

/// Checks a key inside a Secret or ConfigMap.
pub fn secret_key(text: &str) -> Result<&str, UnitError> {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if !text.is_empty() && text.len() <= 253 && text.bytes().all(good) && !is_dots(text) {
        return Ok(text);
    }
    Err(UnitError::new(
        BAD_SECRET,
        format!("{} is not a key of a Secret", quoted(text)),
        "letters, digits, `-`, `_` and `.`, at most 253 of them, such as `password`",
    ))
}

fn is_dots(text: &str) -> bool {
    text == "." || text.starts_with("..")
}

/// Checks a host name in DNS: labels of letters, digits and `-`, in any case.
pub fn hostname(text: &str) -> Result<&str, UnitError> {
    let error = |message: String| {
        UnitError::new(
            MISMATCH,
            message,
            "labels of letters, digits and `-`, separated by dots, such as `bmc-07.fra1.example`",
        )
    };
    if let Some(inner) = text.strip_suffix('.')
        && is_subdomain(&inner.to_ascii_lowercase())
    {
        return Err(error(format!("{} ends in a dot", quoted(text))).fix(inner));
    }
    if is_subdomain(&text.to_ascii_lowercase()) && text.split('.').all(|part| part.len() <= 63) {
        return Ok(text);
    }
    Err(error(format!("{} is not a host name", quoted(text))))
}

/// Checks a key of a label or annotation: `role`, or `example.org/role`.
pub fn label_key(text: &str) -> Result<&str, UnitError> {
    let error = |message: String| {
        UnitError::new(
            BAD_LABEL,
            message,
            "a key is a name, or a domain and a name, such as `topology.kubernetes.io/zone`",
        )
    };
    let (domain, name) = match text.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, text),
    };
    if let Some(domain) = domain.filter(|domain| !is_subdomain(domain)) {
        let lower = domain.to_ascii_lowercase();
        return Err(
            error(format!("{} is not a domain", quoted(domain))).maybe_fix(
                (is_subdomain(&lower) && label_key(name).is_ok())
                    .then(|| format!("{lower}/{name}")),
            ),
        );
    }
    if name.contains('/') {
        return Err(error(format!("{} has more than one `/`", quoted(text))));
    }
    if name.is_empty() {
        return Err(error(format!("{} has no name in it", quoted(text))));
    }
    if name.len() > 63 {
        return Err(error(format!(
            "{} is longer than 63 characters",
            quoted(name)
        )));
    }
    if !is_label_text(name) {
        return Err(error(format!("{} is not a key", quoted(text))).maybe_fix(
            likely_label(name).map(|name| domain.map_or(name.clone(), |d| format!("{d}/{name}"))),
        ));
    }
    Ok(text)
}

/// Checks a value of a label; it may be empty.
pub fn label_value(text: &str) -> Result<&str, UnitError> {
    let error = |message: String| {
        UnitError::new(
            BAD_LABEL,
            message,
            "letters, digits, `-`, `_` and `.`, a letter or digit at both ends, such as `r650`",
        )
    };
    if text.len() > 63 {
        return Err(error(format!(
            "{} is longer than 63 characters",
            quoted(text)
        )));
    }
    if text.is_empty() || is_label_text(text) {
        return Ok(text);
    }
    Err(error(format!("{} is not a label value", quoted(text))).maybe_fix(likely_label(text)))
}

/// Reads a UUID in its usual form; the result is in lower case.
pub fn uuid(text: &str) -> Result<String, UnitError> {
    let groups = |text: &str| {
        text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
    };
    if groups(text) {
        return Ok(text.to_ascii_lowercase());
    }
    let inner = text
        .trim_start_matches("urn:uuid:")
        .trim_matches(['{', '}']);
    let hex: String = inner
        .chars()
        .filter(|c| *c != '-')
        .collect::<String>()
        .to_ascii_lowercase();
    let fix = (hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| {
        [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ]
        .join("-")
    });
    Err(UnitError::new(
        MISMATCH,
        format!("{} is not a UUID", quoted(text)),
        "32 hexadecimal digits in groups, such as `1be26c0b-03f2-4d2e-ae87-c02d7f33c123`",
    )
    .maybe_fix(fix))
}

fn subdomain<'t>(text: &'t str, code: u16, what: &str) -> Result<&'t str, UnitError> {
    let error = |message: String| UnitError::new(code, message, format!("{what} has {NAME}"));
    if text.len() > 253 {
        return Err(error(format!(
            "{} is longer than 253 characters",
            quoted(text)
        )));
    }
    if is_subdomain(text) {
        return Ok(text);
    }
    let likely = likely_name(text);
    let message = if text.is_empty() {
        format!("{what} cannot be empty")
    } else {
        format!("{} is not {what}", quoted(text))
    };
    Err(error(message).maybe_fix(is_subdomain(&likely).then_some(likely)))
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_dns_part)
}

fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_dns_part(text)
}

/// One part between dots. Kubernetes limits the length of the whole name only.
fn is_dns_part(part: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !part.is_empty() && part.bytes().all(good) && !part.starts_with('-') && !part.ends_with('-')
}

/// Letters, digits and `-_.` between a letter or digit at both ends.
fn is_label_text(text: &str) -> bool {
    let end = |b: u8| b.is_ascii_alphanumeric();
    let (Some(first), Some(last)) = (text.bytes().next(), text.bytes().next_back()) else {
        return false;
    };
    end(first)
        && end(last)
        && text
            .bytes()
            .all(|b| end(b) || matches!(b, b'-' | b'_' | b'.'))
}

/// `R01_N07` as `r01-n07`.
fn likely_name(text: &str) -> String {
    text.trim_matches(|c: char| !c.is_ascii_alphanumeric())
        .to_ascii_lowercase()
        .replace(['_', ' ', '/'], "-")
}

/// `rack 7` as `rack-7`.
fn likely_label(text: &str) -> Option<String> {
    let likely = text
        .trim_matches(|c: char| !c.is_ascii_alphanumeric())
        .replace([' ', '/', ':', ','], "-");
    (is_label_text(&likely) && likely.len() <= 63).then_some(likely)
}
