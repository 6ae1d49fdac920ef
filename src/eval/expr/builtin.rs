//! The functions of expressions: one table that evaluation, messages and docs read.

mod net;
mod text;

use super::Val;
use super::error::{ARGUMENT, TOO_LONG, TYPE};

/// A function of the language.
#[derive(Debug)]
pub struct Builtin {
    /// The name it is called by.
    pub name: &'static str,
    /// The name with the names and types of arguments and result.
    pub signature: &'static str,
    /// What it gives, in one sentence.
    pub doc: &'static str,
    /// A call.
    pub example: &'static str,
    /// The value of that call, as a literal.
    pub result: &'static str,
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) run: Run,
}

/// How a function gets its value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Run {
    /// From the values of its arguments.
    Plain(fn(&Args<'_>) -> Result<Val, Fault>),
    /// From whether its argument has a value.
    Has,
    /// From the first argument with a value.
    Coalesce,
}

/// All functions, in the order in which docs list them: addresses, numbers, text, lists, names.
pub static TABLE: &[Builtin] = &[
    Builtin {
        name: "subnet",
        signature: "subnet(cidr: string, length: int, n: int) -> string",
        doc: "The n-th subnet of the given prefix length inside `cidr`, counted from 0.",
        example: "subnet('10.20.0.0/16', 24, 1)",
        result: "'10.20.1.0/24'",
        least: 3,
        most: 3,
        run: Run::Plain(net::subnet),
    },
    Builtin {
        name: "ip",
        signature: "ip(cidr: string, n: int) -> string",
        doc: "The n-th address of `cidr`; the network and broadcast addresses are refused.",
        example: "ip('10.20.1.0/24', 28)",
        result: "'10.20.1.28'",
        least: 2,
        most: 2,
        run: Run::Plain(net::ip),
    },
    Builtin {
        name: "ip_add",
        signature: "ip_add(ip: string, n: int) -> string",
        doc: "The address n after `ip`, or before it where n is negative.",
        example: "ip_add('10.20.1.250', 10)",
        result: "'10.20.2.4'",
        least: 2,
        most: 2,
        run: Run::Plain(net::ip_add),
    },
    Builtin {
        name: "prefix",
        signature: "prefix(cidr: string) -> int",
        doc: "The prefix length of a subnet or of an address with one.",
        example: "prefix('172.22.0.0/20')",
        result: "20",
        least: 1,
        most: 1,
        run: Run::Plain(net::prefix),
    },
    Builtin {
        name: "mac",
        signature: "mac(base: string, n: int) -> string",
        doc: "The MAC address n after `base`, in lower case; it stays in the vendor's block.",
        example: "mac('B0-7B-25-01-00-00', 7 * 16)",
        result: "'b0:7b:25:01:00:70'",
        least: 2,
        most: 2,
        run: Run::Plain(net::mac),
    },
    Builtin {
        name: "pad",
        signature: "pad(n: int, width: int) -> string",
        doc: "A number, or a string of digits, with zeros in front up to `width` digits.",
        example: "pad(7, 2)",
        result: "'07'",
        least: 2,
        most: 2,
        run: Run::Plain(text::pad),
    },
    Builtin {
        name: "hex",
        signature: "hex(n: int, width: int) -> string",
        doc: "A number in lower-case hexadecimal with zeros in front; without `width` none.",
        example: "hex(26, 4)",
        result: "'001a'",
        least: 1,
        most: 2,
        run: Run::Plain(text::hex),
    },
    Builtin {
        name: "min",
        signature: "min(a: int, b: int, …) -> int",
        doc: "The smallest of its arguments, or of one list of numbers.",
        example: "min(3, 1, 2)",
        result: "1",
        least: 1,
        most: usize::MAX,
        run: Run::Plain(text::min),
    },
    Builtin {
        name: "max",
        signature: "max(a: int, b: int, …) -> int",
        doc: "The largest of its arguments, or of one list of numbers.",
        example: "max([3, 1, 2])",
        result: "3",
        least: 1,
        most: usize::MAX,
        run: Run::Plain(text::max),
    },
    Builtin {
        name: "lower",
        signature: "lower(s: string) -> string",
        doc: "The text with `A` to `Z` in lower case; other letters stay.",
        example: "lower('R01-N07')",
        result: "'r01-n07'",
        least: 1,
        most: 1,
        run: Run::Plain(text::lower),
    },
    Builtin {
        name: "upper",
        signature: "upper(s: string) -> string",
        doc: "The text with `a` to `z` in upper case; other letters stay.",
        example: "upper('r01')",
        result: "'R01'",
        least: 1,
        most: 1,
        run: Run::Plain(text::upper),
    },
    Builtin {
        name: "replace",
        signature: "replace(s: string, from: string, to: string) -> string",
        doc: "The text with every `from` replaced by `to`, left to right.",
        example: "replace('b0:7b:25', ':', '')",
        result: "'b07b25'",
        least: 3,
        most: 3,
        run: Run::Plain(text::replace),
    },
    Builtin {
        name: "contains",
        signature: "contains(s: string, part: string) -> bool",
        doc: "Whether `part` is in the text, or an item in a list; the same as `part in s`.",
        example: "contains('r01-n07', '-n')",
        result: "true",
        least: 2,
        most: 2,
        run: Run::Plain(text::contains),
    },
    Builtin {
        name: "starts_with",
        signature: "starts_with(s: string, start: string) -> bool",
        doc: "Whether the text starts so.",
        example: "starts_with('r01-n07', 'r01-')",
        result: "true",
        least: 2,
        most: 2,
        run: Run::Plain(text::starts_with),
    },
    Builtin {
        name: "ends_with",
        signature: "ends_with(s: string, end: string) -> bool",
        doc: "Whether the text ends so.",
        example: "ends_with('r01-n07', '-n08')",
        result: "false",
        least: 2,
        most: 2,
        run: Run::Plain(text::ends_with),
    },
    Builtin {
        name: "len",
        signature: "len(x: string | list) -> int",
        doc: "How many characters (code points) a text has, or items a list.",
        example: "len(['a', 'b'])",
        result: "2",
        least: 1,
        most: 1,
        run: Run::Plain(text::len),
    },
    Builtin {
        name: "split",
        signature: "split(s: string, by: string) -> list",
        doc: "The parts of the text between each `by`.",
        example: "split('a,b,c', ',')",
        result: "['a', 'b', 'c']",
        least: 2,
        most: 2,
        run: Run::Plain(text::split),
    },
    Builtin {
        name: "join",
        signature: "join(list: list, by: string) -> string",
        doc: "The items of the list as one text with `by` between them.",
        example: "join([1, 'b', true], '-')",
        result: "'1-b-true'",
        least: 2,
        most: 2,
        run: Run::Plain(text::join),
    },
    Builtin {
        name: "has",
        signature: "has(name) -> bool",
        doc: "Whether the name has a value here.",
        example: "has(host.serial)",
        result: "false",
        least: 1,
        most: 1,
        run: Run::Has,
    },
    Builtin {
        name: "coalesce",
        signature: "coalesce(name, …, default) -> any",
        doc: "The value of the first name that has one, or else the default.",
        example: "coalesce(host.mtu, 9000)",
        result: "9000",
        least: 2,
        most: usize::MAX,
        run: Run::Coalesce,
    },
];

/// The function of that name.
pub fn find(name: &str) -> Option<&'static Builtin> {
    TABLE.iter().find(|function| function.name == name)
}

/// The function that other languages call by that name.
pub(super) fn spelled(name: &str) -> Option<&'static Builtin> {
    let ours = match name {
        "startsWith" | "startswith" | "hasPrefix" => "starts_with",
        "endsWith" | "endswith" | "hasSuffix" => "ends_with",
        "size" | "length" | "count" => "len",
        "cidrsubnet" => "subnet",
        "cidrhost" => "ip",
        "lowerAscii" | "lowercase" | "toLower" => "lower",
        "upperAscii" | "uppercase" | "toUpper" => "upper",
        "default" | "or" | "try" => "coalesce",
        "exists" | "defined" => "has",
        "format" | "zfill" => "pad",
        other => return TABLE.iter().find(|f| f.name.eq_ignore_ascii_case(other)),
    };
    find(ours)
}

impl Builtin {
    /// How many arguments, in words.
    pub(super) fn arity(&self) -> String {
        let plural = |count: usize| if count == 1 { "argument" } else { "arguments" };
        match (self.least, self.most) {
            (least, usize::MAX) => format!("at least {least} {}", plural(least)),
            (least, most) if least == most => format!("{least} {}", plural(least)),
            (least, most) => format!("{least} to {most} arguments"),
        }
    }
}

/// Why a call has no value.
pub(super) struct Fault {
    pub(super) code: u16,
    /// The argument at fault, counted from 0; none for the whole call.
    pub(super) arg: Option<usize>,
    pub(super) message: String,
    /// The signature, where there is nothing better to say.
    pub(super) help: Option<String>,
    /// A text that the argument should rather be.
    pub(super) suggestion: Option<String>,
}

impl Fault {
    fn new(code: u16, arg: usize, message: impl Into<String>) -> Fault {
        Fault {
            code,
            arg: Some(arg),
            message: message.into(),
            help: None,
            suggestion: None,
        }
    }

    fn argument(arg: usize, message: impl Into<String>) -> Fault {
        Fault::new(ARGUMENT, arg, message)
    }

    fn too_long(message: String) -> Fault {
        Fault {
            code: TOO_LONG,
            arg: None,
            message,
            help: None,
            suggestion: None,
        }
    }

    fn help(mut self, text: impl Into<String>) -> Fault {
        self.help = Some(text.into());
        self
    }
}

/// The values of a call's arguments; as many as the table says.
pub(super) struct Args<'v>(&'v [Val], usize);

impl<'v> Args<'v> {
    /// `max_string` bounds the text that the call may make, in bytes.
    pub(super) fn new(values: &'v [Val], max_string: usize) -> Args<'v> {
        Args(values, max_string)
    }

    fn max_string(&self) -> usize {
        self.1
    }

    fn wrong(&self, nth: usize, expected: &str) -> Fault {
        let found = self.0.get(nth).map_or("nothing", Val::article);
        Fault::new(TYPE, nth, format!("expected {expected}, this is {found}"))
    }

    fn int(&self, nth: usize) -> Result<i64, Fault> {
        match self.0.get(nth) {
            Some(Val::Int(number)) => Ok(*number),
            _ => Err(self.wrong(nth, "an integer")),
        }
    }

    fn text(&self, nth: usize) -> Result<&'v str, Fault> {
        match self.0.get(nth) {
            Some(Val::Str(text)) => Ok(text),
            _ => Err(self.wrong(nth, "a string")),
        }
    }

    fn list(&self, nth: usize) -> Result<&'v [Val], Fault> {
        match self.0.get(nth) {
            Some(Val::List(items)) => Ok(items),
            _ => Err(self.wrong(nth, "a list")),
        }
    }
}
