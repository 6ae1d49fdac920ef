//! Simulated machines.
//!
//! [`machine`] is a pure model of one machine under Ironic's care: no I/O, no clock. What makes a
//! provisioner of many such machines is beside it.

pub mod machine;
pub mod script;
