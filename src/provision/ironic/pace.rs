//! When to look again. Two promises pull in opposite directions, and one schedule keeps both:
//!
//! - *A change in Ironic is in the status within 1.5 s (99 of 100), half of them within 0.6 s.* A
//!   change waits for the next look to begin, up to a whole period, and then for that look to end:
//!   with a period P and looks that take d, half wait P/2 + d and nearly none more than P + d.
//! - *No more than 80 requests a minute in all.* Looks get 71 of them, one each 850 ms; the pages
//!   of sweeps get 8, one each 7.5 s, which reads 10,000 nodes with four ports each in ten minutes.
//!
//! The period is counted from the start of a look to the start of the next: counted from its end, a
//! slow look would be paid twice. With 850 ms and the 80 ms of a look at 10,000 nodes that is 0.5 s
//! and 0.93 s. The period grows only when looks take more than an eighth of it, so the worst case
//! stays below 1.5 s up to looks of 165 ms. Pages are read right after a look, where they have most
//! of a period before the next one is due and hold up none.
//!
//! While effects are under way looks may be more frequent: that is no steady state. Pure.

use std::time::Duration;

/// From the start of a look to the start of the next when effects are under way and looking is
/// cheap.
const HURRIED: Duration = Duration::from_millis(250);
/// The same otherwise.
const NORMAL: Duration = Duration::from_millis(850);
/// A look that takes less is cheap.
const CHEAP: Duration = Duration::from_millis(50);
/// Looking takes at most one part in this many of the time,
const SHARE: u32 = 8;
/// while effects are under way one in this many,
const HURRIED_SHARE: u32 = 5;
/// but however slow it is, not much longer than this goes without a look.
const LONGEST: Duration = Duration::from_secs(5);
/// Of so many looks the quickest counts as what a look takes.
pub const RECENT: usize = 4;
/// Between two pages of a sweep.
const PAGE: Duration = Duration::from_millis(7500);
/// Pages take at most one part in this many of the time.
const PAGE_SHARE: u32 = 20;
/// Between two tries while Ironic is down.
const RETRIES: [u64; 5] = [500, 1000, 2000, 3000, 5000];

/// Rows of the first look, and the most of one request (Ironic's own limit).
pub const FIRST_ROWS: usize = 20;
/// See [`FIRST_ROWS`].
pub const MOST_ROWS: usize = 1000;

/// From the start of a look to the start of the next, when looks take `cost`.
pub fn period(cost: Duration, hurried: bool) -> Duration {
    let share = if hurried { HURRIED_SHARE } else { SHARE };
    let shortest = if hurried && cost < CHEAP {
        HURRIED
    } else {
        NORMAL
    };
    shortest.max(cost * share).min(cost + LONGEST)
}

/// From the end of a page of a sweep that took `last` to the start of the next page.
pub fn until_next_page(last: Duration) -> Duration {
    PAGE.max(last * (PAGE_SHARE - 1))
}

/// Until the next try after so many failed ones in a row, at least one.
pub fn until_retry(failures: u32) -> Duration {
    let at = (failures.max(1) as usize - 1).min(RETRIES.len() - 1);
    Duration::from_millis(RETRIES[at])
}

/// How many rows to ask for after a look in which so many were new: few while little happens, as
/// rows are what looks cost.
pub fn rows_for(new: usize) -> usize {
    (new * 2 + 4).next_power_of_two().clamp(8, MOST_ROWS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_load() {
        let ms = Duration::from_millis;
        assert_eq!(period(ms(10), true), ms(250));
        assert_eq!(period(ms(10), false), ms(850));
        assert_eq!(period(ms(100), true), ms(850));
        assert_eq!(period(ms(100), false), ms(850));
        assert_eq!(period(ms(500), true), ms(2500));
        assert_eq!(period(ms(500), false), ms(4000));
        assert_eq!(period(ms(5000), false), ms(10_000));
        assert_eq!(until_next_page(ms(50)), ms(7500));
        assert_eq!(until_next_page(ms(500)), ms(9500));
        assert_eq!((until_retry(1), until_retry(100)), (ms(500), ms(5000)));
        assert_eq!((rows_for(0), rows_for(10), rows_for(5000)), (8, 32, 1000));
    }

    /// The two promises at the head of this file.
    #[test]
    fn keeps_both_promises() {
        let ms = Duration::from_millis;
        // At most what a look and a page may be a minute.
        let looks = 60_000 / period(ms(5), false).as_millis();
        let pages = 60_000 / until_next_page(ms(5)).as_millis();
        assert!(looks + pages < 80, "{looks} + {pages}");
        // 20 pages of 500 nodes, 40 of 1000 ports.
        assert!(until_next_page(ms(350)) * 60 <= Duration::from_mins(10));
        for cost in (0..=165).map(ms) {
            assert!(period(cost, false) + cost < ms(1500), "{cost:?}");
        }
        for cost in (0..=100).map(ms) {
            assert!(period(cost, false) / 2 + cost < ms(600), "{cost:?}");
        }
    }
}
