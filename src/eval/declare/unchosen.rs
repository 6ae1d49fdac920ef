//! Blocks under a condition that is false: read for mistakes, and left out.

use super::*;

impl<'t> Declarer<'_, 't> {
    /// Reports what is wrong in a block that declares nothing now, so that no mistake waits for
    /// its condition to come true. Names and values are not evaluated: they may well be wrong where
    /// the condition is false, which is what it is for.
    pub(super) fn unchosen(&mut self, nodes: Nodes<'t>, top: bool) {
        for node in nodes {
            if node.is_broken() {
                continue;
            }
            let entity = match node.name() {
                "let" => {
                    for entry in node.args().skip(1) {
                        arg(entry, self.findings);
                    }
                    continue;
                }
                "import" | "param" | "profile" | "spec" => {
                    self.misplaced(node);
                    continue;
                }
                "image" | "pool" | "ironic" if !top => {
                    self.misplaced(node);
                    continue;
                }
                "rack" | "group" => {
                    self.unchosen(node.children(), false);
                    continue;
                }
                "when" => {
                    if let Err(finding) = condition(node) {
                        self.lost(finding);
                    }
                    for child in node.children().filter(|child| child.name() == "let") {
                        let place = child.name_span().in_file(child.file());
                        self.findings.add(let_in_when(place));
                    }
                    self.unchosen(node.children(), top);
                    continue;
                }
                "facts" => continue,
                "each" | "host" | "refine" => {
                    self.compiled(node, node.name());
                    continue;
                }
                "image" => Entity::Image,
                "pool" => Entity::Pool,
                "ironic" => Entity::Ironic,
                name => {
                    self.unknown(name, node, top);
                    continue;
                }
            };
            self.compile(entity, node.name(), node.children());
        }
    }
}
