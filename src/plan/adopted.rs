//! Hosts that a plan takes over, and hosts that it leaves though the fleet's name is on them.

use std::sync::Arc;

use crate::api::BareMetalHost;
use crate::api::fleet::applyset;
use crate::api::names::annotation;
use crate::desired::Desired;
use crate::fleet::fold;
use crate::store::Object as _;

use super::{Live, Plan, Verb};

/// Lines about hosts whose owner changes or is not clear: those that nobody of a fleet made and that
/// the plan takes over, and those with the name of this fleet that are no members of its set, and so
/// stay although the spec has them no more.
pub fn adopted(desired: &Desired, plan: &Plan, observed: &[Arc<BareMetalHost>]) -> Vec<String> {
    let live = Live::of(observed);
    let is_nobodys = |host: &BareMetalHost| host.annotation(annotation::FLEET).is_none();
    let taken: Vec<Arc<str>> = plan
        .actions
        .iter()
        .filter(|action| action.verb == Verb::Update && action.refusal.is_none())
        .filter(|action| live.get(&action.host).is_some_and(is_nobodys))
        .map(|action| Arc::clone(&action.host.name))
        .collect();
    let left: Vec<Arc<str>> = observed
        .iter()
        .filter(|host| stays(desired, host))
        .map(|host| host.key().name)
        .collect();
    let mut lines = Vec::new();
    match taken.len() {
        0 => {}
        1 => lines.push(format!(
            "takes over 1 host that is in no fleet: {}",
            fold(&taken)
        )),
        many => lines.push(format!(
            "takes over {many} hosts that are in no fleet: {}",
            fold(&taken)
        )),
    }
    if !left.is_empty() {
        lines.push(format!(
            "not in the spec and left alone, for they are no members of this fleet's set: {}",
            fold(&left)
        ));
    }
    lines
}

fn stays(desired: &Desired, host: &BareMetalHost) -> bool {
    let wanted = || desired.hosts.contains_key(&host.key()) || desired.held.contains(&host.key());
    desired.set.is_some()
        && desired.owns(host)
        && applyset::set_of(host) != desired.set.as_deref()
        && host.metadata.deletion_timestamp.is_none()
        && !wanted()
}
