//! One request at a time about each Secret. Thousands of hosts that share one would otherwise read
//! it all at once, and each claim but the first would be refused for the version of before.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::store::{Key, Version};

/// Who is at which Secret.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<Key, Arc<Flight>>>);

#[derive(Debug, Default)]
struct Flight {
    place: Arc<tokio::sync::Mutex<()>>,
    /// The newest version that the watch told of since the last request went out.
    told: AtomicU64,
}

/// The turn of one at a Secret, until it is dropped.
pub(super) struct Turn<'a> {
    seat: Seat<'a>,
    _place: OwnedMutexGuard<()>,
}

/// One who waits or has the turn; the last one takes the flight along.
struct Seat<'a> {
    flights: &'a Flights,
    key: Key,
    flight: Arc<Flight>,
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready once nobody else is at this Secret.
    pub async fn turn(&self, key: &Key) -> Turn<'_> {
        let flight = Arc::clone(self.lock().entry(key.clone()).or_default());
        let seat = Seat {
            flights: self,
            key: key.clone(),
            flight,
        };
        let place = Arc::clone(&seat.flight.place).lock_owned().await;
        Turn {
            seat,
            _place: place,
        }
    }

    /// The watch tells of this version. True when somebody is at the Secret: an answer that is older
    /// may come after this.
    pub fn tells(&self, key: &Key, version: Version) -> bool {
        match self.lock().get(key) {
            Some(flight) => {
                flight.told.fetch_max(version.0, Ordering::Relaxed);
                true
            }
            None => false,
        }
    }
}

impl Turn<'_> {
    pub fn key(&self) -> &Key {
        &self.seat.key
    }

    /// A request goes out: its answer is as new as all that was told before.
    pub fn asks(&self) {
        self.seat.flight.told.store(0, Ordering::Relaxed);
    }

    /// True when the watch told of a newer version than this one since the request went out.
    pub fn is_older(&self, version: Version) -> bool {
        version.0 < self.seat.flight.told.load(Ordering::Relaxed)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        // The list's and this one's.
        if Arc::strong_count(&self.flight) == 2 {
            flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_after_the_other_and_nothing_stays() {
        let flights = Flights::default();
        let (one, other) = (Key::new("n", "one"), Key::new("n", "other"));
        assert!(!flights.tells(&one, Version(9)), "nobody is at it");
        let turn = flights.turn(&one).await;
        assert!(!turn.is_older(Version(1)));
        assert!(flights.tells(&one, Version(7)));
        assert!(turn.is_older(Version(6)) && !turn.is_older(Version(7)));
        turn.asks();
        assert!(!turn.is_older(Version(6)), "what is asked for now is newer");
        assert!(flights.turn(&other).now_or_never().is_some());
        let mut second = Box::pin(flights.turn(&one));
        assert!(second.as_mut().now_or_never().is_none());
        let third = Box::pin(flights.turn(&one));
        drop(third);
        drop(turn);
        drop(second.await);
        assert!(flights.lock().is_empty());
    }
}
