//! MF1xxx: KDL itself, and what KDL allows but hardly anybody means.

use super::Entry;
use crate::diag::Code;

/// DOC
pub const UNCLOSED_BLOCK: Code = Code(1001);
/// DOC
pub const UNEXPECTED_CLOSE: Code = Code(1002);
/// DOC
pub const UNCLOSED_TEXT: Code = Code(1003);
/// DOC
pub const BARE_KEYWORD: Code = Code(1004);
/// DOC
pub const MISSING_VALUE: Code = Code(1005);
/// DOC
pub const MISSING_SPACE: Code = Code(1006);
/// DOC
pub const MALFORMED_NUMBER: Code = Code(1007);
/// DOC
pub const MAC_AS_NUMBER: Code = Code(1008);
/// DOC
pub const UNKNOWN_KEYWORD: Code = Code(1009);
/// DOC
pub const UNKNOWN_ESCAPE: Code = Code(1010);
/// DOC
pub const MULTILINE_STRING: Code = Code(1011);
/// DOC
pub const NESTING: Code = Code(1012);
/// DOC
pub const DISALLOWED_CHARACTER: Code = Code(1013);
/// DOC
pub const CONFUSABLE: Code = Code(1014);
/// DOC
pub const AFTER_BLOCK: Code = Code(1015);
/// DOC
pub const MISSING_NAME: Code = Code(1016);
/// DOC
pub const MALFORMED_ANNOTATION: Code = Code(1017);
/// DOC
pub const STRAY_BACKSLASH: Code = Code(1018);
/// DOC
pub const STRAY_SLASHDASH: Code = Code(1019);
/// DOC
pub const CUT_URL: Code = Code(1020);
/// DOC
pub const BARE_EXPRESSION: Code = Code(1021);
/// DOC
pub const BARE_COMPARISON: Code = Code(1022);
/// DOC
pub const DUPLICATE_PROPERTY: Code = Code(1023);
/// DOC
pub const PROPERTY_AND_CHILD: Code = Code(1024);
/// DOC
pub const NEEDS_QUOTES: Code = Code(1025);
/// DOC
pub const OLD_KDL: Code = Code(1030);
/// DOC
pub const MISSING_VERSION: Code = Code(1031);
/// DOC
pub const NOT_UTF8: Code = Code(1040);

/// The rules of this thousand, in the order of their codes.
pub(super) const ENTRIES: &[Entry] = &[];
