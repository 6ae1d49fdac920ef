//! What a request asks for beside its path. What is not understood is refused: a selector that is
//! left out selects everything, and a client that deletes what a list gives would delete it all.

use crate::store::{Object, Version};

/// The parts of a query string that matter here.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub watch: bool,
    pub version: Option<Version>,
    pub manager: Option<String>,
    pub force: bool,
    /// A watch ends after so many seconds.
    pub timeout: Option<u64>,
    labels: Vec<Label>,
    /// `metadata.name` and `metadata.namespace`: which one, equal or not, value.
    fields: Vec<(Field, bool, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Name,
    Namespace,
}

/// One requirement of a label selector.
#[derive(Debug, PartialEq, Eq)]
enum Label {
    Is(String, String),
    IsNot(String, String),
    There(String),
    Absent(String),
}

impl Query {
    /// Reads a query string.
    ///
    /// # Errors
    /// Says what is not understood.
    pub fn parse(query: Option<&str>) -> Result<Self, String> {
        let mut parsed = Self::default();
        let pairs = query.unwrap_or_default().split('&');
        for pair in pairs.filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value);
            match name {
                "watch" => parsed.watch = flag(name, &value)?,
                "force" => parsed.force = flag(name, &value)?,
                "resourceVersion" if value.is_empty() => {}
                "resourceVersion" => parsed.version = Some(Version(number(name, &value)?)),
                "timeoutSeconds" => parsed.timeout = Some(number(name, &value)?),
                "fieldManager" => parsed.manager = Some(value),
                "labelSelector" => parsed.labels = labels(&value)?,
                "fieldSelector" => parsed.fields = fields(&value)?,
                // All is given at once, so nobody has a place to go on from.
                "continue" if value.is_empty() => {}
                "continue" | "dryRun" | "sendInitialEvents" => {
                    return Err(format!("`{name}` is not supported"));
                }
                // `limit`, `pretty`, `allowWatchBookmarks`, `resourceVersionMatch` and the like: a
                // server may give more than was asked for, and newer than was asked for.
                _ => {}
            }
        }
        Ok(parsed)
    }

    /// Whether a list or a watch shows this object.
    pub fn selects<K: Object>(&self, object: &K) -> bool {
        let meta = object.meta();
        let label = |key: &str| meta.labels.as_ref().and_then(|labels| labels.get(key));
        let labels = self.labels.iter().all(|wanted| match wanted {
            Label::Is(key, value) => label(key) == Some(value.as_str()),
            Label::IsNot(key, value) => label(key) != Some(value.as_str()),
            Label::There(key) => label(key).is_some(),
            Label::Absent(key) => label(key).is_none(),
        });
        let fields = self.fields.iter().all(|(field, equal, value)| {
            let found = match field {
                Field::Name => meta.name.as_deref(),
                Field::Namespace => meta.namespace.as_deref(),
            };
            (found == Some(value.as_str())) == *equal
        });
        labels && fields
    }
}

fn flag(name: &str, value: &str) -> Result<bool, String> {
    match value {
        "" | "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(format!("`{name}={value}`: neither true nor false")),
    }
}

fn number(name: &str, value: &str) -> Result<u64, String> {
    let parsed = value.parse();
    parsed.map_err(|_| format!("`{name}={value}`: not a number"))
}

/// `a=b`, `a==b`, `a!=b`, `a`, `!a`, by commas. Not `a in (b, c)`.
fn labels(text: &str) -> Result<Vec<Label>, String> {
    let parts = text.split(',').filter(|_| !text.trim().is_empty());
    let one = |part: &str| {
        let refused = || {
            Err(format!(
                "label selector `{text}`: `{part}` is not understood"
            ))
        };
        let (label, key) = match relation(part) {
            Some((key, equal, value)) => {
                if !is_label_text(value) && !value.is_empty() {
                    return refused();
                }
                let (own, value) = (key.to_owned(), value.to_owned());
                let label = if equal {
                    Label::Is(own, value)
                } else {
                    Label::IsNot(own, value)
                };
                (label, key)
            }
            None => match part.trim().strip_prefix('!') {
                Some(key) => (Label::Absent(key.trim().to_owned()), key.trim()),
                None => (Label::There(part.trim().to_owned()), part.trim()),
            },
        };
        if is_label_text(key) {
            Ok(label)
        } else {
            refused()
        }
    };
    parts.map(one).collect()
}

fn fields(text: &str) -> Result<Vec<(Field, bool, String)>, String> {
    let parts = text.split(',').filter(|_| !text.trim().is_empty());
    let one = |part: &str| {
        let refused = || format!("field selector `{text}`: `{part}` is not understood");
        let (key, equal, value) = relation(part).ok_or_else(refused)?;
        let field = match key {
            "metadata.name" => Field::Name,
            "metadata.namespace" => Field::Namespace,
            _ => return Err(refused()),
        };
        Ok((field, equal, value.to_owned()))
    };
    parts.map(one).collect()
}

/// Key, whether equal, and value of `a=b`, `a==b` and `a!=b`.
fn relation(part: &str) -> Option<(&str, bool, &str)> {
    let (key, value) = part.split_once('=')?;
    let (key, equal) = match key.strip_suffix('!') {
        Some(key) => (key, false),
        None => (key, true),
    };
    let value = if equal {
        value.strip_prefix('=').unwrap_or(value)
    } else {
        value
    };
    Some((key.trim(), equal, value.trim()))
}

/// The characters of label keys and values.
fn is_label_text(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    !text.is_empty() && text.bytes().all(is_word)
}

/// Percent decoding of a query value.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex: String = rest.by_ref().take(2).map(char::from).collect();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap_or(b'?'));
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::BareMetalHost;

    fn host() -> BareMetalHost {
        let value = serde_json::json!({
            "metadata": {"name": "w1", "namespace": "metal3", "labels": {"role": "worker"}},
            "spec": {"online": true},
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn selectors_select() {
        let selects = |query: &str| Query::parse(Some(query)).unwrap().selects(&host());
        for yes in [
            "",
            "labelSelector=",
            "labelSelector=role%3Dworker",
            "labelSelector=role==worker,role",
            "labelSelector=role!%3Dmaster,%21zone",
            "fieldSelector=metadata.name%3Dw1",
            "fieldSelector=metadata.namespace=metal3,metadata.name!=w2",
        ] {
            assert!(selects(yes), "{yes}");
        }
        for no in [
            "labelSelector=role%3Dmaster",
            "labelSelector=zone",
            "labelSelector=!role",
            "labelSelector=role!=worker",
            "labelSelector=role%3Dworker,zone%3Da",
            "fieldSelector=metadata.name=w2",
            "fieldSelector=metadata.name!=w1",
        ] {
            assert!(!selects(no), "{no}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for query in [
            "labelSelector=role+in+(a,b)",
            "labelSelector=role%3E1",
            "labelSelector=,",
            "labelSelector==a",
            "fieldSelector=spec.online%3Dtrue",
            "fieldSelector=metadata.name",
            "resourceVersion=latest",
            "watch=perhaps",
            "continue=abc",
            "dryRun=All",
        ] {
            Query::parse(Some(query)).expect_err(query);
        }
    }

    #[test]
    fn the_rest_is_read() {
        let text =
            "watch=1&resourceVersion=12&timeoutSeconds=5&fieldManager=me%40x&force=true&limit=5";
        let query = Query::parse(Some(text)).unwrap();
        assert!(query.watch && query.force);
        assert_eq!(query.version, Some(Version(12)));
        assert_eq!(query.timeout, Some(5));
        assert_eq!(query.manager.as_deref(), Some("me@x"));
    }
}
