//! What the other operator leaves that is in the way: its webhook, which refuses every change of a host
//! once nobody answers it.

use serde_json::json;

use crate::controller::Site;

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_without_its_operator_is_told_of() {
    let Some(site) = Site::shared("webhook").await else {
        return;
    };
    let name = format!("validating-webhook-configuration-{}", site.namespace);
    let selector = json!({ "matchLabels": { "kubernetes.io/metadata.name": site.namespace } });
    site.credentials("bmc", "calvin");
    site.create(&Site::host("a", 1));
    // As that operator has it, but for this namespace alone.
    let webhook = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration", "metadata": { "name": name },
        "webhooks": [{
            "name": "baremetalhost.metal3.io", "failurePolicy": "Fail", "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "namespaceSelector": selector,
            "clientConfig": { "url": "https://127.0.0.1:1/validate-metal3-io-v1alpha1-baremetalhost" },
            "rules": [{
                "apiGroups": ["metal3.io"], "apiVersions": ["v1alpha1"],
                "operations": ["CREATE", "UPDATE"], "resources": ["baremetalhosts"],
            }],
        }],
    });
    site.server
        .kubectl_with(&["create", "-f", "-"], &webhook.to_string());
    // It takes the API server a moment to hear of it.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let controller = site.simulate("webhook", &[]);
    controller.says("failed calling webhook");
    assert_eq!(site.state("a"), "");
    site.server
        .kubectl(&["delete", "validatingwebhookconfiguration", &name]);
    site.comes_to("a", "provisioned");
}
