//! One name, one declaration.

use super::*;

impl Declarer<'_, '_> {
    /// MF2102: one name, two declarations. Both go: which one was meant is not known.
    pub(super) fn duplicates(&mut self) {
        self.duplicate_scopes();
        let files = &self.project.files;
        let order = |a: Place, b: Place| {
            files
                .path(a.file)
                .cmp(files.path(b.file))
                .then_with(|| a.span.cmp(&b.span))
        };
        self.program
            .hosts
            .sort_by(|a, b| natural(&a.name, &b.name).then_with(|| order(a.place, b.place)));
        let mut doubles: BTreeMap<(Place, Place), Vec<Arc<str>>> = BTreeMap::new();
        let hosts = &mut self.program.hosts;
        let mut first = 0;
        for index in 1..hosts.len() {
            if hosts[index].name == hosts[first].name {
                doubles
                    .entry((hosts[index].place, hosts[first].place))
                    .or_default()
                    .push(Arc::clone(&hosts[index].name));
                hosts[first].broken = true;
            } else {
                first = index;
            }
        }
        let mut fixes = self.as_refines(&doubles);
        let hosts = &mut self.program.hosts;
        hosts.dedup_by(|later, earlier| later.name == earlier.name);
        for ((place, first), names) in doubles {
            let texts: Vec<&str> = names.iter().map(|name| &**name).collect();
            let folded = fold(&texts);
            let what = if names.len() == 1 { "host" } else { "hosts" };
            let message = if names.len() == 1 {
                format!("host `{folded}` is declared twice")
            } else {
                format!("hosts `{folded}` are declared twice")
            };
            let mut finding = Diagnostic::error(Code(2102), message, place, "again here")
                .label(first, format!("the same {what} here"))
                .help("to change a host that is there, write `refine` in the place of `host`");
            if let Some(word) = fixes.remove(&(place, first)) {
                finding = finding.fix(Fix::replace(
                    "write `refine`",
                    Applicability::Unsafe,
                    word,
                    "refine",
                ));
            }
            finding.subject = Some(About {
                kind: "host",
                names: texts.iter().map(ToString::to_string).collect(),
                path: None,
            });
            self.findings.add(finding);
        }
    }

    /// Of each pair of declarations the word `host` that can be `refine`: that of the one all of
    /// whose hosts the other declares, where a `refine` reaches them, and that gives no facts.
    fn as_refines(
        &self,
        doubles: &BTreeMap<(Place, Place), Vec<Arc<str>>>,
    ) -> BTreeMap<(Place, Place), Place> {
        let mut declared: HashMap<Place, (&Declared<'_>, usize)> = HashMap::new();
        if !doubles.is_empty() {
            for host in &self.program.hosts {
                declared.entry(host.place).or_insert((host, 0)).1 += 1;
            }
        }
        let word = |(later, first): &(Place, Place), common: usize| {
            let (later, first) = (declared.get(later)?, declared.get(first)?);
            [(later, first), (first, later)]
                .into_iter()
                .find_map(|((host, count), (other, _))| {
                    let fits = *count == common
                        && host.captures.is_empty()
                        && host.node.props().next().is_none()
                        && self.within(other.scope, host.scope);
                    fits.then(|| host.node.name_span().in_file(host.node.file()))
                })
        };
        doubles
            .iter()
            .filter_map(|(places, names)| Some((*places, word(places, names.len())?)))
            .collect()
    }

    pub(super) fn duplicate_scopes(&mut self) {
        let mut seen: HashMap<(&'static str, Arc<str>), Place> = HashMap::new();
        let mut found = Vec::new();
        for scope in &self.program.world.scopes[1..] {
            let key = (scope.kind.word(), Arc::clone(&scope.name));
            match seen.get(&key) {
                Some(first) => found.push(
                    Diagnostic::error(
                        Code(2102),
                        format!("{} `{}` is declared twice", scope.kind.word(), scope.name),
                        scope.place,
                        "again here",
                    )
                    .label(*first, "first here"),
                ),
                None => {
                    seen.insert(key, scope.place);
                }
            }
        }
        for finding in found {
            self.lost(finding);
        }
    }

    /// MF2106: names that differ only by case or padding.
    pub(super) fn close_names(&mut self) {
        let mut seen: HashMap<String, usize> = HashMap::with_capacity(self.program.hosts.len());
        // One warning a pair of declarations: two ranges that are padded differently are one slip.
        let mut close: BTreeMap<(Place, Place), Vec<(Arc<str>, Arc<str>)>> = BTreeMap::new();
        for (index, host) in self.program.hosts.iter().enumerate() {
            let mut key = String::with_capacity(host.name.len());
            let mut zeros = true;
            for c in host.name.chars() {
                if c == '0' && zeros {
                    continue;
                }
                zeros = !c.is_ascii_digit();
                key.extend(c.to_lowercase());
            }
            match seen.get(&key) {
                Some(first) => {
                    let other = &self.program.hosts[*first];
                    close
                        .entry((host.place, other.place))
                        .or_default()
                        .push((Arc::clone(&other.name), Arc::clone(&host.name)));
                }
                None => {
                    seen.insert(key, index);
                }
            }
        }
        for ((place, first), pairs) in close {
            let others: Vec<&str> = pairs.iter().map(|(other, _)| &**other).collect();
            let names: Vec<&str> = pairs.iter().map(|(_, name)| &**name).collect();
            let mut finding = Diagnostic::warning(
                Code(2106),
                format!(
                    "`{}` and `{}` differ only by case or padding",
                    fold(&others),
                    fold(&names)
                ),
                place,
                "",
            );
            if first != place {
                finding = finding.label(first, "the other one");
            }
            finding.subject = Some(About {
                kind: "host",
                names: names.iter().map(ToString::to_string).collect(),
                path: None,
            });
            self.findings.add(finding);
        }
    }
}
