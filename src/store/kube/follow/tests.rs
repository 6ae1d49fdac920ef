//! Lists that come in pages, and a server that has too much to do.

use http::Response;
use kube::client::Body;
use serde_json::json;

use super::super::script::{Script, busy, page, refusal, status, told, widget};
use crate::store::conformance::Widget;
use crate::store::{Change, Kube, Store, Version};

/// No streaming lists: what a server without the feature answers to one who asks for them.
fn unknown() -> Response<Body> {
    refusal(422, "Invalid")
}

fn names<'a>(widgets: impl IntoIterator<Item = &'a std::sync::Arc<Widget>>) -> Vec<String> {
    let name = |widget: &std::sync::Arc<Widget>| {
        let version = widget.metadata.resource_version.as_deref();
        format!(
            "{} {}",
            widget.metadata.name.as_deref().unwrap(),
            version.unwrap()
        )
    };
    widgets.into_iter().map(name).collect()
}

/// The next change that a watch tells of.
async fn next(store: &Kube, from: Version) -> Change<Widget> {
    use futures::StreamExt as _;
    let mut changes = Store::<Widget>::watch(store, from);
    let change = tokio::time::timeout(super::LATE * 10, changes.next()).await;
    change.expect("a change comes").expect("the watch goes on")
}

/// All objects at once, and nothing before that.
async fn reset(store: &Kube, from: Version) -> Vec<String> {
    match next(store, from).await {
        Change::Reset(snapshot) => names(&snapshot.objects),
        other => panic!("not all at once: {other:?}"),
    }
}

fn is_well(store: &Kube) -> bool {
    store.trouble().borrow().is_empty()
}

#[tokio::test(start_paused = true)]
async fn a_server_without_streaming_lists_is_asked_for_pages() {
    let pages = [
        page("9", Some("two"), &[widget("a", 3), widget("b", 9)]),
        page("9", Some("three"), &[]),
        page("9", None, &[widget("c", 4)]),
    ];
    let script = Script::new([unknown()], pages);
    let store = script.store();
    assert_eq!(reset(&store, Version(0)).await, ["a 3", "b 9", "c 4"]);
    let snapshot = Store::<Widget>::snapshot(&store).await.unwrap();
    assert_eq!(names(&snapshot.objects), ["a 3", "b 9", "c 4"]);
    assert!(is_well(&store));
    tokio::time::sleep(super::LATE).await;
    assert_eq!(
        script.asked(),
        [
            "WATCH sendInitialEvents=true resourceVersion=0",
            "GET limit=500",
            "GET limit=500 continue=two",
            "GET limit=500 continue=three",
            "WATCH resourceVersion=9",
        ]
    );
}

/// The list is too old to be gone on with: etcd was compacted between two pages.
#[tokio::test(start_paused = true)]
async fn pages_that_expired_half_way_begin_anew_and_show_nothing_of_the_first_try() {
    let pages = [
        page("9", Some("old"), &[widget("a", 3), widget("b", 9)]),
        refusal(410, "Expired"),
        page("12", Some("new"), &[widget("b", 11)]),
        page("12", None, &[widget("c", 12)]),
    ];
    let script = Script::new([unknown()], pages);
    let store = script.store();
    assert_eq!(reset(&store, Version(0)).await, ["b 11", "c 12"]);
    assert_eq!(names(&Store::<Widget>::list(&store)), ["b 11", "c 12"]);
    assert!(is_well(&store), "{:?}", *store.trouble().borrow());
    tokio::time::sleep(super::LATE).await;
    assert_eq!(
        script.asked()[1..],
        [
            "GET limit=500",
            "GET limit=500 continue=old",
            "GET limit=500",
            "GET limit=500 continue=new",
            "WATCH resourceVersion=12",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_lost_its_place_reads_pages_again() {
    let watches = [unknown(), told(&[("ERROR", status(410, "Expired"))])];
    let pages = [
        page("9", None, &[widget("a", 3), widget("b", 9)]),
        page("20", Some("half"), &[widget("c", 15)]),
        refusal(410, "Expired"),
        page("30", Some("more"), &[widget("a", 10)]),
        page("30", None, &[widget("c", 15)]),
    ];
    let script = Script::new(watches, pages);
    let store = script.store();
    let snapshot = Store::<Widget>::snapshot(&store).await.unwrap();
    assert_eq!(names(&snapshot.objects), ["a 3", "b 9"]);
    // Half of a list takes nothing away.
    tokio::time::sleep(super::SOON * 2).await;
    assert_eq!(
        script.asked().last().unwrap(),
        "GET limit=500 continue=half"
    );
    assert_eq!(names(&Store::<Widget>::list(&store)), ["a 3", "b 9"]);
    assert_eq!(reset(&store, snapshot.version).await, ["a 10", "c 15"]);
    assert!(is_well(&store));
    tokio::time::sleep(super::LATE).await;
    let asked = script.asked();
    assert_eq!(asked.last().unwrap(), "WATCH resourceVersion=30");
    let streams = asked
        .iter()
        .filter(|line| line.contains("sendInitialEvents"));
    assert_eq!(streams.count(), 1, "asked for once: {asked:?}");
}

/// A refusal for now says nothing of what the server can do.
#[tokio::test(start_paused = true)]
async fn a_busy_server_is_asked_for_a_streaming_list_again() {
    let end = json!({
        "apiVersion": "conformance.metalform.dev/v1", "kind": "Widget",
        "metadata": {
            "resourceVersion": "9", "annotations": { "k8s.io/initial-events-end": "true" },
        },
    });
    let list = told(&[("ADDED", widget("a", 3)), ("BOOKMARK", end)]);
    let script = Script::new([busy("1"), busy("1"), list], []);
    let store = script.store();
    let mut trouble = store.trouble();
    let started = tokio::time::Instant::now();
    let first = Store::<Widget>::snapshot(&store);
    let (snapshot, told) = tokio::join!(first, trouble.changed());
    told.unwrap();
    assert_eq!(names(&snapshot.unwrap().objects), ["a 3"]);
    let waited = started.elapsed();
    assert!(
        waited >= super::SOON * 3,
        "once and once longer: {waited:?}"
    );
    assert!(is_well(&store));
    tokio::time::sleep(super::LATE).await;
    let stream = "WATCH sendInitialEvents=true resourceVersion=0";
    let rest = "WATCH resourceVersion=9";
    assert_eq!(script.asked(), [stream, stream, stream, rest]);
}
