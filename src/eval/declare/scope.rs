//! What stands in scopes: blocks for all hosts, racks, groups, tables, conditions.

use super::*;

impl<'t> Declarer<'_, 't> {
    // ---- what stands in scopes

    /// `file`: directly at the top of a file, where what is for all of the fleet may stand.
    pub(super) fn items(&mut self, nodes: Nodes<'t>, scope: usize, frame: usize, file: bool) {
        let top = scope == 0;
        for node in nodes {
            if node.is_broken() {
                // The reader said what is wrong; what the node would have been is not known.
                self.program.complete = false;
                self.program.world.scopes[scope].broken |= node.name() == "each";
                continue;
            }
            match node.name() {
                "let" => {}
                "import" | "param" | "profile" | "spec" if file => {}
                "import" | "param" | "profile" | "spec" => self.misplaced(node),
                "image" | "pool" | "ironic" if !top => self.misplaced(node),
                "image" => self.named(node, Entity::Image, frame),
                "pool" => self.named(node, Entity::Pool, frame),
                "ironic" => self.named(node, Entity::Ironic, frame),
                "each" => self.each(node, scope, frame),
                "host" => self.hosts(node, scope, frame),
                "refine" => self.refine(node, scope, frame),
                "rack" => self.nested(node, ScopeKind::Rack, scope, frame),
                "group" => self.nested(node, ScopeKind::Group, scope, frame),
                "facts" => self.facts_table(node, scope),
                "when" => self.when(node, scope, frame),
                name => self.unknown(name, node, top),
            }
        }
    }

    pub(super) fn misplaced(&mut self, node: Node<'t>) {
        let finding = Diagnostic::error(
            Code(2001),
            format!("`{}` stands at the top of a file only", node.name()),
            node.name_span().in_file(node.file()),
            "",
        );
        self.lost(finding);
    }

    pub(super) fn unknown(&mut self, name: &str, node: Node<'t>, top: bool) {
        let place = node.name_span().in_file(node.file());
        if LATER_WORDS.contains(&name) {
            return self.lost(decode::later(place, &format!("`{name}`")));
        }
        if Entity::Host.fields().iter().any(|field| field.name == name) || name == "use" {
            let what = if name == "use" {
                "a profile is used"
            } else {
                "fields stand"
            };
            let finding = Diagnostic::error(
                Code(2001),
                format!("`{name}` cannot stand here: {what} in a block"),
                place,
                "",
            )
            .help("put it in `each { … }`, for every host below");
            return self.lost(finding);
        }
        let words: Vec<&str> = ENTITY_WORDS
            .iter()
            .copied()
            .filter(|word| !matches!(*word, "use" | "except"))
            .filter(|word| {
                top || matches!(
                    *word,
                    "let" | "rack" | "group" | "host" | "each" | "refine" | "facts" | "when"
                )
            })
            .collect();
        let finding = Diagnostic::error(
            Code(2001),
            format!("there is no `{name}` in the language"),
            place,
            "",
        );
        // What other tools call a machine.
        let other = ["node", "machine", "server", "baremetal", "BareMetalHost"]
            .iter()
            .any(|other| other.eq_ignore_ascii_case(name));
        let near = if other {
            Some(Suggestion {
                word: "host",
                fix: Some(Applicability::Safe),
            })
        } else {
            similar(name, words)
        };
        self.lost(finding.did_you_mean(near, place, str::to_owned));
    }

    pub(super) fn when(&mut self, node: Node<'t>, scope: usize, frame: usize) {
        self.annotated(node);
        for child in node.children().filter(|child| child.name() == "let") {
            self.findings
                .add(let_in_when(child.name_span().in_file(child.file())));
        }
        let (condition, entry) = match condition(node) {
            Ok(found) => found,
            Err(finding) => return self.lost(finding),
        };
        let args = no_args();
        let subject = Subject { scope, host: None };
        let view = View::new(&self.program.world, subject, frame, &args);
        let result = condition.test(&view);
        let tainted = view.tainted.get();
        let troubles = view.troubles.take();
        self.troubles(troubles);
        match result {
            Ok(true) => self.items(node.children(), scope, frame, false),
            Ok(false) => self.unchosen(node.children(), scope == 0),
            Err(error) => {
                self.program.complete = false;
                if !tainted {
                    let reads_host = condition
                        .references()
                        .iter()
                        .any(|read| read.path.starts_with("host."));
                    let finding = expression(entry, &error);
                    self.findings.add(if reads_host {
                        finding.help("no host is in sight here: put `when` in `each` or `host`")
                    } else {
                        finding
                    });
                }
            }
        }
    }

    pub(super) fn each(&mut self, node: Node<'t>, scope: usize, frame: usize) {
        for entry in node.entries() {
            let finding = Diagnostic::error(
                Code(2004),
                "`each` takes a block and nothing else",
                entry.span().in_file(entry.file()),
                "",
            )
            .help("for some of the hosts only, use `refine NAMES { … }`");
            self.lost(finding);
        }
        let frame = self.inner_frame(node, frame, scope);
        let body = self.block(node, "each", frame);
        self.program.world.scopes[scope].eaches.push(body);
    }

    /// An annotation on a whole block goes to the definitions in it.
    pub(super) fn push_down(&mut self, node: Node<'t>, mut steps: Vec<Step<'t>>) -> Vec<Step<'t>> {
        match super::super::compile::strength(node) {
            Ok(None) => {}
            Ok(Some(strength)) => strengthen(&mut steps, strength),
            Err(finding) => {
                self.findings.add(finding);
                steps.push(Step::Broken);
            }
        }
        steps
    }

    pub(super) fn body(&mut self, steps: Arc<Vec<Step<'t>>>, sites: u32, frame: usize) -> usize {
        let body = Body {
            steps,
            sites,
            frame,
        };
        self.program.bodies.push(body);
        self.program.bodies.len() - 1
    }

    pub(super) fn named(&mut self, node: Node<'t>, entity: Entity, frame: usize) {
        let Some((name, place)) = self.single_name(node, &format!("the {}", entity.word())) else {
            return;
        };
        self.only_name(node);
        for prop in node.props() {
            let key = prop.key().unwrap_or_default();
            let place = prop.span().in_file(prop.file());
            let is_field = entity.fields().iter().any(|field| field.name == key);
            let finding = Diagnostic::error(
                Code(2003),
                format!(
                    "properties of an entity are facts, and `{}` has none",
                    entity.word()
                ),
                place,
                "",
            );
            self.lost(if is_field {
                finding.help(format!("`{key}` is a field: write it in the block"))
            } else {
                finding
            });
        }
        let first = self
            .program
            .named
            .iter()
            .find(|known| known.entity == entity && *known.name == *name)
            .map(|known| known.place);
        if let Some(first) = first {
            let finding = Diagnostic::error(
                Code(2101),
                format!("{} `{name}` is declared twice", entity.word()),
                place,
                "",
            )
            .label(first, "first here");
            return self.lost(finding);
        }
        if !self.count(1, place) {
            return;
        }
        let frame = self.inner_frame(node, frame, 0);
        let mut steps = self.compile(entity, entity.word(), node.children());
        if node.props().next().is_some() {
            // What was meant by it is not there.
            steps.push(Step::Broken);
        }
        if entity == Entity::Pool {
            self.per_host(&mut steps, frame);
        }
        self.program.named.push(Named {
            entity,
            name: Arc::from(name),
            place,
            steps,
            frame,
        });
    }

    pub(super) fn facts_table(&mut self, node: Node<'t>, scope: usize) {
        let key = (node.file(), node.index());
        let (table, broken) = match self.repeated.tables.get(&key) {
            Some(known) => *known,
            None => {
                let read = self.read_table(node);
                if self.repeated.depth > 0 {
                    self.repeated.tables.insert(key, read);
                }
                read
            }
        };
        let scope = &mut self.program.world.scopes[scope];
        scope.broken |= broken;
        scope.tables.extend(table);
    }

    fn read_table(&mut self, node: Node<'t>) -> (Option<usize>, bool) {
        self.annotated(node);
        let csv = node
            .props()
            .find(|prop| prop.key() == Some("from"))
            .and_then(|prop| {
                self.project
                    .tables
                    .get(&prop.value_span().in_file(prop.file()))
                    .copied()
            });
        let (table, broken) = facts::table(node, csv, &self.project.files, self.findings);
        self.program.complete &= !broken;
        let index = table.map(|table| {
            let columns = table.columns.iter().map(Arc::clone);
            self.program.world.columns.extend(columns);
            self.program.tables.push(table);
            self.program.tables.len() - 1
        });
        (index, broken)
    }

    pub(super) fn nested(&mut self, node: Node<'t>, kind: ScopeKind, scope: usize, frame: usize) {
        if kind == ScopeKind::Rack && in_rack(&self.program.world, scope) {
            let finding = Diagnostic::error(
                Code(2001),
                "a rack cannot stand inside a rack",
                node.name_span().in_file(node.file()),
                "",
            )
            .help("`group` may stand anywhere, and as deep as you like");
            return self.lost(finding);
        }
        let Some((entry, names)) = self.names(node, &format!("the {}", kind.word()), scope, frame)
        else {
            return;
        };
        let place = entry.value_span().in_file(entry.file());
        let (properties, broken) =
            facts::properties(node, &[], &mut self.fact_names, self.findings);
        // The reader bounds how deep blocks may stand in one another.
        let depth = self.program.world.scopes[scope].depth + 1;
        self.repeated.depth += usize::from(names.len() > 1);
        for (name, captures) in &names {
            let name: Arc<str> = Arc::from(name);
            if let Err(finding) = check_name(&name, kind.word(), place) {
                self.lost(finding);
            }
            let mut collected = Collected::new(broken);
            for (fact, value) in captures {
                collected.add(
                    kind.word(),
                    &name,
                    &fact,
                    Val::Int(value),
                    place,
                    self.findings,
                );
            }
            let args = no_args();
            // As with hosts, what the name gives may be read, and the other properties may not.
            let captured = collected.so_far();
            for (fact, value, at) in &properties {
                let mut view = View::new(
                    &self.program.world,
                    Subject { scope, host: None },
                    frame,
                    &args,
                );
                view.within = Some((kind, &name, &captured));
                match facts::value(value, &view, self.findings, kind.word(), &name) {
                    Some(value) => {
                        collected.add(kind.word(), &name, fact, value, *at, self.findings);
                    }
                    None => collected.broken = true,
                }
            }
            let broken = collected.broken || self.program.world.scopes[scope].broken;
            self.program.world.scopes.push(Scope {
                kind,
                name: Arc::clone(&name),
                parent: Some(scope),
                depth,
                facts: collected.finish(),
                place,
                eaches: Vec::new(),
                tables: Vec::new(),
                broken,
            });
            let inner = self.program.world.scopes.len() - 1;
            let inner_frame = self.frame(node.children(), Some(frame), inner);
            self.items(node.children(), inner, inner_frame, false);
        }
        self.repeated.depth -= usize::from(names.len() > 1);
    }
}
