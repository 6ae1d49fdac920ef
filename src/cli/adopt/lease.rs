//! Whether the Bare Metal Operator runs: then it holds a lease.

use std::sync::Arc;

use serde_json::Value;

use crate::api::Timestamp;
use crate::api::names::annotation;
use crate::api::word::Word;
use crate::store::kube::Cluster;

use super::ask::{self, Unknown, key, places};

const GROUP: &str = "/apis/coordination.k8s.io/v1";
/// Its lease.
const NAME: &str = "baremetal-operator";
/// Where it is by its own manifests.
const HOME: &str = "baremetal-operator-system";

/// What is to be said of it. One who works in some namespaces may look there and nowhere else: it may be
/// there that it runs, or where it usually does.
pub(super) async fn notes(cluster: &Cluster, now: Timestamp) -> Vec<String> {
    if cluster.namespaces().is_empty() {
        let path = format!("{GROUP}/leases?fieldSelector=metadata.name%3D{NAME}");
        return match ask::list(cluster, &path).await {
            Ok(leases) => leases.iter().filter_map(|it| held(it, now)).collect(),
            Err(why) => {
                let right = format!("list leases (coordination.k8s.io) {}", places::<&str>(&[]));
                vec![not_known(&why, &right)]
            }
        };
    }
    let mut looked: Vec<Arc<str>> = cluster.namespaces().to_vec();
    if !looked.iter().any(|name| **name == *HOME) {
        looked.push(HOME.into());
    }
    let mut notes = Vec::new();
    let mut hidden: Vec<Arc<str>> = Vec::new();
    for namespace in &looked {
        let path = format!("{GROUP}/namespaces/{namespace}/leases/{NAME}");
        match ask::get(cluster, &path).await {
            Ok(lease) => notes.extend(lease.and_then(|lease| held(&lease, now))),
            Err(Unknown::Forbidden) => hidden.push(Arc::clone(namespace)),
            Err(why) => notes.push(not_known(&why, "")),
        }
    }
    if !hidden.is_empty() {
        let right = format!(
            "get the lease {NAME} (coordination.k8s.io) {}",
            places(&hidden)
        );
        notes.push(not_known(&Unknown::Forbidden, &right));
    } else if notes.is_empty() {
        notes.push(format!(
            "the Bare Metal Operator holds no lease {}; other namespaces were not looked at",
            places(&looked)
        ));
    }
    notes
}

fn not_known(why: &Unknown, right: &str) -> String {
    let why = why.because(right);
    format!("whether the Bare Metal Operator runs is not known: {why}")
}

/// What to say of its lease, if it holds it.
fn held(lease: &Value, now: Timestamp) -> Option<String> {
    let spec = &lease["spec"];
    let holder = spec["holderIdentity"].as_str()?;
    let renewed: Timestamp = spec["renewTime"].as_str()?.parse().ok()?;
    let seconds = spec["leaseDurationSeconds"].as_i64().unwrap_or(15);
    let is_over = now.duration_since(renewed).as_secs() > seconds;
    // A controller of metalform's may have that lease as well, and then it tells in it how it is.
    let word = lease["metadata"]["annotations"][annotation::STANDING].as_str();
    let is_ours = word
        .and_then(Word::read)
        .is_some_and(|word| word.holder == holder);
    if holder.is_empty() || is_over || is_ours {
        return None;
    }
    let namespace = lease["metadata"]["namespace"].as_str().unwrap_or_default();
    Some(format!(
        "the Bare Metal Operator runs: {holder} holds the lease {}; stop it before a controller starts, or \
         give the controller that lease (--lease-name {NAME} --lease-namespace {namespace})",
        key(lease)
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lease(holder: &str, word: &str) -> Value {
        json!({
            "metadata": {
                "namespace": "bmo", "name": NAME, "annotations": { "metalform.dev/standing": word },
            },
            "spec": {
                "holderIdentity": holder, "leaseDurationSeconds": 15,
                "renewTime": "2026-01-01T00:00:00.000000Z",
            },
        })
    }

    #[test]
    fn it_runs_while_it_holds_its_lease() {
        let at = |text: &str| text.parse().unwrap();
        let soon = at("2026-01-01T00:00:15Z");
        let told = held(&lease("pod_1", ""), soon).unwrap();
        insta::assert_snapshot!(told, @"the Bare Metal Operator runs: pod_1 holds the lease bmo/baremetal-operator; stop it before a controller starts, or give the controller that lease (--lease-name baremetal-operator --lease-namespace bmo)");
        for (lease, now) in [
            (lease("pod_1", ""), at("2026-01-01T00:00:17Z")),
            (lease("", ""), soon),
            (lease("pod_1", r#"{"holder":"pod_1"}"#), soon),
            (json!({ "spec": {} }), soon),
        ] {
            assert_eq!(held(&lease, now), None, "{lease}");
        }
        // Whoever takes the lease may leave annotations as they are.
        assert!(held(&lease("pod_1", r#"{"holder":"metalform_1"}"#), soon).is_some());
    }
}
