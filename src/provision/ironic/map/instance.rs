//! What is to be deployed: `instance_info`, and the patch that writes it.

use serde_json::{Map, Value, json};

use super::super::patch::Patch;
use crate::api::{BareMetalHost, BootMode, ChecksumType, Image, RootDeviceHints};
use crate::secrets::Sealed;

/// The object's UID, which is the instance's too, where it is a UUID.
pub fn uid(host: &BareMetalHost) -> Option<String> {
    let uid = host.metadata.uid.as_deref()?;
    uuid::Uuid::parse_str(uid).ok().map(|uid| uid.to_string())
}

/// The hints that go for a host: those that its status says were chosen, or those of its spec.
pub fn hints(host: &BareMetalHost) -> Option<&RootDeviceHints> {
    let chosen = host
        .status
        .as_ref()
        .and_then(|status| status.provisioning.root_device_hints.as_deref());
    chosen.or(host.spec.root_device_hints.as_deref())
}

/// Hints with Ironic's operators.
pub fn hint_map(hints: &RootDeviceHints) -> Map<String, Value> {
    let mut map = Map::new();
    let name = if hints.device_name.starts_with("/dev/disk/by-path/") {
        "by_path"
    } else {
        "name"
    };
    for (key, operator, value) in [
        (name, "s== ", &hints.device_name),
        ("hctl", "s== ", &hints.hctl),
        ("model", "<in> ", &hints.model),
        ("vendor", "<in> ", &hints.vendor),
        ("serial", "s== ", &hints.serial_number),
        ("wwn", "s== ", &hints.wwn),
        ("wwn_with_extension", "s== ", &hints.wwn_with_extension),
        ("wwn_vendor_extension", "s== ", &hints.wwn_vendor_extension),
    ] {
        if !value.is_empty() {
            map.insert(key.into(), format!("{operator}{value}").into());
        }
    }
    if hints.min_size_gigabytes != 0 {
        map.insert(
            "size".into(),
            format!(">= {}", hints.min_size_gigabytes).into(),
        );
    }
    if let Some(rotational) = hints.rotational {
        map.insert("rotational".into(), rotational.to_string().into());
    }
    map
}

/// The whole of `instance_info` for an image, a live ISO or a custom deploy.
pub fn info(
    host: &BareMetalHost,
    image: Option<&Image>,
    custom: bool,
    pull_secret: Option<&Sealed>,
) -> Result<Map<String, Value>, String> {
    let mut info = Map::new();
    let secure = host.boot_mode_in_force() == BootMode::UefiSecureBoot;
    let capabilities = if secure {
        json!({ "secure_boot": "true" })
    } else {
        json!({})
    };
    info.insert("capabilities".into(), capabilities);
    info.insert(
        "root_device".into(),
        hints(host).map(hint_map).unwrap_or_default().into(),
    );
    let Some(image) = image.filter(|image| !image.url.is_empty()) else {
        return if custom {
            Ok(info)
        } else {
            Err("the host names no image".into())
        };
    };
    if image.is_live_iso() && !custom {
        info.insert("boot_iso".into(), image.url.as_str().into());
        return Ok(info);
    }
    info.insert("image_source".into(), image.url.as_str().into());
    if let Some(format) = &image.format {
        info.insert("image_disk_format".into(), format.as_str().into());
    }
    match checksum(image) {
        Ok(None) => {}
        Ok(Some((checksum, None))) => {
            info.insert("image_checksum".into(), checksum.into());
        }
        Ok(Some((checksum, Some(algorithm)))) => {
            info.insert("image_os_hash_algo".into(), algorithm.into());
            info.insert("image_os_hash_value".into(), checksum.into());
        }
        // A custom deploy may do without all of these.
        Err(_) if custom => {}
        Err(reason) => return Err(reason),
    }
    if let Some(secret) = pull_secret.filter(|_| image.is_oci()) {
        info.insert("image_pull_secret".into(), secret.reveal().into());
    }
    Ok(info)
}

/// Checksum and algorithm; without an algorithm Ironic finds it out.
fn checksum(image: &Image) -> Result<Option<(&str, Option<&str>)>, String> {
    if image.is_oci() {
        return if image.checksum.is_empty() {
            Ok(None)
        } else {
            Err(
                "Validation failed: spec.image.checksum must be empty for OCI images \
                 (oci:// images have embedded checksums)"
                    .into(),
            )
        };
    }
    if image.is_live_iso() {
        return Ok(None);
    }
    if image.checksum.is_empty() {
        return Err("Validation failed: checksum is required for normal images".into());
    }
    let algorithm = match &image.checksum_type {
        None | Some(ChecksumType::Auto) => None,
        Some(ChecksumType::Other(other)) => {
            return Err(format!("Validation failed: unknown checksumType {other}"));
        }
        Some(known) => Some(known.as_str()),
    };
    Ok(Some((&image.checksum, algorithm)))
}

/// The one patch before a deployment. `deploy_interface` is the node's present one.
pub fn patch(
    host: &BareMetalHost,
    wanted: &super::Wanted,
    deploy_interface: &str,
    pull_secret: Option<&Sealed>,
) -> Result<Patch, String> {
    let custom = host
        .spec
        .custom_deploy
        .as_ref()
        .is_some_and(|c| !c.method.is_empty());
    let image = host.spec.image.as_deref();
    let live = !custom && image.is_some_and(Image::is_live_iso);
    let mut patch = Patch::default();
    if let Some(uid) = uid(host) {
        patch.add("/instance_uuid", uid);
    }
    // Whole, so that nothing of an earlier image stays.
    patch.add("/instance_info", info(host, image, custom, pull_secret)?);
    let interface = if custom {
        Some("custom-agent")
    } else if live {
        Some("ramdisk")
    } else {
        super::usual_deploy_interface(wanted.driver())
    };
    match interface {
        Some(interface) if interface != deploy_interface => {
            patch.add("/deploy_interface", interface);
        }
        // Back to what Ironic does by default.
        None if matches!(deploy_interface, "ramdisk" | "custom-agent") => {
            patch.remove("/deploy_interface");
        }
        _ => {}
    }
    if !custom {
        patch.add("/driver_info/force_persistent_boot_device", "Default");
    }
    Ok(patch)
}

/// The deploy steps of the provision call.
pub fn steps(host: &BareMetalHost) -> Option<Value> {
    let method = &host.spec.custom_deploy.as_ref()?.method;
    (!method.is_empty())
        .then(|| json!([{ "interface": "deploy", "step": method, "args": {}, "priority": 80 }]))
}
