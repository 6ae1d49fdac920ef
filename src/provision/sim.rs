//! Simulated machines.
//!
//! ```text
//!  run ─► world ─► machine (pure)          effects: one machine is changed, then written down
//!  sight, drift ◄─┘   │ └► journal         what the machines remember, over a kill of the process
//!  ticks ◄─ agenda ◄──┘                    what happens by itself, and rules of the script
//! ```
//!
//! [`machine`] is a pure model of one machine under Ironic's care: no I/O, no clock. [`Simulation`]
//! is a provisioner of many of them. Its only clock is tokio's, so that a paused clock makes it
//! virtual; the same seed and the same script give the same lives. `docs/simulation.md` describes
//! scripts for users.

pub mod fault;
mod firmware;
pub mod inventory;
pub mod journal;
pub mod machine;
mod options;
pub mod script;
mod simulation;
mod world;

pub use self::fault::ScriptError;
pub use self::firmware::Firmware;
pub use self::journal::JournalError;
pub use self::options::{Options, OptionsError};
pub use self::simulation::Simulation;
pub use self::world::Glance;

#[cfg(test)]
mod tests;
