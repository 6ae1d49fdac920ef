//! Why an action waits: every code in one table, which `explain` and `docs/plan.md` read.

use std::fmt;
use std::sync::Arc;

/// Why an action waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Which of the reasons.
    pub code: HoldCode,
    /// For people: what is waited for and what to do. Shared, as a pool says the same to many.
    pub text: Arc<str>,
}

impl Hold {
    pub(super) fn new(code: HoldCode, text: impl Into<Arc<str>>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

macro_rules! codes {
    ($( $(#[doc = $doc:literal])+ $name:ident: $until:ident, )+) => {
        /// The codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum HoldCode {
            $( $(#[doc = $doc])+ $name, )+
        }

        impl HoldCode {
            /// All codes, in the order in which an action is judged.
            pub const ALL: &'static [Self] = &[$( Self::$name, )+];

            /// The text on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$name => stringify!($name), )+
                }
            }

            const fn until(self) -> Until {
                match self {
                    $( Self::$name => Until::$until, )+
                }
            }

            /// What is waited for and what to do, for `explain` and the documentation.
            pub const fn doc(self) -> &'static str {
                match self {
                    $( Self::$name => concat!($($doc, "\n"),+).trim_ascii(), )+
                }
            }
        }
    };
}

enum Until {
    /// A person edits or allows something.
    Person,
    /// Another machine comes to something.
    Machine,
}

codes! {
    /// The change is not possible as it stands: the text names the rule and says what to do.
    Refused: Person,
    /// The host's machine is still that of another host, or the host itself is being deleted. It
    /// is created once that one is gone.
    MachineTaken: Machine,
    /// What is deployed would be lost, or a deployed machine leaves its pool. It goes on once
    /// `metalform apply --allow-destroy NAME` is said.
    NeedsAllowDestroy: Person,
    /// As many machines of the pool as its `rollout` allows are out of service. It goes on when one
    /// of them is provisioned and well.
    Rolling: Machine,
    /// A machine of the pool failed, which stops the roll. It goes on when that machine recovers or
    /// leaves the pool.
    RollStopped: Machine,
}

impl HoldCode {
    /// True when nothing but a person's word or edit lets the action go. The others wait for
    /// machines, which may in their turn wait for a person.
    pub const fn needs_person(self) -> bool {
        matches!(self.until(), Until::Person)
    }
}

impl fmt::Display for HoldCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// The table in `docs/plan.md` is this one. `METALFORM_WRITE_DOCS=1 cargo test --lib hold`
    /// writes it anew.
    #[test]
    fn holds_are_documented_as_they_are() {
        let mut table = String::from("| code | waits for | |\n|---|---|---|\n");
        for code in HoldCode::ALL {
            let until = match code.until() {
                Until::Person => "a person",
                Until::Machine => "a machine",
            };
            let doc: Vec<&str> = code.doc().split_whitespace().collect();
            writeln!(table, "| `{code}` | {until} | {} |", doc.join(" ")).unwrap();
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/plan.md");
        let text = std::fs::read_to_string(path).unwrap();
        let marks = [
            "<!-- holds: written by a test -->\n\n",
            "\n<!-- holds end -->",
        ];
        let (before, rest) = text.split_once(marks[0]).unwrap();
        let (there, after) = rest.split_once(marks[1]).unwrap();
        if std::env::var_os("METALFORM_WRITE_DOCS").is_some() {
            std::fs::write(path, [before, marks[0], &table, marks[1], after].concat()).unwrap();
        } else {
            assert_eq!(there, table, "METALFORM_WRITE_DOCS=1 writes it");
        }
    }
}
