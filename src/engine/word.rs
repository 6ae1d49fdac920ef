//! What holds up all hosts, gathered for one who tells it in one place.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::word::{Cause, Ironic, Word};
use crate::api::{Timestamp, whole_seconds};
use crate::diag::one_line;
use crate::provision::Provisioner;
use crate::reconcile::{Code, Why};

use super::overview::{HostLine, overview};
use super::{Shared, Stores};

/// The longest text that is told of an error.
const LONGEST: usize = 500;

/// Hosts that wait for one thing.
#[derive(Default)]
struct Waiting {
    hosts: usize,
    /// Since when the first of them does.
    since: Option<Timestamp>,
    /// What the first of them says, in order of key.
    why: Option<Arc<Why>>,
}

impl Waiting {
    fn add(&mut self, line: &HostLine, why: &Arc<Why>) {
        self.hosts += 1;
        self.since = self.since.into_iter().chain(line.since).min();
        self.why.get_or_insert_with(|| Arc::clone(why));
    }
}

/// The word as of now. Reads memory only.
pub(super) fn word<S: Stores>(shared: &Shared<S>) -> Word {
    let mut of_ironics: BTreeMap<&str, Waiting> = BTreeMap::new();
    let (mut left_alone, mut refused) = (0, Waiting::default());
    let overview = overview(shared);
    for line in &overview.hosts {
        let Some(why) = &line.why else {
            continue;
        };
        if is_one_of(why, &[Code::NoProvisioner]) {
            left_alone += 1;
        } else if is_one_of(why, &[Code::StoreFailed]) {
            refused.add(line, why);
        } else if is_one_of(why, &UNSEEN) {
            let name = shared.machines_name(&line.host);
            of_ironics.entry(name).or_default().add(line, why);
        }
    }
    let ironics = shared.machines.iter().map(|(name, machines)| Ironic {
        names: shared.names_of(name),
        url: machines.address().unwrap_or_default(),
        held: held(
            machines.as_ref(),
            shared.is_booked(name),
            of_ironics.remove(&**name).unwrap_or_default(),
        ),
        slots: shared.slots_of(name),
    });
    Word {
        simulated: shared.policy.simulated,
        ironics: ironics.collect(),
        left_alone,
        store: refused.why.map(|why| Cause {
            code: why.code.to_owned(),
            text: short(&why.text),
            since: refused.since.map(whole_seconds),
            hosts: refused.hosts,
        }),
        ..Word::default()
    }
}

/// What a host says whose machine is not seen.
const UNSEEN: [Code; 3] = [
    Code::ProvisionerStarting,
    Code::ProvisionerDown,
    Code::ProvisionerUnauthorized,
];

fn is_one_of(why: &Why, codes: &[Code]) -> bool {
    codes.iter().any(|code| code.as_str() == why.code)
}

/// Why nothing is seen of a provisioner's machines. A host alone may wait for one that answers, when
/// a request of its own went wrong: that holds up nobody else.
fn held(machines: &dyn Provisioner, booked: bool, waiting: Waiting) -> Option<Cause> {
    let away = match machines.away() {
        Some(away) => away,
        None if booked => return None,
        None => Default::default(),
    };
    let (code, text) = match &away.outage {
        None => (Code::ProvisionerStarting, "not all machines are seen yet"),
        Some(outage) if outage.unauthorized => (Code::ProvisionerUnauthorized, &*outage.text),
        Some(outage) => (Code::ProvisionerDown, &*outage.text),
    };
    Some(Cause {
        code: code.as_str().to_owned(),
        text: short(text),
        since: away.since.or(waiting.since).map(whole_seconds),
        hosts: waiting.hosts,
    })
}

/// One line, and not a long one: all of it is part of an object that is written often.
fn short(text: &str) -> String {
    let text = one_line(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl<S: Stores> Shared<S> {
    /// All names of the provisioner that this one stands for.
    fn names_of(&self, name: &str) -> Vec<String> {
        let all = self.names.iter();
        all.filter(|(_, stands)| ***stands == *name)
            .map(|(known, _)| known.to_string())
            .collect()
    }
}
