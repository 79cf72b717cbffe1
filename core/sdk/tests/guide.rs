//! The whole plugins in the guide: the C one compiles, the Rust one is what is run here.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/plugin-guide.md");
    fs::read_to_string(path).unwrap()
}

fn block<'a>(guide: &'a str, after: &str, language: &str) -> &'a str {
    let rest = guide.split_once(after).unwrap().1;
    let rest = rest.split_once(&format!("```{language}\n")).unwrap().1;
    rest.split_once("```").unwrap().0
}

/// Compiles without a warning and exports one symbol.
fn compiles(example: &str, compiler: &str, flags: &[&str]) {
    let scratch = Scratch::new(example);
    let source = scratch.0.join(format!("descent.{example}"));
    let library = scratch.0.join("libdescent.so");
    fs::write(&source, block(&guide(), &format!("<!-- {example}-example -->"), example)).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let exports = root.join("tui/src/scaffold/template/cpp/exports.map");
    let output = Command::new(compiler)
        .args(flags)
        .args(["-Wall", "-Wextra", "-Werror", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-I"])
        .arg(root.join("core/abi/include"))
        .arg(format!("-Wl,--version-script={}", exports.display()))
        .arg("-o")
        .args([&library, &source])
        .arg("-lm")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let symbols = Command::new("nm").args(["-D", "--defined-only"]).arg(&library).output().unwrap();
    let symbols = String::from_utf8(symbols.stdout).unwrap();
    let names: Vec<&str> = symbols.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(names, ["gradtop_entry_v1"]);
}

#[test]
fn the_c_plugin_compiles() {
    compiles("c", "cc", &["-std=c11"]);
}

#[test]
fn the_cpp_plugin_compiles() {
    compiles("cpp", "c++", &["-std=c++17", "-pedantic"]);
}

/// The guide's first experiment is the first example, which tests itself.
#[test]
fn the_rust_experiment_is_the_example() {
    let normal = |text: &str| text.split_whitespace().collect::<String>();
    let guide = guide();
    let example = include_str!("../examples/descent.rs").split_once("use gradtop_sdk").unwrap().1;
    let example = example.split_once("#[cfg(test)]").unwrap().0;
    assert_eq!(
        normal(block(&guide, "## An experiment", "rust")),
        normal(&format!("use gradtop_sdk{example}")),
        "the guide and the example differ"
    );
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("gradtop-guide-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}
