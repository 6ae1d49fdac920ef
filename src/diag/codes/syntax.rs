//! MF1xxx: KDL itself, and what KDL allows but hardly anybody means.

use super::Entry;
use crate::diag::Code;

pub const UNCLOSED_BLOCK: Code = Code(1001);
pub const UNEXPECTED_CLOSE: Code = Code(1002);
pub const UNCLOSED_TEXT: Code = Code(1003);
pub const BARE_KEYWORD: Code = Code(1004);
pub const MISSING_VALUE: Code = Code(1005);
pub const MISSING_SPACE: Code = Code(1006);
pub const MALFORMED_NUMBER: Code = Code(1007);
pub const MAC_AS_NUMBER: Code = Code(1008);
pub const UNKNOWN_KEYWORD: Code = Code(1009);
pub const UNKNOWN_ESCAPE: Code = Code(1010);
pub const MULTILINE_STRING: Code = Code(1011);
pub const NESTING: Code = Code(1012);
pub const DISALLOWED_CHARACTER: Code = Code(1013);
pub const CONFUSABLE: Code = Code(1014);
pub const AFTER_BLOCK: Code = Code(1015);
pub const MISSING_NAME: Code = Code(1016);
pub const MALFORMED_ANNOTATION: Code = Code(1017);
pub const STRAY_BACKSLASH: Code = Code(1018);
pub const STRAY_SLASHDASH: Code = Code(1019);
pub const CUT_URL: Code = Code(1020);
pub const BARE_EXPRESSION: Code = Code(1021);
pub const BARE_COMPARISON: Code = Code(1022);
pub const DUPLICATE_PROPERTY: Code = Code(1023);
pub const PROPERTY_AND_CHILD: Code = Code(1024);
pub const NEEDS_QUOTES: Code = Code(1025);
pub const OLD_KDL: Code = Code(1030);
pub const MISSING_VERSION: Code = Code(1031);
pub const NOT_UTF8: Code = Code(1040);

/// The rules of this thousand, in the order of their codes.
pub(super) const ENTRIES: &[Entry] = &[];
