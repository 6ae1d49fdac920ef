//! Pull secrets: the login for one registry from a Docker configuration.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Map, Value};

use super::{Sealed, Secret, SecretError};

/// The key of a secret of type `kubernetes.io/dockerconfigjson`.
const CONFIG: &str = ".dockerconfigjson";
/// The key of the older type `kubernetes.io/dockercfg`: the same without `auths` around it.
const OLD_CONFIG: &str = ".dockercfg";
/// Docker Hub by its names; the first is the one that configurations use.
const DOCKER_HUB: [&str; 3] = ["index.docker.io", "docker.io", "registry-1.docker.io"];

/// `user:password` for the registry of an `oci://` image.
///
/// An entry is for a registry (`https://ghcr.io/v1/`, `ghcr.io`) or for a part of one
/// (`ghcr.io/org`); the longest that fits the image counts, as with Kubernetes. No error quotes
/// what is in the secret, but names of registries.
pub(super) fn login(name: &str, secret: &Secret, image: &str) -> Result<Sealed, SecretError> {
    let present = [CONFIG, OLD_CONFIG]
        .into_iter()
        .find(|key| secret.data.contains_key(*key));
    let key = present.unwrap_or(CONFIG);
    let unusable = |reason: String| SecretError::Unusable {
        name: name.to_owned(),
        key,
        reason,
    };
    let text = secret
        .data
        .get(key)
        .ok_or_else(|| unusable(secret.lacks(key)))?;
    // The parser's own words would quote the text.
    let config: Value = serde_json::from_str(text.reveal())
        .map_err(|error| unusable(format!("line {} is not JSON", error.line())))?;
    let entries = if key == CONFIG {
        config.get("auths")
    } else {
        Some(&config)
    };
    let entries = entries
        .and_then(Value::as_object)
        .ok_or_else(|| unusable("it has no `auths` with registries".to_owned()))?;
    let wanted = Repository::of(image);
    let entry = find(entries, &wanted)
        .ok_or_else(|| unusable(format!("it has nothing for `{}`", wanted.registry)))?;
    read(entry).map_err(|reason| unusable(format!("the entry for `{}` {reason}", wanted.registry)))
}

/// Where an image is, in the spelling of configurations.
struct Repository {
    registry: String,
    path: String,
}

impl Repository {
    /// Of an image (`oci://ghcr.io/org/name:tag@sha256:…`) or of an entry (`https://ghcr.io/v1/`).
    fn of(text: &str) -> Self {
        let text = ["oci://", "https://", "http://"]
            .into_iter()
            .find_map(|scheme| text.strip_prefix(scheme))
            .unwrap_or(text);
        let text = text.split('@').next().unwrap_or_default();
        let (registry, path) = text.split_once('/').unwrap_or((text, ""));
        let path = path.trim_end_matches('/');
        let path = if matches!(path, "v1" | "v2") {
            ""
        } else {
            path
        };
        let path = path.split(':').next().unwrap_or_default();
        let registry = registry.to_lowercase();
        let registry = if DOCKER_HUB.contains(&registry.as_str()) {
            DOCKER_HUB[0].into()
        } else {
            registry
        };
        Self {
            registry,
            path: path.to_owned(),
        }
    }

    /// True when what is at `other` is in here.
    fn holds(&self, other: &Self) -> bool {
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/') || self.path.is_empty();
        self.registry == other.registry && other.path.strip_prefix(&self.path).is_some_and(below)
    }
}

fn find<'a>(entries: &'a Map<String, Value>, wanted: &Repository) -> Option<&'a Value> {
    entries
        .iter()
        .map(|(key, entry)| (Repository::of(key), entry))
        .filter(|(known, _)| known.holds(wanted))
        .max_by_key(|(known, _)| known.path.len())
        .map(|(_, entry)| entry)
}

/// User and password of an entry, or what is wrong with it.
fn read(entry: &Value) -> Result<Sealed, &'static str> {
    let part = |key: &str| entry[key].as_str().filter(|text| !text.is_empty());
    if let (Some(user), Some(password)) = (part("username"), part("password")) {
        return Ok(Sealed::new(format!("{user}:{password}")));
    }
    let Some(encoded) = part("auth") else {
        return Err(match part("identitytoken") {
            Some(_) => "has an identity token only; user and password are needed",
            None => "has neither `auth` nor `username` and `password`",
        });
    };
    let decoded = STANDARD_NO_PAD.decode(encoded.trim().trim_end_matches('='));
    decoded
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        // Docker ends some of them with a zero byte.
        .map(|text| text.trim_end_matches(['\0', '\n']).to_owned())
        .filter(|text| {
            text.split_once(':')
                .is_some_and(|(user, _)| !user.is_empty())
        })
        .map(Sealed::new)
        .ok_or("has an `auth` that is not base64 of `user:password`")
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    use super::*;

    fn secret(key: &str, text: &str) -> Secret {
        Secret::new([(key.to_owned(), Sealed::new(text))].into())
    }

    fn config(auths: &Value) -> Secret {
        secret(CONFIG, &json!({ "auths": auths }).to_string())
    }

    fn ask(secret: &Secret, image: &str) -> String {
        match login("pull", secret, image) {
            Ok(found) => found.reveal().to_owned(),
            Err(error) => error.to_string(),
        }
    }

    fn auth(text: &str) -> Value {
        json!({ "auth": STANDARD.encode(text) })
    }

    #[test]
    fn an_entry_is_found_however_it_is_spelt() {
        for key in [
            "ghcr.io",
            "https://ghcr.io",
            "http://ghcr.io/",
            "https://ghcr.io/v1/",
            "GHCR.io/v2",
        ] {
            let secret = config(&json!({ key: auth("u:p"), "other.io": auth("x:y") }));
            assert_eq!(ask(&secret, "oci://ghcr.io/org/os:1"), "u:p", "{key}");
        }
        let secret = config(&json!({ "registry.lab:5000": auth("u:p") }));
        assert_eq!(ask(&secret, "oci://registry.lab:5000/os@sha256:00"), "u:p");
        let secret = config(&json!({ "https://index.docker.io/v1/": auth("u:p") }));
        assert_eq!(ask(&secret, "oci://docker.io/library/os"), "u:p");
    }

    #[test]
    fn the_nearest_entry_counts() {
        let secret = config(&json!({
            "ghcr.io": auth("all:1"),
            "ghcr.io/org": auth("org:2"),
            "ghcr.io/org/os": auth("os:3"),
        }));
        assert_eq!(ask(&secret, "oci://ghcr.io/org/os:7"), "os:3");
        assert_eq!(ask(&secret, "oci://ghcr.io/org/osx"), "org:2");
        assert_eq!(ask(&secret, "oci://ghcr.io/organ/os"), "all:1");
    }

    #[test]
    fn logins_come_in_several_forms() {
        let entry = |entry: Value| ask(&config(&json!({ "r.io": entry })), "oci://r.io/os");
        assert_eq!(entry(json!({"username": "u", "password": "p"})), "u:p");
        assert_eq!(entry(json!({"auth": "dTpw"})), "u:p");
        assert_eq!(entry(json!({"auth": "dTpwYQ"})), "u:pa", "no padding");
        assert_eq!(entry(json!({"auth": "dTpwYQ==\n"})), "u:pa");
        assert_eq!(entry(auth("u:p:with:colons")), "u:p:with:colons");
        assert_eq!(entry(auth("u:p\0\0")), "u:p");
        let old = secret(OLD_CONFIG, &json!({ "r.io": auth("u:p") }).to_string());
        assert_eq!(ask(&old, "oci://r.io/os"), "u:p");
    }

    #[test]
    fn errors_say_what_is_wrong_and_nothing_of_the_content() {
        let canary = "c4n4ry";
        let cases = [
            (secret("other", canary), "it is not there"),
            (
                secret(CONFIG, &format!("{{\"auths\": {canary}")),
                "line 1 is not JSON",
            ),
            (
                secret(CONFIG, &json!([canary]).to_string()),
                "it has no `auths` with registries",
            ),
            (
                config(&json!({ "x.io": auth(canary) })),
                "it has nothing for `r.io`",
            ),
            (
                config(&json!({ "r.io": auth(canary) })),
                "an `auth` that is not base64 of",
            ),
            (
                config(&json!({ "r.io": {"auth": format!("!{canary}")} })),
                "that is not base64 of",
            ),
            (
                config(&json!({ "r.io": auth(":p") })),
                "that is not base64 of `user:password`",
            ),
            (
                config(&json!({ "r.io": {"identitytoken": canary} })),
                "an identity token only",
            ),
            (
                config(&json!({ "r.io": {"username": canary} })),
                "has neither `auth` nor",
            ),
        ];
        for (secret, expected) in cases {
            let text = ask(&secret, "oci://r.io/os");
            assert!(text.contains(expected), "{text}");
            assert!(
                text.starts_with("secret `pull`, key `.dockerconfigjson`: "),
                "{text}"
            );
            assert!(!text.contains(canary), "{text}");
        }
    }
}
