//! What the controller that leads says of all its hosts at once: the value of an annotation of its
//! Lease.
//!
//! What holds up all hosts is not written to each of them. Whoever looks at a cluster finds it
//! here. No secrets: addresses have no credentials, and errors are texts that hosts' statuses might
//! have as well.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::wire::optional_time;

/// The word. Equal states give equal texts. Fields that a newer version adds are passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Word {
    /// Whose word it is, as the Lease names its holder. Another holder may leave annotations as they
    /// are: then this is not its word.
    pub holder: String,
    /// Its version of metalform.
    pub version: String,
    /// Where it works; empty for all namespaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// No real machine is driven.
    #[serde(skip_serializing_if = "is_false")]
    pub simulated: bool,
    /// What drives machines.
    pub ironics: Vec<Ironic>,
    /// Hosts that are left alone because nothing here drives their machines.
    #[serde(skip_serializing_if = "is_zero")]
    pub left_alone: usize,
    /// The API server refuses what is written, or does not tell of what is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<Cause>,
}

/// An Ironic, or simulated machines in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ironic {
    /// The names by which hosts have it, sorted.
    pub names: Vec<String>,
    /// Where it is, without credentials; empty for simulated machines.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// Why nothing is seen of its machines, if that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Cause>,
    /// By kind (`inspect`, `clean`, `deploy`), how much is under way.
    pub slots: BTreeMap<String, Slots>,
}

/// Something that holds up hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cause {
    /// One of the codes of what a host waits for.
    pub code: String,
    /// The last error, in one line.
    pub text: String,
    /// Since when.
    #[serde(with = "optional_time", skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// How many hosts wait.
    pub hosts: usize,
}

/// How many machines may be at something at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Slots {
    /// So many are.
    pub used: usize,
    /// So many may be.
    pub of: usize,
    /// So many hosts wait for one.
    #[serde(skip_serializing_if = "is_zero")]
    pub waiting: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(value: &usize) -> bool {
    *value == 0
}

impl Word {
    /// The word in this annotation; `None` for what is none.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The annotation's value.
    pub fn text(&self) -> String {
        // Of texts, numbers and maps by text: it does not fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// True when it is about hosts of this namespace.
    pub fn covers(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|known| known == namespace)
    }

    /// What drives the hosts that name this Ironic.
    pub fn ironic(&self, name: &str) -> Option<&Ironic> {
        let mut all = self.ironics.iter();
        all.find(|ironic| ironic.names.iter().any(|known| known == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word() -> Word {
        Word {
            holder: "pod_1".into(),
            version: "0.1.0".into(),
            namespaces: vec!["metal3".into()],
            ironics: vec![Ironic {
                names: vec!["default".into()],
                url: "http://i:6385".into(),
                held: Some(Cause {
                    code: "ProvisionerDown".into(),
                    text: "Ironic at http://i:6385 does not answer: refused".into(),
                    since: Some("2026-01-01T00:00:00.7Z".parse().unwrap()),
                    hosts: 5,
                }),
                slots: BTreeMap::from([(
                    "deploy".into(),
                    Slots {
                        used: 2,
                        of: 2,
                        waiting: 7,
                    },
                )]),
            }],
            ..Word::default()
        }
    }

    #[test]
    fn it_is_short_and_comes_back_as_it_was() {
        let text = word().text();
        insta::assert_snapshot!(text, @r#"{"holder":"pod_1","version":"0.1.0","namespaces":["metal3"],"ironics":[{"names":["default"],"url":"http://i:6385","held":{"code":"ProvisionerDown","text":"Ironic at http://i:6385 does not answer: refused","since":"2026-01-01T00:00:00Z","hosts":5},"slots":{"deploy":{"used":2,"of":2,"waiting":7}}}]}"#);
        let read = Word::read(&text).unwrap();
        assert_eq!(read.text(), text);
        assert_eq!(read.ironics[0].slots, word().ironics[0].slots);
    }

    #[test]
    fn one_of_another_version_is_read_as_far_as_it_is_known() {
        let read = Word::read(r#"{"holder":"a","moon":{"phase":1},"ironics":[{"names":["x"]}]}"#);
        let read = read.unwrap();
        assert!(read.ironic("x").is_some() && read.ironic("y").is_none());
        assert_eq!(Word::read("what a person wrote"), None);
    }

    #[test]
    fn without_namespaces_it_is_about_all() {
        assert!(word().covers("metal3") && !word().covers("other"));
        assert!(Word::default().covers("other"));
    }
}
