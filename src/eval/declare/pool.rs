//! What of a pool differs from host to host: `deploy`, and nothing else.

use super::*;

impl<'t> Declarer<'_, 't> {
    /// Marks the conditions of a pool that read what differs from host to host. They are judged for
    /// each host when its `deploy` is evaluated; another field in such a block would have a value
    /// for each host, where the pool has one.
    pub(super) fn per_host(&mut self, steps: &mut Vec<Step<'t>>, frame: usize) {
        let mut findings = Vec::new();
        self.mark(steps, frame, &mut findings);
        for finding in findings {
            self.findings.add(finding);
            steps.push(Step::Broken);
        }
    }

    fn mark(&self, steps: &mut [Step<'t>], frame: usize, findings: &mut Vec<Diagnostic>) {
        for step in steps {
            let Step::When(when) = step else { continue };
            let references = when.condition.references();
            let read = references
                .iter()
                .find(|read| differs(&self.program.world, frame, read.path));
            let Some(read) = read else {
                self.mark(&mut when.steps, frame, findings);
                continue;
            };
            let mut places = Vec::new();
            self.own_fields(&when.steps, &mut places);
            if !places.is_empty() {
                let place = when.entry.locate(read.range.clone());
                let mut finding = Diagnostic::error(
                    Code(2301),
                    format!(
                        "`{}` differs from host to host, and a pool's own fields do not",
                        read.path
                    ),
                    place.in_file(when.entry.file()),
                    "",
                )
                .help("only `deploy` can depend on the host");
                for place in places {
                    finding = finding.label(place, "one value for the whole pool");
                }
                findings.push(finding);
            }
            when.per_host = true;
        }
    }

    /// Where anything but `deploy` is set.
    fn own_fields(&self, steps: &[Step<'t>], places: &mut Vec<Place>) {
        let root = Paths::root(Entity::Pool);
        let deploy = self.paths.child(root, "deploy");
        for step in steps {
            match step {
                Step::Set(set) => {
                    let path = set.at.shape();
                    let deploys = deploy
                        .is_some_and(|deploy| path == deploy || self.paths.is_below(path, deploy));
                    if !deploys {
                        places.push(set.place);
                    }
                }
                Step::When(when) => self.own_fields(&when.steps, places),
                Step::Use(_) | Step::Broken => {}
            }
        }
    }
}

/// Whether what a name stands for, read in this frame, may differ from host to host.
fn differs(world: &World<'_>, frame: usize, path: &str) -> bool {
    if let Some((subject, _)) = path.split_once('.') {
        return matches!(subject, "host" | "rack" | "group");
    }
    let mut at = Some(frame);
    while let Some(index) = at {
        let frame = &world.frames[index];
        if let Some(found) = frame.lets.get(path) {
            return !found.shared;
        }
        at = frame.parent;
    }
    false
}
