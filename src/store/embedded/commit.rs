//! The queue of accepted writes and the task at it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use tokio::sync::oneshot;

use super::{Accept, Result, Shared, StoreError, Waiting};
use crate::store::disk::Disk;
use crate::store::table::Job;

/// Most changes in one commit: bounds the memory and the time that it takes.
const GROUP: usize = 4096;
/// A commit waits for this many rounds of the runtime at most, while each brings more writers.
const ROUNDS: usize = 256;

/// What a writer waits for.
pub(super) enum Waits {
    /// Nothing: it is done.
    Done,
    /// The commit.
    For(oneshot::Receiver<std::result::Result<(), String>>),
}

impl Waits {
    /// Until the write is durable.
    pub async fn done(self) -> Result<()> {
        match self {
            Self::Done => Ok(()),
            Self::For(told) => match told.await {
                Ok(result) => result.map_err(StoreError::Backend),
                Err(_) => Err(stopped()),
            },
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Backend("the process stopped before the write was durable".into())
}

impl Shared {
    /// Where writes queue up.
    pub(super) fn accept(&self) -> MutexGuard<'_, Accept> {
        self.accept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file; `None` for a store in memory and once closed.
    pub(super) fn disk(&self) -> MutexGuard<'_, Option<Disk>> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job (or with none, waits for those before) and sees to it that somebody works.
    pub(super) fn enqueue(
        shared: &Arc<Self>,
        accept: &mut Accept,
        job: Option<Box<dyn Job>>,
    ) -> Waits {
        // What is not durable waits for nobody, unless others are on their way before it.
        let at_once = |job: &dyn Job| !shared.durable || (!job.is_durable() && !accept.draining);
        if job.as_deref().is_some_and(at_once) {
            job.into_iter().for_each(|job| shared.publish(job));
            shared.announce();
            return Waits::Done;
        }
        if !shared.durable {
            return Waits::Done;
        }
        let (tell, told) = oneshot::channel();
        accept.queue.push(Waiting {
            job,
            told: Some(tell),
        });
        if !accept.draining {
            accept.draining = true;
            Drain {
                shared: Arc::clone(shared),
                finished: false,
            }
            .start();
        }
        Waits::For(told)
    }

    fn publish(&self, job: Box<dyn Job>) {
        let version = job.version();
        job.publish();
        self.tables.published.store(version.0, Ordering::Release);
    }

    /// Wakes those who watch.
    fn announce(&self) {
        for entry in &self.tables.entries {
            entry.kind.announce();
        }
    }

    fn commit(&self, group: &[Waiting]) -> std::result::Result<(), String> {
        let mut records = Vec::with_capacity(group.len());
        for job in group.iter().filter_map(|waiting| waiting.job.as_ref()) {
            if let Some(record) = job.record()? {
                records.push((job.version().0, record));
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        match self.disk().as_mut() {
            Some(disk) => disk.commit(&records),
            None => Err("the store is closed".into()),
        }
    }
}

/// Writers whose writes are durable and visible: they are told so when this goes.
struct Told(Vec<oneshot::Sender<std::result::Result<(), String>>>);

impl Drop for Told {
    fn drop(&mut self) {
        for told in self.0.drain(..) {
            told.send(Ok(())).ok();
        }
    }
}

/// The task at the queue: one at a time, until the queue is empty.
struct Drain {
    shared: Arc<Shared>,
    finished: bool,
}

impl Drain {
    /// Sees to the queue: in the background of the runtime, if there is one.
    fn start(self) {
        match tokio::runtime::Handle::try_current() {
            // Detached on purpose: a writer that gives up waiting must not stop the others.
            Ok(runtime) => drop(runtime.spawn(self.work())),
            // Outside of a runtime (a test, a tool) a thread does.
            Err(_) => drop(std::thread::spawn(|| self.work_alone())),
        }
    }

    /// Commits group after group. Writers are told on the runtime's own thread: from another one,
    /// waking each of them costs a system call.
    async fn work(mut self) {
        loop {
            self.gather().await;
            let commit = || {
                let told = self.commit();
                (self, told)
            };
            // On a panic the task is dropped there, which fails the queue.
            let Ok((drain, told)) = tokio::task::spawn_blocking(commit).await else {
                return;
            };
            self = drain;
            drop(told);
            if self.shared.disk().as_ref().is_some_and(Disk::has_grown) {
                let tidy = || {
                    self.tidy();
                    self
                };
                let Ok(drain) = tokio::task::spawn_blocking(tidy).await else {
                    return;
                };
                self = drain;
            }
            if self.rests() {
                return;
            }
        }
    }

    fn work_alone(mut self) {
        loop {
            drop(self.commit());
            self.tidy();
            if self.rests() {
                return;
            }
        }
    }

    /// Lets a crowd come together: whoever was told of the last commit is about to write again,
    /// and one commit for all costs as much as one for each half. As long as a round of whatever
    /// is ready to run brings more writers, they are waited for; a lone writer waits for one round.
    async fn gather(&self) {
        let mut before = 0;
        for _ in 0..ROUNDS {
            let queued = self.shared.accept().queue.len();
            if queued == before || queued >= GROUP {
                break;
            }
            before = queued;
            tokio::task::yield_now().await;
        }
    }

    /// Commits what waits and makes it visible.
    fn commit(&self) -> Told {
        let group = {
            let mut accept = self.shared.accept();
            let size = accept.queue.len().min(GROUP);
            accept.queue.drain(..size).collect::<Vec<_>>()
        };
        if let Err(error) = self.shared.commit(&group) {
            self.fail(group, &error);
            return Told(Vec::new());
        }
        // First all of it is seen, then it is told: what goes with a write (an event that
        // expires) is gone when its writer goes on.
        let mut told = Told(Vec::with_capacity(group.len()));
        for waiting in group {
            if let Some(job) = waiting.job {
                self.shared.publish(job);
            }
            told.0.extend(waiting.told);
        }
        self.shared.announce();
        told
    }

    fn tidy(&self) {
        if let Some(disk) = self.shared.disk().as_mut() {
            disk.tidy();
        }
    }

    /// True when the queue is empty; whoever writes next starts another task.
    fn rests(&mut self) -> bool {
        let mut accept = self.shared.accept();
        self.finished = accept.queue.is_empty();
        accept.draining = !self.finished;
        self.finished
    }

    /// A commit failed: what was decided on top of it never was either.
    fn fail(&self, group: Vec<Waiting>, error: &str) {
        let mut accept = self.shared.accept();
        let rest = std::mem::take(&mut accept.queue);
        for entry in &self.shared.tables.entries {
            entry.kind.abandon();
        }
        drop(accept);
        for waiting in group.into_iter().chain(rest) {
            if let Some(told) = waiting.told {
                told.send(Err(error.to_owned())).ok();
            }
        }
    }
}

impl Drop for Drain {
    /// The runtime went away before the task ran.
    fn drop(&mut self) {
        if !self.finished {
            self.fail(
                Vec::new(),
                "the process stopped before the write was durable",
            );
            self.shared.accept().draining = false;
        }
    }
}
