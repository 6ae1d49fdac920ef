//! A spinner beside what takes long. Most of it does not: only after a while, and only where
//! somebody looks.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::Term;

/// What is over sooner needs no spinner.
const AFTER: Duration = Duration::from_millis(300);
const TICK: Duration = Duration::from_millis(100);

/// Says that something is under way, until it is dropped.
pub(super) struct Busy(Option<(Sender<()>, JoinHandle<()>)>);

impl Busy {
    /// Nothing is shown where standard error is not a terminal, or with `--quiet`.
    pub fn with(term: &Term, what: impl Into<String>) -> Self {
        if !term.live() {
            return Self(None);
        }
        let (over, wait) = channel();
        let what = what.into();
        let spinner = std::thread::spawn(move || {
            let goes_on = |time| wait.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
            if !goes_on(AFTER) {
                return;
            }
            let bar = ProgressBar::new_spinner().with_message(what);
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            while goes_on(TICK) {
                bar.tick();
            }
            bar.finish_and_clear();
        });
        Self(Some((over, spinner)))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some((over, spinner)) = self.0.take() {
            drop(over);
            // Its line has to be gone before the next one is written.
            spinner.join().ok();
        }
    }
}
