//! What people write who know other tools, or have read half a page: the way out in words, where no
//! name is near.

use crate::diag::{Applicability, Diagnostic, Fix};
use crate::eval::unit;
use crate::schema::Field;
use crate::syntax::{Node, Value as Kdl};

/// `image debian` where `deploy debian` is meant.
pub(super) fn deploys(finding: Diagnostic, node: Node<'_>) -> Diagnostic {
    let mut entries = node.entries();
    let (name, more) = (entries.next(), entries.next());
    match name.map(|name| (name.key(), name.value())) {
        Some((None, Kdl::Str(name)))
            if more.is_none() && node.block_span().is_none() && unit::name(name).is_ok() =>
        {
            finding
                .help(format!(
                    "to write an image that is declared at the top of a file, say `deploy {name}`"
                ))
                .fix(Fix::replace(
                    format!("write `deploy {name}`"),
                    Applicability::Safe,
                    node.name_span().in_file(node.file()),
                    "deploy",
                ))
        }
        _ => finding.help(
            "declare it at the top of a file (`image NAME { … }`), and write `deploy NAME` here",
        ),
    }
}

/// A login in the spec: nothing near in name would help.
pub(super) fn login(name: &str, inside: Option<&Field>) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let in_bmc = inside.is_some_and(|field| field.name == "bmc");
    let is_login = name.contains("passw") || (in_bmc && matches!(&*name, "user" | "username"));
    is_login.then_some(
        "a login does not stand in a spec: write `credentials=(secret)NAME` in `bmc`, and put it in the \
         files `username` and `password` of the folder NAME among the secrets",
    )
}

/// `role worker` where the label is meant. The value is not repeated: nobody knows what it is.
pub(super) fn label(finding: Diagnostic, name: &str, node: Node<'_>) -> Diagnostic {
    let mut entries = node.entries();
    let (value, more) = (entries.next(), entries.next());
    match value.map(|value| (value.key(), value.value())) {
        Some((None, Kdl::Str(_))) if more.is_none() && node.block_span().is_none() => {
            finding.help(format!(
                "what a host is chosen by is a label: `labels {}=…`",
                // `role: worker`, as YAML has it.
                name.trim_end_matches(':')
            ))
        }
        _ => finding,
    }
}
