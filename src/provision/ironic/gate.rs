//! Who may ask Ironic now: a few effects at a time, and none while it is down.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::client::CONCURRENT;
use crate::provision::Outage;

/// Longest wait for a connection. What was decided longer ago is better decided again.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Why a request was not let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shut {
    /// Ironic is down.
    Down(Outage),
    /// No connection was free in time.
    Crowded,
}

/// Connections for effects, and whether there is anybody to ask.
pub(super) struct Gate {
    slots: Semaphore,
    outage: watch::Sender<Option<Outage>>,
}

impl Gate {
    pub fn new() -> Self {
        Self {
            slots: Semaphore::new(CONCURRENT),
            outage: watch::Sender::new(None),
        }
    }

    /// The outage that keeps it shut.
    pub fn outage(&self) -> Option<Outage> {
        self.outage.borrow().clone()
    }

    /// Shuts it: all that wait are sent back at once. True when that is news.
    pub fn shut(&self, outage: Outage) -> bool {
        self.outage.send_if_modified(|known| {
            let news = known.as_ref() != Some(&outage);
            *known = Some(outage);
            news
        })
    }

    /// Opens it.
    pub fn open(&self) {
        self.outage.send_replace(None);
    }

    /// Waits for a connection, at most for `patience`.
    pub async fn enter(&self, patience: Duration) -> Result<SemaphorePermit<'_>, Shut> {
        let mut outages = self.outage.subscribe();
        let shut = async {
            match outages.wait_for(Option::is_some).await {
                Ok(outage) => outage.clone(),
                Err(_) => None,
            }
        };
        tokio::select! {
            biased;
            Some(outage) = shut => Err(Shut::Down(outage)),
            Ok(slot) = self.slots.acquire() => Ok(slot),
            () = tokio::time::sleep(patience) => Err(Shut::Crowded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_sent_back_when_ironic_goes_down() {
        let gate = Gate::new();
        let mut held = Vec::new();
        for _ in 0..CONCURRENT {
            held.push(gate.enter(PATIENCE).await.unwrap());
        }
        let start = tokio::time::Instant::now();
        let shut = async {
            tokio::time::sleep(Duration::from_secs(7)).await;
            assert!(gate.shut(Outage::new("gone")));
        };
        let (entered, ()) = tokio::join!(gate.enter(PATIENCE), shut);
        assert_eq!(entered.unwrap_err(), Shut::Down(Outage::new("gone")));
        assert_eq!(start.elapsed(), Duration::from_secs(7));
        // A free connection does not help, and the same outage is no news.
        held.clear();
        assert!(gate.enter(PATIENCE).await.is_err());
        assert!(!gate.shut(Outage::new("gone")));
        gate.open();
        assert!(gate.enter(PATIENCE).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_his_patience() {
        let gate = Gate::new();
        let _all = gate.slots.acquire_many(CONCURRENT as u32).await.unwrap();
        let start = tokio::time::Instant::now();
        assert_eq!(gate.enter(PATIENCE).await.unwrap_err(), Shut::Crowded);
        assert_eq!(start.elapsed(), PATIENCE);
    }
}
