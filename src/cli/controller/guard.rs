//! Who may read metrics: asked of the API server, as its own components do it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};
use tokio::time::Instant;

use crate::serve::Guard;

/// How long an answer holds.
const HOLDS: Duration = Duration::from_mins(1);
/// Answers that are kept.
const MOST: usize = 256;

/// A `TokenReview` says who it is, a `SubjectAccessReview` whether they may `get` `/metrics`.
pub(super) struct Reviews {
    client: kube::Client,
    /// By a digest of the token.
    known: Mutex<HashMap<String, (bool, Instant)>>,
}

impl Reviews {
    pub fn new(client: kube::Client) -> Self {
        Self {
            client,
            known: Mutex::default(),
        }
    }

    async fn ask(&self, token: &str) -> Result<bool, String> {
        let failed = |error: kube::Error| format!("cannot ask who that is: {error}");
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: Some(token.to_owned()),
                ..TokenReviewSpec::default()
            },
            ..TokenReview::default()
        };
        let tokens: Api<TokenReview> = Api::all(self.client.clone());
        let review = tokens.create(&PostParams::default(), &review).await;
        let status = review.map_err(failed)?.status.unwrap_or_default();
        let (Some(true), Some(user)) = (status.authenticated, status.user) else {
            return Ok(false);
        };
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: user.username,
                uid: user.uid,
                groups: user.groups,
                extra: user.extra,
                non_resource_attributes: Some(NonResourceAttributes {
                    path: Some("/metrics".into()),
                    verb: Some("get".into()),
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let access: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let review = access.create(&PostParams::default(), &review).await;
        Ok(review
            .map_err(failed)?
            .status
            .is_some_and(|status| status.allowed))
    }
}

impl Guard for Reviews {
    fn allows<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<bool, String>> {
        async move {
            let digest = crate::secrets::digest(token.as_bytes());
            let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((allowed, since)) = lock().get(&digest)
                && since.elapsed() < HOLDS
            {
                return Ok(*allowed);
            }
            let allowed = self.ask(token).await?;
            let mut known = lock();
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(digest, (allowed, Instant::now()));
            Ok(allowed)
        }
        .boxed()
    }
}
