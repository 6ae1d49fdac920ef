//! `apply` beside a running process: it carries out, this one allows and waits.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::api::names::annotation;
use crate::cli::ending::{self, Ending, Picture, Verdict};
use crate::cli::{Exit, Failure, Term};
use crate::fleet::Digest;
use crate::plan::Grants;
use crate::serve::Reading;
use crate::serve::client::{Client, ClientError, Following};

use super::ApplyArgs;

/// How long the running process may take to read a saved file and compare it. It is told within a
/// fraction of a second where the system tells it of changes, and looks every second where not.
const READS: Duration = Duration::from_secs(8);
/// How often it is asked.
const PACE: Duration = Duration::from_millis(300);
/// How often it is asked whether it has read the file.
const READING: Duration = Duration::from_millis(50);

/// What the person at this terminal saw the plan of.
pub(super) struct Wanted {
    /// What was read.
    pub reading: Reading,
    /// Which text that is.
    pub digest: Digest,
}

/// Hands the grants to the running process and waits. What is allowed and what is waited for is of
/// the text that was shown; while the running process follows another one nothing is done.
pub(super) async fn through(
    term: &Term,
    args: &ApplyArgs,
    client: &Client,
    wanted: &Wanted,
    grants: &Grants,
) -> Result<Exit, Failure> {
    same_text(client, wanted).await?;
    for (host, token) in &grants.tokens {
        let patch = json!({"metadata": {"annotations": {annotation::ALLOW_DESTROY: token}}});
        client
            .patch_host(host, &patch)
            .await
            .map_err(|error| failed(&error))?;
        term.say(&format!("allowed: {}", host.name));
    }
    if args.no_wait {
        return Ok(Exit::Success);
    }
    let started = Instant::now();
    let mut ending = Ending::default();
    let mut last = String::new();
    loop {
        // In this order: what was written by the first answer is among the hosts of the second.
        let following = client.following().await.map_err(|error| failed(&error))?;
        if following.digest != wanted.digest.to_string() {
            let text = "the spec was edited while this command waited; the running process follows \
                        the edit";
            return Err(Failure::new(Exit::Stale, text).help("see `metalform plan`"));
        }
        let reasons = client.reasons().await.map_err(|error| failed(&error))?;
        let left = reasons.iter().filter(|reason| !reason.settled).count();
        let held = following.held.len();
        let changes = if held == 1 { "change" } else { "changes" };
        let line = format!(
            "{left} of {} hosts under way, {held} {changes} held",
            reasons.len(),
        );
        if line != last {
            term.say(&line);
            last = line;
        }
        match ending.judge(Picture::told(&following, &reasons, grants), Instant::now()) {
            Verdict::Wait | Verdict::LookAgain => {}
            Verdict::Settled => return Ok(Exit::Success),
            Verdict::Stuck(waits) => {
                ending::say(term, &waits);
                return Ok(Exit::No);
            }
        }
        if args
            .timeout
            .is_some_and(|limit| started.elapsed() > Duration::from_secs(limit))
        {
            term.error(&format!(
                "not settled after {} s: {last}",
                started.elapsed().as_secs()
            ));
            return Ok(Exit::No);
        }
        tokio::time::sleep(PACE).await;
    }
}

/// Waits until the running process follows the text that was shown.
async fn same_text(client: &Client, wanted: &Wanted) -> Result<(), Failure> {
    let started = Instant::now();
    loop {
        let following = client.following().await.map_err(|error| failed(&error))?;
        if following.digest == wanted.digest.to_string() {
            return Ok(());
        }
        let elsewhere = Reading {
            kept: None,
            ..following.reading.clone()
        } != wanted.reading;
        // Another file will not become this one. The same one may not be read yet.
        if elsewhere || started.elapsed() > READS {
            return Err(other_text(&following, wanted));
        }
        tokio::time::sleep(READING).await;
    }
}

/// What differs, and what to do.
fn other_text(following: &Following, wanted: &Wanted) -> Failure {
    let Reading { spec, params, kept } = &following.reading;
    let own = &wanted.reading;
    let params_of = |params: &Option<String>| match params {
        Some(file) => format!("the parameters of {file}"),
        None => "no parameters".to_owned(),
    };
    let (what, help) = if *spec != own.spec {
        (
            format!("the running process follows {spec}, not {}", own.spec),
            format!(
                "`metalform apply {spec}`, or stop it and start `metalform run {}`",
                own.spec
            ),
        )
    } else if *params != own.params {
        (
            format!(
                "the running process follows this spec with {}, not with {}",
                params_of(params),
                params_of(&own.params)
            ),
            "say `apply` with the same --params, or start the running process with others"
                .to_owned(),
        )
    } else if let Some(kept) = kept {
        (
            format!("the running process keeps the last good fleet: {kept}"),
            "see what it says in its terminal; nothing was changed".to_owned(),
        )
    } else if let Some(trouble) = &following.trouble {
        (
            format!("the running process is not done with the edit before: {trouble}"),
            "nothing was changed".to_owned(),
        )
    } else {
        (
            format!("the running process has not read this text of {spec}"),
            "the file may have been saved again; nothing was changed".to_owned(),
        )
    };
    Failure::new(Exit::Stale, what).help(help)
}

fn failed(error: &ClientError) -> Failure {
    Failure::new(Exit::Remote, error.to_string())
}
