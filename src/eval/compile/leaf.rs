//! Fields with one value, and lists.

use super::*;

impl<'t> Compiler<'_, 't> {
    pub(super) fn leaf(
        &mut self,
        node: Node<'t>,
        field: &'static Field,
        ty: Type,
        at: At<'t>,
        strength: Option<Strength>,
        out: &mut Vec<Step<'t>>,
    ) {
        self.no_properties(node, out);
        self.no_block(node, out);
        let args: SmallVec<[Entry<'t>; 4]> = node.args().collect();
        let want = Want {
            ty,
            lower: field.lower,
        };
        let name = node.name_span().in_file(node.file());
        match args.as_slice() {
            [] => {
                let finding = Diagnostic::error(
                    Code(2004),
                    format!("`{}` needs a value: {ty}", field.name),
                    name,
                    "",
                );
                let end = Span::point(node.name_span().end).in_file(node.file());
                self.report(
                    if ty == Type::Bool {
                        finding.fix(Fix::replace(
                            "write `#true`",
                            Applicability::Unsafe,
                            end,
                            " #true",
                        ))
                    } else {
                        finding
                    },
                    out,
                );
            }
            [one] if !(ty == Type::Texts && decode::is_template(*one)) => {
                let value = self.given(*one, want);
                out.push(Step::Set(Set {
                    at,
                    value,
                    strength,
                    place: decode::value_place(*one),
                }));
            }
            many if ty == Type::Texts => {
                let value = self.list(many);
                let place = span_of(many).in_file(node.file());
                out.push(Step::Set(Set {
                    at,
                    value,
                    strength,
                    place,
                }));
            }
            [_, extra, ..] => {
                let place = extra.span().in_file(extra.file());
                let finding = Diagnostic::error(
                    Code(2004),
                    format!("`{}` takes one value", field.name),
                    place,
                    "one too many",
                );
                self.report(finding, out);
            }
            [_] => {}
        }
    }

    pub(super) fn list(&mut self, entries: &[Entry<'t>]) -> Given<'t> {
        let mut items = Vec::with_capacity(entries.len());
        let mut made = false;
        for entry in entries {
            let annotation = decode::check_annotation(*entry, decode::Slot::Field);
            if let Err(finding) = annotation {
                self.findings.add(finding);
                return Given::Bad;
            }
            if decode::is_template(*entry) {
                match template(*entry) {
                    Ok(template) => items.push(Item::Made(Made {
                        template,
                        entry: *entry,
                    })),
                    Err(finding) => {
                        self.findings.add(finding);
                        return Given::Bad;
                    }
                }
                made = true;
            } else {
                let text = decode::string(*entry, "an item of the list").and_then(|text| {
                    decode::annotated_text(*entry, text)?;
                    Ok(text)
                });
                match text {
                    Ok(text) => {
                        items.push(Item::Text(Text::of(self.files.text(entry.file()), text)));
                    }
                    Err(finding) => {
                        self.findings.add(finding);
                        return Given::Bad;
                    }
                }
            }
        }
        if made {
            return Given::MadeList(items);
        }
        Given::Value(Value::List(
            items
                .into_iter()
                .filter_map(|item| match item {
                    Item::Text(text) => Some(text),
                    Item::Made(_) => None,
                })
                .collect(),
        ))
    }

    /// What an entry says, for a field of that type.
    pub(super) fn given(&mut self, entry: Entry<'t>, want: Want) -> Given<'t> {
        if entry.is_broken() {
            return Given::Bad;
        }
        if matches!(entry.value(), Kdl::Null) {
            return Given::Remove;
        }
        let found = if decode::is_template(entry) {
            match template(entry) {
                Ok(template) => match template.literal() {
                    None => {
                        return Given::Made(Box::new((Made { template, entry }, want)));
                    }
                    Some(value) => decode::decode(want, entry, &decode::raw_of(value), false),
                },
                Err(finding) => Err(finding),
            }
        } else {
            let raw = decode::raw(entry, self.files.text(entry.file()));
            decode::decode(want, entry, &raw, false)
        };
        match found {
            Ok(value) => Given::Value(value),
            Err(finding) => {
                self.findings.add(finding);
                Given::Bad
            }
        }
    }
}
