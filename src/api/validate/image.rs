//! Rules of images.

use super::Found;
use crate::api::host::{ChecksumType, Image, ImageFormat};

/// Schemes that Ironic can fetch from.
const SCHEMES: [&str; 5] = ["http", "https", "ftp", "gopher", "oci"];

pub(super) fn check(image: &Image, found: &mut Found) {
    found.word(
        "spec.image.checksumType",
        image.checksum_type.as_ref(),
        ChecksumType::KNOWN,
    );
    found.word(
        "spec.image.format",
        image.format.as_ref(),
        ImageFormat::KNOWN,
    );
    url(&image.url, found);
    if image.is_oci() {
        if !image.checksum.is_empty() {
            found.add(
                "spec.image.checksum",
                "must not be set for an oci:// image, which carries its own digest",
            );
        }
        return;
    }
    if image.is_live_iso() {
        // Booted as it is: nothing is checked, nothing need be there.
        return;
    }
    if image.checksum.is_empty() {
        found.add(
            "spec.image.checksum",
            "is missing; only live-iso and oci:// images need none",
        );
        return;
    }
    checksum(&image.checksum, image.checksum_type.as_ref(), found);
}

fn url(url: &str, found: &mut Found) {
    let path = "spec.image.url";
    if url.is_empty() {
        return found.add(path, "is missing");
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return found.add(path, format!("'{url}' is no URL"));
    };
    if !SCHEMES
        .iter()
        .any(|known| known.eq_ignore_ascii_case(scheme))
    {
        let known = SCHEMES.join(", ");
        return found.add(path, format!("scheme '{scheme}' is none of {known}"));
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        found.add(path, format!("'{url}' is no URL"));
    }
}

/// A checksum by value must fit its type; one by URL cannot be looked at. Without a type, and with
/// md5, Ironic goes by the length itself.
fn checksum(checksum: &str, kind: Option<&ChecksumType>, found: &mut Found) {
    if checksum.contains("://") {
        return;
    }
    let length = match kind {
        Some(ChecksumType::Sha256) => 64,
        Some(ChecksumType::Sha512) => 128,
        Some(ChecksumType::Auto) if !matches!(checksum.len(), 32 | 64 | 128) => {
            return found.add(
                "spec.image.checksum",
                "has the length of no known algorithm, and checksumType is auto",
            );
        }
        _ => return,
    };
    if checksum.len() != length || !checksum.bytes().all(|b| b.is_ascii_hexdigit()) {
        let kind = kind.map_or("", ChecksumType::as_str);
        found.add(
            "spec.image.checksum",
            format!("is no {kind} checksum, which has {length} hex digits"),
        );
    }
}
