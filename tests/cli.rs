//! The command line as people meet it: the real binary, projects in temporary folders, simulated
//! machines. What is judged is what is printed, how it ends, and what is left behind.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "cli/apply.rs"]
mod apply;
#[path = "cli/asks.rs"]
mod asks;
#[path = "cli/bad_input.rs"]
mod bad_input;
#[path = "cli/canary.rs"]
mod canary;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/crash.rs"]
mod crash;
#[path = "cli/crd.rs"]
mod crd;
#[path = "cli/destroy.rs"]
mod destroy;
#[path = "cli/edits.rs"]
mod edits;
#[path = "cli/formats.rs"]
mod formats;
#[path = "cli/machines.rs"]
mod machines;
#[path = "cli/pod.rs"]
mod pod;
#[path = "cli/project.rs"]
mod project;
#[path = "cli/render.rs"]
mod render;
#[path = "cli/run.rs"]
mod run;
#[path = "cli/saved.rs"]
mod saved;
#[path = "cli/seats.rs"]
mod seats;
#[path = "cli/terminal.rs"]
mod terminal;
