//! The items of a bracket by their lowest numbers, for looking a number up.

use super::parse::Item;

/// Items in the order of their lowest numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lows(Vec<Low>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Low {
    lo: i64,
    /// The highest number of this item and of all that start before it.
    reach: i64,
    item: usize,
}

impl Lows {
    pub(super) fn of(items: &[Item]) -> Self {
        let mut lows: Vec<Low> = items
            .iter()
            .enumerate()
            .map(|(index, item)| Low {
                lo: item.lo,
                reach: item.hi,
                item: index,
            })
            .collect();
        lows.sort_unstable_by_key(|low| (low.lo, low.item));
        let mut reach = i64::MIN;
        for low in &mut lows {
            reach = reach.max(low.reach);
            low.reach = reach;
        }
        Self(lows)
    }

    /// Whether one of the `items` that these were made of lists `value`, with a width that `fits`.
    /// Items that do not overlap cost one look.
    pub(super) fn list(&self, items: &[Item], value: i64, fits: impl Fn(usize) -> bool) -> bool {
        let start_below = self.0.partition_point(|low| low.lo <= value);
        self.0[..start_below]
            .iter()
            .rev()
            .take_while(|low| low.reach >= value)
            .map(|low| &items[low.item])
            .any(|item| item.contains(value) && fits(item.width))
    }
}
