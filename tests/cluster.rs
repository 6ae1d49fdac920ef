//! The store and the controller on a real Kubernetes API server, a topic a file.
//!
//! Runs when `METALFORM_KUBE` names the description of a cluster (`tests/run` starts one with
//! `tests/kube/cluster`), and says so when it does not. What needs a real Ironic too wants
//! `METALFORM_IRONIC_LAB` set, and starts a lab of its own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a test fails by panicking, and says what it measured"
)]

#[path = "cluster/conformance.rs"]
mod conformance;
#[path = "cluster/controller.rs"]
mod controller;
#[path = "cluster/deploy.rs"]
mod deploy;
#[path = "ironic_run/lab.rs"]
#[allow(dead_code, reason = "shared with the tests of `metalform run`")]
mod lab;
#[path = "cluster/lease.rs"]
mod lease;
#[path = "cluster/life.rs"]
mod life;
#[path = "cluster/other_operator.rs"]
mod other_operator;
#[path = "cluster/recording.rs"]
mod recording;
#[path = "cluster/server.rs"]
mod server;
#[path = "cluster/shared_lease.rs"]
mod shared_lease;
#[path = "cluster/stage.rs"]
mod stage;
#[path = "cluster/take_over.rs"]
mod take_over;
#[path = "cluster/way_back.rs"]
mod way_back;
