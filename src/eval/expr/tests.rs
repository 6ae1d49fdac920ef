#![allow(clippy::format_push_string, reason = "tests may be slow")]

mod laws;
mod mistakes;
mod values;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// The facts of one host.
struct Facts(BTreeMap<String, Val>);

impl Env for Facts {
    fn lookup(&self, path: &[&str]) -> Option<Val> {
        self.0.get(&path.join(".")).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn is_config(&self, path: &[&str]) -> bool {
        path[0] == "boot"
    }
}

fn facts() -> Facts {
    let list = Val::from(vec![Val::from("eno1"), Val::from("eno2")]);
    Facts(BTreeMap::from_iter(
        [
            ("bmc_net", Val::from("10.20.1.0/24")),
            ("host.name", Val::from("r01-n07")),
            ("host.nics", list),
            ("host.slot", Val::Int(7)),
            ("host.spare", Val::Bool(false)),
            ("param.node_net", Val::from("172.22.0.0/20")),
            ("param.prov_vlan", Val::Int(120)),
            ("rack.index", Val::Int(1)),
            ("rack.row", Val::from("b")),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    ))
}

fn eval(text: &str) -> Result<Val, ExprError> {
    Expr::compile(text)?.eval(&facts())
}

/// The value as a literal, or the error with its place.
fn show_value(text: &str) -> String {
    match eval(text) {
        Ok(value) => value.to_string(),
        Err(error) => panic!("{text}: {error:?}"),
    }
}

fn template(text: &str) -> Result<Val, ExprError> {
    Template::compile(text)?.eval(&facts())
}

fn marked(text: &str, error: &ExprError) -> String {
    let mut out = format!(
        "{text}\n{}{} MF{} {}",
        " ".repeat(text[..error.range.start].chars().count()),
        "^".repeat(text[error.range.clone()].chars().count().max(1)),
        error.code,
        error.message
    );
    if let Some(help) = &error.help {
        out.push_str(&format!("\nhelp: {help}"));
    }
    for suggestion in &error.suggestions {
        out.push_str(&format!("\ntry: {suggestion}"));
    }
    out
}

fn error(text: &str) -> String {
    marked(text, &eval(text).unwrap_err())
}

fn template_error(text: &str) -> String {
    marked(text, &template(text).unwrap_err())
}
