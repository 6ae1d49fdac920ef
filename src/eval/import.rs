//! Imports: from the root file to all texts of a project, and their trees.
//!
//! A file is known by its real path, so that importing it twice is importing it once. What cannot
//! be had is reported where it is imported, and makes the evaluation incomplete: then nothing may
//! be removed because of what is not there.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::kept::Kept;
use super::report::Findings;
use super::{Inputs, Limits, Namespace, decode};
use crate::diag::codes::language;
use crate::diag::{Code, Diagnostic, FileId, Place, Span};
use crate::syntax::{self, Parse};
use crate::vfs::{self, FileKind, Files, ReadError, Root};

mod trouble;

/// The name of the root file in a folder.
pub const ROOT_FILE: &str = "fleet.kdl";

/// What was found before. The tree of a text is used again if the text is the same (comparing is
/// many times as fast as a digest) and it was read with the same limits; hosts are used again as
/// [`super::kept`] says.
#[derive(Debug, Default)]
pub struct Cache {
    trees: HashMap<TreeKey, Arc<Parse>>,
    pub(super) kept: Option<Kept>,
}

/// File, and the limits on nesting, strings and findings.
type TreeKey = (FileId, [usize; 3]);

/// All texts of a project with their trees.
#[derive(Debug)]
pub(super) struct Project {
    pub files: Files,
    /// The spec's own files, the root first.
    pub sources: Vec<(FileId, Arc<Parse>)>,
    /// The params file.
    pub params: Option<(FileId, Arc<Parse>)>,
    /// Files of `facts … from=`, by where that is written.
    pub tables: BTreeMap<Place, FileId>,
    /// Files of `simulated { script … }`, by where that is written.
    pub scripts: BTreeMap<Place, FileId>,
    pub limits: Limits,
    pub namespace: Namespace,
    /// False when something could not be had or did not parse.
    pub complete: bool,
    /// What is missing is reported as an error; set when all is loaded. A name that nothing
    /// declares may then be right, and is not reported as well.
    pub partial: bool,
    pub watched: Vec<PathBuf>,
}

/// What loading needs to have in hand.
struct Loader<'a> {
    inputs: &'a Inputs<'a>,
    root: Root,
    project: Project,
    findings: &'a mut Findings,
    trees: HashMap<TreeKey, Arc<Parse>>,
    cache: &'a Cache,
    read: vfs::Limits,
    /// Files that are being read, outermost first, with the place of the import that led there.
    stack: Vec<(FileId, Option<Place>)>,
    done: Vec<FileId>,
}

/// Loads a project. What was parsed before is taken from `cache`, which afterwards holds what is
/// used now.
pub(super) fn load(
    inputs: &Inputs<'_>,
    namespace: &Namespace,
    cache: &mut Cache,
    findings: &mut Findings,
) -> Project {
    let mut project = Project {
        files: Files::new(),
        sources: Vec::new(),
        params: None,
        tables: BTreeMap::new(),
        scripts: BTreeMap::new(),
        limits: inputs.limits.clone(),
        namespace: namespace.clone(),
        complete: true,
        partial: false,
        watched: Vec::new(),
    };
    let is_folder = matches!(inputs.disk.kind(inputs.root), Ok(FileKind::Folder));
    let path = if is_folder {
        inputs.root.join(ROOT_FILE)
    } else {
        inputs.root.to_owned()
    };
    let opened = Root::open(inputs.disk, &path).and_then(|root| {
        let real = inputs
            .disk
            .canonical(&path)
            .map_err(|error| ReadError::io(&path, &error))?;
        Ok((root, real))
    });
    let (root, real) = match opened {
        Ok(found) => found,
        Err(error) => {
            project.watched.push(path.clone());
            return without_root(project, &path, &error, findings);
        }
    };
    let read = vfs::Limits {
        file: inputs.limits.file,
        project: inputs.limits.project,
    };
    let mut loader = Loader {
        inputs,
        root,
        project,
        findings,
        trees: HashMap::new(),
        cache,
        read,
        stack: Vec::new(),
        done: Vec::new(),
    };
    loader.project.watched.push(path.clone());
    match loader
        .project
        .files
        .load(inputs.disk, &loader.root, &real, &loader.read)
    {
        Ok(file) => loader.file(file, None),
        Err(error) => {
            let Loader {
                project, findings, ..
            } = loader;
            return without_root(project, &path, &error, findings);
        }
    }
    loader.params();
    loader.also_below(&path, &real);
    let Loader { project, trees, .. } = loader;
    cache.trees = trees;
    project
}

/// The root file is not to be had: an empty text stands for it, so that the finding has a place.
fn without_root(
    mut project: Project,
    path: &Path,
    error: &ReadError,
    findings: &mut Findings,
) -> Project {
    let name = path
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let file = project.files.add(name, "");
    let finding = Diagnostic::error(
        error.code(),
        format!("the spec cannot be read: {error}"),
        Span::point(0).in_file(file),
        "",
    );
    findings.add(match error {
        ReadError::Missing { .. } => finding.help(format!(
            "name the root file, or a folder with a `{ROOT_FILE}` in it"
        )),
        _ => finding,
    });
    project.complete = false;
    project
}

impl Loader<'_> {
    /// Watches what lies beside the root file by the path that was given, too: a link on that may
    /// come to lead to another folder, while the one that was read stays as it is.
    fn also_below(&mut self, given: &Path, real: &Path) {
        let (Some(given), Some(real)) = (given.parent(), real.parent()) else {
            return;
        };
        let watched = &mut self.project.watched;
        let below = watched
            .iter()
            .filter_map(|path| path.strip_prefix(real).ok());
        let also: Vec<PathBuf> = below.map(|inner| given.join(inner)).collect();
        watched.extend(also);
    }

    /// Reads a file's tree and all that it imports.
    fn file(&mut self, file: FileId, import: Option<Place>) {
        if let Some(at) = self.stack.iter().position(|(open, _)| *open == file) {
            self.cycle(at, import);
            return;
        }
        if self.done.contains(&file) {
            return;
        }
        if self.stack.len() > self.project.limits.import_depth {
            if let Some(place) = import {
                self.findings.add(Diagnostic::error(
                    Code(9006),
                    format!(
                        "imports are nested deeper than {}, the limit",
                        self.project.limits.import_depth
                    ),
                    place,
                    "",
                ));
            }
            self.project.complete = false;
            return;
        }
        let parse = self.parse(file);
        self.empty(file, import);
        if self.project.sources.is_empty() {
            self.own_limits(&parse);
        } else {
            self.misplaced_limits(&parse);
        }
        self.project.sources.push((file, Arc::clone(&parse)));
        self.stack.push((file, import));
        for node in parse.tree.nodes() {
            if node.name() == "import" {
                self.import(file, node);
            } else if node.name() == "spec" {
                self.scripts(file, node);
            } else {
                self.tables(file, node);
            }
        }
        self.stack.pop();
        self.done.push(file);
    }

    fn parse(&mut self, file: FileId) -> Arc<Parse> {
        let limits = &self.project.limits;
        let key = (file, [limits.nesting, limits.string, limits.diagnostics]);
        let text = self.project.files.text(file);
        let known = self.cache.trees.get(&key);
        let parse = match known.filter(|parse| parse.tree.text() == &**text) {
            Some(parse) => {
                self.project.files.share(file, parse.tree.shared_text());
                Arc::clone(parse)
            }
            None => Arc::new(syntax::parse(
                file,
                self.project.files.text(file),
                &syntax::Limits {
                    depth: self.project.limits.nesting,
                    diagnostics: self.project.limits.diagnostics,
                    string: self.project.limits.string,
                    ..syntax::Limits::default()
                },
            )),
        };
        self.trees.insert(key, Arc::clone(&parse));
        for finding in &parse.diagnostics {
            self.findings.add(finding.clone());
        }
        if parse.has_errors() {
            self.project.complete = false;
        }
        parse
    }

    /// `spec { limits … }` of the root file holds for what is read after it.
    fn own_limits(&mut self, parse: &Parse) {
        for node in limits_of(parse) {
            let props = node
                .props()
                .map(|entry| (entry.key().unwrap_or_default(), entry));
            let children = node
                .children()
                .filter_map(|child| Some((child.name(), child.args().next()?)));
            for (name, entry) in props.chain(children) {
                if decode::is_template(entry) {
                    let place = decode::value_place(entry);
                    let what = "a limit holds while files are read, so it cannot be an expression";
                    self.findings
                        .add(Diagnostic::error(Code(2302), what, place, ""));
                }
                self.project
                    .limits
                    .set(name, entry, self.project.files.text(entry.file()));
            }
        }
        self.read.file = self.project.limits.file;
        self.read.project = self.project.limits.project;
    }

    /// Limits of another file would come too late.
    fn misplaced_limits(&mut self, parse: &Parse) {
        for node in limits_of(parse) {
            let finding = Diagnostic::error(
                Code(2001),
                "`limits` stands in the root file only, for it bounds how the others are read",
                node.name_span().in_file(node.file()),
                "",
            );
            self.findings
                .add(finding.help("move `spec` to the root file"));
        }
    }

    fn import(&mut self, from: FileId, node: syntax::Node<'_>) {
        let mut any = false;
        if let Some(finding) = decode::annotated(node) {
            self.findings.add(finding);
        }
        for entry in node.args() {
            any = true;
            let place = entry.value_span().in_file(from);
            match decode::name(entry, "a file to import") {
                Ok(spelled) => self.follow(from, spelled, place),
                Err(finding) => {
                    self.findings.add(finding);
                    self.project.complete = false;
                }
            }
        }
        if !any {
            self.findings.add(Diagnostic::error(
                Code(2004),
                "`import` needs the file to import, as in `import \"racks/*.kdl\"`",
                node.name_span().in_file(from),
                "",
            ));
            self.project.complete = false;
        }
        let rest = node
            .props()
            .map(|entry| entry.span())
            .chain(node.children().map(|child| child.name_span()));
        for span in rest {
            self.findings.add(Diagnostic::error(
                Code(2002),
                "`import` takes file names only",
                span.in_file(from),
                "",
            ));
        }
    }

    fn folder_of(&self, file: FileId) -> PathBuf {
        let real = &self.project.files.get(file).real;
        real.parent().unwrap_or(self.root.path()).to_owned()
    }

    fn follow(&mut self, from: FileId, spelled: &str, place: Place) {
        let folder = self.folder_of(from);
        let found = self.root.glob(self.inputs.disk, &folder, spelled);
        self.project.watched.extend(found.visited);
        if found.files.is_empty() && found.errors.is_empty() {
            self.project.complete = false;
            self.findings.add(
                Diagnostic::error(
                    language::IMPORT_NOTHING,
                    format!("`{spelled}` matches no file"),
                    place,
                    "",
                )
                .help(
                    "correct it or take it out; while there is nothing yet, leave a file with a \
                     comment there",
                ),
            );
        }
        for error in &found.errors {
            self.cannot_import(spelled, place, error);
        }
        for path in found.files {
            self.project.watched.push(path.clone());
            match self
                .project
                .files
                .load(self.inputs.disk, &self.root, &path, &self.read)
            {
                Ok(file) => self.file(file, Some(place)),
                Err(error) => self.cannot_import(spelled, place, &error),
            }
        }
    }

    /// `facts KEY from="x.csv"` anywhere in a scope.
    fn tables(&mut self, file: FileId, node: syntax::Node<'_>) {
        // The reader bounds the nesting.
        if matches!(node.name(), "rack" | "group" | "when") {
            for child in node.children() {
                self.tables(file, child);
            }
        }
        if node.name() != "facts" {
            return;
        }
        let Some(entry) = node.props().find(|entry| entry.key() == Some("from")) else {
            return;
        };
        let place = entry.value_span().in_file(file);
        match decode::name(entry, "the file of a table") {
            Ok(spelled) => {
                let table = self.beside(file, spelled, place);
                self.project
                    .tables
                    .extend(table.map(|table| (place, table)));
            }
            Err(finding) => self.findings.add(finding),
        }
    }

    /// `simulated { script "faults.txt" }` in a `spec`.
    fn scripts(&mut self, file: FileId, node: syntax::Node<'_>) {
        for child in node.children() {
            if child.name() == "when" {
                self.scripts(file, child);
            }
            if child.name() != "simulated" {
                continue;
            }
            let own = child.props().filter(|entry| entry.key() == Some("script"));
            let inside = child.children().filter(|inner| inner.name() == "script");
            for entry in own.chain(inside.filter_map(|inner| inner.args().next())) {
                let place = decode::value_place(entry);
                if decode::is_template(entry) {
                    let what = "a script is read before anything is evaluated, so its name cannot \
                                be an expression";
                    let finding = Diagnostic::error(Code(2302), what, place, "");
                    self.findings
                        .add(finding.help("write the rules in `faults` where they differ"));
                    continue;
                }
                // What is no text is reported where it is evaluated.
                if let Some(spelled) = entry.value().as_str() {
                    let script = self.beside(file, spelled, place);
                    self.project
                        .scripts
                        .extend(script.map(|script| (place, script)));
                }
            }
        }
    }

    /// A file that is named relative to another; reported where it cannot be had.
    fn beside(&mut self, file: FileId, spelled: &str, place: Place) -> Option<FileId> {
        let folder = self.folder_of(file);
        self.project.watched.push(folder.join(spelled));
        let loaded = self
            .root
            .resolve(self.inputs.disk, &folder, spelled)
            .and_then(|real| {
                self.project
                    .files
                    .load(self.inputs.disk, &self.root, &real, &self.read)
            });
        loaded
            .map_err(|error| self.cannot_read(spelled, place, &error))
            .ok()
    }

    fn params(&mut self) {
        let Some(path) = self.inputs.params else {
            return;
        };
        self.project.watched.push(path.to_owned());
        // The params file is named by whoever runs this, so it may be anywhere.
        let loaded = Root::open(self.inputs.disk, path).and_then(|root| {
            let real = self
                .inputs
                .disk
                .canonical(path)
                .map_err(|error| ReadError::io(path, &error))?;
            self.project
                .files
                .load(self.inputs.disk, &root, &real, &self.read)
        });
        match loaded {
            Ok(file) => {
                let parse = self.parse(file);
                self.empty(file, None);
                self.project.params = Some((file, parse));
            }
            Err(error) => {
                let name = path.to_string_lossy().into_owned();
                let file = self.project.files.add(name, "");
                self.project.complete = false;
                self.findings.add(Diagnostic::error(
                    error.code(),
                    format!("the params file cannot be read: {error}"),
                    Span::point(0).in_file(file),
                    "",
                ));
            }
        }
    }
}

/// The `limits` of a file's `spec`.
fn limits_of(parse: &Parse) -> impl Iterator<Item = syntax::Node<'_>> {
    parse
        .tree
        .nodes()
        .filter(|node| node.name() == "spec")
        .flat_map(|spec| spec.children())
        .filter(|node| node.name() == "limits")
}
