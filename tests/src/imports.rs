//! Finds out which files of a crate import which others, from their text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A module path below the crate root.
type Module = Vec<String>;

/// The contents of a file, without items under `#[cfg(test)]`.
#[derive(Default)]
struct File {
    /// Modules in files of their own.
    children: Vec<String>,
    /// Paths in the file, each with the module in which it occurs.
    paths: Vec<(Module, Vec<String>)>,
    /// The names bound by imports and re-exports, with their paths.
    bound: BTreeMap<String, (Module, Vec<String>)>,
}

/// Returns groups of files that all import each other, directly or indirectly, as lines `a.rs → b.rs`.
///
/// A path counts for the file in which the item is defined; re-exports are followed. Items of a module's own file are visible
/// to the modules inside it, so importing them makes no circle.
///
/// # Panics
/// If a file cannot be read.
pub fn circles(src: &Path) -> Vec<String> {
    ["lib.rs", "main.rs"]
        .iter()
        .filter(|root| src.join(root).is_file())
        .flat_map(|root| of_root(src, root))
        .collect()
}

fn of_root(src: &Path, root: &str) -> Vec<String> {
    let mut files: BTreeMap<Module, File> = BTreeMap::new();
    let mut names: BTreeMap<Module, String> = BTreeMap::new();
    let mut open = vec![(Module::new(), root.to_owned())];
    while let Some((module, name)) = open.pop() {
        let text = std::fs::read_to_string(src.join(&name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let file = read(&tokens(&text), &module);
        for child in &file.children {
            let folder = module.iter().fold(String::new(), |folder, part| folder + part + "/");
            let flat = format!("{folder}{child}.rs");
            let path = if src.join(&flat).is_file() { flat } else { format!("{folder}{child}/mod.rs") };
            open.push((below(&module, child), path));
        }
        files.insert(module.clone(), file);
        names.insert(module, name);
    }
    let edges: BTreeMap<&Module, BTreeSet<Module>> =
        files.iter().map(|(module, file)| (module, imported(&files, module, file))).collect();
    let reached = |from: &Module| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from.clone()];
        while let Some(next) = open.pop() {
            open.extend(edges[&next].iter().filter(|to| seen.insert((*to).clone())).cloned());
        }
        seen
    };
    let reach: BTreeMap<&Module, BTreeSet<Module>> = files.keys().map(|m| (m, reached(m))).collect();
    let mut lines = Vec::new();
    for (from, to) in edges.iter().flat_map(|(from, all)| all.iter().map(move |to| (*from, to))) {
        if reach[to].contains(from) {
            lines.push(format!("{} → {}", names[from], names[to]));
        }
    }
    lines
}

/// The files whose items a file imports, except itself and its parent modules.
fn imported(files: &BTreeMap<Module, File>, module: &Module, file: &File) -> BTreeSet<Module> {
    let all = file.paths.iter().filter_map(|(within, path)| written_in(files, within, path, 0));
    all.filter(|to| !module.starts_with(to)).collect()
}

/// The file in which the item of a path is defined, or `None` if it is in another crate.
fn written_in(
    files: &BTreeMap<Module, File>,
    within: &Module,
    path: &[String],
    depth: usize,
) -> Option<Module> {
    let mut here = within.clone();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => here.clear(),
        "self" => {}
        "super" => drop(here.pop()),
        first => {
            files.get(within)?.children.iter().find(|child| *child == first)?;
            here.push(first.to_owned());
        }
    }
    rest = &rest[1..];
    while let Some((next, more)) = rest.split_first() {
        if next == "super" {
            here.pop();
        } else if files.contains_key(&below(&here, next)) {
            here.push(next.clone());
        } else {
            break;
        }
        rest = more;
    }
    // Inline modules belong to the file that contains them.
    while !files.contains_key(&here) {
        here.pop();
    }
    match rest.first().and_then(|name| files[&here].bound.get(name)) {
        Some((at, path)) if depth < 8 => written_in(files, at, path, depth + 1),
        _ => Some(here),
    }
}

fn below(module: &Module, name: &str) -> Module {
    let mut module = module.clone();
    module.push(name.to_owned());
    module
}

fn read(tokens: &[String], module: &Module) -> File {
    let mut file = File::default();
    let mut within = module.clone();
    let mut inner = Vec::new();
    let (mut i, mut depth) = (0, 0);
    let at = |i: usize| tokens.get(i).map_or("", String::as_str);
    while i < tokens.len() {
        match at(i) {
            "#" if tokens[i..].iter().take(7).map(String::as_str).collect::<String>() == "#[cfg(test)]" => {
                i = after_item(tokens, i + 7);
                continue;
            }
            "mod" if at(i + 2) == ";" => file.children.push(at(i + 1).to_owned()),
            "mod" if at(i + 2) == "{" => {
                within.push(at(i + 1).to_owned());
                inner.push(depth);
            }
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if inner.last() == Some(&depth) {
                    inner.pop();
                    within.pop();
                }
            }
            "use" if at(i + 1) != "<" => {
                let mut named = Vec::new();
                i = tree(tokens, i + 1, &[], &mut named);
                for (name, path) in named {
                    if within == *module && name != path[0] {
                        file.bound.insert(name, (within.clone(), path.clone()));
                    }
                    file.paths.push((within.clone(), path));
                }
                continue;
            }
            word if at(i + 1) == "::" && (i == 0 || at(i - 1) != "::") && is_word(word) => {
                let mut path = vec![word.to_owned()];
                while at(i + 1) == "::" && is_word(at(i + 2)) {
                    path.push(at(i + 2).to_owned());
                    i += 2;
                }
                file.paths.push((within.clone(), path));
            }
            _ => {}
        }
        i += 1;
    }
    file
}

/// Parses a branch of a `use` tree into the names that it binds, with their paths. Returns where it ends.
fn tree(tokens: &[String], mut i: usize, before: &[String], named: &mut Vec<(String, Vec<String>)>) -> usize {
    let mut path = before.to_vec();
    loop {
        match tokens.get(i).map_or(";", String::as_str) {
            "{" => {
                i += 1;
                while tokens[i] != "}" {
                    i = tree(tokens, i, &path, named);
                    i += usize::from(tokens[i] == ",");
                }
                return i + 1;
            }
            "," | "}" | ";" => break,
            "::" | "*" => {}
            "as" => {
                named.push((tokens[i + 1].clone(), path));
                return i + 2;
            }
            "self" if !path.is_empty() => {}
            word => path.push(word.to_owned()),
        }
        i += 1;
    }
    named.extend(path.last().cloned().map(|name| (name, path)));
    i
}

/// Returns where the item that begins here ends, including its attributes.
fn after_item(tokens: &[String], mut i: usize) -> usize {
    let mut depth = 0;
    while i < tokens.len() {
        match tokens[i].as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            ";" => {}
            _ => {
                i += 1;
                continue;
            }
        }
        i += 1;
        if depth == 0 {
            break;
        }
    }
    i
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Splits a text into words, `::` and single characters, without comments, strings and lifetimes.
fn tokens(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let raw = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r').map(|r| r.trim_start_matches('#'));
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(body) = raw.filter(|r| r.starts_with('"')) {
            let start = rest.len() - body.len();
            let end = format!("\"{}", "#".repeat(rest[..start].matches('#').count()));
            start + 1 + body[1..].find(&end).map_or(body.len() - 1, |at| at + end.len())
        } else if first == '"' {
            text_length(rest, '"')
        } else if first == '\'' {
            let is_char = rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'');
            if is_char { text_length(rest, '\'') } else { 1 }
        } else if rest.starts_with("::") {
            out.push("::".to_owned());
            2
        } else if word > 0 {
            out.push(rest[..word].to_owned());
            word
        } else {
            if !first.is_whitespace() {
                out.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[skipped..];
    }
    out
}

/// The length of a string or character literal, including quotes.
fn text_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        circles(dir.path())
    }

    #[test]
    fn a_circle_is_found_through_re_exports_and_inner_modules() {
        let found = circles_of(&[
            ("lib.rs", "mod a;\nmod b;\nmod wing;\npub use wing::far::Far;"),
            ("a.rs", "use super::{Far, std as x};\nfn f<'a>(_: &'a Far) -> char { '{' }"),
            ("b.rs", "mod inner { pub fn f() { super::super::a::f() } }"),
            ("wing/mod.rs", "pub mod far;"),
            ("wing/far.rs", "pub struct Far;\nfn g() { crate::b::inner::f() }"),
        ]);
        assert_eq!(found, ["a.rs → wing/far.rs", "b.rs → a.rs", "wing/far.rs → b.rs"]);
    }

    #[test]
    fn texts_tests_other_crates_and_a_module_with_its_parts_make_none() {
        let found = circles_of(&[
            ("main.rs", "mod a;\nmod b;"),
            (
                "a.rs",
                "mod part;\nuse part::One;\npub struct Two;\nconst C: &str = \"crate::b\"; // crate::b::x",
            ),
            ("a/part.rs", "use super::Two;\npub struct One;\n#[cfg(test)]\nmod tests;"),
            ("a/part/tests.rs", "use crate::b::Three;"),
            ("b.rs", "use crate::a::Two;\nuse other::a::Four;\n#[cfg(test)]\nmod tests { use crate::a; }"),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }
}
