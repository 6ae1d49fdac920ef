//! Failures of Ironic's in a row, host by host: each is followed by a longer pause, in which the host
//! asks nothing.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::locked;

/// The first pause; each further one is twice as long,
const FIRST: Duration = Duration::from_secs(5);
/// but no longer than this.
const LONGEST: Duration = Duration::from_mins(1);
/// So many failures in a row are an error of the host: it is shown, counted and backed off from.
pub(super) const ENOUGH: u32 = 5;

/// Failures in a row of one host's requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spell {
    /// How many.
    pub times: u32,
    /// What was said last.
    pub text: String,
    /// How long nothing is asked from now on.
    pub pause: Duration,
}

/// All hosts' spells, by the seed of the host. Hosts without one take no room.
#[derive(Debug, Default)]
pub(super) struct Spells(Mutex<HashMap<u64, (Spell, Instant)>>);

impl Spells {
    /// The spell in whose pause a host is.
    pub fn pausing(&self, host: u64) -> Option<Spell> {
        let spells = locked(&self.0);
        let (spell, until) = spells.get(&host)?;
        let pause = until.saturating_duration_since(Instant::now());
        (!pause.is_zero()).then(|| Spell {
            pause,
            ..spell.clone()
        })
    }

    /// Notes one more failure.
    pub fn failed(&self, host: u64, text: String) -> Spell {
        let mut spells = locked(&self.0);
        let times = spells.get(&host).map_or(1, |(spell, _)| spell.times + 1);
        let pause = FIRST * 2_u32.pow((times - 1).min(4));
        // Spread, so that hosts that failed together do not ask together.
        let pause = pause.min(LONGEST) + Duration::from_millis(host % 2000);
        let spell = Spell { times, text, pause };
        spells.insert(host, (spell.clone(), Instant::now() + pause));
        spell
    }

    /// Ironic answered this host properly.
    pub fn end(&self, host: u64) {
        locked(&self.0).remove(&host);
    }

    /// Ironic came back: what was before does not count.
    pub fn end_all(&self) {
        locked(&self.0).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_failure_in_a_row_is_followed_by_a_longer_pause() {
        let spells = Spells::default();
        let pauses: Vec<_> = (0..6)
            .map(|_| spells.failed(0, "boom".into()).pause.as_secs())
            .collect();
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
        assert_eq!(spells.pausing(0).map(|spell| spell.times), Some(6));
        assert_eq!(spells.pausing(1), None);
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert_eq!(spells.pausing(0).map(|s| s.pause.as_secs()), Some(1));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(spells.pausing(0), None);
        assert_eq!(spells.failed(0, "boom".into()).times, 7);
        spells.end(0);
        assert_eq!(spells.failed(0, "boom".into()).times, 1);
        spells.end_all();
        assert_eq!(spells.pausing(0), None);
    }
}
