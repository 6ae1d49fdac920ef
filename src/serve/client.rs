//! The client of the socket: what `get`, `plan`, `explain` and `apply` talk to.
//!
//! It speaks Kubernetes paths, so that the same verbs work against a cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::api::{BareMetalHost, Owners};
use crate::store::Key;

pub use super::hosts::{Following, Held, Reason};

/// Why an answer could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens: no `metalform run` holds this store.
    #[error("nobody answers on {0}")]
    NobodyThere(PathBuf),
    /// The connection broke.
    #[error("{socket}: {reason}")]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The process ended before it answered. Who only asked may ask again.
    #[error("the process that answered on {0} ended before it had answered")]
    Ended(PathBuf),
    /// The other side said no.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        code: u16,
        /// Its text.
        message: String,
    },
}

/// How long an answer may take: a process that is stopped (Ctrl-Z) answers never.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client of one socket. Every request opens a connection: it is local and costs microseconds.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// A client, if somebody listens.
    ///
    /// # Errors
    /// [`ClientError::NobodyThere`] when not.
    pub async fn connect(socket: &Path) -> Result<Self, ClientError> {
        let client = Self {
            socket: socket.to_owned(),
        };
        client.stream().await?;
        Ok(client)
    }

    /// All hosts, in order.
    ///
    /// # Errors
    /// When the answer cannot be had or read.
    pub async fn hosts(&self) -> Result<Vec<BareMetalHost>, ClientError> {
        #[derive(serde::Deserialize)]
        struct List {
            items: Vec<BareMetalHost>,
        }
        let list: List = self.read("/apis/metal3.io/v1alpha1/baremetalhosts").await?;
        Ok(list.items)
    }

    /// Who owns which fields of a host.
    ///
    /// # Errors
    /// When it is not there, or the answer cannot be had or read.
    pub async fn owners(&self, key: &Key) -> Result<Owners, ClientError> {
        self.read(&path(key)).await
    }

    /// Why every host is where it is.
    ///
    /// # Errors
    /// When the answer cannot be had or read.
    pub async fn reasons(&self) -> Result<Vec<Reason>, ClientError> {
        self.read("/metalform/v1/hosts").await
    }

    /// What is followed, how far it is, and what waits.
    ///
    /// # Errors
    /// When the answer cannot be had or read.
    pub async fn following(&self) -> Result<Following, ClientError> {
        self.read("/metalform/v1/held").await
    }

    /// Changes a host by merge patch.
    ///
    /// # Errors
    /// When it is refused or cannot be sent.
    pub async fn patch_host(&self, key: &Key, patch: &Value) -> Result<(), ClientError> {
        let path = path(key);
        let body = Bytes::from(patch.to_string());
        self.send(Method::PATCH, &path, "application/merge-patch+json", body)
            .await?;
        Ok(())
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let bytes = self
            .send(Method::GET, path, "application/json", Bytes::new())
            .await?;
        serde_json::from_slice(&bytes).map_err(|error| self.broken(&error))
    }

    fn broken(&self, reason: &dyn std::fmt::Display) -> ClientError {
        ClientError::Broken {
            socket: self.socket.clone(),
            reason: reason.to_string(),
        }
    }

    /// The error of a request that was under way.
    fn cut_off(&self, error: &hyper::Error) -> ClientError {
        use std::io::ErrorKind;
        let mut source: Option<&dyn std::error::Error> = Some(error);
        let system = std::iter::from_fn(|| {
            let error = source?;
            source = error.source();
            Some(error)
        })
        .find_map(|error| error.downcast_ref::<std::io::Error>());
        let is_gone = system.is_some_and(|error| {
            matches!(
                error.kind(),
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::NotConnected
            )
        });
        if is_gone || error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
            return ClientError::Ended(self.socket.clone());
        }
        self.broken(error)
    }

    async fn stream(&self) -> Result<UnixStream, ClientError> {
        UnixStream::connect(&self.socket)
            .await
            .map_err(|error| match error.kind() {
                // A socket file without a listener is left by a process that was killed.
                std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
                    ClientError::NobodyThere(self.socket.clone())
                }
                _ => self.broken(&error),
            })
    }

    /// Sends one request and reads the whole answer.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for an answer that is no success, with the text of its `Status`;
    /// [`ClientError::Ended`] when the process ended meanwhile;
    /// [`ClientError::Broken`] when none comes in ten seconds.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        content: &str,
        body: Bytes,
    ) -> Result<Bytes, ClientError> {
        let asked = self.ask(method, path, content, body);
        tokio::time::timeout(PATIENCE, asked).await.map_err(|_| {
            self.broken(&format!(
                "no answer in {} s; is the process that holds the store stopped?",
                PATIENCE.as_secs()
            ))
        })?
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        content: &str,
        body: Bytes,
    ) -> Result<Bytes, ClientError> {
        let stream = self.stream().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.broken(&error))?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "metalform")
            .header(header::CONTENT_TYPE, content)
            .body(Full::new(body))
            .map_err(|error| self.broken(&error))?;
        let answer = async {
            let answer = sender.send_request(request).await?;
            let code = answer.status();
            Ok::<_, hyper::Error>((code, answer.into_body().collect().await?.to_bytes()))
        };
        // The connection has to be driven while the answer is awaited.
        tokio::pin!(connection);
        tokio::pin!(answer);
        let result = tokio::select! {
            result = &mut answer => result,
            ended = &mut connection => match ended {
                Ok(()) => answer.await,
                Err(error) => Err(error),
            },
        };
        let (code, bytes) = result.map_err(|error| self.cut_off(&error))?;
        if code.is_success() {
            return Ok(bytes);
        }
        let said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let message = said["message"]
            .as_str()
            .map_or_else(|| plain(code, &bytes), str::to_owned);
        Err(ClientError::Refused {
            code: code.as_u16(),
            message,
        })
    }
}

fn path(key: &Key) -> String {
    let Key { namespace, name } = key;
    format!("/apis/metal3.io/v1alpha1/namespaces/{namespace}/baremetalhosts/{name}")
}

fn plain(code: StatusCode, bytes: &[u8]) -> String {
    format!("{code}: {}", String::from_utf8_lossy(bytes))
}
