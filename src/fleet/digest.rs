//! Digests of results: SHA-256 of canonical JSON.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::{Fields, Item, Value};
use crate::schema::Paths;

/// A SHA-256, shown as lower-case hex.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Digest {
    /// Whether `text` is this digest as it is shown. Cheaper than showing it.
    pub fn is(&self, text: &str) -> bool {
        let digit = |half: u8| b"0123456789abcdef"[usize::from(half & 15)];
        let text = text.as_bytes();
        text.len() == 64
            && self
                .0
                .iter()
                .zip(text.chunks_exact(2))
                .all(|(byte, pair)| [digit(byte >> 4), digit(*byte)] == *pair)
    }

    /// Of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

/// Writes canonical JSON and hashes it; the buffer is used again and again.
#[derive(Debug, Default)]
pub struct Canonical {
    text: Vec<u8>,
}

impl Canonical {
    /// Of one instance: `{"edition":…,"fields":{path:value,…},"name":…}`, paths sorted.
    pub(crate) fn digest(
        &mut self,
        edition: &str,
        name: &str,
        items: &[Item],
        paths: &Paths,
    ) -> Digest {
        self.text.clear();
        self.text.extend_from_slice(b"{\"edition\":");
        write_string(edition, &mut self.text);
        self.text.extend_from_slice(b",\"fields\":{");
        self.fields(items, paths);
        self.text.extend_from_slice(b"},\"name\":");
        write_string(name, &mut self.text);
        self.text.push(b'}');
        Digest::of(&self.text)
    }

    /// The same for fields that were made already.
    pub fn of(&mut self, edition: &str, name: &str, fields: &Fields) -> Digest {
        self.digest(edition, name, &fields.items, &fields.paths)
    }

    fn fields(&mut self, items: &[Item], paths: &Paths) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.text.push(b',');
            }
            write_string(&paths.get(item.path).text, &mut self.text);
            self.text.push(b':');
            write_value(&item.value, &mut self.text);
        }
    }
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Present => out.extend_from_slice(b"{}"),
        Value::Bool(value) => {
            out.extend_from_slice(if *value { &b"true"[..] } else { &b"false"[..] });
        }
        Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Text(text) => write_string(text, out),
        // Sizes and durations are tagged, so that no text or number is taken for one.
        Value::Size(bytes) => {
            out.extend_from_slice(format!("{{\"bytes\":{bytes}}}").as_bytes());
        }
        Value::Duration(time) => {
            out.extend_from_slice(format!("{{\"ms\":{}}}", time.as_millis()).as_bytes());
        }
        Value::Ref(reference) => {
            out.push(b'{');
            write_string(reference.kind.word(), out);
            out.push(b':');
            write_string(&reference.name, out);
            out.push(b'}');
        }
        Value::List(texts) => {
            out.push(b'[');
            for (index, text) in texts.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(text, out);
            }
            out.push(b']');
        }
    }
}

/// A JSON string; only what JSON demands is escaped.
fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    if text.bytes().all(|c| c >= 0x20 && c != b'"' && c != b'\\') {
        out.extend_from_slice(text.as_bytes());
    } else {
        for c in text.bytes() {
            match c {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', c]),
                0..0x20 => out.extend_from_slice(format!("\\u{c:04x}").as_bytes()),
                c => out.push(c),
            }
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_json() {
        let mut out = Vec::new();
        write_string("a\"b\\c\n", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "\"a\\\"b\\\\c\\u000a\"");
    }

    #[test]
    fn a_digest_shows_as_hex() {
        let digest = Digest::of(b"");
        assert!(digest.to_string().starts_with("e3b0c44298fc1c14"));
        assert!(digest.is(&digest.to_string()));
        for other in [Digest::of(b"a").to_string(), String::new(), "e3".to_owned()] {
            assert!(!digest.is(&other), "{other}");
        }
    }
}
