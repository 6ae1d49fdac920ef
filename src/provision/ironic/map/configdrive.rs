//! The config drive: what a machine reads at its first boot. Ironic makes the ISO of it.

use serde_json::{Map, Value, json};

use crate::api::{BareMetalHost, Image};
use crate::secrets::{JobSecrets, Sealed};

/// `configdrive` of the provision call. A live ISO gets an empty one: some hardware cannot attach
/// two media at once. Errors name the secret that is wrong and where, and quote nothing.
pub fn build(host: &BareMetalHost, secrets: &JobSecrets) -> Result<Value, String> {
    let custom = host
        .spec
        .custom_deploy
        .as_ref()
        .is_some_and(|c| !c.method.is_empty());
    if !custom && host.spec.image.as_deref().is_some_and(Image::is_live_iso) {
        return Ok(json!({}));
    }
    let mut drive = Map::new();
    let mut meta = defaults(host);
    if let Some(text) = &secrets.meta_data {
        meta.extend(parse(text, "meta-data")?);
    }
    drive.insert("meta_data".into(), meta.into());
    if let Some(text) = &secrets.network_data {
        let data = parse(text, "network-data")?;
        if !data.is_empty() {
            drive.insert("network_data".into(), data.into());
        }
    }
    if let Some(text) = secrets
        .user_data
        .as_ref()
        .filter(|text| !text.reveal().is_empty())
    {
        drive.insert("user_data".into(), text.reveal().into());
    }
    Ok(drive.into())
}

fn defaults(host: &BareMetalHost) -> Map<String, Value> {
    let meta = &host.metadata;
    let name = meta.name.as_deref().unwrap_or_default();
    let mut map = Map::new();
    map.insert(
        "uuid".into(),
        meta.uid.as_deref().unwrap_or_default().into(),
    );
    map.insert(
        "metal3-namespace".into(),
        meta.namespace.as_deref().unwrap_or_default().into(),
    );
    for key in ["metal3-name", "local-hostname", "local_hostname", "name"] {
        map.insert(key.into(), name.into());
    }
    map
}

fn parse(text: &Sealed, what: &str) -> Result<Map<String, Value>, String> {
    match serde_yaml_ng::from_str::<Value>(text.reveal()) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(format!("the {what} are not a map of keys to values")),
        Err(error) => Err(format!(
            "the {what} are neither YAML nor JSON{}",
            at(&error)
        )),
    }
}

/// Where a text is broken, without quoting it.
pub(super) fn at(error: &serde_yaml_ng::Error) -> String {
    error.location().map_or_else(String::new, |place| {
        format!(" (line {}, column {})", place.line(), place.column())
    })
}
