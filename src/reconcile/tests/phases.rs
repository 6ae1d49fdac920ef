//! One thing at a time, phase by phase.

use std::time::Duration;

use insta::assert_snapshot;
use jiff::SignedDuration;

use super::driver::{Driver, plain, with_image};
use crate::api::names::annotation;
use crate::api::{
    BareMetalHostStatus, ConditionType, ErrorType, InspectionMode, OperationalStatus,
    ProvisioningState as State,
};
use crate::budget::{Grants, SlotKind};
use crate::provision::sim::script::Task;
use crate::provision::{Ack, Effect, Fault, NodeState, PowerTarget};
use crate::reconcile::{Outcome, Wake};

const A: &str = "http://images/a";
const B: &str = "http://images/b";

fn provisioned() -> Driver {
    let mut driver = Driver::new(with_image(A));
    driver.settle(300);
    assert_eq!(*driver.state(), State::Provisioned);
    driver.effects.clear();
    driver.statuses.clear();
    driver.notes.clear();
    driver
}

fn available() -> Driver {
    let mut driver = Driver::new(plain());
    driver.settle(300);
    assert_eq!(*driver.state(), State::Available);
    driver.effects.clear();
    driver.statuses.clear();
    driver.notes.clear();
    driver
}

fn waiting(driver: &Driver) -> Option<String> {
    let condition = driver.status().condition(&ConditionType::Waiting)?;
    Some(format!("{}: {}", condition.reason, condition.message))
}

fn later(driver: &mut Driver, time: Duration) {
    driver.now = driver
        .now
        .checked_add(SignedDuration::try_from(time).unwrap())
        .unwrap();
}

/// Steps without letting time pass.
fn now(driver: &mut Driver) {
    for _ in 0..50 {
        if !driver.step() {
            return;
        }
    }
    panic!("no rest: {:?}", driver.last);
}

mod crashes;
mod deletion;
mod firmware;
mod inspecting;
mod losses;
mod outside;
mod power;
mod preparing;
mod provisioning;
mod registering;
mod shared;
