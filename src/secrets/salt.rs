//! Versions of contents that tell nothing of the contents.

use std::fmt;

use sha2::{Digest, Sha256};

use super::hex;

/// The length of a block of SHA-256, to which HMAC fills up its key (RFC 2104).
const BLOCK: usize = 64;

/// What versions of credentials are salted with. A version stands in statuses, which people paste:
/// without a salt, whoever sees one could try `root`/`calvin` on it, and equal passwords would show
/// as equal across fleets. Kept by the store and shown nowhere.
#[derive(Clone)]
pub struct Salt {
    /// HMAC's two hashes after the key: credentials are looked at in each step of a host.
    inner: Sha256,
    outer: Sha256,
}

impl Salt {
    /// This salt.
    pub fn new(bytes: [u8; 32]) -> Self {
        let keyed = |pad: u8| {
            let mut block = [pad; BLOCK];
            block
                .iter_mut()
                .zip(bytes)
                .for_each(|(byte, key)| *byte ^= key);
            Sha256::new_with_prefix(block)
        };
        Self {
            inner: keyed(0x36),
            outer: keyed(0x5c),
        }
    }

    /// A new one, for as long as somebody keeps it.
    pub fn random() -> Self {
        Self::new(crate::dice::unpredictable())
    }

    /// The version of some contents: the first 16 hex digits of their HMAC-SHA256 under this salt.
    /// Parts are told apart by their lengths.
    pub fn version<'a>(&self, parts: impl IntoIterator<Item = &'a str>) -> String {
        let mut inner = self.inner.clone();
        for part in parts {
            inner.update((part.len() as u64).to_be_bytes());
            inner.update(part.as_bytes());
        }
        hex(&self.outer.clone().chain_update(inner.finalize()).finalize())
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_follow_the_content_and_the_salt() {
        let salt = Salt::new([7; 32]);
        assert_eq!(salt.version(["a"]), salt.version(["a"]));
        assert_ne!(salt.version(["a"]), salt.version(["b"]));
        assert_ne!(salt.version(["ab", "c"]), salt.version(["a", "bc"]));
        assert_ne!(salt.version(["a"]), Salt::new([8; 32]).version(["a"]));
        assert_ne!(Salt::random().version(["a"]), Salt::random().version(["a"]));
        assert_eq!(format!("{salt:?}"), "(secret)");
    }

    /// From Python: `hmac.new(bytes([7]*32), (1).to_bytes(8, "big") + b"a", "sha256")`.
    #[test]
    fn versions_are_hmacs() {
        assert_eq!(Salt::new([7; 32]).version(["a"]), "0eff5865c6601ac7");
    }
}
