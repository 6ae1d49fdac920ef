//! Settings of the Bare Metal Operator that change nothing here. Whoever brings its ConfigMap along is
//! told of them, at the start and by `adopt`: what is left out in silence is missed too late.

/// Variables, and what is so without them. Of switches only those that are on count.
const UNUSED: [(&str, bool, &str); 8] = [
    (
        "IRONIC_SKIP_CLIENT_SAN_VERIFY",
        true,
        "the name in Ironic's certificate is checked, unless IRONIC_INSECURE is on",
    ),
    ("IRONIC_CLIENT_TIMEOUT", false, "Ironic has 30 s to answer"),
    (
        "IRONIC_EXTERNAL_URL_V6",
        false,
        "machines with a BMC on IPv6 get images from where Ironic says itself",
    ),
    (
        "LIVE_ISO_FORCE_PERSISTENT_BOOT_DEVICE",
        false,
        "Ironic's own default says whether the boot device of a live ISO stays",
    ),
    (
        "DIRECT_DEPLOY_FORCE_PERSISTENT_BOOT_DEVICE",
        false,
        "Ironic's own default says whether the boot device of a deployment stays",
    ),
    (
        "PROVISIONING_NETWORK_DISABLED",
        true,
        "hosts that boot from a network are not refused",
    ),
    (
        "IRONIC_NETWORKING_ENABLED",
        true,
        "switches are not configured",
    ),
    (
        "PROVISIONER_PLUGIN_DIR",
        false,
        "there are no plugins; machines are Ironic's or simulated",
    ),
];

/// Those that are set in the process's environment, with what is so all the same.
pub(in crate::cli) fn here() -> Vec<(&'static str, &'static str)> {
    among(|name| std::env::var(name).ok())
}

fn among(value: impl Fn(&str) -> Option<String>) -> Vec<(&'static str, &'static str)> {
    let is_set = |name: &str, switch: bool| {
        let text = value(name).unwrap_or_default().to_lowercase();
        let off = switch && matches!(text.as_str(), "false" | "f" | "0" | "no" | "off");
        !text.is_empty() && !off
    };
    let all = UNUSED.into_iter();
    all.filter(|(name, switch, _)| is_set(name, *switch))
        .map(|(name, _, instead)| (name, instead))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_off_or_empty_is_not_missed() {
        let found = among(|name| {
            let value = match name {
                "IRONIC_EXTERNAL_URL_V6" => "",
                "IRONIC_CLIENT_TIMEOUT" => "60s",
                "IRONIC_SKIP_CLIENT_SAN_VERIFY" => "False",
                "PROVISIONING_NETWORK_DISABLED" => "True",
                // No switch: whatever it says is another wish.
                "LIVE_ISO_FORCE_PERSISTENT_BOOT_DEVICE" => "False",
                _ => return None,
            };
            Some(value.to_owned())
        });
        let names: Vec<&str> = found.into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "IRONIC_CLIENT_TIMEOUT",
                "LIVE_ISO_FORCE_PERSISTENT_BOOT_DEVICE",
                "PROVISIONING_NETWORK_DISABLED",
            ]
        );
    }
}
