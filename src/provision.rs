//! The machines: what a provisioner is asked to do, and what it sees.
//!
//! A provisioner drives machines through the life that OpenStack Ironic defined (enroll, manageable,
//! available, active and what lies between), whether they are Ironic's ([`ironic`]) or simulated
//! ([`sim`]). It keeps a picture of all its machines up to date in bulk, so that looking at one
//! costs nothing ([`Provisioner::sight`]); it tells what changed ([`Provisioner::ticks`]); and it
//! carries out one effect at a time for a host ([`Provisioner::run`]).

pub mod ironic;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::api::{BareMetalHost, HardwareJson, Timestamp};
use crate::budget::Limits;
use crate::fence::Fence;
use crate::firmware::{Changes, Found, Reading};
use crate::secrets::JobSecrets;
use crate::store::Key;

pub mod sim;
mod state;

pub use state::{Footing, NodeState};

/// A driver of machines. Object-safe, so that a fleet can have several (one an Ironic).
pub trait Provisioner: Send + Sync + 'static {
    /// Carries out one effect. Idempotent as far as the machine's own rules allow: after a crash
    /// the same step is decided again by looking, never by remembering.
    ///
    /// Cancellation safe: dropping the future may leave the effect done or not done.
    fn run(&self, job: Job) -> BoxFuture<'_, Result<Ack, Fault>>;

    /// What is known of the host's machine, found by its id, its name, or its boot MAC address.
    /// Answers from memory.
    fn sight(&self, host: &BareMetalHost) -> Sight;

    /// How the settings of the machine differ from what the host asks for. Pure, from memory.
    fn drift(&self, host: &BareMetalHost, facts: &Facts) -> Drift;

    /// Changes in what is seen. The first tick comes when all machines were seen once. A tick
    /// comes also without changes, so that effects sent before `as_of` count as confirmed.
    fn ticks(&self) -> BoxStream<'static, Tick>;

    /// How much may be under way at once.
    fn limits(&self) -> Limits;

    /// Says that the engine has effects under way and wants to see soon what became of them.
    fn hurry(&self) {}

    /// Where it is, without credentials; `None` for machines that are nowhere.
    fn address(&self) -> Option<String> {
        None
    }

    /// Why nothing is seen of any machine now, if that is so. Answers from memory.
    fn away(&self) -> Option<Away> {
        None
    }
}

/// One effect for one host, with all that it needs.
#[derive(Clone)]
pub struct Job {
    /// The host as wanted; the mapping to requests is made from its spec.
    pub host: Arc<BareMetalHost>,
    /// What to do.
    pub effect: Effect,
    /// Contents of the secrets that this effect needs; redacted in `Debug`.
    pub secrets: JobSecrets,
    /// The machine as it was seen when this was decided, if there was one.
    pub facts: Option<Arc<Facts>>,
    /// Nothing that changes a machine is sent while it is closed: an effect may wait for its turn, and
    /// be several requests, for longer than a lease lasts.
    pub fence: Fence,
}

/// What can be done to a machine. Verbs are Ironic's; the data comes from the host's spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Makes the machine known, with all its settings and its boot port. Refused with
    /// [`Fault::Taken`] when the MAC address or the name belongs to another machine.
    Enroll {
        /// Version of the credentials that are to be written. The job's secrets are of this
        /// version, or the effect is not run at all (the engine decides again).
        credentials: Arc<str>,
    },
    /// Brings the machine's settings (name, driver, addresses, capabilities, cleaning mode, …) in
    /// line with the host; with `credentials` also user name and password.
    Amend {
        /// Credentials are new: write them. Their version, as with [`Effect::Enroll`].
        credentials: Option<Arc<str>>,
    },
    /// Creates the ports that the inventory shows and that are not there.
    Ports,
    /// Verifies the BMC access: enroll to manageable; also the way out of failed states.
    Manage,
    /// Inspects the hardware.
    Inspect,
    /// Reads what the inspection found; answers [`Ack::Inventory`].
    ReadInventory,
    /// Reads BIOS settings and firmware; answers [`Ack::Firmware`].
    ReadFirmware(Reading),
    /// Cleans with steps made from the host's RAID configuration, and from these changes.
    Clean {
        /// BIOS settings and firmware to change.
        firmware: Option<Arc<Changes>>,
    },
    /// Makes the machine available, with automated cleaning where it is on.
    Provide,
    /// Writes what is to be deployed and starts it, with the config drive.
    Deploy,
    /// Takes over a machine that is already deployed.
    Adopt,
    /// Takes the deployment off.
    Undeploy,
    /// Ends a wait state (`inspect wait`, `clean wait`, …).
    Abort,
    /// Changes power.
    Power(PowerTarget),
    /// Clears maintenance mode.
    Unlock,
    /// Removes the machine from the provisioner's books. With `force` also out of a state that
    /// does not permit it (maintenance is set first).
    Forget {
        /// Even from a state that does not permit it.
        force: bool,
    },
}

impl Effect {
    /// A stable, low-cardinality name for metrics and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Enroll { .. } => "enroll",
            Self::Amend { .. } => "amend",
            Self::Ports => "ports",
            Self::Manage => "manage",
            Self::Inspect => "inspect",
            Self::ReadInventory => "read-inventory",
            Self::ReadFirmware(_) => "read-firmware",
            Self::Clean { .. } => "clean",
            Self::Provide => "provide",
            Self::Deploy => "deploy",
            Self::Adopt => "adopt",
            Self::Undeploy => "undeploy",
            Self::Abort => "abort",
            Self::Power(_) => "power",
            Self::Unlock => "unlock",
            Self::Forget { .. } => "forget",
        }
    }
}

impl Effect {
    /// False for what only reads: what is known of the machine stays true after it.
    pub fn changes(&self) -> bool {
        !matches!(self, Self::ReadInventory | Self::ReadFirmware(_))
    }
}

/// Wanted change of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerTarget {
    /// On.
    On,
    /// Off, asking the operating system first; the machine falls back to hard by itself.
    SoftOff,
    /// Off at once.
    HardOff,
    /// Off and on at once, for machines whose power must not be off.
    Reboot,
    /// The same, asking the operating system first.
    SoftReboot,
}

/// An effect was accepted. Long ones go on by themselves; what becomes of them is seen in facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ack {
    /// Accepted or done.
    Done,
    /// Enrolled: the machine's id, to be kept in `status.provisioning.ID`.
    Enrolled(Arc<str>),
    /// The inventory; `None` when the machine has none, so it has to be inspected.
    Inventory(Option<HardwareJson>),
    /// BIOS settings and firmware.
    Firmware(Box<Found>),
}

/// Why an effect was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Locked or overloaded (409, 503): wait and ask again; not an error of the host.
    #[error("{what}; asking again in {} s", retry.as_secs())]
    Busy {
        /// What was busy.
        what: String,
        /// When to ask again.
        retry: Duration,
    },
    /// The provisioner failed in the middle: it may be done or not, so the machine is looked at
    /// before it is asked again. Not an error of the host.
    #[error("{what}; asking again in {} s", retry.as_secs())]
    Unclear {
        /// What was said.
        what: String,
        /// When to ask again.
        retry: Duration,
    },
    /// Nobody answers: wait; not an error of the host. As with [`Fault::Unclear`] it may be done.
    #[error("{0}")]
    Unreachable(String),
    /// Our own credentials for the provisioner are refused (401, 403).
    #[error("{0}")]
    Unauthorized(String),
    /// The request was refused and would be again: an error of this host.
    #[error("{0}")]
    Refused(String),
    /// The machine is not there any more.
    #[error("the machine is not known to the provisioner any more")]
    Gone,
    /// The boot MAC address or the name belongs to another machine.
    #[error("{0}")]
    Taken(String),
}

impl Fault {
    /// A stable label for metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "busy",
            Self::Unclear { .. } => "unclear",
            Self::Unreachable(_) => "unreachable",
            Self::Unauthorized(_) => "unauthorized",
            Self::Refused(_) => "refused",
            Self::Gone => "gone",
            Self::Taken(_) => "taken",
        }
    }

    /// True when the effect may have been carried out although it was not accepted.
    pub fn may_be_done(&self) -> bool {
        match self {
            Self::Unclear { .. } | Self::Unreachable(_) => true,
            Self::Busy { .. }
            | Self::Unauthorized(_)
            | Self::Refused(_)
            | Self::Gone
            | Self::Taken(_) => false,
        }
    }
}

/// A provisioner that does not answer, or not as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// Which one, since when, what was tried and what a person can do.
    pub text: Arc<str>,
    /// It answers, but refuses our own credentials: a person has to see to them.
    pub unauthorized: bool,
}

impl Outage {
    /// One that ends by itself.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self {
            text: text.into(),
            unauthorized: false,
        }
    }
}

/// A provisioner of whose machines nothing is seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Away {
    /// What went wrong, without since when; `None` while it is looked at for the first time.
    pub outage: Option<Outage>,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
}

/// What is known of a host's machine.
#[derive(Debug, Clone)]
pub enum Sight {
    /// Not all machines were seen yet: absence means nothing.
    Unsynced,
    /// The provisioner does not answer.
    Down(Outage),
    /// An effect was sent and what is known is older than it.
    Unconfirmed(Effect),
    /// All were seen and there is none for this host.
    Absent,
    /// The host's boot MAC address or name belongs to a machine that is not this host's.
    Taken(Arc<str>),
    /// The machine.
    Present(Arc<Facts>),
}

impl Sight {
    /// The machine, if it is seen.
    pub fn facts(&self) -> Option<&Arc<Facts>> {
        match self {
            Self::Present(facts) => Some(facts),
            Self::Unsynced
            | Self::Down(_)
            | Self::Unconfirmed(_)
            | Self::Absent
            | Self::Taken(_) => None,
        }
    }

    /// True when nothing can be said about the machine now.
    pub fn is_blind(&self) -> bool {
        matches!(self, Self::Unsynced | Self::Down(_) | Self::Unconfirmed(_))
    }
}

/// A machine's latest word: what decisions need and no more (10,000 are kept in memory).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Ironic's UUID.
    pub id: Arc<str>,
    /// Name, `namespace~name` for ours.
    pub name: Option<Arc<str>>,
    /// Provision state.
    pub state: NodeState,
    /// Where it is going, while it goes.
    pub target: Option<NodeState>,
    /// Power as last seen; `None` when unknown.
    pub power: Option<bool>,
    /// A power change is under way.
    pub power_changing: bool,
    /// Somebody or a failure took it out of automation.
    pub maintenance: bool,
    /// Why, when Ironic itself did (`power failure`, `clean failure`).
    pub fault: Option<Arc<str>>,
    /// The text of the last failure; not always cleared by the next success.
    pub last_error: Option<Arc<str>>,
    /// Health as the BMC reports it (`OK`, `Warning`, `Critical`), where it is known.
    pub health: Option<Arc<str>>,
    /// An inspection has finished since the machine was enrolled (`inspection_finished_at`), so
    /// that there is an inventory to read. Must become true when an inspection succeeds: the
    /// reconciler inspects a manageable machine for which this is false.
    pub inspected: bool,
    /// URL of the image that is or was to be deployed (`instance_info`: `image_source` or
    /// `boot_iso`), if any. Gone after an undeployment.
    pub image: Option<Arc<str>>,
    /// The deployment belongs to this object UID, if any.
    pub instance: Option<Arc<str>>,
    /// When the machine last changed, as its provisioner tells.
    pub updated_at: Option<Timestamp>,
}

/// How a machine's settings differ from what is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drift {
    /// Settings (name, driver, address, capabilities, cleaning mode, …) differ: `Amend`.
    pub settings: bool,
    /// The boot port, or a port of the inventory, is missing: `Ports`.
    pub ports: bool,
    /// What is another machine's: to write it would make that one carry out what is meant for this.
    pub other: Option<Other>,
    /// The machine would be cleaned of what is on its disks, and the host says that it shall not be.
    pub cleaned: bool,
}

/// What tells one machine from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// The host's address is another BMC's than that of the machine.
    Bmc,
    /// The boot MAC address is one that the machine's inventory does not show, and there is no port of
    /// that address.
    BootMac,
}

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bmc => "BMC address",
            Self::BootMac => "boot MAC address",
        })
    }
}

/// News from a provisioner.
#[derive(Debug, Clone, Default)]
pub struct Tick {
    /// Hosts whose machine changed, came or went.
    pub changed: Vec<Key>,
    /// When the look began that this tick tells of: what [`Provisioner::sight`] answers is at
    /// least this new, and effects that finished before it are confirmed.
    pub as_of: Option<tokio::time::Instant>,
    /// Everything has to be looked at: first tick, or the provisioner came back.
    pub all: bool,
}
