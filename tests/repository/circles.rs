//! No two files import each other, neither directly nor through others.
//!
//! Each source file is a node. A file has an edge to another one if it names an item of it, in a `use` or in a path such
//! as `super::name::item`. Where the item is re-exported, the edge leads to the file that declares it. What does not count: a
//! `mod` that declares a file, a re-export of an item of a file below, and tests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::source::parts;

#[test]
fn no_files_import_each_other() {
    let files = parts().into_values().flatten().map(|(path, code)| {
        let names: Vec<_> = path.iter().map(|name| name.to_str().unwrap().trim_end_matches(".rs")).collect();
        (names.join("::"), code)
    });
    assert_eq!(Imports::of(files).circle(), None, "files import each other");
}

/// The edges from each file to others; files are named by their module, such as `store::sled::open`.
struct Imports(BTreeMap<String, BTreeSet<String>>);

impl Imports {
    fn of(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let files: BTreeMap<String, Vec<Named>> =
            files.into_iter().map(|(module, code)| (module, named(&code))).collect();
        let known = |module: &str| files.contains_key(module);
        let mut exports = BTreeMap::new();
        for (module, named) in &files {
            for Named { path, .. } in named.iter().filter(|named| named.exported) {
                let (path, name) = path.split_once(" as ").unwrap_or((path, last(path)));
                if let Some(path) = absolute(module, path, known) {
                    exports.insert(format!("{module}::{name}"), path);
                }
            }
        }
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (module, named) in &files {
            for Named { path, exported } in named {
                let path = path.split_once(" as ").map_or(path.as_str(), |(path, _)| path);
                let file = absolute(module, path, known).and_then(|path| declared_in(path, &exports, known));
                let Some(file) = file.filter(|file| file != module) else { continue };
                if !(*exported && file.starts_with(&format!("{module}::"))) {
                    edges.entry(module.clone()).or_default().insert(file);
                }
            }
        }
        Self(edges)
    }

    /// A shortest circle of files.
    fn circle(&self) -> Option<Vec<String>> {
        self.0.keys().filter_map(|start| self.back_to(start)).min_by_key(Vec::len)
    }

    /// A shortest way from `start` over other files back to it.
    fn back_to(&self, start: &str) -> Option<Vec<String>> {
        let mut ways = VecDeque::from([vec![start.to_owned()]]);
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop_front() {
            for next in self.0.get(way.last()?).into_iter().flatten() {
                let way = [&way[..], std::slice::from_ref(next)].concat();
                if next == start {
                    return Some(way);
                }
                if seen.insert(next) {
                    ways.push_back(way);
                }
            }
        }
        None
    }
}

/// A path in the code of a file, and whether it is re-exported there.
struct Named {
    path: String,
    exported: bool,
}

fn named(code: &str) -> Vec<Named> {
    let mut found = Vec::new();
    let mut lines = code.lines().map(|line| line.split("//").next().unwrap().trim());
    while let Some(line) = lines.next() {
        let unscoped = line.strip_prefix("pub").map_or(line, |rest| {
            rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |(_, rest)| rest).trim()
        });
        if let Some(used) = unscoped.strip_prefix("use ") {
            let mut used = used.to_owned();
            while !used.contains(';') {
                used.push_str(lines.next().expect("the end of a `use`"));
            }
            let paths = expanded(used.split(';').next().unwrap());
            found.extend(paths.into_iter().map(|path| Named { path, exported: unscoped != line }));
            continue;
        }
        let words = unscoped.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
        let paths = words.map(|word| word.trim_matches(':')).filter(|word| word.contains("::"));
        found.extend(paths.map(|path| Named { path: path.to_owned(), exported: false }));
    }
    found
}

/// The paths that a `use` with braces stands for.
fn expanded(used: &str) -> Vec<String> {
    let Some((start, group)) = used.split_once('{') else { return vec![used.trim().to_owned()] };
    let group = group.rsplit_once('}').unwrap().0;
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in group.chars() {
        match c {
            ',' if depth == 0 => parts.push(String::new()),
            _ => parts.last_mut().unwrap().push(c),
        }
        depth += i32::from(c == '{') - i32::from(c == '}');
    }
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(|part| expanded(part)).map(|part| format!("{}{part}", start.trim())).collect()
}

/// The path from the crate's root on of a path in `module`; `None` if it leads out of the crate.
fn absolute(module: &str, path: &str, known: impl Fn(&str) -> bool) -> Option<String> {
    let (first, rest) = path.split_once("::").unwrap_or((path, ""));
    match first {
        "crate" => Some(rest.to_owned()),
        "self" => Some(format!("{module}::{rest}")),
        "super" => {
            let mut parent = module.rsplit_once("::")?.0;
            let mut rest = rest;
            while let Some(further) = rest.strip_prefix("super::") {
                (parent, rest) = (parent.rsplit_once("::")?.0, further);
            }
            Some(format!("{parent}::{rest}"))
        }
        _ => known(&format!("{module}::{first}")).then(|| format!("{module}::{path}")),
    }
}

/// The file that declares the item at `path`.
fn declared_in(
    mut path: String,
    exports: &BTreeMap<String, String>,
    known: impl Fn(&str) -> bool,
) -> Option<String> {
    loop {
        let ends = path.match_indices("::").map(|(at, _)| at).chain([path.len()]);
        let module = ends.map(|end| path[..end].to_owned()).filter(|module| known(module)).last()?;
        let item = path[module.len()..].trim_start_matches("::").split("::").next().unwrap();
        match exports.get(&format!("{module}::{item}")) {
            Some(elsewhere) if *elsewhere != path => path.clone_from(elsewhere),
            _ => return Some(module),
        }
    }
}

fn last(path: &str) -> &str {
    path.rsplit("::").next().unwrap()
}

#[test]
fn a_circle_is_found_and_what_is_none_is_not() {
    let circle = |files: &[(&str, &str)]| {
        Imports::of(files.iter().map(|(module, code)| ((*module).to_owned(), (*code).to_owned()))).circle()
    };
    let parent = ("a", "mod b;\nmod c;\npub use b::B;\npub(super) use c::{\n    C as D,\n};");
    let way = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(
        circle(&[parent, ("a::b", "use super::c::C; // super::D"), ("a::c", "use crate::z::C;")]),
        None
    );
    let (one, other) = (("a::b", "use super::{D, x::Y};"), ("a::c", "fn c(b: crate::a::B) {}"));
    assert_eq!(circle(&[parent, one, other]), way(&["a::b", "a::c", "a::b"]));
    let (parent, child) = (("a", "mod b;\nstruct A;\nfn a() { b::b(); }"), ("a::b", "use super::A;"));
    assert_eq!(circle(&[parent, child]), way(&["a", "a::b", "a"]));
    assert_eq!(circle(&[parent, ("a::b", "pub(in crate::a) use std::fmt;")]), None);
}
