//! What is wrong with what a spec says of its machines, found without reaching for any of them: so
//! that `check` refuses what `run` would.

use std::path::Path;

use crate::cli::spec;
use crate::diag::{Code, Diagnostic, Place, Span};
use crate::eval::Evaluation;
use crate::provision::sim::{Options, OptionsError, ScriptError};

/// MF7120 and MF7121. `root` is the path of the spec; the fault script beside it is read.
pub(in crate::cli) fn findings(evaluation: &Evaluation, root: &Path) -> Vec<Diagnostic> {
    let fleet = &evaluation.fleet;
    let (Some(simulation), Some(origin)) = (&fleet.simulation, fleet.simulation_origin) else {
        return Vec::new();
    };
    let place = origin.place();
    if let Some(ironic) = fleet.ironics.first() {
        let finding = Diagnostic::error(
            Code(7120),
            format!(
                "the machines are simulated, and those of ironic `{}`",
                ironic.name
            ),
            place,
            "simulated",
        )
        .label(ironic.origin.place(), "in the books of an Ironic")
        .help("leave one of them out: invented machines have no place in an Ironic");
        return vec![finding];
    }
    match Options::from_spec(simulation, spec::folder(root)) {
        Ok(_) => Vec::new(),
        Err(error) => vec![told(&error, place, evaluation)],
    }
}

fn told(error: &OptionsError, place: Place, evaluation: &Evaluation) -> Diagnostic {
    let OptionsError::Script(error) = error else {
        return Diagnostic::error(Code(7121), error.to_string(), place, "");
    };
    // A line in the spec is shown where it stands; one of a file is named.
    let written = &evaluation.files.text(place.file)[place.span.range()];
    let found = nth(written, error).filter(|_| !error.text.is_empty());
    let finding = match found {
        Some(at) => {
            let before = error.text.chars().take(error.column - 1);
            let at = place.span.start + at as u32;
            let from = at + before.map(char::len_utf8).sum::<usize>() as u32;
            let rest = &error.text[(from - at) as usize..];
            let word = rest.split_whitespace().next().map_or(0, str::len) as u32;
            let place = Span::new(from, from + word).in_file(place.file);
            Diagnostic::error(Code(7121), error.message.as_str(), place, "")
        }
        None => {
            let message = format!(
                "{}:{}:{}: {}",
                error.place, error.line, error.column, error.message
            );
            Diagnostic::error(Code(7121), message, place, "").note(error.text.trim())
        }
    };
    finding.help(error.help.as_str())
}

/// Where the text of an error stands in what is written of all faults: lines before it may have it
/// in them. `fault 2` is the second.
fn nth(written: &str, error: &ScriptError) -> Option<usize> {
    let number: usize = error.place.strip_prefix("fault ")?.parse().ok()?;
    let whole = format!("\"{}\"", error.text);
    let starts = written.match_indices('"').map(|(at, _)| at).step_by(2);
    let at = starts
        .skip(number - 1)
        .find(|at| written[*at..].starts_with(&whole));
    at.map(|at| at + 1)
}
