//! How a simulation behaves.

use super::fault::{self, Rule, ScriptError, What};
use super::script::Pace;
use crate::budget::{Limits, SlotKind};
use crate::fleet;

/// How a simulation behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything is so many times as fast as in a lab, where a life takes some 15 s.
    pub pace: u32,
    /// Seed of all chance.
    pub seed: u64,
    /// Of 1,000 tasks so many fail.
    pub fault_permille: u32,
    /// How many machines may inspect, clean and deploy at once.
    pub limits: Limits,
    /// How long tasks take at pace 1.
    pub durations: Pace,
    /// Rules of the script, given when the machines began.
    pub rules: Vec<Rule>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pace: 1,
            seed: 0,
            fault_permille: 0,
            // So that machines of a lab wait for slots, but not for long.
            limits: Limits {
                inspect: 10,
                clean: 15,
                deploy: 12,
            },
            durations: Pace::default(),
            rules: Vec::new(),
        }
    }
}

/// Why a simulation is not what the spec says.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// A pace that is none.
    #[error("`pace` is 0: nothing would ever happen; 1 is a lab's pace, 10 is ten times as fast")]
    Pace,
    /// A share that is none.
    #[error("`fault-percent` is {0}: it is at most 100")]
    Percent(u8),
    /// A fault that cannot be read.
    #[error("fault {}: {error}", index + 1)]
    Fault {
        /// Which one, from 0.
        index: usize,
        /// What is wrong with it.
        error: ScriptError,
    },
}

impl OptionsError {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Pace => "SimulationPace",
            Self::Percent(_) => "SimulationPercent",
            Self::Fault { .. } => "SimulationScript",
        }
    }
}

impl Options {
    /// What the spec says.
    pub fn from_spec(spec: &fleet::Simulation) -> Result<Self, OptionsError> {
        if spec.fault_percent > 100 {
            return Err(OptionsError::Percent(spec.fault_percent));
        }
        let pace = spec.pace.unwrap_or(1);
        if pace == 0 {
            return Err(OptionsError::Pace);
        }
        let mut options = Self {
            pace,
            seed: spec.seed,
            fault_permille: u32::from(spec.fault_percent) * 10,
            ..Self::default()
        };
        for (index, line) in spec.faults.iter().enumerate() {
            let added = options.add("the spec", line);
            added.map_err(|error| OptionsError::Fault { index, error })?;
        }
        Ok(options)
    }

    /// Adds a script; `place` is its name in errors.
    pub fn add(&mut self, place: &str, text: &str) -> Result<(), ScriptError> {
        for rule in fault::script(place, text)? {
            match rule.what {
                What::Limit { kind, most } => match kind {
                    SlotKind::Inspect => self.limits.inspect = most,
                    SlotKind::Clean => self.limits.clean = most,
                    SlotKind::Deploy => self.limits.deploy = most,
                },
                What::Take { task, span } => self.durations.set(task, span),
                _ => self.rules.push(rule),
            }
        }
        Ok(())
    }
}
