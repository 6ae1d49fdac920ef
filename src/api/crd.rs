//! The CRDs, generated from the types.
//!
//! What the types cannot say (that a list may be null, a default, which integers Go gives a format)
//! stands beside the field as `x-go` and is merged in here; `schemars`'s own idea of these things
//! is dropped. The outcome has the same paths, types and constraints as BMO's CRDs: a test compares
//! them with the lists of facts in `tests/data/crds`. Descriptions are ours, and so is the Fleet.

mod facts;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceSubresources, CustomResourceValidation, JSONSchemaProps,
};
use kube::CustomResourceExt;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::data_image::DataImageCrd;
use super::firmware_components::HostFirmwareComponentsCrd;
use super::firmware_schema::FirmwareSchemaCrd;
use super::firmware_settings::HostFirmwareSettingsCrd;
use super::fleet::FleetCrd;
use super::host::BareMetalHostCrd;
use super::inventory::HardwareDataCrd;
use super::preprovisioning_image::PreprovisioningImageCrd;
use super::update_policy::HostUpdatePolicyCrd;

pub use facts::{Fact, Facts, facts, lacking};

/// The CRDs of the kinds that metalform reads and writes, as a cluster takes them: BMO's, then ours.
///
/// Fails only by a mistake in the types here, which the tests would show.
pub fn crds() -> Result<Vec<CustomResourceDefinition>, serde_json::Error> {
    let mut all = vec![
        crd::<BareMetalHostCrd>()?,
        crd::<HardwareDataCrd>()?,
        crd::<HostFirmwareSettingsCrd>()?,
        crd::<FirmwareSchemaCrd>()?,
        crd::<HostFirmwareComponentsCrd>()?,
        crd::<HostUpdatePolicyCrd>()?,
        crd::<PreprovisioningImageCrd>()?,
        crd::<DataImageCrd>()?,
        crd::<FleetCrd>()?,
    ];
    for crd in &mut all {
        let subresources = match crd.spec.names.kind.as_str() {
            // A list of none, which means the same as no list.
            "HardwareData" => Some(CustomResourceSubresources::default()),
            // It has a status that is written with the rest.
            "HostUpdatePolicy" => None,
            _ => continue,
        };
        for version in &mut crd.spec.versions {
            version.subresources.clone_from(&subresources);
        }
    }
    Ok(all)
}

/// The schema of a CRD of ours, whose only version it is.
///
/// # Errors
/// As [`crds`].
pub fn schema_of(crd: &CustomResourceDefinition) -> Result<Value, serde_json::Error> {
    let version = crd.spec.versions.first();
    serde_json::to_value(
        version.and_then(|version| version.schema.as_ref()?.open_api_v3_schema.as_ref()),
    )
}

/// File name and text of each CRD, as in the folder `crds/`.
pub fn files() -> Result<Vec<(String, String)>, serde_json::Error> {
    crds()?
        .iter()
        .map(|crd| Ok((file_name(crd), to_yaml(crd)?)))
        .collect()
}

/// Name of a CRD's file, as in the folder `crds/`.
pub fn file_name(crd: &CustomResourceDefinition) -> String {
    format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural)
}

/// The YAML of a CRD, keys sorted, with a line that says where it comes from.
pub fn to_yaml(crd: &CustomResourceDefinition) -> Result<String, serde_json::Error> {
    // By way of a value, which sorts the keys; YAML of a value cannot fail.
    let mut value = serde_json::to_value(crd)?;
    whole_numbers(&mut value);
    let yaml = serde_yaml_ng::to_string(&value).map_err(serde::ser::Error::custom)?;
    Ok(format!(
        "# Generated from the types in src/api by `metalform crd`.\n{yaml}"
    ))
}

/// The API machinery keeps bounds as floats: `minimum: 0.0` becomes `minimum: 0`.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64()
                && float.fract() == 0.0
                && float.abs() < 1e15
            {
                *value = json!(float as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(entries) => entries.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

fn crd<K: CustomResourceExt + JsonSchema>() -> Result<CustomResourceDefinition, serde_json::Error> {
    let mut crd = K::crd();
    crd.spec.names.list_kind = Some(format!("{}List", crd.spec.names.kind));
    for version in &mut crd.spec.versions {
        version.schema = Some(CustomResourceValidation {
            open_api_v3_schema: Some(schema::<K>()?),
        });
    }
    Ok(crd)
}

/// The structural schema of a kind.
fn schema<K: JsonSchema>() -> Result<JSONSchemaProps, serde_json::Error> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<K>()
        .to_value();
    tidy(&mut schema);
    if let Some(root) = schema.as_object_mut() {
        // None needs a spec: a host without one is a discovered one.
        root.remove("required");
        if let Some(Value::Object(properties)) = root.get_mut("properties") {
            properties.insert("apiVersion".into(), json!({ "type": "string" }));
            properties.insert("kind".into(), json!({ "type": "string" }));
            properties.insert("metadata".into(), json!({ "type": "object" }));
        }
    }
    serde_json::from_value(schema)
}

/// Makes a schema structural, and what Go's generator would have made of the type.
fn tidy(schema: &mut Value) {
    let Value::Object(schema) = schema else {
        return;
    };
    unwrap_option(schema);
    for key in ["title", "default", "nullable"] {
        schema.remove(key);
    }
    // Those of Rust's integer types; a date-time stays.
    if schema
        .get("format")
        .and_then(Value::as_str)
        .is_some_and(|format| format != "date-time")
    {
        schema.remove("format");
    }
    if let Some(Value::Object(go)) = schema.remove("x-go") {
        schema.extend(go);
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().for_each(tidy);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(each) = schema.get_mut(key) {
            tidy(each);
        }
    }
}

/// `Option<T>` is a `T` that may be absent, not one that may be null.
fn unwrap_option(schema: &mut Map<String, Value>) {
    let is_null = |schema: &Value| schema.get("type").is_some_and(|kind| kind == "null");
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| !is_null(choice));
        if let [Value::Object(only)] = choices.as_mut_slice() {
            let only = std::mem::take(only);
            schema.remove("anyOf");
            for (key, value) in only {
                // What the field says of itself is nearer than what its type says.
                schema.entry(key).or_insert(value);
            }
        }
    }
    if let Some(kind) = schema.get_mut("type")
        && let Value::Array(kinds) = kind
    {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_mut_slice() {
            *kind = only.take();
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
