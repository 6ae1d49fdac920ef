//! How long things take in a simulated machine, and what goes wrong.

use std::collections::VecDeque;
use std::time::Duration;

use crate::dice::Dice;

/// What a machine can be at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Task {
    /// Trying the BMC.
    Verify,
    /// Inspecting.
    Inspect,
    /// Cleaning.
    Clean,
    /// Deploying.
    Deploy,
    /// Taking a deployment off (cleaning comes after it).
    Undeploy,
    /// Taking a deployed machine over.
    Adopt,
    /// Changing power.
    Power,
}

impl Task {
    /// All tasks.
    pub const ALL: [Self; 7] = [
        Self::Verify,
        Self::Inspect,
        Self::Clean,
        Self::Deploy,
        Self::Undeploy,
        Self::Adopt,
        Self::Power,
    ];

    /// Its word in scripts and in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Inspect => "inspect",
            Self::Clean => "clean",
            Self::Deploy => "deploy",
            Self::Undeploy => "undeploy",
            Self::Adopt => "adopt",
            Self::Power => "power",
        }
    }

    /// The task of a word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.as_str() == word)
    }
}

/// How long one task takes: from `least` to `most`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The shortest.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
}

impl Span {
    /// From and to, in milliseconds.
    pub const fn millis(least: u64, most: u64) -> Self {
        Self {
            least: Duration::from_millis(least),
            most: Duration::from_millis(most),
        }
    }

    /// One of the durations.
    pub fn pick(self, dice: &mut Dice) -> Duration {
        dice.between(self.least, self.most)
    }
}

/// How long everything takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Trying the BMC.
    pub verify: Span,
    /// Inspecting.
    pub inspect: Span,
    /// Cleaning.
    pub clean: Span,
    /// Deploying.
    pub deploy: Span,
    /// Taking a deployment off, without the cleaning.
    pub undeploy: Span,
    /// Taking a deployed machine over.
    pub adopt: Span,
    /// Changing power.
    pub power: Span,
}

impl Default for Pace {
    /// A lab's: a whole life takes about 15 s.
    fn default() -> Self {
        Self {
            verify: Span::millis(200, 600),
            inspect: Span::millis(1500, 3000),
            clean: Span::millis(1000, 2500),
            deploy: Span::millis(3000, 6000),
            undeploy: Span::millis(500, 1000),
            adopt: Span::millis(200, 500),
            power: Span::millis(200, 800),
        }
    }
}

impl Pace {
    /// Everything takes no time at all; an event is still an event.
    pub const INSTANT: Self = {
        let none = Span::millis(0, 0);
        Self {
            verify: none,
            inspect: none,
            clean: none,
            deploy: none,
            undeploy: none,
            adopt: none,
            power: none,
        }
    };

    /// How long a task takes.
    pub const fn of(&self, task: Task) -> Span {
        match task {
            Task::Verify => self.verify,
            Task::Inspect => self.inspect,
            Task::Clean => self.clean,
            Task::Deploy => self.deploy,
            Task::Undeploy => self.undeploy,
            Task::Adopt => self.adopt,
            Task::Power => self.power,
        }
    }

    /// Changes how long one task takes.
    pub const fn set(&mut self, task: Task, span: Span) {
        match task {
            Task::Verify => self.verify = span,
            Task::Inspect => self.inspect = span,
            Task::Clean => self.clean = span,
            Task::Deploy => self.deploy = span,
            Task::Undeploy => self.undeploy = span,
            Task::Adopt => self.adopt = span,
            Task::Power => self.power = span,
        }
    }

    /// Everything `times` as fast.
    #[must_use]
    pub fn faster(mut self, times: u32) -> Self {
        for task in Task::ALL {
            let Span { least, most } = self.of(task);
            let span = Span {
                least: least / times.max(1),
                most: most / times.max(1),
            };
            self.set(task, span);
        }
        self
    }
}

/// What goes wrong. Drawn once when a task begins, so that a seed says it all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Troubles {
    /// Of 1,000 tasks so many fail.
    pub permille: u32,
    /// Tasks of these kinds fail next, whatever the chance.
    pub next: VecDeque<Task>,
    /// Everything takes this many times as long; 0 and 1 are the usual pace.
    pub slow: u32,
}

impl Troubles {
    /// Whether the task that begins now will fail.
    pub fn strikes(&mut self, task: Task, dice: &mut Dice) -> bool {
        if let Some(place) = self.next.iter().position(|next| *next == task) {
            self.next.remove(place);
            return true;
        }
        self.permille > 0 && dice.permille(self.permille)
    }
}
