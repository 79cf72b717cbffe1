//! The invariants of ARCHITECTURE.md about sources and built files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use gradtop_tests::imports::circles;
use gradtop_tests::paths;
use object::read::elf::{ElfFile64, Sym as _};
use object::{LittleEndian, elf};

/// A member of the workspace.
struct Member {
    /// The path relative to the checkout.
    folder: String,
    name: String,
    manifest: toml::Table,
}

impl Member {
    /// The names in these tables of dependencies, including those for a single platform.
    fn depends_on(&self, kinds: &[&str]) -> BTreeSet<String> {
        let mut tables = vec![&self.manifest];
        if let Some(targets) = self.manifest.get("target").and_then(toml::Value::as_table) {
            tables.extend(targets.values().filter_map(toml::Value::as_table));
        }
        let mut names = BTreeSet::new();
        for table in tables {
            for kind in kinds {
                if let Some(found) = table.get(*kind).and_then(toml::Value::as_table) {
                    names.extend(found.keys().cloned());
                }
            }
        }
        names
    }

    fn all_dependencies(&self) -> BTreeSet<String> {
        self.depends_on(&["dependencies", "build-dependencies", "dev-dependencies"])
    }

    fn is_plugin(&self) -> bool {
        self.folder.starts_with("plugins/")
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn members() -> Vec<Member> {
    let root: toml::Table = read(&paths::checkout().join("Cargo.toml")).parse().unwrap();
    let folders = root["workspace"]["members"].as_array().unwrap();
    let member = |folder: &toml::Value| {
        let folder = folder.as_str().unwrap().to_owned();
        let manifest: toml::Table =
            read(&paths::checkout().join(&folder).join("Cargo.toml")).parse().unwrap();
        let name = manifest["package"]["name"].as_str().unwrap().to_owned();
        Member { folder, name, manifest }
    };
    folders.iter().map(member).collect()
}

/// Every file written by a person, as (path relative to the checkout, text). Built files and runs are left out.
fn texts() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![paths::checkout()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let relative = path.strip_prefix(paths::checkout()).unwrap().to_str().unwrap().to_owned();
            let skipped = ["target", "runs", ".git", ".libtorch", "Cargo.lock"];
            if skipped.contains(&relative.as_str()) || path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                found.push((relative, text));
            }
        }
    }
    assert!(found.len() > 50, "the sources were not found, only {} files", found.len());
    found
}

fn rust_sources() -> impl Iterator<Item = (String, String)> {
    texts().into_iter().filter(|(path, _)| Path::new(path).extension().is_some_and(|kind| kind == "rs"))
}

/// Fails with every line that contains one of the words.
fn nowhere(files: impl IntoIterator<Item = (String, String)>, words: &[String], why: &str) {
    let mut hits = Vec::new();
    for (path, text) in files {
        for (number, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(word.as_str())) {
                hits.push(format!("{path}:{}: {word}", number + 1));
            }
        }
    }
    assert!(hits.is_empty(), "{why}:\n{}", hits.join("\n"));
}

/// Joins the halves of words, so that this file does not contain them.
fn words<const N: usize>(parts: [(&str, &str); N]) -> Vec<String> {
    parts.iter().map(|(start, end)| format!("{start}{end}")).collect()
}

#[test]
fn dependencies_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("gradtop-abi", &[][..]),
        ("gradtop-data", &[]),
        ("gradtop-store", &["gradtop-tests"]),
        ("gradtop-sdk", &["gradtop-abi", "gradtop-sdk-derive"]),
        ("gradtop-sdk-build", &[]),
        ("gradtop-sdk-derive", &[]),
        ("gradtop-host", &["gradtop-abi", "gradtop-import", "gradtop-store", "gradtop-tests"]),
        ("gradtop-chart", &[]),
        ("gradtop-import", &["gradtop-store"]),
        ("gradtop-view", &["gradtop-chart", "gradtop-host", "gradtop-store", "gradtop-tests"]),
        (
            "gradtop",
            &[
                "gradtop-chart",
                "gradtop-data",
                "gradtop-host",
                "gradtop-import",
                "gradtop-store",
                "gradtop-tests",
                "gradtop-view",
            ],
        ),
        ("gradtop-tests", &["gradtop-abi", "gradtop-chart", "gradtop-sdk", "gradtop-store", "gradtop-view"]),
        ("xtask", &[]),
    ]);
    let plugin = ["gradtop-data", "gradtop-sdk", "gradtop-sdk-build", "gradtop-toolkit", "gradtop-torch"];
    let members = members();
    let ours: BTreeSet<String> = members.iter().map(|member| member.name.clone()).collect();
    for member in &members {
        let may: &[&str] = match allowed.get(member.name.as_str()) {
            Some(may) => may,
            None if member.is_plugin() => &plugin,
            None => panic!("{} is new: say here what it may depend on", member.name),
        };
        for name in member.all_dependencies().intersection(&ours) {
            assert!(may.contains(&name.as_str()), "{} may not depend on {name}", member.name);
        }
    }
}

/// No two files of a crate import each other, directly or indirectly. [`gradtop_tests::imports`] has the exact rule.
#[test]
fn no_two_files_import_each_other() {
    for member in members() {
        let circles = circles(&paths::checkout().join(&member.folder).join("src"));
        assert!(circles.is_empty(), "{}: a circle of imports:\n{}", member.folder, circles.join("\n"));
    }
}

#[test]
fn the_abi_depends_on_nothing() {
    let abi = members().into_iter().find(|member| member.name == "gradtop-abi").unwrap();
    assert_eq!(abi.depends_on(&["dependencies", "build-dependencies"]), BTreeSet::new());
}

#[test]
fn each_heavy_crate_has_its_place() {
    type Home = fn(&Member) -> bool;
    let homes: [(&str, Home); 8] = [
        ("tch", Member::is_plugin),
        ("torch-sys", Member::is_plugin),
        ("libloading", |member| member.folder == "core/host"),
        ("ratatui", |member| member.folder == "tui"),
        ("ratatui-core", |member| member.folder == "core/chart"),
        ("resvg", |member| ["core/chart", "tui"].contains(&member.folder.as_str())),
        ("crossterm", |member| member.folder == "tui"),
        ("nvml-wrapper", |member| member.folder == "core/host"),
    ];
    for member in members() {
        for name in member.all_dependencies() {
            for (_, home) in homes.iter().filter(|(heavy, _)| *heavy == name) {
                assert!(home(&member), "{name} does not belong into {}", member.folder);
            }
        }
    }
}

/// Also indirectly, as cargo resolves what is linked into the program.
#[test]
fn the_program_never_links_libtorch() {
    let mut cargo = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["tree", "--offline", "--package", "gradtop", "--edges", "normal", "--prefix", "none"]);
    let tree = cargo.current_dir(paths::checkout()).output().unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    let linked: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(linked.contains("gradtop-store") && linked.contains("parquet"), "cargo tree: {linked:?}");
    for name in ["tch", "torch-sys", "gradtop-sdk", "gradtop-toolkit", "gradtop-tests"] {
        assert!(!linked.contains(name), "gradtop depends on {name}");
    }
}

#[test]
fn every_crate_takes_the_house_rules() {
    for member in members() {
        let inherits = |table: &toml::Table, key: &str| {
            table.get(key).and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool)
                == Some(true)
        };
        assert!(inherits(&member.manifest, "lints"), "{}: [lints] workspace = true", member.folder);
        let package = member.manifest["package"].as_table().unwrap();
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            assert!(inherits(package, key), "{}: {key}.workspace = true", member.folder);
        }
        assert!(package.contains_key("description"), "{}: a description", member.folder);
    }
}

#[test]
fn panics_unwind_in_every_profile() {
    let root: toml::Table = read(&paths::checkout().join("Cargo.toml")).parse().unwrap();
    for profile in ["release", "dev"] {
        let panic = root["profile"][profile]["panic"].as_str();
        assert_eq!(panic, Some("unwind"), "profile {profile}: a panic of a plugin becomes a failed run");
    }
}

#[test]
fn nothing_is_left_for_later() {
    nowhere(texts(), &words([("TO", "DO"), ("FIX", "ME")]), "to be done, or written down as an issue");
    nowhere(rust_sources(), &words([("#[ign", "ore")]), "a test that does not run holds nothing");
}

#[test]
fn no_file_names_a_machine_or_a_registry() {
    let paths = words([("/ho", "me/"), ("/ro", "ot/"), ("/wo", "rk/"), ("/opt/wh", "eels")]);
    // The screen of that name has a folder, which its snapshots name.
    let files = texts().into_iter().map(|(path, text)| (path, text.replace("screens/home/", "screens/")));
    nowhere(files, &paths, "a path of one machine");
    let hosts = words([
        ("py", "pi.org"),
        ("pythonho", "sted.org"),
        ("crat", "es.io/api"),
        ("download.pyt", "orch.org"),
    ]);
    nowhere(texts(), &hosts, "the name of a registry's host: its client knows it");
}

#[test]
fn unsafe_code_stays_at_the_boundary() {
    let plugins = ["plugins/torch/src/raw.rs", "plugins/toolkit/src/lanes.rs"];
    let free = [&["core/abi/", "core/sdk/", "core/host/", "tests/"][..], &plugins].concat();
    let others = rust_sources().filter(|(path, _)| !free.iter().any(|free| path.starts_with(free)));
    nowhere(others, &words([("allow(unsafe", "_code"), ("expect(unsafe", "_code")]), "unsafe code elsewhere");
}

#[test]
fn libraries_are_opened_by_the_host_only() {
    let others = rust_sources().filter(|(path, _)| !path.starts_with("core/host/"));
    nowhere(
        others,
        &words([("libload", "ing::"), ("libc::dl", "open"), ("fn dl", "open")]),
        "opens libraries",
    );
}

/// Lints deny the macros; this test covers the handles, and exceptions from the lints.
#[test]
fn only_print_writes_to_the_terminal() {
    // The monitor draws through its terminal, which the runtime holds.
    let writers = ["tui/src/print/", "tui/src/runtime/terminal.rs"];
    let viewer = rust_sources().filter(|(path, _)| {
        path.starts_with("tui/") && !writers.iter().any(|writer| path.starts_with(writer))
    });
    let handles = words([
        ("io::std", "out("),
        ("io::std", "err("),
        ("stdio::std", "out("),
        ("clippy::print", "_std"),
        ("print", "ln!("),
    ]);
    nowhere(viewer, &handles, "commands print through tui/src/print");
    let library = |path: &str| path.starts_with("core/store/src/") || path.starts_with("core/host/src/");
    nowhere(
        rust_sources().filter(|(path, _)| library(path)),
        &words([("clippy::print", "_std")]),
        "a library prints",
    );
}

#[test]
fn nobody_imports_from_commands() {
    let others = rust_sources().filter(|(path, _)| {
        path.starts_with("tui/src/") && !path.starts_with("tui/src/commands/") && path != "tui/src/main.rs"
    });
    nowhere(others, &words([("commands", "::")]), "what others need is no command's");
}

#[test]
fn only_the_runtime_takes_over_the_terminal() {
    let others = rust_sources()
        .filter(|(path, _)| !path.starts_with("tui/src/runtime") && !path.starts_with("tests/"));
    let words = words([
        ("enable_raw", "_mode"),
        ("EnterAlternate", "Screen"),
        ("ratatui::", "init"),
        ("ratatui::try", "_init"),
        ("[?10", "49h"),
        ("tcset", "attr"),
    ]);
    nowhere(others, &words, "raw mode or the alternate screen");
}

/// Inside a run's folder, only `core/store/src/disk/inside.rs` opens, creates, moves and removes files: it follows no link
/// and waits for nothing. In the store, this holds for every file; elsewhere, for lines that name a path in a run.
#[test]
fn files_of_a_run_are_opened_in_one_place() {
    let calls = words([
        ("fs::re", "ad"),
        ("fs::wr", "ite"),
        ("fs::co", "py"),
        ("fs::ren", "ame("),
        ("fs::remove", "_"),
        ("fs::create", "_dir"),
        ("fs::meta", "data"),
        ("fs::hard", "_link"),
        ("File::op", "en"),
        ("File::cre", "ate"),
        ("Open", "Options"),
        (".is_", "file()"),
        (".is_", "dir()"),
        (".exi", "sts()"),
    ]);
    let places =
        ["manifest", "status", "lock", "control", "events", "series", "journal", "metrics", "tables"]
            .into_iter()
            .chain(["figures", "checkpoints", "console", "superseded"])
            .map(|place| format!(".{place}()"));
    let places: Vec<String> = places.collect();
    // Finding and creating runs; what the system reports about processes; runs for benches; tests.
    let free =
        ["inside.rs", "find.rs", "shared.rs", "new_run.rs", "machine.rs", "bench.rs", "crash_tests.rs"];
    let tests = ["tests.rs", "testing.rs"];
    let ours = rust_sources().filter_map(|(path, text)| {
        let name = Path::new(&path).file_name()?.to_str()?;
        let store = path.starts_with("core/store/src/");
        let viewer = path.starts_with("core/host/src/") || path.starts_with("tui/src/");
        if !(store || viewer) || tests.iter().any(|t| name.ends_with(t)) || store && free.contains(&name) {
            return None;
        }
        let shipped = text.split("#[cfg(test)]\nmod tests {").next()?;
        // Files of the system are not in a run.
        let line = |line: &&str| {
            !line.contains("\"/proc")
                && !line.contains("\"/etc")
                && (store || places.iter().any(|p| line.contains(p)))
        };
        let lines: Vec<&str> = shipped.lines().map(|l| if line(&l) { l } else { "" }).collect();
        Some((path.clone(), lines.join("\n")))
    });
    nowhere(ours, &calls, "core/store/src/disk/inside.rs opens what lies in a run");
}

/// The exported symbols of an ELF file, and the libraries that it needs.
fn elf_of(file: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let data = fs::read(file).unwrap();
    let parsed = ElfFile64::<LittleEndian>::parse(&*data).unwrap();
    let symbols = parsed.elf_dynamic_symbol_table();
    let mut exports = BTreeSet::new();
    for symbol in symbols.symbols() {
        if !symbol.is_undefined(LittleEndian) && symbol.st_bind() != elf::STB_LOCAL {
            exports.insert(
                String::from_utf8(symbol.name(LittleEndian, symbols.strings()).unwrap().to_vec()).unwrap(),
            );
        }
    }
    let dynamic = parsed.elf_dynamic_table().unwrap();
    let names = dynamic.iter().filter(|entry| entry.tag == elf::DT_NEEDED);
    let needed =
        names.map(|entry| String::from_utf8(dynamic.string(entry).unwrap().to_vec()).unwrap()).collect();
    (exports, needed)
}

fn plugin_libraries() -> Vec<PathBuf> {
    let mut libraries = Vec::new();
    for member in members().iter().filter(|member| member.is_plugin()) {
        let Some(lib) = member.manifest.get("lib") else { continue };
        let kinds = lib.get("crate-type").and_then(toml::Value::as_array).cloned().unwrap_or_default();
        if kinds.iter().any(|kind| kind.as_str() == Some("cdylib")) {
            libraries.push(paths::plugin(lib["name"].as_str().unwrap()));
        }
    }
    assert!(!libraries.is_empty(), "no plugin was found");
    libraries
}

/// The names of plugins are read from the plugins.
#[test]
fn the_program_names_none_of_its_guests() {
    let sandbox = gradtop_tests::Sandbox::with(&plugin_libraries());
    let found = sandbox.gradtop(&["experiments", "--json"]).expect_code(0).json();
    let ids: BTreeSet<&str> = found.as_array().unwrap().iter().map(|e| e["id"].as_str().unwrap()).collect();
    assert!(ids.len() >= 10, "{found}");
    let program =
        |path: &str| path.starts_with("tui/") || path.starts_with("core/") && path.contains("/src/");
    let named = |line: &str, id: &str| {
        let part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        line.match_indices(id)
            .any(|(at, _)| !line[..at].ends_with(part) && !line[at + id.len()..].starts_with(part))
    };
    let mut hits = Vec::new();
    for (path, text) in texts().into_iter().filter(|(path, _)| program(path)) {
        for (number, line) in (1..).zip(text.lines()) {
            hits.extend(ids.iter().filter(|id| named(line, id)).map(|id| format!("{path}:{number}: {id}")));
        }
    }
    assert!(hits.is_empty(), "the program knows experiments by name:\n{}", hits.join("\n"));
}

#[test]
fn a_plugin_exports_exactly_one_symbol() {
    for library in plugin_libraries() {
        let (exports, _) = elf_of(&library);
        assert_eq!(exports, BTreeSet::from(["gradtop_entry_v1".to_owned()]), "{}", library.display());
    }
}

#[test]
fn the_program_needs_only_the_c_library() {
    let (_, needed) = elf_of(paths::gradtop());
    let expected = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2"].map(str::to_owned);
    assert_eq!(needed, BTreeSet::from(expected));
}

/// The highest version of glibc that the program needs. README promises it to everybody who copies the program to another
/// machine. It depends on the machine that builds, which README names.
#[test]
fn a_program_built_on_debian_12_needs_the_glibc_that_the_readme_names() {
    let readme = read(&paths::checkout().join("README.md"));
    let promised = readme.split("built on Debian 12 runs with glibc ").nth(1).unwrap();
    let promised = promised.split(' ').next().unwrap();
    let data = fs::read(paths::gradtop()).unwrap();
    let parsed = ElfFile64::<LittleEndian>::parse(&*data).unwrap();
    let sections = parsed.elf_section_table();
    let (mut libraries, strings) = sections.gnu_verneed(LittleEndian, &*data).unwrap().unwrap();
    let strings = sections.strings(LittleEndian, &*data, strings).unwrap();
    let mut minors = Vec::new();
    while let Some((_, mut versions)) = libraries.next().unwrap() {
        while let Some(version) = versions.next().unwrap() {
            let name = String::from_utf8_lossy(version.name(LittleEndian, strings).unwrap()).into_owned();
            // GLIBC_2.3.4 counts as 2.3.
            let minor =
                name.strip_prefix("GLIBC_2.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
            minors.extend(minor);
        }
    }
    let highest = format!("2.{}", minors.into_iter().max().unwrap());
    let here = std::process::Command::new("getconf").arg("GNU_LIBC_VERSION").output().unwrap();
    if String::from_utf8_lossy(&here.stdout).trim() == "glibc 2.36" {
        assert_eq!(highest, promised, "README.md names the glibc that the program needs");
    }
}

/// Each invariant names a test, as `file` or `file::function`, that exists.
#[test]
fn every_invariant_names_a_test_that_exists() {
    let text = read(&paths::checkout().join("ARCHITECTURE.md"));
    let section =
        text.split("\n## ").find(|section| section.starts_with("Invariants")).expect("a section Invariants");
    let invariants: Vec<&str> = section.split("\n### ").skip(1).collect();
    assert!(invariants.len() >= 9, "{} invariants", invariants.len());
    for invariant in invariants {
        let title = invariant.lines().next().unwrap();
        let held = invariant.split("Held by").nth(1).unwrap_or_else(|| panic!("{title}: no `Held by`"));
        let named: Vec<&str> = held.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "{title}: no test is named");
        for name in named {
            let (file, function) =
                name.split_once("::").map_or((name, None), |(file, rest)| (file, Some(rest)));
            let path = paths::checkout().join(file);
            assert!(path.is_file(), "{title}: {file} is not there");
            if let Some(function) = function {
                assert!(
                    read(&path).contains(&format!("fn {function}(")),
                    "{title}: {file} has no test {function}"
                );
            }
        }
    }
}

/// Files by name or end of path, folders relative to the checkout.
#[test]
fn the_architecture_names_only_what_exists() {
    let text = read(&paths::checkout().join("ARCHITECTURE.md"));
    let files: Vec<String> = texts().into_iter().map(|(path, _)| path).collect();
    let tops = ["benches/", "core/", "docs/", "plugins/", "python/", "tests/", "tui/", "xtask/"];
    let words = text.split(|c: char| !c.is_alphanumeric() && !"_-./".contains(c));
    let named: BTreeSet<&str> = words
        .map(|word| word.trim_matches(['.', '/']))
        .filter(|word| {
            let is_source = [".rs", ".h", ".hpp"].iter().any(|end| word.ends_with(end));
            is_source || tops.iter().any(|top| word.starts_with(top))
        })
        .collect();
    assert!(named.len() > 50, "{named:?}");
    let (ends, begins) = (|name: &str| format!("/{name}"), |name: &str| format!("{name}/"));
    let is_there = |name: &str| {
        files.iter().any(|f| f == name || f.ends_with(&ends(name)) || f.starts_with(&begins(name)))
    };
    let missing: Vec<&str> = named.into_iter().filter(|name| !is_there(name)).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names what is not there: {missing:?}");
    let map =
        text.split("\n## ").find(|section| section.starts_with("Code map")).expect("a section Code map");
    for Member { folder, .. } in members() {
        let name = folder.rsplit('/').next().unwrap_or_default();
        assert!(map.contains(name), "{folder} is not on the code map");
    }
}

#[test]
fn errors_have_one_word_for_each_thing_that_cannot_be_done() {
    let others = [
        ("look at", "read"),
        ("look into", "list"),
        ("make", "create"),
        ("delete", "remove"),
        ("probe", "read"),
    ];
    let odd: Vec<String> = rust_sources()
        .filter(|(path, _)| path.starts_with("core/") || path.starts_with("tui/src/"))
        .flat_map(|(path, text)| {
            let calls = [".at(", "cannot(", "::at(", "what: "];
            let said = |verb: &str| calls.iter().any(|call| text.contains(&format!("{call}\"{verb}\"")));
            let odd = others.iter().filter(|(verb, _)| said(verb));
            odd.map(|(verb, usual)| format!("{path}: {verb:?} instead of {usual:?}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(odd.is_empty(), "say it as elsewhere: {odd:#?}");
}

#[test]
fn no_file_of_rust_is_longer_than_600_lines() {
    let long: Vec<String> = rust_sources()
        .filter_map(|(path, text)| Some((path, text.lines().count())).filter(|(_, lines)| *lines > 600))
        .map(|(path, lines)| format!("{path}: {lines}"))
        .collect();
    assert!(long.is_empty(), "to be divided by what they do: {long:?}");
}
