//! What is put on a machine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::text::text_enum;
use crate::api::wire::Extra;

text_enum! {
    schema: closed;
    /// Algorithm of an image's checksum.
    pub enum ChecksumType {
        /// MD5; what an absent field means.
        Md5 = "md5",
        /// SHA-256.
        Sha256 = "sha256",
        /// SHA-512.
        Sha512 = "sha512",
        /// Found out from the checksum.
        Auto = "auto",
    }
}

text_enum! {
    schema: closed;
    /// Format of an image.
    pub enum ImageFormat {
        /// Raw disk image.
        Raw = "raw",
        /// QEMU copy-on-write image.
        Qcow2 = "qcow2",
        /// VirtualBox disk.
        Vdi = "vdi",
        /// VMware disk.
        Vmdk = "vmdk",
        /// An ISO that is booted, not written to a disk.
        LiveIso = "live-iso",
    }
}

/// An image, wanted or provisioned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-go" = { "required": ["url"] }))]
pub struct Image {
    /// Where it is: http, https, ftp, gopher, oci.
    pub url: String,
    /// Checksum or the URL of a list of checksums. Not for live-iso and OCI images.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub checksum: String,
    /// Algorithm of the checksum; MD5 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_type: Option<ChecksumType>,
    /// Format of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<ImageFormat>,
    /// Secret with the registry credentials of an OCI image.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub oci_auth_secret_name: String,
    /// Fields of a newer API, kept as they are.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Extra,
}

impl Image {
    /// True for an ISO that is booted, not written.
    pub fn is_live_iso(&self) -> bool {
        self.format == Some(ImageFormat::LiveIso)
    }

    /// True for an OCI artifact (`oci://`).
    pub fn is_oci(&self) -> bool {
        self.url
            .get(..6)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("oci://"))
    }
}

/// A site's own deploy step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-go" = { "required": ["method"] }))]
pub struct CustomDeploy {
    /// Name of the step.
    pub method: String,
}
