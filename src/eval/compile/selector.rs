//! `select` of a pool.

use super::*;

impl<'t> Compiler<'_, 't> {
    pub(super) fn selector(
        &mut self,
        node: Node<'t>,
        at: &At<'t>,
        strength: Option<Strength>,
        out: &mut Vec<Step<'t>>,
    ) {
        let child = |paths: &Paths, name| paths.child(at.shape(), name);
        let (Some(matches), Some(lacks)) = (child(self.paths, "match"), child(self.paths, "lacks"))
        else {
            return;
        };
        let (by, without) = (below(at, matches), below(at, lacks));
        for arg in node.args() {
            let finding = Diagnostic::error(
                Code(2004),
                "`select` takes labels",
                decode::value_place(arg),
                "",
            )
            .help("write `select role=worker`");
            self.report(finding, out);
        }
        for prop in node.props() {
            let path = self
                .paths
                .key_or_add(matches, prop.key().unwrap_or_default());
            let value = self.list(&[prop]);
            let place = prop.span().in_file(prop.file());
            out.push(Step::Set(Set {
                at: At::Path(path),
                value,
                strength,
                place,
            }));
        }
        for line in node.children() {
            let strength = self.strength(line, strength, out);
            self.no_block(line, out);
            let name = line.name_span().in_file(line.file());
            match line.name() {
                "match" => {
                    let args: Vec<Entry<'t>> = line.args().collect();
                    for prop in line.props() {
                        let path = self
                            .paths
                            .key_or_add(matches, prop.key().unwrap_or_default());
                        let value = self.list(&[prop]);
                        let place = prop.span().in_file(prop.file());
                        out.push(Step::Set(Set {
                            at: At::Path(path),
                            value,
                            strength,
                            place,
                        }));
                    }
                    match args.as_slice() {
                        [] if line.props().next().is_some() => {}
                        [] | [_] => {
                            let finding = Diagnostic::error(
                                Code(2004),
                                "`match` needs a label and the values that will do",
                                name,
                                "",
                            )
                            .help("write `match role worker`");
                            self.report(finding, out);
                        }
                        [key, values @ ..] => match self.key(*key, "a label", &by) {
                            Ok(at) => {
                                let value = self.list(values);
                                let place = span_of(&args).in_file(line.file());
                                out.push(Step::Set(Set {
                                    at,
                                    value,
                                    strength,
                                    place,
                                }));
                            }
                            Err(finding) => self.report(finding, out),
                        },
                    }
                }
                "lacks" => {
                    self.no_properties(line, out);
                    if line.args().next().is_none() {
                        let finding =
                            Diagnostic::error(Code(2004), "`lacks` needs a label", name, "");
                        self.report(finding, out);
                    }
                    for arg in line.args() {
                        match self.key(arg, "a label", &without) {
                            Ok(at) => {
                                out.push(Step::Set(Set {
                                    at,
                                    value: Given::Value(Value::Present),
                                    strength,
                                    place: decode::value_place(arg),
                                }));
                            }
                            Err(finding) => self.report(finding, out),
                        }
                    }
                }
                _ => {
                    let finding =
                        self.unknown(line.name(), line.name_span(), line, at.shape(), "select");
                    self.report(finding, out);
                }
            }
        }
    }
}
