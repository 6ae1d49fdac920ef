//! A value that many objects have, kept once.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A `T` that is shared until somebody changes it.
///
/// A fleet of ten thousand hosts has a handful of images and of disk hints, and each host has them
/// in its spec, in its status and in what is wanted of it.
#[derive(Debug, Default)]
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    /// The value, to be shared.
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }

    /// True when nobody else has it.
    pub fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// True for the very same value in memory.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        self.is_shared_with(other) || self.0 == other.0
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Changing it takes a copy where others have it too.
impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

impl<T: JsonSchema> JsonSchema for Shared<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T> Shared<Vec<T>> {
    /// True for none. For serde, which wants the name of a function.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Clone + PartialEq> Shared<Vec<T>> {
    /// Makes it as small as it can be: one of late in place of an equal one.
    pub(super) fn compact(&mut self, recent: &Recent<Vec<T>>) {
        if self.is_alone() {
            self.shrink_to_fit();
        }
        if let Some(other) = recent.other(self) {
            *self = other;
        }
    }
}

/// Values seen of late, with which equal ones are shared. Nobody can tell whether a value is
/// shared, so there may be one for all.
#[derive(Debug)]
pub(super) struct Recent<T>(Mutex<VecDeque<Shared<T>>>);

/// How many values are compared: more than a fleet has images, and no burden where each host has
/// its own.
const RECENT: usize = 32;

impl<T: PartialEq> Recent<T> {
    /// None yet.
    pub const fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }

    /// The one to have in place of this equal one; none where this is the one to have.
    pub fn other(&self, value: &Shared<T>) -> Option<Shared<T>> {
        let mut known = self.lock();
        if let Some(equal) = known.iter().rfind(|other| *other == value) {
            return (!equal.is_shared_with(value)).then(|| equal.clone());
        }
        if known.len() == RECENT {
            known.pop_front();
        }
        known.push_back(value.clone());
        None
    }

    /// The same for one that may be missing.
    pub fn other_of(&self, value: Option<&Shared<T>>) -> Option<Shared<T>> {
        value.and_then(|value| self.other(value))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Shared<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_the_holders_own() {
        let one = Shared::new(vec![1]);
        let mut other = one.clone();
        other.push(2);
        assert_eq!((&*one, &*other), (&vec![1], &vec![1, 2]));
    }

    #[test]
    fn equal_values_become_one() {
        let recent = Recent::new();
        let (one, two) = (Shared::new(1), Shared::new(1));
        assert!(recent.other(&one).is_none() && recent.other(&one).is_none());
        assert!(recent.other(&two).unwrap().is_shared_with(&one));
        for value in 0..100 {
            recent.other(&Shared::new(value));
        }
        assert_eq!(recent.lock().len(), RECENT);
        assert!(recent.other(&two).is_none(), "it is forgotten");
    }
}
