//! Records and unions: children, as nodes or as properties.

use super::*;

/// The first child of each name, where a node has properties that might say the same.
pub(super) fn first_children(node: Node<'_>) -> HashMap<&str, Node<'_>> {
    let mut first = HashMap::new();
    if node.props().next().is_some() {
        for child in node.children() {
            first.entry(child.name()).or_insert(child);
        }
    }
    first
}

impl<'t> Compiler<'_, 't> {
    pub(super) fn record(
        &mut self,
        node: Node<'t>,
        arg: Option<&str>,
        at: &At<'t>,
        strength: Option<Strength>,
        owner: &str,
        out: &mut Vec<Step<'t>>,
    ) {
        let mut args = node.args();
        if let Some(first) = args.next() {
            let place = decode::value_place(first);
            match arg {
                _ if matches!(first.value(), Kdl::Null) => {
                    out.push(Step::Set(Set {
                        at: at.clone(),
                        value: Given::Remove,
                        strength,
                        place,
                    }));
                }
                Some(arg) => self.set_child(arg, first, at, strength, out),
                None => {
                    let finding = Diagnostic::error(
                        Code(2004),
                        format!("`{}` takes no value of its own", node.name()),
                        place,
                        "",
                    );
                    let finding = if node.name() == "image" && self.entity == Entity::Host {
                        habit::deploys(finding, node)
                    } else {
                        finding.help(format!("it has fields: {}", self.listed(at.shape())))
                    };
                    self.report(finding, out);
                }
            }
        }
        for extra in args {
            let finding = Diagnostic::error(
                Code(2004),
                format!(
                    "`{}` takes {} value",
                    node.name(),
                    if arg.is_some() { "one" } else { "no" }
                ),
                decode::value_place(extra),
                "one too many",
            );
            self.report(finding, out);
        }
        // `simulated` without anything in it says something; elsewhere an empty record does not.
        if self.entity == Entity::Spec && node.entries().next().is_none() {
            out.push(Step::Set(Set {
                at: at.clone(),
                value: Given::Value(Value::Present),
                strength,
                place: node.name_span().in_file(node.file()),
            }));
        }
        self.fields_of(node, at, strength, owner, out);
    }

    /// Properties and children of a record.
    pub(super) fn fields_of(
        &mut self,
        node: Node<'t>,
        at: &At<'t>,
        strength: Option<Strength>,
        owner: &str,
        out: &mut Vec<Step<'t>>,
    ) {
        let children = first_children(node);
        for prop in node.props() {
            let key = prop.key().unwrap_or_default();
            if let Some(child) = children.get(key) {
                self.twice(key, prop, *child, out);
                continue;
            }
            self.set_child(key, prop, at, strength, out);
        }
        for child in node.children() {
            if child.is_broken() {
                out.push(Step::Broken);
            } else {
                self.field(child, at, strength, owner, out);
            }
        }
    }

    /// MF1024: one field in both forms.
    pub(super) fn twice(
        &mut self,
        key: &str,
        prop: Entry<'t>,
        child: Node<'t>,
        out: &mut Vec<Step<'t>>,
    ) {
        let finding = Diagnostic::error(
            Code(1024),
            format!("`{key}` is written as a property and as a child"),
            child.name_span().in_file(child.file()),
            "here again",
        )
        .label(prop.span().in_file(prop.file()), "as a property");
        self.report(finding, out);
    }

    /// A scalar child by its name: from a property or an argument.
    pub(super) fn set_child(
        &mut self,
        name: &str,
        entry: Entry<'t>,
        parent: &At<'t>,
        strength: Option<Strength>,
        out: &mut Vec<Step<'t>>,
    ) {
        let span = entry.key_span().unwrap_or_else(|| entry.span());
        let Some(path) = self.paths.child(parent.shape(), name) else {
            let finding = self.unknown_prop(name, span.in_file(entry.file()), parent.shape());
            return self.report(finding, out);
        };
        let Some(field) = self.paths.get(path).field else {
            return;
        };
        match field.kind {
            Kind::Leaf(ty) => {
                let value = if ty == Type::Texts {
                    self.list(&[entry])
                } else {
                    self.given(
                        entry,
                        Want {
                            ty,
                            lower: field.lower,
                        },
                    )
                };
                let at = below(parent, path);
                out.push(Step::Set(Set {
                    at,
                    value,
                    strength,
                    place: decode::value_place(entry),
                }));
            }
            Kind::Later => {
                let finding = decode::later(span.in_file(entry.file()), &format!("`{name}`"));
                self.report(finding, out);
            }
            _ => {
                let finding = Diagnostic::error(
                    Code(2005),
                    format!("`{name}` has fields of its own, so it cannot be a property"),
                    span.in_file(entry.file()),
                    "",
                )
                .help(format!("write it as a child: `{{ {name} … }}`"));
                self.report(finding, out);
            }
        }
    }

    pub(super) fn union(
        &mut self,
        node: Node<'t>,
        variants: &'static [Field],
        at: &At<'t>,
        strength: Option<Strength>,
        owner: &str,
        out: &mut Vec<Step<'t>>,
    ) {
        let names: Vec<&str> = variants.iter().map(|variant| variant.name).collect();
        let mut args = node.args();
        let Some(first) = args.next() else {
            let place = node.name_span().in_file(node.file());
            let finding = Diagnostic::error(
                Code(2004),
                format!(
                    "`{}` needs to say which: {}",
                    node.name(),
                    names.join(" or ")
                ),
                place,
                "",
            );
            return self.report(finding, out);
        };
        let place = decode::value_place(first);
        if matches!(first.value(), Kdl::Null) {
            out.push(Step::Set(Set {
                at: at.clone(),
                value: Given::Remove,
                strength,
                place,
            }));
            self.no_properties(node, out);
            self.no_block(node, out);
            return;
        }
        if let Some(extra) = args.next() {
            let finding = Diagnostic::error(
                Code(2004),
                format!("`{}` takes one value", node.name()),
                decode::value_place(extra),
                "one too many",
            );
            self.report(finding, out);
        }
        let name = match decode::name(first, &names.join(" or ")) {
            Ok(name) => name,
            Err(finding) => return self.report(finding, out),
        };
        let Some(variant) = variants.iter().find(|variant| variant.name == name) else {
            let finding = Diagnostic::error(
                Code(2007),
                format!("`{}` is {}, not `{name}`", node.name(), names.join(" or ")),
                place,
                "",
            );
            let spelt = variants
                .iter()
                .find(|v| v.also.iter().any(|also| also.eq_ignore_ascii_case(name)))
                .map(|v| Suggestion {
                    word: v.name,
                    fix: Some(Applicability::Safe),
                });
            let near = spelt.or_else(|| similar(name, names.iter().copied()));
            let finding = with_near(finding, first, near);
            return self.report(finding, out);
        };
        out.push(Step::Set(Set {
            at: at.clone(),
            value: Given::Value(Value::Text(Text::of(self.files.text(first.file()), name))),
            strength,
            place,
        }));
        if let Some(path) = self.paths.child(at.shape(), variant.name) {
            self.fields_of(node, &below(at, path), strength, owner, out);
        }
    }
}
