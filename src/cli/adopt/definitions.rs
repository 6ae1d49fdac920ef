//! The definitions that a cluster serves beside ours. Where theirs are newer, ours in their place would
//! cost what stands in the fields that ours lack: the API server drops what no definition knows.
//!
//! They are read as the API server publishes them to everybody (OpenAPI): only few accounts may read the
//! definitions themselves.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

use crate::api::VERSION;
use crate::api::crd;
use crate::store::kube::Cluster;

use super::ask::{self, Unknown};

const GROUP: &str = "metal3.io";

/// By definition, what it knows and ours does not: see [`crd::lacking`].
pub(super) type Lacking = BTreeMap<String, Vec<String>>;

/// What the served definitions know and ours do not; `None` where none are served.
pub(super) async fn look(cluster: &Cluster) -> Result<Option<Lacking>, Unknown> {
    let group = ask::get(cluster, &format!("/apis/{GROUP}")).await?;
    let schemas = ask::get(cluster, &format!("/openapi/v3/apis/{GROUP}/{VERSION}")).await?;
    let (Some(group), Some(schemas)) = (group, schemas) else {
        return Ok(None);
    };
    let compared = crd::crds().and_then(|ours| compare(&ours, &group, &schemas));
    let compared = compared.map_err(|error| Unknown::Failed(format!("no schema of ours: {error}")));
    compared.map(Some)
}

/// Ours against a group and the schemas of its one version that ours have, as they are published.
fn compare(
    ours: &[CustomResourceDefinition],
    group: &Value,
    schemas: &Value,
) -> Result<Lacking, serde_json::Error> {
    let mut all = Lacking::new();
    let versions = group["versions"].as_array().into_iter().flatten();
    let others = versions
        .filter_map(|version| version["version"].as_str())
        .filter(|version| *version != VERSION);
    let others: Vec<String> = others.map(|name| format!("version {name}")).collect();
    if !others.is_empty() {
        all.insert(GROUP.to_owned(), others);
    }
    for crd in ours.iter().filter(|crd| crd.spec.group == GROUP) {
        let Some(served) = served(schemas, &crd.spec.names.kind) else {
            continue;
        };
        let ours = crd::facts(&crd::schema_of(crd)?);
        let lacking = crd::lacking(&ours, &crd::facts(served));
        if !lacking.is_empty() {
            all.insert(format!("{}.{GROUP}", crd.spec.names.plural), lacking);
        }
    }
    Ok(all)
}

/// The schema of a kind among those that are published.
fn served<'a>(schemas: &'a Value, kind: &str) -> Option<&'a Value> {
    let all = schemas["components"]["schemas"].as_object()?;
    all.values().find(|schema| {
        let of = schema["x-kubernetes-group-version-kind"].as_array();
        let mut of = of.into_iter().flatten();
        of.any(|of| of["group"] == GROUP && of["version"] == VERSION && of["kind"] == kind)
    })
}

/// What is to be said of it.
pub(super) fn notes(found: &Result<Option<Lacking>, Unknown>) -> Vec<String> {
    match found {
        Ok(None) => Vec::new(),
        Err(why) => {
            let why = why.because("get /openapi/v3/* (the ClusterRole system:discovery)");
            vec![format!(
                "whether the definitions of {GROUP} that are served are newer than ours is not known: {why}; \
                 leave them as they are (crds.install=false in the chart) until it is"
            )]
        }
        Ok(Some(lacking)) if lacking.is_empty() => vec![format!(
            "the definitions of {GROUP} that are served know nothing that ours do not: ours may take their \
             place"
        )],
        Ok(Some(lacking)) => {
            let lines = lacking.iter().map(|(name, paths)| {
                let paths = paths.join(", ");
                format!("{name} as it is served knows what ours does not: {paths}")
            });
            let remedy = "leave the definitions as they are (crds.install=false in the chart): with ours in \
                          their place the API server drops what stands in such fields at the next write of an \
                          object, and refuses such values";
            lines.chain([remedy.to_owned()]).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Ours as an API server publishes them, with its own schema of metadata.
    fn published(change: impl FnOnce(&mut Value)) -> Value {
        let mut schemas = serde_json::Map::new();
        for crd in crd::crds().unwrap() {
            let (group, kind) = (&crd.spec.group, &crd.spec.names.kind);
            let mut schema = crd::schema_of(&crd).unwrap();
            schema["x-kubernetes-group-version-kind"] =
                json!([{ "group": group, "version": VERSION, "kind": kind }]);
            schema["properties"]["metadata"] =
                json!({ "allOf": [{ "$ref": "#/components/schemas/ObjectMeta" }] });
            schemas.insert(format!("{group}.{kind}"), schema);
        }
        schemas.insert("ObjectMeta".into(), json!({ "type": "object" }));
        let mut all = json!({ "components": { "schemas": schemas } });
        change(&mut all["components"]["schemas"]);
        all
    }

    fn group(versions: &[&str]) -> Value {
        let versions = versions.iter().map(|name| json!({ "version": name }));
        json!({ "versions": versions.collect::<Vec<_>>() })
    }

    fn told(group: &Value, schemas: &Value) -> String {
        let found = compare(&crd::crds().unwrap(), group, schemas).unwrap();
        notes(&Ok(Some(found))).join("\n")
    }

    #[test]
    fn equal_ones_may_be_replaced() {
        let same = published(|_| {});
        insta::assert_snapshot!(told(&group(&["v1alpha1"]), &same), @"the definitions of metal3.io that are served know nothing that ours do not: ours may take their place");
        // Those of an older operator lack some kinds.
        let older = published(|schemas| {
            let all = schemas.as_object_mut().unwrap();
            all.remove("metal3.io.HostUpdatePolicy");
        });
        assert_eq!(
            told(&group(&["v1alpha1"]), &older),
            told(&group(&["v1alpha1"]), &same)
        );
    }

    #[test]
    fn newer_ones_are_left() {
        let newer = published(|schemas| {
            let host = &mut schemas["metal3.io.BareMetalHost"]["properties"];
            host["spec"]["properties"]["newer"] = json!({
                "type": "object", "properties": { "a": { "type": "string" } },
            });
            let policy = &mut schemas["metal3.io.HostUpdatePolicy"]["properties"]["spec"];
            let words = &mut policy["properties"]["firmwareUpdates"]["enum"];
            words.as_array_mut().unwrap().push("atNight".into());
            // Nobody else's Fleet is any better.
            let fleet = &mut schemas["metalform.dev.Fleet"]["properties"]["spec"];
            fleet["properties"]["newer"] = json!({ "type": "string" });
        });
        insta::assert_snapshot!(told(&group(&["v1alpha1", "v1beta1"]), &newer), @"
        baremetalhosts.metal3.io as it is served knows what ours does not: .spec.newer
        hostupdatepolicies.metal3.io as it is served knows what ours does not: .spec.firmwareUpdates=atNight
        metal3.io as it is served knows what ours does not: version v1beta1
        leave the definitions as they are (crds.install=false in the chart): with ours in their place the API server drops what stands in such fields at the next write of an object, and refuses such values
        ");
    }
}
