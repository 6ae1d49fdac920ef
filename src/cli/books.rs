//! Whose machines the statuses in a store describe.
//!
//! A status says what a machine is at, not which machine: taken for another one it would be acted
//! upon. A host that is provisioned on simulated machines would be taken over as provisioned on a
//! real one, and never be deployed. So the store remembers by name what drove its hosts, and other
//! machines are refused while there are hosts that have one.

use std::collections::BTreeMap;
use std::path::Path;

use crate::api::BareMetalHost;
use crate::api::names::annotation;
use crate::desired::Desired;
use crate::engine::DEFAULT_MACHINES;
use crate::eval::range::fold;
use crate::store::{Embedded, Object as _, Store as _};

use super::{Exit, Failure};

/// The store's note.
const NOTE: &str = "machines";
/// What drives simulated machines.
const SIMULATED: &str = "simulated machines";

/// What drives the hosts that name an Ironic: `simulated machines`, or `Ironic at URL`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Books(BTreeMap<String, String>);

impl Books {
    /// Simulated machines have no name.
    pub fn simulated() -> Self {
        Self([(DEFAULT_MACHINES.to_owned(), SIMULATED.to_owned())].into())
    }

    /// Ironics by name, with their addresses.
    pub fn ironics<'a>(all: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let named = all
            .into_iter()
            .map(|(name, url)| (name.to_owned(), format!("Ironic at {url}")));
        Self(named.collect())
    }

    /// For people: each once.
    pub fn text(&self) -> String {
        let mut once: Vec<&str> = self.0.values().map(String::as_str).collect();
        once.sort_unstable();
        once.dedup();
        once.join(", ")
    }

    fn get(&self, name: Option<&str>) -> Option<&str> {
        self.0
            .get(name.unwrap_or(DEFAULT_MACHINES))
            .map(String::as_str)
    }

    /// Takes a store's hosts over, or refuses them: those that have a machine keep it, by the name
    /// that they have now and by the one that the spec gives them. `moved` says that an Ironic only
    /// has another address.
    ///
    /// # Errors
    /// [`Exit::Stale`] when a host would get another machine; [`Exit::Remote`] when the note cannot
    /// be written.
    pub fn take_over(
        &self,
        store: &Embedded,
        desired: &Desired,
        moved: bool,
        home: &Path,
    ) -> Result<(), Failure> {
        let known = store.note(NOTE).map(|text| Self::read(&text));
        let hosts: Vec<std::sync::Arc<BareMetalHost>> = store.list();
        let mut kept = self.clone();
        let mut strange: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for host in hosts.iter().filter(|host| has_machine(host)) {
            let Some(known) = &known else { break };
            let name = host.annotation(annotation::IRONIC);
            let Some(had) = known.get(name) else { continue };
            let next = match desired.hosts.get(&host.key()) {
                Some(wanted) => wanted.ironic.as_deref(),
                None => name,
            };
            for now in [self.get(name), self.get(next)].into_iter().flatten() {
                let other_address = moved && had != SIMULATED && now != SIMULATED;
                if now != had && !other_address {
                    strange
                        .entry((had.to_owned(), now.to_owned()))
                        .or_default()
                        .push(host.key().name.to_string());
                }
            }
            // A name that the spec has no more is remembered while a host has it.
            let name = name.unwrap_or(DEFAULT_MACHINES).to_owned();
            kept.0.entry(name).or_insert_with(|| had.to_owned());
        }
        let Some(((had, now), names)) = strange.into_iter().next() else {
            return store
                .set_note(NOTE, &kept.write())
                .map_err(|error| Failure::new(Exit::Remote, error.to_string()));
        };
        let text = format!("{} have their machines at {had}, not at {now}", fold(names));
        let anew = format!(
            "give each its own folder, or move {} away to start with an empty store (machines are \
             found again where they are enrolled)",
            home.display()
        );
        let help = if had == SIMULATED || now == SIMULATED {
            anew
        } else {
            format!("{anew}; if that Ironic only has another address now, say --same-machines once")
        };
        Err(Failure::new(Exit::Stale, text).help(help))
    }

    fn read(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_default())
    }

    fn write(&self) -> String {
        serde_json::json!(self.0).to_string()
    }
}

/// Whether a machine was enrolled for a host.
fn has_machine(host: &BareMetalHost) -> bool {
    let status = host.status.as_ref();
    status.is_some_and(|status| !status.provisioning.id.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::plan::testing::{HOST, spec};
    use crate::store::Options;

    const A: (&str, &str) = ("default", "http://a");

    /// A store with one host that has a machine, and what the spec says of it.
    async fn store(mark: Option<&str>) -> Embedded {
        let store = Embedded::memory(Options::default());
        let host = serde_json::json!({
            "metadata": {
                "name": "n1", "namespace": "metal3",
                "annotations": mark.map(|mark| serde_json::json!({annotation::IRONIC: mark})),
            },
            "spec": {"online": true},
        });
        let host: BareMetalHost = serde_json::from_value(host).unwrap();
        let host: Arc<BareMetalHost> = store.create(host).await.unwrap();
        let mut enrolled = (*host).clone();
        let status = enrolled.status.get_or_insert_default();
        status.provisioning.id = "11111111-1111-1111-1111-111111111111".into();
        let version = host.version();
        store.update_status(enrolled, version).await.unwrap();
        store
    }

    fn desired(ironics: &[&str], driven_by: Option<&str>) -> Desired {
        let ironics = ironics
            .iter()
            .map(|name| format!("ironic {name} {{ url \"http://{name}\"; }}\n"));
        let driven_by = driven_by.map(|name| format!("driven-by {name};"));
        let text = format!(
            "spec f\n{}host \"n[slot=1-1]\" {{ {HOST}; {} }}\n",
            ironics.collect::<String>(),
            driven_by.unwrap_or_default()
        );
        spec(&text).desired(&[])
    }

    fn taken(
        books: &Books,
        store: &Embedded,
        desired: &Desired,
        moved: bool,
    ) -> Result<(), String> {
        books
            .take_over(store, desired, moved, Path::new("/p/.metalform"))
            .map_err(|failure| {
                assert_eq!(failure.exit, Exit::Stale);
                failure.text
            })
    }

    #[tokio::test]
    async fn simulated_and_real_machines_are_not_each_others() {
        let (simulated, real) = (Books::simulated(), Books::ironics([A, ("a", "http://a")]));
        let desired = desired(&["a"], None);
        for (first, second) in [(&simulated, &real), (&real, &simulated)] {
            let store = store(None).await;
            taken(first, &store, &desired, false).unwrap();
            let refused = taken(second, &store, &desired, true).unwrap_err();
            assert!(
                refused.starts_with("n1 have their machines at"),
                "{refused}"
            );
            // What it said before is what it says still.
            taken(first, &store, &desired, false).unwrap();
        }
    }

    #[tokio::test]
    async fn another_address_is_another_ironic_unless_said() {
        let (here, there) = (
            Books::ironics([A]),
            Books::ironics([("default", "http://b")]),
        );
        let desired = desired(&["a"], None);
        let store = store(None).await;
        taken(&here, &store, &desired, false).unwrap();
        taken(&there, &store, &desired, false).unwrap_err();
        taken(&there, &store, &desired, true).unwrap();
        taken(&there, &store, &desired, false).unwrap();
    }

    #[tokio::test]
    async fn a_second_ironic_may_come_and_hosts_get_the_name_of_theirs() {
        let one = Books::ironics([A, ("a", "http://a")]);
        let two = Books::ironics([("a", "http://a"), ("b", "http://b")]);
        let store = store(None).await;
        taken(&one, &store, &desired(&["a"], Some("a")), false).unwrap();
        taken(&two, &store, &desired(&["a", "b"], Some("b")), false).unwrap_err();
        taken(&two, &store, &desired(&["a", "b"], Some("a")), false).unwrap();
        // It has no name yet: that is remembered.
        taken(&one, &store, &desired(&["a"], None), false).unwrap();
    }

    #[tokio::test]
    async fn the_one_that_is_left_is_the_one_it_had() {
        let two = Books::ironics([("a", "http://a"), ("b", "http://b")]);
        let left = |name: &'static str, url| Books::ironics([("default", url), (name, url)]);
        let store = store(Some("a")).await;
        taken(&two, &store, &desired(&["a", "b"], Some("a")), false).unwrap();
        taken(
            &left("b", "http://b"),
            &store,
            &desired(&["b"], None),
            false,
        )
        .unwrap_err();
        taken(
            &left("a", "http://a"),
            &store,
            &desired(&["a"], None),
            false,
        )
        .unwrap();
    }
}
