//! What a libtorch folder is: its version, whether it is whole, whether it can use a GPU.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The only version that tch 0.24 builds against.
pub(crate) const VERSION: &str = "2.11.0";

/// A folder with libtorch's `lib` and `include`: an unpacked libtorch, or the `torch` of a Python package.
pub(crate) struct Libtorch {
    /// Absolute, without links.
    pub(crate) folder: PathBuf,
    /// Brings all that is needed to use an NVIDIA GPU.
    pub(crate) cuda: bool,
}

impl Libtorch {
    /// Looks at a folder and says what is wrong with it, if anything.
    pub(crate) fn inspect(folder: &Path) -> Result<Self> {
        let folder =
            folder.canonicalize().with_context(|| format!("{} cannot be reached", folder.display()))?;
        let Some(version) = version_of(&folder) else {
            bail!(
                "{} is no libtorch: it holds neither build-version nor version.py with a version",
                folder.display()
            );
        };
        if !is_wanted(&version) {
            bail!("{} is version {version}, but gradtop needs {VERSION}", folder.display());
        }
        for file in ["lib/libtorch_cpu.so", "lib/libc10.so", "include/torch/csrc/api/include/torch/torch.h"] {
            if !folder.join(file).exists() {
                bail!("{} is not whole: {file} is missing", folder.display());
            }
        }
        let cuda = has_cuda(&folder);
        Ok(Self { folder, cuda })
    }

    /// What a user wants to know of it.
    pub(crate) fn describe(&self) -> String {
        let kind = if self.cuda { "CPU and CUDA" } else { "CPU" };
        format!("libtorch {VERSION} ({kind}) in {}", self.folder.display())
    }
}

/// The version written in an unpacked libtorch or in Python's package, as it stands there.
pub(crate) fn version_of(folder: &Path) -> Option<String> {
    if let Ok(text) = fs::read_to_string(folder.join("build-version")) {
        return Some(text.trim().to_owned()).filter(|version| !version.is_empty());
    }
    parse_version_py(&fs::read_to_string(folder.join("version.py")).ok()?)
}

fn parse_version_py(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix("__version__")?.trim().strip_prefix('='))?;
    let value = value.trim().trim_matches(['\'', '"']);
    (!value.is_empty()).then(|| value.to_owned())
}

/// `2.11.0+cu130` and `2.11.0` are the same to us; `2.11.0a0+git…` and `2.11.01` are not.
pub(crate) fn is_wanted(version: &str) -> bool {
    version.split('+').next() == Some(VERSION)
}

/// The CUDA libraries of Python's package are packages of their own beside it, in `nvidia/`. Our CPU set-up
/// has that folder too, with only the two libraries that libtorch cannot be opened without; cuDNN tells.
fn has_cuda(folder: &Path) -> bool {
    let beside = folder.parent().map(|parent| parent.join("nvidia")).filter(|nvidia| nvidia.is_dir());
    folder.join("lib/libtorch_cuda.so").exists()
        && beside.is_none_or(|nvidia| nvidia.join("cudnn/lib/libcudnn.so.9").exists())
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// A folder that passes for Python's torch of a version.
    pub(crate) fn fake(folder: &Path, version: &str) {
        fs::create_dir_all(folder.join("lib")).unwrap();
        fs::create_dir_all(folder.join("include/torch/csrc/api/include/torch")).unwrap();
        for file in ["lib/libtorch_cpu.so", "lib/libc10.so", "include/torch/csrc/api/include/torch/torch.h"] {
            fs::write(folder.join(file), "").unwrap();
        }
        fs::write(folder.join("version.py"), format!("__version__ = '{version}'\ndebug = False\n")).unwrap();
    }

    fn refusal(folder: &Path) -> String {
        Libtorch::inspect(folder).err().map(|error| format!("{error:#}")).unwrap_or_default()
    }

    #[test]
    fn versions_are_read_as_written() {
        let text = "from typing import Optional\n\n__all__ = ['__version__', 'debug']\n__version__ = '2.11.0+cu130'\n";
        assert_eq!(parse_version_py(text).as_deref(), Some("2.11.0+cu130"));
        assert_eq!(parse_version_py("__version__: str = \"1\"\n"), None);
        assert_eq!(parse_version_py("version = '2.11.0'\n"), None);
        assert_eq!(parse_version_py("__version__ = ''\n"), None);
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
        assert!(refusal(&torch).contains("cannot be reached"));
        fake(&torch, "2.11.0+cu130");
        let found = Libtorch::inspect(&torch).unwrap();
        assert!(!found.cuda);
        assert_eq!(found.folder, torch.canonicalize().unwrap());
        fs::remove_file(torch.join("lib/libtorch_cpu.so")).unwrap();
        assert!(refusal(&torch).contains("lib/libtorch_cpu.so is missing"));
        fake(&torch, "2.9.1");
        assert!(refusal(&torch).contains("is version 2.9.1, but gradtop needs 2.11.0"));
        fs::write(torch.join("version.py"), "").unwrap();
        assert!(refusal(&torch).contains("is no libtorch"));
    }

    #[test]
    fn an_unpacked_libtorch_tells_its_version_in_build_version() {
        let temp = tempfile::tempdir().unwrap();
        fake(temp.path(), "9.9.9");
        fs::write(temp.path().join("build-version"), "2.11.0+cpu\n").unwrap();
        assert_eq!(version_of(temp.path()).as_deref(), Some("2.11.0+cpu"));
        Libtorch::inspect(temp.path()).unwrap();
    }

    #[test]
    fn cuda_needs_its_libraries_beside_the_package() {
        let temp = tempfile::tempdir().unwrap();
        let torch = temp.path().join("torch");
        fake(&torch, VERSION);
        fs::write(torch.join("lib/libtorch_cuda.so"), "").unwrap();
        assert!(Libtorch::inspect(&torch).unwrap().cuda, "an unpacked libtorch has everything in lib");
        let nvidia = temp.path().join("nvidia");
        fs::create_dir_all(nvidia.join("cu13/lib")).unwrap();
        assert!(!Libtorch::inspect(&torch).unwrap().cuda, "our CPU set-up");
        fs::create_dir_all(nvidia.join("cudnn/lib")).unwrap();
        fs::write(nvidia.join("cudnn/lib/libcudnn.so.9"), "").unwrap();
        assert!(Libtorch::inspect(&torch).unwrap().cuda);
    }
}
