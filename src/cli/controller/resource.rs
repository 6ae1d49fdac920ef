//! An Ironic that is known by its `Ironic` resource, as the Bare Metal Operator finds it: the Ironic
//! operator's five facts (the service's name and port, credentials, certificate, readiness).

use std::time::Duration;

use serde_json::Value;
use tracing::info;

use crate::cli::{Exit, Failure};
use crate::provision::ironic::Endpoint;
use crate::secrets::{ClusterSecrets, Secret};
use crate::store::kube::Cluster;
use crate::store::{Key, Kube};

/// How often a resource that is not ready is looked at.
const AGAIN: Duration = Duration::from_secs(5);

/// Why there is no endpoint yet, for people; it may come.
type NotYet = String;

/// What a resource says.
#[derive(Debug, PartialEq)]
struct Facts {
    url: String,
    /// Secret with `username` and `password`.
    credentials: String,
    /// Secret with `tls.crt`.
    certificate: Option<String>,
}

/// Waits until the Ironic is ready.
///
/// # Errors
/// When it says something that cannot be used.
pub(super) async fn endpoint(cluster: &Cluster, key: &Key) -> Result<Endpoint, Failure> {
    let secrets = ClusterSecrets::new(cluster.clone(), Kube::new(cluster, "metalform-host"));
    let mut said = String::new();
    loop {
        match look(cluster, &secrets.clone().only_reading(), key).await {
            Ok(found) => return found,
            Err(text) => {
                if said != text {
                    info!(code = "IronicNotReady", "waiting for Ironic {key}: {text}");
                    said = text;
                }
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Looks once.
async fn look(
    cluster: &Cluster,
    secrets: &ClusterSecrets,
    key: &Key,
) -> Result<Result<Endpoint, Failure>, NotYet> {
    let (namespace, name) = (&key.namespace, &key.name);
    let path = format!("/apis/ironic.metal3.io/v1alpha1/namespaces/{namespace}/ironics/{name}");
    let request = http::Request::get(path).body(Vec::new());
    let request = request.map_err(|error| error.to_string())?;
    let resource: Result<Value, _> = cluster.client().request(request).await;
    let resource = resource.map_err(|error| match error {
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        error => error.to_string(),
    })?;
    let facts = facts(&resource, key)?;
    let secret = async |name: &str| -> Result<Secret, NotYet> {
        let key = Key::new(namespace.clone(), name);
        let found = secrets
            .look_up(&key)
            .await
            .map_err(|error| error.to_string())?;
        found.ok_or_else(|| format!("Secret {key} is not there"))
    };
    let login = secret(&facts.credentials).await?;
    let part = |key: &str| {
        let found = login.trimmed(key);
        found.ok_or_else(|| format!("Secret {namespace}/{} has no key {key}", facts.credentials))
    };
    let (user, password) = (part("username")?, part("password")?);
    let certificate = match &facts.certificate {
        None => None,
        Some(name) => {
            let secret = secret(name).await?;
            let found = secret.data.get("tls.crt").cloned();
            Some(found.ok_or_else(|| format!("Secret {namespace}/{name} has no key tls.crt"))?)
        }
    };
    let usage = |error: crate::provision::ironic::EndpointError| {
        Failure::new(Exit::Usage, format!("Ironic {key}: {error}"))
    };
    let endpoint = Endpoint::parse(&facts.url).map_err(usage).map(|endpoint| {
        let endpoint = endpoint.login(user.reveal(), password);
        match certificate {
            Some(pem) => endpoint.ca(pem.reveal().as_bytes().to_vec()),
            None => endpoint,
        }
    });
    Ok(endpoint)
}

/// What a resource says, once it is ready as it is now.
fn facts(resource: &Value, key: &Key) -> Result<Facts, NotYet> {
    let conditions = resource["status"]["conditions"].as_array();
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Ready");
    let Some(ready) = ready else {
        return Err("its status has no condition Ready yet".to_owned());
    };
    if ready["status"] != "True" {
        let text = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
        return Err(format!(
            "it is not ready: {} {}",
            text("reason"),
            text("message")
        ));
    }
    let generation = &resource["metadata"]["generation"];
    if ready["observedGeneration"] != *generation {
        return Err("its operator has not yet seen its last change".to_owned());
    }
    let spec = &resource["spec"];
    let text = |value: &Value| {
        value
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let certificate = text(&spec["tls"]["certificateName"]);
    let scheme = if certificate.is_some() {
        "https"
    } else {
        "http"
    };
    Ok(Facts {
        url: format!("{scheme}://{}.{}.svc", key.name, key.namespace),
        credentials: text(&spec["apiCredentialsName"])
            .ok_or("its spec names no apiCredentialsName yet")?,
        certificate,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resource() -> Value {
        json!({
            "metadata": { "generation": 3 },
            "spec": {
                "apiCredentialsName": "ironic-service-abc",
                "tls": { "certificateName": "ironic-tls" },
            },
            "status": { "conditions": [
                { "type": "Ready", "status": "True", "observedGeneration": 3 },
            ] },
        })
    }

    fn read(change: impl FnOnce(&mut Value)) -> Result<Facts, NotYet> {
        let mut resource = resource();
        change(&mut resource);
        facts(&resource, &Key::new("metal3", "ironic"))
    }

    #[test]
    fn it_is_found_by_its_service() {
        let found = read(|_| {}).unwrap();
        assert_eq!(found.url, "https://ironic.metal3.svc");
        assert_eq!(found.credentials, "ironic-service-abc");
        assert_eq!(found.certificate.as_deref(), Some("ironic-tls"));
        let plain = read(|resource| resource["spec"]["tls"] = Value::Null).unwrap();
        assert_eq!(
            (plain.url.as_str(), plain.certificate),
            ("http://ironic.metal3.svc", None)
        );
    }

    #[test]
    fn one_that_is_not_ready_is_waited_for() {
        let text = |change: fn(&mut Value)| read(change).unwrap_err();
        insta::assert_snapshot!(text(|it| it["status"] = Value::Null), @"its status has no condition Ready yet");
        insta::assert_snapshot!(
            text(|it| {
                it["status"]["conditions"][0]["status"] = "False".into();
                it["status"]["conditions"][0]["reason"] = "DeploymentInProgress".into();
                it["status"]["conditions"][0]["message"] = "0 of 1".into();
            }),
            @"it is not ready: DeploymentInProgress 0 of 1"
        );
        insta::assert_snapshot!(
            text(|it| it["metadata"]["generation"] = 4.into()),
            @"its operator has not yet seen its last change"
        );
        insta::assert_snapshot!(
            text(|it| it["spec"]["apiCredentialsName"] = Value::Null),
            @"its spec names no apiCredentialsName yet"
        );
    }
}
