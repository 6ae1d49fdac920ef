//! The firmware objects beside a host, kept as the engine keeps them.

use crate::api::{
    FirmwareSchema, FirmwareUpdate, HostFirmwareComponents, HostFirmwareSettings, IntOrString,
    Timestamp,
};
use crate::firmware::{Standing, components, schema, settings};
use crate::provision::{Ack, Effect, Fault};

/// The objects, as far as there are such.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    pub settings: Option<HostFirmwareSettings>,
    pub schema: Option<FirmwareSchema>,
    pub components: Option<HostFirmwareComponents>,
}

impl Beside {
    /// Judges what is wanted.
    pub fn judge(&mut self, now: Timestamp) {
        let schema = self.schema.as_ref();
        if let Some(object) = &mut self.settings
            && !settings::is_settled(object)
            && settings::is_read(object, schema)
        {
            object.status = Some(settings::judged(object, schema, now));
        }
        if let Some(object) = &mut self.components
            && !components::is_settled(object)
            && components::is_read(object)
        {
            object.status = Some(components::judged(object, now));
        }
    }

    pub fn standing(&self) -> Standing {
        let (settings, schema) = (self.settings.as_ref(), self.schema.as_ref());
        Standing::of(settings, schema, self.components.as_ref())
    }

    /// Keeps what was read, and answers as the engine does.
    pub fn keep(
        &mut self,
        effect: &Effect,
        result: Result<Ack, Fault>,
        now: Timestamp,
    ) -> Result<Ack, Fault> {
        let Effect::ReadFirmware(reading) = effect else {
            return result;
        };
        let Ok(Ack::Firmware(found)) = result else {
            return result;
        };
        if let Some(found) = &found.settings {
            self.schema = schema::of(found, None, "m");
            let object = self.settings.get_or_insert_with(new_settings);
            object.status = Some(settings::read(object, found, self.schema.as_ref(), now));
        }
        if let Some(found) = found.components {
            let object = self.components.get_or_insert_with(new_components);
            object.status = Some(components::read(object, found, reading.installed, now));
        }
        Ok(Ack::Done)
    }

    /// Wants these settings.
    pub fn want(&mut self, wanted: &[(&str, &str)]) {
        let object = self.settings.get_or_insert_with(new_settings);
        let wanted = wanted.iter();
        let wanted = wanted.map(|(name, value)| {
            let value = IntOrString::String((*value).to_owned());
            ((*name).to_owned(), value)
        });
        object.spec.settings = wanted.collect();
        *object.metadata.generation.get_or_insert(0) += 1;
    }

    /// Wants this firmware of the BIOS, or none.
    pub fn update(&mut self, url: Option<&str>) {
        let object = self.components.get_or_insert_with(new_components);
        let update = url.map(|url| FirmwareUpdate {
            component: "bios".into(),
            url: url.into(),
            ..FirmwareUpdate::default()
        });
        object.spec.updates = update.into_iter().collect();
        *object.metadata.generation.get_or_insert(0) += 1;
    }

    /// A setting as last read.
    pub fn setting(&self, name: &str) -> Option<String> {
        let status = self.settings.as_ref()?.status.as_ref()?;
        status.settings.get().unwrap().0.get(name).cloned()
    }
}

fn new_settings() -> HostFirmwareSettings {
    let mut object = HostFirmwareSettings::new("h", Default::default());
    object.metadata.generation = Some(1);
    object
}

fn new_components() -> HostFirmwareComponents {
    let mut object = HostFirmwareComponents::new("h", Default::default());
    object.metadata.generation = Some(1);
    object
}
