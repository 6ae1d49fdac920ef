//! Secrets that were read, until somebody says that they may be others.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Secret, SecretError, Secrets};

/// Remembers what a source answered until [`CachedSecrets::forget`] is called, so that 10,000
/// hosts that share one secret read it once. Failures are remembered too.
#[derive(Debug)]
pub struct CachedSecrets<S> {
    source: S,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// By namespace and name.
    answers: HashMap<String, HashMap<String, Result<Secret, SecretError>>>,
    /// Counts how often all was forgotten: an answer from before is not kept.
    round: u64,
}

impl<S: Secrets> CachedSecrets<S> {
    /// A cache over `source`.
    pub fn new(source: S) -> Self {
        Self {
            source,
            known: Mutex::default(),
        }
    }

    /// Forgets everything: the next read asks the source. Call it when a file changed.
    pub fn forget(&self) {
        let mut known = self.lock();
        known.answers.clear();
        known.round += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Secrets> Secrets for CachedSecrets<S> {
    fn read(&self, namespace: &str, name: &str) -> Result<Secret, SecretError> {
        let round = {
            let known = self.lock();
            if let Some(answer) = known.answers.get(namespace).and_then(|all| all.get(name)) {
                return answer.clone();
            }
            known.round
        };
        let answer = self.source.read(namespace, name);
        let mut known = self.lock();
        if known.round == round {
            let all = known.answers.entry(namespace.to_owned()).or_default();
            all.insert(name.to_owned(), answer.clone());
        }
        answer
    }
}
