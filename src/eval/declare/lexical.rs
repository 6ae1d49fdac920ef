//! Lexical scopes: the `let`s of a file, an entity or a block.

use super::*;

impl<'t> Declarer<'_, 't> {
    // ---- lexical scopes

    /// A lexical scope of the `let`s among `nodes`; the scope around where there are none.
    pub(super) fn frame(&mut self, nodes: Nodes<'t>, parent: Option<usize>, scope: usize) -> usize {
        let mut lets: BTreeMap<String, Let<'t>> = BTreeMap::new();
        for node in nodes.filter(|node| node.name() == "let") {
            let Some((name, place)) = self.single_name(node, "the value") else {
                continue;
            };
            let args: Vec<Entry<'t>> = node.args().collect();
            let value = match args.as_slice() {
                [_, entry] => match arg(*entry, self.findings) {
                    Arg::Val(value) => LetValue::Val(value),
                    Arg::Made(made) => LetValue::Template(Arc::new(made.template)),
                    Arg::Bad => LetValue::Broken,
                },
                _ => {
                    let finding = Diagnostic::error(
                        Code(2004),
                        format!("`let {name}` needs one value"),
                        place,
                        "",
                    );
                    self.lost(finding);
                    LetValue::Broken
                }
            };
            for extra in node
                .props()
                .map(|prop| prop.span())
                .chain(node.block_span())
            {
                let finding = Diagnostic::error(
                    Code(2002),
                    "`let` takes a name and a value",
                    extra.in_file(node.file()),
                    "",
                );
                self.findings.add(finding);
            }
            if !is_identifier(name) {
                let better = name.to_lowercase().replace(['-', '.'], "_");
                let finding = Diagnostic::error(
                    Code(2301),
                    format!("`{name}` cannot be read by an expression: a hyphen would be a minus"),
                    place,
                    "",
                )
                .help(format!(
                    "lower-case letters, digits and `_`, as in `{better}`"
                ));
                self.findings.add(finding);
            }
            if let Some(first) = lets.get(name) {
                let finding = Diagnostic::error(
                    Code(2101),
                    format!("`let {name}` is there twice in one scope"),
                    place,
                    "",
                )
                .label(first.place, "first here");
                self.lost(finding);
                continue;
            }
            lets.insert(
                name.to_owned(),
                Let {
                    value,
                    entry: args.get(1).copied(),
                    place,
                    shared: false,
                    cached: OnceLock::new(),
                },
            );
        }
        match (lets.is_empty(), parent) {
            (true, Some(parent)) if self.program.world.frames[parent].scope == scope => parent,
            _ => self.push_frame(Frame {
                parent,
                lets,
                is_profile: false,
                scope,
            }),
        }
    }

    pub(super) fn push_frame(&mut self, mut frame: Frame<'t>) -> usize {
        self.cycles(&mut frame);
        let world = &self.program.world;
        let mut shared: HashMap<String, bool> = HashMap::new();
        for name in frame.lets.keys() {
            is_shared(name, &frame, world, &mut shared);
        }
        for (name, found) in &mut frame.lets {
            found.shared = shared.get(name).copied().unwrap_or(false);
        }
        self.program.world.frames.push(frame);
        self.program.world.frames.len() - 1
    }

    /// MF2304: `let`s of one scope that read each other in a circle.
    pub(super) fn cycles(&mut self, frame: &mut Frame<'t>) {
        let names: Vec<String> = frame.lets.keys().cloned().collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let reads: Vec<Vec<usize>> = frame
            .lets
            .values()
            .map(|found| match &found.value {
                LetValue::Template(template) => template
                    .references()
                    .iter()
                    .filter_map(|read| names.binary_search(&read.path).ok())
                    .collect(),
                LetValue::Val(_) | LetValue::Broken => Vec::new(),
            })
            .collect();
        for circle in circle::circles(&names, &reads) {
            let place = |number: usize| frame.lets[names[number]].place;
            let mut finding = Diagnostic::error(
                Code(2304),
                format!("`let`s in a circle: {}", circle.show(&names)),
                place(circle.way[0]),
                "",
            );
            for number in &circle.way[1..] {
                finding = finding.label(place(*number), "by way of this");
            }
            if let Some(note) = circle.others(&names) {
                finding = finding.note(note);
            }
            self.findings.add(finding);
            for member in circle.members {
                if let Some(found) = frame.lets.get_mut(names[member]) {
                    found.value = LetValue::Broken;
                }
            }
        }
    }

    pub(super) fn inner_frame(&mut self, node: Node<'t>, frame: usize, scope: usize) -> usize {
        if node.children().any(|child| child.name() == "let") {
            self.frame(node.children(), Some(frame), scope)
        } else {
            frame
        }
    }
}
