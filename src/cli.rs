//! The command line: arguments, output for people and machines, exit codes.
//!
//! One file a verb. Answers go to standard output, progress and diagnostics to standard error.
//! Exit codes are the same for all verbs, see [`Exit`].

mod adopt;
mod apply;
mod books;
mod busy;
mod check;
mod cluster;
mod completions;
mod controller;
mod crd;
mod ending;
mod explain;
mod get;
mod home;
mod log;
mod machines;
mod plan;
mod render;
mod run;
mod screen;
mod source;
mod spec;
mod term;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{PathBufValueParser, TypedValueParser as _};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

pub use self::term::Term;

/// Bare-metal fleets as code
///
/// metalform reads KDL specs of bare-metal machines, shows what has to change, and drives each
/// machine to the state that the spec describes, through OpenStack Ironic.
#[derive(Debug, Parser)]
#[command(
    name = "metalform",
    version,
    max_term_width = 100,
    propagate_version = true
)]
pub struct Args {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// Flags that every verb has.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    color: ColorChoice,
    /// Say only what went wrong
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more; twice for everything
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// How log lines look
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    log_format: LogFormat,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Where the spec is and what it is evaluated with; the same for all verbs that read one.
#[derive(Debug, Clone, clap::Args)]
pub struct SpecArgs {
    /// Folder of the spec (its root file is `fleet.kdl`), or one file
    #[arg(
        default_value = ".",
        value_name = "SPEC",
        value_parser = PathBufValueParser::new().map(home::as_seen)
    )]
    spec: PathBuf,
    /// File with values for the spec's `param`s
    #[arg(
        long,
        value_name = "FILE",
        value_parser = PathBufValueParser::new().map(home::as_seen)
    )]
    params: Option<PathBuf>,
    /// Which namespace the objects go to, where the spec is not the only one to say.
    #[arg(skip)]
    namespace: crate::eval::Namespace,
}

impl SpecArgs {
    /// The spec at a path, without parameters.
    fn at(spec: &std::path::Path) -> Self {
        Self {
            spec: spec.to_owned(),
            params: None,
            namespace: crate::eval::Namespace::default(),
        }
    }

    /// What is read, for those who ask the process that reads it.
    fn reading(&self) -> crate::serve::Reading {
        // The file itself may be a symlink that is swapped, as a ConfigMap mount does it.
        let absolute = |path: &std::path::Path| {
            let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            // So may its folder, as git-sync does it.
            let folder = full.parent().and_then(|folder| match home::link(folder) {
                Some((parent, name)) => Some(parent.canonicalize().ok()?.join(name)),
                None => folder.canonicalize().ok(),
            });
            let named = folder
                .zip(full.file_name())
                .map(|(folder, name)| folder.join(name));
            named.unwrap_or(full).display().to_string()
        };
        let root = if self.spec.is_dir() {
            self.spec.join(crate::eval::ROOT_FILE)
        } else {
            self.spec.clone()
        };
        crate::serve::Reading {
            spec: absolute(&root),
            params: self.params.as_deref().map(absolute),
            kept: None,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    Check(check::CheckArgs),
    Render(render::RenderArgs),
    Plan(Box<plan::PlanArgs>),
    Apply(Box<apply::ApplyArgs>),
    Run(run::RunArgs),
    Controller(controller::ControllerArgs),
    Adopt(adopt::AdoptArgs),
    Get(get::GetArgs),
    Explain(explain::ExplainArgs),
    Crd(crd::CrdArgs),
    Completions(completions::CompletionsArgs),
}

/// Exit codes, one table for all verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; the answer is yes.
    Success = 0,
    /// The answer is no: findings, differences, something not found, not settled.
    No = 1,
    /// Wrong usage, or a file or folder that cannot be read.
    Usage = 2,
    /// The spec is not valid, so the verb could not do its work.
    Spec = 3,
    /// The store, the API or Ironic failed.
    Remote = 4,
    /// Somebody else holds the lock, or what was planned is not current any more.
    Stale = 5,
    /// Interrupted by Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A verb that could not do its work: what to say and how to end.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    exit: Exit,
    text: String,
    help: Option<String>,
    /// What is wrong with the spec, as JSON.
    findings: Option<serde_json::Value>,
}

impl Failure {
    fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self {
            exit,
            text: text.into(),
            help: None,
            findings: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The answer of a verb that was asked for JSON: its reader never meets an empty stdout.
    fn json(&self) -> String {
        let answer = serde_json::json!({
            "format_version": "1.0",
            "errored": true,
            "failure": self.text,
            "diagnostics": self.findings.clone().unwrap_or_else(|| serde_json::json!([])),
        });
        format!("{answer:#}\n")
    }
}

/// What `kubectl` looks for when somebody says `kubectl metalform`.
const PLUGIN: &str = "kubectl-metalform";

/// It would drive the same machines beside the cluster's controller.
const NO_RUN: &str = "`run` drives machines itself, from a store beside the spec, and works on no cluster: \
     `kubectl metalform apply` writes a spec to the cluster, whose controller drives its machines; \
     `metalform controller --specs DIR` follows a folder; without a cluster it is `metalform run`";

impl Verb {
    /// Which cluster is meant, for verbs that may work on one.
    fn cluster(&mut self) -> Option<&mut cluster::ClusterArgs> {
        match self {
            Self::Check(args) => Some(&mut args.cluster),
            Self::Plan(args) => Some(&mut args.cluster),
            Self::Apply(args) => Some(&mut args.cluster),
            Self::Get(args) => Some(&mut args.cluster),
            Self::Explain(args) => Some(&mut args.cluster),
            Self::Render(args) => Some(&mut args.cluster),
            Self::Run(_)
            | Self::Adopt(_)
            | Self::Controller(_)
            | Self::Crd(_)
            | Self::Completions(_) => None,
        }
    }
}

/// A variable that is set and empty is not set: pods get all keys of a ConfigMap, and who wants
/// nothing of one leaves it empty.
fn without_empty_variables(verb: clap::Command) -> clap::Command {
    verb.mut_args(|arg| {
        let value = arg.get_env().and_then(std::env::var_os);
        match value.is_some_and(|value| value.is_empty()) {
            true => arg.env(clap::builder::Resettable::Reset),
            false => arg,
        }
    })
}

/// Reads the arguments. Called by the name of a plugin, a cluster is meant where nothing is said.
fn parse(words: Vec<std::ffi::OsString>) -> Result<Args, clap::Error> {
    let name = words.first().map(std::path::Path::new);
    let stem = name.and_then(std::path::Path::file_stem);
    let is_plugin = stem.is_some_and(|stem| stem == PLUGIN);
    let mut command = Args::command();
    if is_plugin {
        command = command.bin_name("kubectl metalform");
    }
    let mut command = command.mut_subcommands(without_empty_variables);
    let found = command.try_get_matches_from_mut(words)?;
    let mut args = Args::from_arg_matches(&found)?;
    if is_plugin && matches!(args.verb, Verb::Run(_)) {
        return Err(command.error(clap::error::ErrorKind::InvalidSubcommand, NO_RUN));
    }
    if let Some(cluster) = args.verb.cluster().filter(|_| is_plugin) {
        cluster.by_default = true;
    }
    Ok(args)
}

/// Reads the arguments and does what they say.
pub fn main() -> ExitCode {
    let args = match parse(std::env::args_os().collect()) {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Success
            };
            // Nothing can be done about a closed pipe.
            error.print().ok();
            return code.into();
        }
    };
    let term = Term::new(&args.global);
    let chatty = matches!(args.verb, Verb::Controller(_));
    log::init(&args.global, &term, chatty);
    let result = match args.verb {
        Verb::Check(args) => check::check(&term, &args),
        Verb::Render(args) => render::render(&term, &args),
        Verb::Plan(args) => plan::plan(&term, &args),
        Verb::Apply(args) => apply::apply(&term, &args),
        Verb::Run(args) => run::run(&term, &args),
        Verb::Adopt(args) => adopt::adopt(&term, &args),
        Verb::Controller(args) => controller::controller(&term, &args),
        Verb::Get(args) => get::get(&term, &args),
        Verb::Explain(args) => explain::explain(&term, &args),
        Verb::Crd(args) => crd::crd(&term, &args),
        Verb::Completions(args) => completions::completions(&term, &args),
    };
    let lost = term.lost().map(|reason| {
        let text = format!("the answer cannot be written to standard output: {reason}");
        Failure::new(Exit::Usage, text)
    });
    match lost.map_or(result, Err) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            term.error(&failure.text);
            if let Some(help) = &failure.help {
                term.help(help);
            }
            failure.exit.into()
        }
    }
}

/// A runtime for the verbs that need one.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    runtime_of(2)
}

fn runtime_of(workers: usize) -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Usage, format!("no async runtime: {error}")))
}

/// A pattern of host names from the command line: ranges and `*`.
fn pattern(text: &str) -> Result<crate::eval::range::Pattern, Failure> {
    crate::eval::range::Pattern::compile(text)
        .map_err(|error| Failure::new(Exit::Usage, format!("`{text}`: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_of_kubectl_means_a_cluster() {
        let meant = |words: &[&str]| {
            let words = words.iter().map(Into::into).collect();
            let mut args = parse(words).unwrap();
            args.verb.cluster().map(|cluster| cluster.is_meant())
        };
        assert_eq!(meant(&["metalform", "plan"]), Some(false));
        assert_eq!(meant(&["/usr/bin/kubectl-metalform", "plan"]), Some(true));
        assert_eq!(
            meant(&["metalform", "get", "--context", "prod"]),
            Some(true)
        );
        assert_eq!(meant(&["metalform", "get", "-n", "m"]), Some(true));
        assert_eq!(meant(&["metalform", "run"]), None);
        let run = parse(vec!["kubectl-metalform".into(), "run".into()]);
        let text = run.err().unwrap().to_string();
        assert!(text.contains("kubectl metalform apply"), "{text}");
    }

    #[test]
    fn the_arguments_are_sound() {
        Args::command().debug_assert();
    }
}
