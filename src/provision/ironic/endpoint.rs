//! Where an Ironic is: its address, credentials and certificate authority.

use std::time::Duration;

use crate::secrets::Sealed;

/// Where an Ironic is and how to get in.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Base URL without credentials, path `/v1` or trailing slash.
    pub(super) url: String,
    pub(super) login: Option<Login>,
    pub(super) ca: Option<Vec<u8>>,
    pub(super) timeout: Duration,
}

/// HTTP basic credentials.
#[derive(Debug, Clone)]
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
            ca: None,
            timeout: Duration::from_secs(30),
        })
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
        self.ca = Some(pem);
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
