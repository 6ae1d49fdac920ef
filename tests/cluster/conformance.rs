//! The suite that every store passes.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use metalform::store::conformance::{self, Backend, Widget, widget_crd};
use metalform::store::kube::Cluster;
use metalform::store::{Kube, Store};

use crate::server::Server;

/// A server as a backend of the suite.
pub struct Real {
    pub server: Server,
    cluster: Cluster,
    /// One namespace is watched, and not all.
    pub alone: bool,
}

impl Real {
    pub async fn on(server: Server, alone: bool) -> Self {
        server.install(&widget_crd());
        let cluster = server.admin().await;
        Self {
            server,
            cluster,
            alone,
        }
    }
}

impl Backend for Real {
    type Store = Kube;

    fn fresh(&self) -> BoxFuture<'_, (Kube, String)> {
        async {
            let namespace = self.server.namespace(&self.cluster, "suite").await;
            let cluster = match self.alone {
                true => self.cluster.clone().within([namespace.as_str()]),
                false => self.cluster.clone(),
            };
            (synced(&cluster).await, namespace)
        }
        .boxed()
    }

    fn by(&self, store: &Kube, manager: &str) -> Kube {
        store.by(manager)
    }

    fn restart(&self, store: Kube) -> BoxFuture<'_, Option<Kube>> {
        drop(store);
        async { Some(synced(&self.cluster).await) }.boxed()
    }

    fn window(&self) -> Option<usize> {
        Some(WINDOW)
    }
}

/// Changes that these stores keep.
const WINDOW: usize = 64;

/// A store that knows of all widgets.
async fn synced(cluster: &Cluster) -> Kube {
    let store = Kube::with_window(cluster, "suite", WINDOW);
    Store::<Widget>::snapshot(&store).await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_a_store() {
    for alone in [false, true] {
        let Some(server) = Server::shared() else {
            return;
        };
        let real = Real::on(server, alone).await;
        let report = conformance::run(&real).await;
        println!("{report}");
        assert!(report.failed.is_empty(), "{report}");
    }
}
