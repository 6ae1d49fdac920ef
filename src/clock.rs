//! The clock of the engine and of simulated machines: wall time that follows tokio's clock, so that
//! a paused (virtual) one moves timestamps and timers together.

use jiff::SignedDuration;
use tokio::time::Instant;

use crate::api::Timestamp;

/// Turns tokio's monotonic time into timestamps.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Timestamp,
    origin: Instant,
}

impl Clock {
    /// A clock that reads `start` now. The shell passes the wall time, a simulation a fixed one.
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            start,
            origin: Instant::now(),
        }
    }

    /// The time now. Follows the monotonic clock: steps of the wall clock do not show.
    pub fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.origin.elapsed()).unwrap_or_default();
        self.start.checked_add(passed).unwrap_or(self.start)
    }
}
