//! Names in order, and sets of names in short.

pub use crate::eval::range::{fold, natural_cmp as natural};
