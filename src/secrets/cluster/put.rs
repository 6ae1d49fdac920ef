//! Writing a Secret from its contents, for one who has them in files.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::api::names::label;
use crate::secrets::{Sealed, Secret};
use crate::store::{Key, Kube, Object as _, Store, StoreError};

use super::object::Stored;

/// The key of a login for registries, and the type of Secret that has to have it.
const DOCKER: (&str, &str) = (".dockerconfigjson", "kubernetes.io/dockerconfigjson");

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It was not there.
    Created,
    /// It had other contents, or not the label.
    Changed,
    /// It was so.
    Unchanged,
}

/// Brings a Secret to these contents by server-side apply, with the label by which operators find
/// it. Keys and marks of others stay. A new one is Opaque, but for a login for registries, which has
/// a type of its own; the type of one that is there cannot be changed and stays.
///
/// # Errors
/// Those of any write; no text has anything of the contents in it.
pub async fn put(
    store: &Kube,
    key: &Key,
    secret: &Secret,
    owner: &str,
    force: bool,
) -> Result<Put, StoreError> {
    let before = match store.read_now::<Stored>(key).await {
        Ok(before) => Some(before),
        Err(StoreError::NotFound { .. }) => None,
        Err(error) => return Err(error),
    };
    let kind = match &before {
        Some(before) => &*before.of,
        None if secret.data.contains_key(DOCKER.0) => DOCKER.1,
        None => "Opaque",
    };
    let wanted = object(secret, kind);
    let after = Store::<Stored>::apply(store, key, wanted, owner, force).await;
    let after = after.map_err(|error| silent(error, key, secret))?;
    Ok(match before {
        None => Put::Created,
        Some(before) if same(&before, &after) => Put::Unchanged,
        Some(_) => Put::Changed,
    })
}

/// True when there is such a Secret. Its contents are not asked for.
///
/// # Errors
/// Those of any request.
pub async fn is_there(store: &Kube, key: &Key) -> Result<bool, StoreError> {
    store.exists::<Stored>(key).await
}

fn object(secret: &Secret, kind: &str) -> Value {
    let data: BTreeMap<&String, String> = secret
        .data
        .iter()
        .map(|(name, content)| (name, STANDARD.encode(content.reveal())))
        .collect();
    json!({
        "metadata": { "labels": { label::ENVIRONMENT: label::ENVIRONMENT_BAREMETAL } },
        "type": kind,
        "data": data,
    })
}

fn same(before: &Stored, after: &Stored) -> bool {
    before.contents() == after.contents() && before.meta().labels == after.meta().labels
}

/// An error whose words do not show what is in the Secret: a server may quote what it refuses.
fn silent(error: StoreError, key: &Key, secret: &Secret) -> StoreError {
    let text = error.to_string();
    let shows = |content: &Sealed| {
        let content = content.reveal();
        let coded = STANDARD.encode(content);
        content.len() > 2 && [content.trim(), &*coded].iter().any(|it| text.contains(it))
    };
    if !secret.data.values().any(shows) {
        return error;
    }
    StoreError::Invalid {
        kind: Stored::KIND,
        key: key.clone(),
        reason: format!(
            "the server refused it ({}); its words quote what is in the secret and are left out",
            error.code()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(pairs: &[(&str, &str)]) -> Secret {
        let data = pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Sealed::new(*text)));
        Secret::new(data.collect())
    }

    #[test]
    fn an_error_that_quotes_a_password_is_not_shown() {
        let key = Key::new("m", "bmc");
        let bmc = secret(&[("password", "calvin\n")]);
        for quoted in ["value \"calvin\"", "value Y2FsdmluCg=="] {
            let error = StoreError::Backend(format!("no: {quoted}"));
            let shown = silent(error, &key, &bmc).to_string();
            assert!(
                !shown.contains(quoted) && shown.contains("InternalError"),
                "{shown}"
            );
        }
        let other = silent(StoreError::Backend("forbidden".to_owned()), &key, &bmc);
        assert_eq!(other.to_string(), "forbidden");
    }
}
