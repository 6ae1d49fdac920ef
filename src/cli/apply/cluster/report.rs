//! What came of an apply: counts, and why what was refused was.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cli::ending::Wait;
use crate::cli::{Exit, Term};
use crate::diag::one_line;
use crate::fleet::fold;
use crate::plan::{Action, Hold};
use crate::store::{Key, StoreError};

use super::write::{Came, Outcome};

/// What came of the writes so far, by host: the last word on each counts.
#[derive(Default)]
pub(super) struct Report {
    /// Of a saved plan, which is carried out as it is or not at all.
    saved: bool,
    came: BTreeMap<Key, Came>,
    refused: BTreeMap<Key, Refused>,
    held: Vec<(Arc<str>, String)>,
    /// The fleet's own object, in a dry run.
    parent: Option<(String, Result<Came, Refused>)>,
}

/// Why a write was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refused {
    text: String,
    exit: Exit,
}

impl Refused {
    fn of(error: &StoreError) -> Self {
        let (text, exit) = match error {
            StoreError::Owned { fields, owner, .. } => {
                (format!("{fields} held by {owner}"), Exit::No)
            }
            StoreError::Invalid { reason, .. } => (reason.clone(), Exit::No),
            StoreError::Conflict { .. } => {
                ("changed since it was looked at".to_owned(), Exit::Stale)
            }
            error => (error.to_string(), Exit::Remote),
        };
        Self { text, exit }
    }

    fn help(&self, saved: bool) -> Option<&'static str> {
        match self.exit {
            Exit::Stale if saved => {
                Some("what was written stays; make the plan again for what is left")
            }
            Exit::Stale => Some("say `apply` again: it looks at these hosts anew"),
            Exit::No if self.text.contains(" held by ") => {
                Some("--force-conflicts takes these fields; or take the line out of the spec")
            }
            _ => None,
        }
    }
}

impl Report {
    pub fn of(saved: bool) -> Self {
        Self {
            saved,
            ..Self::default()
        }
    }

    /// Takes what came of some writes.
    pub fn take(&mut self, outcomes: Vec<Outcome>) {
        for (key, outcome) in outcomes {
            self.refused.remove(&key);
            match outcome {
                Ok(came) => drop(self.came.insert(key, came)),
                Err(error) => drop(self.refused.insert(key, Refused::of(&error))),
            }
        }
    }

    /// Takes what came of the fleet's own object.
    pub fn parent(&mut self, name: &str, written: Result<Came, StoreError>) {
        let written = written.map_err(|error| Refused::of(&error));
        self.parent = Some((name.to_owned(), written));
    }

    /// Takes what waits.
    pub fn hold(&mut self, held: &[(&Action, Hold)]) {
        let held = held.iter().map(|(action, hold)| {
            let text = format!("{} [{}]", hold.text, hold.code);
            (Arc::clone(&action.host.name), text)
        });
        self.held.extend(held);
    }

    /// True for a host that the server refused for good: a second try comes to the same.
    pub fn is_refused(&self, key: &Key) -> bool {
        let refused = self.refused.get(key);
        refused.is_some_and(|refused| refused.exit != Exit::Stale)
    }

    /// True when hosts changed between looking and writing.
    pub fn is_late(&self) -> bool {
        self.refused
            .values()
            .any(|refused| refused.exit == Exit::Stale)
    }

    /// What is not done without a person: hosts that the server refused for good.
    pub fn waits(&self) -> Vec<Wait> {
        let refused = self.refused.iter().filter(|(key, _)| self.is_refused(key));
        let wait = |(key, refused): (&Key, &Refused)| Wait {
            host: key.name.to_string(),
            text: refused.text.clone(),
            code: "NotWritten".to_owned(),
            guarded: true,
        };
        refused.map(wait).collect()
    }

    /// The worst of it.
    pub fn exit(&self) -> Exit {
        let parent = self.parent.iter().filter_map(|(_, it)| it.as_ref().err());
        let all = self.refused.values().chain(parent);
        let worst = all
            .map(|refused| refused.exit)
            .max_by_key(|exit| *exit as u8);
        worst.unwrap_or(Exit::Success)
    }

    /// `3 created, 1 changed`.
    pub fn summary(&self) -> String {
        if self.came.is_empty() && self.refused.is_empty() {
            return "no host was written".to_owned();
        }
        let count = |came: Came| self.came.values().filter(|one| **one == came).count();
        let parts: Vec<String> = [Came::Created, Came::Changed, Came::Deleted, Came::Unchanged]
            .into_iter()
            .map(|came| (count(came), came.word()))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        let refused = self.refused.len();
        let refused = (refused > 0).then(|| format!("{refused} refused"));
        let all: Vec<String> = parts.into_iter().chain(refused).collect();
        all.join(", ")
    }

    /// Says what was refused, the same for several hosts once.
    pub fn say(&self, term: &Term) {
        for (refused, names) in self.groups() {
            term.error(&format!("{}: {}", fold(&names), one_line(&refused.text)));
            if let Some(help) = refused.help(self.saved) {
                term.help(help);
            }
        }
    }

    fn groups(&self) -> Vec<(&Refused, Vec<Arc<str>>)> {
        let mut groups: Vec<(&Refused, Vec<Arc<str>>)> = Vec::new();
        for (key, refused) in &self.refused {
            let name = Arc::clone(&key.name);
            match groups.iter_mut().find(|(known, _)| *known == refused) {
                Some((_, names)) => names.push(name),
                None => groups.push((refused, vec![name])),
            }
        }
        groups
    }

    /// A line for all hosts of which the server said the same.
    pub fn table(&self, unchanged: usize) -> String {
        let mut lines = Vec::new();
        if let Some((name, written)) = &self.parent {
            lines.push(match written {
                Ok(came) => format!("{:<10} Fleet {name}", came.word()),
                Err(refused) => {
                    format!(
                        "{:<10} Fleet {name}: {}",
                        "refused",
                        one_line(&refused.text)
                    )
                }
            });
        }
        for came in [Came::Created, Came::Changed, Came::Deleted, Came::Unchanged] {
            let names = self.came.iter().filter(|(_, one)| **one == came);
            let names: Vec<Arc<str>> = names.map(|(key, _)| Arc::clone(&key.name)).collect();
            if !names.is_empty() {
                lines.push(format!("{:<10} {}", came.word(), fold(&names)));
            }
        }
        for (refused, names) in self.groups() {
            let text = one_line(&refused.text);
            lines.push(format!("{:<10} {}: {text}", "refused", fold(&names)));
        }
        for (name, text) in &self.held {
            lines.push(format!("{:<10} {name}: {}", "waits", one_line(text)));
        }
        if unchanged > 0 {
            let hosts = if unchanged == 1 {
                "host is"
            } else {
                "hosts are"
            };
            lines.push(format!("{unchanged} {hosts} as the spec says"));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("m", name)
    }

    fn owned(name: &str) -> StoreError {
        StoreError::Owned {
            kind: "BareMetalHost",
            key: key(name),
            fields: ".spec.online".to_owned(),
            owner: "\"kubectl-edit\"".to_owned(),
        }
    }

    #[test]
    fn what_was_not_done_is_not_counted() {
        assert_eq!(Report::default().summary(), "no host was written");
        let mut report = Report::default();
        report.take(vec![(key("n1"), Err(owned("n1")))]);
        assert_eq!(report.summary(), "1 refused");
    }

    #[test]
    fn the_same_of_several_hosts_is_said_once_and_the_last_word_counts() {
        let mut report = Report::default();
        let late = StoreError::Conflict {
            kind: "BareMetalHost",
            key: key("n3"),
            expected: crate::store::Version(1),
            found: crate::store::Version(2),
        };
        report.take(vec![
            (key("n1"), Err(owned("n1"))),
            (key("n2"), Err(owned("n2"))),
            (key("n3"), Err(late)),
            (key("n4"), Ok(Came::Created)),
        ]);
        assert!(report.is_late() && report.is_refused(&key("n1")));
        assert!(!report.is_refused(&key("n3")), "it is looked at again");
        assert_eq!(report.exit(), Exit::Stale);
        report.take(vec![(key("n3"), Ok(Came::Changed))]);
        assert_eq!(report.exit(), Exit::No);
        assert_eq!(report.summary(), "1 created, 1 changed, 2 refused");
        insta::assert_snapshot!(report.table(7), @r#"
        created    n4
        changed    n3
        refused    n[1-2]: .spec.online held by "kubectl-edit"
        7 hosts are as the spec says
        "#);
    }
}
