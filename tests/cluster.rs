//! The store and the controller on a real Kubernetes API server, a topic a file.
//!
//! Runs when `METALFORM_KUBE` names the description of a cluster (`tests/run` starts one with
//! `tests/kube/cluster`), and says so when it does not.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a test fails by panicking, and says what it measured"
)]

#[path = "cluster/apply.rs"]
mod apply;
#[path = "cluster/conformance.rs"]
mod conformance;
#[path = "cluster/controller.rs"]
mod controller;
#[path = "cluster/deploy.rs"]
mod deploy;
#[path = "cluster/desk.rs"]
mod desk;
#[path = "cluster/get.rs"]
mod get;
#[path = "cluster/lease.rs"]
mod lease;
#[path = "cluster/life.rs"]
mod life;
#[path = "cluster/plan.rs"]
mod plan;
#[path = "cluster/secrets.rs"]
mod secrets;
#[path = "cluster/server.rs"]
mod server;
