//! Answers in the API server's shapes.

use bytes::Bytes;
use futures::stream;
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use serde::Serialize;
use serde_json::{Value, json};

use crate::store::StoreError;

/// How much of a long list is written at once.
const CHUNK: usize = 64 << 10;

/// The body of every answer: whole, or a stream for watches and lists.
pub(super) type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

fn whole(code: StatusCode, kind: &'static str, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(bytes).boxed_unsync());
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

/// Plain text.
pub(super) fn text(code: StatusCode, text: impl Into<String>) -> Response<Body> {
    let text: String = text.into();
    whole(code, "text/plain; charset=utf-8", Bytes::from(text))
}

/// OpenMetrics text.
pub(super) fn metrics(text: String) -> Response<Body> {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    whole(StatusCode::OK, kind, Bytes::from(text))
}

/// A value as JSON.
pub(super) fn json<T: Serialize>(code: StatusCode, value: &T) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(bytes) => whole(code, "application/json", Bytes::from(bytes)),
        Err(error) => failure(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            &format!("cannot write the answer: {error}"),
        ),
    }
}

/// A long list as JSON: items between two texts. They are written as the client takes them: ten
/// thousand hosts are 60 MB, which nobody has to have at once.
pub(super) fn list(
    before: String,
    items: impl Iterator<Item = String> + Send + 'static,
    after: &'static str,
) -> Response<Body> {
    let mut items = items.peekable();
    let mut next = Some(before);
    let chunks = std::iter::from_fn(move || {
        let mut text = next.take()?;
        while text.len() < CHUNK {
            let Some(item) = items.next() else {
                text.push_str(after);
                return Some(text);
            };
            text.push_str(&item);
            if items.peek().is_some() {
                text.push(',');
            }
        }
        next = Some(String::new());
        Some(text)
    });
    let frame = |text| Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from(text)));
    let body = StreamBody::new(stream::iter(chunks.map(frame)));
    let mut response = Response::new(body.boxed_unsync());
    let kind = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// A `Status` object that says what went wrong.
pub(super) fn failure(code: StatusCode, reason: &str, message: &str) -> Response<Body> {
    json(code, &status(code, reason, message))
}

/// The `Status` object itself, for watches.
pub(super) fn status(code: StatusCode, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code.as_u16(),
    })
}

/// 404.
pub(super) fn not_found(message: &str) -> Response<Body> {
    failure(StatusCode::NOT_FOUND, "NotFound", message)
}

/// What a store's error is on the wire.
pub(super) fn store_error(error: &StoreError) -> Response<Body> {
    let (code, reason) = match error {
        StoreError::Conflict { .. } | StoreError::Owned { .. } => {
            (StatusCode::CONFLICT, "Conflict")
        }
        StoreError::NotFound { .. } => (StatusCode::NOT_FOUND, "NotFound"),
        StoreError::Exists { .. } => (StatusCode::CONFLICT, "AlreadyExists"),
        StoreError::Invalid { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "Invalid"),
        StoreError::Busy(_) => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
        StoreError::Backend(_) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
    };
    failure(code, reason, &error.to_string())
}

/// `/version`.
pub(super) fn version() -> Response<Body> {
    let version = env!("CARGO_PKG_VERSION");
    let value = json!({
        "major": "1",
        "minor": "33",
        "gitVersion": format!("v1.33.0+metalform-{version}"),
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    });
    json(StatusCode::OK, &value)
}

/// `/api`.
pub(super) fn core_versions() -> Response<Body> {
    json(
        StatusCode::OK,
        &json!({"kind": "APIVersions", "versions": ["v1"]}),
    )
}

/// `/apis`.
pub(super) fn groups() -> Response<Body> {
    let version = json!({"groupVersion": "metal3.io/v1alpha1", "version": "v1alpha1"});
    let groups = json!([{
        "name": "metal3.io",
        "versions": [version],
        "preferredVersion": version,
    }]);
    json(
        StatusCode::OK,
        &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}),
    )
}

/// The resources of a group version.
pub(super) fn resources(group_version: &str) -> Response<Body> {
    let verbs = json!([
        "create", "delete", "get", "list", "patch", "update", "watch"
    ]);
    let resource = |plural: &str, singular: &str, kind: &str, short: &[&str]| {
        json!({
            "name": plural,
            "singularName": singular,
            "namespaced": true,
            "kind": kind,
            "verbs": verbs,
            "shortNames": short,
        })
    };
    let resources = if group_version == "v1" {
        vec![resource("events", "event", "Event", &["ev"])]
    } else {
        vec![
            resource(
                "baremetalhosts",
                "baremetalhost",
                "BareMetalHost",
                &["bmh", "bmhost"],
            ),
            resource("baremetalhosts/status", "", "BareMetalHost", &[]),
            resource("hardwaredata", "hardwaredata", "HardwareData", &["hd"]),
            resource(
                "hostfirmwaresettings",
                "hostfirmwaresettings",
                "HostFirmwareSettings",
                &["hfs"],
            ),
            resource(
                "hostfirmwaresettings/status",
                "",
                "HostFirmwareSettings",
                &[],
            ),
            resource("firmwareschemas", "firmwareschema", "FirmwareSchema", &[]),
            resource(
                "hostfirmwarecomponents",
                "hostfirmwarecomponents",
                "HostFirmwareComponents",
                &[],
            ),
            resource(
                "hostfirmwarecomponents/status",
                "",
                "HostFirmwareComponents",
                &[],
            ),
            resource(
                "hostupdatepolicies",
                "hostupdatepolicy",
                "HostUpdatePolicy",
                &[],
            ),
        ]
    };
    let list = json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    });
    json(StatusCode::OK, &list)
}
