//! A page of the documentation: its blocks with their marks, its headings and its prose.

use std::{collections::BTreeSet, path::Path};

use crate::support::repository;

/// A page, with its path in the repository.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) fences: Vec<Fence>,
    /// The line of the first block that is indented instead of fenced.
    pub(super) indented: Option<usize>,
}

/// A fenced block.
#[derive(Debug, Clone)]
pub(super) struct Fence {
    /// The line of the fence, counted from 1.
    pub(super) line: usize,
    /// The words after the opening fence.
    pub(super) mark: String,
    pub(super) text: String,
}

/// Every page of the documentation, in order.
pub(super) fn pages() -> Vec<Page> {
    let mut names = Vec::new();
    below(&repository(""), &mut names);
    for folder in ["docs", "dashboards", "deploy"] {
        walk(&repository(folder), &mut names);
    }
    names.sort();
    assert!(names.len() > 20, "{names:?}");
    names.into_iter().map(|name| Page::read(&name)).collect()
}

fn walk(folder: &Path, names: &mut Vec<String>) {
    below(folder, names);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, names);
        }
    }
}

/// The pages directly in a folder.
fn below(folder: &Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_some_and(|extension| extension == "md") {
            let name = path.strip_prefix(repository("")).unwrap();
            names.push(name.to_str().unwrap().to_owned());
        }
    }
}

impl Page {
    pub(super) fn read(name: &str) -> Self {
        let text = std::fs::read_to_string(repository(name)).unwrap();
        let mut page = Self {
            name: name.to_owned(),
            fences: Vec::new(),
            indented: None,
            text,
        };
        let mut open: Option<Fence> = None;
        let mut in_list = false;
        let mut blank = true;
        for (line, text) in (1..).zip(page.text.lines()) {
            match (&mut open, text.trim_start().strip_prefix("```")) {
                (None, Some(mark)) => {
                    open = Some(Fence {
                        line,
                        mark: mark.trim().to_owned(),
                        text: String::new(),
                    });
                }
                (Some(_), Some("")) => page.fences.extend(open.take()),
                (Some(fence), _) => {
                    fence.text.push_str(text);
                    fence.text.push('\n');
                }
                (None, None) => {
                    let bullet = text.trim_start().starts_with(['-', '*'])
                        || text.starts_with(|first: char| first.is_ascii_digit());
                    let indented = text.starts_with("    ") || text.starts_with('\t');
                    if blank && indented && !in_list && page.indented.is_none() {
                        page.indented = Some(line);
                    }
                    if !text.is_empty() {
                        in_list = bullet || (in_list && text.starts_with(' '));
                    }
                    blank = text.is_empty();
                }
            }
        }
        assert!(
            open.is_none(),
            "{name}: a block that is not closed: {open:?}"
        );
        page
    }

    /// The place of a line, for messages.
    pub(super) fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.name)
    }

    /// The lines outside of blocks, counted from 1.
    pub(super) fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut inside = false;
        (1..).zip(self.text.lines()).filter(move |(_, text)| {
            let fence = text.trim_start().starts_with("```");
            let outside = !inside && !fence;
            inside ^= fence;
            outside
        })
    }

    /// The headings, in the form of link anchors.
    pub(super) fn anchors(&self) -> BTreeSet<String> {
        self.prose()
            .filter_map(|(_, text)| text.strip_prefix('#'))
            .map(|heading| {
                let heading = heading.trim_start_matches('#').trim().to_lowercase();
                heading
                    .chars()
                    .filter_map(|char| match char {
                        ' ' => Some('-'),
                        '-' | '_' => Some(char),
                        char => char.is_alphanumeric().then_some(char),
                    })
                    .collect()
            })
            .collect()
    }
}

#[test]
fn page_has_blocks_headings_and_prose() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.md");
    let text =
        "# A `b_c`, d\n\n- a\n\n      in the list\n\n```sh run\n# x\n```\n\nend\n\n    left over\n";
    std::fs::write(&path, text).unwrap();
    let page = Page::read(path.to_str().unwrap());
    assert_eq!(page.fences.len(), 1);
    assert_eq!(
        (page.fences[0].mark.as_str(), page.fences[0].line),
        ("sh run", 7)
    );
    assert_eq!(page.fences[0].text, "# x\n");
    assert_eq!(page.indented, Some(13));
    assert_eq!(page.anchors(), BTreeSet::from(["a-b_c-d".to_owned()]));
    assert!(page.prose().all(|(_, text)| text != "# x"));
}
