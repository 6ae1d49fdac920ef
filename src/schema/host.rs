//! Fields of a host: all of `BareMetalHost` `.spec` that this version has, in KDL spelling.

use super::{Disruption, Field, Kind, Lower, Type};

const BLANK: Field = Field::BLANK;

/// Boot modes, as the API spells them.
pub const BOOT_MODES: &[&str] = &["UEFI", "UEFISecureBoot", "legacy"];

const IMAGE_URL: &[&str] = &["http", "https", "ftp", "gopher", "oci", "file"];

pub(super) const HOST: &[Field] = &[
    Field {
        name: "online",
        kind: Kind::Leaf(Type::Bool),
        doc: "Whether the machine is to be powered on.",
        default: Some("#true"),
        lower: Lower::At(".spec.online"),
        class: Disruption::Reboot,
        also: &["power", "powered-on"],
        ..BLANK
    },
    Field {
        name: "bmc",
        kind: Kind::Record {
            fields: BMC,
            arg: None,
        },
        doc: "The management controller.",
        ..BLANK
    },
    Field {
        name: "boot",
        kind: Kind::Record {
            fields: BOOT,
            arg: None,
        },
        doc: "How the machine boots, and from which network card.",
        ..BLANK
    },
    Field {
        name: "root-device",
        kind: Kind::Record {
            fields: ROOT_DEVICE,
            arg: None,
        },
        doc: "Hints that choose the disk to write to; all of them have to hold.",
        also: &["rootDeviceHints"],
        ..BLANK
    },
    Field {
        name: "raid",
        kind: Kind::Union(RAID),
        doc: "RAID volumes, made by a controller or by software.",
        class: Disruption::Clean,
        ..BLANK
    },
    Field {
        name: "deploy",
        kind: Kind::Record {
            fields: DEPLOY,
            arg: Some("image"),
        },
        doc: "Deploys an image on this host, with its config drive; pools do it for many.",
        class: Disruption::Reprovision,
        ..BLANK
    },
    Field {
        name: "image",
        kind: Kind::Record {
            fields: INLINE_IMAGE,
            arg: None,
        },
        doc: "An image for this host alone; prefer an `image` entity and `deploy`.",
        class: Disruption::Reprovision,
        ..BLANK
    },
    Field {
        name: "custom-deploy",
        kind: Kind::Leaf(Type::Text),
        doc: "The deploy step of a custom agent, in place of writing an image.",
        lower: Lower::At(".spec.customDeploy.method"),
        class: Disruption::Reprovision,
        also: &["customDeploy"],
        ..BLANK
    },
    Field {
        name: "user-data",
        kind: Kind::Leaf(Type::Secret),
        doc: "Secret with the user data of the config drive (key `userData` or `value`).",
        lower: Lower::SecretRef(".spec.userData"),
        also: &["userData"],
        ..BLANK
    },
    Field {
        name: "network-data",
        kind: Kind::Leaf(Type::Secret),
        doc: "Secret with the network data of the config drive (key `networkData` or `value`).",
        lower: Lower::SecretRef(".spec.networkData"),
        also: &["networkData"],
        ..BLANK
    },
    Field {
        name: "meta-data",
        kind: Kind::Leaf(Type::Secret),
        doc: "Secret with the meta data of the config drive (key `metaData` or `value`).",
        lower: Lower::SecretRef(".spec.metaData"),
        also: &["metaData"],
        ..BLANK
    },
    Field {
        name: "preprovisioning-network-data",
        kind: Kind::Leaf(Type::Secret),
        doc: "Secret with the network data of the ramdisk that inspects, cleans and deploys.",
        lower: Lower::SecretName(".spec.preprovisioningNetworkDataName"),
        also: &["preprovisioningNetworkDataName"],
        ..BLANK
    },
    Field {
        name: "inspection",
        kind: Kind::Leaf(Type::Enum(&["agent", "fast", "disabled"])),
        doc: "How the hardware is inspected: by a ramdisk, by the BMC alone, or not at all.",
        default: Some("agent"),
        lower: Lower::At(".spec.inspectionMode"),
        also: &["inspectionMode", "inspect"],
        ..BLANK
    },
    Field {
        name: "cleaning",
        kind: Kind::Leaf(Type::Enum(&["metadata", "disabled"])),
        doc: "What is cleaned off the disks between deployments.",
        default: Some("metadata"),
        lower: Lower::At(".spec.automatedCleaningMode"),
        also: &["automatedCleaningMode", "automated-cleaning"],
        ..BLANK
    },
    Field {
        name: "architecture",
        kind: Kind::Leaf(Type::Text),
        doc: "CPU architecture; found by inspection where it is not given.",
        lower: Lower::At(".spec.architecture"),
        also: &["arch", "cpuArchitecture"],
        ..BLANK
    },
    Field {
        name: "externally-provisioned",
        kind: Kind::Leaf(Type::Bool),
        doc: "Something else deployed this machine: manage its power only.",
        lower: Lower::At(".spec.externallyProvisioned"),
        class: Disruption::Destroy,
        also: &["externallyProvisioned"],
        ..BLANK
    },
    Field {
        name: "disable-power-off",
        kind: Kind::Leaf(Type::Bool),
        doc: "Never powers this machine off; where that would be needed it is rebooted.",
        lower: Lower::At(".spec.disablePowerOff"),
        also: &["disablePowerOff"],
        ..BLANK
    },
    Field {
        name: "consumer",
        kind: Kind::Record {
            fields: CONSUMER,
            arg: Some("name"),
        },
        doc: "The object that uses this host; for information.",
        also: &["consumerRef"],
        ..BLANK
    },
    Field {
        name: "description",
        kind: Kind::Leaf(Type::Text),
        doc: "A text for people.",
        lower: Lower::At(".spec.description"),
        ..BLANK
    },
    Field {
        name: "taint",
        kind: Kind::Keyed {
            fields: TAINT,
            key: "taint key",
            content: false,
        },
        doc: "A taint; kept in the object, acted upon by nobody (deprecated in the API).",
        lower: Lower::Key(".spec.taints[].key"),
        also: &["taints"],
        ..BLANK
    },
    Field {
        name: "labels",
        kind: Kind::Map(Type::LabelValue),
        doc: "Labels of the host, for pools to select by and to be kept on the object.",
        lower: Lower::Entry(".metadata.labels"),
        also: &["label"],
        ..BLANK
    },
    Field {
        name: "annotations",
        kind: Kind::Map(Type::Text),
        doc: "Annotations of the object.",
        lower: Lower::Entry(".metadata.annotations"),
        also: &["annotation"],
        ..BLANK
    },
    Field {
        name: "hardware-profile",
        kind: Kind::Leaf(Type::Enum(&[
            "unknown",
            "libvirt",
            "dell",
            "dell-raid",
            "openstack",
            "empty",
        ])),
        doc: "Deprecated in the API; `root-device` says it better.",
        lower: Lower::At(".spec.hardwareProfile"),
        also: &["hardwareProfile"],
        ..BLANK
    },
    Field {
        name: "driven-by",
        kind: Kind::Leaf(Type::IronicRef),
        doc: "The Ironic that drives this machine; needed where the fleet has several.",
        class: Disruption::Destroy,
        also: &["ironic"],
        ..BLANK
    },
    Field {
        name: "lifecycle",
        kind: Kind::Record {
            fields: LIFECYCLE,
            arg: None,
        },
        doc: "What must not happen to this host.",
        ..BLANK
    },
    Field {
        name: "firmware",
        kind: Kind::Later,
        doc: "Firmware settings and components; a later version.",
        also: &["bios"],
        ..BLANK
    },
    Field {
        name: "network",
        kind: Kind::Later,
        doc: "Bonds, VLANs and addresses; a later version.",
        ..BLANK
    },
    Field {
        name: "attach",
        kind: Kind::Later,
        doc: "Switch ports and networks of a card; a later version.",
        also: &["networkInterfaces"],
        ..BLANK
    },
];

const BMC: &[Field] = &[
    Field {
        name: "address",
        kind: Kind::Leaf(Type::BmcAddress),
        doc: "Where the management controller answers; the scheme chooses the driver.",
        lower: Lower::At(".spec.bmc.address"),
        class: Disruption::Immutable,
        required: true,
        also: &["url", "host"],
        ..BLANK
    },
    Field {
        name: "credentials",
        kind: Kind::Leaf(Type::Secret),
        doc: "Secret with the keys `username` and `password`.",
        lower: Lower::SecretName(".spec.bmc.credentialsName"),
        required: true,
        also: &["credentialsName", "secret", "password", "username", "user"],
        ..BLANK
    },
    Field {
        name: "verify-ca",
        kind: Kind::Leaf(Type::Bool),
        doc: "Whether the controller's certificate is verified.",
        default: Some("#true"),
        lower: Lower::Not(".spec.bmc.disableCertificateVerification"),
        also: &[],
        ..BLANK
    },
];

const BOOT: &[Field] = &[
    Field {
        name: "mode",
        kind: Kind::Leaf(Type::Enum(BOOT_MODES)),
        doc: "UEFI, with or without secure boot, or the BIOS of old.",
        default: Some("UEFI"),
        lower: Lower::At(".spec.bootMode"),
        also: &["bootMode"],
        ..BLANK
    },
    Field {
        name: "mac",
        kind: Kind::Leaf(Type::Mac),
        doc: "MAC address of the card that the machine boots from.",
        lower: Lower::At(".spec.bootMACAddress"),
        class: Disruption::Immutable,
        also: &["bootMACAddress", "boot-mac", "mac-address", "macAddress"],
        ..BLANK
    },
];

macro_rules! disk_hints {
    ($at:literal, $class:expr) => {
        &[
            Field {
                name: "device",
                kind: Kind::Leaf(Type::Text),
                doc: "Device name, `/dev/disk/by-path/…` or `/dev/…`.",
                lower: Lower::At(concat!($at, ".deviceName")),
                also: &["deviceName", "device-name", "name"],
                class: $class,
                ..BLANK
            },
            Field {
                name: "hctl",
                kind: Kind::Leaf(Type::Text),
                doc: "SCSI address, host:channel:target:lun.",
                lower: Lower::At(concat!($at, ".hctl")),
                class: $class,
                ..BLANK
            },
            Field {
                name: "model",
                kind: Kind::Leaf(Type::Text),
                doc: "Part of the model's name.",
                lower: Lower::At(concat!($at, ".model")),
                class: $class,
                ..BLANK
            },
            Field {
                name: "vendor",
                kind: Kind::Leaf(Type::Text),
                doc: "Part of the vendor's name.",
                lower: Lower::At(concat!($at, ".vendor")),
                class: $class,
                ..BLANK
            },
            Field {
                name: "serial",
                kind: Kind::Leaf(Type::Text),
                doc: "Serial number.",
                lower: Lower::At(concat!($at, ".serialNumber")),
                also: &["serialNumber", "serial-number"],
                class: $class,
                ..BLANK
            },
            Field {
                name: "min-size",
                kind: Kind::Leaf(Type::Size),
                doc: "Smallest size; whole decimal gigabytes.",
                lower: Lower::Gigabytes(concat!($at, ".minSizeGigabytes")),
                also: &["minSizeGigabytes", "size"],
                class: $class,
                ..BLANK
            },
            Field {
                name: "wwn",
                kind: Kind::Leaf(Type::Text),
                doc: "World wide name.",
                lower: Lower::At(concat!($at, ".wwn")),
                class: $class,
                ..BLANK
            },
            Field {
                name: "wwn-with-extension",
                kind: Kind::Leaf(Type::Text),
                doc: "World wide name with the vendor's extension.",
                lower: Lower::At(concat!($at, ".wwnWithExtension")),
                also: &["wwnWithExtension"],
                class: $class,
                ..BLANK
            },
            Field {
                name: "wwn-vendor-extension",
                kind: Kind::Leaf(Type::Text),
                doc: "The vendor's extension of the world wide name.",
                lower: Lower::At(concat!($at, ".wwnVendorExtension")),
                also: &["wwnVendorExtension"],
                class: $class,
                ..BLANK
            },
            Field {
                name: "rotational",
                kind: Kind::Leaf(Type::Bool),
                doc: "Whether the disk turns.",
                lower: Lower::At(concat!($at, ".rotational")),
                class: $class,
                ..BLANK
            },
        ]
    };
}

const ROOT_DEVICE: &[Field] = disk_hints!(".spec.rootDeviceHints", Disruption::None);

const RAID: &[Field] = &[
    Field {
        name: "hardware",
        kind: Kind::Record {
            fields: HARDWARE_RAID,
            arg: None,
        },
        doc: "Volumes made by a RAID controller.",
        class: Disruption::Clean,
        also: &["hardwareRAIDVolumes", "hw"],
        ..BLANK
    },
    Field {
        name: "software",
        kind: Kind::Record {
            fields: SOFTWARE_RAID,
            arg: None,
        },
        doc: "Volumes made by the operating system.",
        class: Disruption::Clean,
        also: &["softwareRAIDVolumes", "sw"],
        ..BLANK
    },
];

const HARDWARE_RAID: &[Field] = &[Field {
    name: "volume",
    kind: Kind::Keyed {
        fields: HARDWARE_VOLUME,
        key: "volume name",
        content: false,
    },
    doc: "One volume.",
    lower: Lower::Key(".spec.raid.hardwareRAIDVolumes[].name"),
    class: Disruption::Clean,
    also: &["volumes"],
    ..BLANK
}];

const HARDWARE_VOLUME: &[Field] = &[
    Field {
        name: "level",
        kind: Kind::Leaf(Type::Enum(&["0", "1", "2", "5", "6", "1+0", "5+0", "6+0"])),
        doc: "RAID level, quoted.",
        lower: Lower::At(".spec.raid.hardwareRAIDVolumes[].level"),
        class: Disruption::Clean,
        required: true,
        ..BLANK
    },
    Field {
        name: "size",
        kind: Kind::Leaf(Type::Size),
        doc: "Size; whole gibibytes. All that is free where it is not given.",
        lower: Lower::Gibibytes(".spec.raid.hardwareRAIDVolumes[].sizeGibibytes"),
        class: Disruption::Clean,
        also: &["sizeGibibytes"],
        ..BLANK
    },
    Field {
        name: "disks",
        kind: Kind::Leaf(Type::Int(1, 1024)),
        doc: "Number of physical disks.",
        lower: Lower::At(".spec.raid.hardwareRAIDVolumes[].numberOfPhysicalDisks"),
        class: Disruption::Clean,
        also: &["numberOfPhysicalDisks"],
        ..BLANK
    },
    Field {
        name: "controller",
        kind: Kind::Leaf(Type::Text),
        doc: "Name of the RAID controller.",
        lower: Lower::At(".spec.raid.hardwareRAIDVolumes[].controller"),
        class: Disruption::Clean,
        ..BLANK
    },
    Field {
        name: "physical-disks",
        kind: Kind::Leaf(Type::Texts),
        doc: "Names of the disks, as the controller calls them; needs `controller`.",
        lower: Lower::At(".spec.raid.hardwareRAIDVolumes[].physicalDisks"),
        class: Disruption::Clean,
        also: &["physicalDisks"],
        ..BLANK
    },
    Field {
        name: "rotational",
        kind: Kind::Leaf(Type::Bool),
        doc: "Whether the disks turn.",
        lower: Lower::At(".spec.raid.hardwareRAIDVolumes[].rotational"),
        class: Disruption::Clean,
        ..BLANK
    },
];

const SOFTWARE_RAID: &[Field] = &[Field {
    name: "volume",
    kind: Kind::Keyed {
        fields: SOFTWARE_VOLUME,
        key: "volume name",
        content: false,
    },
    doc: "One volume; two at most, the root volume first.",
    class: Disruption::Clean,
    also: &["volumes"],
    ..BLANK
}];

const SOFTWARE_VOLUME: &[Field] = &[
    Field {
        name: "level",
        kind: Kind::Leaf(Type::Enum(&["0", "1", "1+0"])),
        doc: "RAID level, quoted.",
        lower: Lower::At(".spec.raid.softwareRAIDVolumes[].level"),
        class: Disruption::Clean,
        required: true,
        ..BLANK
    },
    Field {
        name: "size",
        kind: Kind::Leaf(Type::Size),
        doc: "Size; whole gibibytes. All that is free where it is not given.",
        lower: Lower::Gibibytes(".spec.raid.softwareRAIDVolumes[].sizeGibibytes"),
        class: Disruption::Clean,
        also: &["sizeGibibytes"],
        ..BLANK
    },
    Field {
        name: "root",
        kind: Kind::Leaf(Type::Bool),
        doc: "The image is written to this volume; excludes `root-device`.",
        default: Some("#false"),
        lower: Lower::At(".spec.raid.softwareRAIDVolumes[].rootVolume"),
        class: Disruption::Clean,
        also: &["rootVolume"],
        ..BLANK
    },
    Field {
        name: "disk",
        kind: Kind::Keyed {
            fields: SOFTWARE_DISK,
            key: "disk",
            content: true,
        },
        doc: "Hints that choose one disk of the volume; two disks or more.",
        class: Disruption::Clean,
        also: &["physicalDisks", "disks"],
        ..BLANK
    },
];

const SOFTWARE_DISK: &[Field] = disk_hints!(
    ".spec.raid.softwareRAIDVolumes[].physicalDisks[]",
    Disruption::Clean
);

pub(super) const DEPLOY: &[Field] = &[
    Field {
        name: "image",
        kind: Kind::Leaf(Type::ImageRef),
        doc: "The image, by name; the argument of `deploy`.",
        lower: Lower::Image(".spec.image"),
        class: Disruption::Reprovision,
        required: true,
        ..BLANK
    },
    Field {
        name: "user-data",
        kind: Kind::Leaf(Type::Secret),
        doc: "Secret with the user data of the config drive (key `userData` or `value`).",
        lower: Lower::SecretRef(".spec.userData"),
        also: &["userData"],
        ..BLANK
    },
    Field {
        name: "meta-data",
        kind: Kind::Leaf(Type::Secret),
        doc: "Secret with the meta data of the config drive (key `metaData` or `value`).",
        lower: Lower::SecretRef(".spec.metaData"),
        also: &["metaData"],
        ..BLANK
    },
    Field {
        name: "network-data",
        kind: Kind::Leaf(Type::Secret),
        doc: "Secret with the network data of the config drive (key `networkData` or `value`).",
        lower: Lower::SecretRef(".spec.networkData"),
        also: &["networkData"],
        ..BLANK
    },
];

/// Fields of an image, at its host (`.spec.image`) and as an entity.
pub(super) const INLINE_IMAGE: &[Field] = &[
    Field {
        name: "url",
        kind: Kind::Leaf(Type::Url(IMAGE_URL)),
        doc: "Where the image is read from.",
        lower: Lower::At(".spec.image.url"),
        class: Disruption::Reprovision,
        required: true,
        ..BLANK
    },
    Field {
        name: "checksum",
        kind: Kind::Leaf(Type::Text),
        doc: "`sha256:…` or `sha512:…`, or the URL of a checksum file. Not for `oci://`.",
        lower: Lower::Checksum(".spec.image.checksum"),
        ..BLANK
    },
    Field {
        name: "checksum-type",
        kind: Kind::Leaf(Type::Enum(&["md5", "sha256", "sha512", "auto"])),
        doc: "Type of a checksum that does not say it itself.",
        lower: Lower::At(".spec.image.checksumType"),
        also: &["checksumType"],
        ..BLANK
    },
    Field {
        name: "format",
        kind: Kind::Leaf(Type::Enum(&["raw", "qcow2", "vdi", "vmdk", "live-iso"])),
        doc: "Format of the image.",
        lower: Lower::At(".spec.image.format"),
        also: &["diskFormat", "disk-format"],
        ..BLANK
    },
    Field {
        name: "auth",
        kind: Kind::Leaf(Type::Secret),
        doc: "Secret for an `oci://` registry.",
        lower: Lower::SecretName(".spec.image.ociAuthSecretName"),
        class: Disruption::None,
        also: &["ociAuthSecretName"],
        ..BLANK
    },
];

const CONSUMER: &[Field] = &[
    Field {
        name: "name",
        kind: Kind::Leaf(Type::Text),
        doc: "Name; the argument of `consumer`.",
        lower: Lower::At(".spec.consumerRef.name"),
        ..BLANK
    },
    Field {
        name: "kind",
        kind: Kind::Leaf(Type::Text),
        doc: "Kind.",
        lower: Lower::At(".spec.consumerRef.kind"),
        ..BLANK
    },
    Field {
        name: "namespace",
        kind: Kind::Leaf(Type::Text),
        doc: "Namespace.",
        lower: Lower::At(".spec.consumerRef.namespace"),
        ..BLANK
    },
    Field {
        name: "api-version",
        kind: Kind::Leaf(Type::Text),
        doc: "API version.",
        lower: Lower::At(".spec.consumerRef.apiVersion"),
        also: &["apiVersion"],
        ..BLANK
    },
    Field {
        name: "uid",
        kind: Kind::Leaf(Type::Text),
        doc: "UID.",
        lower: Lower::At(".spec.consumerRef.uid"),
        ..BLANK
    },
    Field {
        name: "field-path",
        kind: Kind::Leaf(Type::Text),
        doc: "A part of the object.",
        lower: Lower::At(".spec.consumerRef.fieldPath"),
        also: &["fieldPath"],
        ..BLANK
    },
    Field {
        name: "resource-version",
        kind: Kind::Leaf(Type::Text),
        doc: "Resource version.",
        lower: Lower::At(".spec.consumerRef.resourceVersion"),
        also: &["resourceVersion"],
        ..BLANK
    },
];

const TAINT: &[Field] = &[
    Field {
        name: "effect",
        kind: Kind::Leaf(Type::Enum(&["NoSchedule", "PreferNoSchedule", "NoExecute"])),
        doc: "What the taint does.",
        lower: Lower::At(".spec.taints[].effect"),
        required: true,
        ..BLANK
    },
    Field {
        name: "value",
        kind: Kind::Leaf(Type::LabelValue),
        doc: "Value of the taint.",
        lower: Lower::At(".spec.taints[].value"),
        ..BLANK
    },
    Field {
        name: "time-added",
        kind: Kind::Leaf(Type::Text),
        doc: "When it was added, RFC 3339.",
        lower: Lower::At(".spec.taints[].timeAdded"),
        also: &["timeAdded"],
        ..BLANK
    },
];

pub(super) const LIFECYCLE: &[Field] = &[Field {
    name: "prevent-destroy",
    kind: Kind::Leaf(Type::Bool),
    doc: "Refuses every plan that would destroy or deprovision it, even with `--allow-destroy`.",
    also: &["preventDestroy", "prevent_destroy"],
    ..BLANK
}];
