//! `param`, the params file and `spec`.

use super::*;

impl<'t> Declarer<'_, 't> {
    // ---- inputs

    pub(super) fn param(&mut self, node: Node<'t>) {
        let Some((name, place)) = self.single_name(node, "the parameter") else {
            return;
        };
        if self.program.world.params.contains_key(name) {
            let finding = Diagnostic::error(
                Code(2101),
                format!("parameter `{name}` is declared twice"),
                place,
                "",
            );
            return self.lost(finding);
        }
        self.only_default(node);
        let value = node.args().nth(1).and_then(|entry| self.plain_value(entry));
        self.program.world.params.insert(name.to_owned(), value);
    }

    /// A parameter has a name, a value, `doc=` and nothing else.
    pub(super) fn only_default(&mut self, node: Node<'t>) {
        for extra in node.args().skip(2) {
            let finding = Diagnostic::error(
                Code(2004),
                "a parameter has one value",
                decode::value_place(extra),
                "one too many",
            );
            self.findings.add(finding);
        }
        let props = node
            .props()
            .filter(|prop| prop.key() != Some("doc"))
            .map(|prop| prop.span());
        for span in props.chain(node.block_span()) {
            let finding = Diagnostic::error(
                Code(2002),
                "a parameter takes a default and `doc=`",
                span.in_file(node.file()),
                "",
            );
            self.findings.add(finding);
        }
    }

    /// A literal; inputs are no expressions.
    pub(super) fn plain_value(&mut self, entry: Entry<'t>) -> Option<Val> {
        let value = if decode::is_template(entry) {
            Err(Diagnostic::error(
                Code(2302),
                "a parameter is an input, so it cannot be an expression",
                decode::value_place(entry),
                "",
            )
            .help("use `let` for what is computed"))
        } else {
            decode::val(entry)
        };
        match value {
            Ok(value) => Some(value),
            Err(finding) => {
                self.lost(finding);
                None
            }
        }
    }

    pub(super) fn params_file(&mut self) {
        let project = self.project;
        let declared: HashMap<&str, Option<Entry<'t>>> = project
            .sources
            .iter()
            .flat_map(|(_, parse)| parse.tree.nodes())
            .filter(|node| node.name() == "param")
            .filter_map(|node| Some((node.args().next()?.value().as_str()?, node.args().nth(1))))
            .collect();
        let mut given: BTreeMap<&str, Place> = BTreeMap::new();
        if let Some((_, parse)) = &project.params {
            for node in parse.tree.nodes() {
                if node.name() != "param" {
                    let place = node.name_span().in_file(node.file());
                    let finding = Diagnostic::error(
                        Code(2001),
                        "a params file holds `param NAME VALUE` and nothing else",
                        place,
                        "",
                    );
                    self.lost(finding);
                    continue;
                }
                let Some((name, place)) = self.single_name(node, "the parameter") else {
                    continue;
                };
                self.only_default(node);
                let Some(default) = declared.get(name) else {
                    let near = similar(name, declared.keys().copied());
                    let finding = Diagnostic::error(
                        Code(2202),
                        format!("no file of the spec has a parameter `{name}`"),
                        place,
                        "",
                    );
                    let finding = match node.args().next() {
                        Some(entry) => with_near(finding, entry, near),
                        None => finding,
                    };
                    self.lost(finding);
                    continue;
                };
                if let Some(first) = given.insert(name, place) {
                    let finding = Diagnostic::error(
                        Code(2101),
                        format!("parameter `{name}` is given twice"),
                        place,
                        "",
                    )
                    .label(first, "first here");
                    self.lost(finding);
                    continue;
                }
                let Some(entry) = node.args().nth(1) else {
                    let finding = Diagnostic::error(
                        Code(2004),
                        format!("parameter `{name}` needs a value here"),
                        place,
                        "",
                    );
                    self.lost(finding);
                    continue;
                };
                let mut value = self.plain_value(entry);
                // What the declaration pins holds for the value that replaces it, too.
                if let (Some(found), Some(default)) = (&value, default)
                    && default.annotation().is_some()
                    && let Err(finding) = decode::pinned(*default, found.clone())
                {
                    let place = decode::value_place(entry);
                    let finding = Diagnostic::error(finding.code, finding.message, place, "")
                        .label(decode::value_place(*default), "its type is pinned here");
                    self.lost(finding);
                    value = None;
                }
                self.program.world.params.insert(name.to_owned(), value);
            }
        }
        for (_, parse) in &project.sources {
            for node in parse.tree.nodes().filter(|node| node.name() == "param") {
                let Some(name) = node.args().next().and_then(|entry| entry.value().as_str()) else {
                    continue;
                };
                if node.args().nth(1).is_none() && !given.contains_key(name) {
                    let place = node.name_span().in_file(node.file());
                    let finding = Diagnostic::error(
                        Code(2204),
                        format!("parameter `{name}` has no value"),
                        place,
                        "",
                    )
                    .help(format!(
                        "give it a default, or a value in the file of `--params`: `param {name} …`"
                    ));
                    self.lost(finding);
                }
            }
        }
    }

    // ---- spec

    pub(super) fn spec(&mut self, node: Node<'t>) {
        let Some((name, place)) = self.single_name(node, "the fleet") else {
            return;
        };
        self.only_name(node);
        if let Some(first) = &self.program.spec {
            let finding = Diagnostic::error(Code(2101), "`spec` is declared twice", place, "")
                .label(first.place, "first here");
            return self.lost(finding);
        }
        let mut edition: Arc<str> = Arc::from(EDITION);
        let mut said = None;
        for prop in node.props() {
            match prop.key() {
                Some("edition") => match decode::name(prop, "an edition") {
                    Ok(EDITION) => {}
                    Ok(other) => {
                        let finding = Diagnostic::error(
                            Code(2013),
                            format!("edition `{other}` is not known here; this is {EDITION}"),
                            prop.value_span().in_file(prop.file()),
                            "",
                        );
                        edition = Arc::from(other);
                        self.lost(finding);
                    }
                    Err(finding) => self.lost(finding),
                },
                Some("namespace") => match decode::name(prop, "a namespace") {
                    Ok(name) if unit::name_label(name).is_ok() => {
                        said = Some(name);
                    }
                    Ok(name) => {
                        let finding = Diagnostic::error(
                            Code(3101),
                            format!("`{name}` cannot be the name of a namespace"),
                            prop.value_span().in_file(prop.file()),
                            "",
                        )
                        .help("lower-case letters, digits and `-`, at most 63");
                        self.lost(finding);
                    }
                    Err(finding) => self.lost(finding),
                },
                Some(other) => {
                    let near = similar(other, ["edition", "namespace"]);
                    if near.is_some() {
                        let key = prop.key_span().unwrap_or_else(|| prop.span());
                        let place = key.in_file(prop.file());
                        let finding = Diagnostic::error(
                            Code(2002),
                            format!("`spec` has no property `{other}`"),
                            place,
                            "",
                        )
                        .did_you_mean(near, place, str::to_owned);
                        self.lost(finding);
                    }
                }
                None => {}
            }
        }
        let (properties, broken) = facts::properties(
            node,
            &["edition", "namespace"],
            &mut self.fact_names,
            self.findings,
        );
        let namespace = self.project.namespace.choose(said);
        let owner: Arc<str> = Arc::from(name);
        let mut collected = Collected::new(broken);
        let text = Arc::clone(&namespace);
        for (fact, value) in [
            ("namespace", Val::Str(text)),
            ("edition", Val::from(&*edition)),
        ] {
            collected.add(
                "fleet",
                &owner,
                &Arc::from(fact),
                value,
                place,
                self.findings,
            );
        }
        let scope = &mut self.program.world.scopes[0];
        scope.name = Arc::clone(&owner);
        scope.place = place;
        scope.facts = collected.so_far();
        let args = no_args();
        let subject = Subject {
            scope: 0,
            host: None,
        };
        for (fact, value, place) in properties {
            let view = View::new(&self.program.world, subject, 0, &args);
            match facts::value(&value, &view, self.findings, "fleet", &owner) {
                Some(value) => {
                    collected.add("fleet", &owner, &fact, value, place, self.findings);
                }
                None => collected.broken = true,
            }
        }
        let scope = &mut self.program.world.scopes[0];
        scope.broken = collected.broken;
        scope.facts = collected.finish();
        self.program.namespace = namespace;
        self.program.spec = Some(Spec {
            name: owner,
            edition,
            place,
            steps: Vec::new(),
            frame: 0,
        });
    }

    pub(super) fn spec_block(&mut self, frames: &[usize]) {
        let project = self.project;
        let Some(place) = self.program.spec.as_ref().map(|spec| spec.place) else {
            return;
        };
        for ((file, parse), frame) in project.sources.iter().zip(frames) {
            if *file != place.file {
                continue;
            }
            let found = parse.tree.nodes().find(|node| node.name() == "spec");
            if let Some(node) = found {
                let steps = self.compile(Entity::Spec, "spec", node.children());
                if let Some(spec) = &mut self.program.spec {
                    spec.steps = steps;
                    spec.frame = *frame;
                }
            }
        }
    }
}
