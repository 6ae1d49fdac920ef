//! Names that exist, to be found by pattern without looking at each of them.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::Pattern;

/// Up to so many names are tried one by one: sorting them all would cost more.
const FEW: usize = 64;

/// Names by number, in the order in which they were given.
///
/// A thousand patterns over ten thousand names are a thousand look-ups, not ten million matches:
/// a bracket is expanded where that is less, and a `*` only sees the names that start or end as
/// the pattern does.
pub(crate) struct Index {
    names: Vec<Arc<str>>,
    by_name: HashMap<Arc<str>, usize>,
    /// The further numbers of a name that is there twice, by its first.
    again: HashMap<usize, Vec<usize>>,
    /// Numbers by name.
    forward: OnceCell<Vec<usize>>,
    /// Numbers by name read backwards.
    backward: OnceCell<Vec<usize>>,
}

impl Index {
    pub(crate) fn new(names: impl IntoIterator<Item = Arc<str>>) -> Self {
        let names: Vec<Arc<str>> = names.into_iter().collect();
        let mut by_name = HashMap::with_capacity(names.len());
        let mut again: HashMap<usize, Vec<usize>> = HashMap::new();
        for (number, name) in names.iter().enumerate() {
            let first = *by_name.entry(Arc::clone(name)).or_insert(number);
            if first != number {
                again.entry(first).or_default().push(number);
            }
        }
        Self {
            names,
            by_name,
            again,
            forward: OnceCell::new(),
            backward: OnceCell::new(),
        }
    }

    /// The number of a name, the first if it is there twice.
    pub(crate) fn exact(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The numbers of the names that a pattern means, ascending. Where `within` says so, names
    /// beside those may be left out; names that are not among those may come, too.
    pub(crate) fn find(&self, pattern: &Pattern, within: Option<&[usize]>) -> Vec<usize> {
        let all = within.map_or(self.names.len(), <[usize]>::len);
        let mut found: Vec<usize> = if let Some(names) = pattern.expansion(all.max(FEW)) {
            names
                .iter()
                .filter_map(|(name, _)| self.exact(&name))
                .flat_map(|first| {
                    let again = self.again.get(&first).into_iter().flatten();
                    std::iter::once(first).chain(again.copied())
                })
                .collect()
        } else {
            let matches = |number: &usize| pattern.matches(&self.names[*number]);
            match within {
                Some(within) if within.len() <= FEW => {
                    within.iter().copied().filter(matches).collect()
                }
                None if all <= FEW => (0..all).filter(matches).collect(),
                _ => {
                    let (start, end) = pattern.ends();
                    let sets = [self.starting(start), self.ending(end)];
                    let least = within
                        .into_iter()
                        .chain(sets)
                        .min_by_key(|set| set.len())
                        .unwrap_or_default();
                    least.iter().copied().filter(matches).collect()
                }
            }
        };
        found.sort_unstable();
        found.dedup();
        found
    }

    fn starting(&self, start: &str) -> &[usize] {
        let sorted = self.forward.get_or_init(|| {
            let mut sorted: Vec<usize> = (0..self.names.len()).collect();
            sorted.sort_unstable_by(|a, b| self.names[*a].cmp(&self.names[*b]));
            sorted
        });
        let from = sorted.partition_point(|number| *self.names[*number] < *start);
        let rest = &sorted[from..];
        &rest[..rest.partition_point(|number| self.names[*number].starts_with(start))]
    }

    fn ending(&self, end: &str) -> &[usize] {
        let backwards = |number: usize| self.names[number].bytes().rev();
        let sorted = self.backward.get_or_init(|| {
            let mut sorted: Vec<usize> = (0..self.names.len()).collect();
            sorted.sort_unstable_by(|a, b| backwards(*a).cmp(backwards(*b)));
            sorted
        });
        let from = sorted.partition_point(|number| backwards(*number).lt(end.bytes().rev()));
        let rest = &sorted[from..];
        &rest[..rest.partition_point(|number| self.names[*number].ends_with(end))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(names: &[String]) -> Index {
        Index::new(names.iter().map(|name| Arc::from(name.as_str())))
    }

    #[test]
    fn what_is_found_is_what_matches() {
        let names: Vec<String> = (1..=12)
            .flat_map(|rack| (1..=9).map(move |slot| format!("r{rack}-n{slot:02}")))
            .chain(["r1-n01".to_owned(), "odd".to_owned(), String::new()])
            .collect();
        let index = index(&names);
        let some: Vec<usize> = (10..20).collect();
        for text in [
            "r1-n01",
            "none",
            "*",
            "r1*",
            "*-n03",
            "r1*-n0[2-4]",
            "r[1-3]-n[01-09]",
            "r[1-12][1-12]*",
            "*[1-2]*",
            "r[1-1000000000]-n01",
            "o*d",
        ] {
            let pattern = Pattern::compile(text).unwrap();
            let all: Vec<usize> = (0..names.len())
                .filter(|number| pattern.matches(&names[*number]))
                .collect();
            assert_eq!(index.find(&pattern, None), all, "{text}");
            let mut within = index.find(&pattern, Some(&some));
            within.retain(|number| some.contains(number));
            let mut wanted = all;
            wanted.retain(|number| some.contains(number));
            assert_eq!(within, wanted, "{text}");
        }
    }

    #[test]
    fn a_pattern_looks_at_few_of_many_names() {
        let names: Vec<String> = (0..5000).map(|number| format!("a{number}-z")).collect();
        let index = index(&names);
        assert_eq!(index.starting("a12").len(), 111);
        assert_eq!(index.ending("99-z").len(), 50);
        assert_eq!(index.ending("").len(), 5000);
    }
}
