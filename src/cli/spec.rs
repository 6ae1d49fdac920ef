//! Reading a spec for a verb: evaluate, show what is wrong.

use std::io;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::diag::{Diagnostic, render};
use crate::eval::{self, Cache, Evaluation, Inputs, Limits, ROOT_FILE};
use crate::fleet::Fleet;
use crate::vfs::{Files, RealDisk};

use super::busy::Busy;
use super::{Exit, Failure, SpecArgs, Term, machines};

/// An evaluated spec.
pub(super) struct Spec {
    /// The fleet, as far as it could be evaluated.
    pub fleet: Arc<Fleet>,
    /// Its files, for places.
    pub files: Arc<Files>,
    /// Everything, for `explain`.
    pub evaluation: Evaluation,
}

impl Spec {
    /// True when it may be acted upon: nothing is an error, and all of it could be read.
    pub fn is_valid(&self) -> bool {
        !self.evaluation.has_errors() && self.evaluation.complete
    }

    /// What was found.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.evaluation.diagnostics
    }
}

/// Evaluates a spec. Files that cannot be read are diagnostics; only a root that is not there at
/// all is a failure.
pub(super) fn load(args: &SpecArgs, cache: &mut Cache) -> Result<Spec, Failure> {
    if !args.spec.exists() {
        let text = format!("no spec at {}", args.spec.display());
        return Err(Failure::new(Exit::Usage, text).help(
            "name a folder with a `fleet.kdl`, or a KDL file; `specs/single` is an example",
        ));
    }
    if let Some(params) = args.params.as_deref().filter(|params| !params.is_file()) {
        let text = format!("no params file at {}", params.display());
        return Err(Failure::new(Exit::Usage, text));
    }
    let inputs = Inputs {
        disk: &RealDisk,
        root: &args.spec,
        params: args.params.as_deref(),
        limits: Limits::default(),
    };
    let mut evaluation = eval::evaluate_in(&inputs, &args.namespace, cache);
    let of_machines = machines::findings(&evaluation);
    evaluation.diagnostics.extend(of_machines);
    Ok(Spec {
        fleet: Arc::clone(&evaluation.fleet),
        files: Arc::new(evaluation.files.clone()),
        evaluation,
    })
}

/// As [`load`], with a spinner where it takes long; for the start of a command, where a folder
/// without a root file is a wrong argument.
pub(super) fn load_busy(term: &Term, args: &SpecArgs, cache: &mut Cache) -> Result<Spec, Failure> {
    let root = args.spec.join(ROOT_FILE);
    let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    if args.spec.is_dir() && root.metadata().is_err_and(|error| is_gone(&error)) {
        let text = format!("no `{ROOT_FILE}` in {}", args.spec.display());
        return Err(
            Failure::new(Exit::Usage, text).help(match other_root(&args.spec) {
                Some(name) => {
                    format!("if {name} is the root file, name it, or call it `{ROOT_FILE}`")
                }
                None => {
                    "name the folder of the spec, or its root file; `specs/single` is an example"
                        .to_owned()
                }
            }),
        );
    }
    let _busy = Busy::with(term, format!("reading {}", args.spec.display()));
    load(args, cache)
}

/// The KDL file that a folder without a root file has, where it is the only one.
fn other_root(folder: &Path) -> Option<String> {
    let entries = folder.read_dir().ok()?.flatten();
    let mut files = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "kdl"));
    let only = files.next().filter(|_| files.next().is_none())?;
    Some(only.display().to_string())
}

/// The diagnostics as JSON.
fn findings(spec: &Spec) -> Value {
    let mut text = String::new();
    // Writing into a String does not fail.
    render::render_json(&mut text, &spec.files, spec.diagnostics()).ok();
    let mut report: Value = serde_json::from_str(&text).unwrap_or_default();
    report["diagnostics"].take()
}

/// Shows diagnostics on standard error: as people read them, or as events.
pub(super) fn show(term: &Term, spec: &Spec) {
    if term.json() {
        if let Value::Array(all) = findings(spec) {
            for finding in all {
                let level = match finding["severity"].as_str() {
                    Some("error") => "ERROR",
                    Some("warning") => "WARN",
                    _ => "INFO",
                };
                let message = finding["message"].as_str().unwrap_or_default().to_owned();
                term.event(level, &message, json!({"diagnostic": finding}));
            }
        }
        return;
    }
    let mut text = String::new();
    let look = render::Look {
        color: term.color_err(),
        unicode: true,
        width: term.width(),
    };
    // Writing into a String does not fail.
    render::render_full(&mut text, &spec.files, spec.diagnostics(), look).ok();
    if !text.is_empty() {
        term.err(&text);
    }
}

/// The failure of a spec that may not be acted upon.
pub(super) fn invalid(spec: &Spec) -> Failure {
    let summary = render::summary(spec.diagnostics());
    let mut failure = Failure::new(Exit::Spec, format!("the spec is not valid: {summary}"));
    failure.findings = Some(findings(spec));
    failure
}

/// For verbs that need a valid spec: shows what is wrong and fails.
pub(super) fn load_valid(term: &Term, args: &SpecArgs) -> Result<Spec, Failure> {
    let spec = load_busy(term, args, &mut Cache::default())?;
    if spec.is_valid() {
        return Ok(spec);
    }
    show(term, &spec);
    Err(invalid(&spec))
}

/// The folder of a spec, from which the one of its secrets is named.
pub(super) fn folder(spec: &Path) -> &Path {
    let folder = if spec.is_file() {
        spec.parent().unwrap_or(spec)
    } else {
        spec
    };
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}
