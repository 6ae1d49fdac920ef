//! Actions that are the same change for several hosts, as one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::layout::FIXED;
use crate::api::names::applyset;
use crate::diag::printable;
use crate::eval::range::fold;
use crate::plan::fields::difference;
use crate::plan::masked::masked;
use crate::plan::{Action, Disruption, FieldChange, HoldCode, Ruling, Verb};

/// The most lines of changed fields that one group shows.
const MOST_FIELDS: usize = 6;
/// When more groups than this differ in their values alone they become one.
const MOST_ALIKE: usize = 3;
/// The longest value that is shown whole, in characters.
const MOST_VALUE: usize = 48;
/// A shared beginning of two values shorter than this is left in.
const LEAST_SHARED: usize = 12;

/// The same change for several hosts.
pub(super) struct Group {
    pub disruption: Disruption,
    pub verb: Verb,
    pub lines: Vec<Line>,
    /// In the plan's order.
    pub names: Vec<String>,
    /// Why which of them wait.
    pub waits: BTreeMap<Wait, Vec<String>>,
    /// Paths that change.
    paths: Vec<String>,
}

/// One line about what changes.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub text: String,
    pub site: String,
}

/// Why hosts wait, or what was allowed.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wait {
    /// Empty where the text says it all.
    code: &'static str,
    kind: Kind,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Guarded,
    Allowed,
    Refused,
    Other,
}

/// The groups in the plan's order of their first hosts.
pub(super) fn groups(rulings: &[Ruling<'_>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for ruling in rulings {
        let action = ruling.action;
        let lines = lines(action);
        let same = |group: &&mut Group| {
            group.disruption == action.disruption
                && group.verb == action.verb
                && group.lines == lines
        };
        // The last ones first: neighbours are mostly alike.
        let group = match groups.iter_mut().rev().find(same) {
            Some(group) => group,
            None => {
                groups.push(Group {
                    disruption: action.disruption,
                    verb: action.verb,
                    lines,
                    names: Vec::new(),
                    waits: BTreeMap::new(),
                    paths: action
                        .changes
                        .iter()
                        .map(|change| change.path.clone())
                        .collect(),
                });
                match groups.last_mut() {
                    Some(group) => group,
                    None => continue,
                }
            }
        };
        let name = action.host.name.to_string();
        if let Some(wait) = wait(ruling) {
            group.waits.entry(wait).or_default().push(name.clone());
        }
        group.names.push(name);
    }
    let mut groups = join(groups);
    for group in &mut groups {
        if group.lines.len() > MOST_FIELDS {
            let more = group.lines.len() - MOST_FIELDS;
            group.lines.truncate(MOST_FIELDS);
            let text = format!("and {more} more field{}", if more == 1 { "" } else { "s" });
            group.lines.push(Line {
                text,
                site: String::new(),
            });
        }
    }
    groups
}

/// Makes one of many updates of the same fields to other values.
fn join(groups: Vec<Group>) -> Vec<Group> {
    let alike = |a: &Group, b: &Group| {
        a.verb == Verb::Update
            && b.verb == Verb::Update
            && a.disruption == b.disruption
            && a.paths == b.paths
    };
    let many: Vec<bool> = groups
        .iter()
        .map(|group| groups.iter().filter(|other| alike(group, other)).count() > MOST_ALIKE)
        .collect();
    let mut joined: Vec<(Group, bool)> = Vec::new();
    for (group, many) in groups.into_iter().zip(many) {
        let first = joined
            .iter_mut()
            .find(|(first, joins)| many && *joins && alike(first, &group));
        match first {
            Some((first, _)) => {
                for (line, other) in first.lines.iter_mut().zip(&group.lines) {
                    if line.text != other.text {
                        line.text = varies(&line.text);
                    }
                    if line.site != other.site {
                        line.site.clear();
                    }
                }
                first.names.extend(group.names);
                for (wait, names) in group.waits {
                    first.waits.entry(wait).or_default().extend(names);
                }
            }
            None => joined.push((group, many)),
        }
    }
    joined.into_iter().map(|(group, _)| group).collect()
}

/// A line about one value as a line about many.
fn varies(line: &str) -> String {
    const MARK: &str = ", and so on";
    if line.ends_with(MARK) {
        line.to_owned()
    } else {
        format!("{line}{MARK}")
    }
}

fn lines(action: &Action) -> Vec<Line> {
    let only = |text: String| {
        vec![Line {
            text,
            site: String::new(),
        }]
    };
    match action.verb {
        Verb::Create => only(created(&action.changes)),
        Verb::Delete if action.guard.is_some() => Vec::new(),
        Verb::Delete => only("in the spec no more".to_owned()),
        Verb::Update if action.changes.is_empty() && action.refusal.is_some() => Vec::new(),
        Verb::Update if action.changes.is_empty() => {
            only("adopted: it was there already".to_owned())
        }
        Verb::Update => {
            // An image says by its URL what it is; the rest comes with it.
            let image = action
                .changes
                .iter()
                .any(|change| change.path == "spec.image.url");
            let shown = |change: &&FieldChange| {
                !image || change.path == "spec.image.url" || !change.path.starts_with("spec.image.")
            };
            action.changes.iter().filter(shown).map(changed).collect()
        }
    }
}

/// New hosts are grouped by what tells them apart at a glance.
fn created(changes: &[FieldChange]) -> String {
    let find = |path: &str| {
        let found = changes.iter().find(|change| change.path == path);
        found
            .and_then(|change| change.after.as_ref())
            .and_then(Value::as_str)
    };
    let pool = find("pool").map(|pool| format!("pool {pool}"));
    let image = find("spec.image.url").map(|url| format!("image {}", tail(url)));
    let parts: Vec<String> = [pool, image].into_iter().flatten().collect();
    if parts.is_empty() {
        "in no pool".to_owned()
    } else {
        parts.join(", ")
    }
}

fn changed(change: &FieldChange) -> Line {
    // Its id tells nobody anything.
    if change.path == format!("metadata.labels['{}']", applyset::PART_OF) && change.after.is_some()
    {
        return Line {
            text: "becomes a member of the fleet's set".to_owned(),
            site: String::new(),
        };
    }
    let (path, before, after) =
        difference(&change.path, change.before.as_ref(), change.after.as_ref());
    let path = ["spec.", "metadata."]
        .into_iter()
        .find_map(|prefix| path.strip_prefix(prefix))
        .unwrap_or(&path);
    let (before, after) = pair(before, after);
    Line {
        text: format!("{path}: {before} → {after}"),
        site: change.site.to_string(),
    }
}

/// Two values as short as can be: what they share at the beginning is left out.
fn pair(before: Option<&Value>, after: Option<&Value>) -> (String, String) {
    let (before_text, after_text) = (plain(before), plain(after));
    if before.is_none() || after.is_none() {
        return (cut(&before_text), cut(&after_text));
    }
    let shared = before_text
        .char_indices()
        .zip(after_text.chars())
        .take_while(|((_, a), b)| a == b)
        .filter(|((_, c), _)| matches!(c, '/' | '-' | '.' | '_' | ':'))
        .map(|((at, _), _)| at)
        .last()
        .unwrap_or_default();
    if shared < LEAST_SHARED {
        return (cut(&before_text), cut(&after_text));
    }
    let rest = |text: &str| cut(&format!("…{}", &text[shared + 1..]));
    (rest(&before_text), rest(&after_text))
}

fn plain(value: Option<&Value>) -> String {
    match value {
        None => "(none)".to_owned(),
        // Anybody may have written it; it must not steer the terminal.
        Some(Value::String(text)) => printable(&masked(text)).into_owned(),
        Some(other) => other.to_string(),
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MOST_VALUE {
        return text.to_owned();
    }
    let kept: String = text.chars().take(MOST_VALUE - 1).collect();
    format!("{kept}…")
}

/// The end of a long URL.
fn tail(url: &str) -> String {
    match url.rsplit_once('/') {
        Some((_, last)) if url.chars().count() > MOST_VALUE && !last.is_empty() => {
            cut(&format!("…/{last}"))
        }
        _ => cut(url),
    }
}

fn wait(ruling: &Ruling<'_>) -> Option<Wait> {
    let action = ruling.action;
    let wait = |kind, code, text: &str| {
        Some(Wait {
            code,
            kind,
            text: text.to_owned(),
        })
    };
    match (&ruling.hold, &action.guard) {
        (Some(hold), Some(guard)) if hold.code == HoldCode::NeedsAllowDestroy => {
            wait(Kind::Guarded, "", &guard.text)
        }
        (Some(hold), _) if hold.code == HoldCode::Refused => wait(Kind::Refused, "", &hold.text),
        (Some(hold), _) => wait(Kind::Other, hold.code.as_str(), &hold.text),
        (None, Some(guard)) => wait(Kind::Allowed, "", &guard.text),
        (None, None) => None,
    }
}

impl Wait {
    /// The text for these hosts; `all` says that they are the whole group.
    pub fn show(&self, names: &[String], all: bool) -> String {
        let text = &self.text;
        let whom = match (all, names.len()) {
            (true, _) => String::new(),
            (false, 1) => format!("{}: ", fold(names)),
            (false, many) => format!("{many} of them, {}: ", fold(names)),
        };
        match self.kind {
            Kind::Guarded => format!("! {whom}{text}; needs{FIXED}{}", flags(names)),
            Kind::Allowed => format!("! {whom}{text}; allowed"),
            Kind::Refused => format!("refused: {whom}{text}"),
            Kind::Other => format!("waits: {whom}{text} [{}]", self.code),
        }
    }
}

/// What to say on the command line to allow it for these hosts.
fn flags(names: &[String]) -> String {
    let folded = fold(names);
    let flag = |name: &str| match name.contains('[') {
        true => format!("--allow-destroy{FIXED}'{name}'"),
        false => format!("--allow-destroy{FIXED}{name}"),
    };
    folded.split(' ').map(flag).collect::<Vec<_>>().join(" ")
}
