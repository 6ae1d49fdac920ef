//! Log lines: to standard error, off by default except warnings that no table shows.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use super::{Global, LogFormat, Term};

/// Sets up the process's one subscriber. `METALFORM_LOG` takes tracing's filter language and wins
/// over `-v`. `chatty`: lines are all that a verb shows, so that it says more.
pub(super) fn init(global: &Global, term: &Term, chatty: bool) {
    let verbose = global.verbose + u8::from(chatty);
    let level = match (global.quiet, verbose, global.log_format) {
        (true, ..) => "error,kube_client::client::builder=off",
        // What a host comes to is in the table, or in a line of its own.
        (false, 0, LogFormat::Text) => {
            "warn,metalform::event=error,kube_client::client::builder=off"
        }
        // kube tells of each request that got no answer, as an error without a code. Whoever sent it
        // tells of it, once.
        (false, 0, LogFormat::Json) | (false, 1, _) => {
            "warn,metalform=info,kube_client::client::builder=off"
        }
        (false, 2, _) => "info,metalform=debug",
        (false, 3.., _) => "debug,metalform=trace",
    };
    let filter = EnvFilter::try_from_env("METALFORM_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let lines = fmt().with_env_filter(filter).with_writer(term.clone());
    // Fails only when a subscriber is set already, as in tests: then that one is used.
    match global.log_format {
        LogFormat::Text => lines
            .with_target(false)
            .with_ansi(term.color_err())
            .try_init()
            .ok(),
        LogFormat::Json => lines.json().flatten_event(true).try_init().ok(),
    };
}
