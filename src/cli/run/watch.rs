//! The loop of a run: files, signals and hosts, until it is time to end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tracing::{debug, warn};

use crate::engine::{FirstPlan, Standing};
use crate::eval::Cache;
use crate::plan;
use crate::store::Store as _;
use crate::vfs::watch::{self, Watch};

use super::super::ending::{self, Ending, Picture, Verdict};
use super::super::home::Home;
use super::super::screen::Screen;
use super::super::spec::Spec;
use super::super::{Exit, Failure};
use super::Run;
use super::signals::Signals;

/// How often it is looked at where a link leads that is the spec's folder.
const LOOK: Duration = Duration::from_secs(5);
/// The least time between two pictures.
const FRAME: Duration = Duration::from_millis(100);

impl Run<'_> {
    /// Watches files, signals and hosts until it is time to end.
    pub(super) async fn watch(
        &mut self,
        spec: Spec,
        mut cache: Cache,
        title: String,
    ) -> Result<Exit, Failure> {
        let started = Instant::now();
        let mut screen = Screen::new(self.term, title);
        let mut reloads = Watch::new(watch::Options::default());
        reloads.replace(self.watched(&spec), &spec.files);
        // What was evaluated is large; all that is needed of it is in what is desired.
        drop(spec);
        if let Some(trouble) = reloads.trouble() {
            warn!(
                code = "WatchPolls",
                "files are looked at every few seconds: {trouble}"
            );
        }
        let mut activity = self.engine.activity();
        let mut signals = Signals::new()?;
        let mut frame = tokio::time::interval(FRAME);
        frame.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut looks = tokio::time::interval(LOOK);
        let linked = Home::of(&self.args.spec.spec).is_linked();
        let mut ending = Ending::default();
        // A picture of ten thousand hosts takes 20 ms. Ages grow by the second where somebody sees
        // them, and an end is judged by time.
        let idle = if self.term.live() || self.args.until_settled || self.args.timeout.is_some() {
            Duration::from_secs(1)
        } else {
            Duration::from_secs(30)
        };
        let mut ages = tokio::time::interval(idle);
        let mut dirty = true;
        let mut rested = false;
        loop {
            tokio::select! {
                () = signals.any() => {
                    self.term.say("stopping; the same command goes on where this one was");
                    return Ok(if self.args.until_settled { Exit::Interrupted } else { Exit::Success });
                }
                reload = reloads.changed() => {
                    debug!(paths = reload.paths.len(), "files changed");
                    self.secrets.forget();
                    self.engine.wake_all();
                    if !self.agreed {
                        self.reload(&mut cache, &mut reloads);
                    }
                }
                _ = looks.tick(), if linked => {
                    let was_held_off = self.held_off > 0;
                    if self.goes_with_the_link() && was_held_off {
                        if self.agreed {
                            self.reading.send_modify(|reading| reading.kept = None);
                        } else {
                            self.reload(&mut cache, &mut reloads);
                        }
                    }
                }
                _ = activity.changed() => dirty = true,
                _ = self.standing.changed() => dirty = true,
                _ = frame.tick(), if dirty => {
                    dirty = false;
                    let standing = self.standing.borrow_and_update().clone();
                    while let Ok(plan) = self.plans.try_recv() {
                        self.show_plan(&plan);
                    }
                    self.give_free_seats();
                    self.share(&standing);
                    let overview = self.engine.overview();
                    let kept = self.reading.borrow().kept.clone();
                    screen.show(&overview, &standing, kept.as_deref(), self.engine.clock().now());
                    let current = self.is_current(&standing);
                    let picture = Picture::of(&overview, &standing, current);
                    let hosts = picture.hosts;
                    let rests = !picture.moving && picture.waits.is_empty() && kept.is_none();
                    if rests && !rested && !self.args.until_settled && !self.term.live() {
                        self.term.say(&format!("{}; watching the files", settled(hosts)));
                    }
                    rested = rests;
                    if self.args.until_settled {
                        match ending.judge(picture, Instant::now()) {
                            Verdict::Wait => {}
                            Verdict::LookAgain => dirty = true,
                            Verdict::Settled => {
                                self.term.say(&settled(hosts));
                                return Ok(Exit::Success);
                            }
                            Verdict::Stuck(waits) => {
                                ending::say(self.term, &waits);
                                return Ok(Exit::No);
                            }
                        }
                    }
                }
                _ = ages.tick() => dirty = true,
            }
            let limit = self.args.timeout.map(Duration::from_secs);
            if limit.is_some_and(|limit| started.elapsed() > limit) {
                let left = ending::left(&self.engine.overview(), &self.standing.borrow());
                ending::out_of_time(self.term, started.elapsed(), &left);
                return Ok(Exit::No);
            }
        }
    }

    /// True when the standing is that of the text that is followed.
    fn is_current(&self, standing: &Standing) -> bool {
        let desired = self.desired.borrow();
        let digest = desired.as_ref().map(|desired| desired.digest);
        standing.round > 0 && digest == Some(standing.digest)
    }

    /// Gives the seats of those who left their pools to others.
    fn give_free_seats(&self) {
        let store = self.engine.store();
        let previous = self.desired.borrow().clone();
        if let Some(previous) = previous
            && previous.has_free_seat(|key| store.get(key))
            && let Some(next) = previous.again(&store.list())
        {
            self.desired.send_replace(Some(Arc::new(next)));
        }
    }

    /// Once all of a text is applied, what is wanted and what is there are the same: kept once, which
    /// is 2 kB a host.
    fn share(&mut self, standing: &Standing) {
        if !standing.applied() || self.shared == Some(standing.digest) {
            return;
        }
        let wanted = self.desired.borrow().clone();
        if let Some(wanted) = wanted.filter(|wanted| wanted.digest == standing.digest) {
            self.shared = Some(standing.digest);
            let observed = self.engine.store().list();
            self.desired
                .send_replace(Some(Arc::new(wanted.shared(&observed))));
        }
    }

    fn show_plan(&self, first: &FirstPlan) {
        // It was shown before it was agreed to.
        let seen = self.agreed && first.round == 1;
        if seen || self.term.quiet() || (first.plan.is_empty() && first.plan.kept.is_empty()) {
            return;
        }
        let rulings = first.rulings();
        if self.term.json() {
            let plan = plan::to_json(&first.plan, &rulings);
            self.term.event("INFO", "plan", json!({"plan": plan}));
            return;
        }
        let width = if self.term.live() {
            self.term.width()
        } else {
            plan::WIDTH
        };
        let text = plan::render(&first.plan, &rulings, self.term.palette_err(), width);
        self.term.err(&text);
        let hold = first.holds.iter().flatten();
        let guarded = hold.filter(|hold| hold.code == plan::HoldCode::NeedsAllowDestroy);
        let spec = self.args.spec.spec.display().to_string();
        if guarded.count() > 0 && spec != "." {
            self.term.help(&format!(
                "in another terminal, in the folder where this command was started: \
                 metalform apply {spec} --allow-destroy NAME"
            ));
        }
    }
}

fn settled(hosts: usize) -> String {
    let are = if hosts == 1 { "host is" } else { "hosts are" };
    format!("settled: {hosts} {are} as the spec says")
}
