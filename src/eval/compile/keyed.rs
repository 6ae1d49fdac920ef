//! Maps and keyed records.

use super::record::first_children;
use super::*;

impl<'t> Compiler<'_, 't> {
    pub(super) fn map(
        &mut self,
        node: Node<'t>,
        ty: Type,
        at: &At<'t>,
        strength: Option<Strength>,
        out: &mut Vec<Step<'t>>,
    ) {
        let want = Want {
            ty,
            lower: Lower::None,
        };
        for arg in node.args() {
            let place = decode::value_place(arg);
            if matches!(arg.value(), Kdl::Null) {
                let at = at.clone();
                out.push(Step::Set(Set {
                    at,
                    value: Given::Remove,
                    strength,
                    place,
                }));
            } else {
                let finding = Diagnostic::error(
                    Code(2004),
                    format!("`{}` takes keys and values", node.name()),
                    place,
                    "a value without a key",
                )
                .help(format!("write `{} key=value`", node.name()));
                self.report(finding, out);
            }
        }
        let children = first_children(node);
        for prop in node.props() {
            let key = prop.key().unwrap_or_default();
            if let Some(child) = children.get(key) {
                self.twice(key, prop, *child, out);
                continue;
            }
            let path = self.paths.key_or_add(at.shape(), key);
            let value = self.given(prop, want);
            let place = decode::value_place(prop);
            out.push(Step::Set(Set {
                at: below(at, path),
                value,
                strength,
                place,
            }));
        }
        for child in node.children() {
            if child.is_broken() {
                out.push(Step::Broken);
                continue;
            }
            let strength = self.strength(child, strength, out);
            self.no_properties(child, out);
            self.no_block(child, out);
            let args: SmallVec<[Entry<'t>; 2]> = child.args().collect();
            let [value] = args.as_slice() else {
                let place = args
                    .get(1)
                    .map_or_else(|| child.name_span(), |extra| extra.span())
                    .in_file(child.file());
                let finding = Diagnostic::error(
                    Code(2004),
                    format!("`{}` needs one value", child.name()),
                    place,
                    "",
                );
                self.report(finding, out);
                continue;
            };
            let path = self.paths.key_or_add(at.shape(), child.name());
            let given = self.given(*value, want);
            let place = decode::value_place(*value);
            out.push(Step::Set(Set {
                at: below(at, path),
                value: given,
                strength,
                place,
            }));
        }
    }

    pub(super) fn keyed(
        &mut self,
        node: Node<'t>,
        (content, what, fields): (bool, &str, &'static [Field]),
        at: &At<'t>,
        strength: Option<Strength>,
        owner: &str,
        out: &mut Vec<Step<'t>>,
    ) {
        let mut args = node.args();
        let Some(first) = args.next() else {
            if content {
                return self.by_content(node, fields, at, strength, owner, out);
            }
            let place = node.name_span().in_file(node.file());
            let finding = Diagnostic::error(
                Code(2004),
                format!("`{}` needs its {what}", node.name()),
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
            return;
        }
        let at = match self.key(first, what, at) {
            Ok(at) => at,
            Err(finding) => return self.report(finding, out),
        };
        let mut value = Given::Value(Value::Present);
        if let Some(second) = args.next() {
            if matches!(second.value(), Kdl::Null) {
                value = Given::Remove;
            } else {
                let finding = Diagnostic::error(
                    Code(2004),
                    format!("`{}` takes one name", node.name()),
                    decode::value_place(second),
                    "one too many",
                );
                self.report(finding, out);
            }
        }
        out.push(Step::Set(Set {
            at: at.clone(),
            value,
            strength,
            place,
        }));
        self.fields_of(node, &at, strength, owner, out);
    }

    /// The path of a key below a keyed field.
    pub(super) fn key(
        &mut self,
        entry: Entry<'t>,
        what: &str,
        at: &At<'t>,
    ) -> Result<At<'t>, Diagnostic> {
        let key = decode::name(entry, what)?;
        if !decode::is_template(entry) {
            let path = self.paths.key_or_add(at.shape(), key);
            return Ok(below(at, path));
        }
        let template = template(entry)?;
        Ok(self.made_key(Key::Made(Made { template, entry }), key, at))
    }

    fn made_key(&mut self, made: Key<'t>, key: &str, at: &At<'t>) -> At<'t> {
        let path = self.paths.key_or_add(at.shape(), key);
        let before: &[(PathId, Key<'t>)] = match at {
            At::Path(_) => &[],
            At::Keyed(_, keys) => keys,
        };
        let keys = before
            .iter()
            .cloned()
            .chain(std::iter::once((path, made)))
            .collect();
        At::Keyed(path, keys)
    }

    /// A keyed record without a key: what it says is its key.
    pub(super) fn by_content(
        &mut self,
        node: Node<'t>,
        fields: &'static [Field],
        at: &At<'t>,
        strength: Option<Strength>,
        owner: &str,
        out: &mut Vec<Step<'t>>,
    ) {
        let mut parts: Vec<(&'static str, Item<'t>)> = Vec::new();
        // What stands for the key until it is made.
        let mut shape = Vec::new();
        for field in fields {
            let prop = node.props().find(|prop| prop.key() == Some(field.name));
            let child = || node.children().find(|child| child.name() == field.name);
            let Some(entry) = prop.or_else(|| child().and_then(|child| child.args().next())) else {
                continue;
            };
            let text = match entry.value() {
                Kdl::Str(text) => text.to_owned(),
                _ => match entry.annotation() {
                    Some((unit, _)) => format!("{}{unit}", entry.source()),
                    None => entry.source().trim_start_matches('#').to_owned(),
                },
            };
            shape.push(format!("{}={text}", field.name));
            let item = if decode::is_template(entry) {
                match template(entry) {
                    Ok(template) => Item::Made(Made { template, entry }),
                    Err(finding) => return self.report(finding, out),
                }
            } else {
                Item::Text(Text::from(text))
            };
            parts.push((field.name, item));
        }
        let place = node.name_span().in_file(node.file());
        if parts.is_empty() {
            let finding = Diagnostic::error(
                Code(2004),
                format!("`{}` says nothing", node.name()),
                place,
                "",
            )
            .help(format!("it has fields: {}", list(fields)));
            return self.report(finding, out);
        }
        let key = shape.join(",");
        let is_made = parts.iter().any(|(_, item)| matches!(item, Item::Made(_)));
        let at = if is_made {
            self.made_key(Key::Content(parts.into()), &key, at)
        } else {
            let path = self.paths.key_or_add(at.shape(), &key);
            below(at, path)
        };
        let value = Given::Value(Value::Present);
        out.push(Step::Set(Set {
            at: at.clone(),
            value,
            strength,
            place,
        }));
        self.fields_of(node, &at, strength, owner, out);
    }
}
