//! How long an API server may be silent before a connection counts as dead. A machine that went
//! without a word, or a middlebox that forgot a connection, would otherwise be waited for until TCP
//! gives up after a quarter of an hour; and nothing says that hosts change meanwhile.

use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Body, Frame};
use kube::client::ClientBuilder;
use tower::util::MapFutureLayer;
use tower::{BoxError, Service};

/// The limits of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From a request to the head of its answer, connecting included.
    pub answer: Duration,
    /// From one piece of an answer to the next. A watch that has nothing to tell ends after a
    /// minute.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(30),
            silence: Duration::from_secs(90),
        }
    }
}

/// The limit that was passed.
#[derive(Debug, thiserror::Error)]
#[error("it was silent for {0:?}")]
struct Silent(Duration);

impl Patience {
    /// A client that gives up on a silent server.
    pub fn client<S, B>(self, builder: ClientBuilder<S>) -> kube::Client
    where
        S: Service<
                http::Request<kube::client::Body>,
                Response = http::Response<B>,
                Error = BoxError,
                Future: Send + 'static,
            > + Send
            + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let limit = move |answer: S::Future| async move {
            match tokio::time::timeout(self.answer, answer).await {
                Ok(answer) => Ok(answer?.map(|body| self.pieces(body))),
                Err(_) => Err(BoxError::from(Silent(self.answer))),
            }
        };
        builder.with_layer(&MapFutureLayer::new(limit)).build()
    }

    /// The body, which fails when nothing of it comes.
    fn pieces<B>(
        self,
        body: B,
    ) -> StreamBody<impl Stream<Item = Result<Frame<Bytes>, BoxError>> + Send>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let next = move |body: Option<B>| async move {
            let mut body = body?;
            match tokio::time::timeout(self.silence, body.frame()).await {
                Ok(None) => None,
                Ok(Some(Ok(frame))) => Some((Ok(frame), Some(body))),
                Ok(Some(Err(error))) => Some((Err(error.into()), None)),
                Err(_) => Some((Err(Silent(self.silence).into()), None)),
            }
        };
        StreamBody::new(stream::unfold(Some(body), next))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A client of a server on this machine that takes every connection, says this on it and then
    /// nothing.
    async fn client(says: &'static str, patience: Patience) -> kube::Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let read = connection.read(&mut request).await.unwrap();
                assert!(read > 0, "a request came");
                connection.write_all(says.as_bytes()).await.unwrap();
                open.push(connection);
            }
        });
        let url = format!("http://{address}").parse().unwrap();
        let builder = ClientBuilder::try_from(kube::Config::new(url)).unwrap();
        patience.client(builder)
    }

    async fn asks(says: &'static str, patience: Patience) -> String {
        let request = http::Request::get("/x").body(Vec::new()).unwrap();
        let client = client(says, patience).await;
        let asked = client.request_text(request);
        let answer = tokio::time::timeout(Duration::from_secs(20), asked).await;
        match answer.expect("it gives up by itself") {
            Ok(text) => text,
            Err(error) => format!("{error:?}"),
        }
    }

    const SHORT: Patience = Patience {
        answer: Duration::from_secs(1),
        silence: Duration::from_millis(300),
    };

    #[tokio::test]
    async fn a_server_that_takes_connections_and_never_answers_is_given_up() {
        let error = asks("", SHORT).await;
        assert!(error.contains("Silent(1s)"), "{error}");
    }

    #[tokio::test]
    async fn so_is_one_that_stops_in_the_middle_of_an_answer() {
        let half = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
        let error = asks(half, SHORT).await;
        assert!(error.contains("Silent(300ms)"), "{error}");
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhalf";
        assert_eq!(asks(whole, Patience::default()).await, "half");
    }
}
