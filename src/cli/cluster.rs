//! A cluster as the place that a verb works on, in the place of the store beside a spec.
//!
//! A verb looks once: it lists what is there and goes. Nothing is watched but by one who waits.

mod lead;
mod parent;
mod shared;
mod told;

use std::path::Path;
use std::sync::Arc;

use futures::StreamExt as _;

use crate::api::BareMetalHost;
use crate::eval::{Cache, Namespace, unit};
use crate::plan::{OWNER, Owned};
use crate::serve::client::Reason;
use crate::store::kube::{Cluster, ConnectError};
use crate::store::{Key, Kube, Object, Store as _, StoreError};

use super::{Exit, Failure, SpecArgs, home, spec};

pub(super) use parent::{Followed, Parent};
pub(super) use shared::{Leads, is_simulated};
pub(super) use told::{next_steps, reason};

/// Requests under way at once.
pub(super) const AT_ONCE: usize = 16;

/// Which cluster, for verbs that may work on one.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ClusterArgs {
    /// Work on the cluster of this context, and not on the store beside the spec
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    pub(super) context: Option<String>,
    /// Work on a cluster, in this namespace; without it in the spec's own, or else the context's
    #[arg(
        long,
        short,
        value_name = "NAMESPACE",
        value_parser = namespace,
        help_heading = "Cluster"
    )]
    pub(super) namespace: Option<String>,
    /// Called as `kubectl metalform`: a cluster is meant where nothing is said.
    #[arg(skip)]
    pub(super) by_default: bool,
}

/// A name that a namespace can have.
pub(super) fn namespace(text: &str) -> Result<String, String> {
    let found = unit::name_label(text).map(str::to_owned);
    found.map_err(|_| "a namespace has lower-case letters, digits and `-`, at most 63".to_owned())
}

impl ClusterArgs {
    /// True when somebody says that the verb is to work on a cluster.
    pub fn is_meant(&self) -> bool {
        self.is_named() || self.namespace.is_some()
    }

    /// True when the verb is to work on a cluster and not on the store beside this spec: it is said, or it
    /// is a pod's, and there is no such store. A store that goes with its pod would forget whose machines
    /// it has.
    pub fn is_meant_for(&self, spec: &Path) -> bool {
        self.is_meant() || (in_pod() && !home::Home::of(spec).store().exists())
    }

    /// True when the cluster itself is named, and not only a namespace.
    pub fn is_named(&self) -> bool {
        self.by_default || self.context.is_some()
    }

    /// Finds out which cluster it is. The server is not asked.
    pub async fn reach(&self) -> Result<Reached, Failure> {
        let cluster = Cluster::infer(self.context.as_deref());
        let cluster = cluster.await.map_err(|error| no_cluster(&error))?;
        Ok(Reached {
            cluster,
            context: self.context.clone(),
            namespace: self.namespace.as_deref().map(Arc::from),
        })
    }
}

fn no_cluster(error: &ConnectError) -> Failure {
    Failure::new(Exit::Usage, error.to_string())
        .help("`kubectl config get-contexts` shows the contexts that there are")
}

/// True in a pod whose user has no kubeconfig: a cluster is at hand, and no other one is meant.
pub(super) fn in_pod() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let own = set("HOME").is_some_and(|home| Path::new(&home).join(".kube/config").exists());
    set("KUBERNETES_SERVICE_HOST").is_some() && set("KUBECONFIG").is_none() && !own
}

/// A cluster, before it is clear which namespace of it is meant.
pub(super) struct Reached {
    cluster: Cluster,
    context: Option<String>,
    namespace: Option<Arc<str>>,
}

impl Reached {
    /// The spec with its objects in the namespace that is meant: the command's, else its own, else
    /// the context's.
    pub fn naming(&self, spec: &SpecArgs) -> SpecArgs {
        SpecArgs {
            namespace: Namespace {
                wins: self.namespace.clone(),
                default: Some(Arc::clone(self.cluster.own_namespace())),
            },
            ..spec.clone()
        }
    }

    /// The namespace that is meant by one who names no spec, or who stands beside one.
    pub fn namespace(&self, spec: &Path) -> Arc<str> {
        if let Some(wins) = &self.namespace {
            return Arc::clone(wins);
        }
        let args = self.naming(&SpecArgs::at(spec));
        if home::Home::has_spec(spec)
            && let Ok(spec) = spec::load(&args, &mut Cache::default())
        {
            return Arc::clone(&spec.fleet.namespace);
        }
        Arc::clone(self.cluster.own_namespace())
    }

    /// Its hosts in this namespace; in all of them without one. Within a runtime.
    pub fn within(&self, namespace: Option<&str>) -> Remote {
        let cluster = self.cluster.clone().within(namespace);
        Remote {
            server: cluster.server().into(),
            client: cluster.client(),
            store: Kube::new(&cluster, OWNER),
            namespace: namespace.map(Arc::from),
            context: self.context.clone(),
        }
    }
}

/// The hosts of a cluster, in one namespace or in all. Cheap to clone.
#[derive(Clone)]
pub(super) struct Remote {
    pub store: Kube,
    pub server: Arc<str>,
    client: kube::Client,
    pub namespace: Option<Arc<str>>,
    context: Option<String>,
}

impl Remote {
    /// What is there now.
    pub async fn hosts(&self) -> Result<Vec<Arc<BareMetalHost>>, Failure> {
        let hosts = self.store.list_now::<BareMetalHost>().await;
        let hosts = hosts.map_err(|error| failed(&error))?;
        Ok(hosts.into_iter().map(Arc::new).collect())
    }

    /// True when the server says that it serves no objects of this kind. One that does not answer, or
    /// does not tell, says nothing.
    async fn lacks<K: Object>(&self) -> bool {
        let version = format!("{}/{}", K::GROUP, K::VERSION);
        match self.client.list_api_group_resources(&version).await {
            Ok(known) => !known.resources.iter().any(|one| one.name == K::PLURAL),
            Err(kube::Error::Api(status)) => status.code == 404,
            Err(_) => false,
        }
    }

    /// Who owns which fields of these hosts. One that went meanwhile is left out.
    pub async fn owned(&self, keys: Vec<Key>) -> Result<Owned, Failure> {
        let ask = |key: Key| async {
            let fields = crate::store::Store::<BareMetalHost>::managed_fields(&self.store, &key);
            let fields = fields.await;
            (key, fields)
        };
        let mut answers = futures::stream::iter(keys.into_iter().map(ask)).buffered(AT_ONCE);
        let mut owned = Owned::new();
        while let Some((key, fields)) = answers.next().await {
            match fields {
                Ok(fields) => drop(owned.insert(key, fields)),
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(failed(&error)),
            }
        }
        Ok(owned)
    }

    /// Why each of these hosts is where it is, as far as it says so itself.
    pub fn reasons(hosts: &[Arc<BareMetalHost>]) -> Vec<Reason> {
        hosts.iter().map(|host| reason(host)).collect()
    }

    /// What controllers say that drive hosts here; nothing where that may not be read.
    pub async fn leads(&self) -> Leads {
        Leads(lead::find(&self.client, self.namespace.as_deref()).await)
    }

    /// `namespace metal3 of https://…`.
    pub fn place(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("namespace {namespace} of {}", self.server),
            None => format!("all namespaces of {}", self.server),
        }
    }

    /// The flags that lead here again, with a space before each.
    pub fn flags(&self) -> String {
        let context = self.context.iter().map(|name| format!(" --context {name}"));
        let namespace = self.namespace.iter();
        context
            .chain(namespace.map(|name| format!(" --namespace {name}")))
            .collect()
    }

    /// One host of the namespace.
    pub async fn host(&self, name: &str) -> Result<Option<Arc<BareMetalHost>>, Failure> {
        let key = Key::new(self.namespace.as_deref().unwrap_or_default(), name);
        match self.store.read(&key).await {
            Ok(host) => Ok(Some(host)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// What the server refused, or that it did not answer.
pub(super) fn failed(error: &StoreError) -> Failure {
    Failure::new(Exit::Remote, error.to_string())
}

/// The names of hosts, for what is near to one that is not there.
pub(super) fn names(hosts: &[Arc<BareMetalHost>]) -> Vec<Arc<str>> {
    hosts.iter().map(|host| host.key().name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_meant_where_something_says_so() {
        assert!(!ClusterArgs::default().is_meant());
        let named = |context: Option<&str>, namespace: Option<&str>, by_default| ClusterArgs {
            context: context.map(str::to_owned),
            namespace: namespace.map(str::to_owned),
            by_default,
        };
        assert!(named(Some("prod"), None, false).is_meant());
        assert!(named(None, Some("metal3"), false).is_meant());
        assert!(named(None, None, true).is_meant());
    }

    #[test]
    fn a_namespace_is_a_name() {
        assert_eq!(namespace("metal3").as_deref(), Ok("metal3"));
        assert!(namespace("Metal_3").is_err());
        assert!(namespace("").is_err());
    }
}
