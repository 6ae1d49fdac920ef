//! Hosts, what is taken out of them, and what refines them.

use super::*;

impl<'t> Declarer<'_, 't> {
    // ---- hosts

    pub(super) fn hosts(&mut self, node: Node<'t>, scope: usize, frame: usize) {
        let Some((entry, names)) = self.names(node, "the host", scope, frame) else {
            return;
        };
        let place = entry.value_span().in_file(entry.file());
        let (properties, broken) =
            facts::properties(node, &[], &mut self.fact_names, self.findings);
        let facts = self.properties.len();
        self.properties.push(properties);
        let except = self.except(node, scope, frame);
        let has_lets = node.children().any(|child| child.name() == "let");
        let own = if names.len() > 1 || has_lets {
            let frame = self.inner_frame(node, frame, scope);
            let steps = self.compile(Entity::Host, "host", node.children());
            Own::Body(self.body(steps, frame))
        } else {
            Own::Node(node, frame)
        };
        let mut met = vec![false; except.len()];
        for (name, captures) in &names {
            let mut out = false;
            for (index, (pattern, _)) in except.iter().enumerate() {
                if pattern.matches(&name) {
                    met[index] = true;
                    out = true;
                }
            }
            if out {
                continue;
            }
            let name: Arc<str> = Arc::from(name);
            let mut broken = broken;
            if let Err(finding) = check_name(&name, "host", place) {
                broken = true;
                let (code, about) = (finding.code.0, finding.message.clone());
                self.findings
                    .about("host", &name, code, place, &about, || finding);
            }
            self.program.hosts.push(Declared {
                name,
                scope,
                captures,
                own,
                place,
                refines: Vec::new(),
                broken,
                facts,
            });
        }
        for ((_, place), met) in except.iter().zip(met) {
            if !met {
                let finding =
                    Diagnostic::warning(Code(2105), "`except` takes out no host", *place, "");
                self.findings.add(finding);
            }
        }
    }

    pub(super) fn except(
        &mut self,
        node: Node<'t>,
        scope: usize,
        frame: usize,
    ) -> Vec<(Pattern, Place)> {
        let mut patterns = Vec::new();
        for except in node.children().filter(|child| child.name() == "except") {
            for entry in except.args() {
                let text = match decode::name(entry, "a name or range") {
                    Ok(text) => text,
                    Err(finding) => {
                        self.lost(finding);
                        continue;
                    }
                };
                let Some(text) = self.scope_text(entry, text, scope, frame) else {
                    continue;
                };
                match Pattern::compile(&text) {
                    Ok(pattern) => {
                        patterns.push((pattern, entry.value_span().in_file(entry.file())));
                    }
                    Err(error) => {
                        let finding = range_error(entry, &error);
                        self.lost(finding);
                    }
                }
            }
            let mut rest = except
                .props()
                .map(|prop| prop.span())
                .chain(except.children().map(Node::span));
            if let Some(span) = rest.next() {
                let finding = Diagnostic::error(
                    Code(2004),
                    "`except` takes names only",
                    span.in_file(except.file()),
                    "",
                );
                self.lost(finding);
            }
        }
        patterns
    }

    pub(super) fn refine(&mut self, node: Node<'t>, scope: usize, frame: usize) {
        let Some((name, _)) = self.single_name(node, "the hosts to refine") else {
            return;
        };
        self.only_name(node);
        for prop in node.props() {
            let finding = Diagnostic::error(
                Code(2003),
                "`refine` takes no facts: they belong to the host",
                prop.span().in_file(prop.file()),
                "",
            );
            self.findings.add(finding);
        }
        let Some(entry) = node.args().next() else {
            return;
        };
        let Some(text) = self.scope_text(entry, name, scope, frame) else {
            return;
        };
        let inner = self.inner_frame(node, frame, scope);
        let steps = self.compile(Entity::Host, "refine", node.children());
        let body = self.body(steps, inner);
        let except = self.except(node, scope, frame);
        self.pending.push(Pending {
            entry,
            text,
            scope,
            body,
            except,
        });
    }

    /// Finds the hosts of every `refine`.
    pub(super) fn refines(&mut self) {
        let by_name: HashMap<Arc<str>, usize> = self
            .program
            .hosts
            .iter()
            .enumerate()
            .map(|(index, host)| (Arc::clone(&host.name), index))
            .collect();
        for Pending {
            entry,
            text,
            scope,
            body,
            except,
        } in std::mem::take(&mut self.pending)
        {
            let pattern = match Pattern::compile(&text) {
                Ok(pattern) => pattern,
                Err(error) => {
                    let finding = range_error(entry, &error);
                    self.lost(finding);
                    continue;
                }
            };
            let exact = pattern.exact().is_some();
            let inside = |host: &Declared<'_>| {
                self.within(host.scope, scope)
                    && !except
                        .iter()
                        .any(|(pattern, _)| pattern.matches(&host.name))
            };
            let matched: Vec<usize> = match pattern.exact() {
                Some(name) => by_name
                    .get(name)
                    .copied()
                    .filter(|index| inside(&self.program.hosts[*index]))
                    .into_iter()
                    .collect(),
                None => (0..self.program.hosts.len())
                    .filter(|index| {
                        let host = &self.program.hosts[*index];
                        pattern.matches(&host.name) && inside(host)
                    })
                    .collect(),
            };
            if matched.is_empty() {
                let place = entry.value_span().in_file(entry.file());
                let elsewhere = by_name
                    .get(&*text)
                    .map(|index| self.program.hosts[*index].place);
                let finding = Diagnostic::error(
                    Code(2103),
                    format!("`refine {text}` matches no host"),
                    place,
                    "",
                );
                let finding = if let Some(place) = elsewhere {
                    finding
                        .label(place, "this host is not in the scope of the `refine`")
                        .help("write it where the host is declared, or at the top of a file")
                } else {
                    let near =
                        similar(&text, by_name.keys().map(|name| &**name)).map(str::to_owned);
                    with_near(finding, entry, near.as_deref())
                };
                self.findings.add(finding);
                continue;
            }
            self.program.refines.push(Refine { exact, body, text });
            let index = self.program.refines.len() - 1;
            for host in matched {
                self.program.hosts[host].refines.push(index);
            }
        }
    }

    pub(super) fn within(&self, mut scope: usize, outer: usize) -> bool {
        loop {
            if scope == outer {
                return true;
            }
            match self.program.world.scopes[scope].parent {
                Some(parent) => scope = parent,
                None => return false,
            }
        }
    }
}
