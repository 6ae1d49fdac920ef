//! Labels and annotations: names with values.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names with values, in order of name, each name once. Shared until somebody changes it.
///
/// A map of the standard library takes 544 bytes for its first entry. Ten thousand hosts have two
/// such maps each, with some five entries, of which most hosts have the same.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tags(Arc<[Tag]>);

type Tag = (Arc<str>, Arc<str>);

impl Tags {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.find(name).ok()?;
        self.0.get(at).map(|(_, value)| &**value)
    }

    /// True when there is this name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In order of name.
    pub fn iter(&self) -> Iter<'_> {
        self.0.iter().map(pair)
    }

    /// Sets a value.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) {
        let name = name.into();
        let mut all = self.0.to_vec();
        match self.find(&name) {
            Ok(at) => all[at].1 = value.into(),
            Err(at) => all.insert(at, (name, value.into())),
        }
        self.0 = all.into();
    }

    /// Takes a name away; false when it was not there.
    pub fn remove(&mut self, name: &str) -> bool {
        let found = self.contains_key(name);
        if found {
            let others = self.0.iter().filter(|tag| *tag.0 != *name);
            self.0 = others.cloned().collect();
        }
        found
    }

    /// True for the very same ones in memory.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// True when nobody else has them.
    pub(super) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// With these in place of each text.
    pub(super) fn map(&mut self, mut text: impl FnMut(&Arc<str>) -> Arc<str>) {
        let tags = self.0.iter();
        self.0 = tags.map(|tag| (text(&tag.0), text(&tag.1))).collect();
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|tag| (*tag.0).cmp(name))
    }
}

/// Names and values.
pub type Iter<'a> = std::iter::Map<std::slice::Iter<'a, Tag>, fn(&'a Tag) -> (&'a str, &'a str)>;

fn pair(tag: &Tag) -> (&str, &str) {
    (&tag.0, &tag.1)
}

impl<'a> IntoIterator for &'a Tags {
    type Item = (&'a str, &'a str);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.0.iter().map(pair)
    }
}

/// Of a name that stands twice the last value counts.
impl<N: Into<Arc<str>>, V: Into<Arc<str>>> FromIterator<(N, V)> for Tags {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(tags: I) -> Self {
        let tags = tags.into_iter();
        let mut all: Vec<Tag> = tags
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        if !all.is_sorted_by(|one, next| one.0 < next.0) {
            let sorted: BTreeMap<_, _> = all.into_iter().collect();
            all = sorted.into_iter().collect();
        }
        Self(all.into())
    }
}

impl<N: Into<Arc<str>>, V: Into<Arc<str>>, const LENGTH: usize> From<[(N, V); LENGTH]> for Tags {
    fn from(tags: [(N, V); LENGTH]) -> Self {
        tags.into_iter().collect()
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl Serialize for Tags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Tags;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tags, A::Error> {
                let mut tags: Vec<Tag> = Vec::with_capacity(map.size_hint().unwrap_or(0).min(64));
                while let Some(tag) = map.next_entry()? {
                    tags.push(tag);
                }
                Ok(tags.into_iter().collect())
            }
        }
        deserializer.deserialize_map(Map)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// They are what a map of the standard library is.
        #[test]
        fn they_are_a_map(steps in vec(("[a-d]", "[a-c]", any::<bool>()), 0..12)) {
            let mut map = BTreeMap::new();
            let mut tags = Tags::default();
            for (name, value, put) in &steps {
                if *put {
                    map.insert(name.clone(), value.clone());
                    tags.insert(name.as_str(), value.as_str());
                } else {
                    prop_assert_eq!(map.remove(name).is_some(), tags.remove(name));
                }
            }
            let pairs: Vec<_> = map.iter().map(|(name, value)| (&**name, &**value)).collect();
            prop_assert_eq!(tags.iter().collect::<Vec<_>>(), pairs);
            prop_assert_eq!(tags.len(), map.len());
            for name in ["a", "b", "c", "d"] {
                prop_assert_eq!(tags.get(name), map.get(name).map(String::as_str));
            }
            let put = steps.iter().map(|(name, value, _)| (name.as_str(), value.as_str()));
            let all: BTreeMap<_, _> = put.clone().collect();
            prop_assert!(put.collect::<Tags>().iter().eq(all));
            let text = serde_json::to_string(&map).unwrap();
            prop_assert_eq!(&serde_json::to_string(&tags).unwrap(), &text);
            prop_assert_eq!(serde_json::from_str::<Tags>(&text).unwrap(), tags);
        }
    }

    #[test]
    fn a_change_is_the_holders_own() {
        let one = Tags::from([("a", "1")]);
        let mut other = one.clone();
        other.insert("a", "2");
        assert_eq!((one.get("a"), other.get("a")), (Some("1"), Some("2")));
    }
}
