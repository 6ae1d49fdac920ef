//! Evaluation of trees to a fleet.

pub mod range;
