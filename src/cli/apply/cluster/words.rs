//! `apply --allow-destroy` beside a controller that follows files: it carries out, and this command gives
//! the words that its plan waits for. Nothing else is written, and no word is given for a text that
//! the controller does not follow: it would take it away again.

use std::sync::Arc;

use serde_json::json;

use crate::api::BareMetalHost;
use crate::api::names::annotation;
use crate::cli::apply::ApplyArgs;
use crate::cli::apply::ask::{GIVE_WORDS_TO_CONTROLLER, ask};
use crate::cli::cluster::{Followed, Remote, failed};
use crate::cli::plan::{Saved, make};
use crate::cli::source::Source;
use crate::cli::spec::Spec;
use crate::cli::{Exit, Failure, Term};
use crate::fleet::fold;
use crate::plan::{self, Grants, Hold};
use crate::store::{Kube, Patch, Store as _, StoreError};

use super::wait::Held;
use super::write::patiently;

/// Gives them, where the controller follows this very text.
pub(super) async fn give(
    term: &Term,
    args: &ApplyArgs,
    saved: Option<&Saved>,
    spec: &Spec,
    remote: &Remote,
    followed: &Followed<'_>,
) -> Result<Exit, Failure> {
    writes_nothing_else(args)?;
    let digest = spec.fleet.digest().to_string();
    if followed.digest != Some(digest.as_str()) {
        return Err(other_text(&spec.fleet.name, followed, &digest));
    }
    let made = make(&Source::Cluster(remote.clone()), spec).await?;
    super::is_current(args, saved, &made, remote).await?;
    let named = super::named(term, args, &made)?;
    let grants = named.bound(&made.plan);
    super::show(term, &made, &grants);
    term.say(&format!("in {}", remote.place()));
    if !grants.tokens.is_empty() {
        let store = match args.dry_run {
            Some(_) => remote.store.dry_run(),
            None => {
                ask(term, args, &GIVE_WORDS_TO_CONTROLLER)?;
                remote.store.clone()
            }
        };
        let mut given = Vec::new();
        let written = write(&store, &grants, &mut given).await;
        if !given.is_empty() && args.dry_run.is_none() {
            let (hosts, flags) = (fold(&given), remote.flags());
            term.say(&format!(
                "{hosts}: granted; the controller carries it out, `metalform get{flags}` shows it"
            ));
            if let Some(trouble) = followed.trouble {
                term.say(&format!("beside that it says: {trouble}"));
            }
        }
        written.map_err(|error| failed(&error))?;
    }
    if args.dry_run.is_some() {
        term.say("the server judged this; nothing was changed");
    }
    // What is refused gets no word.
    let rulings = plan::gate(&made.plan, &made.desired, &made.observed, &grants);
    let held = rulings.into_iter().filter_map(|ruling| {
        let hold = ruling.hold.filter(|hold| hold.code.needs_person())?;
        named
            .allows(&ruling.action.host.name)
            .then_some((ruling.action, hold))
    });
    let held: Vec<(&plan::Action, Hold)> = held.collect();
    for line in Held::of(&held).lines() {
        term.say(&line);
    }
    Ok(match held.is_empty() {
        true => Exit::Success,
        false => Exit::No,
    })
}

/// An error for flags that would have something else written, or waited for.
fn writes_nothing_else(args: &ApplyArgs) -> Result<(), Failure> {
    let given = [
        (args.wait, "--wait"),
        (args.with_secrets.is_some(), "--with-secrets"),
        (args.force_conflicts, "--force-conflicts"),
    ];
    let Some((_, flag)) = given.into_iter().find(|(given, _)| *given) else {
        return Ok(());
    };
    let text = format!(
        "{flag}: a controller follows files for this fleet, and beside it `apply` gives words and does \
         nothing else"
    );
    Err(Failure::new(Exit::Usage, text).help(match args.wait {
        true => "leave it out; `kubectl wait --for=condition=Ready fleet/NAME` waits",
        false => "leave it out; nothing was changed",
    }))
}

/// What differs, and what to do.
fn other_text(name: &str, followed: &Followed<'_>, digest: &str) -> Failure {
    let short = |digest: &str| digest.chars().take(12).collect::<String>();
    let source = followed.source;
    let text = match followed.digest {
        None => format!("the controller of Fleet {name} has read no valid spec from {source} yet"),
        Some(other) => format!(
            "the controller of Fleet {name} follows another text: that of {source} is {}, this one \
             is {}",
            short(other),
            short(digest)
        ),
    };
    Failure::new(Exit::Stale, text).help(
        "a word is for the text that is followed: say it beside the same files, with the same --params, \
         or once the controller has read these (status.lastGood of the Fleet); nothing was changed",
    )
}

/// Writes each word to its host. `given` are the hosts that have theirs, after an error too.
async fn write(store: &Kube, grants: &Grants, given: &mut Vec<Arc<str>>) -> Result<(), StoreError> {
    for (host, token) in &grants.tokens {
        let word = json!({"metadata": {"annotations": {annotation::ALLOW_DESTROY: token}}});
        // At any version: the word itself says what it is for.
        let put = patiently(async || {
            let put = store.patch(host, Patch::Merge(word.clone()), None);
            put.await.map(|_: Arc<BareMetalHost>| ())
        });
        match put.await {
            Ok(()) => given.push(Arc::clone(&host.name)),
            // It went by itself.
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_follows_another_text_is_told_apart_from_who_has_read_none() {
        let mut followed = Followed {
            source: "/specs",
            digest: None,
            trouble: None,
        };
        let failure = other_text("lab", &followed, "0123456789abcdef");
        assert_eq!(failure.exit, Exit::Stale);
        assert!(failure.text.contains("no valid spec from /specs"));
        followed.digest = Some("fedcba9876543210");
        let failure = other_text("lab", &followed, "0123456789abcdef");
        assert!(
            failure
                .text
                .ends_with("that of /specs is fedcba987654, this one is 0123456789ab"),
            "{failure}"
        );
    }
}
