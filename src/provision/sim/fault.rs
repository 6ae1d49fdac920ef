//! What goes wrong in a simulation, and when: rules, made from a script's lines.
//!
//! The grammar is in [`parse`]; `docs/simulation.md` describes it for users.

pub mod parse;

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;

use super::script::{Span, Task};
use crate::api::Timestamp;
use crate::budget::SlotKind;
use crate::eval::range::Pattern;

pub use self::parse::{ScriptError, script};

/// One line of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it does.
    pub what: What,
    /// When it holds, from the time at which the rule was given.
    pub during: During,
    /// The line, without white space around it and without comment.
    pub text: String,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Tasks fail at their end.
    Fail {
        /// Which.
        task: Task,
        /// Of which machines.
        hosts: Hosts,
        /// How often.
        times: Times,
    },
    /// Tasks take longer.
    Slow {
        /// Which.
        tasks: Tasks,
        /// Of which machines.
        hosts: Hosts,
        /// How many times as long.
        factor: u32,
    },
    /// The provisioner's record of machines is lost once, at the rule's beginning.
    LoseNode(Hosts),
    /// BMCs do not answer.
    LoseBmc(Hosts),
    /// BMCs refuse the credentials that are tried first; others are right.
    WrongCredentials(Hosts),
    /// Changes are answered with busy.
    Busy {
        /// For which machines.
        hosts: Hosts,
        /// How often.
        times: Times,
    },
    /// Nobody answers.
    ApiDown,
    /// Every effect takes this much longer to be accepted.
    ApiSlow(Duration),
    /// Our credentials for the provisioner are refused.
    ApiUnauthorized,
    /// How many may do this at once. Not a fault; holds from the start.
    Limit {
        /// Doing what.
        kind: SlotKind,
        /// How many.
        most: usize,
    },
    /// How long a task takes. Not a fault; holds from the start.
    Take {
        /// Which.
        task: Task,
        /// How long.
        span: Span,
    },
}

/// Machines, by the names of their hosts.
#[derive(Clone, PartialEq, Eq)]
pub struct Hosts(pub Pattern);

impl Hosts {
    /// True for the host of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.matches(name)
    }
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hosts(…)")
    }
}

/// Tasks that are slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tasks {
    /// This one.
    One(Task),
    /// What only talks to the BMC: verifying and power.
    Bmc,
    /// All.
    All,
}

impl Tasks {
    /// True when the task is one of them.
    pub fn has(self, task: Task) -> bool {
        match self {
            Self::One(one) => one == task,
            Self::Bmc => matches!(task, Task::Verify | Task::Power),
            Self::All => true,
        }
    }
}

/// How often something happens to each machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Every time.
    Always,
    /// The first so many times.
    First(u32),
    /// So many of 1,000 times, by chance.
    Permille(u32),
}

/// When a rule holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct During {
    /// From here on.
    pub from: Duration,
    /// Up to here; `None` is for ever.
    pub until: Option<Duration>,
}

impl During {
    /// Always.
    pub const ALWAYS: Self = Self {
        from: Duration::ZERO,
        until: None,
    };
}

/// A rule in force: it knows its place in time, and a name that stays over restarts.
#[derive(Debug, Clone)]
pub struct Active {
    /// The rule.
    pub rule: Rule,
    /// Made from the line; two equal lines have different ones.
    pub id: u64,
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub until: Option<Timestamp>,
}

impl Active {
    /// The rule, given at `base`, with time `pace` times as fast.
    pub fn new(rule: Rule, id: u64, base: Timestamp, pace: u32) -> Self {
        let at = |time: Duration| {
            let time = SignedDuration::try_from(time / pace.max(1)).unwrap_or(SignedDuration::MAX);
            base.checked_add(time).unwrap_or(Timestamp::MAX)
        };
        let (from, until) = (at(rule.during.from), rule.during.until.map(at));
        Self {
            rule,
            id,
            from,
            until,
        }
    }

    /// True while it holds.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}
