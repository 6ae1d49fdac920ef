//! Webhooks that the Bare Metal Operator left.

use serde_json::Value;

use crate::store::kube::Cluster;

use super::ask;

/// What is to be said of them. They are the cluster's, whatever namespaces are looked at.
pub(super) async fn notes(cluster: &Cluster) -> Vec<String> {
    let path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    match ask::list(cluster, path).await {
        Ok(all) => all.iter().filter_map(in_the_way).collect(),
        Err(why) => {
            let right = "list validatingwebhookconfigurations (admissionregistration.k8s.io)";
            vec![format!(
                "whether webhooks of the Bare Metal Operator's are in the way is not known: {}",
                why.because(right)
            )]
        }
    }
}

/// What to say of a webhook that judges hosts: without the operator behind it, each write of a host
/// is refused, and a controller can do nothing.
fn in_the_way(webhooks: &Value) -> Option<String> {
    let judged = |webhook: &&Value| {
        let fails = webhook["failurePolicy"].as_str() != Some("Ignore");
        let has = |rule: &Value, name: &str, word: &str| {
            let words = rule[name].as_array();
            words.is_some_and(|words| words.iter().any(|one| one == word || one == "*"))
        };
        let rules = webhook["rules"].as_array();
        let hosts = rules.into_iter().flatten().any(|rule| {
            let of_hosts = has(rule, "resources", "baremetalhosts");
            of_hosts && has(rule, "apiGroups", "metal3.io") && has(rule, "operations", "UPDATE")
        });
        fails && hosts
    };
    let webhook = webhooks["webhooks"].as_array()?.iter().find(judged)?;
    let name = webhooks["metadata"]["name"].as_str()?;
    let service = &webhook["clientConfig"]["service"];
    let behind = match (service["namespace"].as_str(), service["name"].as_str()) {
        (Some(namespace), Some(name)) => format!("the service {namespace}/{name}"),
        _ => "what its URL names".to_owned(),
    };
    Some(format!(
        "the webhook {name} judges every change of a host: when {behind} is gone, all of them are refused; \
         once that operator is stopped, delete it (kubectl delete validatingwebhookconfiguration {name})"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn webhooks(change: impl FnOnce(&mut Value)) -> Value {
        let mut all = json!({
            "metadata": { "name": "validating-webhook-configuration" },
            "webhooks": [{
                "failurePolicy": "Fail",
                "clientConfig": { "service": { "name": "webhook-service", "namespace": "bmo" } },
                "rules": [{
                    "apiGroups": ["metal3.io"], "operations": ["CREATE", "UPDATE"],
                    "resources": ["baremetalhosts"],
                }],
            }],
        });
        change(&mut all);
        all
    }

    #[test]
    fn a_webhook_that_refuses_hosts_is_named() {
        insta::assert_snapshot!(in_the_way(&webhooks(|_| {})).unwrap(), @"the webhook validating-webhook-configuration judges every change of a host: when the service bmo/webhook-service is gone, all of them are refused; once that operator is stopped, delete it (kubectl delete validatingwebhookconfiguration validating-webhook-configuration)");
        let by_url =
            webhooks(|all| all["webhooks"][0]["clientConfig"] = json!({ "url": "https://h" }));
        assert!(in_the_way(&by_url).unwrap().contains("what its URL names"));
    }

    #[test]
    fn one_that_is_not_in_the_way_is_not() {
        let ignores = webhooks(|all| all["webhooks"][0]["failurePolicy"] = "Ignore".into());
        let other = webhooks(|all| all["webhooks"][0]["rules"][0]["resources"][0] = "pods".into());
        let creates =
            webhooks(|all| all["webhooks"][0]["rules"][0]["operations"] = json!(["CREATE"]));
        for one in [ignores, other, creates] {
            assert_eq!(in_the_way(&one), None);
        }
    }
}
