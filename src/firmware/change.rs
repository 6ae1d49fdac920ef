//! The words between a wish, a decision and a machine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::{FirmwareComponentStatus, FirmwareUpdate, SettingSchema};

/// Of which of the two something is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts {
    /// BIOS settings.
    pub settings: bool,
    /// Firmware.
    pub components: bool,
}

impl Parts {
    /// True when it is of neither.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Of one or the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            settings: self.settings || other.settings,
            components: self.components || other.components,
        }
    }
}

/// Which wishes: generations of the objects that state them, of those that are concerned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Of the HostFirmwareSettings.
    pub settings: Option<i64>,
    /// Of the HostFirmwareComponents.
    pub components: Option<i64>,
}

impl Stamp {
    /// What it concerns.
    pub fn parts(self) -> Parts {
        Parts {
            settings: self.settings.is_some(),
            components: self.components.is_some(),
        }
    }
}

const SETTINGS: &str = "HostFirmwareSettings";
const COMPONENTS: &str = "HostFirmwareComponents";

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [(SETTINGS, self.settings), (COMPONENTS, self.components)];
        let mut separator = "";
        for (kind, generation) in parts {
            if let Some(generation) = generation {
                write!(f, "{separator}{kind} of generation {generation}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

/// A text that is no stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoStamp;

impl FromStr for Stamp {
    type Err = NoStamp;

    fn from_str(text: &str) -> Result<Self, NoStamp> {
        let mut stamp = Self::default();
        for part in text.split(", ") {
            let (kind, generation) = part.split_once(" of generation ").ok_or(NoStamp)?;
            let generation = Some(generation.parse().map_err(|_| NoStamp)?);
            match kind {
                SETTINGS => stamp.settings = generation,
                COMPONENTS => stamp.components = generation,
                _ => return Err(NoStamp),
            }
        }
        Ok(stamp)
    }
}

/// What a cleaning has to change. Nothing of it is empty but one of the two lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Settings that are not as wanted, in order of name.
    pub settings: Vec<Setting>,
    /// Updates that were not installed yet, in the order in which they are written.
    pub updates: Vec<FirmwareUpdate>,
    /// Of which wishes.
    pub of: Stamp,
}

/// A setting as it is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// A text, a number or a boolean, whichever the machine takes for it.
    pub value: Value,
}

/// What is to be read of a machine, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// What.
    pub parts: Parts,
    /// The updates of HostFirmwareComponents of this generation have just been installed.
    pub installed: Option<i64>,
}

/// What was read of a machine; `None` for what was not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Its BIOS settings; none of a machine that tells none.
    pub settings: Option<Vec<FoundSetting>>,
    /// Its parts that have firmware; none of a machine that lists none.
    pub components: Option<Vec<FirmwareComponentStatus>>,
}

/// A BIOS setting as read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundSetting {
    /// Its name.
    pub name: String,
    /// Its value, as a text.
    pub value: String,
    /// What it may be.
    pub schema: SettingSchema,
}
