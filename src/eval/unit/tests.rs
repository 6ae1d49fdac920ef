#![allow(clippy::format_push_string, reason = "tests may be slow")]

mod laws;
mod names;
mod net;
mod quantities;
mod urls;

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const IMAGE: &[&str] = &["https", "http", "oci"];
const BMC: &[&str] = &[
    "redfish-virtualmedia",
    "redfish",
    "idrac-virtualmedia",
    "ipmi",
];

/// `MFnnnn message | help | fix`, after checking that the fix is a good value.
fn told<T: std::fmt::Debug>(read: impl Fn(&str) -> Result<T, UnitError>, text: &str) -> String {
    let error = read(text).unwrap_err();
    let mut out = format!("MF{} {}\nhelp: {}", error.code, error.message, error.help);
    if let Some(fix) = error.fix {
        out.push_str(&format!("\nfix: {fix}"));
        if let Err(error) = read(&fix) {
            panic!("the fix `{fix}` has an error: {error}");
        }
    }
    out
}
