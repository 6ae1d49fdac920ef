//! What lets a process write and act: the lease that it holds, while it holds it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Open until a moment that whoever holds the lease moves on. Looked at before each write and each
/// effect, so that a process that was frozen for longer than its lease does nothing once it goes
/// on. Cheap to clone; all clones open and close together.
#[derive(Debug, Clone)]
pub struct Fence {
    /// `None`: nobody else may act, so it is always open.
    until: Option<(Instant, Arc<AtomicU64>)>,
}

impl Default for Fence {
    fn default() -> Self {
        Self::none()
    }
}

impl Fence {
    /// No fence: there is one process only.
    pub fn none() -> Self {
        Self { until: None }
    }

    /// A fence that is closed.
    pub fn closed() -> Self {
        Self {
            until: Some((Instant::now(), Arc::default())),
        }
    }

    /// Open until then.
    pub fn open_until(&self, end: Instant) {
        if let Some((origin, until)) = &self.until {
            let open = end.saturating_duration_since(*origin);
            until.store(open.as_millis() as u64, Ordering::Release);
        }
    }

    /// Closed from now on.
    pub fn close(&self) {
        if let Some((_, until)) = &self.until {
            until.store(0, Ordering::Release);
        }
    }

    /// True while this process may write and act.
    pub fn is_open(&self) -> bool {
        self.until.as_ref().is_none_or(|(origin, until)| {
            origin.elapsed() < Duration::from_millis(until.load(Ordering::Acquire))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_closes_by_itself() {
        let fence = Fence::closed();
        let other = fence.clone();
        assert!(!fence.is_open());
        fence.open_until(Instant::now() + Duration::from_secs(10));
        assert!(other.is_open());
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(other.is_open());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!other.is_open());
        fence.open_until(Instant::now() + Duration::from_secs(10));
        other.close();
        assert!(!fence.is_open());
        assert!(Fence::none().is_open());
    }
}
