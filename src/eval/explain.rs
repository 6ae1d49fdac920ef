//! Why a field has its value.

use super::Evaluation;

/// A field of a host with all that was said about it.
#[derive(Debug, Clone)]
pub struct Ladder {
    /// All definitions, the winner first.
    pub rungs: Vec<Rung>,
}

/// One definition.
#[derive(Debug, Clone)]
pub struct Rung {
    /// What it says.
    pub value: String,
}

/// Explains a field.
pub fn explain(evaluation: &Evaluation, host: &str, path: &str) -> Option<Ladder> {
    let _ = (&evaluation.project, host, path);
    None
}
