mod changes;
mod fields;
mod guards;
mod machines;
mod sets;
mod whole;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::api::ProvisioningState;
use crate::plan::testing::{HOST, IMAGES, Lab, Spec, brief, spec, spec_of, workers};

fn two(more: &str) -> String {
    workers(2, more)
}

/// The plan of an edit of two provisioned workers, in short.
fn edit(to: &str) -> String {
    brief(&Lab::provisioned(&two("")).edit(to))
}

/// The plan of an edit when the first of two hosts is in a state.
fn edit_in(state: ProvisioningState, to: &str) -> String {
    let lab = &mut Lab::provisioned(&two(""));
    lab.state("n01", state);
    let plan = lab.edit(to);
    brief(&plan)
        .lines()
        .filter(|line| line.contains("n01"))
        .collect::<Vec<_>>()
        .join("\n")
}
