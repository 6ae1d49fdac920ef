//! A lint of one's own: every host has to stand in a rack.
//!
//! A lint is a function of the evaluated fleet that makes diagnostics; they carry the place where the
//! host is written and are shown as metalform's own are.
//!
//! ```text
//! cargo run --example lint -- specs/single
//! ```
#![allow(
    clippy::print_stdout,
    reason = "this is a program, and that is its answer"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use metalform::diag::render::{Look, render_full};
use metalform::diag::{Code, Diagnostic};
use metalform::eval::{Cache, Inputs, Limits, evaluate};
use metalform::fleet::Fleet;
use metalform::vfs::RealDisk;

/// A number far from those that metalform uses itself.
const WITHOUT_RACK: Code = Code(60_001);

/// One finding a host that stands in no rack.
fn without_rack(fleet: &Fleet) -> Vec<Diagnostic> {
    let homeless = fleet.hosts.iter().filter(|host| host.rack.is_none());
    homeless
        .map(|host| {
            let place = host.origin.span.in_file(host.origin.file);
            let message = format!("host `{}` stands in no rack", host.name);
            Diagnostic::warning(WITHOUT_RACK, message, place, "declared here")
                .help("move it into a `rack` block, so that a roll can spread over racks")
        })
        .collect()
}

fn main() -> ExitCode {
    let root = PathBuf::from(
        std::env::args()
            .nth(1)
            .unwrap_or_else(|| "specs/single".to_owned()),
    );
    let inputs = Inputs {
        disk: &RealDisk,
        root: &root,
        params: None,
        limits: Limits::default(),
    };
    let evaluation = evaluate(&inputs, &mut Cache::default());
    let mut found = evaluation.diagnostics.clone();
    found.extend(without_rack(&evaluation.fleet));
    metalform::diag::sort(&mut found);
    let mut text = String::new();
    let look = Look {
        color: false,
        unicode: true,
        width: 100,
    };
    // Writing into a String does not fail.
    render_full(&mut text, &evaluation.files, &found, look).ok();
    print!("{text}");
    if found.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
