#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Lists the files under a folder, relative to `root`.
fn walk(root: &Path, dir: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(root.join(dir)).unwrap() {
        let path = entry.unwrap().path();
        let within = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            walk(root, &within, found);
        } else {
            found.insert(within);
        }
    }
}

#[test]
fn every_source_is_embedded() {
    let core = ["abi/src", "abi/include", "sdk/src", "sdk/derive/src", "sdk/build/src"];
    for (embedded, root, dirs) in
        [(sources::SDK, "core", &core[..]), (sources::TORCH, "plugins", &["torch/src"])]
    {
        let mut on_disk = BTreeSet::new();
        for dir in dirs {
            walk(&checkout().join(root), dir, &mut on_disk);
        }
        let embedded: BTreeSet<String> = embedded
            .iter()
            .map(|(path, _)| (*path).to_owned())
            .filter(|path| !path.ends_with("Cargo.toml"))
            .collect();
        assert_eq!(embedded, on_disk);
    }
}

/// The manifests agree with those of the checkout, but inherit nothing.
#[test]
fn manifests_agree_with_the_workspace() {
    let read = |path: &Path| toml::from_str::<toml::Table>(&fs::read_to_string(path).unwrap()).unwrap();
    let workspace = read(&checkout().join("Cargo.toml"));
    let workspace = workspace["workspace"].as_table().unwrap();
    let manifests = |list: &'static [(&str, &str)], root: &'static str| {
        list.iter()
            .filter(|(path, _)| path.ends_with("Cargo.toml"))
            .map(move |(path, text)| (*path, *text, read(&checkout().join(root).join(path))))
    };
    for (path, text, own) in manifests(sources::SDK, "core").chain(manifests(sources::TORCH, "plugins")) {
        let vendored: toml::Table = toml::from_str(text).unwrap();
        assert_eq!(vendored["package"]["name"], own["package"]["name"]);
        assert_eq!(vendored["package"]["description"], own["package"]["description"]);
        for key in ["version", "edition", "rust-version", "license"] {
            assert_eq!(vendored["package"][key], workspace["package"][key], "{path}: {key}");
        }
        let names = |manifest: &toml::Table| -> BTreeSet<String> {
            let table = manifest.get("dependencies").and_then(toml::Value::as_table);
            table.into_iter().flat_map(|table| table.keys().cloned()).collect()
        };
        assert_eq!(names(&vendored), names(&own), "{path}: dependencies");
        for name in names(&vendored).iter().filter(|name| !name.starts_with("gradtop-")) {
            assert_eq!(vendored["dependencies"][name], workspace["dependencies"][name], "{path}: {name}");
        }
        assert!(!text.contains("workspace"), "{path}");
    }
    let tch = format!("tch = {}\n", workspace["dependencies"]["tch"]);
    assert!(rust::TORCH.dependencies.ends_with(&tch), "{tch}");
}

/// The lock files contain the versions that this checkout builds and tests with.
#[test]
fn lock_files_agree_with_the_workspace() {
    let ours = fs::read_to_string(checkout().join("Cargo.lock")).unwrap();
    for lock in [rust::PLAIN.lock, rust::TORCH.lock] {
        for package in lock.split("\n[[package]]\n").skip(1) {
            let mut lines = package.lines();
            let head = format!("{}\n{}\n", lines.next().unwrap(), lines.next().unwrap());
            assert!(ours.contains(&head) || head.contains(lock::PLACEHOLDER), "not in Cargo.lock:\n{head}");
        }
    }
}

#[test]
fn a_lock_file_is_sorted_for_any_name() {
    for name in ["aaa", "my-experiment", "zzz"] {
        for lock in [rust::PLAIN.lock, rust::TORCH.lock] {
            let renamed = lock::rename(lock, name).unwrap();
            let names: Vec<&str> = renamed.lines().filter_map(|line| line.strip_prefix("name = ")).collect();
            assert!(names.is_sorted() && names.contains(&format!("\"{name}\"").as_str()), "{names:?}");
            assert!(!renamed.contains(lock::PLACEHOLDER));
            assert_eq!(renamed.lines().count(), lock.lines().count());
        }
    }
    assert_eq!(lock::rename(rust::PLAIN.lock, lock::PLACEHOLDER).unwrap(), rust::PLAIN.lock);
}

const RUST: Kind = Kind { cpp: false, torch: false };
const CPP: Kind = Kind { cpp: true, torch: false };

#[test]
fn names() {
    for good in ["a", "demo", "my-experiment-2"] {
        validate_name(good, RUST).unwrap();
        validate_name(good, CPP).unwrap();
    }
    let long = "a".repeat(41);
    for bad in ["", "Demo", "2nd", "a_b", "a--b", "a-", "-a", "ä", "..", &long] {
        for kind in [RUST, CPP] {
            assert!(validate_name(bad, kind).is_err(), "{bad} was accepted");
        }
    }
    for bad in ["fn", "test", "syn", "tch", "gradtop-sdk", "gradtop-torch"] {
        assert!(validate_name(bad, RUST).is_err(), "{bad} was accepted");
        validate_name(bad, CPP).unwrap();
    }
    let said = |name, kind| validate_name(name, kind).unwrap_err().to_string();
    assert_eq!(said("2nd", RUST), "`2nd` cannot name a plugin");
    assert_eq!(said("Line_Fit", CPP), "`Line_Fit` cannot name a plugin; `line-fit` could");
    assert_eq!(said("fn", RUST), "`fn` cannot name a plugin in Rust: it is a reserved word in Rust");
    assert_eq!(
        said("syn", RUST),
        "`syn` cannot name a plugin in Rust: one of its dependencies has that name"
    );
}

#[test]
fn a_project_is_written_once_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    for (cpp, torch) in [(false, false), (false, true), (true, false), (true, true)] {
        let kind = Kind { cpp, torch };
        let name = format!("one-{cpp}-{torch}");
        let made = create(&dir.path().join("deep/er").join(&name), kind).unwrap();
        let own: &[&str] = if cpp {
            &["CMakeLists.txt", "src/plugin.cpp", "vendor/gradtop/gradtop.hpp", "vendor/gradtop/gradtop.h"]
        } else {
            &["Cargo.toml", "Cargo.lock", "build.rs", "src/lib.rs"]
        };
        for file in own.iter().chain(&["README.md", ".gitignore"]) {
            let text = fs::read_to_string(made.join(file)).unwrap();
            let keys = [
                "{name}",
                "{id}",
                "{lib}",
                "{dependencies}",
                "{profile}",
                "{torch",
                "{libtorch}",
                "{figures}",
            ];
            assert_eq!(keys.iter().find(|key| text.contains(**key)), None, "{file}");
        }
        if !cpp {
            let manifest: toml::Table =
                toml::from_str(&fs::read_to_string(made.join("Cargo.toml")).unwrap()).unwrap();
            assert_eq!(manifest["package"]["name"].as_str(), Some(name.as_str()));
            assert_eq!(manifest["dependencies"].get("tch").is_some(), torch);
            assert_eq!(manifest["workspace"].as_table().map(toml::Table::len), Some(0));
        }
        let again = create(&dir.path().join("deep/er").join(&name), kind).unwrap_err();
        assert!(again.to_string().ends_with(&format!("{name} already exists")), "{again}");
    }
}
