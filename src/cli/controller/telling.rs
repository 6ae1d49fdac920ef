//! What the controller says of all its hosts, kept up to date for its lease.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch as channel;

use crate::api::word::{Cause, Word};
use crate::diag::one_line;
use crate::engine::Engine;
use crate::reconcile::Code;
use crate::store::Kube;
use crate::store::kube::{Cluster, Of};

/// How often it is gathered at most, which takes a look at all hosts: as often as a lease is renewed.
const PACE: Duration = Duration::from_secs(2);
/// How often it is gathered without a turn of any host.
const REST: Duration = Duration::from_secs(10);

/// Gathers the word of an engine.
pub(super) struct Teller {
    engine: Arc<Engine<Kube>>,
    /// What does not change.
    about: Word,
    words: channel::Sender<Arc<str>>,
}

impl Teller {
    /// Of an engine that works in the namespaces of this cluster for the candidate `me`.
    pub fn new(engine: Arc<Engine<Kube>>, me: &str, cluster: &Cluster) -> Self {
        let namespaces = cluster.namespaces().iter().map(ToString::to_string);
        let about = Word {
            holder: me.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            namespaces: namespaces.collect(),
            ..Word::default()
        };
        let first = word(&engine, &about);
        Self {
            engine,
            about,
            words: channel::Sender::new(first),
        }
    }

    /// The word as it changes.
    pub fn words(&self) -> channel::Receiver<Arc<str>> {
        self.words.subscribe()
    }

    /// Keeps it up to date.
    pub async fn run(self) -> Infallible {
        let mut activity = self.engine.activity();
        loop {
            self.words.send_replace(word(&self.engine, &self.about));
            tokio::time::sleep(PACE).await;
            tokio::select! {
                _ = activity.changed() => {}
                () = tokio::time::sleep(REST) => {}
            }
        }
    }
}

fn word(engine: &Engine<Kube>, about: &Word) -> Arc<str> {
    let mut word = Word {
        holder: about.holder.clone(),
        version: about.version.clone(),
        namespaces: about.namespaces.clone(),
        ..engine.word()
    };
    let trouble = engine.store().trouble();
    // An object that cannot be read holds up a spec, and no host.
    if word.store.is_none()
        && let Some((_, text)) = trouble
            .borrow()
            .iter()
            .find(|(part, _)| part.of == Of::Watch)
    {
        word.store = Some(Cause {
            code: Code::StoreFailed.as_str().to_owned(),
            text: one_line(text),
            ..Cause::default()
        });
    }
    word.text().into()
}
