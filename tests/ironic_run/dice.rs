//! Random moments of tests that kill.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Pauses between kills. Other ones each time; the seed is printed and can be given back.
pub struct Dice(u64);

impl Dice {
    pub fn new() -> Self {
        let seed = std::env::var("METALFORM_TEST_SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                now.as_nanos() as u64
            });
        println!("METALFORM_TEST_SEED={seed}");
        Self(seed)
    }

    /// A pause of so many milliseconds.
    pub fn pause(&mut self, range: Range<u64>) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(range.start + (self.0 >> 33) % (range.end - range.start))
    }
}
