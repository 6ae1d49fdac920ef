//! Secrets from a folder: those that the spec names, and no others. Their contents go into the requests
//! and nowhere else; a person sees names.

use std::collections::BTreeMap;

use crate::api::BareMetalHost;
use crate::cli::apply::ApplyArgs;
use crate::cli::cluster::{Remote, failed};
use crate::cli::plan::Made;
use crate::cli::{Exit, Failure};
use crate::plan::OWNER;
use crate::secrets::{Put, Secret, Secrets as _, SecretsFolder, named, put};
use crate::store::{Key, StoreError};

/// Secrets to write.
#[derive(Default)]
pub(super) struct Writing {
    /// What is in each, and what the server says would come of it.
    all: BTreeMap<Key, (Secret, Put)>,
    force: bool,
}

impl Writing {
    /// Reads those that wanted hosts name from the folder of the command line and asks the server
    /// what would come of each. Without a folder there are none.
    pub async fn of(args: &ApplyArgs, made: &Made, remote: &Remote) -> Result<Self, Failure> {
        let Some(root) = &args.with_secrets else {
            return Ok(Self::default());
        };
        if !root.is_dir() {
            let text = format!("--with-secrets {}: no such folder", root.display());
            return Err(Failure::new(Exit::Usage, text).help("one folder a secret, one file a key"));
        }
        let folder = SecretsFolder {
            root: Some(root.clone()),
        };
        let force = args.force_conflicts;
        let store = remote.store.dry_run();
        let mut all = BTreeMap::new();
        for key in wanted(made) {
            let secret = folder.read("", &key.name).map_err(|error| {
                Failure::new(Exit::Usage, error.to_string())
                    .help("nothing was changed; leave --with-secrets out to write none")
            })?;
            let would = put(&store, &key, &secret, OWNER, force).await;
            let would = would.map_err(|error| failure(&error))?;
            all.insert(key, (secret, would));
        }
        Ok(Self { all, force })
    }

    /// True when none has to be written.
    pub fn is_empty(&self) -> bool {
        self.all.values().all(|(_, would)| *would == Put::Unchanged)
    }

    /// Lines of a plan: names, and whether each changes.
    pub fn show(&self) -> String {
        let line = |(key, (_, would)): (&Key, &(Secret, Put))| {
            let word = match would {
                Put::Created => "created",
                Put::Changed => "changed",
                Put::Unchanged => return String::new(),
            };
            format!("secret {}: {word}\n", key.name)
        };
        self.all.iter().map(line).collect()
    }

    /// Writes those that change.
    pub async fn write(&self, remote: &Remote) -> Result<(), Failure> {
        for (key, (secret, would)) in &self.all {
            if *would != Put::Unchanged {
                let written = put(&remote.store, key, secret, OWNER, self.force).await;
                written.map_err(|error| failure(&error))?;
            }
        }
        Ok(())
    }
}

/// The Secrets that wanted hosts name, each once.
fn wanted(made: &Made) -> std::collections::BTreeSet<Key> {
    let of = |(key, wanted): (&Key, &std::sync::Arc<crate::desired::Wanted>)| {
        let host = BareMetalHost::new(&key.name, wanted.spec.clone());
        let names = named(&host).into_iter().map(|(name, _)| name);
        names
            .map(|name| Key::new(std::sync::Arc::clone(&key.namespace), name))
            .collect::<Vec<_>>()
    };
    made.desired.hosts.iter().flat_map(of).collect()
}

fn failure(error: &StoreError) -> Failure {
    match error {
        StoreError::Owned {
            key, fields, owner, ..
        } => Failure::new(
            Exit::No,
            format!("Secret {key}: {fields} held by {owner} with other contents"),
        )
        .help("--force-conflicts takes these fields; or leave --with-secrets out"),
        error => failed(error),
    }
}
