//! Building plugins in C and C++ the way their authors would.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::paths;

/// Compiles `tests/fixtures/<source>` into `<folder>/lib<stem>.so`, warnings being errors. C is C99, C++ is C++11.
pub fn fixture(source: &str, folder: &Path) -> PathBuf {
    compile(&paths::checkout().join("tests/fixtures").join(source), folder)
}

/// As [`fixture`], of a source given as text.
pub fn text(name: &str, code: &str, folder: &Path) -> PathBuf {
    let source = folder.join(name);
    std::fs::write(&source, code).unwrap();
    let library = compile(&source, folder);
    std::fs::remove_file(source).unwrap();
    library
}

fn compile(source: &Path, folder: &Path) -> PathBuf {
    let library = folder.join(format!("lib{}.so", source.file_stem().unwrap().to_str().unwrap()));
    let cpp = source.extension().is_some_and(|e| e == "cpp");
    let (compiler, standard) = if cpp { ("c++", "-std=c++11") } else { ("cc", "-std=c99") };
    let done = Command::new(compiler)
        .args([
            standard,
            "-O1",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pedantic",
            "-shared",
            "-fPIC",
            "-fvisibility=hidden",
        ])
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
