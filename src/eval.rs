//! Evaluation of trees to a fleet.

pub mod expr;
pub mod range;
pub mod unit;
