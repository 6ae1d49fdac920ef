//! A server without streaming lists, as before Kubernetes 1.32: all that is there comes in pages.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use metalform::store::conformance::{self, Widget};
use metalform::store::kube::Cluster;
use metalform::store::{Change, Key, Kube, Object as _, Patch, Store};
use serde_json::json;

use crate::conformance::Real;
use crate::server::Server;

/// What a server is started with to have none.
const NO_STREAMS: &str = "--api-flag=--feature-gates=WatchList=false";
/// Three pages.
const MANY: usize = 1_100;
/// All widgets.
const PATH: &str = "/apis/conformance.metalform.dev/v1/widgets";

fn widget(namespace: &str, name: &str) -> Widget {
    let widget = json!({
        "apiVersion": "conformance.metalform.dev/v1", "kind": "Widget",
        "metadata": { "name": name, "namespace": namespace },
        "spec": { "of": name },
    });
    serde_json::from_value(widget).unwrap()
}

async fn ask(cluster: &Cluster, path: &str) -> kube::Result<String> {
    let request = http::Request::get(path).body(Vec::new()).unwrap();
    cluster.client().request_text(request).await
}

/// How many lists of all widgets the server has answered.
async fn lists(cluster: &Cluster) -> u64 {
    let text = ask(cluster, "/metrics").await.unwrap();
    let of = [
        "apiserver_request_total{",
        r#"code="200""#,
        r#"resource="widgets""#,
        r#"scope="cluster""#,
        r#"verb="LIST""#,
    ];
    let lines = text
        .lines()
        .filter(|line| of.iter().all(|part| line.contains(part)));
    let count = |line: &str| -> u64 { line.rsplit(' ').next().unwrap().parse().unwrap() };
    lines.map(count).sum()
}

/// The next change that is told, as text.
async fn next(changes: &mut (impl futures::Stream<Item = Change<Widget>> + Unpin)) -> String {
    let wait = crate::controller::PATIENCE;
    let change = tokio::time::timeout(wait, changes.next()).await;
    match change.unwrap().unwrap() {
        Change::Applied(widget) => format!("+{} {}", widget.key().name, widget.spec["of"]),
        Change::Deleted(widget) => format!("-{}", widget.key().name),
        Change::Reset(all) => format!("{} at once", all.objects.len()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_a_store_where_all_comes_in_pages() {
    let Some(server) = Server::own(&["--controllers", NO_STREAMS]) else {
        return;
    };
    let mut real = Real::on(server, false).await;
    let cluster = real.server.admin().await;
    let stream = format!("{PATH}?watch=true&sendInitialEvents=true&timeoutSeconds=1");
    let stream = format!("{stream}&resourceVersionMatch=NotOlderThan");
    match ask(&cluster, &stream).await {
        Err(kube::Error::Api(status)) => assert_eq!(status.code, 422, "{status:?}"),
        other => panic!("it has streaming lists: {other:?}"),
    }

    let namespace = real.server.namespace(&cluster, "many").await;
    let writer = Kube::new(&cluster, "many");
    let names: Vec<String> = (0..MANY).map(|number| format!("w{number:04}")).collect();
    let made = futures::stream::iter(&names)
        .map(|name| writer.create(widget(&namespace, name)))
        .buffer_unordered(32);
    made.for_each(|made| async { drop(made.unwrap()) }).await;

    let before = lists(&cluster).await;
    let store = Kube::new(&cluster, "pages");
    let snapshot = Store::<Widget>::snapshot(&store).await.unwrap();
    let pages = lists(&cluster).await - before;
    assert!(pages >= 3, "{MANY} widgets came in {pages} pages");
    let all: Vec<String> = snapshot
        .objects
        .iter()
        .map(|widget| widget.key().name.to_string())
        .collect();
    assert_eq!(all, names);
    // Who looks once is given the same.
    let listed = store.list_now::<Widget>().await.unwrap();
    let versions = |widget: &Widget| (widget.key().name, widget.version());
    let listed: BTreeSet<_> = listed.iter().map(versions).collect();
    let watched: BTreeSet<_> = snapshot.objects.iter().map(|it| versions(it)).collect();
    assert_eq!(listed, watched);

    // What another one does from then on is told.
    let mut changes = Store::<Widget>::watch(&store, snapshot.version);
    let key = |name: &str| Key::new(namespace.as_str(), name);
    let patch = Patch::Merge(json!({ "spec": { "of": "somebody" } }));
    Store::<Widget>::patch(&writer, &key("w0700"), patch, None)
        .await
        .unwrap();
    Store::<Widget>::delete(&writer, &key("w0001"), None)
        .await
        .unwrap();
    writer.create(widget(&namespace, "x")).await.unwrap();
    assert_eq!(next(&mut changes).await, "+w0700 \"somebody\"");
    assert_eq!(next(&mut changes).await, "-w0001");
    assert_eq!(next(&mut changes).await, "+x \"x\"");

    // Each case begins with pages, and reads them again where it loses its place.
    for alone in [false, true] {
        real.alone = alone;
        let report = conformance::run(&real).await;
        println!("{report}");
        assert!(report.failed.is_empty(), "{report}");
    }
}
