//! User names and passwords in URLs. The language takes no such URL, but the object of a host that
//! somebody else wrote may have one, and a plan shows what was there before.

use std::borrow::Cow;

use serde_json::Value;

/// The text with `…` for what stands before the `@` of a URL's authority.
pub(super) fn masked(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        let end = tail.find(|c: char| matches!(c, '/' | '?' | '#') || c.is_whitespace());
        let authority = &tail[..end.unwrap_or(tail.len())];
        out.push_str(head);
        rest = tail;
        if let Some(at) = authority.rfind('@') {
            out.push('…');
            rest = &tail[at..];
        }
    }
    if out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Masks all texts within a value.
pub(super) fn mask(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(masked) = masked(text) {
                *text = masked;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(mask),
        Value::Object(fields) => fields.values_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_passwords_of_urls_are_not_shown() {
        for (text, shown) in [
            (
                "redfish://root:calvin@10.0.0.1/redfish",
                "redfish://…@10.0.0.1/redfish",
            ),
            ("http://a:p@q@h/i", "http://…@h/i"),
            ("http://u@h and http://v:w@i", "http://…@h and http://…@i"),
            (
                "oci://registry/image@sha256:0f",
                "oci://registry/image@sha256:0f",
            ),
            ("somebody@example.net", "somebody@example.net"),
        ] {
            assert_eq!(masked(text), shown);
        }
        let mut value = serde_json::json!({ "a": ["http://u:p@h", 1, null] });
        mask(&mut value);
        assert_eq!(value, serde_json::json!({ "a": ["http://…@h", 1, null] }));
    }
}
