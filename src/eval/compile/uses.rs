//! `use PROFILE name=value`.

use std::ops::Bound;

use super::*;

/// The profile that was probably meant. Where there are very many, a thousand misspelt names would
/// take a million comparisons: then only those beside it in the alphabet are compared, and as one
/// further off may be as near, none is a fix.
fn near_profile<'t>(profiles: &Signatures<'t>, name: &str) -> Option<Suggestion<'t>> {
    const BESIDE: usize = 128;
    if profiles.len() <= 2 * BESIDE {
        return similar(name, profiles.keys().copied());
    }
    let names = |range: (Bound<&str>, Bound<&str>)| {
        let range = profiles.range::<str, _>(range);
        range.map(|(name, _)| *name)
    };
    let before = names((Bound::Unbounded, Bound::Excluded(name)));
    let after = names((Bound::Included(name), Bound::Unbounded));
    let beside = before.rev().take(BESIDE).chain(after.take(BESIDE));
    similar(name, beside).map(|near| Suggestion { fix: None, ..near })
}

impl<'t> Compiler<'_, 't> {
    pub(super) fn use_profile(
        &mut self,
        node: Node<'t>,
        around: Option<Strength>,
        out: &mut Vec<Step<'t>>,
    ) {
        let strength = self.strength(node, around, out);
        if let Some(child) = node.children().next() {
            let place = child.name_span().in_file(child.file());
            self.report(
                Diagnostic::error(Code(2002), "`use` takes no block", place, "")
                    .help("pass values as properties: `use PROFILE name=value`"),
                out,
            );
        }
        let mut args = node.args();
        let Some(entry) = args.next() else {
            let place = node.name_span().in_file(node.file());
            let finding = Diagnostic::error(Code(2004), "`use` needs a profile", place, "");
            self.report(finding, out);
            return;
        };
        for extra in args {
            let place = extra.span().in_file(extra.file());
            self.report(
                Diagnostic::error(Code(2004), "`use` takes one profile", place, "")
                    .help("write one `use` for each"),
                out,
            );
        }
        let name = match decode::name(entry, "the name of a profile") {
            Ok(name) => name,
            Err(finding) => return self.report(finding, out),
        };
        let place = entry.value_span().in_file(entry.file());
        let Some(signature) = self.profiles.get(name) else {
            let near = near_profile(self.profiles, name);
            let finding = Diagnostic::error(
                Code(2201),
                format!("no profile is called `{name}`"),
                place,
                "",
            );
            if self.partial && !near.is_some_and(Suggestion::is_sure) {
                // What is missing may declare it.
                out.push(Step::Broken);
                return;
            }
            let finding = with_near(finding, entry, near);
            return self.report(finding, out);
        };
        let mut given = Vec::new();
        let mut wrong = Vec::new();
        for prop in node.props() {
            let key = prop.key().unwrap_or_default();
            if signature.params.iter().any(|(param, _)| *param == key) {
                given.push((key, arg(prop, self.findings)));
                continue;
            }
            let key_place = prop
                .key_span()
                .unwrap_or_else(|| prop.span())
                .in_file(prop.file());
            let finding = Diagnostic::error(
                Code(2202),
                format!("profile `{name}` has no parameter `{key}`"),
                key_place,
                "",
            );
            let names = signature.params.iter().map(|(param, _)| *param);
            wrong.push(match similar(key, names) {
                near @ Some(_) => finding.did_you_mean(near, key_place, str::to_owned),
                None if signature.params.is_empty() => finding.note("it takes none"),
                None => finding.note(format!(
                    "it takes {}",
                    signature
                        .params
                        .iter()
                        .map(|(param, _)| format!("`{param}`"))
                        .collect::<Vec<_>>()
                        .join(", ")
                )),
            });
        }
        let missing: Vec<String> = signature
            .params
            .iter()
            .filter(|(param, has_default)| {
                !has_default && !node.props().any(|prop| prop.key() == Some(param))
            })
            .map(|(param, _)| format!("`{param}`"))
            .collect();
        if !missing.is_empty() && wrong.is_empty() {
            wrong.push(
                Diagnostic::error(
                    Code(2204),
                    format!("profile `{name}` needs {}", missing.join(", ")),
                    place,
                    "",
                )
                .help("pass it as a property, or give the parameter a default in the profile"),
            );
        }
        let profile = signature.index;
        let broken = !wrong.is_empty();
        for finding in wrong {
            self.findings.add(finding);
        }
        if broken {
            out.push(Step::Broken);
        }
        out.push(Step::Use(Box::new(Use {
            profile,
            args: given,
            strength,
            place,
        })));
    }
}
