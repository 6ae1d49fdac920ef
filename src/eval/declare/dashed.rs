//! MF6006: what `/-` takes out of the fleet.

use super::*;
use crate::diag::Span;

impl<'t> Declarer<'_, 't> {
    /// Warns about hosts, racks, groups and pools that are commented out: to whoever reads the
    /// result they are gone, and a machine that is gone is taken down. All hosts have to be known.
    pub(super) fn commented_out(&mut self) {
        let known: HashSet<Arc<str>> = self
            .program
            .hosts
            .iter()
            .map(|host| Arc::clone(&host.name))
            .collect();
        let project = self.project;
        for (_, parse) in &project.sources {
            let text = parse.tree.text();
            self.dashed_among(parse.tree.all_nodes(), text, &known);
        }
    }

    fn dashed_among(&mut self, nodes: Nodes<'t>, text: &str, known: &HashSet<Arc<str>>) {
        for node in nodes {
            if node.is_dashed() {
                if self.is_fleet(node, known) {
                    self.dashed_node(node, text);
                }
                continue;
            }
            if !matches!(node.name(), "rack" | "group" | "when") {
                continue;
            }
            // A block that is commented out takes away all that stands in it, as one.
            let dashed: Vec<Span> = node.dashed_blocks().collect();
            for block in &dashed {
                let mut inside = node
                    .all_children()
                    .filter(|child| block.contains(child.span()) && !child.is_dashed());
                if inside.any(|child| self.is_fleet(child, known)) {
                    self.dashed_block(node, *block, text);
                }
            }
            if dashed.is_empty() {
                self.dashed_among(node.all_children(), text, known);
            } else {
                self.dashed_among(node.children(), text, known);
            }
        }
    }

    /// Whether a node declares machines, or deploys them, that nothing else does.
    fn is_fleet(&self, node: Node<'t>, known: &HashSet<Arc<str>>) -> bool {
        match node.name() {
            "pool" => true,
            "host" => !self.is_declared(node, known),
            "rack" | "group" | "when" => node.children().any(|child| self.is_fleet(child, known)),
            _ => false,
        }
    }

    /// Whether every host that a node names is declared elsewhere. Of names that are made by an
    /// expression, or that make no range, nobody knows.
    fn is_declared(&self, node: Node<'t>, known: &HashSet<Arc<str>>) -> bool {
        let Some(entry) = node.args().next() else {
            return false;
        };
        let Some(text) = entry.value().as_str() else {
            return false;
        };
        match range::expand(text, self.project.limits.range) {
            Ok(names) if !decode::is_template(entry) => {
                (&names).into_iter().all(|(name, _)| known.contains(&*name))
            }
            _ => false,
        }
    }

    fn dashed_node(&mut self, node: Node<'t>, text: &str) {
        let span = node.span();
        let what = match node.args().next().and_then(|entry| entry.value().as_str()) {
            Some(name) => format!("`{} {name}`", node.name()),
            None => format!("`{}`", node.name()),
        };
        let start = node
            .annotation()
            .map_or_else(|| node.name_span(), |(_, annotation)| annotation);
        self.dashed(span.start, start.start, node, &what, text);
    }

    fn dashed_block(&mut self, node: Node<'t>, block: Span, text: &str) {
        let before = &text[..block.start as usize];
        let Some(at) = before.rfind("/-") else { return };
        let what = format!("what `{}` holds", node.name());
        self.dashed(at as u32, block.start, node, &what, text);
    }

    /// Reports the `/-` at `start`, before something that begins at `end`.
    fn dashed(&mut self, start: u32, end: u32, node: Node<'t>, what: &str, text: &str) {
        let sign = Span::new(start, (start + 2).min(end));
        let gap = &text[sign.end as usize..end as usize];
        let blank = gap.len() - gap.trim_start_matches([' ', '\t']).len();
        let fix = Span::new(start, sign.end + blank as u32);
        let (lost, help) = if node.name() == "pool" {
            (
                "its machines are in no pool, and what is deployed on them goes",
                "if that is meant, delete the lines",
            )
        } else {
            (
                "its machines are no longer part of the fleet",
                "if they are to go, delete the lines; `except` takes one host out of a range",
            )
        };
        let finding = Diagnostic::warning(
            Code(6006),
            format!("{what} is commented out: {lost}"),
            sign.to(node.name_span()).in_file(node.file()),
            "",
        )
        .help(help)
        .fix(Fix::replace(
            "take the `/-` away",
            Applicability::Unsafe,
            fix.in_file(node.file()),
            "",
        ));
        self.findings.add(finding);
    }
}
