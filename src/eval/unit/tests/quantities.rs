//! Sizes and spans of time.

use super::*;

#[test]
fn sizes_are_exact() {
    for (text, bytes, shown) in [
        ("0B", 0, "0B"),
        ("480GB", 480_000_000_000, "480GB"),
        ("480GiB", 515_396_075_520, "480GiB"),
        ("1.5TiB", 1_649_267_441_664, "1536GiB"),
        ("0.5KiB", 512, "512B"),
        ("1000kB", 1_000_000, "1MB"),
        ("1KB", 1000, "1kB"),
        ("1024MiB", 1 << 30, "1GiB"),
        ("18446744073709551615B", u64::MAX, "18446744073709551615B"),
    ] {
        let size = size(text).unwrap();
        assert_eq!(size.bytes(), bytes, "{text}");
        assert_eq!(size.to_string(), shown, "{text}");
    }
    assert_eq!(
        Size::new(446, SizeUnit::GiB).unwrap(),
        size("446GiB").unwrap()
    );
    assert_eq!(size("480GB").unwrap().whole(SizeUnit::GB).unwrap(), 480);
    assert_eq!(size("1TiB").unwrap().whole(SizeUnit::GiB).unwrap(), 1024);
}

#[test]
fn sizes_that_are_none() {
    let told = |text: &str| told(|text| size_for(text, SizeUnit::GB), text);
    insta::assert_snapshot!(told("480"), @r"
    MF2006 `480` has no unit
    help: write `GB` for 1000³ bytes, as disk vendors do, or `GiB` for 1024³
    fix: 480GB
    ");
    insta::assert_snapshot!(told("480 GiB"), @r"
    MF2005 `480 GiB` has a space before its unit
    help: a size is a number and its unit, such as `480GB` or `446GiB`
    fix: 480GiB
    ");
    insta::assert_snapshot!(told("480gib"), @r"
    MF2007 `gib` is not a unit of size
    help: units are `B`, `kB`, `MB`, `GB`, `TB`, `PB`, `KiB`, `MiB`, `GiB`, `TiB`, `PiB`, such as `480GB`
    fix: 480GiB
    ");
    insta::assert_snapshot!(told("480Gi"), @r"
    MF2007 `Gi` is not a unit of size
    help: units are `B`, `kB`, `MB`, `GB`, `TB`, `PB`, `KiB`, `MiB`, `GiB`, `TiB`, `PiB`, such as `480GB`
    fix: 480GiB
    ");
    insta::assert_snapshot!(told("480G"), @r"
    MF2007 `G` is not a unit of size
    help: units are `B`, `kB`, `MB`, `GB`, `TB`, `PB`, `KiB`, `MiB`, `GiB`, `TiB`, `PiB`, such as `480GB`
    fix: 480GB
    ");
    insta::assert_snapshot!(told("1,000GB"), @r"
    MF2005 `1,000GB` has grouped digits
    help: a size is a number and its unit, such as `480GB` or `446GiB`
    fix: 1000GB
    ");
    insta::assert_snapshot!(told("60s"), @r"
    MF2006 `60s` is a duration, a size is expected
    help: a size is a number and its unit, such as `480GB` or `446GiB`
    ");
    insta::assert_snapshot!(told("480 chunks"), @r"
    MF2007 `chunks` is not a unit of size
    help: units are `B`, `kB`, `MB`, `GB`, `TB`, `PB`, `KiB`, `MiB`, `GiB`, `TiB`, `PiB`, such as `480GB`
    ");
    insta::assert_snapshot!(told("0.3KiB"), @r"
    MF2005 `0.3KiB` is not a whole number of bytes
    help: write fewer decimals, or a smaller unit, such as `307B`
    ");
    insta::assert_snapshot!(told("-1GB"), @r"
    MF2008 `-1GB` is negative, no size is
    help: a size is a number and its unit, such as `480GB` or `446GiB`
    ");
    insta::assert_snapshot!(told("99999999PiB"), @r"
    MF2008 `99999999PiB` is too large
    help: sizes go up to 18446744073709551615 bytes, about 16,000 PiB
    ");
    insta::assert_snapshot!(told("large"), @r"
    MF2005 `large` is not a size
    help: a size is a number and its unit, such as `480GB` or `446GiB`
    ");
    insta::assert_snapshot!(told(""), @r"
    MF2005 an empty text is not a size
    help: a size is a number and its unit, such as `480GB` or `446GiB`
    ");
    assert_eq!(size("480").unwrap_err().fix, None);
    let error = size("446GB").unwrap().whole(SizeUnit::GiB).unwrap_err();
    insta::assert_snapshot!(format!("MF{} {}\n{}", error.code, error.message, error.help), @r"
    MF3317 `446GB` is about 415.369 GiB, not a whole number
    this field is kept in whole GiB, and nothing is rounded: write `415GiB` or `416GiB`
    ");
    assert_eq!(Size::new(-1, SizeUnit::B).unwrap_err().code, OUT_OF_RANGE);
    assert_eq!(
        Size::new(i64::MAX, SizeUnit::PiB).unwrap_err().code,
        OUT_OF_RANGE
    );
}

#[test]
fn durations_add_up() {
    for (text, millis, shown) in [
        ("0s", 0, "0s"),
        ("60s", 60_000, "1m"),
        ("90s", 90_000, "1m30s"),
        ("1h30m", 5_400_000, "1h30m"),
        ("1.5h", 5_400_000, "1h30m"),
        ("2d", 172_800_000, "48h"),
        ("1d1h1m1s1ms", 90_061_001, "25h1m1s1ms"),
        ("250ms", 250, "250ms"),
    ] {
        let duration = duration(text).unwrap();
        assert_eq!(duration, Duration::from_millis(millis), "{text}");
        assert_eq!(show_duration(duration), shown, "{text}");
    }
    assert_eq!(
        DurationUnit::Minutes.times(5).unwrap(),
        Duration::from_mins(5)
    );
}

#[test]
fn durations_that_are_none() {
    let told = |text: &str| told(|text| duration_for(text, DurationUnit::Seconds), text);
    insta::assert_snapshot!(told("60"), @r"
    MF2006 `60` has no unit
    help: a duration is written like `60s`, `5m` or `1h30m`
    fix: 60s
    ");
    insta::assert_snapshot!(told("5 min"), @r"
    MF2007 `min` is not a unit of time
    help: units are `ms`, `s`, `m`, `h` and `d`, such as `60s` or `1h30m`
    fix: 5m
    ");
    insta::assert_snapshot!(told("1h 30m"), @r"
    MF2005 `1h 30m` has spaces in it
    help: a duration is written like `60s`, `5m` or `1h30m`
    fix: 1h30m
    ");
    insta::assert_snapshot!(told("30m1h"), @r"
    MF2005 `30m1h` does not run from large units to small ones
    help: a duration is written like `60s`, `5m` or `1h30m`
    ");
    insta::assert_snapshot!(told("1h30"), @r"
    MF2006 `1h30` has no unit
    help: a duration is written like `60s`, `5m` or `1h30m`
    ");
    insta::assert_snapshot!(told("PT1H30M"), @r"
    MF2005 `PT1H30M` is in ISO 8601 form
    help: a duration is written like `60s`, `5m` or `1h30m`
    fix: 1h30m
    ");
    insta::assert_snapshot!(told("60GB"), @r"
    MF2006 `60GB` is a size, a duration is expected
    help: a duration is written like `60s`, `5m` or `1h30m`
    ");
    insta::assert_snapshot!(told("3 fortnights"), @r"
    MF2007 `fortnights` is not a unit of time
    help: units are `ms`, `s`, `m`, `h` and `d`, such as `60s` or `1h30m`
    ");
    insta::assert_snapshot!(told("0.0001s"), @r"
    MF2005 `0.0001s` is not a whole number of milliseconds
    help: a duration is written like `60s`, `5m` or `1h30m`
    ");
    insta::assert_snapshot!(told("-5s"), @r"
    MF2008 `-5s` is negative, no duration is
    help: a duration is written like `60s`, `5m` or `1h30m`
    ");
    insta::assert_snapshot!(told("999999999d"), @r"
    MF2008 `999999999d` is too long
    help: durations go up to about 290 years
    ");
    insta::assert_snapshot!(told("soon"), @r"
    MF2005 `soon` is not a duration
    help: a duration is written like `60s`, `5m` or `1h30m`
    ");
    insta::assert_snapshot!(told(""), @r"
    MF2005 an empty text is not a duration
    help: a duration is written like `60s`, `5m` or `1h30m`
    ");
}
