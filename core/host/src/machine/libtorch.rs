//! Where libtorch is.

use std::path::{Path, PathBuf};

/// The library that every plugin with libtorch needs.
pub(crate) const CPU: &str = "libtorch_cpu.so";
/// The library that a run on a GPU needs too.
pub(crate) const CUDA: &str = "libtorch_cuda.so";

/// The folder with `libtorch_cpu.so`: of `GRADTOP_LIBTORCH` (and only of it, if it is set), of a RUNPATH of `plugin`, or of
/// the set-up's record. The error lists the places looked at.
pub fn find(plugin: Option<&Path>) -> Result<PathBuf, Vec<PathBuf>> {
    let run_path =
        plugin.and_then(|p| crate::plugin::inspect::inspect(p).ok()).map(|i| i.run_path).unwrap_or_default();
    find_in(&run_path)
}

/// As [`find`], with the plugin's run path at hand.
pub(crate) fn find_in(run_path: &[PathBuf]) -> Result<PathBuf, Vec<PathBuf>> {
    let mut looked = Vec::new();
    if let Some(set) = std::env::var_os("GRADTOP_LIBTORCH").filter(|v| !v.is_empty()) {
        return library_folder(Path::new(&set), &mut looked).ok_or(looked);
    }
    for folder in run_path {
        if let Some(found) = library_folder(folder, &mut looked) {
            return Ok(found);
        }
    }
    if let Some(record) = record() {
        match std::fs::read_to_string(&record) {
            Ok(text) if !text.trim().is_empty() => {
                if let Some(found) = library_folder(Path::new(text.trim()), &mut looked) {
                    return Ok(found);
                }
            }
            _ => looked.push(record),
        }
    }
    Err(looked)
}

/// `folder` or its `lib`, whichever holds libtorch; absolute, links followed.
fn library_folder(folder: &Path, looked: &mut Vec<PathBuf>) -> Option<PathBuf> {
    for dir in [folder.to_owned(), folder.join("lib")] {
        if dir.join(CPU).is_file() {
            return dir.canonicalize().ok();
        }
    }
    looked.push(folder.to_owned());
    None
}

/// The file in which the set-up records its torch folder: `$XDG_CACHE_HOME/gradtop/libtorch`.
pub fn record() -> Option<PathBuf> {
    Some(crate::machine::dirs::cache_dir()?.join("libtorch"))
}

/// The version of the libtorch in a library folder, from the `version.py` or `build-version` beside it.
pub fn version(lib: &Path) -> Option<String> {
    let torch = lib.parent()?;
    if let Ok(text) = std::fs::read_to_string(torch.join("version.py")) {
        let line = text.lines().find(|l| l.trim_start().starts_with("__version__"))?;
        let value = line.split_once('=')?.1.trim().trim_matches(['\'', '"']);
        return Some(crate::text::clean(value));
    }
    let text = std::fs::read_to_string(torch.join("build-version")).ok()?;
    Some(crate::text::clean(text.trim()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_torch_folder_and_its_lib_folder_both_do() {
        let dir = tempfile::tempdir().unwrap();
        let torch = dir.path().canonicalize().unwrap().join("torch");
        std::fs::create_dir_all(torch.join("lib")).unwrap();
        let mut looked = Vec::new();
        assert_eq!(library_folder(&torch, &mut looked), None);
        assert_eq!(looked, vec![torch.clone()]);
        std::fs::write(torch.join("lib").join(CPU), "").unwrap();
        assert_eq!(library_folder(&torch, &mut looked), Some(torch.join("lib")));
        assert_eq!(library_folder(&torch.join("lib"), &mut looked), Some(torch.join("lib")));
    }

    #[test]
    fn versions_are_read_without_python() {
        let dir = tempfile::tempdir().unwrap();
        let lib = dir.path().join("lib");
        assert_eq!(version(&lib), None);
        std::fs::write(dir.path().join("build-version"), "2.11.0+cpu\n").unwrap();
        assert_eq!(version(&lib).as_deref(), Some("2.11.0+cpu"));
        std::fs::write(dir.path().join("version.py"), "x = 1\n__version__ = '2.11.0+cu130'\n").unwrap();
        assert_eq!(version(&lib).as_deref(), Some("2.11.0+cu130"));
    }
}
