//! Questions to the API server about what stands around the hosts. What it does not let this account see
//! is told apart from what is not there.

use http::header::ACCEPT;
use serde_json::Value;

use crate::diag::one_line;
use crate::store::kube::Cluster;

/// Objects in a page.
const PAGE: u32 = 500;

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unknown {
    /// This account may not look.
    Forbidden,
    /// There was no answer, or none of use: what was tried, and what came of it.
    Failed(String),
}

impl Unknown {
    /// Why, where this right was needed: `list leases (coordination.k8s.io) in all namespaces`.
    pub fn because(&self, right: &str) -> String {
        match self {
            Self::Forbidden => format!("this account may not {right}"),
            Self::Failed(text) => text.clone(),
        }
    }
}

/// What is at a path; nothing where the object, or its kind, is not there.
pub(super) async fn get(cluster: &Cluster, path: &str) -> Result<Option<Value>, Unknown> {
    let failed = |error: &dyn std::error::Error| {
        let (server, why) = (cluster.server(), error.to_string());
        Unknown::Failed(format!("cannot get {path} of {server}: {}", one_line(&why)))
    };
    let request = http::Request::get(path).header(ACCEPT, "application/json");
    let request = request.body(Vec::new()).map_err(|error| failed(&error))?;
    match cluster.client().request(request).await {
        Ok(found) => Ok(Some(found)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(kube::Error::Api(status)) if status.code == 403 => Err(Unknown::Forbidden),
        Err(error) => Err(failed(&error)),
    }
}

/// All items of a list; none where the kind is not there.
pub(super) async fn list(cluster: &Cluster, path: &str) -> Result<Vec<Value>, Unknown> {
    let mut items = Vec::new();
    let mut from = String::new();
    loop {
        let and = if path.contains('?') { '&' } else { '?' };
        let page = get(cluster, &format!("{path}{and}limit={PAGE}{from}")).await?;
        let Some(mut page) = page else {
            return Ok(items);
        };
        if let Value::Array(more) = page["items"].take() {
            items.extend(more);
        }
        match page["metadata"]["continue"].as_str() {
            None | Some("") => return Ok(items),
            Some(token) => from = format!("&continue={token}"),
        }
    }
}

/// `in all namespaces`, or those that are named.
pub(super) fn places<S: AsRef<str>>(namespaces: &[S]) -> String {
    match namespaces {
        [] => "in all namespaces".to_owned(),
        some => {
            let names: Vec<&str> = some.iter().map(AsRef::as_ref).collect();
            format!("in {}", names.join(", "))
        }
    }
}

/// `NAMESPACE/NAME` of an object.
pub(super) fn key(object: &Value) -> String {
    let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}
