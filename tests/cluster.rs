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

#[path = "cluster/admission.rs"]
mod admission;
#[path = "cluster/annotations.rs"]
mod annotations;
#[path = "cluster/apply.rs"]
mod apply;
#[path = "cluster/conformance.rs"]
mod conformance;
#[path = "cluster/controller.rs"]
mod controller;
#[path = "cluster/credentials.rs"]
mod credentials;
#[path = "cluster/crowd.rs"]
mod crowd;
#[path = "cluster/deletions.rs"]
mod deletions;
#[path = "cluster/deploy.rs"]
mod deploy;
#[path = "cluster/desk.rs"]
mod desk;
#[path = "ironic_run/dice.rs"]
mod dice;
#[path = "cluster/foresight.rs"]
mod foresight;
#[path = "cluster/get.rs"]
mod get;
#[path = "cluster/hands.rs"]
mod hands;
#[path = "cluster/history.rs"]
mod history;
#[path = "cluster/installed.rs"]
mod installed;
#[path = "cluster/ironic_away.rs"]
mod ironic_away;
#[path = "cluster/ironic_down.rs"]
mod ironic_down;
#[path = "cluster/kills.rs"]
mod kills;
#[path = "ironic_run/lab.rs"]
#[allow(dead_code, reason = "shared with the tests of `metalform run`")]
mod lab;
#[path = "cluster/late_files.rs"]
mod late_files;
#[path = "cluster/lease.rs"]
mod lease;
#[path = "cluster/left_webhook.rs"]
mod left_webhook;
#[path = "cluster/life.rs"]
mod life;
#[path = "cluster/mounted.rs"]
mod mounted;
#[path = "cluster/one_ironic.rs"]
mod one_ironic;
#[path = "cluster/other_operator.rs"]
mod other_operator;
#[path = "cluster/outages.rs"]
mod outages;
#[path = "cluster/pages.rs"]
mod pages;
#[path = "cluster/paused.rs"]
mod paused;
#[path = "cluster/plan.rs"]
mod plan;
#[path = "cluster/probe.rs"]
mod probe;
#[path = "cluster/recording.rs"]
mod recording;
#[path = "cluster/rights.rs"]
mod rights;
#[path = "cluster/rivals.rs"]
mod rivals;
#[path = "cluster/secrets.rs"]
mod secrets;
#[path = "cluster/served.rs"]
mod served;
#[path = "cluster/server.rs"]
mod server;
#[path = "cluster/settled.rs"]
mod settled;
#[path = "cluster/shared_lease.rs"]
mod shared_lease;
#[path = "cluster/stage.rs"]
mod stage;
#[path = "cluster/surroundings.rs"]
mod surroundings;
#[path = "cluster/take_over.rs"]
mod take_over;
#[path = "cluster/their_objects.rs"]
mod their_objects;
#[path = "cluster/unreadable.rs"]
mod unreadable;
#[path = "cluster/way_back.rs"]
mod way_back;
#[path = "cluster/word.rs"]
mod word;
#[path = "cluster/words.rs"]
mod words;
#[path = "cluster/worlds.rs"]
mod worlds;
