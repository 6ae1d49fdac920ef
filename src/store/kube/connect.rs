//! Which API server, and how it is reached.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube::client::{Body, ClientBuilder};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tower::util::MapRequestLayer;

use super::patience::Patience;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// A cluster to work on, and in it the namespaces. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
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

/// kube-runtime asks for streaming lists that may be as old as the server likes
/// (`resourceVersion=0`): one read after a write came without what was written. Without a version
/// the list is as of now, as Go's clients ask for it.
fn fresh(request: http::Request<Body>) -> http::Request<Body> {
    const OLD: &str = "&resourceVersion=0";
    let (mut head, body) = request.into_parts();
    let uri = head.uri.to_string();
    if uri.contains("sendInitialEvents=true")
        && uri.contains(OLD)
        && let Ok(uri) = uri.replace(OLD, "").parse()
    {
        head.uri = uri;
    }
    http::Request::from_parts(head, body)
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

    fn new(mut config: kube::Config) -> Result<Self, ConnectError> {
        // Who decided decides again; a repeated write would be one that nobody decided.
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT);
        // These would count from the last byte on a connection that rests: `Patience` has the limits.
        config.read_timeout = None;
        config.write_timeout = None;
        let server = config.cluster_url.to_string();
        let server = server.trim_end_matches('/').to_owned();
        let own_namespace = config.default_namespace.as_str().into();
        let builder = ClientBuilder::try_from(config).map_err(|source| ConnectError::Client {
            server: server.clone(),
            source: Box::new(source),
        })?;
        let builder = builder.with_layer(&MapRequestLayer::new(fresh));
        let client = Patience::default().client(builder);
        Ok(Self {
            client,
            server: server.into(),
            namespaces: Vec::new(),
            own_namespace,
        })
    }

    /// A cluster behind this client.
    #[cfg(test)]
    pub(crate) fn of_client(client: kube::Client) -> Self {
        Self {
            own_namespace: client.default_namespace().into(),
            client,
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

    /// The connection.
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

    #[test]
    fn a_streaming_list_is_as_of_now() {
        let asked = |uri: &str| {
            let request = http::Request::get(uri).body(Body::empty()).unwrap();
            fresh(request).uri().to_string()
        };
        assert_eq!(
            asked(
                "/x?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=0"
            ),
            "/x?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        );
        let goes_on = "/x?watch=true&resourceVersion=70";
        assert_eq!(asked(goes_on), goes_on);
    }

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

    /// If kube comes to ask in another way, the layer above has to follow.
    #[test]
    fn kube_still_asks_for_any_age() {
        let watch = kube::api::WatchParams::default().initial_events();
        let request = kube::core::Request::new("/x").watch(&watch, "0").unwrap();
        let uri = request.uri().to_string();
        assert!(uri.contains("sendInitialEvents=true"), "{uri}");
        assert!(uri.contains("&resourceVersion=0"), "{uri}");
    }
}
