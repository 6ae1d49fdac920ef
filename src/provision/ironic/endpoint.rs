//! Where an Ironic is: its address, credentials and certificate authority.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::secrets::Sealed;

/// Where an Ironic is and how to get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Base URL without credentials, path `/v1` or trailing slash. Empty while nobody knows.
    pub(super) url: String,
    pub(super) login: Option<Login>,
    pub(super) trust: Trust,
    /// Certificate and key that show who we are, as PEM.
    pub(super) identity: Option<Sealed>,
    pub(super) timeout: Duration,
    /// Who said so.
    origin: Origin,
}

/// Who said where an Ironic is, so that texts say what to correct there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Origin {
    /// Its URL alone.
    #[default]
    Url,
    /// A URL, and the login in files of this folder.
    Folder(Arc<str>),
    /// The `ironic` node of this name.
    Node(Arc<str>),
    /// The `Ironic` object of this name in a cluster.
    Object(Arc<str>),
}

/// Finds an Ironic again: logins and certificates are replaced while they are in use, and what an
/// object in a cluster says may come later than whoever needs it.
pub trait Whereabouts: fmt::Debug + Send + Sync + 'static {
    /// Where it is now, and how to get in. A text for people when nobody can tell.
    fn look(&self) -> BoxFuture<'_, Result<Endpoint, String>>;
}

/// Which certificates are taken as Ironic's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Trust {
    /// Those that the system's authorities vouch for.
    #[default]
    System,
    /// Those that these PEM certificates vouch for.
    Only(Vec<u8>),
    /// Any at all.
    Any,
}

/// HTTP basic credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// User.
    pub user: String,
    /// Password.
    pub password: Sealed,
}

/// Why an address cannot be Ironic's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL.
    #[error(
        "`{shown}` is not an address of an Ironic: {reason}; write it as http://HOST:6385 or https://HOST:6385"
    )]
    Address {
        /// The address without credentials.
        shown: String,
        /// What is wrong.
        reason: String,
    },
    /// The CA file holds no certificate.
    #[error("the CA file for Ironic holds no usable certificate: {0}")]
    Ca(String),
    /// The certificate or the key that shows who we are cannot be used.
    #[error("the client certificate for Ironic and its key cannot be used: {0}")]
    Identity(String),
    /// The HTTP client cannot be set up.
    #[error("cannot set up HTTP: {0}")]
    Http(String),
}

impl EndpointError {
    /// A stable label.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "IronicAddress",
            Self::Ca(_) => "IronicCa",
            Self::Identity(_) => "IronicIdentity",
            Self::Http(_) => "IronicHttp",
        }
    }
}

impl Endpoint {
    /// Reads an address: `http[s]://[USER:PASSWORD@]HOST[:PORT][/v1]`. Without a port the scheme's
    /// own is used.
    pub fn parse(address: &str) -> Result<Self, EndpointError> {
        // Whatever stands before the last @ of the authority may be a password.
        let shown = address
            .rsplit_once('@')
            .map_or(address, |(_, rest)| rest)
            .to_owned();
        let bad = |reason: &str| EndpointError::Address {
            shown: shown.clone(),
            reason: reason.into(),
        };
        let mut url = reqwest::Url::parse(address.trim()).map_err(|e| bad(&e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("the scheme is neither http nor https"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(bad("it names no host"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("it has a query or a fragment"));
        }
        let login = (!url.username().is_empty()).then(|| Login {
            user: percent_decoded(url.username()),
            password: Sealed::new(percent_decoded(url.password().unwrap_or_default())),
        });
        if login.is_none() && url.password().is_some() {
            return Err(bad("it has a password but no user"));
        }
        url.set_username("")
            .map_err(|()| bad("it cannot have a user"))?;
        url.set_password(None)
            .map_err(|()| bad("it cannot have a password"))?;
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/v1").unwrap_or(path).to_owned();
        url.set_path(&path);
        let url = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            url,
            login,
            trust: Trust::System,
            identity: None,
            timeout: Duration::from_secs(30),
            origin: Origin::Url,
        })
    }

    /// That of an `Ironic` object which is yet to be read.
    pub fn unknown(object: impl Into<Arc<str>>) -> Self {
        Self {
            url: String::new(),
            login: None,
            trust: Trust::System,
            identity: None,
            timeout: Duration::from_secs(30),
            origin: Origin::Object(object.into()),
        }
    }

    /// Of this `ironic` node: texts name it, and say what to correct there.
    #[must_use]
    pub fn of_node(mut self, name: impl Into<Arc<str>>) -> Self {
        self.origin = Origin::Node(name.into());
        self
    }

    /// Of this `Ironic` object in a cluster.
    #[must_use]
    pub fn of_object(mut self, name: impl Into<Arc<str>>) -> Self {
        self.origin = Origin::Object(name.into());
        self
    }

    /// With a login that was read from files of this folder.
    #[must_use]
    pub fn of_folder(mut self, folder: impl Into<Arc<str>>) -> Self {
        self.origin = Origin::Folder(folder.into());
        self
    }

    /// With these credentials in place of those of the address.
    #[must_use]
    pub fn login(mut self, user: impl Into<String>, password: Sealed) -> Self {
        self.login = Some(Login {
            user: user.into(),
            password,
        });
        self
    }

    /// Trusts only certificates that these PEM certificates vouch for.
    #[must_use]
    pub fn ca(mut self, pem: Vec<u8>) -> Self {
        self.trust = Trust::Only(pem);
        self
    }

    /// Shows this certificate; `pem` holds it and its key.
    #[must_use]
    pub fn identity(mut self, pem: Sealed) -> Self {
        self.identity = Some(pem);
        self
    }

    /// Trusts any certificate: whoever sits in between reads and changes all.
    #[must_use]
    pub fn unverified(mut self) -> Self {
        self.trust = Trust::Any;
        self
    }

    /// Gives up on an answer after this long; 30 s by default. A locked node alone may take two.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The address without credentials.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What a person does when the credentials are refused.
    pub(super) fn login_remedy(&self) -> String {
        match (&self.origin, &self.login) {
            (Origin::Node(node), Some(_)) => {
                format!("correct the secret that `auth` of `ironic {node}` names")
            }
            (Origin::Node(node), None) => {
                format!("name a secret with `username` and `password` as `auth` of `ironic {node}`")
            }
            (Origin::Object(object), _) => {
                format!("correct the Secret that `apiCredentialsName` of Ironic {object} names")
            }
            (Origin::Folder(folder), _) => {
                format!("correct `username` and `password` in {folder}, which is read again")
            }
            (Origin::Url, Some(_)) => "correct user and password in the URL that was given".into(),
            (Origin::Url, None) => "give them in the URL: http://USER:PASSWORD@HOST:PORT".into(),
        }
    }

    /// What a person does when the certificate is not trusted.
    pub(super) fn trust_remedy(&self) -> String {
        match &self.origin {
            Origin::Node(node) => {
                format!("name its authority's certificate as `ca` of `ironic {node}`")
            }
            Origin::Object(object) => {
                format!("correct the Secret that `tls.certificateName` of Ironic {object} names")
            }
            Origin::Url | Origin::Folder(_) => {
                "give its authority's certificate with --ironic-ca FILE".into()
            }
        }
    }
}

/// As texts name it: ``Ironic `fra1` at https://ironic.example.net:6385``.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Node(node) => write!(f, "Ironic `{node}` at {}", self.url),
            Origin::Object(object) if self.url.is_empty() => write!(f, "Ironic {object}"),
            Origin::Object(object) => write!(f, "Ironic {object} at {}", self.url),
            Origin::Url | Origin::Folder(_) => write!(f, "Ironic at {}", self.url),
        }
    }
}

/// `%41` is `A`: user names and passwords in URLs.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = (first == b'%').then(|| after.get(..2)).flatten();
        let code = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        if let Some(byte) = code {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(address: &str) -> String {
        Endpoint::parse(address).expect(address).url
    }

    #[test]
    fn reads_addresses() {
        assert_eq!(url("http://127.0.0.1:6385"), "http://127.0.0.1:6385");
        assert_eq!(url("http://127.0.0.1:6385/"), "http://127.0.0.1:6385");
        assert_eq!(url("http://127.0.0.1:6385/v1/"), "http://127.0.0.1:6385");
        assert_eq!(
            url("https://api.example.net/baremetal/v1"),
            "https://api.example.net/baremetal"
        );
        assert_eq!(url("http://[::1]:6385/v1"), "http://[::1]:6385");
    }

    #[test]
    fn takes_credentials_out_of_the_address() {
        let endpoint =
            Endpoint::parse("http://admin:p%40ss%2Fword@ironic:6385/v1").expect("parses");
        assert_eq!(endpoint.url, "http://ironic:6385");
        let login = endpoint.login.as_ref().expect("login");
        assert_eq!(
            (login.user.as_str(), login.password.reveal()),
            ("admin", "p@ss/word")
        );
        assert!(!format!("{endpoint:?}").contains("p@ss"));
    }

    #[test]
    fn texts_say_what_to_correct_where_it_was_said() {
        let bare = Endpoint::parse("http://x:6385").expect("parses");
        let with = |endpoint: &Endpoint| endpoint.clone().login("u", Sealed::new("p"));
        let node = bare.clone().of_node("fra1");
        assert_eq!(bare.to_string(), "Ironic at http://x:6385");
        assert_eq!(node.to_string(), "Ironic `fra1` at http://x:6385");
        let remedies = [&bare, &with(&bare), &node, &with(&node)].map(Endpoint::login_remedy);
        assert_eq!(
            remedies,
            [
                "give them in the URL: http://USER:PASSWORD@HOST:PORT",
                "correct user and password in the URL that was given",
                "name a secret with `username` and `password` as `auth` of `ironic fra1`",
                "correct the secret that `auth` of `ironic fra1` names",
            ]
        );
        assert_eq!(
            [bare.trust_remedy(), node.trust_remedy()],
            [
                "give its authority's certificate with --ironic-ca FILE",
                "name its authority's certificate as `ca` of `ironic fra1`",
            ]
        );
        let object = bare.clone().of_object("metal3/ironic");
        assert_eq!(object.to_string(), "Ironic metal3/ironic at http://x:6385");
        let unknown = Endpoint::unknown("metal3/ironic");
        assert_eq!(unknown.to_string(), "Ironic metal3/ironic");
        let folder = with(&bare).of_folder("/auth/ironic");
        assert_eq!(folder.to_string(), "Ironic at http://x:6385");
        assert_eq!(
            [
                object.login_remedy(),
                object.trust_remedy(),
                folder.login_remedy()
            ],
            [
                "correct the Secret that `apiCredentialsName` of Ironic metal3/ironic names",
                "correct the Secret that `tls.certificateName` of Ironic metal3/ironic names",
                "correct `username` and `password` in /auth/ironic, which is read again",
            ]
        );
    }

    #[test]
    fn refuses_what_is_not_an_address() {
        for address in [
            "ironic:6385",
            "ftp://x",
            "",
            "http://",
            "http://x/?a=b",
            "http://:p@x",
        ] {
            assert!(Endpoint::parse(address).is_err(), "{address}");
        }
        let error = Endpoint::parse("gopher://user:hunter2@host").expect_err("scheme");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
