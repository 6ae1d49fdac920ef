//! Watches: changes as lines of JSON, until the client goes, its time is over, or it has to list
//! again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::OptionFuture;
use futures::stream::{self, StreamExt as _};
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::store::{Change, Object, Store};

use super::answer::{self, Body};
use super::objects::{inside, typed};
use super::query::Query;
use super::route::Target;

pub(super) fn watch<K: Object, S: Store<K>>(
    store: &Arc<S>,
    target: &Target,
    query: Query,
    stop: CancellationToken,
) -> Response<Body> {
    let changes = store.watch(query.version.unwrap_or_default());
    let target = target.clone();
    let limit = query.timeout.map(Duration::from_secs);
    let ended = async move {
        let limit = limit.map(tokio::time::sleep);
        tokio::select! {
            () = stop.cancelled_owned() => {}
            Some(()) = OptionFuture::from(limit) => {}
        }
    };
    let lines = changes
        .take_until(ended)
        // After `410 Gone` the watcher has to list again, so nothing comes after it.
        .flat_map(|change| {
            let last = matches!(change, Change::Reset(_)).then_some(None);
            stream::iter([Some(change)].into_iter().chain(last))
        })
        .take_while(|change| std::future::ready(change.is_some()))
        .filter_map(std::future::ready)
        .map(move |change| {
            let mut text = String::new();
            let mut line = |kind: &str, object: &K| {
                if inside(&target, &object.key()) && query.selects(object) {
                    text.push_str(&json!({"type": kind, "object": typed(object)}).to_string());
                    text.push('\n');
                }
            };
            match &change {
                Change::Applied(object) => {
                    // A real server says ADDED for what a watcher has not seen; clients treat
                    // both the same.
                    let new = object.meta().generation == Some(1)
                        && object.meta().resource_version.is_some()
                        && object.meta().deletion_timestamp.is_none();
                    line(if new { "ADDED" } else { "MODIFIED" }, object);
                }
                Change::Deleted(object) => line("DELETED", object),
                Change::Reset(_) => {
                    let gone = answer::status(
                        StatusCode::GONE,
                        "Expired",
                        "too old resource version: list again",
                    );
                    text.push_str(&json!({"type": "ERROR", "object": gone}).to_string());
                    text.push('\n');
                }
            }
            Bytes::from(text)
        })
        .filter(|bytes| std::future::ready(!bytes.is_empty()))
        .map(|bytes| Ok::<_, std::convert::Infallible>(Frame::data(bytes)));
    let mut response = Response::new(StreamBody::new(lines).boxed_unsync());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}
