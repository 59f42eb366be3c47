//! Which paths of its own crate a Rust source text names, each with its line; code that only tests compile is left out.

/// One token: a name, `::`, or a single other character.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
}

/// A path from the root of the crate, such as `["json", "rows"]`, and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
}

/// What one file names.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) imports: Vec<Import>,
    /// Names of modules that are in files of their own and that only tests compile.
    pub(super) test_modules: Vec<String>,
}

/// Reads the text of the module at `module`. `is_module` is whether the crate has a module at a path.
pub(super) fn read(text: &str, module: &[String], is_module: &dyn Fn(&[String]) -> bool) -> Names {
    let mut names = Names::default();
    let tokens = without_tests(&tokens(text), &mut names.test_modules);
    let mut modules = Modules {
        path: module.to_vec(),
        depths: Vec::new(),
    };
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "{" => {
                // `mod name {`
                if at >= 2 && tokens[at - 2].text == "mod" {
                    modules.path.push(tokens[at - 1].text.clone());
                    modules.depths.push(depth);
                }
                depth += 1;
            }
            "}" => {
                depth = depth.saturating_sub(1);
                if modules.depths.last() == Some(&depth) {
                    modules.depths.pop();
                    modules.path.pop();
                }
            }
            "use" => {
                at = use_tree(&tokens, at + 1, &[], &mut |path, line| {
                    modules.resolve(path, line, is_module, &mut names.imports);
                });
                continue;
            }
            // `pub(in path)` says who may import this, and imports nothing.
            "in" if at >= 2 && tokens[at - 2].text == "pub" => {
                while tokens.get(at).is_some_and(|token| token.text != ")") {
                    at += 1;
                }
            }
            _ if is_name(token) => {
                let mut path = vec![token.text.clone()];
                while let [separator, next, ..] = &tokens[at + 1..] {
                    if separator.text != "::" || !is_name(next) {
                        break;
                    }
                    path.push(next.text.clone());
                    at += 2;
                }
                if path.len() > 1 {
                    modules.resolve(&path, token.line, is_module, &mut names.imports);
                }
            }
            _ => {}
        }
        at += 1;
    }
    names
}

/// The module that is being read, and how many braces were open where each module in braces began.
struct Modules {
    path: Vec<String>,
    depths: Vec<usize>,
}

impl Modules {
    /// Adds the import that a path is, unless it is one of another crate.
    fn resolve(
        &self,
        path: &[String],
        line: usize,
        is_module: &dyn Fn(&[String]) -> bool,
        imports: &mut Vec<Import>,
    ) {
        let above = path.iter().take_while(|name| *name == "super").count();
        let (base, rest) = match path[0].as_str() {
            "crate" => (&[][..], &path[1..]),
            "self" => (&self.path[..], &path[1..]),
            "super" => (
                &self.path[..self.path.len().saturating_sub(above)],
                &path[above..],
            ),
            _ if is_module(&[&self.path[..], &path[..1]].concat()) => (&self.path[..], path),
            _ => return,
        };
        imports.push(Import {
            path: [base, rest].concat(),
            line,
        });
    }
}

/// Reads a tree of `use` from `at` on; returns where it ends.
fn use_tree(
    tokens: &[Token],
    mut at: usize,
    prefix: &[String],
    found: &mut dyn FnMut(&[String], usize),
) -> usize {
    let mut path = prefix.to_vec();
    let mut line = 0;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    at = use_tree(tokens, at, &path, found);
                    if tokens.get(at).is_some_and(|token| token.text == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            // In braces, the module before them.
            "self" if path.len() == prefix.len() && !prefix.is_empty() => {
                line = token.line;
                at += 1;
            }
            "as" => at += 2,
            "*" => {
                line = token.line;
                at += 1;
            }
            _ if is_name(token) => {
                path.push(token.text.clone());
                line = token.line;
                at += 1;
            }
            _ => break,
        }
    }
    if line > 0 && !path.is_empty() {
        found(&path, line);
    }
    at
}

fn is_name(token: &Token) -> bool {
    token
        .text
        .starts_with(|c: char| c == '_' || c.is_alphabetic())
}

/// Takes out every item under `#[cfg(test)]`, and notes the modules among them that are in files of their own.
fn without_tests(tokens: &[Token], test_modules: &mut Vec<String>) -> Vec<Token> {
    const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let starts = |at: usize| {
        let texts = tokens[at..].iter().map(|token| token.text.as_str());
        texts.take(CFG_TEST.len()).eq(CFG_TEST)
    };
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if starts(at) {
            let end = item_end(tokens, at + CFG_TEST.len());
            if let [.., keyword, name, semicolon] = &tokens[at..end]
                && keyword.text == "mod"
                && semicolon.text == ";"
            {
                test_modules.push(name.text.clone());
            }
            at = end;
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// The end of the item, field or statement that begins at `at`, further attributes included.
fn item_end(tokens: &[Token], mut at: usize) -> usize {
    const ITEMS: [&str; 10] = [
        "const", "enum", "fn", "impl", "mod", "pub", "static", "struct", "type", "use",
    ];
    let mut is_item = None;
    let mut depth = 0_usize;
    while let Some(token) = tokens.get(at) {
        let text = token.text.as_str();
        if depth == 0 && is_item.is_none() && text != "#" && text != "[" {
            is_item = Some(ITEMS.contains(&text));
        }
        match text {
            "(" | "[" | "{" => depth += 1,
            // The end of what the field or statement is in.
            ")" | "]" | "}" if depth == 0 => return at,
            ")" | "]" | "}" => {
                depth -= 1;
                if depth == 0 && text == "}" && is_item == Some(true) {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            "," if depth == 0 && is_item == Some(false) => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

/// Splits a text; comments, texts in quotes and lifetimes are left out.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let next_is = |at: usize, wanted: &str| {
        let mut wanted = wanted.chars().enumerate();
        wanted.all(|(offset, c)| chars.get(at + offset) == Some(&c))
    };
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < chars.len() {
        let start = at;
        let c = chars[at];
        let first_line = line;
        if next_is(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if next_is(at, "/*") {
            at = comment_end(&chars, at);
        } else if c == '"' {
            at = quote_end(&chars, at + 1);
        } else if let Some(end) = raw_text_end(&chars, at) {
            at = end;
        } else if c == '\'' {
            at = char_or_lifetime_end(&chars, at);
        } else if c == '_' || c.is_alphanumeric() {
            while chars
                .get(at)
                .is_some_and(|&c| c == '_' || c.is_alphanumeric())
            {
                at += 1;
            }
            // A byte string's or C string's letter.
            if !(chars.get(at) == Some(&'"') && at - start == 1) {
                tokens.push(Token {
                    text: chars[start..at].iter().collect(),
                    line,
                });
            }
        } else {
            at += if next_is(at, "::") { 2 } else { 1 };
            if !c.is_whitespace() {
                let text = chars[start..at].iter().collect();
                tokens.push(Token { text, line });
            }
        }
        line = first_line + chars[start..at].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// After a comment in `/*`, in which others may be.
fn comment_end(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match chars[at..] {
            ['/', '*', ..] => depth += 1,
            ['*', '/', ..] => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            break;
        }
    }
    at
}

/// After the closing quote of a text whose opening quote is before `at`.
fn quote_end(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// After a raw text such as `r#"…"#` or `br"…"`, if one begins at `at`.
fn raw_text_end(chars: &[char], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map(|before| chars[before]);
    if before.is_some_and(|c| c == '_' || c.is_alphanumeric()) {
        return None;
    }
    let mut start = at + usize::from(chars[at] == 'b');
    if chars.get(start) != Some(&'r') {
        return None;
    }
    start += 1;
    let hashes = chars[start..].iter().take_while(|c| **c == '#').count();
    if chars.get(start + hashes) != Some(&'"') {
        return None;
    }
    let mut end = start + hashes + 1;
    while end < chars.len() {
        let closing = chars[end + 1..].iter().take(hashes);
        if chars[end] == '"' && closing.filter(|c| **c == '#').count() == hashes {
            return Some(end + 1 + hashes);
        }
        end += 1;
    }
    Some(end)
}

/// After `'a'`, `'\n'` or the lifetime `'a`.
fn char_or_lifetime_end(chars: &[char], at: usize) -> usize {
    match chars[at + 1..] {
        // The character after the backslash may be a quote.
        ['\\', _, ..] => {
            let quote = chars[at + 3..].iter().position(|c| *c == '\'');
            quote.map_or(chars.len(), |quote| at + 3 + quote + 1)
        }
        [_, '\'', ..] => at + 3,
        _ => at + 1,
    }
}

/// The paths that a text names in the module `a::b` of a crate that also has `a::b::child` and `c`.
#[cfg(test)]
fn paths(text: &str) -> Vec<String> {
    let module = ["a".to_owned(), "b".to_owned()];
    let is_module = |path: &[String]| path.join("::") == "a::b::child" || path.join("::") == "c";
    let imports = read(text, &module, &is_module).imports;
    let paths = imports.iter();
    paths
        .map(|import| format!("{}:{}", import.line, import.path.join("::")))
        .collect()
}

#[test]
fn use_trees_are_unfolded() {
    let text = "use crate::c::X;\nuse crate::{\n    c::{self, Y as Z, deep::*},\n    d,\n};\npub(crate) use super::e::{F, G};";
    let want = [
        "1:c::X",
        "3:c",
        "3:c::Y",
        "3:c::deep",
        "4:d",
        "6:a::e::F",
        "6:a::e::G",
    ];
    assert_eq!(paths(text), want);
}

#[test]
fn paths_within_code_are_found() {
    let text = "pub(in crate::a) fn f(x: crate::c::X) -> child::Y {\n    super::super::c::g::<u8>(self::h());\n    std::mem::drop(x)\n}";
    let want = ["1:c::X", "1:a::b::child::Y", "2:c::g", "2:a::b::h"];
    assert_eq!(paths(text), want);
}

#[test]
fn modules_in_braces_count_for_super() {
    let text = "mod inner {\n    use super::super::x;\n    fn f() { super::y() }\n}\nuse super::z;";
    assert_eq!(paths(text), ["2:a::x", "3:a::b::y", "5:a::z"]);
}

#[test]
fn other_crates_and_texts_are_no_imports() {
    let text = "use std::fmt;\nuse serde::{de, Deserialize};\n// crate::a\n/* crate::a /* */ crate::b */\nconst A: &str = \"crate::a \\\" crate::b\";\nconst B: &str = r#\"crate::\"c\"#;\nconst C: &[u8] = b\"crate::d\";\nfn f<'a>(c: char) { c == '\"' || c == '\\'' || c == '\\u{22}' }\nuse crate::found;";
    assert_eq!(paths(text), ["9:found"]);
}

#[test]
fn code_of_tests_is_left_out() {
    let text = "#[cfg(test)]\nmod tests {\n    use crate::c;\n    fn f() { crate::d() }\n}\n#[cfg(test)]\n#[allow(unused)]\nfn helper(a: u8, b: [u8; 2]) { crate::e() }\nstruct S {\n    #[cfg(test)]\n    computed: crate::f::T,\n    real: crate::g::T,\n}\n#[cfg(test)]\npub(crate) use crate::h::{i, j};\nuse crate::k;";
    assert_eq!(paths(text), ["12:g::T", "16:k"]);
}

#[test]
fn modules_for_tests_are_noted() {
    let text = "mod a;\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\npub(crate) mod test_support;";
    let names = read(text, &[], &|_| false);
    assert_eq!(names.test_modules, ["tests", "test_support"]);
}
