//! Reading a spec for a verb: evaluate, show what is wrong.

use std::path::Path;
use std::sync::Arc;

use crate::diag::{self, Diagnostic, Severity};
use crate::eval::{self, Cache, Evaluation, Inputs};
use crate::fleet::Fleet;
use crate::vfs::{Files, RealDisk};

use super::{Exit, Failure, SpecArgs, Term};

/// An evaluated spec.
pub(super) struct Spec {
    /// The fleet, as far as it could be evaluated.
    pub fleet: Arc<Fleet>,
    /// Its files, for places.
    pub files: Arc<Files>,
    /// What was found.
    pub diagnostics: Vec<Diagnostic>,
    /// All files could be read and parsed.
    pub complete: bool,
    /// What to watch for changes.
    pub watched: Vec<std::path::PathBuf>,
}

impl Spec {
    /// True when something is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|found| found.severity == Severity::Error)
    }
}

/// Evaluates a spec. Files that cannot be read are diagnostics; only a root that is not there at
/// all is a failure.
pub(super) fn load(args: &SpecArgs, cache: &mut Cache) -> Result<Spec, Failure> {
    if !args.spec.exists() {
        let text = format!("no spec at {}", args.spec.display());
        return Err(Failure::new(Exit::Usage, text)
            .help("name a folder with a `fleet.kdl`, or a KDL file; `specs/single` is an example"));
    }
    if let Some(params) = args.params.as_deref().filter(|params| !params.is_file()) {
        let text = format!("no params file at {}", params.display());
        return Err(Failure::new(Exit::Usage, text));
    }
    let inputs = Inputs::new(&RealDisk, &args.spec).with_params(args.params.as_deref());
    let Evaluation { fleet, files, diagnostics, complete, watched, .. } =
        eval::evaluate(&inputs, cache);
    Ok(Spec { fleet: Arc::new(fleet), files: Arc::new(files), diagnostics, complete, watched })
}

/// Shows diagnostics on standard error, as people read them.
pub(super) fn show(term: &Term, spec: &Spec) {
    if spec.diagnostics.is_empty() {
        return;
    }
    let style = diag::Style { color: term.color_err(), unicode: true, width: term.width() };
    term.err(&diag::render_full(&spec.diagnostics, &spec.files, &style));
}

/// `2 errors, 1 warning` or nothing.
pub(super) fn summary(diagnostics: &[Diagnostic]) -> String {
    let count = |severity: Severity| {
        diagnostics.iter().filter(|found| found.severity == severity).count()
    };
    let part = |count: usize, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{count} {word}s")),
    };
    let parts = [
        part(count(Severity::Error), "error"),
        part(count(Severity::Warning), "warning"),
        part(count(Severity::Info), "note"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// For verbs that need a valid spec: shows what is wrong and fails.
pub(super) fn load_valid(term: &Term, args: &SpecArgs) -> Result<Spec, Failure> {
    let spec = load(args, &mut Cache::default())?;
    if spec.has_errors() || !spec.complete {
        show(term, &spec);
        let text = format!("the spec is not valid: {}", summary(&spec.diagnostics));
        return Err(Failure::new(Exit::Spec, text));
    }
    Ok(spec)
}

/// The folder that relative paths of a spec (its secrets, scripts) start from.
pub(super) fn folder(spec: &Path) -> &Path {
    let folder = if spec.is_file() { spec.parent().unwrap_or(spec) } else { spec };
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}
