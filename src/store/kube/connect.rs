//! Which API server, and how it is reached.

use std::path::PathBuf;
use std::sync::Arc;

use kube::config::{KubeConfigOptions, Kubeconfig};

use super::transport;

/// A cluster to work on, and in it the namespaces. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    watches: kube::Client,
    config: Arc<kube::Config>,
    server: Arc<str>,
    namespaces: Vec<Arc<str>>,
    own_namespace: Arc<str>,
}

/// The cluster is not known, or not how to reach it.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No usable kubeconfig.
    #[error(
        "cannot read the kubeconfig: {0}; name one with KUBECONFIG, or a context of it with --context"
    )]
    Kubeconfig(#[source] Box<kube::config::KubeconfigError>),
    /// Not in a cluster after all.
    #[error("cannot use the cluster that this pod runs in: {0}")]
    InCluster(#[source] Box<kube::config::InClusterError>),
    /// The connection cannot be set up (certificates, a credential plugin).
    #[error("cannot set up the connection to {server}: {source}")]
    Client {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
}

fn unusable(server: &str) -> impl Fn(kube::Error) -> ConnectError {
    move |source| ConnectError::Client {
        server: server.to_owned(),
        source: Box::new(source),
    }
}

impl Cluster {
    /// The cluster that this process runs in when it runs in one and neither a context nor
    /// `KUBECONFIG` is given; else the (current) context of the kubeconfig.
    ///
    /// # Errors
    /// When there is none. The server is not asked.
    pub async fn infer(context: Option<&str>) -> Result<Self, ConnectError> {
        let named = context.is_some() || std::env::var_os("KUBECONFIG").is_some();
        let in_cluster = || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
        let config = if !named && in_cluster() {
            kube::Config::incluster().map_err(|error| ConnectError::InCluster(Box::new(error)))?
        } else {
            let file = Kubeconfig::read();
            Self::of_file(file, context).await?
        };
        Self::new(config)
    }

    /// A context of this kubeconfig; `None` is its current one.
    ///
    /// # Errors
    /// When the file or the context is not there or of no use. The server is not asked.
    pub async fn of_kubeconfig(path: PathBuf, context: Option<&str>) -> Result<Self, ConnectError> {
        Self::new(Self::of_file(Kubeconfig::read_from(path), context).await?)
    }

    async fn of_file(
        file: Result<Kubeconfig, kube::config::KubeconfigError>,
        context: Option<&str>,
    ) -> Result<kube::Config, ConnectError> {
        let unusable = |error| ConnectError::Kubeconfig(Box::new(error));
        let options = KubeConfigOptions {
            context: context.map(str::to_owned),
            ..KubeConfigOptions::default()
        };
        let config = kube::Config::from_custom_kubeconfig(file.map_err(unusable)?, &options);
        config.await.map_err(unusable)
    }

    fn new(config: kube::Config) -> Result<Self, ConnectError> {
        let server = config.cluster_url.to_string();
        let server: Arc<str> = server.trim_end_matches('/').into();
        let own_namespace = config.default_namespace.as_str().into();
        Ok(Self {
            client: transport::client(config.clone()).map_err(unusable(&server))?,
            watches: transport::one_each(config.clone()).map_err(unusable(&server))?,
            config: Arc::new(config),
            server,
            namespaces: Vec::new(),
            own_namespace,
        })
    }

    /// The same cluster over a connection of its own: what goes over it waits for nobody else's.
    ///
    /// # Errors
    /// When the connection cannot be set up. The server is not asked.
    pub fn apart(&self) -> Result<Self, ConnectError> {
        Ok(Self {
            client: transport::client(kube::Config::clone(&self.config))
                .map_err(unusable(&self.server))?,
            ..self.clone()
        })
    }

    /// A cluster behind this client.
    #[cfg(test)]
    pub(crate) fn of_client(client: kube::Client) -> Self {
        Self {
            own_namespace: client.default_namespace().into(),
            watches: client.clone(),
            client,
            config: Arc::new(kube::Config::new("https://test".parse().unwrap())),
            server: "https://test".into(),
            namespaces: Vec::new(),
        }
    }

    /// Works in these namespaces only; none is all.
    #[must_use]
    pub fn within(self, namespaces: impl IntoIterator<Item = impl Into<Arc<str>>>) -> Self {
        let mut namespaces: Vec<Arc<str>> = namespaces.into_iter().map(Into::into).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        Self { namespaces, ..self }
    }

    /// For watches: a connection for each.
    pub fn watches(&self) -> kube::Client {
        self.watches.clone()
    }

    /// For requests.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// The server's address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The namespaces; empty is all.
    pub fn namespaces(&self) -> &[Arc<str>] {
        &self.namespaces
    }

    /// The namespace of the context, or of the pod.
    pub fn own_namespace(&self) -> &Arc<str> {
        &self.own_namespace
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::store::conformance::Widget;
    use crate::store::{Key, Kube, StoreError};

    /// kube would by itself, with waits of its own: a write would be repeated that nobody decided.
    #[tokio::test]
    async fn what_a_busy_server_refuses_is_asked_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let read = connection.read(&mut request).await.unwrap();
                assert!(read > 0, "a request came");
                count.fetch_add(1, Ordering::Relaxed);
                let busy = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\n\
                            Content-Length: 0\r\nConnection: close\r\n\r\n";
                connection.write_all(busy.as_bytes()).await.unwrap();
            }
        });
        let cluster = Cluster::new(kube::Config::new(url.parse().unwrap())).unwrap();
        let store = Kube::new(&cluster, "test");
        let found = store.exists::<Widget>(&Key::new("n", "a")).await;
        let refused = matches!(found, Err(StoreError::Busy(wait)) if wait.as_secs() == 5);
        assert!(refused, "{found:?}");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
