//! Metadata: what the server sets, what is empty, which names there are.

use crate::api::Metadata;

use crate::store::{Key, Object};

/// `group/version` of a kind.
pub(super) fn api_version<K: Object>() -> String {
    if K::GROUP.is_empty() {
        K::VERSION.to_owned()
    } else {
        format!("{}/{}", K::GROUP, K::VERSION)
    }
}

/// Puts back what only the server sets.
pub(super) fn keep_meta(meta: &mut Metadata, live: &Metadata) {
    meta.name.clone_from(&live.name);
    meta.namespace.clone_from(&live.namespace);
    meta.generate_name.clone_from(&live.generate_name);
    meta.uid.clone_from(&live.uid);
    meta.self_link.clone_from(&live.self_link);
    meta.creation_timestamp.clone_from(&live.creation_timestamp);
    meta.deletion_timestamp.clone_from(&live.deletion_timestamp);
    meta.deletion_grace_period_seconds = live.deletion_grace_period_seconds;
    meta.generation = live.generation;
    meta.resource_version.clone_from(&live.resource_version);
    tidy_meta(meta);
}

/// Empty and absent are one thing, as in Go.
pub(super) fn tidy_meta(meta: &mut Metadata) {
    meta.annotations.take_if(|all| all.is_empty());
    meta.labels.take_if(|all| all.is_empty());
    meta.finalizers.take_if(|all| all.is_empty());
    meta.owner_references.take_if(|all| all.is_empty());
    meta.generate_name.take_if(|name| name.is_empty());
}

/// The rules for names of a Kubernetes API server.
pub(super) fn check_name(key: &Key) -> Result<(), String> {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.first().is_some_and(|byte| is_word(*byte))
            && bytes.last().is_some_and(|byte| is_word(*byte))
            && bytes.iter().all(|byte| is_word(*byte) || *byte == b'-')
    };
    if key.name.is_empty() {
        return Err("it has no name".into());
    }
    if key.name.len() > 253 || !key.name.split('.').all(is_label) {
        return Err(
            "its name must be lower-case letters, digits, - and ., start and end with a letter \
             or digit, and have at most 253 characters"
                .into(),
        );
    }
    if key.namespace.len() > 63 || !is_label(&key.namespace) {
        return Err(
            "its namespace must be lower-case letters, digits and -, start and end with a letter \
             or digit, and have at most 63 characters"
                .into(),
        );
    }
    Ok(())
}
