//! Rules on images, at a host and as entities.

use crate::diag::{Applicability, Code, Diagnostic, Fix, Place};
use crate::eval::unit;
use crate::fleet::Value;
use crate::schema::{PathId, Paths};

use super::Case;

/// Paths of an image's fields.
#[derive(Debug, Clone)]
pub(super) struct Image {
    url: PathId,
    checksum: PathId,
    checksum_type: PathId,
    format: PathId,
    auth: PathId,
}

impl Image {
    pub(super) fn of(paths: &Paths, root: PathId) -> Self {
        let at = |name: &str| paths.child(root, name).unwrap_or(root);
        Self {
            url: at("url"),
            checksum: at("checksum"),
            checksum_type: at("checksum-type"),
            format: at("format"),
            auth: at("auth"),
        }
    }
}

pub(super) fn judge(case: &mut Case<'_>, image: &Image) {
    let Some((url, url_place)) = case.text(image.url) else {
        return;
    };
    let oci = url.starts_with("oci://");
    let checksum = case.text(image.checksum);
    let live = case
        .text(image.format)
        .is_some_and(|(format, _)| &**format == "live-iso");
    match checksum {
        Some((_, place)) if oci => case.error(
            Diagnostic::error(Code(4103), "an `oci://` image takes no checksum", place, "")
                .label(url_place, "its address names the content")
                .fix(Fix::replace(
                    "say it in the address: `oci://…@sha256:…`",
                    Applicability::Manual,
                    place,
                    "",
                )),
        ),
        None if !oci && !live && case.whole => case.error(
            Diagnostic::error(
                Code(4102),
                format!(
                    "{} `{}` has an image without a checksum",
                    case.kind, case.name
                ),
                url_place,
                "",
            )
            .help("write `checksum \"sha256:…\"`, or the URL of a file with it"),
        ),
        Some((text, place)) if text.contains("://") => {
            // Whatever else is wrong with the URL, the Bare Metal Operator does not look at.
            if let Err(error) = unit::url(text, &[])
                && error.code == unit::HOLDS_SECRET
            {
                case.error(
                    Diagnostic::error(Code(error.code), error.message, place, "").help(error.help),
                );
            }
        }
        Some((text, place)) => {
            let kind = case
                .text(image.checksum_type)
                .map(|(kind, _)| kind.to_string());
            length(case, text, kind.as_deref(), place);
        }
        None => {}
    }
    extension(case, image, url, url_place);
    if let Some(auth) = case.get(image.auth)
        && !oci
        && matches!(auth.value, Value::Ref(_))
    {
        case.error(
            Diagnostic::error(
                Code(4110),
                "`auth` is for `oci://` images only",
                auth.origin.place(),
                "",
            )
            .label(url_place, "this one is read without it"),
        );
    }
}

/// MF4107: a format that the name of the file contradicts.
fn extension(case: &mut Case<'_>, image: &Image, url: &str, url_place: Place) {
    let Some((format, place)) = case.text(image.format) else {
        return;
    };
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    let Some((_, extension)) = file.rsplit_once('.') else {
        return;
    };
    let extension = extension.to_ascii_lowercase();
    let named = match extension.as_str() {
        known @ ("raw" | "qcow2" | "vdi" | "vmdk") => known,
        // An ISO may be written to a disk as it is.
        "iso" if &**format != "raw" => "live-iso",
        _ => return,
    };
    if named == &**format || url.starts_with("oci://") {
        return;
    }
    case.error(
        Diagnostic::error(
            Code(4107),
            format!(
                "the format is `{}`, and the name of the file ends in `.{extension}`",
                &**format
            ),
            place,
            "",
        )
        .label(url_place, "the file")
        .fix(Fix::replace(
            format!("write `{named}`"),
            Applicability::Unsafe,
            place,
            named,
        )),
    );
}

/// MF4104, MF4105.
fn length(case: &mut Case<'_>, text: &str, kind: Option<&str>, place: Place) {
    let (named, digits) = match text.split_once(':') {
        Some((named, digits)) => (Some(named), digits),
        None => (kind.filter(|kind| *kind != "auto"), text),
    };
    let expected = match named {
        Some("md5") => 32,
        Some("sha256") => 64,
        Some("sha512") => 128,
        Some(other) => {
            return case.error(
                Diagnostic::error(
                    Code(4104),
                    format!("`{other}` is no checksum type"),
                    place,
                    "",
                )
                .help("it takes sha256, sha512 and md5"),
            );
        }
        None if matches!(digits.len(), 32 | 64 | 128) => digits.len(),
        None => {
            return case.error(
                Diagnostic::error(
                    Code(4104),
                    format!(
                        "a checksum of {} characters is of no known type",
                        digits.len()
                    ),
                    place,
                    "",
                )
                .help("write its type in front: `sha256:…`"),
            );
        }
    };
    if digits.len() != expected || !digits.bytes().all(|c| c.is_ascii_hexdigit()) {
        return case.error(Diagnostic::error(
            Code(4104),
            format!(
                "a {} checksum has {expected} hexadecimal digits, this has {} characters",
                named.unwrap_or("plain"),
                digits.len()
            ),
            place,
            "",
        ));
    }
    if expected == 32 {
        case.warn(
            Diagnostic::warning(Code(4105), "MD5 protects against accidents only", place, "")
                .help("use sha256 or sha512"),
        );
    }
}
