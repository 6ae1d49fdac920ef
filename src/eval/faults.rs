//! Faults of simulated machines: the lines of a script, then those in the spec, each with its place.
//!
//! What a line means is the simulation's to say, see [`crate::provision::sim`].

use super::import::Project;
use crate::diag::Span;
use crate::fleet::{Fields, Found, Origin, Text, Value};

/// All lines, and where each is written. Empty lines and comments of a script are none.
pub(super) fn all(fields: &Fields, project: &Project) -> (Vec<Text>, Vec<Origin>) {
    let script = fields.get("simulated.script");
    let script = script.map_or_else(Vec::new, |found| of_script(found, project));
    let own = fields.get("simulated.faults");
    let own = own.map_or_else(Vec::new, |found| of_list(found, project));
    script.into_iter().chain(own).unzip()
}

fn of_script(found: Found<'_>, project: &Project) -> Vec<(Text, Origin)> {
    // One that could not be read was reported.
    let Some(file) = project.scripts.get(&found.origin.place()) else {
        return Vec::new();
    };
    let text = project.files.text(*file);
    let mut start = 0;
    let lines = text.split_inclusive('\n').filter_map(|line| {
        let at = start;
        start += line.len();
        // A comment is no part of what is played: an edit of it changes nothing.
        let code = line.split('#').next().unwrap_or_default();
        let rule = code.trim();
        let at = at + code.len() - code.trim_start().len();
        let span = Span::new(at as u32, (at + rule.len()) as u32);
        (!rule.is_empty()).then(|| (Text::from(rule), span.in_file(*file).into()))
    });
    lines.collect()
}

fn of_list(found: Found<'_>, project: &Project) -> Vec<(Text, Origin)> {
    let Value::List(lines) = found.value else {
        return Vec::new();
    };
    let place = found.origin.place();
    let written = &project.files.text(place.file)[place.span.range()];
    // What is commented out is no line, and what is escaped is not found: then the whole list is
    // pointed at.
    let plain = !["/-", "/*", "//"].iter().any(|mark| written.contains(mark));
    let mut from = 0;
    let origin = |line: &Text| {
        let quoted = format!("\"{line}\"");
        let found_at = written[from..].find(&quoted).filter(|_| plain);
        let Some(at) = found_at.map(|at| from + at + 1) else {
            return found.origin;
        };
        from = at + line.len();
        let start = place.span.start + at as u32;
        let span = Span::new(start, start + line.len() as u32);
        span.in_file(place.file).into()
    };
    let origins: Vec<Origin> = lines.iter().map(origin).collect();
    lines.iter().cloned().zip(origins).collect()
}
