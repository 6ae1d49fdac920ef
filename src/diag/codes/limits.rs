//! MF9xxx: limits.

use super::Entry;
use crate::diag::Code;

pub const FILE_SIZE: Code = Code(9001);
pub const PROJECT_SIZE: Code = Code(9002);
pub const INSTANCES: Code = Code(9003);
pub const RANGE: Code = Code(9004);
pub const STRING: Code = Code(9005);
pub const NESTING: Code = Code(9006);
pub const DIAGNOSTICS: Code = Code(9007);

/// The rules of this thousand, in the order of their codes.
pub(super) const ENTRIES: &[Entry] = &[];
