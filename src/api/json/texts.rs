//! Texts in use, each kept once: a host's status and its HardwareData have the same inventory, and
//! so have the versions of a host that are kept for those who watch.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use serde_json::value::RawValue;

/// Those of this process. Nobody can tell whether a text is shared; so there is one table for all.
static TEXTS: LazyLock<Mutex<Texts>> = LazyLock::new(Mutex::default);

/// Sweep the dead for the first time when there are this many.
const FIRST_SWEEP: usize = 256;

#[derive(Default)]
struct Texts {
    /// By hash. Two texts with one hash are not shared, which costs memory and nothing else.
    known: HashMap<u64, Weak<RawValue>>,
    hasher: RandomState,
    sweep_at: usize,
}

/// The text, or the same one that somebody keeps already.
pub(super) fn kept(text: Box<RawValue>) -> Arc<RawValue> {
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    texts.kept(text)
}

impl Texts {
    fn kept(&mut self, text: Box<RawValue>) -> Arc<RawValue> {
        let hash = self.hasher.hash_one(text.get());
        if let Some(known) = self.known.get(&hash).and_then(Weak::upgrade)
            && known.get() == text.get()
        {
            return known;
        }
        let new: Arc<RawValue> = text.into();
        if self.known.len() >= self.sweep_at {
            self.known.retain(|_, text| text.strong_count() > 0);
            self.sweep_at = (self.known.len() * 2).max(FIRST_SWEEP);
        }
        self.known.insert(hash, Arc::downgrade(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_and_the_dead_are_forgotten() {
        let mut texts = Texts::default();
        let mut keep = |text: String| texts.kept(RawValue::from_string(text).unwrap());
        let one = keep("[1]".into());
        assert!(Arc::ptr_eq(&one, &keep("[1]".into())));
        assert!(!Arc::ptr_eq(&one, &keep("[2]".into())));
        for number in 0..10_000 {
            drop(keep(number.to_string()));
        }
        assert!(Arc::ptr_eq(&one, &keep("[1]".into())));
        assert!(
            texts.known.len() <= FIRST_SWEEP + 1,
            "{}",
            texts.known.len()
        );
    }
}
