//! When to look again: fast enough to be told of changes within a second or so, slow enough to be
//! no burden. Pure.

use std::time::Duration;

/// Between two looks when effects are under way and looking is cheap.
const HURRIED: Duration = Duration::from_millis(250);
/// Between two looks otherwise.
const NORMAL: Duration = Duration::from_secs(1);
/// A look that takes less is cheap.
const CHEAP: Duration = Duration::from_millis(50);
/// Looking takes at most one part in this many of the time,
const SHARE: u32 = 20;
/// while effects are under way one in this many,
const HURRIED_SHARE: u32 = 5;
/// but however slow it is, not much longer than this goes without a look.
const LONGEST: Duration = Duration::from_secs(5);
/// Of so many looks the quickest counts as what a look takes.
pub const RECENT: usize = 4;
/// Between two pages of a sweep; sweeps and looks together stay below 80 requests a minute.
const PAGE: Duration = Duration::from_secs(4);
/// Between two tries while Ironic is down.
const RETRIES: [u64; 5] = [500, 1000, 2000, 3000, 5000];

/// Rows of the first look, and the most of one request (Ironic's own limit).
pub const FIRST_ROWS: usize = 20;
/// See [`FIRST_ROWS`].
pub const MOST_ROWS: usize = 1000;

/// From the end of a look to the start of the next, when looks take `last`.
pub fn until_next(last: Duration, hurried: bool) -> Duration {
    let share = if hurried { HURRIED_SHARE } else { SHARE };
    let shortest = if hurried && last < CHEAP {
        HURRIED
    } else {
        NORMAL
    };
    shortest.max(last * (share - 1)).min(LONGEST)
}

/// From the end of a page of a sweep that took `last` to the start of the next page.
pub fn until_next_page(last: Duration) -> Duration {
    PAGE.max(last * (SHARE - 1))
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
        assert_eq!(until_next(ms(10), true), ms(250));
        assert_eq!(until_next(ms(10), false), ms(1000));
        assert_eq!(until_next(ms(100), true), ms(1000));
        assert_eq!(until_next(ms(100), false), ms(1900));
        assert_eq!(until_next(ms(500), true), ms(2000));
        assert_eq!(until_next(ms(5000), false), ms(5000));
        assert_eq!(until_next_page(ms(50)), ms(4000));
        assert_eq!(until_next_page(ms(500)), ms(9500));
        assert_eq!((until_retry(1), until_retry(100)), (ms(500), ms(5000)));
        assert_eq!((rows_for(0), rows_for(10), rows_for(5000)), (8, 32, 1000));
    }
}
