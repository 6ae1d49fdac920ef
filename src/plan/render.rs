//! The plan for people: grouped by identical change, worst first, folded host sets.

mod group;
mod layout;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::eval::range::fold;

use super::{Disruption, Kept, KeptFor, Plan, Ruling, Verb};

use self::group::{Group, groups};
use self::layout::Table;

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

    /// A text in a colour; without colours just the text.
    fn paint(self, colour: &str, text: &str) -> String {
        if colour.is_empty() {
            text.to_owned()
        } else {
            format!("{colour}{text}{}", self.off)
        }
    }
}

/// Columns of a plan that nobody reads on a terminal.
pub const WIDTH: usize = 110;

/// Renders a judged plan for so many columns. `""` is never returned: a plan without actions says
/// so.
pub fn render(plan: &Plan, rulings: &[Ruling<'_>], palette: Palette, width: usize) -> String {
    let mut table = Table::new(width);
    for group in groups(rulings) {
        show(&mut table, &group, palette);
    }
    let mut text = table.to_string();
    for why in [KeptFor::Incomplete, KeptFor::Error] {
        text.push_str(&kept(&plan.kept, why, palette));
    }
    // Writing into a String does not fail.
    if rulings.is_empty() {
        let count = plan.unchanged;
        let hosts = if count == 1 { "host" } else { "hosts" };
        writeln!(
            text,
            "No changes: the store has {count} {hosts} as the spec says."
        )
        .ok();
    } else {
        writeln!(text, "{}", summary(plan, rulings)).ok();
    }
    text
}

fn show(table: &mut Table, group: &Group, palette: Palette) {
    let colour = match (group.disruption, group.verb) {
        (Disruption::Destroy, _) => palette.red,
        (Disruption::Reprovision | Disruption::Clean | Disruption::Reboot, _) => palette.yellow,
        (Disruption::None, Verb::Create) => palette.green,
        (Disruption::None, Verb::Update | Verb::Delete) => "",
    };
    let word = palette.paint(
        colour,
        &format!("{:<11}", word(group.verb, group.disruption)),
    );
    table.head(word, group.names.len(), fold(&group.names));
    for line in &group.lines {
        table.change(&line.text, &line.site);
    }
    for (wait, names) in &group.waits {
        let text = wait.show(names, names.len() == group.names.len());
        let off = if palette.yellow.is_empty() {
            ""
        } else {
            palette.off
        };
        table.note(text, palette.yellow, off);
    }
}

fn word(verb: Verb, disruption: Disruption) -> &'static str {
    match (verb, disruption) {
        (Verb::Create, _) => "create",
        (Verb::Delete | Verb::Update, Disruption::Destroy) => "destroy",
        (Verb::Delete, _) => "delete",
        (Verb::Update, Disruption::None) => "update",
        (Verb::Update, Disruption::Reboot) => "reboot",
        (Verb::Update, Disruption::Clean) => "clean",
        (Verb::Update, Disruption::Reprovision) => "reprovision",
    }
}

fn kept(all: &[Kept], why: KeptFor, palette: Palette) -> String {
    let names: Vec<&str> = all
        .iter()
        .filter(|kept| kept.why == why)
        .map(|kept| &*kept.host.name)
        .collect();
    if names.is_empty() {
        return String::new();
    }
    let reason = match why {
        KeptFor::Incomplete => {
            "the spec could not be read whole, so nothing is removed and no machine disturbed"
        }
        KeptFor::Error => "declared with an error, so it stays as it is",
    };
    let word = palette.paint(palette.yellow, "kept       ");
    format!("{word} {:>4}  {}: {reason}\n", names.len(), fold(&names))
}

fn summary(plan: &Plan, rulings: &[Ruling<'_>]) -> String {
    let count = |verb: Verb| {
        rulings
            .iter()
            .filter(|ruling| ruling.action.verb == verb)
            .count()
    };
    let mut text = format!(
        "{} to create, {} to change, {} to delete, {} unchanged",
        count(Verb::Create),
        count(Verb::Update),
        count(Verb::Delete),
        plan.unchanged
    );
    let held = rulings
        .iter()
        .filter(|ruling| ruling.hold.is_some())
        .count();
    if held > 0 {
        write!(
            text,
            "; {held} of these {}",
            if held == 1 { "waits" } else { "wait" }
        )
        .ok();
    }
    text
}
