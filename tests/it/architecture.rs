//! The imports between the modules of `src/`: in the order of ARCHITECTURE.md, and without circles between folders.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::Path,
};

use crate::support::repository;

mod imports;

use imports::Import;

/// The heading whose block of code lists the top-level modules, lowest first.
const HEADING: &str = "## Import order";

/// One file of a crate and what it imports.
struct Source {
    /// The module, from the root of the crate.
    module: Vec<String>,
    imports: Vec<Import>,
}

/// The files of a crate, by their paths below `src/`.
struct Crate {
    files: BTreeMap<String, Source>,
}

/// The module that a file is: `["a", "b"]` for `a/b.rs`, none for `lib.rs`.
fn module(file: &str) -> Vec<String> {
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    if stem == "lib" {
        return Vec::new();
    }
    stem.split('/').map(str::to_owned).collect()
}

impl Crate {
    /// Reads source texts; files that only tests compile are left out.
    fn new(texts: &BTreeMap<String, String>) -> Self {
        let modules: BTreeSet<_> = texts.keys().map(|file| module(file)).collect();
        let is_module = |path: &[String]| modules.contains(path);
        let mut files = BTreeMap::new();
        let mut of_tests = BTreeSet::new();
        for (file, text) in texts {
            let module = module(file);
            let names = imports::read(text, &module, &is_module);
            for name in names.test_modules {
                of_tests.insert([&module[..], &[name]].concat());
            }
            let imports = names.imports;
            files.insert(file.clone(), Source { module, imports });
        }
        files.retain(|_, source| {
            let within = (1..=source.module.len()).map(|length| &source.module[..length]);
            !within.into_iter().any(|module| of_tests.contains(module))
        });
        Self { files }
    }

    fn top_level_modules(&self) -> BTreeSet<&str> {
        let modules = self
            .files
            .values()
            .filter_map(|source| source.module.first());
        modules.map(String::as_str).collect()
    }

    /// The file that an imported path is in: the longest beginning of the path that is a module.
    fn file_of(&self, path: &[String]) -> Option<&str> {
        (1..=path.len()).rev().find_map(|length| {
            let file = format!("{}.rs", path[..length].join("/"));
            let (file, _) = self.files.get_key_value(&file)?;
            Some(file.as_str())
        })
    }

    /// The folder that a file belongs to: its own, if there is one of its name, or the one it is in.
    fn folder<'a>(&self, file: &'a str) -> &'a str {
        let stem = file.strip_suffix(".rs").unwrap_or(file);
        let within = format!("{stem}/");
        if self.files.keys().any(|other| other.starts_with(&within)) {
            return stem;
        }
        file.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// Every import of another file: the importing file, the line, the imported file.
    fn edges(&self) -> Vec<(&str, usize, &str)> {
        let mut edges = Vec::new();
        for (file, source) in &self.files {
            for import in &source.imports {
                if let Some(imported) = self.file_of(&import.path)
                    && imported != file
                {
                    edges.push((file.as_str(), import.line, imported));
                }
            }
        }
        edges
    }

    /// What is wrong with the order of imports between top-level modules, one line for each import.
    fn order_errors(&self, order: &[&str]) -> Vec<String> {
        let place = |name: &str| order.iter().position(|listed| *listed == name);
        let modules = self.top_level_modules();
        let missing = modules.iter().filter(|name| place(name).is_none());
        let mut errors: Vec<_> = missing
            .map(|name| format!("src/{name}.rs: `{name}` is missing in the list"))
            .collect();
        let unknown = order.iter().filter(|name| !modules.contains(**name));
        errors.extend(
            unknown.map(|name| format!("`{name}` is listed, but there is no src/{name}.rs")),
        );
        for (file, source) in &self.files {
            let Some(own) = source.module.first() else {
                continue;
            };
            for import in &source.imports {
                let Some(imported) = import.path.first() else {
                    continue;
                };
                if let (Some(own_place), Some(imported_place)) = (place(own), place(imported))
                    && imported_place > own_place
                {
                    let line = import.line;
                    errors.push(format!(
                        "src/{file}:{line}: `{own}` imports `{imported}`, which comes after it in the list"
                    ));
                }
            }
        }
        errors
    }

    /// The circles of imports between files of different folders, each with the imports that leave a folder.
    fn circle_errors(&self) -> Vec<String> {
        let edges = self.edges();
        let mut errors = Vec::new();
        for circle in circles(&edges) {
            let folders: BTreeSet<_> = circle.iter().map(|file| self.folder(file)).collect();
            if folders.len() < 2 {
                continue;
            }
            let mut error = format!("circle between {folders:?}:");
            // Of one file in another, the first import only.
            let mut shown = BTreeSet::new();
            for (from, line, to) in &edges {
                let crosses = circle.contains(from)
                    && circle.contains(to)
                    && self.folder(from) != self.folder(to);
                if crosses && shown.insert((from, to)) {
                    let _ = write!(error, "\n  src/{from}:{line} imports src/{to}");
                }
            }
            errors.push(error);
        }
        errors
    }
}

/// The strongly connected components of more than one file.
fn circles<'a>(edges: &[(&'a str, usize, &'a str)]) -> Vec<BTreeSet<&'a str>> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut before: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, _, to) in edges {
        next.entry(from).or_default().insert(to);
        before.entry(to).or_default().insert(from);
    }
    let mut circles = Vec::new();
    let mut placed = BTreeSet::new();
    for file in next.keys() {
        if placed.contains(file) {
            continue;
        }
        let circle: BTreeSet<_> = reachable(file, &next)
            .intersection(&reachable(file, &before))
            .copied()
            .collect();
        placed.extend(circle.iter().copied());
        if circle.len() > 1 {
            circles.push(circle);
        }
    }
    circles
}

/// A file and all that can be reached from it.
fn reachable<'a>(file: &'a str, next: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![file];
    while let Some(file) = open.pop() {
        if reached.insert(file) {
            open.extend(next.get(file).into_iter().flatten());
        }
    }
    reached
}

/// The texts of all Rust files below a folder but `main.rs`, which is a crate of its own.
fn texts(folder: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let file = format!("{prefix}{name}");
        if path.is_dir() {
            texts(&path, &format!("{file}/"), found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && file != "main.rs" {
            found.insert(file, fs::read_to_string(&path).unwrap());
        }
    }
}

/// The names in the block of code below [`HEADING`].
fn listed(document: &str) -> Vec<&str> {
    let (_, section) = document.split_once(HEADING).expect("the heading");
    let block = section.split("```").nth(1).expect("a block of code");
    let lines = block
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(". "));
    lines.map(|(_, name)| name.trim()).collect()
}

fn source_tree() -> Crate {
    let mut files = BTreeMap::new();
    texts(&repository("src"), "", &mut files);
    let tree = Crate::new(&files);
    assert!(tree.files.len() > 100, "{} files", tree.files.len());
    assert!(tree.edges().len() > 300, "{} imports", tree.edges().len());
    tree
}

#[test]
fn imports_follow_the_documented_order() {
    let document = fs::read_to_string(repository("ARCHITECTURE.md")).unwrap();
    let order = listed(&document);
    assert!(order.len() > 10, "{order:?}");
    let errors = source_tree().order_errors(&order);
    assert!(errors.is_empty(), "{HEADING}:\n{}", errors.join("\n"));
}

#[test]
fn no_circles_between_folders() {
    let errors = source_tree().circle_errors();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// A crate of small files.
#[cfg(test)]
fn small(files: &[(&str, &str)]) -> Crate {
    let texts = files
        .iter()
        .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()));
    Crate::new(&texts.collect())
}

#[test]
fn import_against_the_order_is_an_error() {
    let tree = small(&[
        ("lib.rs", "mod low;\nmod high;"),
        (
            "low.rs",
            "use std::fmt;\nuse crate::{\n    high::Thing,\n};",
        ),
        ("high.rs", "use crate::low::Other;"),
    ]);
    let want = "src/low.rs:3: `low` imports `high`, which comes after it in the list";
    assert_eq!(tree.order_errors(&["low", "high"]), [want]);
    assert_eq!(tree.order_errors(&["high", "low"]).len(), 1);
}

#[test]
fn list_and_modules_must_be_the_same() {
    let tree = small(&[("lib.rs", "mod a;"), ("a.rs", "")]);
    let errors = tree.order_errors(&["gone"]);
    let want = [
        "src/a.rs: `a` is missing in the list",
        "`gone` is listed, but there is no src/gone.rs",
    ];
    assert_eq!(errors, want);
}

#[test]
fn circle_between_folders_is_an_error() {
    let tree = small(&[
        ("a.rs", "mod one;"),
        ("a/one.rs", "use crate::b::two::X;"),
        ("b.rs", "mod two;"),
        ("b/two.rs", "\nfn f() { crate::c::g() }"),
        ("c.rs", "use crate::a::one;"),
    ]);
    let want = "circle between {\"\", \"a\", \"b\"}:\n  src/a/one.rs:1 imports src/b/two.rs\n  src/b/two.rs:2 imports src/c.rs\n  src/c.rs:1 imports src/a/one.rs";
    assert_eq!(tree.circle_errors(), [want]);
}

#[test]
fn circle_within_a_folder_is_allowed() {
    let tree = small(&[
        ("a.rs", "mod one;\npub use one::X;"),
        ("a/one.rs", "use super::two::Y;\nuse super::Z;"),
        ("a/two.rs", "use super::one::X;"),
        ("b.rs", "use crate::a::X;"),
    ]);
    assert_eq!(tree.circle_errors(), [""; 0]);
}

#[test]
fn files_of_tests_may_import_anything() {
    let tree = small(&[
        (
            "a.rs",
            "#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod test_support;",
        ),
        ("a/tests.rs", "use crate::b;"),
        ("a/test_support.rs", ""),
        ("a/test_support/deep.rs", "use crate::b;"),
        ("b.rs", "use crate::a;"),
    ]);
    assert_eq!(tree.order_errors(&["a", "b"]), [""; 0]);
    assert_eq!(tree.circle_errors(), [""; 0]);
}

#[test]
fn order_is_read_from_the_document() {
    let document =
        "# A\n## Import order\n\nText.\n\n```text\n1. clock\n2. charge\n```\n\n1. other\n";
    assert_eq!(listed(document), ["clock", "charge"]);
}
