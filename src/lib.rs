//! metalform: bare-metal fleets as code.
//!
//! Data flows through the modules in this order (`ARCHITECTURE.md` has the picture and the rules):
//!
//! ```text
//! KDL files ─ vfs ─► syntax ─► eval ─► fleet ─► desired ─► plan ─► store ─► reconcile ─► provision
//!                      └── diag ◄┘                          engine drives store, reconcile, provision
//! ```
#![forbid(unsafe_code)]

pub mod api;
pub mod budget;
pub mod cli;
pub mod clock;
pub mod desired;
pub mod diag;
pub mod dice;
pub mod engine;
pub mod eval;
pub mod fence;
pub mod firmware;
pub mod fleet;
pub mod lease;
pub mod plan;
pub mod provision;
pub mod reconcile;
pub mod schema;
pub mod secrets;
pub mod serve;
pub mod store;
pub mod syntax;
pub mod vfs;
