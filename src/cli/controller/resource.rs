//! An Ironic that is known by its `Ironic` resource, as the Bare Metal Operator finds it: the Ironic
//! operator's five facts (the service's name and port, credentials, certificate, readiness).

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::watch as channel;
use tracing::info;

use crate::provision::ironic::{Endpoint, Whereabouts};
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

/// Finds an Ironic by its resource.
#[derive(Clone)]
pub(super) struct Finder {
    cluster: Cluster,
    secrets: ClusterSecrets,
    key: Key,
    /// Any certificate is taken.
    insecure: bool,
}

impl fmt::Debug for Finder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Finder").field(&self.key).finish()
    }
}

impl Whereabouts for Finder {
    fn look(&self) -> BoxFuture<'_, Result<Endpoint, String>> {
        Box::pin(self.look_once())
    }
}

impl Finder {
    pub fn new(cluster: &Cluster, key: Key, insecure: bool) -> Self {
        let store = Kube::new(cluster, super::MANAGER);
        Self {
            cluster: cluster.clone(),
            secrets: ClusterSecrets::new(cluster.clone(), store).only_reading(),
            key,
            insecure,
        }
    }

    /// What is known of it before it was looked for.
    pub fn unknown(&self) -> Endpoint {
        Endpoint::unknown(self.key.to_string())
    }

    /// Looks until it is found, and tells why it is not. For those that wait in the pod's probes:
    /// whoever drives machines looks by itself.
    pub async fn until_found(self, waits: channel::Sender<Option<String>>) {
        loop {
            let Err(text) = self.look_once().await else {
                waits.send_replace(None);
                return;
            };
            let text = format!("waiting for Ironic {}: {text}", self.key);
            let news = waits.send_if_modified(|said| {
                let news = said.as_ref() != Some(&text);
                *said = Some(text.clone());
                news
            });
            if news {
                info!(code = "IronicNotReady", "{text}");
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn look_once(&self) -> Result<Endpoint, NotYet> {
        let (namespace, name) = (&self.key.namespace, &self.key.name);
        let path = format!("/apis/ironic.metal3.io/v1alpha1/namespaces/{namespace}/ironics/{name}");
        let request = http::Request::get(path).body(Vec::new());
        let request = request.map_err(|error| error.to_string())?;
        let resource: Result<Value, _> = self.cluster.client().request(request).await;
        let resource = resource.map_err(|error| match error {
            kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
            error => error.to_string(),
        })?;
        let facts = facts(&resource, &self.key)?;
        let login = self.secret(&facts.credentials).await?;
        let part = |key: &str| {
            let found = login.trimmed(key);
            found
                .ok_or_else(|| format!("Secret {namespace}/{} has no key {key}", facts.credentials))
        };
        let (user, password) = (part("username")?, part("password")?);
        let mut endpoint = Endpoint::parse(&facts.url).map_err(|error| error.to_string())?;
        endpoint = endpoint
            .login(user.reveal(), password)
            .of_object(self.key.to_string());
        if let Some(name) = &facts.certificate {
            let found = self.secret(name).await?.data.get("tls.crt").cloned();
            let pem = found.ok_or_else(|| format!("Secret {namespace}/{name} has no key tls.crt"));
            endpoint = endpoint.ca(pem?.reveal().as_bytes().to_vec());
        }
        Ok(match self.insecure {
            true => endpoint.unverified(),
            false => endpoint,
        })
    }

    async fn secret(&self, name: &str) -> Result<Secret, NotYet> {
        let key = Key::new(self.key.namespace.clone(), name);
        let found = self.secrets.look_up(&key).await;
        let found = found.map_err(|error| error.to_string())?;
        found.ok_or_else(|| format!("Secret {key} is not there"))
    }
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
