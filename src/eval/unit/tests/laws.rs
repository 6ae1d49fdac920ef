//! Laws: no text does harm, fixing ends, and what is shown reads back.

use super::*;

/// Calls every reader and gives the errors with a fix, beside the reader for that fix.
fn fixes(text: &str) -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    let mut add = |what, error: Option<UnitError>| {
        if let Some(fix) = error.and_then(|error| error.fix) {
            out.push((what, fix));
        }
    };
    add("size", size_for(text, SizeUnit::GiB).err());
    add("duration", duration_for(text, DurationUnit::Seconds).err());
    add("mac", text.parse::<Mac>().err());
    add("ip", ip(text).err());
    add("ipv4", ipv4(text).err());
    add("ipv6", ipv6(text).err());
    add("cidr", cidr(text).err());
    add("interface", interface(text).err());
    add("url", url(text, &[]).err());
    add("bmc", url(text, BMC).err());
    add("name", name(text).err());
    add("host_name", host_name(text).err());
    add("name_label", name_label(text).err());
    add("hostname", hostname(text).err());
    add("label_key", label_key(text).err());
    add("label_value", label_value(text).err());
    add("secret_name", secret_name(text).err());
    add("secret_key", secret_key(text).err());
    add("uuid", uuid(text).err());
    out
}

/// Texts that are often nearly values.
fn valueish() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        "[0-9]{1,4}",
        "[0-9a-fA-F]{2}",
        prop::sample::select(vec![
            ".", ":", "-", "/", "GB", "GiB", "Gi", "s", "m", "ms", "h", "d", " ", "_", ",", "[",
            "]", "::", "://", "http", "redfish", "@", "10.0.0.1", "fd00::", "PT", "host", "é",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(token, 0..8).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        fixes(&text);
    }

    /// A fix may leave another mistake, but it is always a step on: fixing ends.
    #[test]
    fn fixes_lead_somewhere(text in valueish()) {
        for (what, fix) in fixes(&text) {
            prop_assert_ne!(&fix, &text, "{}", what);
            // A blank, the case and the brackets of ` AA://::` are three.
            let mut steps = vec![fix];
            while let Some((_, next)) = fixes(&steps[steps.len() - 1])
                .into_iter()
                .find(|(other, _)| *other == what)
            {
                steps.push(next);
                prop_assert!(steps.len() <= 4, "{} {:?}", what, steps);
            }
        }
    }

    #[test]
    fn a_size_reads_back(bytes in any::<u64>(), unit in 0..11usize) {
        let unit = SizeUnit::ALL[unit];
        for size_of in [Size::from_bytes(bytes), Size::from_bytes(bytes / unit.bytes() * unit.bytes())] {
            prop_assert_eq!(size(&size_of.to_string()).unwrap(), size_of);
        }
    }

    #[test]
    fn a_duration_reads_back(millis in 0..=i64::MAX as u64 / 1_000_000) {
        let length = Duration::from_millis(millis);
        prop_assert_eq!(duration(&show_duration(length)).unwrap(), length);
    }

    #[test]
    fn a_mac_reads_back(bytes in any::<[u8; 6]>()) {
        let mac = Mac(bytes);
        prop_assert_eq!(mac.to_string().parse::<Mac>().unwrap(), mac);
        prop_assert_eq!(mac.to_string().to_uppercase().replace(':', "-").parse::<Mac>().unwrap(), mac);
        prop_assert_eq!(Mac::from_number(mac.number()), mac);
    }
}
