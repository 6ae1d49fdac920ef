//! The config drive: what a machine reads at its first boot. Ironic makes the ISO of it.

use serde_json::{Map, Value};
use serde_yaml_ng::Value as Yaml;

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
        return Ok(Map::new().into());
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

/// A map from YAML or JSON, for `what` in the error.
pub(super) fn parse(text: &Sealed, what: &str) -> Result<Map<String, Value>, String> {
    let broken = |error: &serde_yaml_ng::Error| {
        let place = error.location().map_or_else(String::new, |place| {
            format!(" (line {}, column {})", place.line(), place.column())
        });
        format!("the {what} are neither YAML nor JSON{place}")
    };
    let mut yaml: Yaml = serde_yaml_ng::from_str(text.reveal()).map_err(|e| broken(&e))?;
    yaml.apply_merge().map_err(|e| broken(&e))?;
    match json(yaml) {
        Some(Value::Object(map)) => Ok(map),
        Some(Value::Null) => Ok(Map::new()),
        _ => Err(format!("the {what} are not a map of keys to values")),
    }
}

/// YAML as JSON: keys that are numbers or booleans become texts. `None` for keys that are maps or
/// lists, and for numbers that JSON has not.
fn json(yaml: Yaml) -> Option<Value> {
    Some(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(bool) => bool.into(),
        Yaml::Number(number) => {
            let whole = number
                .as_i64()
                .map(Value::from)
                .or(number.as_u64().map(Value::from));
            whole.or_else(|| serde_json::Number::from_f64(number.as_f64()?).map(Value::from))?
        }
        Yaml::String(text) => text.into(),
        Yaml::Sequence(items) => items
            .into_iter()
            .map(json)
            .collect::<Option<Vec<Value>>>()?
            .into(),
        Yaml::Mapping(map) => {
            let entry = |(key, value): (Yaml, Yaml)| {
                let key = match key {
                    Yaml::String(text) => text,
                    Yaml::Number(number) => number.to_string(),
                    Yaml::Bool(bool) => bool.to_string(),
                    _ => return None,
                };
                Some((key, json(value)?))
            };
            map.into_iter()
                .map(entry)
                .collect::<Option<Map<String, Value>>>()?
                .into()
        }
        Yaml::Tagged(tagged) => json(tagged.value)?,
    })
}
