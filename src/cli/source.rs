//! Where a verb reads hosts: from the running process, from the store when nobody holds it, or
//! nowhere yet.

use std::sync::Arc;

use crate::api::BareMetalHost;
use crate::plan::Owned;
use crate::serve::client::{Client, ClientError, Reason};
use crate::store::{Embedded, Key, Store as _};

use super::home::Home;
use super::{Exit, Failure, run};

/// A place to read from.
pub(super) enum Source {
    /// `metalform run` holds the store and answers on its socket.
    Running(Client),
    /// Nobody holds the store: this process does, for a moment.
    Stored(Arc<Embedded>),
    /// There is no store yet.
    Nothing,
}

impl Source {
    /// Finds the place.
    pub async fn open(home: &Home) -> Result<Self, Failure> {
        match Client::connect(&home.socket()).await {
            Ok(client) => Ok(Self::Running(client)),
            Err(ClientError::NobodyThere(_)) if home.store().exists() => {
                Ok(Self::Stored(run::open(home)?))
            }
            Err(ClientError::NobodyThere(_)) => Ok(Self::Nothing),
            Err(error) => Err(remote(&error)),
        }
    }

    /// All hosts.
    pub async fn hosts(&self) -> Result<Vec<Arc<BareMetalHost>>, Failure> {
        match self {
            Self::Running(client) => {
                let hosts = client.hosts().await.map_err(|error| remote(&error))?;
                Ok(hosts.into_iter().map(Arc::new).collect())
            }
            Self::Stored(store) => Ok(store.list()),
            Self::Nothing => Ok(Vec::new()),
        }
    }

    /// Why every host is where it is; only a running process knows.
    pub async fn reasons(&self) -> Result<Vec<Reason>, Failure> {
        match self {
            Self::Running(client) => client.reasons().await.map_err(|error| remote(&error)),
            Self::Stored(_) | Self::Nothing => Ok(Vec::new()),
        }
    }

    /// Who owns which fields of these hosts.
    pub async fn owned(&self, keys: Vec<Key>) -> Result<Owned, Failure> {
        let mut owned = Owned::new();
        for key in keys {
            let fields = match self {
                Self::Running(client) => {
                    let host = client.host(&key).await.map_err(|error| remote(&error))?;
                    host.metadata.managed_fields.unwrap_or_default()
                }
                Self::Stored(store) => {
                    let fields =
                        crate::store::Store::<BareMetalHost>::managed_fields(store.as_ref(), &key);
                    fields
                        .await
                        .map_err(|error| Failure::new(Exit::Remote, error.to_string()))?
                }
                Self::Nothing => Vec::new(),
            };
            owned.insert(key, fields);
        }
        Ok(owned)
    }

    /// Lets go of the store, if it was opened.
    pub async fn close(self) -> Result<(), Failure> {
        match self {
            Self::Stored(store) => store
                .close()
                .await
                .map_err(|error| Failure::new(Exit::Remote, error.to_string())),
            Self::Running(_) | Self::Nothing => Ok(()),
        }
    }
}

pub(super) fn remote(error: &ClientError) -> Failure {
    Failure::new(Exit::Remote, error.to_string())
}
