//! Hosts, what is taken out of them, and what refines them.

use super::*;

/// For so many `refine`s without a host the name that was meant is looked for, each time among all
/// hosts; more of them have one cause.
const MOST_GUESSES: usize = 100;

/// Hosts by the scope that they stand in.
struct Placed {
    /// Numbers of hosts, by scope.
    hosts: Vec<usize>,
    /// By scope: where its hosts start, those in scopes inside it included, and where they end.
    /// A scope is numbered before those inside it, and they before the next one beside it.
    slices: Vec<(usize, usize)>,
}

impl Placed {
    fn of(program: &Program<'_>) -> Self {
        let scopes = &program.world.scopes;
        let mut hosts: Vec<usize> = (0..program.hosts.len()).collect();
        hosts.sort_by_key(|host| program.hosts[*host].scope);
        let mut last: Vec<usize> = (0..scopes.len()).collect();
        for scope in (1..scopes.len()).rev() {
            let parent = scopes[scope].parent.unwrap_or(0);
            debug_assert!(parent < scope, "a scope comes after the one around it");
            last[parent] = last[parent].max(last[scope]);
        }
        let at = |scope: usize| hosts.partition_point(|host| program.hosts[*host].scope < scope);
        let slices = last
            .iter()
            .enumerate()
            .map(|(scope, last)| (at(scope), at(last + 1)))
            .collect();
        Self { hosts, slices }
    }

    fn in_scope(&self, scope: usize) -> &[usize] {
        let (from, to) = self.slices[scope];
        &self.hosts[from..to]
    }
}

impl<'t> Declarer<'_, 't> {
    // ---- hosts

    pub(super) fn hosts(&mut self, node: Node<'t>, scope: usize, frame: usize) {
        let Some((entry, names)) = self.names(node, "the host", scope, frame) else {
            return;
        };
        let place = entry.value_span().in_file(entry.file());
        let except = self.except(node, scope, frame);
        let has_lets = node.children().any(|child| child.name() == "let");
        let (own, facts, broken) = if names.len() > 1 || has_lets {
            let (properties, broken) =
                facts::properties(node, &[], &mut self.fact_names, self.findings);
            self.properties.push(properties);
            let frame = self.inner_frame(node, frame, scope);
            let facts = Some(self.properties.len() - 1);
            (Own::Body(self.block(node, "host", frame)), facts, broken)
        } else {
            (Own::Node(node, frame), None, false)
        };
        let out = self.taken_out(&names, &except);
        for (index, (name, captures)) in names.iter().enumerate() {
            if out.get(index).is_some_and(|out| *out) {
                continue;
            }
            let name: Arc<str> = Arc::from(name);
            let mut broken = broken;
            if let Err(finding) = check_name(&name, "host", place) {
                broken = true;
                // One finding a range, whatever its first bad name is.
                let code = finding.code.0;
                self.findings
                    .about("host", &name, code, place, "", || finding);
            }
            self.program.hosts.push(Declared {
                name,
                scope,
                captures,
                own,
                place,
                node,
                refines: Vec::new(),
                broken,
                facts,
            });
        }
    }

    /// Which of the names `except` takes out; nothing where there is no `except`. MF2105 for one
    /// that takes out none.
    fn taken_out(&mut self, names: &range::Expansion, except: &[(Pattern, Place)]) -> Vec<bool> {
        if except.is_empty() {
            return Vec::new();
        }
        let index = range::Index::new(names.iter().map(|(name, _)| Arc::from(name)));
        let mut out = vec![false; names.len()];
        for (pattern, place) in except {
            let found = index.find(pattern, None);
            if found.is_empty() {
                self.idle_exception(*place);
            }
            for number in found {
                out[number] = true;
            }
        }
        out
    }

    fn idle_exception(&mut self, place: Place) {
        let finding = Diagnostic::warning(Code(2105), "`except` takes out no host", place, "");
        self.findings.add(finding);
    }

    pub(super) fn except(
        &mut self,
        node: Node<'t>,
        scope: usize,
        frame: usize,
    ) -> Vec<(Pattern, Place)> {
        let mut patterns = Vec::new();
        for except in node.children().filter(|child| child.name() == "except") {
            self.annotated(except);
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
        let body = self.block(node, "refine", inner);
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
        if self.pending.is_empty() {
            return;
        }
        let hosts = &self.program.hosts;
        let index = range::Index::new(hosts.iter().map(|host| Arc::clone(&host.name)));
        let placed = Placed::of(&self.program);
        let mut guesses = 0;
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
            let within = placed.in_scope(scope);
            let mut matched = index.find(&pattern, Some(within));
            matched.retain(|host| self.within(self.program.hosts[*host].scope, scope));
            if !except.is_empty() && !matched.is_empty() {
                let mut out: HashSet<usize> = HashSet::new();
                let all: HashSet<usize> = matched.iter().copied().collect();
                for (pattern, place) in &except {
                    let found = index.find(pattern, Some(within));
                    if !found.iter().any(|host| all.contains(host)) {
                        self.idle_exception(*place);
                    }
                    out.extend(found);
                }
                matched.retain(|host| !out.contains(host));
            }
            if matched.is_empty() {
                let place = entry.value_span().in_file(entry.file());
                let elsewhere = index
                    .exact(&text)
                    .map(|index| self.program.hosts[index].place);
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
                    guesses += 1;
                    let names = self.program.hosts.iter().map(|host| &*host.name);
                    let near = (guesses <= MOST_GUESSES).then(|| similar(&text, names));
                    let near = near.flatten();
                    if self.project.partial && !near.is_some_and(Suggestion::is_sure) {
                        // What is missing may declare it.
                        continue;
                    }
                    with_near(finding, entry, near)
                };
                self.findings.add(finding);
                continue;
            }
            self.program.refines.push(Refine {
                exact,
                body,
                text,
                file: entry.file(),
            });
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
