//! The plan for people: grouped by identical change, worst first, folded host sets.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::eval::range::fold;

use super::{Disruption, FieldChange, Hold, Plan, Ruling, Verb};

/// Colours as escape sequences; empty ones print none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Palette {
    /// Something is lost.
    pub red: &'static str,
    /// Something is disturbed.
    pub yellow: &'static str,
    /// Something is new.
    pub green: &'static str,
    /// Beside the point.
    pub dim: &'static str,
    /// Back to normal.
    pub off: &'static str,
}

impl Palette {
    /// ANSI colours.
    pub const ANSI: Self = Self {
        red: "\u{1b}[31m",
        yellow: "\u{1b}[33m",
        green: "\u{1b}[32m",
        dim: "\u{1b}[2m",
        off: "\u{1b}[0m",
    };
}

/// Lines of one group: the same change for several hosts.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    rank: std::cmp::Reverse<Disruption>,
    verb: Verb,
    lines: Vec<String>,
    hold: Option<(&'static str, String)>,
}

/// The most lines of changed fields that one group shows.
const MOST_FIELDS: usize = 6;

/// Renders a judged plan. `""` is never returned: a plan without actions says so.
pub fn render(plan: &Plan, rulings: &[Ruling<'_>], palette: Palette) -> String {
    let mut text = String::new();
    if rulings.is_empty() {
        let _ = writeln!(text, "No changes: {} as the spec says.", hosts(plan.unchanged, "is", "are"));
    }
    let mut groups: BTreeMap<Group, Vec<String>> = BTreeMap::new();
    for ruling in rulings {
        groups.entry(group(ruling)).or_default().push(ruling.action.host.name.to_string());
    }
    for (group, names) in &groups {
        show(&mut text, group, names, palette);
    }
    if !plan.kept.is_empty() {
        let names = fold(plan.kept.iter().map(|key| key.name.to_string()));
        let _ = writeln!(
            text,
            "{}kept         {}  {names}: the spec could not be read whole, so nothing is removed{}",
            palette.yellow,
            plan.kept.len(),
            palette.off
        );
    }
    if !rulings.is_empty() {
        let held = rulings.iter().filter(|ruling| ruling.hold.is_some()).count();
        let _ = writeln!(text, "{}", summary(plan, rulings, held));
    }
    text
}

fn hosts(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 host {one}") } else { format!("{count} hosts {many}") }
}

fn summary(plan: &Plan, rulings: &[Ruling<'_>], held: usize) -> String {
    let count = |verb: Verb| rulings.iter().filter(|ruling| ruling.action.verb == verb).count();
    let mut text = format!(
        "{} to create, {} to change, {} to delete, {} unchanged",
        count(Verb::Create),
        count(Verb::Update),
        count(Verb::Delete),
        plan.unchanged
    );
    if held > 0 {
        let _ = write!(text, "; {held} held");
    }
    text
}

fn word(verb: Verb, disruption: Disruption) -> &'static str {
    match (verb, disruption) {
        (Verb::Create, _) => "create",
        (Verb::Delete, Disruption::Destroy) | (Verb::Update, Disruption::Destroy) => "destroy",
        (Verb::Delete, _) => "delete",
        (Verb::Update, Disruption::None) => "update",
        (Verb::Update, Disruption::Reboot) => "reboot",
        (Verb::Update, Disruption::Clean) => "clean",
        (Verb::Update, Disruption::Reprovision) => "reprovision",
    }
}

fn group(ruling: &Ruling<'_>) -> Group {
    let action = ruling.action;
    let lines = match action.verb {
        Verb::Create => created(&action.changes),
        Verb::Delete => vec!["in the spec no more".to_owned()],
        Verb::Update => {
            let mut lines: Vec<String> = action.changes.iter().map(changed).collect();
            if lines.len() > MOST_FIELDS {
                let more = lines.len() - MOST_FIELDS;
                lines.truncate(MOST_FIELDS);
                lines.push(format!("and {more} more fields"));
            }
            if lines.is_empty() {
                lines.push("adopted: the host was there already".to_owned());
            }
            lines
        }
    };
    Group {
        rank: std::cmp::Reverse(action.disruption),
        verb: action.verb,
        lines,
        hold: ruling.hold.as_ref().map(|Hold { code, text }| {
            // The host's own name would keep equal holds apart.
            (*code, text.replace(&*action.host.name, "NAME"))
        }),
    }
}

/// New hosts are grouped by what tells them apart at a glance.
fn created(changes: &[FieldChange]) -> Vec<String> {
    let find = |path: &str| {
        let found = changes.iter().find(|change| change.path == path);
        found.and_then(|change| change.after.as_ref()).and_then(Value::as_str)
    };
    let image = find("spec.image.url");
    match (find("pool"), image) {
        (Some(pool), Some(image)) => vec![format!("pool {pool}, image {image}")],
        (Some(pool), None) => vec![format!("pool {pool}")],
        (None, Some(image)) => vec![format!("image {image}")],
        (None, None) => vec!["in no pool".to_owned()],
    }
}

fn changed(change: &FieldChange) -> String {
    let path = change.path.strip_prefix("spec.").unwrap_or(&change.path);
    let value = |value: &Option<Value>| match value {
        None => "(none)".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let mut line = format!("{path}: {} → {}", value(&change.before), value(&change.after));
    if !change.site.is_empty() {
        let _ = write!(line, "   {}", change.site);
    }
    line
}

fn show(text: &mut String, group: &Group, names: &[String], palette: Palette) {
    let word = word(group.verb, group.rank.0);
    let colour = match group.rank.0 {
        Disruption::Destroy => palette.red,
        Disruption::Reprovision | Disruption::Clean | Disruption::Reboot => palette.yellow,
        Disruption::None if group.verb == Verb::Create => palette.green,
        Disruption::None => "",
    };
    let off = if colour.is_empty() { "" } else { palette.off };
    let folded = fold(names.iter().cloned());
    let _ = writeln!(text, "{colour}{word:<11}{off} {:>4}  {folded}", names.len());
    for line in &group.lines {
        let _ = writeln!(text, "                  {line}");
    }
    if let Some((code, hold)) = &group.hold {
        let hold = if names.len() == 1 { hold.replace("NAME", &names[0]) } else { hold.clone() };
        let _ = writeln!(
            text,
            "                  {}waits: {hold}{} {}[{code}]{}",
            palette.yellow, palette.off, palette.dim, palette.off
        );
    }
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
