//! Reading the spec again: what is valid is followed, what is not is said and changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{debug, warn};

use crate::diag::render;
use crate::eval::Cache;
use crate::vfs::watch::Watch;

use super::super::home::Home;
use super::super::machines::Redrive;
use super::super::spec::{self, Spec};
use super::{Run, lower};

impl Run<'_> {
    /// What to watch for changes: what was read of the spec, and its secrets.
    pub(super) fn watched(&self, spec: &Spec) -> Vec<PathBuf> {
        let mut all = if self.agreed {
            Vec::new()
        } else {
            spec.evaluation.watched.clone()
        };
        let folder = self
            .args
            .machines
            .secrets(&spec.fleet, &self.args.spec.spec);
        all.extend(folder.watched());
        all
    }

    /// Evaluates again and watches what was read; a spec that is not valid changes nothing, and one
    /// that was written meanwhile (by git, or by who took a file away) is read again.
    pub(super) fn reload(&mut self, cache: &mut Cache, watch: &mut Watch) {
        let before = watch.checkouts();
        let loaded = tokio::task::block_in_place(|| spec::load(&self.args.spec, cache));
        let whole = match &loaded {
            Ok(spec) => watch.replace(self.watched(spec), &spec.files),
            Err(_) => true,
        };
        if !whole || before.is_none() || before != watch.checkouts() {
            debug!(whole, "files were written while the spec was read");
            watch.again();
            return;
        }
        match loaded {
            Ok(spec) => self.follow(&spec),
            Err(failure) => self.keep(&failure.to_string()),
        }
    }

    /// Has the engine go by this text, if it is valid.
    fn follow(&mut self, spec: &Spec) {
        spec::show(self.term, spec);
        if !spec.is_valid() {
            let summary = render::summary(spec.diagnostics());
            self.keep(&summary);
            return;
        }
        if !self.is_in_place() || !self.goes_with_the_link() {
            return;
        }
        let drive = self.args.machines.drive(&spec.fleet, &self.args.spec.spec);
        match self.drive.changed(&drive) {
            // What follows may rest on it, and the machines are still those of the start.
            Some(Redrive::Nodes(nodes)) => {
                self.keep(&format!(
                    "{nodes} changed, which the process that runs reads at its start only: stop it \
                     (Ctrl-C) and start it again to follow the spec"
                ));
                return;
            }
            Some(Redrive::Secrets) if !self.told => {
                self.told = true;
                warn!(
                    code = "IronicSecretsChanged",
                    "secrets of an `ironic` changed: they are read at the next start of this command"
                );
            }
            Some(Redrive::Secrets) => {}
            None => self.told = false,
        }
        let previous = self.desired.borrow().clone();
        let next = lower(spec, self.engine.store(), previous.as_deref());
        for (pool, wanted, found) in &next.short {
            warn!(
                code = "MF4203",
                "pool `{pool}` wants {wanted} hosts, {found} match"
            );
        }
        self.desired.send_replace(Some(Arc::new(next)));
        let kept = self.reading.borrow().kept.is_some();
        if kept {
            self.reading.send_modify(|reading| reading.kept = None);
            self.term.say("the spec is valid again and is followed");
        }
    }

    /// Keeps others out of the folder that the spec's link leads to now. False where somebody drives
    /// from there: they came by that folder before the link led to it. Said at the second look, for
    /// a verb that reads holds a store for a moment.
    pub(super) fn goes_with_the_link(&mut self) -> bool {
        match self.others.follow(&Home::of(&self.args.spec.spec)) {
            Ok(()) => self.held_off = 0,
            Err(failure) => {
                self.held_off += 1;
                if self.held_off == 2 {
                    self.keep(&failure.to_string());
                    self.term
                        .help("both drive these machines now: stop one of the two");
                }
            }
        }
        self.held_off == 0
    }

    /// False, and said, when the path of the spec leads to another folder than at the start: whoever
    /// starts another command looks for the store there.
    fn is_in_place(&self) -> bool {
        let place = Home::of(&self.args.spec.spec).place();
        if place == self.place {
            return true;
        }
        let path = |place: &Option<PathBuf>| {
            let shown = place.as_deref().unwrap_or(Path::new("nowhere"));
            shown.display().to_string()
        };
        self.keep(&format!(
            "the spec's path led to {} and leads to {} now, where the store is not",
            path(&self.place),
            path(&place)
        ));
        self.term.help(
            "stop it (Ctrl-C), move `.metalform` from the one to the other, and start it again; or let the \
             spec be the link itself: then the store stays beside it",
        );
        false
    }

    /// Says why what was read is not followed.
    fn keep(&self, why: &str) {
        self.term
            .error(&format!("{why}; the last good fleet is kept"));
        self.reading
            .send_modify(|reading| reading.kept = Some(why.to_owned()));
    }
}
