//! How requests travel to the API server.
//!
//! Requests share one connection (HTTP/2): what many hosts ask for at once goes out in few packets, and
//! there is one connection to set up and to keep in memory in place of one for each request under way.
//! Watches have one each (HTTP/1, kube's own way): they are as many as there are kinds and namespaces, and
//! a server takes a hundred streams on a connection. So it is, too, where there is a proxy in between, and
//! for a server without TLS.

use std::time::Duration;

use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::{Builder, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ClientBuilder, ConfigExt as _};
use tower::util::MapRequestLayer;
use tower::{BoxError, ServiceBuilder};

use super::patience::Patience;

/// How long a connection may take to come about, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// A connection on which somebody waits is asked for a sign of life this often, and given up after as long
/// without one: all requests share it, and those of a lease have ten seconds in all.
const PING: Duration = Duration::from_secs(3);

/// A client for requests, with a connection of its own that is made when it is needed.
///
/// # Errors
/// When certificates, a credential plugin or a proxy cannot be used. The server is not asked.
pub(super) fn client(config: kube::Config) -> Result<kube::Client, kube::Error> {
    let is_tls = config.cluster_url.scheme() == Some(&http::uri::Scheme::HTTPS);
    if config.proxy_url.is_some() || !is_tls {
        return one_each(config);
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    // A request is small and does not wait for the next one.
    tcp.set_nodelay(true);
    let mut tls = HttpsConnectorBuilder::new()
        .with_tls_config(config.rustls_client_config()?)
        .https_or_http();
    if let Some(name) = &config.tls_server_name {
        let name = name.clone().try_into();
        let name = name.map_err(|error| {
            kube::Error::RustlsTls(kube::client::RustlsTlsError::InvalidServerName(error))
        })?;
        tls = tls.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let mut connector = TimeoutConnector::new(tls.enable_all_versions().wrap_connector(tcp));
    connector.set_connect_timeout(Some(CONNECT));
    let connection = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_keep_alive_interval(PING)
        .http2_keep_alive_timeout(PING)
        .build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(connection);
    let builder = ClientBuilder::new(service, config.default_namespace);
    Ok(Patience::default().client(builder))
}

/// A client with a connection for each request or watch that is under way.
///
/// # Errors
/// Those of [`client`].
pub(super) fn one_each(mut config: kube::Config) -> Result<kube::Client, kube::Error> {
    // Who decided decides again; a repeated write would be one that nobody decided.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    // These would count from the last byte on a connection that rests: `Patience` has the limits.
    config.read_timeout = None;
    config.write_timeout = None;
    let builder = ClientBuilder::try_from(config)?.with_layer(&MapRequestLayer::new(fresh));
    Ok(Patience::default().client(builder))
}

/// kube-runtime asks for streaming lists that may be as old as the server likes
/// (`resourceVersion=0`): one read after a write came without what was written. Without a version
/// the list is as of now, as Go's clients ask for it.
fn fresh(request: http::Request<Body>) -> http::Request<Body> {
    const OLD: &str = "&resourceVersion=0";
    let (mut head, body) = request.into_parts();
    // Most are no lists.
    let is_streaming = head
        .uri
        .query()
        .is_some_and(|query| query.contains("sendInitialEvents=true") && query.contains(OLD));
    if is_streaming && let Ok(uri) = head.uri.to_string().replace(OLD, "").parse() {
        head.uri = uri;
    }
    http::Request::from_parts(head, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_streaming_list_is_as_of_now() {
        let asked = |uri: &str| {
            let request = http::Request::get(uri).body(Body::empty()).unwrap();
            fresh(request).uri().to_string()
        };
        assert_eq!(
            asked(
                "/x?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=0"
            ),
            "/x?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        );
        let goes_on = "/x?watch=true&resourceVersion=70";
        assert_eq!(asked(goes_on), goes_on);
    }

    /// If kube comes to ask in another way, the layer above has to follow.
    #[test]
    fn kube_still_asks_for_any_age() {
        let watch = kube::api::WatchParams::default().initial_events();
        let request = kube::core::Request::new("/x").watch(&watch, "0").unwrap();
        let uri = request.uri().to_string();
        assert!(uri.contains("sendInitialEvents=true"), "{uri}");
        assert!(uri.contains("&resourceVersion=0"), "{uri}");
    }

    #[tokio::test]
    async fn a_proxy_is_asked_for_the_way() {
        use tokio::io::AsyncReadExt as _;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let mut config = kube::Config::new("https://127.0.0.1:1".parse().unwrap());
        config.proxy_url = Some(proxy.parse().unwrap());
        let client = client(config).unwrap();
        let asks = tokio::spawn(async move {
            let request = http::Request::get("/x").body(Vec::new()).unwrap();
            client.request_text(request).await
        });
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut asked = [0; 1024];
        let read = connection.read(&mut asked).await.unwrap();
        let asked = String::from_utf8_lossy(&asked[..read]);
        assert!(asked.starts_with("CONNECT 127.0.0.1:1 "), "{asked}");
        asks.abort();
    }
}
