#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn core() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../core")
}

/// Files under a folder, as paths within `core/`.
fn walk(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.insert(path.strip_prefix(core()).unwrap().to_str().unwrap().to_owned());
        }
    }
}

#[test]
fn every_source_of_the_sdk_is_embedded() {
    let mut on_disk = BTreeSet::new();
    for dir in ["abi/src", "abi/include", "sdk/src", "sdk/derive/src", "sdk/build/src"] {
        walk(&core().join(dir), &mut on_disk);
    }
    let embedded: BTreeSet<String> = sources::SOURCES.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(embedded, on_disk);
}

/// The manifests say what the checkout's own say, without inheriting it.
#[test]
fn manifests_agree_with_the_workspace() {
    let read = |path: &Path| toml::from_str::<toml::Table>(&fs::read_to_string(path).unwrap()).unwrap();
    let workspace = read(&core().join("../Cargo.toml"));
    let workspace = workspace["workspace"].as_table().unwrap();
    for (path, text) in sources::MANIFESTS.iter().filter(|(path, _)| path.ends_with("Cargo.toml")) {
        let vendored: toml::Table = toml::from_str(text).unwrap();
        let own = read(&core().join(path));
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
    assert_eq!(format!("tch = {}\n", workspace["dependencies"]["tch"]), TCH);
}

/// The lock files name versions that this checkout builds and tests with.
#[test]
fn lock_files_agree_with_the_workspace() {
    let ours = fs::read_to_string(core().join("../Cargo.lock")).unwrap();
    for lock in [PLAIN.lock, TORCH.lock] {
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
        for lock in [PLAIN.lock, TORCH.lock] {
            let renamed = lock::rename(lock, name).unwrap();
            let names: Vec<&str> = renamed.lines().filter_map(|line| line.strip_prefix("name = ")).collect();
            assert!(names.is_sorted() && names.contains(&format!("\"{name}\"").as_str()), "{names:?}");
            assert!(!renamed.contains(lock::PLACEHOLDER));
            assert_eq!(renamed.lines().count(), lock.lines().count());
        }
    }
    assert_eq!(lock::rename(PLAIN.lock, lock::PLACEHOLDER).unwrap(), PLAIN.lock);
}

#[test]
fn names() {
    for good in ["a", "demo", "my-experiment-2"] {
        validate_name(good).unwrap();
    }
    let long = "a".repeat(41);
    for bad in [
        "",
        "Demo",
        "2nd",
        "a_b",
        "a--b",
        "a-",
        "-a",
        "ä",
        "fn",
        "test",
        "syn",
        "tch",
        "gradtop-sdk",
        "../x",
        &long,
    ] {
        assert!(validate_name(bad).is_err(), "{bad} was accepted");
    }
}

#[test]
fn a_crate_is_written_once_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    for (name, torch) in [("plain-one", false), ("torch-one", true)] {
        let made = create(&dir.path().join("deep/er").join(name), torch).unwrap();
        for file in [
            "Cargo.toml",
            "Cargo.lock",
            "build.rs",
            "README.md",
            ".gitignore",
            "src/lib.rs",
            "src/figures.toml",
        ] {
            let text = fs::read_to_string(made.join(file)).unwrap();
            let unfilled =
                ["{name}", "{id}", "{lib}", "{tch}", "{torch"].iter().find(|key| text.contains(**key));
            assert_eq!(unfilled, None, "{file}");
        }
        let manifest: toml::Table =
            toml::from_str(&fs::read_to_string(made.join("Cargo.toml")).unwrap()).unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some(name));
        assert_eq!(manifest["dependencies"].get("tch").is_some(), torch);
        assert_eq!(manifest["workspace"].as_table().map(toml::Table::len), Some(0));
        let again = create(&dir.path().join("deep/er").join(name), torch).unwrap_err();
        assert!(again.to_string().contains("exists already"), "{again}");
    }
}
