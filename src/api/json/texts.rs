//! Texts in memory: each kept once, and packed by what differs from one like it.
//!
//! A host's status and its HardwareData have the same inventory, and so have the versions of a host
//! that are kept for those who watch. Machines of one model differ in a few serial numbers: packed
//! against the first of them, an inventory of 1.2 kB takes 0.2, and nobody looks at it all day.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use lz4_flex::block::{compress_with_dict, decompress_with_dict};

/// Those of this process. Nobody can tell whether a text is shared; so there is one table for all.
static TEXTS: LazyLock<Mutex<Texts>> = LazyLock::new(Mutex::default);

/// Sweep the dead for the first time when there are this many.
const FIRST_SWEEP: usize = 256;
/// Shorter ones are not packed.
const SHORT: usize = 256;
/// How many texts are known that others are like. More than a fleet has models of machines would
/// only take time.
const MODELS: usize = 8;

/// A text in memory.
#[derive(Debug)]
pub(super) enum Text {
    Whole(Arc<str>),
    /// LZ4 with `like` for a dictionary.
    Packed {
        bytes: Box<[u8]>,
        length: u32,
        like: Arc<str>,
    },
}

#[derive(Default)]
struct Texts {
    /// By hash. Two texts with one hash are not shared, which costs memory and nothing else.
    known: HashMap<u64, Weak<Text>>,
    hasher: RandomState,
    sweep_at: usize,
    /// What others are packed against.
    models: Vec<Arc<str>>,
}

/// The text, or the same one that somebody keeps already.
pub(super) fn kept(text: &str) -> Arc<Text> {
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    texts.kept(text)
}

impl Text {
    /// The text.
    pub fn get(&self) -> Cow<'_, str> {
        match self {
            Self::Whole(text) => Cow::Borrowed(text),
            Self::Packed {
                bytes,
                length,
                like,
            } => Cow::Owned(unpack(bytes, *length, like).expect("it was unpacked when packed")),
        }
    }
}

fn unpack(bytes: &[u8], length: u32, like: &str) -> Option<String> {
    let text = decompress_with_dict(bytes, length as usize, like.as_bytes()).ok()?;
    String::from_utf8(text).ok()
}

impl Texts {
    fn kept(&mut self, text: &str) -> Arc<Text> {
        let hash = self.hasher.hash_one(text);
        if let Some(known) = self.known.get(&hash).and_then(Weak::upgrade)
            && known.get() == text
        {
            return known;
        }
        let new = Arc::new(self.pack(text));
        if self.known.len() >= self.sweep_at {
            self.known.retain(|_, text| text.strong_count() > 0);
            self.sweep_at = (self.known.len() * 2).max(FIRST_SWEEP);
        }
        self.known.insert(hash, Arc::downgrade(&new));
        new
    }

    /// Packed where that takes less than three quarters; else it is one that others may be like.
    fn pack(&mut self, text: &str) -> Text {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        if text.len() < SHORT || length == u32::MAX {
            return Text::Whole(text.into());
        }
        let mut best: Option<(Vec<u8>, &Arc<str>)> = None;
        // The newest first: machines of one model tend to come together.
        for like in self.models.iter().rev() {
            let bytes = compress_with_dict(text.as_bytes(), like.as_bytes());
            if best
                .as_ref()
                .is_none_or(|(best, _)| bytes.len() < best.len())
            {
                best = Some((bytes, like));
            }
            if best
                .as_ref()
                .is_some_and(|(best, _)| best.len() < text.len() / 3)
            {
                break;
            }
        }
        if let Some((bytes, like)) = best
            && bytes.len() < text.len() / 4 * 3
            && unpack(&bytes, length, like).as_deref() == Some(text)
        {
            return Text::Packed {
                bytes: bytes.into(),
                length,
                like: Arc::clone(like),
            };
        }
        let whole: Arc<str> = text.into();
        if self.models.len() < MODELS {
            self.models.push(Arc::clone(&whole));
        }
        Text::Whole(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_and_the_dead_are_forgotten() {
        let mut texts = Texts::default();
        let one = texts.kept("[1]");
        assert!(Arc::ptr_eq(&one, &texts.kept("[1]")));
        assert!(!Arc::ptr_eq(&one, &texts.kept("[2]")));
        for number in 0..10_000 {
            drop(texts.kept(&number.to_string()));
        }
        assert!(Arc::ptr_eq(&one, &texts.kept("[1]")));
        let left = texts.known.len();
        assert!(left <= FIRST_SWEEP + 1, "{left}");
    }

    #[test]
    fn what_is_like_a_known_one_takes_little() {
        let mut texts = Texts::default();
        let disk = |n: usize| format!(r#"{{"model":"MZ7L3480HCHQ","serial":"S{n:08}ß","n":{n}}}"#);
        let inventory = |n: usize| (0..20).map(|i| disk(n + i)).collect::<String>();
        let first = texts.kept(&inventory(1));
        assert!(matches!(*first, Text::Whole(_)));
        for n in 1..50 {
            let text = inventory(n * 1000);
            let kept = texts.kept(&text);
            assert_eq!(kept.get(), text);
            assert!(matches!(&*kept, Text::Packed { bytes, .. } if bytes.len() < text.len() / 2));
            assert!(Arc::ptr_eq(&kept, &texts.kept(&text)));
        }
        assert_eq!(texts.models.len(), 1);
    }

    #[test]
    fn what_is_like_nothing_stays_whole() {
        let mut texts = Texts::default();
        let mut dice = crate::dice::Dice::of("texts", 1);
        for _ in 0..2 * MODELS {
            let words: Vec<String> = (0..40).map(|_| format!("{:016x}", dice.roll())).collect();
            let noise = words.concat();
            let kept = texts.kept(&noise);
            assert_eq!(kept.get(), noise);
        }
        assert!(texts.models.len() <= MODELS);
    }
}
