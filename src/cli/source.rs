//! Where a verb reads hosts: from the running process, from the store when nobody holds it, from a
//! cluster, or nowhere yet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::api::BareMetalHost;
use crate::plan::Owned;
use crate::serve::client::{Client, ClientError, Reason};
use crate::store::{Embedded, Key, Store as _};

use super::cluster::Remote;
use super::home::{HELD_STEP, Home};
use super::{Exit, Failure};

/// How long one who reads waits for the store: a `run` that stops has neither a socket nor let go of
/// the store for as long as its last effects take, which is 5 s at most.
const HELD: Duration = Duration::from_secs(6);

/// A place to read from.
pub(super) enum Source {
    /// `metalform run` holds the store and answers on its socket.
    Running(Client),
    /// Nobody holds the store: this process does, for a moment.
    Stored(Arc<Embedded>),
    /// A cluster is meant.
    Cluster(Remote),
    /// There is no store yet.
    Nothing,
}

impl Source {
    /// Finds the place, reads there and lets go of it. A process may end while it is asked: then
    /// the place is another one, and `read` is called again.
    pub async fn read<T>(
        home: &Home,
        read: impl AsyncFn(&Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        loop {
            let source = Self::open(home, started).await?;
            match read(&source).await {
                Err(failure) if failure.exit == Exit::Stale && started.elapsed() < HELD => {
                    tokio::time::sleep(HELD_STEP).await;
                }
                found => {
                    let closed = source.close().await;
                    return found.and_then(|found| closed.map(|()| found));
                }
            }
        }
    }

    /// Finds the place. Others that read hold the store for a moment, and so does a `run` that
    /// starts or stops: then both are looked at again for a while.
    async fn open(home: &Home, started: Instant) -> Result<Self, Failure> {
        loop {
            match Client::connect(&home.socket()).await {
                Ok(client) => return Ok(Self::Running(client)),
                Err(ClientError::NobodyThere(_)) if home.store().exists() => match home.open() {
                    Err(failure) if failure.exit == Exit::Stale && started.elapsed() < HELD => {
                        tokio::time::sleep(HELD_STEP).await;
                    }
                    opened => return Ok(Self::Stored(opened?)),
                },
                Err(ClientError::NobodyThere(_)) => match home.is_elsewhere() {
                    Err(failure) if failure.exit == Exit::Stale && started.elapsed() < HELD => {
                        tokio::time::sleep(HELD_STEP).await;
                    }
                    found => return found.map(|()| Self::Nothing),
                },
                Err(error) => return Err(remote(&error)),
            }
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
            Self::Cluster(remote) => remote.hosts().await,
            Self::Nothing => Ok(Vec::new()),
        }
    }

    /// Why every host is where it is. Only who drives them knows; in a cluster that one has it
    /// written to these hosts.
    pub async fn reasons(&self, hosts: &[Arc<BareMetalHost>]) -> Result<Vec<Reason>, Failure> {
        match self {
            Self::Running(client) => client.reasons().await.map_err(|error| remote(&error)),
            Self::Cluster(_) => Ok(Remote::reasons(hosts)),
            Self::Stored(_) | Self::Nothing => Ok(Vec::new()),
        }
    }

    /// Why the running process does not follow the spec as it is, if there is one and it does not.
    pub async fn kept(&self) -> Result<Option<String>, Failure> {
        match self {
            Self::Running(client) => {
                let following = client.following().await;
                Ok(following.map_err(|error| remote(&error))?.reading.kept)
            }
            Self::Stored(_) | Self::Cluster(_) | Self::Nothing => Ok(None),
        }
    }

    /// Who owns which fields of these hosts.
    pub async fn owned(&self, keys: Vec<Key>) -> Result<Owned, Failure> {
        if let Self::Cluster(remote) = self {
            return remote.owned(keys).await;
        }
        let mut owned = Owned::new();
        for key in keys {
            let fields = match self {
                Self::Running(client) => {
                    let owners = client.owners(&key).await.map_err(|error| remote(&error))?;
                    owners.into()
                }
                Self::Stored(store) => {
                    let fields =
                        crate::store::Store::<BareMetalHost>::managed_fields(store.as_ref(), &key);
                    fields
                        .await
                        .map_err(|error| Failure::new(Exit::Remote, error.to_string()))?
                }
                Self::Cluster(_) | Self::Nothing => Vec::new(),
            };
            owned.insert(key, fields);
        }
        Ok(owned)
    }

    /// Lets go of the store, if it was opened.
    async fn close(self) -> Result<(), Failure> {
        match self {
            Self::Stored(store) => store
                .close()
                .await
                .map_err(|error| Failure::new(Exit::Remote, error.to_string())),
            Self::Running(_) | Self::Cluster(_) | Self::Nothing => Ok(()),
        }
    }
}

fn remote(error: &ClientError) -> Failure {
    let exit = match error {
        ClientError::Ended(_) => Exit::Stale,
        _ => Exit::Remote,
    };
    Failure::new(exit, error.to_string())
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    #[tokio::test]
    async fn a_process_that_ends_while_it_is_asked_is_not_the_last_word() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::of(dir.path());
        std::fs::create_dir_all(home.socket().parent().unwrap()).unwrap();
        let listener = UnixListener::bind(home.socket()).unwrap();
        let socket = home.socket();
        let ending = tokio::spawn(async move {
            // The look whether somebody is there, and the question.
            for _ in 0..2 {
                listener.accept().await.unwrap();
            }
            drop(listener);
            std::fs::remove_file(socket).unwrap();
        });
        let hosts = Source::read(&home, async |source| source.hosts().await).await;
        assert!(hosts.unwrap().is_empty());
        ending.await.unwrap();
    }
}
