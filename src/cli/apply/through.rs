//! `apply` beside a running process: it carries out, this one allows and waits.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::api::names::annotation;
use crate::cli::ending::{self, Ending, Picture, Verdict};
use crate::cli::{Exit, Failure, Term};
use crate::fleet::Digest;
use crate::plan::Grants;
use crate::serve::Reading;
use crate::serve::client::{Client, ClientError, Following, Reason};

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
    /// Some of the plan needs no word of a person.
    pub by_itself: bool,
}

/// What came of it.
pub(super) enum Outcome {
    /// With this exit code.
    Ended(Exit),
    /// The process that carried it out ended before it was done.
    Left,
}

/// Hands the grants to the running process and waits. What is allowed and what is waited for is of
/// the text that was shown; while the running process follows another one nothing is done.
pub(super) async fn through(
    term: &Term,
    args: &ApplyArgs,
    client: &Client,
    wanted: &Wanted,
    grants: &Grants,
) -> Result<Outcome, Failure> {
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
        return Ok(Outcome::Ended(Exit::Success));
    }
    if wanted.by_itself {
        term.say("the running process carries this out; Ctrl-C ends the wait, not the work");
    }
    let started = Instant::now();
    let mut ending = Ending::default();
    let mut progress = Progress::default();
    loop {
        let looked = async {
            // In this order: what was written by the first answer is among the hosts of the second.
            let following = client.following().await?;
            Ok((following, client.reasons().await?))
        };
        let (following, reasons) = match looked.await {
            Ok(seen) => seen,
            Err(ClientError::NobodyThere(_) | ClientError::Ended(_)) => return Ok(Outcome::Left),
            Err(error) => return Err(failed(&error)),
        };
        if following.digest != wanted.digest.to_string() {
            let text = "the spec was edited while this command waited; the running process follows \
                        the edit";
            return Err(Failure::new(Exit::Stale, text).help("see `metalform plan`"));
        }
        progress.say(term, following.held.len(), &reasons);
        match ending.judge(Picture::told(&following, &reasons, grants), Instant::now()) {
            Verdict::Wait | Verdict::LookAgain => {}
            Verdict::Settled => return Ok(Outcome::Ended(Exit::Success)),
            Verdict::Stuck(waits) => {
                ending::say(term, &waits);
                return Ok(Outcome::Ended(Exit::No));
            }
        }
        let limit = args.timeout.map(Duration::from_secs);
        if limit.is_some_and(|limit| started.elapsed() > limit) {
            ending::out_of_time(
                term,
                started.elapsed(),
                &ending::left_told(&following, &reasons),
            );
            return Ok(Outcome::Ended(Exit::No));
        }
        tokio::time::sleep(PACE).await;
    }
}

/// What was said of the wait.
#[derive(Default)]
pub(super) struct Progress {
    line: String,
    /// Hosts with what is wrong with each.
    wrong: BTreeSet<(String, String)>,
}

impl Progress {
    /// Says how much is left, and what is wrong with hosts, once each.
    pub fn say(&mut self, term: &Term, held: usize, reasons: &[Reason]) {
        let left = reasons.iter().filter(|reason| !reason.settled).count();
        let wrong = reasons
            .iter()
            .filter(|reason| reason.blocked && !reason.settled);
        let wrong: Vec<&Reason> = wrong.collect();
        let changes = if held == 1 { "change" } else { "changes" };
        let trouble = match wrong.len() {
            0 => String::new(),
            many => format!(", {many} in trouble"),
        };
        let line = format!(
            "{} of {} hosts under way{trouble}, {held} {changes} held",
            left - wrong.len(),
            reasons.len(),
        );
        if line != self.line {
            term.say(&line);
            self.line = line;
        }
        let told = wrong
            .iter()
            .map(|reason| (reason.name.clone(), reason.code.clone()));
        let told: BTreeSet<_> = told.collect();
        let news = wrong.into_iter().filter(|reason| {
            !self
                .wrong
                .contains(&(reason.name.clone(), reason.code.clone()))
        });
        for line in ending::lines(&news.map(ending::wait_of).collect::<Vec<_>>()) {
            term.say(&line);
        }
        self.wrong = told;
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
