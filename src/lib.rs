//! metalform: bare-metal fleets as code.
//!
//! The modules stand in the order in which data flows:
//!
//! ```text
//! KDL files ─ vfs ─► syntax ─► eval ─► fleet ─► desired ─► plan ─► store ─► reconcile ─► provision
//!                      └── diag ◄┘                          engine drives store, reconcile, provision
//! ```
#![forbid(unsafe_code)]

pub mod diag;
pub mod syntax;
pub mod vfs;
pub mod schema;
pub mod fleet;

pub mod api;
pub mod eval;
pub mod desired;
pub mod plan;
pub mod store;
pub mod secrets;
pub mod reconcile;
pub mod budget;
pub mod provision;
