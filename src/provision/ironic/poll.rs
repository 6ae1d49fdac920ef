//! Looking at all machines, newest change first, and now and then at every one.
//!
//! A look asks for the nodes in the order of their last change and stops where nothing is new. What
//! should be among them and is not is asked for one by one, as it need not be gone. A look cannot
//! see what was deleted, what was never changed (`updated_at` is null) and what happened while
//! Ironic's clock was set back; a sweep over all nodes and ports every ten minutes does,
//! a page at a time, each right after a look.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::Core;
use super::client::Purpose;
use super::error::IronicError;
use super::pace;
use super::wire::{self, NODE_FIELDS, Node, NodePage, PORT_FIELDS, PortPage};
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
/// So many missing nodes are asked for one by one; when there are more, a sweep is quicker.
const ASKED: usize = 8;
/// So often a sweep begins anew because the node or port that a page begins after is gone.
const RESTARTS: u32 = 5;

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
    /// How often it began anew.
    restarts: u32,
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
            restarts: 0,
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
                self.page().await.map(|_| None)
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
                        self.page_due = self.page_due.max(self.looked + pace::until_retry(1));
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
        while !self.page().await? {}
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
            }
            let ran_out = !whole && fresh > 0 && fresh == page.nodes.len();
            if !ran_out || rows >= pace::MOST_ROWS {
                let missing = self.core.mirror().missing(&page.nodes, whole, began);
                if whole {
                    self.drop_nodes(&missing);
                } else if self.find_out(&missing).await? || ran_out {
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

    fn drop_nodes(&mut self, gone: &[Uuid]) {
        let mut mirror = self.core.mirror();
        for id in gone {
            self.pending.extend(mirror.remove(&id.to_string()));
        }
    }

    /// Asks for nodes that were missed. True when all have to be looked at: there are many, or one
    /// was deleted, and whoever deletes among the newest may have deleted among the others too.
    async fn find_out(&mut self, missing: &[Uuid]) -> Result<bool, IronicError> {
        if missing.len() > ASKED {
            return Ok(true);
        }
        let mut deleted = false;
        for id in missing {
            let began = Instant::now();
            let path = format!("/v1/nodes/{id}");
            match self.core.client.get::<Node>(path, Purpose::Look).await {
                Ok(node) => self.pending.extend(self.core.mirror().put(&node, began)),
                Err(error) if error.is_gone() => {
                    deleted = true;
                    self.drop_nodes(&[*id]);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(deleted)
    }

    fn sweep_now(&mut self) {
        if !self.urgent {
            self.urgent = true;
            self.sweep = Sweep::Idle;
            self.page_due = Instant::now();
        }
    }

    /// Reads one page of a sweep, or begins one. True when that was the last one.
    async fn page(&mut self) -> Result<bool, IronicError> {
        let began = Instant::now();
        let sweep = std::mem::replace(&mut self.sweep, Sweep::Idle);
        self.sweep = match sweep {
            Sweep::Idle => {
                self.restarts = 0;
                Sweep::Nodes {
                    began,
                    path: self.first_of_nodes(),
                }
            }
            going => going,
        };
        let done = match self.read_page(began).await {
            Err(error) if error.status() == Some(404) && self.begin_anew() => false,
            result => result?,
        };
        if done {
            self.sweep = Sweep::Idle;
            self.urgent = false;
        } else if self.urgent {
            self.page_due = self.looked;
        } else {
            self.page_due = Instant::now() + pace::until_next_page(began.elapsed());
        }
        Ok(done)
    }

    fn first_of_nodes(&self) -> String {
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
        format!("/v1/nodes?fields={NODE_FIELDS}{health}&limit={rows}")
    }

    /// Goes back to the first page. False when that was done often enough, or this is it. What was
    /// seen since the sweep began stays seen.
    fn begin_anew(&mut self) -> bool {
        let first = self.first_of_nodes();
        let (path, first) = match &mut self.sweep {
            Sweep::Idle => return false,
            Sweep::Nodes { path, .. } => (path, first),
            Sweep::Ports { path, .. } => (path, first_of_ports()),
        };
        if *path == first || self.restarts == RESTARTS {
            return false;
        }
        *path = first;
        self.restarts += 1;
        true
    }

    async fn read_page(&mut self, began: Instant) -> Result<bool, IronicError> {
        let client = &self.core.client;
        match &mut self.sweep {
            Sweep::Idle => {}
            Sweep::Nodes { began: start, path } => {
                let page: NodePage = client.get(path.clone(), Purpose::Page).await?;
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
                        path: first_of_ports(),
                    };
                }
            }
            Sweep::Ports { began: start, path } => {
                let page: PortPage = client.get(path.clone(), Purpose::Page).await?;
                let mut mirror = self.core.mirror();
                for port in &page.ports {
                    self.pending.extend(mirror.put_port(port, began));
                }
                if let Some(next) = page.next.as_deref().and_then(wire::next_path) {
                    *path = next;
                } else {
                    self.pending.extend(mirror.end_of_ports(*start));
                    self.page_due = (*start + SWEEP).max(Instant::now() + SWEEP / 10);
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

fn first_of_ports() -> String {
    format!("/v1/ports?fields={PORT_FIELDS}&limit={FULL_PAGE}")
}
