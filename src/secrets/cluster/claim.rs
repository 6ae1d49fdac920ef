//! What marks a Secret as used by hosts. Pure: from its metadata to a patch of them.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::api::names::{finalizer, label};
use crate::api::{API_VERSION, BareMetalHost, Metadata, OwnerReference};
use crate::secrets::Use;

const HOST: &str = "BareMetalHost";

/// The marks that a Secret should have.
#[derive(Debug, PartialEq)]
pub(super) struct Claim {
    label: bool,
    finalizer: bool,
    owners: Vec<OwnerReference>,
}

impl Claim {
    /// True when some mark may be missing, told without counting who else names the Secret.
    pub fn lacks(meta: &Metadata, host: &BareMetalHost, of: Use) -> bool {
        let unmarked = !is_labelled(meta) || (of.holds() && !meta.has_finalizer(finalizer::SECRET));
        let partly = hosts(meta).next().is_some() && !is_owner(meta, host);
        // One that goes takes no finalizer any more.
        meta.deletion_timestamp.is_none() && (unmarked || (of == Use::Access && partly))
    }

    /// The marks for one host more. `others` counts other hosts that name the Secret, up to a
    /// number.
    pub fn of(
        meta: &Metadata,
        host: &BareMetalHost,
        of: Use,
        others: impl FnOnce(usize) -> usize,
    ) -> Self {
        let mut claim = Self::as_it_is(meta);
        if !Self::lacks(meta, host, of) {
            return claim;
        }
        let is_new = !is_labelled(meta);
        claim.label = true;
        claim.finalizer |= of.holds();
        if of == Use::Access {
            let owned = hosts(meta).count();
            let others = others(owned + 1);
            if others > 0 {
                // All or none: with some only it would go with the last of these. Who names it and
                // owns nothing says more than the count, in which are hosts that name it no more.
                if owned <= others || !is_owner(meta, host) {
                    claim.owners.retain(|owner| !is_host(owner));
                }
            } else {
                // Of hosts that do not name it any more: it would go with the last of those.
                let left = |owner: &OwnerReference| is_host(owner) && !is(owner, host);
                claim.owners.retain(|owner| !left(owner));
                if is_new && !is_owner(meta, host) {
                    claim.owners.push(owner(host));
                }
            }
        }
        claim
    }

    /// The marks without this host, which goes or names another one from now on. `others` as with
    /// [`Claim::of`].
    pub fn without(
        meta: &Metadata,
        host: &BareMetalHost,
        others: impl FnOnce(usize) -> usize,
    ) -> Self {
        let mut claim = Self::as_it_is(meta);
        if !claim.finalizer && hosts(meta).next().is_none() {
            return claim;
        }
        let needed = others(1) > 0;
        claim.finalizer &= needed;
        // All at once: taken off one by one, thousands of hosts that go together would each write a
        // Secret that all the others write. A Secret that came with its only host goes with it, and
        // stays when that host merely names another one.
        if needed || host.metadata.deletion_timestamp.is_none() {
            claim.owners.retain(|owner| !is_host(owner));
        }
        claim
    }

    fn as_it_is(meta: &Metadata) -> Self {
        Self {
            label: is_labelled(meta),
            finalizer: meta.has_finalizer(finalizer::SECRET),
            owners: owners(meta).cloned().collect(),
        }
    }

    /// A merge patch to these marks, for this version of the Secret; `None` when all is there.
    pub fn patch(&self, meta: &Metadata) -> Option<Value> {
        let now = Self::as_it_is(meta);
        let mut change = Map::new();
        if self.label != now.label {
            let label = json!({ label::ENVIRONMENT: label::ENVIRONMENT_BAREMETAL });
            change.insert("labels".into(), label);
        }
        if self.finalizer != now.finalizer {
            let others = meta.finalizers().iter().cloned();
            let mut all: Vec<Arc<str>> =
                others.filter(|name| **name != *finalizer::SECRET).collect();
            if self.finalizer {
                all.push(finalizer::SECRET.into());
            }
            change.insert("finalizers".into(), json!(all));
        }
        if self.owners != now.owners {
            change.insert("ownerReferences".into(), json!(self.owners));
        }
        if change.is_empty() {
            return None;
        }
        change.insert("resourceVersion".into(), json!(meta.resource_version));
        Some(json!({ "metadata": change }))
    }
}

fn is_labelled(meta: &Metadata) -> bool {
    let labels = meta.labels.as_ref();
    labels.and_then(|labels| labels.get(label::ENVIRONMENT)) == Some(label::ENVIRONMENT_BAREMETAL)
}

fn owners(meta: &Metadata) -> impl Iterator<Item = &OwnerReference> {
    meta.owner_references.iter().flat_map(|all| all.iter())
}

fn hosts(meta: &Metadata) -> impl Iterator<Item = &OwnerReference> {
    owners(meta).filter(|owner| is_host(owner))
}

fn is_host(owner: &OwnerReference) -> bool {
    *owner.kind == *HOST && *owner.api_version == *API_VERSION
}

fn is(owner: &OwnerReference, host: &BareMetalHost) -> bool {
    is_host(owner) && Some(&owner.uid) == host.metadata.uid.as_ref()
}

fn is_owner(meta: &Metadata, host: &BareMetalHost) -> bool {
    owners(meta).any(|owner| is(owner, host))
}

fn owner(host: &BareMetalHost) -> OwnerReference {
    OwnerReference {
        api_version: API_VERSION.into(),
        kind: HOST.into(),
        name: host.metadata.name.clone().unwrap_or_default(),
        uid: host.metadata.uid.clone().unwrap_or_default(),
        ..OwnerReference::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(value: Value) -> Metadata {
        serde_json::from_value(value).unwrap()
    }

    fn host(name: &str) -> BareMetalHost {
        let mut host = BareMetalHost::new(name, crate::api::BareMetalHostSpec::default());
        host.metadata.uid = Some(format!("uid-{name}").into());
        host
    }

    fn owned_by(names: &[&str]) -> Metadata {
        let owners: Vec<OwnerReference> = names.iter().map(|name| owner(&host(name))).collect();
        meta(json!({
            "labels": { "environment.metal3.io": "baremetal" },
            "finalizers": ["baremetalhost.metal3.io/secret"],
            "ownerReferences": owners,
            "resourceVersion": "7",
        }))
    }

    fn owners_in(patch: &Value) -> Vec<&str> {
        let all = patch["metadata"]["ownerReferences"].as_array().unwrap();
        all.iter()
            .filter_map(|owner| owner["name"].as_str())
            .collect()
    }

    #[test]
    fn credentials_of_one_host_belong_to_it() {
        let fresh = meta(json!({ "finalizers": ["example.com/keep"], "resourceVersion": "3" }));
        let patch = Claim::of(&fresh, &host("a"), Use::Access, |_| 0).patch(&fresh);
        assert_eq!(
            patch.unwrap(),
            json!({ "metadata": {
                "labels": { "environment.metal3.io": "baremetal" },
                "finalizers": ["example.com/keep", "baremetalhost.metal3.io/secret"],
                "ownerReferences": [{
                    "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
                    "name": "a", "uid": "uid-a",
                }],
                "resourceVersion": "3",
            } })
        );
        let claimed = owned_by(&["a"]);
        assert_eq!(
            Claim::of(&claimed, &host("a"), Use::Access, |_| 0).patch(&claimed),
            None
        );
        assert!(!Claim::lacks(&claimed, &host("a"), Use::Access));
    }

    #[test]
    fn shared_credentials_belong_to_nobody() {
        let fresh = meta(json!({}));
        let patch = Claim::of(&fresh, &host("a"), Use::Access, |most| 2999.min(most))
            .patch(&fresh)
            .unwrap();
        assert!(patch["metadata"]["ownerReferences"].is_null(), "{patch}");
        // The first host was alone when it came.
        let owned = owned_by(&["a"]);
        assert!(Claim::lacks(&owned, &host("b"), Use::Access));
        let patch = Claim::of(&owned, &host("b"), Use::Access, |_| 1)
            .patch(&owned)
            .unwrap();
        assert_eq!(owners_in(&patch), Vec::<&str>::new());
        assert!(!Claim::lacks(&owned_by(&[]), &host("b"), Use::Access));
    }

    #[test]
    fn what_the_other_operator_left_stays_as_long_as_it_is_whole() {
        let owned = owned_by(&["a", "b"]);
        for (name, others) in [("a", 1), ("b", 1)] {
            assert_eq!(
                Claim::of(&owned, &host(name), Use::Access, |_| others).patch(&owned),
                None
            );
        }
        let patch = Claim::of(&owned, &host("c"), Use::Access, |_| 2)
            .patch(&owned)
            .unwrap();
        assert_eq!(owners_in(&patch), Vec::<&str>::new());
    }

    /// A host that is being deleted.
    fn leaving(name: &str) -> BareMetalHost {
        let mut host = host(name);
        host.metadata.deletion_timestamp = Some("2026-01-01T00:00:00Z".parse().unwrap());
        host
    }

    #[test]
    fn the_last_host_releases_it() {
        let owned = owned_by(&["a"]);
        let patch = Claim::without(&owned, &leaving("a"), |_| 0)
            .patch(&owned)
            .unwrap();
        assert_eq!(patch["metadata"]["finalizers"], json!([]));
        // The owner reference stays: the Secret goes with its only host, as it came with it.
        assert!(patch["metadata"]["ownerReferences"].is_null());
        // But not with one that stays and names another one now.
        let patch = Claim::without(&owned, &host("a"), |_| 0)
            .patch(&owned)
            .unwrap();
        assert_eq!(patch["metadata"]["finalizers"], json!([]));
        assert_eq!(owners_in(&patch), Vec::<&str>::new());
    }

    #[test]
    fn of_many_hosts_the_first_that_leaves_takes_all_references_along() {
        let shared = owned_by(&[]);
        assert_eq!(
            Claim::without(&shared, &leaving("a"), |_| 1).patch(&shared),
            None
        );
        for all in [&["a", "b", "c"][..], &["a", "b"], &["b"]] {
            let owned = owned_by(all);
            let patch = Claim::without(&owned, &leaving("a"), |most| 2.min(most))
                .patch(&owned)
                .unwrap();
            assert_eq!(owners_in(&patch), Vec::<&str>::new());
            assert!(patch["metadata"]["finalizers"].is_null(), "others need it");
        }
    }

    #[test]
    fn a_host_that_names_it_no_more_does_not_own_it() {
        for (owners, others) in [(&["a"][..], 0), (&["a", "c"], 0), (&["a", "c"], 1)] {
            let owned = owned_by(owners);
            let patch = Claim::of(&owned, &host("b"), Use::Access, |most| others.min(most))
                .patch(&owned)
                .unwrap();
            assert_eq!(owners_in(&patch), Vec::<&str>::new());
        }
    }

    #[test]
    fn what_a_deployment_reads_is_labelled_and_not_held() {
        let fresh = meta(json!({ "resourceVersion": "3" }));
        let patch = Claim::of(&fresh, &host("a"), Use::Deployment, |_| 0)
            .patch(&fresh)
            .unwrap();
        assert_eq!(
            patch,
            json!({ "metadata": {
                "labels": { "environment.metal3.io": "baremetal" }, "resourceVersion": "3",
            } })
        );
    }

    #[test]
    fn one_that_goes_takes_no_mark() {
        let goes =
            meta(json!({ "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x"] }));
        assert!(!Claim::lacks(&goes, &host("a"), Use::Access));
        assert_eq!(
            Claim::of(&goes, &host("a"), Use::Access, |_| 0).patch(&goes),
            None
        );
    }
}
