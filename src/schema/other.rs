//! Fields of the entities that are not hosts.

use super::{Disruption, Field, Kind, Type, host};

const BLANK: Field = Field::BLANK;

pub(super) const SPEC: &[Field] = &[
    Field {
        name: "lab",
        kind: Kind::Leaf(Type::Bool),
        doc: "A lab: drivers without hardware behind them are no cause for a warning.",
        default: Some("#false"),
        ..BLANK
    },
    Field {
        name: "simulated",
        kind: Kind::Record {
            fields: SIMULATED,
            arg: None,
        },
        doc: "The machines are simulated.",
        also: &["simulation", "simulate"],
        ..BLANK
    },
    Field {
        name: "secrets",
        kind: Kind::Leaf(Type::File),
        doc: "Folder with one folder a secret and one file a key, as Kubernetes mounts them.",
        ..BLANK
    },
    Field {
        name: "limits",
        kind: Kind::Record {
            fields: LIMITS,
            arg: None,
        },
        doc: "Bounds of what is read and evaluated.",
        ..BLANK
    },
    Field {
        name: "lint",
        kind: Kind::Later,
        doc: "Levels of the rules; a later version.",
        ..BLANK
    },
];

const SIMULATED: &[Field] = &[
    Field {
        name: "pace",
        kind: Kind::Leaf(Type::Int(1, 1_000_000)),
        doc: "How many times as fast as real machines the simulated ones are.",
        also: &["speed"],
        ..BLANK
    },
    Field {
        name: "seed",
        kind: Kind::Leaf(Type::Int(0, i64::MAX)),
        doc: "Seed of all chance: the same seed gives the same run.",
        default: Some("0"),
        ..BLANK
    },
    Field {
        name: "faults",
        kind: Kind::Leaf(Type::Texts),
        doc: "Faults to play, one line of the fault script each.",
        also: &["fault"],
        ..BLANK
    },
    Field {
        name: "fault-percent",
        kind: Kind::Leaf(Type::Int(0, 100)),
        doc: "Share of operations that fail by chance.",
        default: Some("0"),
        ..BLANK
    },
    Field {
        name: "script",
        kind: Kind::Leaf(Type::File),
        doc: "File with a fault script, relative to the file that says it.",
        ..BLANK
    },
];

const LIMITS: &[Field] = &[
    Field {
        name: "file",
        kind: Kind::Leaf(Type::Size),
        doc: "Largest file.",
        default: Some("(MiB)16"),
        ..BLANK
    },
    Field {
        name: "project",
        kind: Kind::Leaf(Type::Size),
        doc: "All files together.",
        default: Some("(MiB)256"),
        ..BLANK
    },
    Field {
        name: "instances",
        kind: Kind::Leaf(Type::Int(1, i64::MAX)),
        doc: "Hosts, racks, groups and pools together.",
        default: Some("100000"),
        ..BLANK
    },
    Field {
        name: "range",
        kind: Kind::Leaf(Type::Int(1, i64::MAX)),
        doc: "Names that one range may give.",
        default: Some("65536"),
        ..BLANK
    },
    Field {
        name: "string",
        kind: Kind::Leaf(Type::Size),
        doc: "Longest string: in a file that is read after the root file, and as what an expression gives.",
        default: Some("\"64KiB\""),
        ..BLANK
    },
];

pub(super) const POOL: &[Field] = &[
    Field {
        name: "select",
        kind: Kind::Selector(SELECT),
        doc: "Which hosts may belong: labels that must match, labels that must be absent.",
        required: true,
        also: &["selector", "hostSelector", "matchLabels"],
        ..BLANK
    },
    Field {
        name: "replicas",
        kind: Kind::Leaf(Type::CountOrAll),
        doc: "How many of the selected hosts belong, or `all`.",
        default: Some("all"),
        ..BLANK
    },
    Field {
        name: "spread",
        kind: Kind::Record {
            fields: SPREAD,
            arg: None,
        },
        doc: "How members are spread.",
        ..BLANK
    },
    Field {
        name: "deploy",
        kind: Kind::Record {
            fields: host::DEPLOY,
            arg: Some("image"),
        },
        doc: "What members are deployed with.",
        class: Disruption::Reprovision,
        ..BLANK
    },
    Field {
        name: "rollout",
        kind: Kind::Record {
            fields: ROLLOUT,
            arg: None,
        },
        doc: "How a change of the image goes through the pool.",
        ..BLANK
    },
    Field {
        name: "lifecycle",
        kind: Kind::Record {
            fields: host::LIFECYCLE,
            arg: None,
        },
        doc: "What must not happen to members.",
        ..BLANK
    },
];

const SELECT: &[Field] = &[
    Field {
        name: "match",
        kind: Kind::Map(Type::Texts),
        doc: "A label that must be there, with one of these values.",
        also: &["matchLabels", "in"],
        ..BLANK
    },
    Field {
        name: "lacks",
        kind: Kind::Keyed {
            fields: &[],
            key: "label",
            content: false,
        },
        doc: "A label that must not be there.",
        also: &["not", "absent"],
        ..BLANK
    },
];

const SPREAD: &[Field] = &[Field {
    name: "across",
    kind: Kind::Leaf(Type::Enum(&["rack"])),
    doc: "Members are spread as evenly as can be over these.",
    required: true,
    ..BLANK
}];

const ROLLOUT: &[Field] = &[
    Field {
        name: "max-unavailable",
        kind: Kind::Leaf(Type::Int(1, i64::MAX)),
        doc: "How many members may be away at once.",
        default: Some("1"),
        also: &["maxUnavailable", "max_unavailable"],
        ..BLANK
    },
    Field {
        name: "by",
        kind: Kind::Leaf(Type::Enum(&["rack"])),
        doc: "One rack after the other.",
        ..BLANK
    },
];

pub(super) const IMAGE: &[Field] = host::INLINE_IMAGE;

pub(super) const IRONIC: &[Field] = &[
    Field {
        name: "url",
        kind: Kind::Leaf(Type::Url(&["http", "https"])),
        doc: "Where its API answers.",
        required: true,
        also: &["endpoint", "address"],
        ..BLANK
    },
    Field {
        name: "auth",
        kind: Kind::Leaf(Type::Secret),
        doc: "Secret with the keys `username` and `password` for HTTP basic authentication.",
        also: &["credentials", "apiCredentialsName"],
        ..BLANK
    },
    Field {
        name: "ca",
        kind: Kind::Leaf(Type::Bundle),
        doc: "Secret or config map with the certificate authority (key `ca.crt` or `tls.crt`).",
        also: &["cacert", "ca-cert"],
        ..BLANK
    },
    Field {
        name: "verify-ca",
        kind: Kind::Leaf(Type::Bool),
        doc: "Whether its certificate is verified. Without that, whoever sits in between reads and \
              changes all.",
        default: Some("#true"),
        also: &["insecure"],
        ..BLANK
    },
    Field {
        name: "limits",
        kind: Kind::Record {
            fields: SLOTS,
            arg: None,
        },
        doc: "How many machines may be under way at once.",
        ..BLANK
    },
    Field {
        name: "version",
        kind: Kind::Later,
        doc: "The operator's; a later version.",
        ..BLANK
    },
    Field {
        name: "high-availability",
        kind: Kind::Later,
        doc: "The operator's; a later version.",
        ..BLANK
    },
    Field {
        name: "networking",
        kind: Kind::Later,
        doc: "The operator's; a later version.",
        ..BLANK
    },
    Field {
        name: "tls",
        kind: Kind::Later,
        doc: "The operator's; a later version.",
        ..BLANK
    },
    Field {
        name: "ramdisk",
        kind: Kind::Record {
            fields: RAMDISK,
            arg: None,
        },
        doc: "What its machines boot to be inspected, cleaned and deployed. Without it each Ironic \
              takes what it is configured with (`deploy_kernel`, `deploy_ramdisk`).",
        also: &["deploy-ramdisk"],
        ..BLANK
    },
    Field {
        name: "metrics",
        kind: Kind::Later,
        doc: "The operator's; a later version.",
        ..BLANK
    },
];

const RAMDISK: &[Field] = &[
    Field {
        name: "kernel",
        kind: Kind::Leaf(Type::Url(&["http", "https", "file"])),
        doc: "URL of the kernel, as Ironic sees it.",
        required: true,
        also: &["deploy_kernel", "deploy-kernel"],
        ..BLANK
    },
    Field {
        name: "initramfs",
        kind: Kind::Leaf(Type::Url(&["http", "https", "file"])),
        doc: "URL of the initial RAM disk, as Ironic sees it.",
        required: true,
        also: &["deploy_ramdisk", "initrd", "ramdisk"],
        ..BLANK
    },
];

const SLOTS: &[Field] = &[
    Field {
        name: "inspect",
        kind: Kind::Leaf(Type::Int(1, 100_000)),
        doc: "Machines that inspect.",
        ..BLANK
    },
    Field {
        name: "clean",
        kind: Kind::Leaf(Type::Int(1, 100_000)),
        doc: "Machines that clean.",
        ..BLANK
    },
    Field {
        name: "deploy",
        kind: Kind::Leaf(Type::Int(1, 100_000)),
        doc: "Machines that are deployed.",
        ..BLANK
    },
];
