//! Findings: grouped by rule and site, never one a host.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::effect::Effects;
use crate::diag::{Code, Diagnostic, Place, Subject};
use crate::fleet::{fold, natural};

/// What makes two findings one: the rule, where it is written, and what it is about.
type Key = (u16, Place, String);

/// Findings as they are made; forty hosts of one range give one finding.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings {
    groups: BTreeMap<Key, Group>,
    /// How often something was reported.
    pub said: u64,
    /// What definitions did: no finding yet, and it comes together in the same way.
    pub effects: Effects,
}

#[derive(Debug, Clone)]
struct Group {
    finding: Diagnostic,
    kind: &'static str,
    names: Vec<Arc<str>>,
}

impl Group {
    /// Adds instances. One finding names instances of one kind: hosts, where there are any.
    fn join(&mut self, kind: &'static str, mut names: Vec<Arc<str>>) {
        if self.kind != kind && (self.kind.is_empty() || kind == "host") {
            self.kind = kind;
            self.names.clear();
        }
        if self.kind == kind {
            self.names.append(&mut names);
        }
    }
}

impl Findings {
    /// Adds a finding that is about no instance. The same finding twice counts once.
    pub(super) fn add(&mut self, finding: Diagnostic) {
        self.said += 1;
        let key = (
            finding.code.0,
            finding.primary.place,
            finding.message.clone(),
        );
        self.groups.entry(key).or_insert_with(|| Group {
            finding,
            kind: "",
            names: Vec::new(),
        });
    }

    /// Adds a finding about one instance. `make` is called for the first of a group only; `about`
    /// keeps apart what differs though rule and site are the same (the path).
    pub(super) fn about(
        &mut self,
        kind: &'static str,
        name: &Arc<str>,
        code: u16,
        place: Place,
        about: &str,
        make: impl FnOnce() -> Diagnostic,
    ) {
        self.said += 1;
        let group = self
            .groups
            .entry((code, place, about.to_owned()))
            .or_insert_with(|| Group {
                finding: make(),
                kind,
                names: Vec::new(),
            });
        group.join(kind, vec![Arc::clone(name)]);
    }

    /// Adds what is wrong with an expression while no instance is in sight: the same finding as
    /// that of the instances which read it.
    pub(super) fn trouble(&mut self, finding: Diagnostic) {
        self.said += 1;
        let key = (finding.code.0, finding.primary.place, String::new());
        self.groups.entry(key).or_insert_with(|| Group {
            finding,
            kind: "",
            names: Vec::new(),
        });
    }

    /// Whether there is an error among them.
    pub(super) fn has_errors(&self) -> bool {
        self.groups.values().any(|group| group.finding.is_error())
    }

    /// Takes in what another thread found about later instances.
    pub(super) fn absorb(&mut self, other: Self) {
        self.effects.absorb(other.effects);
        for (key, mut group) in other.groups {
            match self.groups.entry(key) {
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    let names = std::mem::take(&mut group.names);
                    entry.get_mut().join(group.kind, names);
                }
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(group);
                }
            }
        }
    }

    /// The findings, each with its hosts. Not sorted.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        self.groups
            .into_values()
            .map(|group| {
                let Group {
                    mut finding,
                    kind,
                    mut names,
                } = group;
                if names.is_empty() {
                    return finding;
                }
                names.sort_by(|a, b| natural(a, b));
                names.dedup();
                if names.len() > 1 {
                    finding.notes.push(others(&finding.message, kind, &names));
                }
                let path = finding.subject.take().and_then(|subject| subject.path);
                finding.subject = Some(Subject {
                    kind,
                    names: names.iter().map(ToString::to_string).collect(),
                    path,
                });
                finding
            })
            .collect()
    }
}

/// Whom else it concerns: beside the first one where the text names it, else all.
fn others(message: &str, kind: &str, names: &[Arc<str>]) -> String {
    let named = message.contains(&format!("`{}`", names[0]));
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    let (also, more, names) = if named {
        ("also ", "more ", &names[1..])
    } else {
        ("", "", &names[..])
    };
    let plural = if names.len() == 1 { "" } else { "s" };
    format!(
        "{also}affects {} {more}{kind}{plural}: {}",
        names.len(),
        fold(names)
    )
}

/// Drops what is beyond `limit`, errors last, and says so.
pub(super) fn cap(findings: &mut Vec<Diagnostic>, limit: usize) {
    if findings.len() <= limit {
        return;
    }
    let all = findings.len();
    let mut order: Vec<usize> = (0..all).collect();
    order.sort_by_key(|index| std::cmp::Reverse(findings[*index].severity));
    let mut keep = vec![false; all];
    order
        .iter()
        .take(limit)
        .for_each(|index| keep[*index] = true);
    let mut index = 0;
    findings.retain(|_| {
        index += 1;
        keep[index - 1]
    });
    if let Some(place) = findings.first().map(|first| first.primary.place) {
        findings.push(Diagnostic::info(
            Code(9007),
            format!(
                "{} more findings are not shown; the limit is {limit}",
                all - limit
            ),
            place,
            "",
        ));
    }
}
