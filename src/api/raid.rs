//! RAID volumes between wish and deed: what a status says while they are being made.
//!
//! Which volumes a cleaning makes is known for certain only while the spec is the one that was
//! sent. So the status says, before cleaning is asked for, that the spec's volumes are under way,
//! and when the spec changes before anybody saw them being made, that nobody knows which there
//! are. Both are values that no spec with a wish has, so that volumes are made (again) after a
//! crash at any point.

use super::{ProvisionStatus, RaidConfig};

impl RaidConfig {
    /// Cleaning for the volumes of the spec was, or is about to be, asked for.
    pub fn under_way() -> Self {
        Self::default()
    }

    /// Nobody knows which volumes there are. (No spec: hardware and software volumes exclude each
    /// other.)
    pub fn unknown() -> Self {
        Self {
            hardware_raid_volumes: Some(Vec::new()),
            software_raid_volumes: Some(Vec::new()),
        }
    }

    /// True for a status that names volumes which were made, or that there are none.
    pub fn is_certain(&self) -> bool {
        *self != Self::under_way() && *self != Self::unknown()
    }
}

impl ProvisionStatus {
    /// True when volumes have to be made or removed. No wish keeps what is there; an empty list
    /// removes volumes, software volumes only where there are or may be some.
    pub fn lacks_volumes(&self, wanted: Option<&RaidConfig>) -> bool {
        let Some(wanted) = wanted else {
            return false;
        };
        let applied = self.raid.as_deref();
        let wish = match &wanted.software_raid_volumes {
            Some(volumes) if volumes.is_empty() => applied.is_some_and(|raid| {
                let software = raid.software_raid_volumes.as_ref();
                !raid.is_certain() || software.is_some_and(|volumes| !volumes.is_empty())
            }),
            Some(_) => true,
            None => false,
        };
        (wish || wanted.hardware_raid_volumes.is_some()) && applied != Some(wanted)
    }

    /// Forgets software volumes, which go with a deployment: they are partitions of disks that were
    /// cleaned. Those of a controller stay.
    pub fn drop_software_volumes(&mut self) {
        let Some(raid) = self.raid.as_deref_mut().filter(|raid| raid.is_certain()) else {
            return;
        };
        raid.software_raid_volumes = None;
        if raid.hardware_raid_volumes.is_none() {
            self.raid = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn raid(value: &Value) -> Option<RaidConfig> {
        serde_json::from_value(value.clone()).unwrap()
    }

    #[test]
    fn volumes_are_made_where_wanted_and_applied_differ() {
        let volume = json!([{ "level": "1" }]);
        let hard = json!({ "hardwareRAIDVolumes": volume });
        let soft = json!({ "softwareRAIDVolumes": volume });
        let (no_hard, no_soft) = (
            json!({ "hardwareRAIDVolumes": [] }),
            json!({ "softwareRAIDVolumes": [] }),
        );
        let unknown = serde_json::to_value(RaidConfig::unknown()).unwrap();
        let under_way = serde_json::to_value(RaidConfig::under_way()).unwrap();
        for (wanted, applied, lacks) in [
            (&Value::Null, &hard, false),
            (&Value::Null, &unknown, false),
            (&json!({}), &hard, false),
            (&hard, &Value::Null, true),
            (&hard, &hard, false),
            (&hard, &soft, true),
            (&no_hard, &Value::Null, true),
            (&no_hard, &no_hard, false),
            (&soft, &soft, false),
            (&no_soft, &soft, true),
            (&no_soft, &no_soft, false),
            (&no_soft, &Value::Null, false),
            (&no_soft, &hard, false),
            (&no_soft, &unknown, true),
            (&no_soft, &under_way, true),
            (&soft, &under_way, true),
            (&hard, &unknown, true),
        ] {
            let status = ProvisionStatus {
                raid: raid(applied).map(Box::new),
                ..ProvisionStatus::default()
            };
            let wanted = raid(wanted);
            let got = status.lacks_volumes(wanted.as_ref());
            assert_eq!(got, lacks, "{wanted:?} where there is {applied}");
        }
    }

    #[test]
    fn software_volumes_go_with_the_deployment() {
        let volume = json!([{ "level": "1" }]);
        for (before, after) in [
            (json!({ "softwareRAIDVolumes": volume }), Value::Null),
            (
                json!({ "hardwareRAIDVolumes": volume }),
                json!({ "hardwareRAIDVolumes": volume }),
            ),
            (
                serde_json::to_value(RaidConfig::unknown()).unwrap(),
                serde_json::to_value(RaidConfig::unknown()).unwrap(),
            ),
        ] {
            let mut status = ProvisionStatus {
                raid: raid(&before).map(Box::new),
                ..ProvisionStatus::default()
            };
            status.drop_software_volumes();
            assert_eq!(status.raid.as_deref(), raid(&after).as_ref(), "{before}");
        }
    }
}
