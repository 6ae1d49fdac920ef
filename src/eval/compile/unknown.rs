//! What is said about a field that does not exist.

use super::*;

impl<'t> Compiler<'_, 't> {
    pub(super) fn no_properties(&mut self, node: Node<'t>, out: &mut Vec<Step<'t>>) {
        for prop in node.props() {
            let finding = Diagnostic::error(
                Code(2003),
                format!("`{}` takes no properties", node.name()),
                prop.span().in_file(prop.file()),
                "",
            );
            self.report(finding, out);
        }
    }

    pub(super) fn no_block(&mut self, node: Node<'t>, out: &mut Vec<Step<'t>>) {
        if let Some(child) = node.children().next() {
            let finding = Diagnostic::error(
                Code(2002),
                format!("`{}` takes no block", node.name()),
                child.name_span().in_file(child.file()),
                "",
            );
            self.report(finding, out);
        }
    }

    pub(super) fn listed(&self, shape: PathId) -> String {
        list(self.paths.fields(shape))
    }

    /// Whether a line that has a meaning in some blocks has none in this one; reported then.
    pub(super) fn is_misplaced(
        &mut self,
        owner: &str,
        node: Node<'t>,
        out: &mut Vec<Step<'t>>,
    ) -> bool {
        let place = node.name_span().in_file(node.file());
        let wrong =
            |what: &str, help: &str| Diagnostic::error(Code(2001), what, place, "").help(help);
        let finding = match (node.name(), owner) {
            ("let", "when") => let_in_when(place),
            ("let", "spec") => wrong(
                "`let` cannot stand inside `spec`",
                "put it at the top of the file",
            ),
            ("except", "host" | "refine") => return false,
            ("except", _) => wrong(
                "`except` stands directly in `host` or `refine`",
                "for some of the hosts only, use `refine NAMES { … }`",
            ),
            ("param", "when") => wrong(
                "`param` stands directly in `profile`",
                "a parameter that is there only sometimes could not be relied on",
            ),
            ("limits", "when") if self.entity == Entity::Spec => wrong(
                "`limits` stands directly in `spec`",
                "limits hold while files are read, before there are conditions",
            ),
            _ => return false,
        };
        self.report(finding, out);
        true
    }

    /// A node that is no field here.
    pub(super) fn unknown(
        &mut self,
        name: &str,
        span: Span,
        node: Node<'t>,
        parent: PathId,
        owner: &str,
    ) -> Diagnostic {
        let place = span.in_file(node.file());
        // Whom it declares, or takes in, is in the fleet after all.
        self.lost |= ENTITY_WORDS.contains(&name);
        let top = parent == Paths::root(self.entity);
        if top && LATER_WORDS.contains(&name) {
            return decode::later(place, &format!("`{name}`"));
        }
        if top && ENTITY_WORDS.contains(&name) {
            let finding = Diagnostic::error(
                Code(2001),
                format!("`{name}` cannot stand inside `{owner}`"),
                place,
                "",
            );
            if name == "image" && self.entity == Entity::Pool {
                return habit::deploys(finding, node);
            }
            return finding.help(match name {
                "host" | "rack" | "group" | "each" | "refine" | "facts" => {
                    "it stands at the top of a file, or in a rack or group"
                }
                _ => "it stands at the top of a file",
            });
        }
        let finding = self.unknown_prop(name, place, parent);
        if top && self.entity == Entity::Host && finding.help.is_none() {
            return habit::label(finding, name, node);
        }
        match self.elsewhere(name, node, parent) {
            Some((words, value)) if top => finding.fix(Fix::replace(
                format!("write `{} {}=…`", words.0, words.1),
                Applicability::Safe,
                Span::new(span.start, value.start).in_file(node.file()),
                format!("{} {}=", words.0, words.1),
            )),
            _ => finding,
        }
    }

    /// For a node with one value that stands one block too far out, as `bootMACAddress "…"` does:
    /// the record and its field, and where the value starts.
    fn elsewhere(
        &self,
        name: &str,
        node: Node<'t>,
        parent: PathId,
    ) -> Option<((String, String), Span)> {
        let meant = suggest_field(name, self.paths.fields(parent), self.entity.fields())?;
        let (record, field) = meant.words.split_once(' ').filter(|_| meant.elsewhere)?;
        let path = self.paths.child(parent, record)?;
        let path = self.paths.child(path, field)?;
        let is_leaf = matches!(self.paths.get(path).field?.kind, Kind::Leaf(_));
        let mut entries = node.all_entries();
        let value = entries.next().filter(|value| value.key().is_none())?;
        let alone = entries.next().is_none() && node.block_span().is_none();
        (is_leaf && alone && !value.is_dashed())
            .then(|| ((record.to_owned(), field.to_owned()), value.span()))
    }

    pub(super) fn unknown_prop(&self, name: &str, place: Place, parent: PathId) -> Diagnostic {
        let here = self.paths.fields(parent);
        let path = self.paths.get(parent);
        let what = match path.field {
            Some(field) => format!("`{}` has no field `{name}`", field.name),
            None => {
                let word = self.entity.word();
                let article = if word.starts_with('i') { "an" } else { "a" };
                format!("{article} {word} has no field `{name}`")
            }
        };
        let finding = Diagnostic::error(Code(2002), what, place, "");
        if let Some(help) = habit::login(name, path.field) {
            return finding.help(help);
        }
        match suggest_field(name, here, self.entity.fields()) {
            Some(meant) => {
                let near = Suggestion {
                    word: &meant.words,
                    fix: meant.fix,
                };
                finding.did_you_mean(Some(near), place, str::to_owned)
            }
            None if here.len() <= 12 => finding.note(format!("it has {}", list(here))),
            None => finding,
        }
    }
}
