//! `metalform run` against a real Ironic, a topic a file.
//!
//! Runs when `METALFORM_IRONIC_LAB` is set (`tests/run` does), which says that the real parts are
//! installed. The labs are these tests' own, because they break them: two are shared, one test at a
//! time, and every test has names and MAC addresses of its own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a test fails by panicking, and says what it measured"
)]

#[path = "ironic_run/canary.rs"]
mod canary;
#[path = "ironic_run/credentials.rs"]
mod credentials;
#[path = "ironic_run/dice.rs"]
mod dice;
#[path = "ironic_run/firmware.rs"]
mod firmware;
#[path = "ironic_run/fleet.rs"]
mod fleet;
#[path = "ironic_run/kept.rs"]
mod kept;
#[path = "ironic_run/kills.rs"]
mod kills;
#[path = "ironic_run/lab.rs"]
mod lab;
#[path = "ironic_run/life.rs"]
mod life;
#[path = "ironic_run/lost.rs"]
mod lost;
#[path = "ironic_run/outages.rs"]
mod outages;
#[path = "cli/project.rs"]
#[allow(dead_code, reason = "shared with the tests of the command line")]
mod project;
#[path = "ironic_run/removal.rs"]
mod removal;
#[path = "ironic_run/several.rs"]
mod several;
