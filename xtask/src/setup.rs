//! libtorch 2.11.0: found on this machine, or brought into the user's cache.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::download::Download;
use crate::libtorch::{self, Libtorch, VERSION};
use crate::workspace::{Workspace, cache_dir, succeed};
use crate::{link, toolchain};

/// `cargo xtask setup`: chooses anew.
pub(crate) fn setup(workspace: &Workspace, cuda: bool) -> Result<()> {
    toolchain::check_platform()?;
    toolchain::check_compiler(&workspace.release.join("xtask-check"))?;
    let cache = cache_dir()?;
    let chosen = choose(workspace, &cache, cuda || toolchain::gpu_seen(), cuda)?;
    put_in_place(workspace, &cache, &chosen)?;
    eprintln!("Using {}", chosen.describe());
    Ok(())
}

/// What `run` and `test` call: nothing to do where the checkout is set up, unless LIBTORCH names another.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    let Ok(current) = Libtorch::inspect(&link::link_path(&workspace.root)) else {
        return setup(workspace, false);
    };
    if given(workspace).is_some_and(|folder| folder.canonicalize().ok().as_ref() != Some(&current.folder)) {
        return setup(workspace, false);
    }
    link::record(&cache_dir()?, &current.folder)
}

/// LIBTORCH as the user set it. cargo hands us the checkout's own link by the same name; that is not it.
fn given(workspace: &Workspace) -> Option<PathBuf> {
    let folder = PathBuf::from(env::var_os("LIBTORCH").filter(|value| !value.is_empty())?);
    (folder != link::link_path(&workspace.root)).then_some(folder)
}

fn choose(workspace: &Workspace, cache: &Path, want_cuda: bool, cuda_asked: bool) -> Result<Libtorch> {
    if let Some(folder) = given(workspace) {
        let found = Libtorch::inspect(&folder).context(
            "LIBTORCH cannot be used.\n  Unset it, and the right one is found or brought; \
             or let it name a libtorch 2.11.0\n  The reason",
        )?;
        if cuda_asked && !found.cuda {
            bail!("--cuda was asked for, but LIBTORCH names {}: unset it, or drop --cuda", found.describe());
        }
        return Ok(found);
    }
    if let Some(found) = of_python().filter(|found| found.cuda || !want_cuda) {
        return Ok(found);
    }
    let (cpu, cuda) = (cpu_download(), cuda_download());
    // What is there already and can do more than asked is as good.
    let brought = if want_cuda || cuda.folder(cache).exists() { cuda } else { cpu };
    let folder = brought.ensure(cache)?.join("torch");
    Libtorch::inspect(&folder)
        .with_context(|| format!("remove {} and run this again", brought.folder(cache).display()))
}

/// The `PyTorch` of the active Python, found without importing it (that would take seconds).
fn of_python() -> Option<Libtorch> {
    // `''` is the current folder, where any folder named torch would count.
    let code = "import sys, importlib.util as u\nsys.path = [p for p in sys.path if p]\n\
                s = u.find_spec('torch')\nprint(s.origin or '' if s else '')";
    let origin = toolchain::python(code).ok().filter(|origin| !origin.is_empty())?;
    let folder = Path::new(&origin).parent()?;
    let version = libtorch::version_of(folder)?;
    if !libtorch::is_wanted(&version) {
        eprintln!("The active Python has PyTorch {version}; gradtop needs {VERSION} and takes its own");
        return None;
    }
    Libtorch::inspect(folder)
        .inspect_err(|error| eprintln!("The active Python's PyTorch is not used: {error:#}"))
        .ok()
}

/// pip arguments for the torch wheel, whatever the Python that runs pip.
fn torch_wheel() -> Vec<String> {
    let mut args: Vec<String> =
        ["--implementation", "cp", "--python-version", "3.12"].map(str::to_owned).into();
    // pip takes a tag literally: torch is tagged 2_28, but NVIDIA's packages 2_17, 2014 or 2_25.
    let tags = (17..=28).map(|minor| format!("manylinux_2_{minor}_x86_64"));
    for tag in tags.chain(["manylinux2014_x86_64".to_owned()]) {
        args.extend(["--platform".to_owned(), tag]);
    }
    args.push(format!("torch=={VERSION}"));
    args
}

/// Enough for the CPU: `libtorch_cpu.so` of the one wheel there is cannot be opened without these two.
fn cpu_download() -> Download<'static> {
    let mut pip = torch_wheel();
    pip.extend(
        ["--no-deps", "nvidia-cuda-runtime==13.0.96", "nvidia-cuda-cupti==13.0.85"].map(str::to_owned),
    );
    Download {
        name: "libtorch-2.11.0-cpu",
        what: "libtorch 2.11.0",
        size: "about 550 MB",
        pip,
        verify: is_whole,
    }
}

/// The wheel with everything it requires.
fn cuda_download() -> Download<'static> {
    Download {
        name: "libtorch-2.11.0-cuda",
        what: "libtorch 2.11.0 with CUDA",
        size: "about 2.7 GB",
        pip: torch_wheel(),
        verify: |folder| {
            if !Libtorch::inspect(&folder.join("torch"))?.cuda {
                bail!("libtorch_cuda.so or cuDNN is missing");
            }
            Ok(())
        },
    }
}

fn is_whole(folder: &Path) -> Result<()> {
    Libtorch::inspect(&folder.join("torch"))?;
    for file in ["nvidia/cu13/lib/libcudart.so.13", "nvidia/cu13/lib/libcupti.so.13"] {
        if !folder.join(file).exists() {
            bail!("{file} is missing");
        }
    }
    Ok(())
}

fn put_in_place(workspace: &Workspace, cache: &Path, chosen: &Libtorch) -> Result<()> {
    let before = Libtorch::inspect(&link::link_path(&workspace.root)).ok();
    let moved = link::point(&workspace.root, &chosen.folder)?;
    link::record(cache, &chosen.folder)?;
    if moved && workspace.release.join("build").exists() {
        forget_builds(workspace, before.as_ref(), chosen)?;
    }
    Ok(())
}

/// LIBTORCH keeps its value when the link moves, so cargo cannot know: what was built with the old path in it
/// is forgotten. torch-sys, minutes of C++, only if what it links differs.
fn forget_builds(workspace: &Workspace, before: Option<&Libtorch>, chosen: &Libtorch) -> Result<()> {
    let links_cuda = |found: &Libtorch| found.folder.join("lib/libtorch_cuda.so").exists();
    let mut packages = workspace.plugin_packages()?;
    packages.extend(["gradtop-toolkit", "gradtop-torch"].map(str::to_owned));
    if before.map(links_cuda) != Some(links_cuda(chosen)) {
        packages.push("torch-sys".to_owned());
    }
    for profile in ["release", "dev"] {
        let mut cargo = workspace.cargo();
        cargo.args(["clean", "--quiet", "--profile", profile]);
        for package in &packages {
            cargo.args(["-p", package]);
        }
        succeed(&mut cargo)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::fs;

    use super::*;
    use crate::libtorch::tests::fake;

    #[test]
    fn the_cpu_download_is_whole_only_with_its_two_cuda_libraries() {
        let temp = tempfile::tempdir().unwrap();
        fake(&temp.path().join("torch"), "2.11.0+cu130");
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
        assert!(cpu_download().pip.contains(&"--no-deps".to_owned()));
        assert!(!cuda_download().pip.contains(&"--no-deps".to_owned()));
    }

    #[test]
    fn the_two_downloads_have_folders_of_their_own() {
        assert_ne!(cpu_download().name, cuda_download().name);
        assert!(cpu_download().name.contains(VERSION) && cuda_download().name.contains(VERSION));
    }
}
