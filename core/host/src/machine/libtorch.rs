//! Finds and inspects libtorch.

use std::path::{Path, PathBuf};

/// The only version that tch 0.24 builds against.
pub const VERSION: &str = "2.11.0";
/// The library that every plugin with libtorch needs.
pub(crate) const CPU: &str = "libtorch_cpu.so";
/// The library that a run on a GPU needs as well.
pub(crate) const CUDA: &str = "libtorch_cuda.so";

/// Finds the folder with `libtorch_cpu.so`: in `GRADTOP_LIBTORCH` (exclusively, if it is set), in a RUNPATH of
/// `plugin`, or in the folder recorded by the set-up.
///
/// # Errors
/// The folders that were searched.
pub fn find(plugin: Option<&Path>) -> Result<PathBuf, Vec<PathBuf>> {
    let run_path =
        plugin.and_then(|p| crate::plugin::inspect::inspect(p).ok()).map(|i| i.run_path).unwrap_or_default();
    find_in(&run_path)
}

/// Like [`find`], with the plugin's run path.
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

/// Returns `folder` or its `lib`, whichever contains libtorch, as an absolute path without links.
fn library_folder(folder: &Path, looked: &mut Vec<PathBuf>) -> Option<PathBuf> {
    for dir in [folder.to_owned(), folder.join("lib")] {
        if dir.join(CPU).is_file() {
            return dir.canonicalize().ok();
        }
    }
    looked.push(folder.to_owned());
    None
}

/// The file in which `gradtop setup` records its torch folder: `$XDG_CACHE_HOME/gradtop/libtorch`.
pub fn record() -> Option<PathBuf> {
    Some(crate::machine::dirs::cache_dir()?.join("libtorch"))
}

/// Records a torch folder for later calls of [`find`].
///
/// # Errors
/// The record cannot be written.
pub fn remember(torch: &Path) -> std::io::Result<()> {
    let path = record().ok_or_else(|| std::io::Error::other("neither XDG_CACHE_HOME nor HOME is set"))?;
    let text = format!("{}\n", torch.display());
    if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    crate::machine::dirs::write(&path, text.as_bytes())
}

/// Returns the version of the libtorch in a library folder, from the `version.py` or `build-version` next to it.
pub fn version(lib: &Path) -> Option<String> {
    version_of(lib.parent()?)
}

/// Describes the libtorch in a library folder: its version, and whether its CUDA libraries are missing.
pub fn in_words(lib: &Path) -> String {
    let version = version(lib).unwrap_or_else(|| "of unknown version".to_owned());
    let lacks = version.contains("+cu") && !lib.parent().is_some_and(has_cuda);
    let only = if lacks { ", without the libraries of CUDA: for the CPU only," } else { "" };
    format!("{version}{only} in {}", lib.display())
}

/// Returns the version recorded in a torch folder.
fn version_of(torch: &Path) -> Option<String> {
    let text = match std::fs::read_to_string(torch.join("version.py")) {
        Ok(text) => {
            let line = text.lines().find(|l| l.trim_start().starts_with("__version__"))?;
            line.split_once('=')?.1.trim().trim_matches(['\'', '"']).to_owned()
        }
        Err(_) => std::fs::read_to_string(torch.join("build-version")).ok()?.trim().to_owned(),
    };
    Some(crate::text::clean(&text)).filter(|version| !version.is_empty())
}

/// Returns whether plugins can use this version: `2.11.0+cu130` is as good as `2.11.0`, but `2.11.0a0+git…` is not.
pub fn is_wanted(version: &str) -> bool {
    version.split('+').next() == Some(VERSION)
}

/// A folder with libtorch's `lib` and `include`: an unpacked libtorch, or the `torch` of a Python package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torch {
    /// The absolute path, without links.
    pub folder: PathBuf,
    /// The recorded version, such as `2.11.0+cu130`.
    pub version: String,
    /// Whether everything that an NVIDIA GPU needs is there.
    pub cuda: bool,
}

impl Torch {
    /// Inspects a folder, or the parent if it is a `lib` folder.
    ///
    /// # Errors
    /// It is not a libtorch, another version, or incomplete.
    pub fn inspect(folder: &Path) -> Result<Self, String> {
        let mut folder =
            folder.canonicalize().map_err(|e| format!("{} cannot be reached: {e}", folder.display()))?;
        if folder.join(CPU).is_file() {
            folder.pop();
        }
        let shown = folder.display();
        let version = version_of(&folder).ok_or_else(|| {
            format!(
                "{shown} is not a libtorch: it has neither a version.py nor a build-version with a version"
            )
        })?;
        if !is_wanted(&version) {
            return Err(format!("{shown} is version {version}, but gradtop needs {VERSION}"));
        }
        let missing =
            ["lib/libtorch_cpu.so", "lib/libc10.so", "include/torch/csrc/api/include/torch/torch.h"]
                .into_iter()
                .find(|file| !folder.join(file).exists());
        if let Some(file) = missing {
            return Err(format!("{shown} is incomplete: {file} is missing"));
        }
        let cuda = has_cuda(&folder);
        Ok(Self { folder, version, cuda })
    }
}

/// Returns whether the CUDA libraries are there. For a Python package they are separate packages in `nvidia/`. A CPU
/// set-up by gradtop also has that folder, with only the two libraries that libtorch always needs, so check for cuDNN.
fn has_cuda(torch: &Path) -> bool {
    let beside = torch.parent().map(|parent| parent.join("nvidia")).filter(|nvidia| nvidia.is_dir());
    torch.join("lib").join(CUDA).exists()
        && beside.is_none_or(|nvidia| nvidia.join("cudnn/lib/libcudnn.so.9").exists())
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

    /// A folder that passes for Python's torch of a version.
    fn fake(folder: &Path, version: &str) {
        std::fs::create_dir_all(folder.join("lib")).unwrap();
        std::fs::create_dir_all(folder.join("include/torch/csrc/api/include/torch")).unwrap();
        for file in ["lib/libtorch_cpu.so", "lib/libc10.so", "include/torch/csrc/api/include/torch/torch.h"] {
            std::fs::write(folder.join(file), "").unwrap();
        }
        let text =
            format!("from typing import Optional\n__all__ = ['__version__']\n__version__ = '{version}'\n");
        std::fs::write(folder.join("version.py"), text).unwrap();
    }

    #[test]
    fn only_the_exact_release_is_wanted() {
        assert!(is_wanted("2.11.0") && is_wanted("2.11.0+cpu") && is_wanted("2.11.0+cu130"));
        for version in ["2.11.1", "2.12.0", "2.11.0a0+git123", "2.11.01", "", "2.11"] {
            assert!(!is_wanted(version), "{version}");
        }
    }

    #[test]
    fn a_good_folder_passes_and_each_fault_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let torch = temp.path().join("torch");
        let refusal = |torch: &Path| Torch::inspect(torch).unwrap_err();
        assert!(refusal(&torch).contains("cannot be reached"));
        fake(&torch, "2.11.0+cu130");
        let found = Torch::inspect(&torch).unwrap();
        assert_eq!((found.version.as_str(), found.cuda), ("2.11.0+cu130", false));
        assert_eq!(found.folder, torch.canonicalize().unwrap());
        assert_eq!(Torch::inspect(&torch.join("lib")).unwrap(), found);
        std::fs::remove_file(torch.join("lib/libtorch_cpu.so")).unwrap();
        assert!(refusal(&torch).contains("lib/libtorch_cpu.so is missing"));
        fake(&torch, "2.9.1");
        assert!(refusal(&torch).contains("is version 2.9.1, but gradtop needs 2.11.0"));
        std::fs::write(torch.join("version.py"), "").unwrap();
        assert!(refusal(&torch).contains("is not a libtorch"));
    }

    #[test]
    fn cuda_needs_its_libraries_beside_the_package() {
        let temp = tempfile::tempdir().unwrap();
        let torch = temp.path().join("torch");
        fake(&torch, "2.11.0+cu130");
        let words = || in_words(&torch.join("lib")).split(" in ").next().map(str::to_owned).unwrap();
        std::fs::write(torch.join("lib").join(CUDA), "").unwrap();
        assert_eq!(words(), "2.11.0+cu130");
        assert!(Torch::inspect(&torch).unwrap().cuda, "an unpacked libtorch has everything in lib");
        let nvidia = temp.path().join("nvidia");
        std::fs::create_dir_all(nvidia.join("cu13/lib")).unwrap();
        assert!(!Torch::inspect(&torch).unwrap().cuda, "our CPU set-up");
        assert_eq!(words(), "2.11.0+cu130, without the libraries of CUDA: for the CPU only,");
        std::fs::create_dir_all(nvidia.join("cudnn/lib")).unwrap();
        std::fs::write(nvidia.join("cudnn/lib/libcudnn.so.9"), "").unwrap();
        assert!(Torch::inspect(&torch).unwrap().cuda);
    }
}
