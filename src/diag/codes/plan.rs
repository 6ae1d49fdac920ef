//! MF7xxx: planning. No text alone shows these: they are about what an edit does to machines.

use super::Entry;
use crate::diag::{Code, Severity};

/// The rules of this thousand, in the order of their codes.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: Code(7101),
        slug: "destroys-a-machine",
        severity: Severity::Error,
        summary: "A plan that destroys what is deployed on a machine, or takes it out of its pool",
        why: "What runs there would be lost, perhaps for a typing error. So a person has to name \
              the host; with `lifecycle prevent-destroy=#true` not even that is enough, also not \
              when the host is taken out of the spec or out of the pool that says it.",
        bad: "",
        good: "",
        fix: "Say `metalform apply --allow-destroy NAME`. Where `prevent-destroy` forbids it, \
              apply the spec without that line first. Where it was not meant, undo the edit.",
    },
    Entry {
        code: Code(7102),
        slug: "bmc-address-moved",
        severity: Severity::Error,
        summary: "Another BMC address for a host that is registered",
        why: "The address says which machine it is. The Bare Metal Operator's API takes another \
              one only while a host is registering or detached.",
        bad: "",
        good: "",
        fix: "Detach the host first: set the annotation `baremetalhost.metal3.io/detached`, change \
              the address, and take the annotation away (`docs/by-hand.md`). The machine goes on running.",
    },
    Entry {
        code: Code(7103),
        slug: "boot-mac-changed",
        severity: Severity::Error,
        summary: "Another boot MAC address for a host that has one",
        why: "The Bare Metal Operator's API never takes another one: the address finds the machine \
              again when all else is lost.",
        bad: "",
        good: "",
        fix: "Take the host out of the spec, wait until it is gone, and put it back with the new \
              address. The machine is registered and inspected anew.",
    },
    Entry {
        code: Code(7104),
        slug: "externally-provisioned-late",
        severity: Severity::Error,
        summary: "`externally-provisioned` for a host that is neither new nor available",
        why: "It says that something else deployed the machine. The Bare Metal Operator's API takes \
              it when a host is created or while it is available; from a provisioned host it would \
              take the image that metalform put there out of its hands.",
        bad: "",
        good: "",
        fix: "Wait until the host is available: take its image away first, or remove and declare \
              it anew.",
    },
    Entry {
        code: Code(7107),
        slug: "rename-is-delete-and-create",
        severity: Severity::Warning,
        summary: "A new host whose machine another host still has",
        why: "A host is its name. A new name is a host that goes and one that comes, and two hosts \
              must not drive one machine: the new one waits until the old one is gone, and a \
              machine that is deployed is deployed anew.",
        bad: "",
        good: "",
        fix: "Keep the old name; or allow the old host's destruction and wait. If the machine \
              belongs to a host of another fleet, take it out there.",
    },
    Entry {
        code: Code(7111),
        slug: "host-of-another-fleet",
        severity: Severity::Error,
        summary: "A host that exists and belongs to another fleet",
        why: "Two specs that say different things of one host would undo each other's work.",
        bad: "",
        good: "",
        fix: "Give one of the two another name or namespace. To take a host over, take it out of \
              the other spec, or its annotation `metalform.dev/fleet` away.",
    },
    Entry {
        code: Code(7112),
        slug: "driven-by-moved",
        severity: Severity::Error,
        summary: "Another Ironic for a host that is registered",
        why: "The one that has the machine in its books goes on to control its power; two of them \
              would fight over it.",
        bad: "",
        good: "",
        fix: "Detach the host first: set the annotation `baremetalhost.metal3.io/detached`, change \
              `driven-by`, and take the annotation away (`docs/by-hand.md`).",
    },
    Entry {
        code: Code(7120),
        slug: "two-sorts-of-machines",
        severity: Severity::Error,
        summary: "A spec that says `simulated` and names an Ironic",
        why: "Machines are real or they are not; which of the two drives a host must never be a \
              matter of chance.",
        bad: "",
        good: "",
        fix: "Leave one of them out. A rehearsal of a real fleet is a spec of its own that imports \
              the same files.",
    },
    Entry {
        code: Code(7121),
        slug: "simulation-script",
        severity: Severity::Error,
        summary: "Faults of simulated machines that cannot be read",
        why: "A fault that is not played shows nothing.",
        bad: "",
        good: "",
        fix: "`docs/simulation.md` has all lines of a fault script.",
    },
    Entry {
        code: Code(7122),
        slug: "secret-not-there",
        severity: Severity::Warning,
        summary: "A secret that is not in the folder of secrets",
        why: "A host waits until its secrets are there. Where the folder itself is missing (in CI, \
              say) nothing is said.",
        bad: "",
        good: "",
        fix: "Correct the name, or make the folder `NAME` with one file a key in it.",
    },
    Entry {
        code: Code(7123),
        slug: "namespace-not-worked-in",
        severity: Severity::Error,
        summary: "A spec for a namespace that its controller does not work in",
        why: "A controller sees the hosts of its own namespaces (`--namespace`, `WATCH_NAMESPACE`) \
              and of no other. One that works in several does not guess which of them is meant.",
        bad: "",
        good: "",
        fix: "Say `spec NAME namespace=…` with one of them, or have the controller work in that \
              namespace, too.",
    },
];
