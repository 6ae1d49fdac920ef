//! How long to rest after errors.

use std::time::Duration;

use super::Policy;
use crate::dice::Dice;

/// The pause after the `count`-th error in a row: `2^n` units less up to half of it, `n` at most
/// [`Policy::backoff_cap`]. None after no error.
pub fn pause(policy: &Policy, count: i64, seed: u64) -> Duration {
    let Ok(count @ 1..) = u32::try_from(count) else {
        return Duration::ZERO;
    };
    let exponent = count.min(policy.backoff_cap).min(31);
    let most = policy.backoff_unit.saturating_mul(1 << exponent);
    Dice::new(seed ^ u64::from(count)).between(most / 2, most)
}

/// The wait after a refusal because of a lock: one to three units, but not less than what was
/// asked for.
pub fn busy(policy: &Policy, asked: Duration, seed: u64) -> Duration {
    Dice::new(seed)
        .between(policy.busy_unit, policy.busy_unit * 3)
        .max(asked)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pauses_double_up_to_the_cap(count in 1i64..200, seed: u64) {
            let policy = Policy::default();
            let most = Duration::from_mins(1) * (1 << count.min(9));
            let got = pause(&policy, count, seed);
            prop_assert!(got >= most / 2 && got <= most, "{:?} of {:?}", got, most);
            prop_assert_eq!(got, pause(&policy, count, seed));
        }

        #[test]
        fn busy_waits_are_short(seed: u64) {
            let got = busy(&Policy::default(), Duration::ZERO, seed);
            prop_assert!(got >= Duration::from_secs(1) && got <= Duration::from_secs(3));
        }
    }

    #[test]
    fn no_error_no_pause_and_the_longest_is_half_a_day() {
        let policy = Policy::default();
        assert_eq!(pause(&policy, 0, 1), Duration::ZERO);
        assert_eq!(pause(&policy, -3, 1), Duration::ZERO);
        let most = pause(&policy, i64::from(u32::MAX), 1);
        assert!(most <= Duration::from_mins(512), "{most:?}");
    }
}
