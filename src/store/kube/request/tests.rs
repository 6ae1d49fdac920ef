//! A server that has too much to do, and says when to come again.

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use kube::client::Body;
use serde_json::json;

use super::super::script::{Script, answer, busy, page, refusal, status, widget};
use crate::store::conformance::Widget;
use crate::store::{Key, Kube, Object as _, Patch, Result, Store, StoreError, Version};

fn key() -> Key {
    Key::new("n", "a")
}

/// How long to wait, as the store says after this answer.
async fn wait(answer: Response<Body>) -> Duration {
    let script = Script::new([], [answer]);
    match script.store().read_now::<Widget>(&key()).await {
        Err(StoreError::Busy(wait)) => wait,
        other => panic!("not busy: {other:?}"),
    }
}

#[tokio::test]
async fn how_long_to_wait_is_the_servers_word() {
    let seconds = Duration::from_secs;
    assert_eq!(wait(busy("7")).await, seconds(7));
    // Priority and fairness answers with a text and no more.
    let mut text = Response::new(Body::from(
        b"Too many requests, please try again later.".to_vec(),
    ));
    *text.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
    text.headers_mut()
        .insert("retry-after", http::HeaderValue::from_static("2"));
    assert_eq!(wait(text).await, seconds(2));
    // A server that is coming up says it in the body.
    let mut body = status(429, "TooManyRequests");
    body["details"] = json!({ "retryAfterSeconds": 3 });
    assert_eq!(wait(answer(429, &body)).await, seconds(3));
    // Neither, or nothing that we read.
    assert_eq!(wait(refusal(429, "TooManyRequests")).await, seconds(1));
    let date = "Fri, 28 Nov 2036 00:00:00 GMT";
    assert_eq!(wait(busy(date)).await, seconds(1));
}

/// A request that is refused in this way is asked once, and what is known stays as it is.
#[tokio::test]
async fn nothing_is_asked_twice_of_a_busy_server() {
    fn is_busy<T>(what: &str, done: Result<T>) {
        match done {
            Err(StoreError::Busy(wait)) => assert_eq!(wait, Duration::from_secs(7), "{what}"),
            Err(other) => panic!("{what}: {other}"),
            Ok(_) => panic!("{what} was done"),
        }
    }
    let known: Widget = serde_json::from_value(widget("a", 3)).unwrap();
    let mut new = known.clone();
    new.meta_mut().resource_version = None;
    let mut changed = known.clone();
    changed.status = Some(json!({ "phase": "ready" }).as_object().unwrap().clone());
    let mut marked = known.clone();
    marked.metadata.finalizers = Some(vec![Arc::from("example.com/keep")].into());

    let store = |answers: Vec<Response<Body>>| {
        let script = Script::new([], answers);
        (script.store(), script)
    };
    // What it asks besides its watch, after what it had to read first.
    let asked = |script: &Script| {
        let mut asked = script.asked();
        asked.retain(|line| !line.starts_with("WATCH"));
        asked
    };
    let there = || answer(200, &widget("a", 3));

    let (to, script) = store(vec![busy("7")]);
    is_busy("create", to.create(new).await);
    assert_eq!(asked(&script), ["POST"]);
    let (to, script) = store(vec![busy("7")]);
    let wanted = json!({ "spec": { "size": 1 } });
    is_busy("apply", apply(&to, wanted).await);
    assert_eq!(asked(&script), ["PATCH"]);
    let (to, script) = store(vec![busy("7")]);
    let patch = Patch::Merge(json!({ "spec": { "size": 1 } }));
    is_busy(
        "patch",
        Store::<Widget>::patch(&to, &key(), patch, None).await,
    );
    assert_eq!(asked(&script), ["PATCH"]);
    let (to, script) = store(vec![there(), busy("7")]);
    is_busy("status", to.update_status(changed, Version(3)).await);
    assert_eq!(asked(&script), ["GET", "PUT"]);
    assert_eq!(
        Store::<Widget>::get(&to, &key()).as_deref(),
        Some(&known),
        "as it was read"
    );
    let (to, script) = store(vec![there(), busy("7")]);
    is_busy("finalizer", to.update_status(marked, Version(3)).await);
    assert_eq!(asked(&script), ["GET", "PATCH"]);
    let (to, script) = store(vec![busy("7")]);
    is_busy("delete", Store::<Widget>::delete(&to, &key(), None).await);
    assert_eq!(asked(&script), ["DELETE"]);
    let (to, script) = store(vec![page("9", Some("two"), &[widget("a", 3)]), busy("7")]);
    is_busy("list", to.list_now::<Widget>().await);
    assert_eq!(
        asked(&script),
        ["GET limit=500", "GET limit=500 continue=two"]
    );
}

async fn apply(store: &Kube, wanted: serde_json::Value) -> Result<Arc<Widget>> {
    let key = key();
    store.apply(&key, wanted, "test", false).await
}
