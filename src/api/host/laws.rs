//! Laws of the wire form, for hosts of every shape.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::api::*;

fn word() -> BoxedStrategy<String> {
    prop_oneof![Just(String::new()), "[a-zA-Z0-9:/ ._-]{1,12}", "\\PC{1,6}"].boxed()
}

fn extra() -> BoxedStrategy<Extra> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,4}", inner, 0..3)
                .prop_map(|map| Value::from(Extra::from_iter(map))),
        ]
    });
    // The names of fields to come; none of today begins so.
    proptest::collection::btree_map("x[A-Z][a-z]{0,4}", value, 0..3)
        .prop_map(Extra::from_iter)
        .boxed()
}

fn one_of<T: From<String> + Clone + std::fmt::Debug + 'static>(
    known: &'static [T],
) -> impl Strategy<Value = T> {
    prop_oneof![4 => proptest::sample::select(known), 1 => word().prop_map(T::from)]
}

fn time() -> impl Strategy<Value = Timestamp> {
    (-62_135_596_800_i64..253_402_300_799).prop_map(|s| Timestamp::from_second(s).unwrap())
}

fn secret() -> BoxedStrategy<SecretReference> {
    (word(), word())
        .prop_map(|(name, namespace)| SecretReference { name, namespace })
        .boxed()
}

fn hints() -> BoxedStrategy<RootDeviceHints> {
    (vec(word(), 9), 0..9_i64, option::of(any::<bool>()))
        .prop_map(|(words, size, rotational)| {
            let mut words = words.into_iter();
            let mut next = || words.next().unwrap();
            RootDeviceHints {
                device_name: next(),
                hctl: next(),
                model: next(),
                vendor: next(),
                serial_number: next(),
                min_size_gigabytes: size,
                wwn: next(),
                wwn_with_extension: next(),
                wwn_vendor_extension: next(),
                rotational,
            }
        })
        .boxed()
}

fn raid() -> BoxedStrategy<RaidConfig> {
    let hardware = (
        option::of(0..9_i64),
        one_of(RaidLevel::KNOWN),
        word(),
        option::of(any::<bool>()),
        option::of(1..9_i64),
        word(),
        vec(word(), 0..3),
    )
        .prop_map(
            |(size, level, name, rotational, number, controller, disks)| HardwareRaidVolume {
                size_gibibytes: size,
                level,
                name,
                rotational,
                number_of_physical_disks: number,
                controller,
                physical_disks: disks,
            },
        );
    let software = (
        any::<bool>(),
        option::of(0..9_i64),
        one_of(RaidLevel::KNOWN),
        vec(hints(), 0..3),
    )
        .prop_map(
            |(root_volume, size_gibibytes, level, physical_disks)| SoftwareRaidVolume {
                root_volume,
                size_gibibytes,
                level,
                physical_disks,
            },
        );
    (
        option::of(vec(hardware, 0..3)),
        option::of(vec(software, 0..3)),
    )
        .prop_map(
            |(hardware_raid_volumes, software_raid_volumes)| RaidConfig {
                hardware_raid_volumes,
                software_raid_volumes,
            },
        )
        .boxed()
}

fn firmware() -> impl Strategy<Value = FirmwareConfig> {
    let bit = || option::of(any::<bool>());
    (bit(), bit(), bit()).prop_map(|(a, b, c)| FirmwareConfig {
        virtualization_enabled: a,
        simultaneous_multithreading_enabled: b,
        sriov_enabled: c,
    })
}

fn image() -> BoxedStrategy<Image> {
    (
        word(),
        word(),
        option::of(one_of(ChecksumType::KNOWN)),
        option::of(one_of(ImageFormat::KNOWN)),
        word(),
        extra(),
    )
        .prop_map(
            |(url, checksum, checksum_type, format, oci_auth_secret_name, extra)| Image {
                url,
                checksum,
                checksum_type,
                format,
                oci_auth_secret_name,
                extra,
            },
        )
        .boxed()
}

fn custom_deploy() -> impl Strategy<Value = CustomDeploy> {
    word().prop_map(|method| CustomDeploy { method })
}

fn interface() -> BoxedStrategy<NetworkInterface> {
    let port = (word(), word(), extra()).prop_map(|(switch_id, port_id, extra)| SwitchPort {
        switch_id,
        port_id,
        extra,
    });
    (word(), word(), word(), word(), option::of(port), extra())
        .prop_map(
            |(name, mac_address, attachment, namespace, switch_port, extra)| NetworkInterface {
                name,
                mac_address,
                host_network_attachment: HostNetworkAttachmentRef {
                    name: attachment,
                    namespace,
                },
                switch_port,
                extra,
            },
        )
        .boxed()
}

fn spec() -> BoxedStrategy<BareMetalHostSpec> {
    let bmc =
        (word(), word(), any::<bool>(), extra()).prop_map(|(address, name, off, extra)| Bmc {
            address,
            credentials_name: name,
            disable_certificate_verification: off,
            extra,
        });
    let consumer = option::of(word()).prop_map(|name| {
        Box::new(ObjectReference {
            name,
            kind: Some("M".into()),
            ..ObjectReference::default()
        })
    });
    let taint = (word(), word(), option::of(word())).prop_map(|(key, effect, value)| Taint {
        key,
        effect,
        value,
        time_added: None,
    });
    let secrets = (
        option::of(secret()),
        option::of(secret()),
        option::of(secret()),
    );
    let words = (word(), word(), word(), word(), word());
    let modes = (
        option::of(one_of(BootMode::KNOWN)),
        option::of(one_of(CleaningMode::KNOWN)),
        option::of(one_of(InspectionMode::KNOWN)),
    );
    let bits = (any::<bool>(), any::<bool>(), any::<bool>());
    let rare = (
        vec(taint, 0..2),
        option::of(raid().prop_map(Box::new)),
        option::of(firmware()),
        option::of(hints().prop_map(Shared::new)),
        option::of(consumer),
        option::of(image().prop_map(Shared::new)),
        option::of(custom_deploy()),
        vec(interface(), 0..2),
    );
    (bmc, secrets, words, modes, bits, rare, extra())
        .prop_map(|(bmc, secrets, words, modes, bits, rare, extra)| HostSpec {
            taints: rare.0,
            bmc,
            raid: rare.1,
            firmware: rare.2,
            hardware_profile: words.0,
            root_device_hints: rare.3,
            boot_mode: modes.0,
            boot_mac_address: words.1,
            online: bits.0,
            consumer_ref: rare.4,
            image: rare.5,
            user_data: secrets.0,
            preprovisioning_network_data_name: words.2,
            network_data: secrets.1,
            meta_data: secrets.2,
            description: words.3,
            externally_provisioned: bits.1,
            automated_cleaning_mode: modes.1,
            custom_deploy: rare.6,
            architecture: words.4,
            disable_power_off: bits.2,
            inspection_mode: modes.2,
            network_interfaces: rare.7,
            extra,
        })
        .prop_map(BareMetalHostSpec::from)
        .boxed()
}

fn status() -> BoxedStrategy<BareMetalHostStatus> {
    let metric = || {
        (option::of(time()), option::of(time()))
            .prop_map(|(start, end)| OperationMetric { start, end })
            .boxed()
    };
    let history = (metric(), metric(), metric(), metric()).prop_map(
        |(register, inspect, provision, deprovision)| OperationHistory {
            register,
            inspect,
            provision,
            deprovision,
        },
    );
    let credentials = || {
        (option::of(secret()), word()).prop_map(|(credentials, credentials_version)| {
            CredentialsStatus {
                credentials,
                credentials_version,
            }
        })
    };
    let condition = (
        one_of(ConditionType::KNOWN),
        proptest::sample::select(vec![
            ConditionStatus::True,
            ConditionStatus::False,
            ConditionStatus::Unknown,
        ]),
        0..9_i64,
        time(),
        one_of(conditions::Reason::KNOWN),
        word(),
    )
        .prop_map(
            |(kind, status, observed_generation, time, reason, message)| Condition {
                kind,
                status,
                observed_generation,
                last_transition_time: time,
                reason,
                message,
            },
        );
    let provisioning = (
        one_of(ProvisioningState::KNOWN),
        word(),
        image(),
        option::of(hints().prop_map(Shared::new)),
        option::of(one_of(BootMode::KNOWN)),
        option::of(raid().prop_map(Box::new)),
        option::of(firmware()),
        option::of(custom_deploy()),
        extra(),
    )
        .prop_map(|it| ProvisionStatus {
            state: it.0,
            id: it.1,
            image: it.2.into(),
            root_device_hints: it.3,
            boot_mode: it.4,
            raid: it.5,
            firmware: it.6,
            custom_deploy: it.7,
            extra: it.8,
        });
    let errors = (
        option::of(one_of(ErrorType::KNOWN)),
        word(),
        0..9_i64,
        0..9_i64,
    );
    let inventory = extra().prop_map(|it| HardwareJson::from_value(&Value::from(it)).unwrap());
    (
        (
            one_of(OperationalStatus::KNOWN),
            errors,
            option::of(time()),
            word(),
            any::<bool>(),
        ),
        (
            option::of(inventory),
            provisioning,
            credentials(),
            credentials(),
            history,
        ),
        (
            option::of(image().prop_map(Shared::new)),
            vec(condition, 0..3),
            extra(),
        ),
    )
        .prop_map(|(a, b, c)| BareMetalHostStatus {
            operational_status: a.0,
            error_type: a.1.0,
            last_updated: a.2,
            hardware_profile: a.3,
            hardware: b.0,
            provisioning: b.1,
            good_credentials: b.2.into(),
            tried_credentials: b.3.into(),
            error_message: a.1.1,
            powered_on: a.4,
            operation_history: b.4,
            error_count: a.1.2,
            provisioning_fail_count: a.1.3,
            last_attempted_image: c.0,
            conditions: c.1,
            extra: c.2,
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(spec in spec(), status in option::of(status())) {
        let mut host = BareMetalHost::new("a", spec);
        host.status = status;
        let text = serde_json::to_string(&host).unwrap();
        let value = serde_json::to_value(&host).unwrap();
        // The two ways of writing agree, so do the three of reading.
        prop_assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), &value);
        prop_assert_eq!(&serde_json::from_str::<BareMetalHost>(&text).unwrap(), &host);
        let yaml = serde_yaml_ng::to_string(&host).unwrap();
        prop_assert_eq!(&serde_json::to_value(serde_yaml_ng::from_str::<BareMetalHost>(&yaml).unwrap()).unwrap(), &value);
        prop_assert_eq!(&serde_json::from_value::<BareMetalHost>(value).unwrap(), &host);
    }
}

#[test]
fn a_fraction_of_a_second_is_not_written() {
    let time: Timestamp = "2026-08-20T10:00:00.75Z".parse().unwrap();
    let metric = OperationMetric {
        start: Some(time),
        end: None,
    };
    let value = serde_json::to_value(metric).unwrap();
    assert_eq!(
        value,
        json!({ "start": "2026-08-20T10:00:00Z", "end": null })
    );
    let back: OperationMetric = serde_json::from_value(value).unwrap();
    assert_eq!(back.start, Some(whole_seconds(time)));
    let before_the_epoch: Timestamp = "1969-12-31T23:59:59.5Z".parse().unwrap();
    assert_eq!(
        whole_seconds(before_the_epoch).to_string(),
        "1969-12-31T23:59:59Z"
    );
}
