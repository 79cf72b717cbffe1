//! `gradtop setup`: finds libtorch 2.11.0 and DuckDB on this machine, or downloads them to the user's cache.

pub(crate) mod duckdb;
mod packages;
mod python;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use gradtop_host::libtorch::{Torch, VERSION};
use gradtop_host::{device, libtorch};
use packages::Packages;

use crate::failure::Failure;
use crate::print;

/// Environment variables for a torch folder; the first one that is set applies.
const GIVEN: [&str; 2] = ["GRADTOP_LIBTORCH", "LIBTORCH"];

/// Finds or downloads libtorch, and records where it is. Also says where it was found: an environment variable, the active Python
/// or the cache. With `cuda`, or if there is an NVIDIA GPU, it must support CUDA.
///
/// # Errors
/// The named one cannot be used, or none can be downloaded; the message says what to do.
pub(crate) fn setup(cuda: bool) -> Result<(Torch, &'static str)> {
    let found = choose(cuda)?;
    libtorch::remember(&found.0.folder).context("cannot record where libtorch is")?;
    Ok(found)
}

fn choose(asked: bool) -> Result<(Torch, &'static str)> {
    let given = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some((name, folder)) = GIVEN.iter().find_map(|name| Some((*name, given(name)?))) {
        let found = Torch::inspect(&folder).map_err(|why| {
            Failure::new(format!("{name} cannot be used: {why}")).help(format!(
                "unset it to find or download the right one, or set it to a libtorch {VERSION}"
            ))
        })?;
        if asked && !found.cuda {
            let text = format!("{name} names a libtorch without CUDA, {}", found.folder.display());
            return Err(Failure::new(text).help("unset it, or drop --cuda").into());
        }
        return Ok((found, name));
    }
    let wanted = asked || device::gpus().is_ok_and(|gpus| !gpus.is_empty());
    if let Some(found) = of_python().filter(|found| found.cuda || !wanted) {
        return Ok((found, "the active Python"));
    }
    let cache = packages::cache()?;
    // An existing one with more capabilities will do.
    let brought = if wanted || for_cuda().folder(&cache).exists() { for_cuda() } else { for_cpu() };
    let folder = brought.ensure(&cache)?.join("torch");
    let found = inspect(&folder)
        .with_context(|| format!("remove {} and run this again", brought.folder(&cache).display()))?;
    Ok((found, "the cache"))
}

fn inspect(folder: &Path) -> Result<Torch> {
    Torch::inspect(folder).map_err(|why| anyhow!(why))
}

fn of_python() -> Option<Torch> {
    let folder = python::torch()?;
    Torch::inspect(&folder)
        .inspect_err(|why| print::note(&format!("the active Python's PyTorch is not used: {why}")))
        .ok()
}

/// The pip arguments for the torch wheel, whichever Python runs pip.
fn torch_wheel() -> Vec<String> {
    let mut args: Vec<String> =
        ["--implementation", "cp", "--python-version", "3.12"].map(str::to_owned).into();
    // pip matches tags literally: torch is tagged 2_28, NVIDIA's packages 2_17, 2014 or 2_25.
    let tags = (17..=28).map(|minor| format!("manylinux_2_{minor}_x86_64"));
    for tag in tags.chain(["manylinux2014_x86_64".to_owned()]) {
        args.extend(["--platform".to_owned(), tag]);
    }
    args.push(format!("torch=={VERSION}"));
    args
}

/// The minimum for CPUs: `libtorch_cpu.so` of the only wheel cannot be opened without these two packages.
fn for_cpu() -> Packages<'static> {
    let mut pip = torch_wheel();
    pip.extend(
        ["--no-deps", "nvidia-cuda-runtime==13.0.96", "nvidia-cuda-cupti==13.0.85"].map(str::to_owned),
    );
    Packages {
        name: "libtorch-2.11.0-cpu",
        what: "libtorch 2.11.0",
        size: "about 550 MB",
        pip,
        hashed: None,
        verify: is_whole,
    }
}

/// The wheel with all its requirements.
fn for_cuda() -> Packages<'static> {
    Packages {
        name: "libtorch-2.11.0-cuda",
        what: "libtorch 2.11.0 with CUDA",
        size: "about 2.7 GB",
        pip: torch_wheel(),
        hashed: None,
        verify: |folder| {
            if !inspect(&folder.join("torch"))?.cuda {
                bail!("libtorch_cuda.so or cuDNN is missing");
            }
            Ok(())
        },
    }
}

fn is_whole(folder: &Path) -> Result<()> {
    inspect(&folder.join("torch"))?;
    for file in ["nvidia/cu13/lib/libcudart.so.13", "nvidia/cu13/lib/libcupti.so.13"] {
        if !folder.join(file).exists() {
            bail!("{file} is missing");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::fs;

    use super::*;

    #[test]
    fn the_for_cpu_is_whole_only_with_its_two_cuda_libraries() {
        let temp = tempfile::tempdir().unwrap();
        let torch = temp.path().join("torch");
        for file in ["lib/libtorch_cpu.so", "lib/libc10.so", "include/torch/csrc/api/include/torch/torch.h"] {
            fs::create_dir_all(torch.join(file).parent().unwrap()).unwrap();
            fs::write(torch.join(file), "").unwrap();
        }
        fs::write(torch.join("version.py"), "__version__ = '2.11.0+cu130'").unwrap();
        assert!(is_whole(temp.path()).unwrap_err().to_string().contains("libcudart.so.13 is missing"));
        let lib = temp.path().join("nvidia/cu13/lib");
        fs::create_dir_all(&lib).unwrap();
        for file in ["libcudart.so.13", "libcupti.so.13"] {
            fs::write(lib.join(file), "").unwrap();
        }
        is_whole(temp.path()).unwrap();
    }

    #[test]
    fn every_tag_that_nvidia_uses_is_asked_for() {
        let args = torch_wheel().join(" ");
        for tag in [
            "manylinux_2_17_x86_64",
            "manylinux_2_25_x86_64",
            "manylinux_2_28_x86_64",
            "manylinux2014_x86_64",
        ] {
            assert!(args.contains(&format!("--platform {tag}")), "{tag}");
        }
        assert!(args.ends_with("torch==2.11.0"));
        assert!(for_cpu().pip.contains(&"--no-deps".to_owned()));
        assert!(!for_cuda().pip.contains(&"--no-deps".to_owned()));
    }

    #[test]
    fn the_two_downloads_have_folders_of_their_own() {
        assert_ne!(for_cpu().name, for_cuda().name);
        assert!(for_cpu().name.contains(VERSION) && for_cuda().name.contains(VERSION));
    }
}
