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

    fn commit(&self, records: &[(u64, Vec<u8>)]) -> std::result::Result<(), String> {
        if records.is_empty() {
            return Ok(());
        }
        match self.disk().as_mut() {
            Some(disk) => disk.commit(records),
            None => Err("the store is closed".into()),
        }
    }
}

/// Writes that go into one commit.
#[derive(Default)]
struct Group {
    waiting: Vec<Waiting>,
    records: Vec<(u64, Vec<u8>)>,
}

impl Group {
    /// Takes more of them and makes their records.
    fn take(&mut self, more: Vec<Waiting>) -> std::result::Result<(), String> {
        let mut result = Ok(());
        for job in more.iter().filter_map(|waiting| waiting.job.as_ref()) {
            match job.record() {
                Ok(Some(record)) => self.records.push((job.version().0, record)),
                Ok(None) => {}
                Err(error) => result = Err(error),
            }
        }
        self.waiting.extend(more);
        result
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
            let mut group = Group::default();
            let gathered = self.gather(&mut group);
            if group.waiting.is_empty() {
                let mut accept = self.shared.accept();
                if accept.queue.is_empty() {
                    accept.draining = false;
                    self.finished = true;
                    return;
                }
                continue;
            }
            let result = gathered.and_then(|()| self.shared.commit(&group.records));
            let group = group.waiting;
            match result {
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

    /// Takes what waits, and lets a crowd come together: whoever was told of the last commit is
    /// about to write again, and one commit for all costs as much as one for each half. A lone
    /// writer does not wait. Records are made meanwhile.
    fn gather(&self, group: &mut Group) -> std::result::Result<(), String> {
        let mut left = GATHER_AT_MOST;
        loop {
            let (more, crowd) = {
                let mut accept = self.shared.accept();
                let room = GROUP - group.waiting.len();
                let size = accept.queue.len().min(room);
                let crowd = accept.crowd || group.waiting.len() + size > 1;
                (accept.queue.drain(..size).collect::<Vec<_>>(), crowd)
            };
            let done = more.is_empty();
            group.take(more)?;
            if done || !crowd || group.waiting.len() >= GROUP || left.is_zero() {
                break;
            }
            // This is a blocking task: it is real time that passes here, on any clock.
            std::thread::sleep(GATHER);
            left = left.saturating_sub(GATHER);
        }
        if !group.waiting.is_empty() {
            self.shared.accept().crowd = group.waiting.len() > 1;
        }
        Ok(())
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
