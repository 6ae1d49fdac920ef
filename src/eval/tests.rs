//! What evaluation means, by example.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::fleet::{Seat, Seats, place};
use crate::vfs::MemoryDisk;

mod codes;
mod docs;
mod example;
mod faults;
mod idle;
mod kept;
mod laws;
mod meaning;
mod mistakes;
mod repair;
mod scale;
mod silence;

/// Evaluates files below `/spec`, the first of them the root.
pub(super) fn evaluate_files(files: &[(&str, &str)]) -> Evaluation {
    evaluate_with(files, None)
}

pub(super) fn evaluate_with(files: &[(&str, &str)], params: Option<&str>) -> Evaluation {
    let mut disk = MemoryDisk::new();
    for (path, text) in files {
        disk.write(Path::new("/spec").join(path), text);
    }
    if let Some(params) = params {
        disk.write("/elsewhere/params.kdl", params);
    }
    let root = Path::new("/spec").join(files[0].0);
    let inputs = Inputs {
        disk: &disk,
        root: &root,
        params: params.map(|_| Path::new("/elsewhere/params.kdl")),
        limits: Limits::default(),
    };
    evaluate(&inputs, &mut Cache::default())
}

/// Evaluates one file; the version line is added.
pub(super) fn one(text: &str) -> Evaluation {
    evaluate_files(&[("fleet.kdl", &format!("/- kdl-version 2\n{text}"))])
}

/// The findings as `MFnnnn path:line: message`.
pub(super) fn findings(evaluation: &Evaluation) -> Vec<String> {
    evaluation
        .diagnostics
        .iter()
        .map(|finding| {
            let (line, _) = evaluation.files.line_col(finding.primary.place);
            let path = evaluation.files.path(finding.primary.place.file);
            format!("{} {path}:{line}: {}", finding.code, finding.message)
        })
        .collect()
}

/// The codes of the findings, in order.
pub(super) fn codes(evaluation: &Evaluation) -> Vec<u16> {
    evaluation
        .diagnostics
        .iter()
        .map(|finding| finding.code.0)
        .collect()
}

/// All values of a host, one a line.
pub(super) fn show(evaluation: &Evaluation, host: &str) -> String {
    let Some(host) = evaluation.fleet.host(host) else {
        return format!("no host {host}");
    };
    let lines: Vec<String> = host
        .fields
        .iter()
        .map(|found| format!("{} = {}", found.path.text, found.value))
        .collect();
    lines.join("\n")
}
