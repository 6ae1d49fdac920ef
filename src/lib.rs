//! metalform: bare-metal fleets as code.
//!
//! The modules stand in the order in which data flows:
//!
//! ```text
//! KDL files ─ vfs ─► syntax ─► eval ─► fleet ─► desired ─► plan ─► store ─► reconcile ─► provision
//!                      └── diag ◄┘                          engine drives store, reconcile, provision
//! ```
#![forbid(unsafe_code)]

pub mod api;
pub mod diag;
pub mod vfs;
pub mod syntax;
pub mod schema;
pub mod eval;
pub mod fleet;
pub mod desired;
pub mod plan;
pub mod store;
pub mod secrets;
pub mod dice;
pub mod reconcile;
pub mod budget;
pub mod provision;
pub mod engine;
pub mod serve;
pub mod cli;
