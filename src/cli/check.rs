//! `metalform check`.

use std::time::Instant;

use clap::ValueEnum;

use crate::diag::{Diagnostic, Severity, render, worst};
use crate::eval::Cache;
use crate::secrets::is_there;
use crate::store::{Key, Kube};

use super::cluster::{ClusterArgs, failed};
use super::spec::Spec;
use super::{Exit, Failure, SpecArgs, Term, machines, spec};

/// Check a spec offline: syntax, evaluation, rules
///
/// With a cluster (`--context`, `--namespace`) also whether the Secrets that hosts name are there; what
/// is in them is not asked for.
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
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
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
    let found = load(term, args);
    // Machine formats are valid on early failure too: a reader never meets an empty stdout.
    let spec = match found {
        Ok(spec) => spec,
        Err(failure) => {
            if args.output_format == OutputFormat::Json {
                term.out(&failure.json());
            }
            return Err(failure);
        }
    };
    let (files, found) = (&spec.files, spec.diagnostics());
    let mut text = String::new();
    let look = render::Look {
        color: term.color_out(),
        unicode: true,
        width: term.width(),
    };
    let written = match args.output_format {
        OutputFormat::Full => render::render_full(&mut text, files, found, look),
        OutputFormat::Concise => render::render_concise(&mut text, files, found),
        OutputFormat::Json => render::render_json(&mut text, files, found),
    };
    // Writing into a String does not fail.
    written.ok();
    term.out(&text);
    if args.output_format == OutputFormat::Full {
        let count = |many: usize, what: &str| match many {
            1 => format!("1 {what}"),
            many => format!("{many} {what}s"),
        };
        term.say(&format!(
            "{}; {} in {}, {} ms",
            render::summary(found),
            count(spec.fleet.hosts.len(), "host"),
            count(files.len(), "file"),
            started.elapsed().as_millis()
        ));
        if spec.fleet.simulation.is_none() && spec.fleet.ironics.is_empty() {
            term.say(
                "nothing says what drives these machines: `run` and `apply` want `simulated` or an \
                 `ironic` in the spec, or --ironic URL",
            );
        }
    }
    Ok(match worst(found) {
        Some(Severity::Error) => Exit::No,
        Some(Severity::Warning) if args.deny_warnings => Exit::No,
        Some(Severity::Warning | Severity::Info) | None => Exit::Success,
    })
}

/// The spec with what is found beside it: Secrets that are not there.
fn load(term: &Term, args: &CheckArgs) -> Result<Spec, Failure> {
    if args.cluster.is_meant() {
        return super::runtime()?.block_on(in_cluster(term, args));
    }
    let mut spec = spec::load_busy(term, &args.spec, &mut Cache::default())?;
    if let Some(named) = &spec.fleet.secrets {
        let folder = spec::folder(&args.spec.spec).join(&**named);
        let absent = machines::absent_secrets(&spec.fleet, &folder);
        spec.evaluation.diagnostics.extend(absent);
    }
    Ok(spec)
}

async fn in_cluster(term: &Term, args: &CheckArgs) -> Result<Spec, Failure> {
    let reached = args.cluster.reach().await?;
    let spec = reached.naming(&args.spec);
    let mut spec = spec::load_busy(term, &spec, &mut Cache::default())?;
    let namespace = &spec.fleet.namespace;
    let remote = reached.within(Some(namespace));
    let absent = absent(&remote.store, &spec).await?;
    spec.evaluation.diagnostics.extend(absent);
    Ok(spec)
}

/// Findings for Secrets that hosts name and the cluster does not have.
async fn absent(store: &Kube, spec: &Spec) -> Result<Vec<Diagnostic>, Failure> {
    let mut named = machines::named_secrets(&spec.fleet);
    let key = |name: &str| Key::new(&*spec.fleet.namespace, name);
    let mut there = Vec::new();
    for name in named.keys() {
        let found = is_there(store, &key(name)).await;
        if found.map_err(|error| failed(&error))? {
            there.push((*name).to_owned());
        }
    }
    named.retain(|name, _| !there.iter().any(|found| found == name));
    Ok(machines::absent(named, &there, |name| {
        format!("Secret {}", key(name))
    }))
}
