//! MF9xxx: limits.

use super::Entry;
use crate::diag::Code;

/// DOC
pub const FILE_SIZE: Code = Code(9001);
/// DOC
pub const PROJECT_SIZE: Code = Code(9002);
/// DOC
pub const INSTANCES: Code = Code(9003);
/// DOC
pub const RANGE: Code = Code(9004);
/// DOC
pub const STRING: Code = Code(9005);
/// DOC
pub const NESTING: Code = Code(9006);
/// DOC
pub const DIAGNOSTICS: Code = Code(9007);

/// The rules of this thousand, in the order of their codes.
pub(super) const ENTRIES: &[Entry] = &[];
