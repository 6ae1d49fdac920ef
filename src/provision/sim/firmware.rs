//! BIOS settings and firmware of simulated machines: the same for all, but for what was changed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::{AttributeType, FirmwareComponentStatus, SettingSchema, Timestamp, whole_seconds};
use crate::firmware::{Changes, Found, FoundSetting, Parts};

/// What was changed since the machine left its factory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Firmware {
    /// Settings by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    settings: Vec<(Arc<str>, Arc<str>)>,
    /// Parts that were updated: how often, and when last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    updates: Vec<(Arc<str>, u32, Timestamp)>,
}

/// Name, value, and what else it may be.
const SETTINGS: [(&str, &str, May); 6] = [
    ("AssetTag", "", May::Text(32)),
    ("BootMode", "Uefi", May::One(&["LegacyBios", "Uefi"])),
    ("NumCores", "10", May::Number(1, 64)),
    (
        "ProcTurboMode",
        "Enabled",
        May::One(&["Disabled", "Enabled"]),
    ),
    (
        "ProcVirtualization",
        "Enabled",
        May::One(&["Disabled", "Enabled"]),
    ),
    ("QuietBoot", "true", May::Flag),
];

/// Parts and their versions: the number that an update raises is left out.
const COMPONENTS: [(&str, &str); 2] = [("bios", "1"), ("bmc", "2")];

/// What a setting may be.
#[derive(Clone, Copy)]
enum May {
    Text(i64),
    One(&'static [&'static str]),
    Number(i64, i64),
    Flag,
}

impl May {
    fn schema(self) -> SettingSchema {
        let of = |kind| SettingSchema {
            attribute_type: Some(kind),
            read_only: Some(false),
            ..SettingSchema::default()
        };
        match self {
            Self::Text(most) => SettingSchema {
                max_length: Some(most),
                ..of(AttributeType::String)
            },
            Self::One(values) => SettingSchema {
                allowable_values: values.iter().map(|&value| value.to_owned()).collect(),
                ..of(AttributeType::Enumeration)
            },
            Self::Number(least, most) => SettingSchema {
                lower_bound: Some(least),
                upper_bound: Some(most),
                ..of(AttributeType::Integer)
            },
            Self::Flag => of(AttributeType::Boolean),
        }
    }
}

impl Firmware {
    /// True for a machine as it left its factory.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Reads these parts.
    pub fn read(&self, parts: Parts) -> Found {
        let setting = |(name, usual, may): (&str, &str, May)| {
            let changed = self.settings.iter().find(|(known, _)| **known == *name);
            FoundSetting {
                name: name.to_owned(),
                value: changed.map_or(usual, |(_, value)| value).to_owned(),
                schema: may.schema(),
            }
        };
        let component = |(part, major): (&str, &str)| {
            let first = format!("{major}.0");
            let updated = self.updates.iter().find(|(known, ..)| **known == *part);
            let last = updated.map(|(_, times, _)| format!("{major}.{times}"));
            FirmwareComponentStatus {
                component: part.to_owned(),
                current_version: last.clone().unwrap_or_else(|| first.clone()),
                initial_version: first,
                last_version_flashed: last.unwrap_or_default(),
                updated_at: updated.map(|(.., at)| *at),
                ..FirmwareComponentStatus::default()
            }
        };
        Found {
            settings: parts
                .settings
                .then(|| SETTINGS.into_iter().map(setting).collect()),
            components: parts
                .components
                .then(|| COMPONENTS.into_iter().map(component).collect()),
        }
    }

    /// Makes changes that a cleaning was asked for.
    pub fn change(&mut self, changes: &Changes, now: Timestamp) {
        for setting in &changes.settings {
            let value: Arc<str> = match &setting.value {
                Value::String(text) => text.as_str().into(),
                other => other.to_string().into(),
            };
            let known = |(name, _): &&mut (Arc<str>, _)| **name == *setting.name;
            match self.settings.iter_mut().find(known) {
                Some(known) => known.1 = value,
                None => self.settings.push((setting.name.as_str().into(), value)),
            }
        }
        for update in &changes.updates {
            let now = whole_seconds(now);
            let known = |(part, ..): &&mut (Arc<str>, _, _)| **part == *update.component;
            match self.updates.iter_mut().find(known) {
                Some((_, times, at)) => (*times, *at) = (*times + 1, now),
                None => self
                    .updates
                    .push((update.component.as_str().into(), 1, now)),
            }
        }
    }
}
