//! The order of the house, watched over: who may import whom, and what is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex_lite::Regex;

/// Lines of a file without its tests: one file has one role, and beyond this it hardly has.
const LINES_MAX: usize = 800;
/// Those that are longer, with their reason and the length that they may not exceed.
const LONGER: &[(&str, usize)] = &[];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `folder` with their paths from there.
fn rust_files(folder: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let folder = root().join(folder);
    let mut found = vec![];
    walk(&folder, &mut found);
    found.sort();
    let relative = |path: &Path| path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
    found.iter().map(|path| (relative(path), fs::read_to_string(path).unwrap())).collect()
}

/// Whether a file below `src` is tests and nothing else.
fn is_test(file: &str) -> bool {
    file.ends_with("tests.rs") || file.ends_with("properties.rs")
}

/// A source without its tests, wherever they stand: `mod tests;` or `mod tests { … }`.
fn untested(source: &str) -> String {
    let tests = Regex::new(
        r"(?ms)^#\[cfg\(test\)\]\n(?:pub(?:\([a-z]+\))? )?mod \w+(?:;\n| \{\n.*?^\}\n?)",
    )
    .unwrap();
    tests.replace_all(source, "").into_owned()
}

/// A source without its comments and its tests.
fn code(source: &str) -> String {
    let comment = Regex::new(r"(?m)^\s*//.*$|\s//\s.*$").unwrap();
    comment.replace_all(&untested(source), "").into_owned()
}

/// `docker` for `docker/runner.rs`; nothing for the roots, which may import everything.
fn module(file: &str) -> Option<&str> {
    let first = file.split('/').next()?.trim_end_matches(".rs");
    (!["lib", "main"].contains(&first)).then_some(first)
}

fn demand(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// Every name that follows `crate::`, in paths and in groups.
fn imports(code: &str) -> BTreeSet<String> {
    let path = Regex::new(r"\bcrate::([a-z_]+)").unwrap();
    let group = Regex::new(r"\bcrate::\{([^;]*)\}").unwrap();
    let member = Regex::new(r"(?:^|,)\s*([a-z_]+)").unwrap();
    let mut found: BTreeSet<String> =
        path.captures_iter(code).map(|captures| captures[1].to_owned()).collect();
    for captures in group.captures_iter(code) {
        // Only what is not inside of an inner group.
        let mut depth = 0;
        let outer: String = captures[1]
            .chars()
            .filter(|c| {
                depth += i32::from(*c == '{') - i32::from(*c == '}');
                depth == 0
            })
            .collect();
        found.extend(member.captures_iter(&outer).map(|captures| captures[1].to_owned()));
    }
    found
}

#[test]
fn a_module_imports_only_modules_above_it() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let declared = Regex::new(r"(?m)^pub mod ([a-z_]+);$").unwrap();
    let order: Vec<String> = declared.captures_iter(&lib).map(|it| it[1].to_owned()).collect();
    let rank = |module: &str| order.iter().position(|it| it == module);
    let mut problems = vec![];
    for (file, source) in rust_files("src") {
        let Some(module) = module(&file) else { continue };
        let Some(own) = rank(module) else {
            problems.push(format!("src/{file}: {module} is not in lib.rs"));
            continue;
        };
        for import in imports(&code(&source)) {
            if rank(&import).is_some_and(|rank| rank > own) {
                problems.push(format!("src/{file}: {module} imports {import}, which is below it"));
            }
        }
    }
    demand(&problems);
}

/// The files that a file names in its paths; those of the folders that it lies in not counted, which
/// hold what all in them share.
fn named_files(file: &str, code: &str, files: &BTreeSet<&str>) -> BTreeSet<String> {
    let path = Regex::new(r"\b(crate|super)((?:::\w+)*)(?:::\{([^;]*?)\})?").unwrap();
    let member = Regex::new(r"(?:^|[,{])\s*([a-z_]+(?:::[a-z_]+)*)").unwrap();
    let own: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    let own = own.strip_suffix(&["mod"]).unwrap_or(&own);
    let mut found = BTreeSet::new();
    for captures in path.captures_iter(code) {
        let mut base: Vec<&str> = own.to_vec();
        if &captures[1] == "crate" {
            base.clear();
        } else {
            base.pop();
        }
        for segment in captures[2].split("::").filter(|segment| !segment.is_empty()) {
            match segment {
                "super" => drop(base.pop()),
                _ => base.push(segment),
            }
        }
        let group = captures.get(3).map_or("", |group| group.as_str());
        let members = member.captures_iter(group).map(|it| it.get(1).unwrap().as_str());
        for member in members.chain([""]) {
            let whole: Vec<&str> = base
                .iter()
                .copied()
                .chain(member.split("::"))
                .filter(|it| !it.is_empty())
                .collect();
            let nearest = (1..=whole.len()).rev().find_map(|length| {
                let module = whole[..length].join("/");
                let names = [format!("{module}.rs"), format!("{module}/mod.rs")];
                names.into_iter().find(|name| files.contains(name.as_str()))
            });
            let shares = |other: &String| {
                other.strip_suffix("mod.rs").is_some_and(|folder| file.starts_with(folder))
            };
            found.extend(nearest.filter(|other| other != file && !shares(other)));
        }
    }
    found
}

/// The files that a file names, those that these name, and so on.
fn reached<'a>(from: &'a str, named: &'a BTreeMap<&str, BTreeSet<String>>) -> BTreeSet<&'a str> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        let further = named[file].iter().map(String::as_str);
        next.extend(further.filter(|it| reached.insert(*it)));
    }
    reached
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let sources = rust_files("src");
    let sources: Vec<_> = sources.iter().filter(|(file, _)| !is_test(file)).collect();
    let files = sources.iter().map(|(file, _)| file.as_str()).collect();
    let named: BTreeMap<&str, BTreeSet<String>> = sources
        .iter()
        .map(|(file, source)| (file.as_str(), named_files(file, &code(source), &files)))
        .collect();
    assert!(
        named["redact/taint.rs"].contains("redact/values.rs"),
        "{:?}",
        named["redact/taint.rs"]
    );
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        named.keys().map(|file| (*file, reached(file, &named))).collect();
    let circles: BTreeSet<Vec<&str>> = reached
        .iter()
        .filter(|(file, reached)| reached.contains(*file))
        .map(|(file, all)| all.iter().copied().filter(|it| reached[it].contains(file)).collect())
        .collect();
    let told: Vec<String> = circles.iter().map(|circle| circle.join(" <-> ")).collect();
    demand(&told);
}

/// What a part of the house must not touch, and where it may be touched all the same.
const FORBIDDEN: &[(&str, &str, &[&str])] = &[
    // pattern, why, where it is allowed
    (r"\brmcp::", "only the server knows the protocol", &["server/"]),
    (
        r"\btokio::process|\bstd::process::Command|\bCommand::new\(",
        "only docker/ starts processes",
        &[
            "docker/runner.rs",
            "docker/process.rs",
            "docker/listener.rs",
            "docker/reaper.rs",
            "docker/master.rs",
        ],
    ),
    (
        r"\benv::(var|vars|var_os|vars_os|args|current_dir|current_exe)\b",
        "only config/ reads the environment",
        &["config"],
    ),
    (r"\b(e?println|e?print|dbg)!", "standard output is the protocol", &[]),
    (r"\bunsafe\b", "there is no unsafe code", &[]),
    (r"\bprocess::exit\b", "main returns an exit status", &[]),
];

/// What pure code does not need.
const IMPURE: &str = r"\btokio::|\brmcp::|\bstd::(fs|env|process|thread)(::|;)|\b(Tcp|Udp|Unix)(Stream|Listener|Socket)\b|SystemTime|Instant::now|\basync fn\b|\.await\b|\bgetrandom\b";
const PURE: &[&str] = &["command/", "error.rs", "retry.rs", "policy/", "redact/"];
/// The edge where the policy meets the disk: where links lead, and what kind of file is there.
const EDGE: &str = "policy/disk.rs";

#[test]
fn every_thing_is_done_in_its_place() {
    let impure = Regex::new(IMPURE).unwrap();
    let forbidden = FORBIDDEN
        .iter()
        .map(|(pattern, why, allowed)| (Regex::new(pattern).unwrap(), why, allowed));
    let forbidden: Vec<_> = forbidden.collect();
    let mut problems = vec![];
    for (file, source) in rust_files("src").into_iter().filter(|(file, _)| !is_test(file)) {
        let code = code(&source);
        for (pattern, why, allowed) in &forbidden {
            let found = pattern.find(&code).map(|it| it.as_str().to_owned());
            if let Some(found) = found.filter(|_| !allowed.iter().any(|it| file.starts_with(it))) {
                problems.push(format!("src/{file}: {found}: {why}"));
            }
        }
        if file != EDGE
            && PURE.iter().any(|pure| file.starts_with(pure))
            && let Some(found) = impure.find(&code)
        {
            problems.push(format!("src/{file}: {}: it is pure", found.as_str()));
        }
    }
    demand(&problems);
}

/// Families that look at what the others know: a stack fails for reasons of all kinds.
const ACROSS: &[&str] = &["diagnose"];

#[test]
fn families_of_tools_do_not_know_each_other() {
    let path = Regex::new(r"\bcrate::tools::([a-z_]+)").unwrap();
    let sources = rust_files("src/tools");
    // Other folders are shared.
    let lists_tools = |(file, source): &(String, String)| {
        let family = file.strip_suffix("/mod.rs")?;
        source.contains("fn tools()").then(|| family.to_owned())
    };
    let families: BTreeSet<String> = sources.iter().filter_map(lists_tools).collect();
    let mut problems = vec![];
    for (file, source) in sources {
        let Some((family, _)) = file.split_once('/') else { continue };
        for import in path.captures_iter(&code(&source)) {
            let import = &import[1];
            if import != family && families.contains(import) && !ACROSS.contains(&family) {
                problems.push(format!("src/tools/{file}: {family} imports {import}"));
            }
        }
    }
    demand(&problems);
}

#[test]
fn every_tool_is_offered() {
    let implemented = Regex::new(r"(?m)^impl (?:Tool|Change|Action) for ([A-Za-z]+)").unwrap();
    let listed = Regex::new(r"Entry::(?:of|change)::<(?:[a-z_]+::)*([A-Za-z]+)>").unwrap();
    let sources = rust_files("src/tools");
    let names = |pattern: &Regex| -> Vec<String> {
        let mut names: Vec<String> = sources
            .iter()
            .flat_map(|(_, source)| pattern.captures_iter(source))
            .map(|captures| captures[1].to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&implemented), names(&listed), "left: tools, right: what families list");
    assert_eq!(docker_mcp_server::tools::all().len(), names(&listed).len());
}

#[test]
fn no_source_file_is_too_long() {
    let mut problems = vec![];
    for folder in ["src", "tests"] {
        for (file, source) in rust_files(folder) {
            let lines = untested(&source).lines().count();
            // A test file has no other half.
            let usual = if folder == "src" && !is_test(&file) { LINES_MAX } else { 700 };
            let longer = LONGER.iter().find(|(longer, _)| *longer == file);
            if lines > longer.map_or(usual, |(_, lines)| *lines) {
                problems.push(format!("{folder}/{file}: {lines} lines; split it by theme"));
            }
        }
    }
    demand(&problems);
}

#[test]
fn no_source_file_is_forgotten() {
    let declared = Regex::new(r"(?m)^\s*(?:pub(?:\([^)]*\))? )?mod ([a-z_0-9]+);").unwrap();
    let mut problems = vec![];
    for folder in ["src", "tests/it"] {
        let files = rust_files(folder);
        let sources: BTreeMap<&str, &str> =
            files.iter().map(|(file, source)| (file.as_str(), source.as_str())).collect();
        for file in sources.keys().filter(|file| !["lib.rs", "main.rs"].contains(file)) {
            let path = Path::new(file);
            // `a/mod.rs` is declared by the folder above, `a/b.rs` by `a/mod.rs`.
            let (name, parent) = match path.file_name().unwrap().to_str().unwrap() {
                "mod.rs" => {
                    let own = path.parent().unwrap();
                    (own.file_name().unwrap().to_str().unwrap(), own.parent().unwrap())
                }
                name => (name.trim_end_matches(".rs"), path.parent().unwrap()),
            };
            let parents: &[&str] =
                if parent.as_os_str().is_empty() { &["lib.rs", "main.rs"] } else { &[] };
            let in_folder = parent.join("mod.rs");
            let mut parents = parents.iter().copied().chain(in_folder.to_str());
            let known = parents.any(|parent| {
                let source = sources.get(parent).copied().unwrap_or_default();
                declared.captures_iter(source).any(|captures| &captures[1] == name)
            });
            if !known {
                problems.push(format!("{folder}/{file}: no module declares it"));
            }
        }
    }
    demand(&problems);
}

#[test]
fn what_stands_behind_the_tests_is_seen() {
    let source =
        "a\n#[cfg(test)]\nmod tests;\nb\n#[cfg(test)]\nmod inner {\n    {\n    }\n}\nc // d\n";
    assert_eq!(code(source), "a\nb\nc\n");
}

#[test]
fn imports_are_found_in_paths_and_groups() {
    let code = "use crate::error::Error;\nuse crate::{redact, tools::{reply, Spec}, docker};\n\
                fn x() { crate::server::y() }";
    let expected = ["docker", "error", "redact", "server", "tools"].map(str::to_owned);
    assert_eq!(imports(code), BTreeSet::from(expected));
}
