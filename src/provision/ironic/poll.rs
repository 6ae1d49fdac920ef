//! Looking at all machines, newest change first, and now and then at every one.
//!
//! A look asks for the nodes in the order of their last change and stops where nothing is new. It
//! cannot see what was deleted, what was never changed (`updated_at` is null) and what happened
//! while Ironic's clock was set back; a sweep over all nodes and ports every ten minutes does,
//! a page at a time, each right after a look.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Core;
use super::client::Purpose;
use super::error::IronicError;
use super::pace;
use super::wire::{self, NODE_FIELDS, NodePage, PORT_FIELDS, PortPage};
use crate::api::Timestamp;
use crate::provision::Tick;
use crate::store::Key;

/// Rows this much older than the newest one that was seen are looked at again: conductors' clocks
/// differ a little, and times may be rounded to seconds.
const OVERLAP: Duration = Duration::from_secs(5);
/// From the start of a sweep to the start of the next.
const SWEEP: Duration = Duration::from_mins(10);
/// Nodes of a page of a sweep between looks: a third of a second of Ironic's time, for which looks
/// wait.
const NODE_PAGE: usize = 500;
/// Ports of a page, and nodes of one when nothing else is read: as many as Ironic gives.
const FULL_PAGE: usize = 1000;

/// Where a sweep is.
#[derive(Debug)]
enum Sweep {
    Idle,
    Nodes { began: Instant, path: String },
    Ports { began: Instant, path: String },
}

/// One reader of an Ironic. Holds what the next look depends on; the picture itself is in [`Core`].
pub(super) struct Poller {
    core: Arc<Core>,
    rows: usize,
    /// Last change of the newest node that was seen.
    watermark: Option<Timestamp>,
    /// Start of the last look.
    looking: Instant,
    /// End of the last look.
    looked: Instant,
    /// How long the last few took.
    took: VecDeque<Duration>,
    sweep: Sweep,
    /// When the next page of a sweep, or the next sweep, is due.
    page_due: Instant,
    /// No pauses between the pages of this sweep.
    urgent: bool,
    failures: u32,
    /// What changed outside of looks and was not told yet.
    pending: Vec<Key>,
}

impl Poller {
    pub(super) fn new(core: Arc<Core>) -> Self {
        let now = Instant::now();
        Self {
            core,
            rows: pace::FIRST_ROWS,
            watermark: None,
            looking: now,
            looked: now,
            took: VecDeque::new(),
            sweep: Sweep::Idle,
            page_due: now,
            urgent: false,
            failures: 0,
            pending: Vec::new(),
        }
    }

    /// The next tick; waits until it is time for one.
    pub(super) async fn tick(&mut self) -> Tick {
        loop {
            if !self.core.is_synced() {
                if self.failures > 0 {
                    tokio::time::sleep(pace::until_retry(self.failures)).await;
                }
                let began = Instant::now();
                match self.sync().await {
                    Ok(()) => {
                        self.failures = 0;
                        self.core.up();
                        self.core.news();
                        return Tick {
                            changed: Vec::new(),
                            as_of: Some(began),
                            all: true,
                        };
                    }
                    Err(error) => {
                        self.failures = self.failures.saturating_add(1);
                        if self.core.down(&error) {
                            return Tick {
                                changed: Vec::new(),
                                as_of: None,
                                all: true,
                            };
                        }
                        continue;
                    }
                }
            }
            self.wait().await;
            let result = if self.look_due() <= Instant::now() {
                self.look().await.map(Some)
            } else {
                self.page().await.map(|()| None)
            };
            match result {
                Ok(as_of) => {
                    self.failures = 0;
                    if as_of.is_none() && self.pending.is_empty() {
                        continue;
                    }
                    let mut changed = std::mem::take(&mut self.pending);
                    changed.extend(self.core.news());
                    changed.sort();
                    changed.dedup();
                    return Tick {
                        changed,
                        as_of,
                        all: false,
                    };
                }
                Err(error) => {
                    self.failures += 1;
                    // One look may fail: a connection that was closed, a restart behind a proxy.
                    if self.failures > 1 {
                        self.core.lose();
                        if self.core.down(&error) {
                            return Tick {
                                changed: Vec::new(),
                                as_of: None,
                                all: true,
                            };
                        }
                    } else {
                        tracing::debug!(%error, "ironic: a look failed");
                        self.looking = Instant::now();
                        self.looked = self.looking;
                    }
                }
            }
        }
    }

    fn look_due(&self) -> Instant {
        let hurried = self.core.is_hurried() || self.failures > 0;
        // The quickest of the last few is what a look costs Ironic; the others waited for
        // something else.
        let cost = self.took.iter().min().copied().unwrap_or_default();
        let period = pace::period(cost, hurried);
        // One that took longer than usual waited in a line: do not make the line longer.
        (self.looking + period).max(self.looked + period / 2)
    }

    async fn wait(&self) {
        loop {
            // A page comes right after a look or not before the next one is over.
            if self.page_due <= self.looked {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(self.look_due()) => return,
                () = self.core.hurry.notified() => {}
            }
        }
    }

    /// Sees everything, without pauses.
    async fn sync(&mut self) -> Result<(), IronicError> {
        self.core.client.greet().await?;
        self.watermark = None;
        self.rows = pace::FIRST_ROWS;
        // First, so that what changes during the sweep is found by the looks after it.
        self.look().await?;
        self.sweep = Sweep::Idle;
        loop {
            self.page().await?;
            if matches!(self.sweep, Sweep::Idle) {
                break;
            }
        }
        self.pending.clear();
        Ok(())
    }

    /// Looks at what changed. Answers with the instant from which on it knows.
    async fn look(&mut self) -> Result<Instant, IronicError> {
        if self.core.take_sweep_wanted() {
            self.sweep_now();
        }
        loop {
            let began = Instant::now();
            let rows = self.rows;
            let path = format!("/v1/nodes/detail?sort_key=updated_at&sort_dir=desc&limit={rows}");
            let page: NodePage = self.core.client.get(path, Purpose::Look).await?;
            (self.looking, self.looked) = (began, Instant::now());
            self.took.push_front(self.looked - began);
            self.took.truncate(pace::RECENT);
            let floor = self
                .watermark
                .and_then(|mark| mark.checked_sub(OVERLAP).ok());
            let is_new = |time: Option<Timestamp>| floor.is_some_and(|floor| time >= Some(floor));
            let fresh = page
                .nodes
                .iter()
                .take_while(|node| is_new(node.updated_at))
                .count();
            let whole = page.next.is_none();
            {
                let mut mirror = self.core.mirror();
                for node in &page.nodes {
                    self.pending.extend(mirror.put(node, began));
                }
                let vanished = mirror.vanished(&page.nodes, whole, began);
                self.pending.extend(vanished.hosts);
                if vanished.nodes > 0 && !whole {
                    // Whoever deletes among the newest may have deleted among the others too.
                    self.core.want_sweep();
                }
            }
            let ran_out = !whole && fresh > 0 && fresh == page.nodes.len();
            if !ran_out || rows >= pace::MOST_ROWS {
                if ran_out {
                    self.core.want_sweep();
                }
                self.watermark = page.nodes.first().and_then(|node| node.updated_at);
                self.rows = pace::rows_for(fresh);
                return Ok(began);
            }
            // From the top again: rows move while we read, so a marker could miss some.
            self.rows = (rows * 2).min(pace::MOST_ROWS);
        }
    }

    fn sweep_now(&mut self) {
        if !self.urgent {
            self.urgent = true;
            self.sweep = Sweep::Idle;
            self.page_due = Instant::now();
        }
    }

    /// Reads one page of a sweep, or begins one.
    async fn page(&mut self) -> Result<(), IronicError> {
        let began = Instant::now();
        let health = if self.core.client.has_health() {
            ",health"
        } else {
            ""
        };
        let rows = if self.core.is_synced() {
            NODE_PAGE
        } else {
            FULL_PAGE
        };
        let sweep = std::mem::replace(&mut self.sweep, Sweep::Idle);
        self.sweep = match sweep {
            Sweep::Idle => Sweep::Nodes {
                began,
                path: format!("/v1/nodes?fields={NODE_FIELDS}{health}&limit={rows}"),
            },
            going => going,
        };
        let (client, mut done) = (&self.core.client, false);
        match &mut self.sweep {
            Sweep::Idle => {}
            Sweep::Nodes { began: start, path } => {
                let page: NodePage = client.get(path.clone(), Purpose::Look).await?;
                let mut mirror = self.core.mirror();
                for node in &page.nodes {
                    self.pending.extend(mirror.put(node, began));
                }
                if let Some(next) = page.next.as_deref().and_then(wire::next_path) {
                    *path = next;
                } else {
                    self.pending.extend(mirror.end_of_nodes(*start));
                    self.sweep = Sweep::Ports {
                        began: *start,
                        path: format!("/v1/ports?fields={PORT_FIELDS}&limit={FULL_PAGE}"),
                    };
                }
            }
            Sweep::Ports { began: start, path } => {
                let page: PortPage = client.get(path.clone(), Purpose::Look).await?;
                let mut mirror = self.core.mirror();
                for port in &page.ports {
                    self.pending.extend(mirror.put_port(port, began));
                }
                if let Some(next) = page.next.as_deref().and_then(wire::next_path) {
                    *path = next;
                } else {
                    self.pending.extend(mirror.end_of_ports(*start));
                    let next = (*start + SWEEP).max(Instant::now() + SWEEP / 10);
                    self.page_due = next;
                    done = true;
                }
            }
        }
        if done {
            self.sweep = Sweep::Idle;
            self.urgent = false;
        } else if self.urgent {
            self.page_due = self.looked;
        } else {
            self.page_due = Instant::now() + pace::until_next_page(began.elapsed());
        }
        Ok(())
    }
}
