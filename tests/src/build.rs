//! Builds plugins in C and C++ as their authors would.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::paths;

/// Compiles `tests/fixtures/<source>` to `<folder>/lib<stem>.so` with warnings as errors, as C99 or C++11.
pub fn fixture(source: &str, folder: &Path) -> PathBuf {
    compile(&paths::checkout().join("tests/fixtures").join(source), folder)
}

/// Like [`fixture`], for sources that use `gradtop.hpp`: C++17 with more warnings.
pub fn on_the_header(source: &str, folder: &Path) -> PathBuf {
    let source = paths::checkout().join("tests/fixtures").join(source);
    compile_as(&source, folder, "c++", &["-std=c++17", "-Wshadow", "-Wconversion"])
}

/// Like [`fixture`], for a source given as text.
pub fn text(name: &str, code: &str, folder: &Path) -> PathBuf {
    let source = folder.join(name);
    std::fs::write(&source, code).unwrap();
    let library = compile(&source, folder);
    std::fs::remove_file(source).unwrap();
    library
}

fn compile(source: &Path, folder: &Path) -> PathBuf {
    let cpp = source.extension().is_some_and(|e| e == "cpp");
    let (compiler, standard) = if cpp { ("c++", "-std=c++11") } else { ("cc", "-std=c99") };
    compile_as(source, folder, compiler, &[standard])
}

fn compile_as(source: &Path, folder: &Path, compiler: &str, flags: &[&str]) -> PathBuf {
    let library = folder.join(format!("lib{}.so", source.file_stem().unwrap().to_str().unwrap()));
    let done = Command::new(compiler)
        .args(flags)
        .args(["-O1", "-Wall", "-Wextra", "-Werror", "-pedantic", "-shared", "-fPIC", "-fvisibility=hidden"])
        .arg("-I")
        .arg(paths::checkout().join("core/abi/include"))
        .arg(source)
        .arg("-o")
        .arg(&library)
        .arg("-lm")
        .output()
        .unwrap_or_else(|e| panic!("{compiler} cannot be run ({e}): install a C and a C++ compiler"));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{compiler} refuses {}:\n{said}", source.display());
    library
}

/// The symbols that a library exports, as listed by `nm`.
pub fn exports(library: &Path) -> Vec<String> {
    let done = Command::new("nm").args(["-D", "--defined-only"]).arg(library).output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    text.lines().filter_map(|line| line.split_whitespace().last().map(str::to_owned)).collect()
}
