//! `metalform check`.

use std::time::Instant;

use clap::ValueEnum;

use crate::diag::{self, Severity};
use crate::eval::Cache;

use super::{Exit, Failure, SpecArgs, Term, spec};

/// Check a spec offline: syntax, evaluation, rules
///
/// Exits with 0 when there are no errors, 1 when there are (or warnings, with --deny-warnings), 2
/// when the spec cannot be found.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    #[command(flatten)]
    spec: SpecArgs,
    /// How findings look
    #[arg(long, value_enum, default_value_t = OutputFormat::Full, value_name = "FORMAT")]
    output_format: OutputFormat,
    /// Exit with 1 on warnings too
    #[arg(long)]
    deny_warnings: bool,
}

/// How findings look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// With the source around each place
    Full,
    /// One line each: path:line:column: severity[code] message
    Concise,
    /// One JSON document
    Json,
}

pub(super) fn check(term: &Term, args: &CheckArgs) -> Result<Exit, Failure> {
    let started = Instant::now();
    let found = spec::load(&args.spec, &mut Cache::default());
    // Machine formats are valid on early failure too: a reader never meets an empty stdout.
    let spec = match found {
        Ok(spec) => spec,
        Err(failure) => {
            if args.output_format == OutputFormat::Json {
                let failed = serde_json::json!({
                    "format_version": "1.0",
                    "diagnostics": [],
                    "failure": failure.text,
                });
                term.out(&format!("{failed:#}\n"));
            }
            return Err(failure);
        }
    };
    let style = diag::Style { color: term.color_out(), unicode: true, width: term.width() };
    let text = match args.output_format {
        OutputFormat::Full => diag::render_full(&spec.diagnostics, &spec.files, &style),
        OutputFormat::Concise => diag::render_concise(&spec.diagnostics, &spec.files),
        OutputFormat::Json => diag::render_json(&spec.diagnostics, &spec.files),
    };
    term.out(&text);
    let worst = spec.diagnostics.iter().map(|found| found.severity).max();
    let hosts = spec.fleet.hosts.len();
    let summary = spec::summary(&spec.diagnostics);
    let verdict = if summary.is_empty() { "no findings".to_owned() } else { summary };
    let took = started.elapsed().as_millis();
    if args.output_format == OutputFormat::Full {
        term.say(&format!("{verdict}; {hosts} hosts in {} files, {took} ms", spec.files.len()));
    }
    Ok(match worst {
        Some(Severity::Error) => Exit::No,
        Some(Severity::Warning) if args.deny_warnings => Exit::No,
        Some(Severity::Warning | Severity::Info) | None => Exit::Success,
    })
}
