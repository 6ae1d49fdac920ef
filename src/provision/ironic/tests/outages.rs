//! What cannot be reached, does not let us in, or is not Ironic.

use std::io::{Read as _, Write as _};

use super::*;

#[tokio::test]
async fn an_old_ironic_is_refused() {
    let fake = Fake::start().await;
    let root = json!({ "version": { "min_version": "1.1", "version": "1.89" } });
    fake.before(always("GET /v1", Answer::json(200, &root)));
    let ironic = ironic(&fake);
    let tick = next(&mut ironic.ticks()).await;
    assert!(tick.all && tick.as_of.is_none());
    assert_eq!(
        down(&ironic),
        "Ironic at URL speaks API versions 1.1 to 1.89; metalform needs 1.95 or newer, which Ironic \
         has since 2025.1; since 1970-01-01T00:00:00Z, asked again every few seconds"
    );
}

#[tokio::test]
async fn what_cannot_be_talked_to_is_down_with_a_reason() {
    let fake = Fake::start().await;
    let moved = Answer {
        headers: vec![("location".into(), "https://new.example.net/v1".into())],
        ..Answer::json(301, &Value::Null)
    };
    for (answer, text) in [
        (
            moved,
            "Ironic at URL redirects to https://new.example.net/v1: give that address as Ironic's",
        ),
        (
            Answer::json(200, &json!("hello")),
            "Ironic at URL does not answer as Ironic's API does: GET /v1 names no API versions",
        ),
        (
            Answer::fault(500, "the database is gone"),
            "Ironic at URL answers: the database is gone; since 1970",
        ),
        (
            Answer::json(503, &Value::Null).after(Duration::from_millis(20)),
            "Ironic at URL answers: HTTP 503 Service Unavailable",
        ),
    ] {
        fake.before(always("GET /v1", answer));
        let ironic = ironic(&fake);
        next(&mut ironic.ticks()).await;
        let found = down(&ironic);
        assert!(found.starts_with(text), "{found}");
    }
    fake.before(always(
        "GET /v1/drivers",
        Answer::json(200, &json!({ "drivers": [] })),
    ));
    let ironic = ironic(&fake);
    next(&mut ironic.ticks()).await;
    assert!(down(&ironic).starts_with("Ironic at URL has no conductor yet"));
}

#[tokio::test]
async fn credentials_are_sent_and_not_shown() {
    let fake = Fake::start().await;
    let refused = json!({ "error": { "message": "Incorrect username or password", "code": 401 } });
    let answer = Answer::json(401, &refused);
    fake.before(move |seen| {
        // "user:c4n4ry-in-the-mine"
        let good = Some("Basic dXNlcjpjNG40cnktaW4tdGhlLW1pbmU=");
        let public = seen.path == "/v1";
        let sent = seen.headers.get("authorization").map(String::as_str);
        (!public && sent != good).then(|| answer.clone())
    });
    let at = |address: &str| {
        let endpoint = Endpoint::parse(&fake.url.replace("http://", address)).unwrap();
        let options = Options {
            clock: || Timestamp::UNIX_EPOCH,
            ..Options::new(endpoint)
        };
        Ironic::new(options).unwrap()
    };
    let good = at(&format!("http://user:{CANARY}@"));
    assert!(next(&mut good.ticks()).await.as_of.is_some());
    assert!(!format!("{good:?} {:?}", good.core.client).contains(CANARY));
    let bad = at("http://user:wrong-canary@");
    next(&mut bad.ticks()).await;
    assert_eq!(
        down(&bad),
        "Ironic at URL refuses metalform's credentials (401: Incorrect username or password); \
         correct user and password in the URL that was given; since 1970-01-01T00:00:00Z, asked \
         again every few seconds"
    );
    assert!(matches!(bad.sight(&host("a")), Sight::Down(outage) if outage.unauthorized));
    assert_eq!(
        run(&bad, &host("a"), enroll()).await.unwrap_err().code(),
        "unauthorized"
    );
}

/// What is found when an Ironic is looked for again.
#[derive(Debug, Clone)]
struct Found(Arc<Mutex<Result<Endpoint, String>>>);

impl Found {
    fn new(found: Result<Endpoint, String>) -> Self {
        Self(Arc::new(Mutex::new(found)))
    }

    fn is_now(&self, endpoint: Endpoint) {
        *locked(&self.0) = Ok(endpoint);
    }

    /// An Ironic that is looked for here.
    fn ironic(&self, endpoint: Endpoint) -> Ironic {
        let options = Options {
            clock: || Timestamp::UNIX_EPOCH,
            whereabouts: Some(Arc::new(self.clone())),
            ..Options::new(endpoint)
        };
        Ironic::new(options).unwrap()
    }
}

impl Whereabouts for Found {
    fn look(&self) -> BoxFuture<'_, Result<Endpoint, String>> {
        Box::pin(std::future::ready(locked(&self.0).clone()))
    }
}

#[tokio::test]
async fn a_login_that_is_replaced_is_read_again() {
    let fake = Fake::start().await;
    let taken = Arc::new(Mutex::new("Basic dXNlcjpvbGQ=")); // user:old
    let takes = Arc::clone(&taken);
    fake.before(move |seen| {
        let sent = seen.headers.get("authorization").map(String::as_str);
        (sent != Some(*locked(&takes))).then(|| Answer::json(401, &Value::Null))
    });
    let login = |password: &str| {
        let endpoint = Endpoint::parse(&fake.url).unwrap();
        endpoint
            .login("user", Sealed::new(password))
            .of_folder("/auth/ironic")
    };
    let found = Found::new(Ok(login("old")));
    let ironic = found.ironic(login("old"));
    let mut ticks = ironic.ticks();
    assert!(next(&mut ticks).await.as_of.is_some());
    // Replaced here and there: nobody is kept waiting.
    *locked(&taken) = "Basic dXNlcjpuZXc="; // user:new
    found.is_now(login("new"));
    run(&ironic, &host("a"), enroll()).await.unwrap();
    let tick = next(&mut ticks).await;
    assert!(tick.as_of.is_some() && !tick.all);
    // There first, and here when the kubelet comes to it.
    *locked(&taken) = "Basic dXNlcjpsYXN0"; // user:last
    while next(&mut ticks).await.as_of.is_some() {}
    let text = down(&ironic);
    assert!(
        text.contains("correct `username` and `password` in /auth/ironic"),
        "{text}"
    );
    found.is_now(login("last"));
    assert!(next(&mut ticks).await.as_of.is_some());
    assert!(!format!("{ironic:?} {found:?}").contains("last"));
}

#[tokio::test]
async fn one_that_is_not_found_yet_is_waited_for() {
    let fake = Fake::start().await;
    let found = Found::new(Err("it is not ready: DeploymentInProgress".into()));
    let ironic = found.ironic(Endpoint::unknown("metal3/ironic"));
    let mut ticks = ironic.ticks();
    assert!(next(&mut ticks).await.as_of.is_none());
    let Sight::Down(outage) = ironic.sight(&host("a")) else {
        panic!("not down");
    };
    assert_eq!(
        &*outage.text,
        "Ironic metal3/ironic cannot be used yet: it is not ready: DeploymentInProgress; since \
         1970-01-01T00:00:00Z, asked again every few seconds"
    );
    found.is_now(Endpoint::parse(&fake.url).unwrap());
    assert!(next(&mut ticks).await.as_of.is_some());
}

#[tokio::test]
async fn an_outage_is_told_and_so_is_its_end() {
    let fake = Fake::start().await;
    fake.books(|books| books.add(&json!({ "name": "m~a" })));
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    assert!(matches!(ironic.sight(&host("a")), Sight::Present(_)));
    fake.before(|_| Some(Answer::json(502, &Value::Null)));
    ironic.hurry();
    let tick = news(&mut ticks).await;
    assert!(tick.all && tick.as_of.is_none());
    assert_eq!(
        down(&ironic),
        "Ironic at URL answers: HTTP 502 Bad Gateway; since 1970-01-01T00:00:00Z, asked again every few seconds"
    );
    fake.before(|_| None);
    let tick = news(&mut ticks).await;
    assert!(tick.all && tick.as_of.is_some());
    assert!(matches!(ironic.sight(&host("a")), Sight::Present(_)));
}

#[tokio::test]
async fn one_failed_look_is_no_outage() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    let mut failed = false;
    fake.before(move |_| {
        (!std::mem::replace(&mut failed, true)).then(|| Answer::json(502, &Value::Null))
    });
    ironic.hurry();
    let tick = next(&mut ticks).await;
    assert!(!tick.all && tick.as_of.is_some());
}

/// A TLS server that answers everything with 503, on a thread of its own.
fn tls_server() -> String {
    tls_server_for(None)
}

/// The same, for those only who show the certificate of this file.
fn tls_server_for(client: Option<&str>) -> String {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    let certificate = CertificateDer::from_pem_file(data.join("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(data.join("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = match client {
        None => rustls::server::WebPkiClientVerifier::no_client_auth(),
        Some(file) => {
            let mut roots = rustls::RootCertStore::empty();
            let root = CertificateDer::from_pem_file(data.join(file)).unwrap();
            roots.add(root).unwrap();
            let provider = Arc::clone(&provider);
            rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .build()
                .unwrap()
        }
    };
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok() {
                let answer =
                    b"HTTP/1.1 503 No\r\ncontent-length: 9\r\nconnection: close\r\n\r\nover TLS!";
                stream.write_all(answer).ok();
                stream.conn.send_close_notify();
                stream.flush().ok();
            }
        }
    });
    url
}

#[tokio::test]
async fn certificates_are_checked_against_the_given_ca() {
    let url = tls_server();
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    let at = |ca: &str| {
        let endpoint = Endpoint::parse(&url)
            .unwrap()
            .ca(std::fs::read(data.join(ca)).unwrap());
        Ironic::new(Options::new(endpoint))
    };
    let good = at("ca.pem").unwrap();
    next(&mut good.ticks()).await;
    assert!(
        down(&good).starts_with("Ironic at URL answers: over TLS!"),
        "{}",
        down(&good)
    );
    let bad = at("other-ca.pem").unwrap();
    next(&mut bad.ticks()).await;
    let text = down(&bad);
    assert!(text.contains("certificate that is not trusted"), "{text}");
    assert!(text.contains("with --ironic-ca FILE"), "{text}");
    let named = Endpoint::parse(&url).unwrap().of_node("fra1");
    let stranger = std::fs::read(data.join("other-ca.pem")).unwrap();
    let named = Ironic::new(Options::new(named.ca(stranger))).unwrap();
    next(&mut named.ticks()).await;
    let text = down(&named);
    assert!(
        text.starts_with("Ironic `fra1` at URL shows a TLS certificate"),
        "{text}"
    );
    assert!(text.contains("as `ca` of `ironic fra1`"), "{text}");
    // Whoever says so trusts anybody.
    let any = Endpoint::parse(&url).unwrap().unverified();
    let any = Ironic::new(Options::new(any)).unwrap();
    next(&mut any.ticks()).await;
    assert!(
        down(&any).starts_with("Ironic at URL answers: over TLS!"),
        "{}",
        down(&any)
    );
    assert_eq!(at("README").unwrap_err().code(), "IronicCa");
}

/// The authority's certificate is replaced while the old one is in use.
#[tokio::test]
async fn a_ca_that_is_replaced_is_read_again() {
    let url = tls_server();
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    let at = |ca: &str| {
        let endpoint = Endpoint::parse(&url).unwrap();
        endpoint.ca(std::fs::read(data.join(ca)).unwrap())
    };
    let found = Found::new(Ok(at("ca.pem")));
    let ironic = found.ironic(at("other-ca.pem"));
    next(&mut ironic.ticks()).await;
    let text = down(&ironic);
    assert!(text.contains("Ironic at URL answers: over TLS!"), "{text}");
    // What is found and cannot be used changes nothing.
    found.is_now(at("README"));
    let bad = found.ironic(at("other-ca.pem"));
    next(&mut bad.ticks()).await;
    let text = down(&bad);
    assert!(text.contains("certificate that is not trusted"), "{text}");
}

#[tokio::test]
async fn who_we_are_is_shown_to_those_that_want_to_know() {
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    let read = |name: &str| std::fs::read_to_string(data.join(name)).unwrap();
    let pem = Sealed::new(read("client.pem") + &read("client.key"));
    let endpoint = Endpoint::parse(&tls_server_for(Some("client.pem"))).unwrap();
    let endpoint = endpoint.ca(read("ca.pem").into_bytes());
    let shows = Ironic::new(Options::new(endpoint.clone().identity(pem))).unwrap();
    next(&mut shows.ticks()).await;
    assert!(down(&shows).contains("over TLS!"), "{}", down(&shows));
    assert!(!format!("{:?}", shows.core.client).contains("PRIVATE"));
    let nobody = Ironic::new(Options::new(endpoint.clone())).unwrap();
    next(&mut nobody.ticks()).await;
    assert!(!down(&nobody).contains("over TLS!"), "{}", down(&nobody));
    let half = Sealed::new(read("client.pem"));
    let refused = Ironic::new(Options::new(endpoint.identity(half))).unwrap_err();
    assert_eq!(refused.code(), "IronicIdentity");
}

/// One that takes requests and answers none: effects that wait are sent back as soon as looks tell,
/// and are not sent one after the other.
#[tokio::test]
async fn a_hung_ironic_holds_up_nobody() {
    let fake = Fake::start().await;
    let mut options = options(&fake);
    options.endpoint = options.endpoint.timeout(Duration::from_secs(1));
    let ironic = Ironic::new(options).unwrap();
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    fake.take();
    fake.before(|_| Some(Answer::json(200, &Value::Null).after(Duration::from_mins(1))));
    let began = Instant::now();
    let hosts: Vec<_> = (1..=60).map(|n| host(&"n".repeat(n))).collect();
    let effects = futures::future::join_all(hosts.iter().map(|host| run(&ironic, host, enroll())));
    let looks = async {
        while !matches!(ironic.sight(&hosts[0]), Sight::Down(_)) {
            next(&mut ticks).await;
        }
    };
    let (results, ()) = tokio::join!(effects, looks);
    assert!(
        results
            .iter()
            .all(|result| matches!(result, Err(Fault::Unreachable(_))))
    );
    // Ten rounds of six would take ten seconds.
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
    assert!(fake.take_writes().len() <= 24);
}
