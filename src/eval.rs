//! Evaluation of a project's files to a [`Fleet`].
//!
//! ```text
//! import (files, trees) ─ declare (names, scopes, facts, compiled blocks) ─ per instance:
//!   facts ─ collect (definitions with ranks) ─ merge ─ decode ─ rules ─ pools ─ digest
//! at the end: idle (lines that did nothing, from the effects that merging noted)
//! ```
//!
//! An evaluation that has the [`Cache`] of the last one parses only texts that changed and goes through
//! only the hosts that a change can concern (`kept`); what comes out is the same.
//!
//! Total and pure: every phase works on finite input, no phase feeds an earlier one, and what is
//! read are the files below the root and a params file (language.md section 7). Evaluation never
//! fails; what is wrong is in [`Evaluation::diagnostics`], and who is touched by it is held
//! ([`Fleet::held`]) while all others stand. The command line acts on nothing that has an error;
//! [`Fleet::held`] and [`Evaluation::complete`] are for programs that go on with what could be
//! read. Neither says anything that an error does not say too.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diag::Diagnostic;
use crate::fleet::Fleet;
use crate::syntax::{Entry, Value};
use crate::vfs::{Disk, Files};

mod collect;
mod compile;
mod consequence;
mod declare;
mod decode;
mod effect;
mod explain;
pub mod expr;
mod facts;
mod faults;
mod hosts;
mod idle;
mod import;
mod instance;
mod kept;
mod merge;
mod pool;
pub mod range;
mod report;
mod rules;
mod run;
mod scope;
mod spelling;
pub mod unit;

pub use explain::{ExplainError, Ladder, Rung, explain};
pub use import::{Cache, ROOT_FILE};

/// What an evaluation reads.
pub struct Inputs<'a> {
    /// The disk.
    pub disk: &'a dyn Disk,
    /// The root file, or a folder with a [`ROOT_FILE`] in it. Its folder bounds what is read.
    pub root: &'a Path,
    /// A file that replaces parameters.
    pub params: Option<&'a Path>,
    /// Bounds; `spec { limits … }` of the root file changes them.
    pub limits: Limits,
}

/// Which namespace the objects go to, where the spec's own word (`spec NAME namespace=…`) is not the
/// only one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Wins over the spec's own word.
    pub wins: Option<Arc<str>>,
    /// Where the spec says nothing; without it [`crate::fleet::NAMESPACE`].
    pub default: Option<Arc<str>>,
}

impl Namespace {
    /// The namespace of a spec that says this.
    fn choose(&self, said: Option<&str>) -> Arc<str> {
        let wins = self.wins.clone().or_else(|| said.map(Arc::from));
        wins.or_else(|| self.default.clone())
            .unwrap_or_else(|| Arc::from(crate::fleet::NAMESPACE))
    }
}

/// Bounds on what is read and made. All are reported as MF9xxx with their number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one file.
    pub file: u64,
    /// Bytes of all files.
    pub project: u64,
    /// Nesting of blocks.
    pub nesting: usize,
    /// Hosts, racks, groups and pools together.
    pub instances: usize,
    /// Names that one range gives.
    pub range: usize,
    /// Bytes of one string.
    pub string: usize,
    /// Length of a chain of `use`.
    pub profile_depth: u8,
    /// Length of a chain of imports.
    pub import_depth: usize,
    /// Findings kept.
    pub diagnostics: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file: 16 << 20,
            project: 256 << 20,
            nesting: 128,
            instances: 100_000,
            range: 65_536,
            string: 64 * 1024,
            profile_depth: 16,
            import_depth: 32,
            diagnostics: 1000,
        }
    }
}

impl Limits {
    /// Takes over a field of `spec { limits … }`; what is wrong with it is found when the block is
    /// compiled.
    fn set(&mut self, name: &str, entry: Entry<'_>, _file: &Arc<str>) {
        let count = match entry.value() {
            Value::Int(number) => usize::try_from(number).ok(),
            _ => None,
        };
        let size = || match (entry.value(), entry.annotation()) {
            (Value::Int(number), Some((unit, _))) => unit::size(&format!("{number}{unit}")).ok(),
            (Value::Str(text), _) => unit::size(text).ok(),
            _ => None,
        };
        let size = || size().map(unit::Size::bytes);
        match name {
            "file" => self.file = size().unwrap_or(self.file),
            "project" => self.project = size().unwrap_or(self.project),
            "string" => {
                self.string = size()
                    .and_then(|size| usize::try_from(size).ok())
                    .unwrap_or(self.string);
            }
            "instances" => self.instances = count.unwrap_or(self.instances),
            "range" => self.range = count.unwrap_or(self.range),
            _ => {}
        }
    }
}

/// What became of the files.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The fleet, without the hosts that have an error (those are in [`Fleet::held`]).
    pub fleet: Arc<Fleet>,
    /// All texts that were read.
    pub files: Files,
    /// All that is wrong, sorted by file, place and code.
    pub diagnostics: Vec<Diagnostic>,
    /// False when something did not parse, an import is gone, a folder is unreadable, a file is
    /// empty, or a declaration could not be understood: then nothing may be removed because it is
    /// not here. There is an error then, so a command acts on nothing; whoever goes on beside
    /// errors (a library's user, a controller) has to look at this.
    pub complete: bool,
    /// Files and folders to watch, those that are not there included.
    pub watched: Vec<PathBuf>,
    project: Arc<import::Project>,
}

impl Evaluation {
    /// Whether there is an error anywhere.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// False when the root file could not be read: then nothing is known of the spec, its name
    /// neither.
    pub fn has_root(&self) -> bool {
        !self.project.sources.is_empty()
    }
}

/// Evaluates a project. Never fails and never panics; trees of files that did not change, and hosts
/// that no change can concern, are taken from `cache`: that saves time and changes nothing.
pub fn evaluate(inputs: &Inputs<'_>, cache: &mut Cache) -> Evaluation {
    evaluate_in(inputs, &Namespace::default(), cache)
}

/// The same, for objects that go to a namespace which is not only the spec's to say.
pub fn evaluate_in(inputs: &Inputs<'_>, namespace: &Namespace, cache: &mut Cache) -> Evaluation {
    run::evaluate(inputs, namespace, cache)
}

#[cfg(test)]
mod tests;
