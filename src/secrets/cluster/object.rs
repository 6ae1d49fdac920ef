//! A Secret as a store has it. Its contents come in and never go out.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize, Serializer};

use crate::api::Metadata;
use crate::secrets::Sealed;
use crate::store::Object;

use super::Contents;

/// `v1` `Secret`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Stored {
    #[serde(default)]
    pub metadata: Metadata,
    /// Its type, which never changes.
    #[serde(default, rename = "type")]
    pub of: String,
    /// Base64.
    #[serde(default)]
    data: BTreeMap<String, Hidden>,
}

/// Text that is not shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
struct Hidden(String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

impl Stored {
    /// What is in it. Contents that are no text are left out: no key that is used here has any.
    pub fn contents(&self) -> Contents {
        let text = |value: &Hidden| String::from_utf8(STANDARD.decode(&value.0).ok()?).ok();
        let all = self.data.iter();
        all.filter_map(|(key, value)| Some((key.clone(), Sealed::new(text(value)?))))
            .collect()
    }
}

/// Metadata only: patches are written as what they change, and nothing else of a Secret is.
impl Serialize for Stored {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire<'a> {
            api_version: &'static str,
            kind: &'static str,
            metadata: &'a Metadata,
        }
        let wire = Wire {
            api_version: "v1",
            kind: "Secret",
            metadata: &self.metadata,
        };
        wire.serialize(serializer)
    }
}

impl Object for Stored {
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Secret";
    const PLURAL: &'static str = "secrets";
    const HAS_STATUS: bool = false;
    const CACHED: bool = false;

    fn meta(&self) -> &Metadata {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn contents_come_in_and_do_not_go_out() {
        let stored: Stored = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": { "name": "bmc", "namespace": "m" },
            "data": { "username": "cm9vdA==", "password": "Y2Fsdmlu", "blob": "/w==", "odd": "?" },
        }))
        .unwrap();
        let contents = stored.contents();
        assert_eq!(contents["password"].reveal(), "calvin");
        assert_eq!(
            contents.keys().collect::<Vec<_>>(),
            ["password", "username"]
        );
        let shown = format!("{stored:?} {}", serde_json::to_string(&stored).unwrap());
        assert!(
            !shown.contains("calvin") && !shown.contains("Y2Fsdmlu"),
            "{shown}"
        );
    }
}
