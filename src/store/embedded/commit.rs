//! The queue of accepted writes and the task at it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Accept, Result, Shared, StoreError, Waiting};
use crate::store::disk::Disk;
use crate::store::table::Job;

/// Most changes in one commit: bounds the memory and the time that it takes.
const GROUP: usize = 4096;
/// While writers come in at this pace, a commit waits for more of them…
const GATHER: Duration = Duration::from_micros(50);
/// …but no longer than this.
const GATHER_AT_MOST: Duration = Duration::from_millis(1);

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
        if !shared.durable {
            if let Some(job) = job {
                shared.publish(job);
            }
            return Waits::Done;
        }
        let (tell, told) = oneshot::channel();
        accept.queue.push(Waiting {
            job,
            told: Some(tell),
        });
        if !accept.draining {
            accept.draining = true;
            let drain = Drain {
                shared: Arc::clone(shared),
                finished: false,
            };
            match tokio::runtime::Handle::try_current() {
                // Detached on purpose: a writer that gives up waiting must not stop the others.
                Ok(runtime) => drop(runtime.spawn_blocking(|| drain.run())),
                // Outside of a runtime (a test, a tool) a thread does.
                Err(_) => drop(std::thread::spawn(|| drain.run())),
            }
        }
        Waits::For(told)
    }

    fn publish(&self, job: Box<dyn Job>) {
        let version = job.version();
        job.publish();
        self.tables.published.store(version.0, Ordering::Release);
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

/// The task at the queue: one at a time, until the queue is empty.
struct Drain {
    shared: Arc<Shared>,
    finished: bool,
}

impl Drain {
    fn run(mut self) {
        loop {
            self.gather();
            let group = {
                let mut accept = self.shared.accept();
                if accept.queue.is_empty() {
                    accept.draining = false;
                    self.finished = true;
                    return;
                }
                let size = accept.queue.len().min(GROUP);
                accept.crowd = size > 1;
                accept.queue.drain(..size).collect::<Vec<_>>()
            };
            match self.shared.commit(&group) {
                Ok(()) => {
                    // First all of it is seen, then it is told: what goes with a write (an event
                    // that expires) is gone when its writer goes on.
                    let mut tell = Vec::with_capacity(group.len());
                    for waiting in group {
                        if let Some(job) = waiting.job {
                            self.shared.publish(job);
                        }
                        tell.extend(waiting.told);
                    }
                    for told in tell {
                        told.send(Ok(())).ok();
                    }
                }
                Err(error) => self.fail(group, &error),
            }
            if let Some(disk) = self.shared.disk().as_mut() {
                disk.tidy();
            }
        }
    }

    /// Lets a crowd come together: whoever was told of the last commit is about to write again,
    /// and one commit for all costs as much as one for each half. A lone writer does not wait.
    fn gather(&self) {
        let queued = || {
            let accept = self.shared.accept();
            let wait = accept.crowd || accept.queue.len() > 1;
            (accept.queue.len(), wait && accept.queue.len() < GROUP)
        };
        let (mut before, mut wait) = queued();
        let mut left = GATHER_AT_MOST;
        while wait && before > 0 && left > Duration::ZERO {
            // This is a blocking task: it is real time that passes here, on any clock.
            std::thread::sleep(GATHER);
            left = left.saturating_sub(GATHER);
            let now = queued();
            wait = now.1 && now.0 > before;
            before = now.0;
        }
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
