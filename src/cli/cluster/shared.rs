//! What holds up all hosts, or many: as controllers say in their leases, in words for people.

use std::fmt::Write as _;

use crate::api::names::{annotation, finalizer};
use crate::api::word::{Cause, Ironic, Slots, Word};
use crate::api::{BareMetalHost, OperationalStatus, Timestamp};
use crate::budget::SlotKind;
use crate::cli::screen;
use crate::diag::one_line;
use crate::engine::DEFAULT_MACHINES;
use crate::reconcile::Code;
use crate::serve::client::Reason;
use crate::store::Object as _;

use super::lead::{HOME, Lead};

/// Nobody drives the host.
const NO_CONTROLLER: &str = "NoController";

/// All leases that were found, in order of place. None when they may not be read.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Leads(pub(super) Vec<Lead>);

/// What many hosts wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Shared {
    pub code: String,
    pub text: String,
    pub since: Option<Timestamp>,
}

impl Shared {
    fn new(code: &str, text: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            text: text.into(),
            since: None,
        }
    }

    fn of(cause: &Cause, text: String) -> Self {
        Self {
            code: cause.code.clone(),
            text,
            since: cause.since,
        }
    }

    /// `ProvisionerDown for 3m: Ironic at …`.
    pub fn line(&self, now: Timestamp) -> String {
        said(&self.code, self.since, "", &self.text, now)
    }

    /// What a person could do.
    pub fn next_steps(&self) -> Option<String> {
        if self.code == NO_CONTROLLER {
            let text = "See whether the controller runs and what its log says; `kubectl get lease \
                        -A` shows who holds a lease.";
            return Some(text.to_owned());
        }
        let row = Code::ALL.iter().find(|row| row.as_str() == self.code)?;
        let doc: Vec<&str> = row.doc().lines().map(str::trim).collect();
        Some(doc.join(" "))
    }
}

/// Code, since when, how many, and why.
fn said(code: &str, since: Option<Timestamp>, many: &str, text: &str, now: Timestamp) -> String {
    let mut line = code.to_owned();
    if let Some(since) = since {
        // Writing into a String does not fail.
        write!(line, " for {}", screen::age(since, now)).ok();
    }
    line + many + ": " + &one_line(text)
}

impl Leads {
    /// What is to be said beside a table of these hosts. `namespace`: theirs, or all.
    pub fn lines<'a>(
        &self,
        namespace: Option<&str>,
        hosts: impl ExactSizeIterator<Item = &'a BareMetalHost>,
        now: Timestamp,
    ) -> Vec<String> {
        let leads: Vec<&Lead> = match namespace {
            Some(namespace) => self.of(namespace).into_iter().collect(),
            // Not those of somebody who says nothing.
            None => {
                let all = self.0.iter();
                all.filter(|lead| lead.word.is_some() || lead.holder.is_none())
                    .collect()
            }
        };
        let mut lines = Vec::new();
        let total = hosts.len();
        let invented = hosts.filter(|host| is_simulated(host)).count();
        let mut words = leads.iter().filter_map(|lead| lead.word.as_ref());
        if words.any(|word| word.simulated) || (total > 0 && invented == total) {
            lines.push(
                "MACHINES ARE SIMULATED: no real machine is driven, whatever a host says".into(),
            );
        } else if invented > 0 {
            lines.push(format!(
                "{invented} OF {total} HOSTS HAVE SIMULATED MACHINES: there are no real ones"
            ));
        }
        for lead in leads {
            match (undriven(lead, now), &lead.word) {
                (Some(cause), _) => lines.push(cause.line(now)),
                (None, Some(word)) => lines.extend(causes(word, now)),
                (None, None) => {}
            }
        }
        lines
    }

    /// Puts what holds up many in the place of a host's reason, where that says nothing of its own.
    /// True if it did.
    pub fn amend(&self, reason: &mut Reason, host: &BareMetalHost, now: Timestamp) -> bool {
        if reason.settled || reason.blocked {
            return false;
        }
        let Some(cause) = self.cause(host, now) else {
            return false;
        };
        // A host that goes on may be the Bare Metal Operator's: a lease that metalform gave back says
        // nothing of that.
        let given_back = cause.code == NO_CONTROLLER && cause.since.is_none();
        if given_back && !matches!(reason.code.as_str(), "New" | "Changed") {
            return false;
        }
        reason.code = cause.code;
        reason.text = cause.text;
        reason.since = cause.since.or(reason.since);
        true
    }

    /// What surely holds up this host among others.
    pub fn cause(&self, host: &BareMetalHost, now: Timestamp) -> Option<Shared> {
        let lead = self.of(&host.key().namespace)?;
        if let Some(cause) = undriven(lead, now) {
            return Some(cause);
        }
        if !needs_machine(host) {
            return None;
        }
        let word = lead.word.as_ref()?;
        if let Some(text) = other_world(word, host) {
            return Some(Shared::new(Code::NoProvisioner.as_str(), text));
        }
        let name = host.annotation(annotation::IRONIC);
        let name = name.unwrap_or(DEFAULT_MACHINES);
        let Some(ironic) = word.ironic(name) else {
            let known = word.ironics.iter().flat_map(|ironic| &ironic.names);
            let known: Vec<&str> = known.map(String::as_str).collect();
            let text = format!(
                "the controller knows no Ironic named `{name}`; it knows {}",
                known.join(", ")
            );
            return Some(Shared::new(Code::NoProvisioner.as_str(), text));
        };
        if let Some(held) = &ironic.held {
            return Some(Shared::of(held, about(ironic, held)));
        }
        let status = host.status.as_ref()?;
        let is_delayed = status.operational_status == OperationalStatus::Delayed;
        is_delayed.then(|| slots(ironic)).flatten()
    }

    /// What may hold it up besides: the API server refuses writes of some hosts.
    pub fn beside(&self, host: &BareMetalHost) -> Option<Shared> {
        let word = self.of(&host.key().namespace)?.word.as_ref()?;
        let store = word.store.as_ref()?;
        let text = format!("{}, of one: {}", wait(store.hosts), store.text);
        Some(Shared::of(store, text))
    }

    /// Whose word counts for hosts of this namespace. Of a lease that nobody holds it is not known for
    /// which it was: one near the hosts, the usual one, or the only one.
    fn of(&self, namespace: &str) -> Option<&Lead> {
        let speaks = |lead: &&Lead| {
            lead.word
                .as_ref()
                .is_some_and(|word| word.covers(namespace))
        };
        let free = || self.0.iter().filter(|lead| lead.holder.is_none());
        let free_in = |place: &str| free().find(|lead| lead.namespace == place);
        let spoken = self.0.iter().find(speaks);
        let near = || free_in(namespace).or_else(|| free_in(HOME.0));
        spoken
            .or_else(near)
            .or_else(|| free().next().filter(|_| self.0.len() == 1))
    }
}

/// Why nobody drives hosts, if nobody holds this lease.
fn undriven(lead: &Lead, now: Timestamp) -> Option<Shared> {
    let Some(holder) = &lead.holder else {
        let text = format!(
            "no controller of metalform's holds the lease {}; nobody drives these hosts, unless \
             another operator does",
            lead.place()
        );
        return Some(Shared::new(NO_CONTROLLER, text));
    };
    let since = lead.silent_since(now)?;
    let text = format!(
        "the controller {holder} has not been heard of, and no other one took the lease {}",
        lead.place()
    );
    Some(Shared {
        since: Some(since),
        ..Shared::new(NO_CONTROLLER, text)
    })
}

/// A line for each thing that holds up hosts.
fn causes(word: &Word, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    let line = |cause: &Cause, text: &str| {
        let many = match cause.hosts {
            0 => String::new(),
            hosts => format!(", {}", wait(hosts)),
        };
        said(&cause.code, cause.since, &many, text, now)
    };
    for ironic in &word.ironics {
        if let Some(held) = &ironic.held {
            lines.push(line(held, &about(ironic, held)));
        }
        for (kind, code) in KINDS {
            let slots = ironic.slots.get(kind.as_str()).cloned().unwrap_or_default();
            if slots.waiting > 0 {
                let many = format!(", {}", wait(slots.waiting));
                let text = in_use(kind, &slots);
                lines.push(said(code.as_str(), None, &many, &text, now));
            }
        }
    }
    if word.left_alone > 0 {
        let many = match word.left_alone {
            1 => ", 1 host is left alone".to_owned(),
            many => format!(", {many} hosts are left alone"),
        };
        let text = "nothing that the controller knows drives their machines";
        lines.push(said(Code::NoProvisioner.as_str(), None, &many, text, now));
    }
    lines.extend(word.store.iter().map(|store| line(store, &store.text)));
    lines
}

/// The text of a cause with whom it is about: an outage says so itself.
fn about(ironic: &Ironic, held: &Cause) -> String {
    let is_starting = held.code == Code::ProvisionerStarting.as_str();
    match ironic.url.as_str() {
        url if is_starting && !url.is_empty() => format!("Ironic at {url}: {}", held.text),
        _ => held.text.clone(),
    }
}

fn wait(hosts: usize) -> String {
    match hosts {
        1 => "1 host waits".to_owned(),
        many => format!("{many} hosts wait"),
    }
}

fn in_use(kind: SlotKind, slots: &Slots) -> String {
    let Slots { used, of, .. } = slots;
    format!("{used} of {of} slots to {} are in use", kind.as_str())
}

const KINDS: [(SlotKind, Code); 3] = [
    (SlotKind::Inspect, Code::WaitingForInspectSlot),
    (SlotKind::Clean, Code::WaitingForCleanSlot),
    (SlotKind::Deploy, Code::WaitingForDeploySlot),
];

/// What a delayed host waits for: a slot of the one kind that anybody waits for, or of one of several.
fn slots(ironic: &Ironic) -> Option<Shared> {
    let awaited = |(kind, code): (SlotKind, Code)| {
        let slots = ironic.slots.get(kind.as_str())?;
        let text = format!("{}, {}", in_use(kind, slots), wait(slots.waiting));
        (slots.waiting > 0).then_some((code, text))
    };
    let awaited: Vec<(Code, String)> = KINDS.into_iter().filter_map(awaited).collect();
    match awaited.as_slice() {
        [] => None,
        [(code, text)] => Some(Shared::new(code.as_str(), text)),
        several => {
            let texts: Vec<&str> = several.iter().map(|(_, text)| text.as_str()).collect();
            let text = format!("waits for a free slot: {}", texts.join("; "));
            Some(Shared::new("Delayed", text))
        }
    }
}

/// False for a host that can go its way without a provisioner.
fn needs_machine(host: &BareMetalHost) -> bool {
    let status = host.status.as_ref();
    host.has_bmc_details() || status.is_some_and(|status| !status.provisioning.id.is_empty())
}

pub(in crate::cli) fn is_simulated(host: &BareMetalHost) -> bool {
    host.annotation(annotation::SIMULATED).is_some()
}

/// Why a controller leaves a host alone whose machine is real and its own are not, or the other way
/// round.
fn other_world(word: &Word, host: &BareMetalHost) -> Option<&'static str> {
    let is_new = !host.metadata.has_finalizer(finalizer::HOST);
    match (is_simulated(host), word.simulated) {
        _ if is_new => None,
        (false, true) => Some(
            "the controller only simulates machines, and the host was registered by one that \
             drives real ones; it is left alone",
        ),
        (true, false) => Some(
            "the host's machine was simulated, and the controller drives real ones; it is left \
             alone",
        ),
        (true, true) | (false, false) => None,
    }
}

#[cfg(test)]
mod tests;
