//! One request and what comes of it, in the words of the store.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::core::Status;

use crate::store::{Key, Object, StoreError, Version};

use super::Kube;

/// How long an answer may take. A server cuts its requests off after a minute; nobody who waits
/// for a host's status waits that long.
const ANSWER: Duration = Duration::from_secs(30);
/// How long to wait after a 429 that does not say.
const BUSY: Duration = Duration::from_secs(1);

/// Why a request was not carried out.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The server said so.
    Status {
        /// The HTTP code.
        code: u16,
        /// Its words.
        status: Box<Status>,
        /// `Retry-After`.
        retry: Option<Duration>,
    },
    /// Nobody answered, or not in a way that can be read: it may be done all the same. A text that
    /// says what was tried.
    Unclear(String),
}

impl Kube {
    /// Sends a request, once. `what` is what it does, as in `create BareMetalHost a/b`.
    pub(super) async fn call<K: Object>(
        &self,
        request: http::Request<Vec<u8>>,
        what: &str,
    ) -> Result<Bytes, Refusal> {
        let server = &self.shared.server;
        // It is never closed.
        let places = match K::DURABLE {
            true => &self.shared.requests,
            false => &self.shared.asides,
        };
        let _place = places.acquire().await.ok();
        // Waiting may have taken longer than the lease.
        if *request.method() != http::Method::GET && !self.fence.is_open() {
            return Err(Refusal::Unclear(format!(
                "cannot {what}: this process does not hold its lease (any more)"
            )));
        }
        let answer = async {
            let response = self.shared.client.send(request.map(Body::from)).await;
            let response =
                response.map_err(|error| Refusal::Unclear(unreachable(server, what, &error)))?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| {
                Refusal::Unclear(format!(
                    "cannot {what}: {server} broke off its answer: {error}"
                ))
            })?;
            Ok((head, body.to_bytes()))
        };
        let (head, body) = tokio::time::timeout(ANSWER, answer).await.map_err(|_| {
            Refusal::Unclear(format!(
                "cannot {what}: {server} did not answer in {} s",
                ANSWER.as_secs()
            ))
        })??;
        if head.status.is_success() {
            return Ok(body);
        }
        let retry = head.headers.get(http::header::RETRY_AFTER);
        let retry = retry.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let status = serde_json::from_slice(&body).unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(&body);
            let start: String = text.trim().chars().take(300).collect();
            Status::failure(&start, head.status.canonical_reason().unwrap_or_default())
        });
        Err(Refusal::Status {
            code: head.status.as_u16(),
            status: Box::new(status),
            retry: retry.map(Duration::from_secs),
        })
    }
}

/// The refusal of a write of this object as the store's error. `expected` is the version that the
/// write was for; what the server has instead is looked up by the caller.
pub(super) fn error<K: Object>(
    key: &Key,
    expected: Option<Version>,
    refusal: Refusal,
    what: &str,
) -> StoreError {
    let (code, status, retry) = match refusal {
        Refusal::Unclear(text) => return StoreError::Backend(text),
        Refusal::Status {
            code,
            status,
            retry,
        } => (code, status, retry),
    };
    let (kind, key) = (K::KIND, key.clone());
    let said = || status.message.clone();
    match code {
        404 if status
            .details
            .as_ref()
            .is_some_and(|of| of.kind == "namespaces") =>
        {
            StoreError::Backend(format!(
                "cannot {what}: the cluster has no namespace `{0}`; make it with `kubectl create \
                 namespace {0}`, or name another one",
                key.namespace
            ))
        }
        404 if status
            .details
            .as_ref()
            .is_some_and(|of| !of.name.is_empty()) =>
        {
            StoreError::NotFound { kind, key }
        }
        409 if status.reason == "AlreadyExists" => StoreError::Exists { kind, key },
        409 => match owned(&status) {
            Some((fields, owner)) => StoreError::Owned {
                kind,
                key,
                fields,
                owner,
            },
            None => StoreError::Conflict {
                kind,
                key,
                expected: expected.unwrap_or_default(),
                found: Version::default(),
            },
        },
        400 | 413 | 415 | 422 => StoreError::Invalid {
            kind,
            key,
            reason: said(),
        },
        // What does not fit the types of an apply is answered so (structured-merge-diff).
        500 if status
            .message
            .starts_with("failed to create typed patch object") =>
        {
            StoreError::Invalid {
                kind,
                key,
                reason: said(),
            }
        }
        429 => StoreError::Busy(retry.or_else(|| asked(&status)).unwrap_or(BUSY)),
        _ => StoreError::Backend(refused::<K>(code, &status, what)),
    }
}

/// The fields that others hold, and who.
fn owned(status: &Status) -> Option<(String, String)> {
    let causes = &status.details.as_ref()?.causes;
    let held: Vec<_> = causes
        .iter()
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .collect();
    let fields: Vec<&str> = held.iter().map(|cause| cause.field.as_str()).collect();
    // `conflict with "kubectl" using metal3.io/v1alpha1`.
    let mut owners: Vec<&str> = held
        .iter()
        .filter_map(|cause| cause.message.strip_prefix("conflict with "))
        .collect();
    owners.dedup();
    (!held.is_empty()).then(|| (fields.join(", "), owners.join(", ")))
}

fn asked(status: &Status) -> Option<Duration> {
    let seconds = status.details.as_ref()?.retry_after_seconds;
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}

/// What a refusal that is nobody's mistake in an object means, and what to do.
fn refused<K: Object>(code: u16, status: &Status, what: &str) -> String {
    let said = &status.message;
    match code {
        401 => format!(
            "cannot {what}: the API server does not take our credentials ({said}); see to the \
             kubeconfig or the service account's token"
        ),
        403 => format!("cannot {what}: {said}; see to the role that this account has"),
        404 if K::GROUP.is_empty() => format!("cannot {what}: {said}"),
        404 => format!(
            "cannot {what}: the API server has no {0}.{1}; install the definition with \
             `metalform crd {0} | kubectl apply --server-side -f -`",
            K::PLURAL,
            K::GROUP
        ),
        code => format!("cannot {what}: the API server answered {code}: {said}"),
    }
}

/// Why a watch or a request failed.
pub(super) fn explain<K: Object>(server: &str, what: &str, error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => refused::<K>(status.code, status, what),
        error => unreachable(server, what, error),
    }
}

/// Nobody answered: the innermost reason, for those around it say the same in other words.
fn unreachable(server: &str, what: &str, error: &kube::Error) -> String {
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    match error {
        kube::Error::SerdeError(_) => {
            format!("cannot {what}: {server} answered nonsense: {reason}")
        }
        kube::Error::Auth(_) => format!("cannot {what}: no credentials for {server}: {reason}"),
        _ => format!("cannot {what}: cannot reach the API server at {server}: {reason}"),
    }
}

#[cfg(test)]
mod tests;
