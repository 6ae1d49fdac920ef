//! Circles among names that refer to each other.

use std::collections::{HashMap, HashSet, VecDeque};

/// Names that all lead to each other, by number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Circle {
    /// A shortest way round, starting at the least name.
    pub way: Vec<usize>,
    /// All of them, the least name first.
    pub members: Vec<usize>,
}

impl Circle {
    /// `a -> b -> a`.
    pub(super) fn show(&self, names: &[&str]) -> String {
        let mut shown: Vec<&str> = self.way.iter().map(|number| names[*number]).collect();
        shown.push(names[self.way[0]]);
        shown.join(" -> ")
    }

    /// A note on those that the shown way round leaves out.
    pub(super) fn others(&self, names: &[&str]) -> Option<String> {
        const SHOWN: usize = 8;
        let way: HashSet<&usize> = self.way.iter().collect();
        let mut others = self.members.iter().filter(|member| !way.contains(member));
        let shown: Vec<String> = others
            .by_ref()
            .take(SHOWN)
            .map(|number| format!("`{}`", names[*number]))
            .collect();
        let more = match others.count() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!shown.is_empty()).then(|| format!("in a circle with them: {}{more}", shown.join(", ")))
    }
}

/// The groups of names that lead to each other, ordered by their least names. One a group, for a
/// few names can make more circles than anybody could read. `reads[n]` are the names that `n`
/// refers to; time is linear in them.
pub(super) fn circles(names: &[&str], reads: &[Vec<usize>]) -> Vec<Circle> {
    let mut found: Vec<Circle> = groups(reads)
        .into_iter()
        .filter(|group| group.len() > 1 || reads[group[0]].contains(&group[0]))
        .map(|mut members| {
            members.sort_by_key(|number| names[*number]);
            Circle {
                way: way_round(names, reads, &members),
                members,
            }
        })
        .collect();
    found.sort_by_key(|circle| names[circle.way[0]]);
    found
}

/// Tarjan's strongly connected components, with an explicit trail in place of recursion.
fn groups(reads: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let count = reads.len();
    let mut order = vec![UNSEEN; count];
    let mut low = vec![0; count];
    let mut open = vec![false; count];
    let (mut stack, mut found, mut next) = (Vec::new(), Vec::new(), 0);
    for start in 0..count {
        if order[start] != UNSEEN {
            continue;
        }
        // Names on the way, each with how many of its reads were followed.
        let mut trail: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((node, followed)) = trail.last_mut() {
            let node = *node;
            if *followed == 0 && order[node] == UNSEEN {
                order[node] = next;
                low[node] = next;
                next += 1;
                stack.push(node);
                open[node] = true;
            }
            if let Some(&read) = reads[node].get(*followed) {
                *followed += 1;
                if order[read] == UNSEEN {
                    trail.push((read, 0));
                } else if open[read] {
                    low[node] = low[node].min(order[read]);
                }
                continue;
            }
            trail.pop();
            if let Some((before, _)) = trail.last() {
                low[*before] = low[*before].min(low[node]);
            }
            if low[node] == order[node] {
                let at = stack.iter().rposition(|open| *open == node).unwrap_or(0);
                let group = stack.split_off(at);
                for member in &group {
                    open[*member] = false;
                }
                found.push(group);
            }
        }
    }
    found
}

/// A shortest way from the first member back to it; of several, that by the lesser names.
fn way_round(names: &[&str], reads: &[Vec<usize>], members: &[usize]) -> Vec<usize> {
    let start = members[0];
    let inside: HashSet<usize> = members.iter().copied().collect();
    let mut before: HashMap<usize, usize> = HashMap::with_capacity(members.len());
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        let mut next: Vec<usize> = reads[at]
            .iter()
            .copied()
            .filter(|read| inside.contains(read))
            .collect();
        next.sort_by_key(|number| names[*number]);
        for read in next {
            if read == start {
                let mut way = vec![at];
                let mut last = at;
                while last != start {
                    last = before.get(&last).copied().unwrap_or(start);
                    way.push(last);
                }
                way.reverse();
                return way;
            }
            before.entry(read).or_insert_with(|| {
                queue.push_back(read);
                at
            });
        }
    }
    vec![start]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(edges: &[(&str, &[&str])]) -> Vec<String> {
        let names: Vec<&str> = edges.iter().map(|(name, _)| *name).collect();
        let reads: Vec<Vec<usize>> = edges
            .iter()
            .map(|(_, reads)| {
                reads
                    .iter()
                    .map(|read| names.iter().position(|name| name == read).unwrap())
                    .collect()
            })
            .collect();
        circles(&names, &reads)
            .iter()
            .map(|circle| {
                let others = circle.others(&names).unwrap_or_default();
                format!("{} {others}", circle.show(&names))
                    .trim()
                    .to_owned()
            })
            .collect()
    }

    #[test]
    fn one_circle_a_group_by_its_least_name() {
        assert_eq!(
            shown(&[("a", &["b"]), ("b", &[]), ("c", &["a", "b"])]),
            [""; 0]
        );
        assert_eq!(shown(&[("a", &["a"])]), ["a -> a"]);
        let two: &[(&str, &[&str])] = &[
            ("d", &["c"]),
            ("c", &["d"]),
            ("b", &["a", "c"]),
            ("a", &["b"]),
        ];
        assert_eq!(shown(two), ["a -> b -> a", "c -> d -> c"]);
        let knot: &[(&str, &[&str])] = &[
            ("a", &["c"]),
            ("b", &["a"]),
            ("c", &["b", "d"]),
            ("d", &["a"]),
            ("e", &["a"]),
        ];
        assert_eq!(shown(knot), ["a -> c -> b -> a in a circle with them: `d`"]);
    }

    #[test]
    fn names_that_all_read_each_other_are_one_circle() {
        let names: Vec<String> = (0..300).map(|number| format!("p{number:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let all: Vec<usize> = (0..names.len()).collect();
        let found = circles(&names, &vec![all; names.len()]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].show(&names), "p000 -> p000");
        assert_eq!(found[0].members.len(), 300);
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let names: Vec<String> = (0..50_000).map(|number| format!("p{number:05}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let reads: Vec<Vec<usize>> = (0..names.len())
            .map(|n| vec![(n + 1) % names.len()])
            .collect();
        assert_eq!(circles(&names, &reads)[0].way.len(), 50_000);
    }
}
