//! MAC addresses.

use std::fmt;
use std::str::FromStr;

use super::{MISMATCH, UnitError, quoted};

const EXPECTED: &str =
    "a MAC address is six pairs of hexadecimal digits, such as `b0:7b:25:01:00:10`";

/// A 48-bit MAC address. Prints in lower case with colons, as `BareMetalHost` wants it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The address as a number below 2^48.
    pub fn number(self) -> u64 {
        self.0
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// The address of a number; bits above 48 are ignored.
    pub fn from_number(number: u64) -> Mac {
        let [_, _, bytes @ ..] = number.to_be_bytes();
        Mac(bytes)
    }

    /// Whether it addresses a group, as no interface does.
    pub fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// Whether it was made up locally instead of given by a vendor.
    pub fn is_local(self) -> bool {
        self.0[0] & 2 == 2
    }
}

/// Reads pairs separated by `:` or `-`, in any case.
impl FromStr for Mac {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Mac, UnitError> {
        let bytes = text.as_bytes();
        if bytes.len() == 17 && matches!(bytes[2], b':' | b'-') {
            let mut mac = [0u8; 6];
            let good = bytes.chunks(3).zip(&mut mac).all(|(part, byte)| {
                let (Some(high), Some(low)) = (digit(part[0]), digit(part[1])) else {
                    return false;
                };
                *byte = high << 4 | low;
                part.get(2).is_none_or(|separator| *separator == bytes[2])
            });
            if good {
                return Ok(Mac(mac));
            }
        }
        Err(not_a_mac(text))
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// Says which of the other common forms the text has.
#[cold]
fn not_a_mac(text: &str) -> UnitError {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let only = text
        .chars()
        .all(|c| c.is_ascii_hexdigit() || ":-. ".contains(c));
    let fix = (only && digits.len() == 12)
        .then(|| u64::from_str_radix(&digits, 16).ok())
        .flatten()
        .map(|number| Mac::from_number(number).to_string());
    let message = if only && fix.is_none() && digits.len() > 12 {
        format!(
            "{} has {} digits, a MAC address has 12",
            quoted(text),
            digits.len()
        )
    } else {
        format!("{} is not a MAC address", quoted(text))
    };
    UnitError::new(MISMATCH, message, EXPECTED).maybe_fix(fix)
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut out = [b':'; 17];
        for (index, byte) in self.0.iter().enumerate() {
            out[index * 3] = HEX[usize::from(byte >> 4)];
            out[index * 3 + 1] = HEX[usize::from(byte & 15)];
        }
        f.pad(std::str::from_utf8(&out).unwrap_or_default())
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
