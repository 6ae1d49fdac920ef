//! MF1xxx: KDL itself, and what KDL allows but hardly anybody means.

use super::Entry;
use crate::diag::{Code, Severity};

/// A child block is not closed.
pub const UNCLOSED_BLOCK: Code = Code(1001);
/// A `}` closes nothing.
pub const UNEXPECTED_CLOSE: Code = Code(1002);
/// A string or a block comment is not closed.
pub const UNCLOSED_TEXT: Code = Code(1003);
/// `true`, `false`, `null`, `inf` or `nan` without its `#`.
pub const BARE_KEYWORD: Code = Code(1004);
/// A property has no value.
pub const MISSING_VALUE: Code = Code(1005);
/// A space is missing between two values.
pub const MISSING_SPACE: Code = Code(1006);
/// Text that starts like a number is none.
pub const MALFORMED_NUMBER: Code = Code(1007);
/// A MAC address is read as a number.
pub const MAC_AS_NUMBER: Code = Code(1008);
/// A word after `#` is no keyword.
pub const UNKNOWN_KEYWORD: Code = Code(1009);
/// A backslash in a string does not start an escape.
pub const UNKNOWN_ESCAPE: Code = Code(1010);
/// A multi-line string is not laid out as it has to be.
pub const MULTILINE_STRING: Code = Code(1011);
/// Blocks are nested deeper than the limit.
pub const NESTING: Code = Code(1012);
/// A code point that may not stand in a document.
pub const DISALLOWED_CHARACTER: Code = Code(1013);
/// A word has letters that look like others.
pub const CONFUSABLE: Code = Code(1014);
/// Something follows a child block on its line.
pub const AFTER_BLOCK: Code = Code(1015);
/// A node or a property has no name.
pub const MISSING_NAME: Code = Code(1016);
/// An annotation is malformed or stands in the wrong place.
pub const MALFORMED_ANNOTATION: Code = Code(1017);
/// A `\` is not the last thing on its line.
pub const STRAY_BACKSLASH: Code = Code(1018);
/// A `/-` comments out nothing, or a part of something.
pub const STRAY_SLASHDASH: Code = Code(1019);
/// A URL without quotes is cut by `//`.
pub const CUT_URL: Code = Code(1020);
/// An expression stands outside of quotes.
pub const BARE_EXPRESSION: Code = Code(1021);
/// A comparison stands outside of quotes.
pub const BARE_COMPARISON: Code = Code(1022);
/// A property is written twice on one node.
pub const DUPLICATE_PROPERTY: Code = Code(1023);
/// A field is written as a property and as a child.
pub const PROPERTY_AND_CHILD: Code = Code(1024);
/// Text without quotes has characters that need them.
pub const NEEDS_QUOTES: Code = Code(1025);
/// The document is not KDL 2.
pub const OLD_KDL: Code = Code(1030);
/// The file does not state its KDL version.
pub const MISSING_VERSION: Code = Code(1031);
/// The file is not UTF-8.
pub const NOT_UTF8: Code = Code(1040);

/// The rules of this thousand, in the order of their codes. The examples are read by a test: each
/// bad one has this finding and no other, each good one has none.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: UNCLOSED_BLOCK,
        slug: "unclosed-block",
        severity: Severity::Error,
        summary: "A child block is not closed",
        why: "Everything after the brace would belong to the block. Where the indentation shows \
               it, the finding points at the block that lacks its brace rather than at the one \
               that is open at the end of the file.",
        bad: "rack r01 {\n    host r01-n01 {\n        online #true\n}\n",
        good: "rack r01 {\n    host r01-n01 {\n        online #true\n    }\n}\n",
        fix: "Add the missing `}`; there is no automatic fix.",
    },
    Entry {
        code: UNEXPECTED_CLOSE,
        slug: "unexpected-close",
        severity: Severity::Error,
        summary: "A `}` closes nothing",
        why: "There is one closing brace more than there are opening ones, so a block ends \
               earlier than it seems.",
        bad: "host r01-n01 {\n    online #true\n}\n}\n",
        good: "host r01-n01 {\n    online #true\n}\n",
        fix: "Remove the brace, or find the `{` that is missing; there is no automatic fix.",
    },
    Entry {
        code: UNCLOSED_TEXT,
        slug: "unclosed-text",
        severity: Severity::Error,
        summary: "A string or a block comment is not closed",
        why: "A string between `\"` ends on its line; text of several lines stands between \
               `\"\"\"`. Where the string was meant to end is guessed, so that the rest of the \
               file is still read.",
        bad: "spec fra1 namespace=\"metal3\n",
        good: "spec fra1 namespace=\"metal3\"\n",
        fix: "Add the closing quote or `*/`; there is no automatic fix.",
    },
    Entry {
        code: BARE_KEYWORD,
        slug: "bare-keyword",
        severity: Severity::Error,
        summary: "`true`, `false`, `null`, `inf` or `nan` without its `#`",
        why: "KDL 2 writes keywords with a `#`; the bare words were keywords in KDL 1 and are \
               refused so that neither meaning is taken in silence.",
        bad: "bmc verify-ca=true\n",
        good: "bmc verify-ca=#true\n",
        fix: "A safe fix writes the `#`, or quotes where a name was meant.",
    },
    Entry {
        code: MISSING_VALUE,
        slug: "missing-value",
        severity: Severity::Error,
        summary: "A property has no value",
        why: "After `key=` a value has to follow on the same line.",
        bad: "boot mode= mac=\"0c:42:a1:00:00:01\"\n",
        good: "boot mode=UEFI mac=\"0c:42:a1:00:00:01\"\n",
        fix: "Write the value, or `#null` for nothing; there is no automatic fix.",
    },
    Entry {
        code: MISSING_SPACE,
        slug: "missing-space",
        severity: Severity::Error,
        summary: "A space is missing between two values",
        why: "Two values that touch are either one text that lacks its quotes or two that lack a \
               space. Quotes inside a quoted string have to be written `\\\"`.",
        bad: "bmc address=\"redfish://10.0.0.1\"credentials=bmc-1\n",
        good: "bmc address=\"redfish://10.0.0.1\" credentials=bmc-1\n",
        fix: "A safe fix inserts the space.",
    },
    Entry {
        code: MALFORMED_NUMBER,
        slug: "malformed-number",
        severity: Severity::Error,
        summary: "Text that starts like a number is none",
        why: "A word that starts with a digit is a number to KDL. Addresses, sizes, durations, \
               versions and dates need quotes.",
        bad: "address 10.0.0.1\n",
        good: "address \"10.0.0.1\"\n",
        fix: "A safe fix puts it in quotes, adds a zero to `.5` and `5.`, and removes a trailing \
               comma.",
    },
    Entry {
        code: MAC_AS_NUMBER,
        slug: "mac-as-number",
        severity: Severity::Error,
        summary: "A MAC address is read as a number",
        why: "A MAC address that starts with a letter is legal text without quotes, one that \
               starts with a digit is not. Quote them all.",
        bad: "boot mac=52:54:00:12:34:56\n",
        good: "boot mac=\"52:54:00:12:34:56\"\n",
        fix: "A safe fix puts it in quotes.",
    },
    Entry {
        code: UNKNOWN_KEYWORD,
        slug: "unknown-keyword",
        severity: Severity::Error,
        summary: "A word after `#` is no keyword",
        why: "The keywords are `#true`, `#false`, `#null`, `#inf`, `#-inf` and `#nan`. Comments \
               start with `//`.",
        bad: "online #yes\n",
        good: "online #true\n",
        fix: "A safe fix writes the keyword that was probably meant, or `//`.",
    },
    Entry {
        code: UNKNOWN_ESCAPE,
        slug: "unknown-escape",
        severity: Severity::Error,
        summary: "A backslash in a string does not start an escape",
        why: "The escapes are `\\n`, `\\r`, `\\t`, `\\b`, `\\f`, `\\s`, `\\\"`, `\\\\`, `\\u{…}` \
               and a backslash before white space, which is dropped.",
        bad: "pattern \"\\d+\"\n",
        good: "pattern #\"\\d+\"#\n",
        fix: "Write `\\\\`, or use a raw string; there is no automatic fix.",
    },
    Entry {
        code: MULTILINE_STRING,
        slug: "multiline-string",
        severity: Severity::Error,
        summary: "A multi-line string is not laid out as it has to be",
        why: "The text starts on the line after `\"\"\"`; the closing `\"\"\"` stands on a line \
               of its own, and the white space before it is what every line starts with and \
               loses.",
        bad: "motd \"\"\"\n    Welcome\n  to fra1\n    \"\"\"\n",
        good: "motd \"\"\"\n    Welcome\n    to fra1\n    \"\"\"\n",
        fix: "A fix indents the lines, moves the closing quotes to a new line, or uses single \
               quotes.",
    },
    Entry {
        code: NESTING,
        slug: "deep-nesting",
        severity: Severity::Error,
        summary: "Blocks are nested deeper than the limit",
        why: "More than 128 levels are a mistake or an attack. What is nested deeper is skipped.",
        bad: "",
        good: "",
        fix: "Close the braces that were never closed; there is no automatic fix.",
    },
    Entry {
        code: DISALLOWED_CHARACTER,
        slug: "disallowed-character",
        severity: Severity::Error,
        summary: "A code point that may not stand in a document",
        why: "Control characters do not show. Those that change the direction of text can make a \
               file show something else than what is read, in comments as well.",
        bad: "site fra1 // \u{202e}ton\n",
        good: "site fra1 // not\n",
        fix: "A safe fix removes it, or writes it as an escape where it stands in a string.",
    },
    Entry {
        code: CONFUSABLE,
        slug: "confusable-name",
        severity: Severity::Warning,
        summary: "A word has letters that look like others",
        why: "A Cyrillic or Greek letter among Latin ones, or a character that does not show, \
               makes another name than the one that is read.",
        bad: "h\u{43e}st r01-n01\n",
        good: "host r01-n01\n",
        fix: "Type the word anew; there is no automatic fix.",
    },
    Entry {
        code: AFTER_BLOCK,
        slug: "after-block",
        severity: Severity::Error,
        summary: "Something follows a child block on its line",
        why: "A node has one child block at most, and it comes last. A block that is commented \
               out by `/-` counts.",
        bad: "host r01-n01 { online #true; } slot=1\n",
        good: "host r01-n01 slot=1 { online #true; }\n",
        fix: "Start a new line, or move the entry in front of the block; there is no automatic \
               fix.",
    },
    Entry {
        code: MISSING_NAME,
        slug: "missing-name",
        severity: Severity::Error,
        summary: "A node or a property has no name",
        why: "A line starts with a node's name; values and `key=value` follow. There is no `=` \
               between a node and its value, and a `{` stands on the line of its node.",
        bad: "rack r01\n{\n    host r01-n01\n}\n",
        good: "rack r01 {\n    host r01-n01\n}\n",
        fix: "Move a `{` to its node's line; remove a stray `;` or `=`. The finding shows which.",
    },
    Entry {
        code: MALFORMED_ANNOTATION,
        slug: "malformed-annotation",
        severity: Severity::Error,
        summary: "An annotation is malformed or stands in the wrong place",
        why: "An annotation is one name in parentheses, right before a node's name or a value. A \
               property's annotation stands after the `=`.",
        bad: "bmc (secret)credentials=bmc-1\n",
        good: "bmc credentials=(secret)bmc-1\n",
        fix: "Move it or complete it; there is no automatic fix.",
    },
    Entry {
        code: STRAY_BACKSLASH,
        slug: "stray-backslash",
        severity: Severity::Error,
        summary: "A `\\` is not the last thing on its line",
        why: "Outside strings, a backslash continues a line; only a comment may follow it.",
        bad: "labels site=fra1 \\ rack=r01\n",
        good: "labels site=fra1 \\\n    rack=r01\n",
        fix: "Remove it, or quote the text that it belongs to; there is no automatic fix.",
    },
    Entry {
        code: STRAY_SLASHDASH,
        slug: "stray-slashdash",
        severity: Severity::Error,
        summary: "A `/-` comments out nothing, or a part of something",
        why: "`/-` covers the whole node, value, property or block that follows. It stands \
               before the annotation and the key.",
        bad: "boot mode=/-UEFI\n",
        good: "boot /-mode=UEFI\n",
        fix: "Move or remove it; there is no automatic fix.",
    },
    Entry {
        code: CUT_URL,
        slug: "cut-url",
        severity: Severity::Error,
        summary: "A URL without quotes is cut by `//`",
        why: "KDL would read `https:` and take the rest for a comment, without a word.",
        bad: "url https://images.example.net/ubuntu.qcow2\n",
        good: "url \"https://images.example.net/ubuntu.qcow2\"\n",
        fix: "A safe fix puts it in quotes.",
    },
    Entry {
        code: BARE_EXPRESSION,
        slug: "bare-expression",
        severity: Severity::Error,
        summary: "An expression stands outside of quotes",
        why: "KDL would read the text `$` and a child block. Expressions are read inside quoted \
               strings only.",
        bad: "hostname ${host.name}\n",
        good: "hostname \"${host.name}\"\n",
        fix: "A safe fix puts it in quotes.",
    },
    Entry {
        code: BARE_COMPARISON,
        slug: "bare-comparison",
        severity: Severity::Error,
        summary: "A comparison stands outside of quotes",
        why: "KDL would read a property whose key ends in `!`, `<` or `>`.",
        bad: "when rack.index>=3 {\n    labels row=b\n}\n",
        good: "when \"rack.index>=3\" {\n    labels row=b\n}\n",
        fix: "A safe fix puts it in quotes.",
    },
    Entry {
        code: DUPLICATE_PROPERTY,
        slug: "duplicate-property",
        severity: Severity::Error,
        summary: "A property is written twice on one node",
        why: "KDL would silently keep the last one.",
        bad: "boot mode=UEFI mode=legacy\n",
        good: "boot mode=UEFI\n",
        fix: "Remove one; there is no automatic fix.",
    },
    Entry {
        code: PROPERTY_AND_CHILD,
        slug: "property-and-child",
        severity: Severity::Error,
        summary: "A field is written as a property and as a child",
        why: "`boot mode=UEFI` and `boot { mode UEFI; }` say the same; with both, neither is the \
               one that counts.",
        bad: "",
        good: "",
        fix: "Remove one; there is no automatic fix.",
    },
    Entry {
        code: NEEDS_QUOTES,
        slug: "needs-quotes",
        severity: Severity::Error,
        summary: "Text without quotes has characters that need them",
        why: "`\\ / ( ) { } [ ] ; \" # =` mean something to KDL. Paths, ranges, calls and label \
               keys with a prefix need quotes.",
        bad: "import racks/*.kdl\nhost r01-n[01-40]\n",
        good: "import \"racks/*.kdl\"\nhost \"r01-n[01-40]\"\n",
        fix: "A safe fix puts it in quotes.",
    },
    Entry {
        code: OLD_KDL,
        slug: "old-kdl",
        severity: Severity::Error,
        summary: "The document is not KDL 2",
        why: "The first line states another version, or a raw string is written as in KDL 1.",
        bad: "/- kdl-version 1\nhost r01-n01\n",
        good: "/- kdl-version 2\nhost r01-n01\n",
        fix: "An unsafe fix sets the version and rewrites raw strings; other findings show \
               what else changed.",
    },
    Entry {
        code: MISSING_VERSION,
        slug: "missing-version",
        severity: Severity::Warning,
        summary: "The file does not state its KDL version",
        why: "With `/- kdl-version 2` as the first line, other tools do not have to guess.",
        bad: "host r01-n01\n",
        good: "/- kdl-version 2\nhost r01-n01\n",
        fix: "A safe fix adds the line.",
    },
    Entry {
        code: NOT_UTF8,
        slug: "not-utf8",
        severity: Severity::Error,
        summary: "The file is not UTF-8",
        why: "KDL is UTF-8. The finding names the offset of the first byte that is not.",
        bad: "",
        good: "",
        fix: "Save the file as UTF-8; there is no automatic fix.",
    },
];
