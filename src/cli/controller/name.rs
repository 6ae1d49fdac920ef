//! Which Fleet object tells of the files that are followed.
//!
//! A text that is valid says it. One that is not may be cut off or misspelt, and files that cannot be read
//! say nothing: then it is the object that told of these files before. None is made for a name that
//! nobody wrote.

use std::sync::Arc;

use crate::api::Fleet;
use crate::eval::Evaluation;
use crate::store::{Key, Object as _};

/// What the text says that was read last.
#[derive(Debug)]
pub(super) struct Said {
    /// The object that it names.
    key: Option<Key>,
    /// It may be followed.
    valid: bool,
}

impl Said {
    /// What this text says.
    pub fn by(evaluation: &Evaluation, valid: bool) -> Self {
        let fleet = &evaluation.fleet;
        // Without a `spec` a fleet has the usual name; where not all was read there may be one.
        let names_it = valid || fleet.origin.is_some();
        let key = (names_it && !fleet.name.is_empty())
            .then(|| Key::new(Arc::clone(&fleet.namespace), Arc::clone(&fleet.name)));
        Self { key, valid }
    }

    /// The object, if that is clear. `known` is the one until now, `fleets` are all that there are,
    /// once that is known.
    pub fn object(
        &self,
        known: Option<&Key>,
        path: &str,
        fleets: Option<&[Arc<Fleet>]>,
    ) -> Option<Key> {
        if self.valid {
            return self.key.clone();
        }
        // Its word for the namespace may be what is wrong with it.
        if let Some(known) = known {
            return Some(known.clone());
        }
        told_before(fleets?, path).or_else(|| self.key.clone())
    }
}

/// The object that told of the files at this path.
fn told_before(fleets: &[Arc<Fleet>], path: &str) -> Option<Key> {
    let told = |fleet: &&Arc<Fleet>| {
        let status = fleet.status.as_ref();
        let source = status.and_then(|status| status.source.as_ref());
        source.is_some_and(|source| source.path == path)
    };
    let read = |fleet: &&Arc<Fleet>| {
        let good = fleet.status.as_ref()?.last_good.as_ref()?;
        Some(good.time)
    };
    // A fleet that was renamed leaves its old object behind.
    let last = fleets.iter().filter(told).max_by_key(read);
    last.map(|fleet| fleet.key())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::eval::{self, Cache, Inputs, Limits};
    use crate::vfs::MemoryDisk;

    /// What is said by files below `/specs`, and whether the root could be read.
    fn said(files: &[(&str, &str)]) -> (Said, bool) {
        let mut disk = MemoryDisk::new();
        for (path, text) in files {
            disk.write(Path::new("/specs").join(path), text);
        }
        let inputs = Inputs {
            disk: &disk,
            root: Path::new("/specs"),
            params: None,
            limits: Limits::default(),
        };
        let evaluation = eval::evaluate(&inputs, &mut Cache::default());
        let valid = !evaluation.has_errors() && evaluation.complete;
        (Said::by(&evaluation, valid), evaluation.has_root())
    }

    fn fleet(name: &str, path: &str, time: &str) -> Arc<Fleet> {
        let fleet = json!({
            "metadata": { "name": name, "namespace": "metal3" },
            "status": {
                "source": { "path": path },
                "lastGood": { "digest": "d", "time": time },
            },
        });
        Arc::new(serde_json::from_value(fleet).unwrap())
    }

    fn key(name: &str) -> Key {
        Key::new("metal3", name)
    }

    #[test]
    fn files_that_cannot_be_read_name_no_object() {
        // No folder; one without a root file.
        for files in [&[][..], &[("other.kdl", "spec lab")]] {
            let (said, has_root) = said(files);
            assert!(!has_root);
            assert_eq!(said.object(None, "/specs", Some(&[])), None);
            assert_eq!(
                said.object(Some(&key("lab")), "/specs", Some(&[])),
                Some(key("lab"))
            );
        }
    }

    #[test]
    fn a_text_with_errors_names_an_object_only_in_words() {
        let of = |text: &str| {
            let (said, has_root) = said(&[("fleet.kdl", text)]);
            assert!(has_root && !said.valid, "{text}");
            said.object(None, "/specs", Some(&[]))
        };
        assert_eq!(of(""), None);
        assert_eq!(of("host {"), None);
        assert_eq!(of("spec lab\nhost {"), Some(key("lab")));
        // One that is valid and says nothing has the usual name.
        let (said, _) = said(&[("fleet.kdl", "/- kdl-version 2\n// no hosts yet\n")]);
        assert!(said.valid);
        assert_eq!(said.object(None, "/specs", None), Some(key("fleet")));
    }

    #[test]
    fn what_cannot_be_followed_is_told_by_the_object_that_told_of_these_files() {
        let all = [
            fleet("elsewhere", "/other", "2026-03-01T00:00:00Z"),
            fleet("lab", "/specs", "2026-02-01T00:00:00Z"),
            fleet("old", "/specs", "2026-01-01T00:00:00Z"),
            Arc::new(Fleet::default()),
        ];
        for files in [&[][..], &[("fleet.kdl", "spec la\nhost {")]] {
            let (said, _) = said(files);
            assert_eq!(said.object(None, "/specs", None), None, "not known yet");
            assert_eq!(said.object(None, "/specs", Some(&all)), Some(key("lab")));
        }
        let (valid, _) = said(&[("fleet.kdl", "/- kdl-version 2\nspec new")]);
        assert_eq!(
            valid.object(Some(&key("lab")), "/specs", Some(&all)),
            Some(key("new"))
        );
    }
}
