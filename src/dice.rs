//! Randomness that is asked for by seed: the same seed gives the same numbers, everywhere.
//!
//! SplitMix64 (Steele, Lea, Flood 2014): eight bytes of state, good enough for jitter and for
//! simulated faults, not for secrets.

use std::time::Duration;

/// A stream of pseudo-random numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// The stream of a seed.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The stream of a text and a seed, for one host of many.
    pub fn of(text: &str, seed: u64) -> Self {
        // FNV-1a: stable over versions, unlike the standard library's hashers.
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self::new(hash ^ seed)
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to, but not including, `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // The bias of a plain remainder is below 2^-32 for all ends used here.
        self.roll().checked_rem(end).unwrap_or(0)
    }

    /// True once in a while: `parts` of 1,000 times.
    pub fn permille(&mut self, parts: u32) -> bool {
        self.below(1000) < u64::from(parts)
    }

    /// A duration from `least` up to `most`.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let spread = most.saturating_sub(least).as_nanos() as u64;
        least + Duration::from_nanos(self.below(spread.saturating_add(1)))
    }
}

/// Bytes that nobody can foretell, from the system: for what a seed must not lead to.
///
/// # Panics
/// When the system gives none, without which no TLS would work either.
pub fn unpredictable() -> [u8; 32] {
    let mut bytes = [0; 32];
    let source = rustls::crypto::ring::default_provider().secure_random;
    source
        .fill(&mut bytes)
        .expect("the system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let roll = |seed| {
            let mut dice = Dice::new(seed);
            [dice.roll(), dice.roll()]
        };
        assert_eq!(roll(7), roll(7));
        assert_ne!(roll(7), roll(8));
        // The reference values of the algorithm for seed 0.
        assert_eq!(roll(0), [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
        assert_eq!(Dice::of("a", 1), Dice::of("a", 1));
        assert_ne!(Dice::of("a", 1), Dice::of("b", 1));
    }

    #[test]
    fn durations_stay_within_their_bounds() {
        let mut dice = Dice::new(1);
        let (least, most) = (Duration::from_secs(1), Duration::from_secs(3));
        for _ in 0..1000 {
            let one = dice.between(least, most);
            assert!(one >= least && one <= most, "{one:?}");
        }
        assert_eq!(dice.between(most, least), most);
        assert_eq!(dice.below(0), 0);
    }
}
