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
                    depth: 0,
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
        let reaches = reaches(&frame, &self.program.world);
        for (found, reach) in frame.lets.values_mut().zip(reaches) {
            found.shared = reach.shared;
            found.depth = reach.depth;
            if reach.depth > LET_DEPTH {
                found.value = LetValue::Broken;
            }
            // Those that read this one are consequences.
            if reach.depth == LET_DEPTH + 1 {
                self.findings.add(
                    Diagnostic::error(
                        Code(9006),
                        format!("`let`s read one another more than {LET_DEPTH} deep, the limit"),
                        found.place,
                        "one too many",
                    )
                    .help("put more of it into one expression"),
                );
            }
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

/// What follows for a `let` from all that it reads.
#[derive(Debug, Clone, Copy)]
struct Reach {
    shared: bool,
    depth: usize,
}

/// What a name outside of a frame's own `let`s brings: nothing that is of a host, a group or a
/// profile's arguments is shared.
fn outside(path: &str, frame: &Frame<'_>, world: &World<'_>) -> Reach {
    let plain = |shared| Reach { shared, depth: 0 };
    match path.split_once('.') {
        Some(("host" | "group", _)) => return plain(false),
        Some(("rack", _)) => return plain(in_rack(world, frame.scope)),
        Some(_) => return plain(true),
        None => {}
    }
    let mut is_profile = frame.is_profile;
    let mut at = frame.parent;
    while let (false, Some(index)) = (is_profile, at) {
        let outer = &world.frames[index];
        if let Some(found) = outer.lets.get(path) {
            return Reach {
                shared: found.shared,
                depth: found.depth,
            };
        }
        is_profile = outer.is_profile;
        at = outer.parent;
    }
    plain(!is_profile)
}

/// For each `let` of a frame, in their order. There are no circles any more.
fn reaches(frame: &Frame<'_>, world: &World<'_>) -> Vec<Reach> {
    let index: HashMap<&str, usize> = frame
        .lets
        .keys()
        .enumerate()
        .map(|(index, name)| (name.as_str(), index))
        .collect();
    let reads: Vec<Vec<&str>> = frame
        .lets
        .values()
        .map(|found| match &found.value {
            LetValue::Template(template) => {
                template.references().iter().map(|read| read.path).collect()
            }
            LetValue::Val(_) | LetValue::Broken => Vec::new(),
        })
        .collect();
    let mut known: Vec<Option<Reach>> = vec![None; reads.len()];
    for start in 0..reads.len() {
        // Depth first with an explicit trail: a chain may be as long as the file.
        let mut trail = vec![start];
        while let Some(at) = trail.last().copied() {
            let open = |path: &&str| index.get(*path).filter(|read| known[**read].is_none());
            let before = trail.len();
            if known[at].is_none() {
                trail.extend(reads[at].iter().filter_map(open).copied());
            }
            if trail.len() > before {
                continue;
            }
            let of = |path: &&str| match index.get(*path).and_then(|read| known[*read]) {
                Some(own) => own,
                None => outside(path, frame, world),
            };
            let all = Reach {
                shared: true,
                depth: 0,
            };
            known[at] = Some(reads[at].iter().map(of).fold(all, |all, read| Reach {
                shared: all.shared && read.shared,
                depth: all.depth.max(read.depth + 1),
            }));
            trail.pop();
        }
    }
    known.into_iter().flatten().collect()
}
