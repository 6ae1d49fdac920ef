//! Profiles.

use super::*;

impl<'t> Declarer<'_, 't> {
    // ---- profiles

    pub(super) fn profile_signature(&mut self, node: Node<'t>) {
        let Some((name, place)) = self.single_name(node, "the profile") else {
            return;
        };
        self.only_name(node);
        for prop in node.props() {
            let finding = Diagnostic::error(
                Code(2002),
                "a profile takes no properties",
                prop.span().in_file(prop.file()),
                "",
            )
            .help("its parameters are children: `param NAME DEFAULT`");
            self.findings.add(finding);
        }
        if let Some(first) = self.signatures.get(name) {
            let first = self.program.profiles[first.index].place;
            let finding = Diagnostic::error(
                Code(2101),
                format!("profile `{name}` is declared twice"),
                place,
                "",
            )
            .label(first, "first here");
            return self.lost(finding);
        }
        let mut params = Vec::new();
        for param in node.children().filter(|child| child.name() == "param") {
            if let Some((param_name, param_place)) = self.single_name(param, "the parameter") {
                self.only_default(param);
                if params.iter().any(|(known, _)| *known == param_name) {
                    let finding = Diagnostic::error(
                        Code(2101),
                        format!("parameter `{param_name}` is declared twice"),
                        param_place,
                        "",
                    );
                    self.findings.add(finding);
                    continue;
                }
                params.push((param_name, param.args().nth(1).is_some()));
            }
        }
        let index = self.program.profiles.len();
        self.program.profiles.push(Profile {
            name,
            place,
            params: Vec::new(),
            steps: Vec::new(),
            sites: 0,
            frame: 0,
            cyclic: false,
            used: AtomicBool::new(false),
        });
        self.signatures.insert(name, Signature { index, params });
    }

    pub(super) fn profile(&mut self, node: Node<'t>, _file: usize) {
        let Some(entry) = node.args().next() else {
            return;
        };
        let Some(name) = entry.value().as_str() else {
            return;
        };
        let place = entry.value_span().in_file(entry.file());
        let Some(index) = self.signatures.get(name).map(|signature| signature.index) else {
            return;
        };
        if self.program.profiles[index].place != place {
            return;
        }
        // A profile sees its parameters, `param.*` and the instance's facts, and nothing around it.
        let outer = Frame {
            parent: None,
            lets: BTreeMap::new(),
            is_profile: true,
            scope: 0,
        };
        let outer = self.push_frame(outer);
        let has_lets = node.children().any(|child| child.name() == "let");
        let frame = if has_lets {
            self.frame(node.children(), Some(outer), 0)
        } else {
            outer
        };
        let params = node
            .children()
            .filter(|child| child.name() == "param" && !child.is_broken())
            .filter_map(|param| {
                let name = param.args().next()?.value().as_str()?;
                let default = param.args().nth(1).map(|entry| arg(entry, self.findings));
                Some(Param { name, default })
            })
            .collect();
        let params = self.in_order(params, frame);
        let steps = self.compile(Entity::Host, "profile", node.children());
        let sites = self.sites(&steps);
        let profile = &mut self.program.profiles[index];
        profile.params = params;
        profile.steps = steps;
        profile.sites = sites;
        profile.frame = frame;
    }

    /// Parameters such that each comes after those that its default reads, itself or by way of the
    /// profile's `let`s: in which order they are written means nothing. MF2304 for a circle.
    fn in_order(&mut self, mut params: Vec<Param<'t>>, frame: usize) -> Vec<Param<'t>> {
        let names: Vec<&str> = params.iter().map(|param| param.name).collect();
        let mut reads = self.reads_of(&params, frame);
        for circle in circle::circles(&names, &reads) {
            if let Some(Arg::Made(made)) = &params[circle.way[0]].default {
                let mut finding = Diagnostic::error(
                    Code(2304),
                    format!("parameters in a circle: {}", circle.show(&names)),
                    decode::value_place(made.entry),
                    "",
                );
                if let Some(note) = circle.others(&names) {
                    finding = finding.note(note);
                }
                self.findings.add(finding);
            }
            for member in circle.members {
                params[member].default = Some(Arg::Bad);
                reads[member].clear();
            }
        }
        // Depth first, without a circle: what is read, then the reader.
        let mut order: Vec<usize> = Vec::with_capacity(params.len());
        let mut seen = vec![false; params.len()];
        for start in 0..params.len() {
            let mut trail = vec![(start, 0)];
            while let Some((param, followed)) = trail.pop() {
                if followed == 0 && std::mem::replace(&mut seen[param], true) {
                    continue;
                }
                match reads[param].get(followed) {
                    Some(next) => trail.extend([(param, followed + 1), (*next, 0)]),
                    None => order.push(param),
                }
            }
        }
        let mut params: Vec<Option<Param<'t>>> = params.into_iter().map(Some).collect();
        order
            .into_iter()
            .filter_map(|param| params[param].take())
            .collect()
    }

    /// By parameter, the numbers of those that its default reads.
    fn reads_of(&self, params: &[Param<'t>], frame: usize) -> Vec<Vec<usize>> {
        let lets = &self.program.world.frames[frame].lets;
        let numbers: HashMap<&str, usize> = params
            .iter()
            .enumerate()
            .map(|(number, param)| (param.name, number))
            .collect();
        let reads = |param: &Param<'t>| {
            let Some(Arg::Made(made)) = &param.default else {
                return Vec::new();
            };
            let mut found = Vec::new();
            let mut seen: HashSet<&str> = HashSet::new();
            let mut open = made.template.references();
            while let Some(read) = open.pop() {
                if !seen.insert(read.path) {
                    continue;
                }
                match lets.get(read.path).map(|found| &found.value) {
                    Some(LetValue::Template(template)) => open.extend(template.references()),
                    Some(_) => {}
                    None => found.extend(numbers.get(read.path)),
                }
            }
            found
        };
        params.iter().map(reads).collect()
    }

    pub(super) fn profile_cycles(&mut self) {
        let names: Vec<&str> = self.program.profiles.iter().map(|p| p.name).collect();
        let uses: Vec<Vec<(usize, Place)>> = self
            .program
            .profiles
            .iter()
            .map(|profile| {
                let mut uses = Vec::new();
                uses_of(&profile.steps, &mut |index, place| {
                    uses.push((index, place))
                });
                uses
            })
            .collect();
        let reads: Vec<Vec<usize>> = uses
            .iter()
            .map(|uses| uses.iter().map(|(index, _)| *index).collect())
            .collect();
        for circle in circle::circles(&names, &reads) {
            let place = |from: usize, to: usize| {
                uses[from]
                    .iter()
                    .find(|(index, _)| *index == to)
                    .map(|(_, place)| *place)
            };
            let way = &circle.way;
            let Some(primary) = place(way[way.len() - 1], way[0]) else {
                continue;
            };
            let mut finding = Diagnostic::error(
                Code(2203),
                format!(
                    "profiles use each other in a circle: {}",
                    circle.show(&names)
                ),
                primary,
                "this closes the circle",
            );
            for pair in way.windows(2) {
                if let Some(place) = place(pair[0], pair[1]) {
                    finding = finding.label(place, "by way of this");
                }
            }
            if let Some(note) = circle.others(&names) {
                finding = finding.note(note);
            }
            self.findings.add(finding);
            for member in circle.members {
                self.program.profiles[member].cyclic = true;
            }
        }
    }
}
