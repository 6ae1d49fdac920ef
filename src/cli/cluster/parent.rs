//! The fleet's own object in a cluster: the parent of the set of its hosts, and where it is told who
//! else writes them.

use std::sync::Arc;

use crate::api::fleet::{FleetConditionType, applyset};
use crate::api::{ConditionStatus, Fleet, conditions};
use crate::plan::OWNER;
use crate::store::{Key, Kube, Store as _, StoreError};

use super::super::{Exit, Failure};
use super::{Remote, failed};

/// The object, or that it is not there yet.
pub(in crate::cli) struct Parent {
    key: Key,
    fleet: Option<Arc<Fleet>>,
    /// Whether the cluster knows this kind at all. One of the Bare Metal Operator does not need to.
    has_kind: bool,
}

/// What a controller goes by that follows files for a fleet.
pub(in crate::cli) struct Followed<'a> {
    /// Where the files are, as it sees them.
    pub source: &'a str,
    /// Digest of the fleet that it follows, once it has read a valid one.
    pub digest: Option<&'a str>,
    /// Why it cannot follow what is in the files now.
    pub trouble: Option<&'a str>,
}

/// Adds the one kind: the definitions of a Bare Metal Operator that runs there are its own.
const ADD_KIND: &str = "`metalform crd fleets | kubectl apply --server-side -f -` adds that kind and \
                        leaves all others as they are";

impl Parent {
    /// Reads it. `name` is the fleet's.
    pub async fn read(remote: &Remote, name: &str) -> Result<Self, Failure> {
        let key = Key::new(remote.namespace.as_deref().unwrap_or_default(), name);
        let (fleet, has_kind) = match remote.store.read(&key).await {
            Ok(fleet) => (Some(fleet), true),
            Err(StoreError::NotFound { .. }) => (None, true),
            Err(StoreError::Backend(_)) if remote.lacks::<Fleet>().await => (None, false),
            Err(error) => return Err(failed(&error)),
        };
        Ok(Self {
            key,
            fleet,
            has_kind,
        })
    }

    /// A line for one who only looks: who else says what is wanted, or what `apply` will miss.
    pub fn others(&self) -> Option<String> {
        if !self.has_kind {
            return Some(format!("the cluster has no such kind; {ADD_KIND}"));
        }
        let fleet = self.fleet.as_deref()?;
        if let Some(tool) = applyset::foreign(fleet) {
            return Some(format!("its set of objects is kept by {tool}"));
        }
        let source = writer(fleet)?;
        Some(match fleet.spec.paused {
            true => format!("a controller that follows {source} is paused for it"),
            false => format!("a controller follows {source} for it"),
        })
    }

    /// What a controller follows that writes the fleet's hosts. One that is paused writes none.
    pub fn followed(&self) -> Option<Followed<'_>> {
        let fleet = self.fleet.as_deref()?;
        if fleet.spec.paused || applyset::foreign(fleet).is_some() {
            return None;
        }
        let status = fleet.status.as_ref()?;
        let valid = conditions::find(&status.conditions, &FleetConditionType::Valid);
        let invalid = valid.filter(|valid| valid.status == ConditionStatus::False);
        let good = status.last_good.as_ref();
        Some(Followed {
            source: writer(fleet)?,
            digest: good.map(|good| good.digest.as_str()),
            trouble: invalid.map(|invalid| invalid.message.as_str()),
        })
    }

    /// An error where somebody else says what the hosts are to be: two who do not agree would take
    /// turns at every host. A controller that is paused keeps off.
    pub fn refuse_others(&self, beside: bool) -> Result<(), Failure> {
        let Some(fleet) = self.fleet.as_deref() else {
            return Ok(());
        };
        let key = &self.key;
        if let Some(tool) = applyset::foreign(fleet) {
            let text =
                format!("the set of objects of Fleet {key} is kept by {tool}, not by metalform");
            return Err(Failure::new(Exit::Stale, text)
                .help("give the spec another name, or remove that object's ApplySet marks"));
        }
        let Some(source) = writer(fleet).filter(|_| !beside && !fleet.spec.paused) else {
            return Ok(());
        };
        let text = format!(
            "a controller writes the hosts of Fleet {key} from {source}, and would take back what is \
             written here"
        );
        Err(Failure::new(Exit::Stale, text).help(
            "edit the files that it follows; with --allow-destroy NAME give it a word that it waits for; or \
             set spec.paused of the Fleet; or, if no controller runs there any more, give \
             --force-beside-controller",
        ))
    }

    /// An error where the object cannot be made.
    pub fn needs_kind(&self) -> Result<(), Failure> {
        if self.has_kind {
            return Ok(());
        }
        let text = "the cluster has no kind Fleet (fleets.metalform.dev), which keeps the set of the \
                    fleet's hosts; nothing was changed";
        Err(Failure::new(Exit::Remote, text).help(ADD_KIND))
    }

    /// True when it is there, whatever it says.
    pub fn is_there(&self) -> bool {
        self.fleet.is_some()
    }

    /// True when there is nothing to write.
    pub fn is_written(&self) -> bool {
        let fleet = self.fleet.as_deref();
        fleet.is_some_and(|fleet| applyset::is_parent(fleet, &self.key.name, &self.key.namespace))
    }

    /// Makes it the parent. This goes before any member is written.
    pub async fn write(&self, store: &Kube, force: bool) -> Result<(), StoreError> {
        let wanted = applyset::parent(&self.key.name, &self.key.namespace);
        let written: Result<Arc<Fleet>, _> = store.apply(&self.key, wanted, OWNER, force).await;
        written.map(drop)
    }
}

/// Where the files are that a controller follows. It is the only one that tells of files.
fn writer(fleet: &Fleet) -> Option<&str> {
    let source = fleet.status.as_ref()?.source.as_ref()?;
    Some(&*source.path).filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parent(fleet: serde_json::Value) -> Parent {
        Parent {
            key: Key::new("metal3", "lab"),
            fleet: Some(Arc::new(serde_json::from_value(fleet).unwrap())),
            has_kind: true,
        }
    }

    #[test]
    fn who_follows_files_is_the_one_writer_unless_paused() {
        let fleet = |paused: bool| {
            parent(json!({
                "apiVersion": "metalform.dev/v1alpha1",
                "kind": "Fleet",
                "metadata": { "name": "lab", "namespace": "metal3" },
                "spec": { "paused": paused },
                "status": {
                    "source": { "path": "/specs/fleet.kdl" },
                    "lastGood": { "digest": "0123", "time": "2026-01-01T00:00:00Z" },
                    "conditions": [{
                        "type": "Valid", "status": "False", "reason": "SpecErrors",
                        "message": "1 error", "lastTransitionTime": "2026-01-01T00:00:00Z",
                    }],
                },
            }))
        };
        let refused = fleet(false).refuse_others(false).unwrap_err();
        assert_eq!(refused.exit, Exit::Stale);
        assert!(refused.text.contains("/specs/fleet.kdl"), "{refused}");
        assert!(fleet(false).refuse_others(true).is_ok());
        assert!(fleet(true).refuse_others(false).is_ok());
        let said = fleet(false).others();
        assert_eq!(
            said.as_deref(),
            Some("a controller follows /specs/fleet.kdl for it")
        );
        let running = fleet(false);
        let followed = running.followed().unwrap();
        assert_eq!(followed.source, "/specs/fleet.kdl");
        assert_eq!(
            (followed.digest, followed.trouble),
            (Some("0123"), Some("1 error"))
        );
        assert!(fleet(true).followed().is_none());
    }

    #[test]
    fn a_set_of_another_tool_is_left_alone_whatever_is_forced() {
        let fleet = parent(json!({
            "metadata": {
                "name": "lab", "namespace": "metal3",
                "annotations": { "applyset.kubernetes.io/tooling": "kubectl/v1.33" },
            },
        }));
        assert!(fleet.followed().is_none());
        assert!(
            fleet
                .refuse_others(true)
                .unwrap_err()
                .text
                .contains("kubectl/v1.33")
        );
    }

    #[test]
    fn without_an_object_nobody_else_writes() {
        let parent = Parent {
            key: Key::new("metal3", "lab"),
            fleet: None,
            has_kind: true,
        };
        assert!(parent.refuse_others(false).is_ok() && !parent.is_written());
    }

    #[test]
    fn without_the_kind_a_plan_says_which_and_an_apply_ends() {
        let parent = Parent {
            key: Key::new("metal3", "lab"),
            fleet: None,
            has_kind: false,
        };
        assert!(parent.refuse_others(false).is_ok());
        let failure = parent.needs_kind().unwrap_err();
        assert_eq!(failure.exit, Exit::Remote);
        assert!(parent.others().unwrap().contains("crd fleets |"));
    }
}
