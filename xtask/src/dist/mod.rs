//! `cargo xtask dist`: packs the program for people without Rust, as an archive and as a Python wheel.

mod binary;
mod layout;
mod portable;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

pub(crate) use self::layout::lay_out;
use crate::workspace::{Workspace, succeed};
use crate::{run, setup};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The maximal size of the archive, in bytes.
const LIMIT: u64 = 40_000_000;

#[derive(Debug, PartialEq, Eq)]
struct Options {
    wheel: bool,
    /// Packs what `cargo build` has built for this machine, without building.
    as_built: bool,
    out: PathBuf,
}

/// Builds and packs one of the two, and prints its path.
pub(crate) fn dist(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    let options = options(args, &workspace.root.join("dist"))?;
    // A wheel has no plugins, so it needs no libtorch.
    if !options.as_built && !options.wheel {
        setup::ensure(workspace)?;
        run::build(workspace)?;
    }
    let program = if options.as_built { workspace.program() } else { portable::build(workspace)? };
    fs::create_dir_all(&options.out).with_context(|| format!("cannot make {}", options.out.display()))?;
    let scratch = options.out.join(".part");
    fs::remove_dir_all(&scratch).ok();
    fs::create_dir(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let level = if options.as_built { 3 } else { 19 };
    let done = if options.wheel {
        wheel(workspace, &program, &scratch, &options.out)
    } else {
        archive(workspace, &program, &scratch, &options.out, level)
    };
    fs::remove_dir_all(&scratch).ok();
    done?;
    Ok(ExitCode::SUCCESS)
}

fn options(args: &[String], out: &Path) -> Result<Options> {
    let mut options = Options { wheel: false, as_built: false, out: out.to_owned() };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "wheel" => options.wheel = true,
            "--as-built" => options.as_built = true,
            "--out" => options.out = std::path::absolute(args.next().context("--out needs a folder")?)?,
            other => bail!("unknown argument `{other}`: dist [wheel] [--as-built] [--out DIR]"),
        }
    }
    Ok(options)
}

/// Packs the archive, and a second one with its debug information.
fn archive(workspace: &Workspace, program: &Path, scratch: &Path, out: &Path, level: u32) -> Result<()> {
    let name = format!("gradtop-{VERSION}-linux-x86_64");
    let (folder, debug) = (scratch.join(&name), scratch.join(format!("{name}-debug")));
    fs::create_dir(&debug).with_context(|| format!("cannot make {}", debug.display()))?;
    lay_out(workspace, program, &folder, Some(&debug))?;
    let packed = pack(&folder, out, level)?;
    pack(&debug, out, level)?;
    limited(&packed, fs::metadata(&packed)?.len(), LIMIT)
}

/// Rejects what is larger than `limit` bytes.
pub(crate) fn limited(path: &Path, size: u64, limit: u64) -> Result<()> {
    if size > limit {
        bail!("{} has {size} bytes, more than the {limit} that are allowed", path.display());
    }
    Ok(())
}

/// Packs a folder reproducibly: the same files give the same bytes.
fn pack(folder: &Path, out: &Path, level: u32) -> Result<PathBuf> {
    let (parent, name) = folder.parent().zip(folder.file_name()).context("a folder with a name")?;
    let file = out.join(name).with_added_extension("tar.zst");
    let mut tar = Command::new("tar");
    tar.args(["--create", "--format=ustar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0"]);
    tar.args(["--numeric-owner", "--mode=u=rwX,go=rX", "--file=-", "--directory"]).arg(parent).arg(name);
    let mut tar = tar.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start tar")?;
    let mut zstd = Command::new("zstd");
    zstd.args(["--quiet", "--force", &format!("-{level}"), "-o"]).arg(&file).arg("-");
    zstd.stdin(tar.stdout.take().context("tar has no output")?);
    let packed = succeed(&mut zstd).context("packing needs zstd: `sudo apt install zstd`");
    let status = tar.wait()?;
    packed?;
    if !status.success() {
        bail!("`tar` failed ({status})");
    }
    println!("{} ({:.1} MB)", file.display(), fs::metadata(&file)?.len() as f64 / 1e6);
    Ok(file)
}

/// Packs the program and the client for pip.
fn wheel(workspace: &Workspace, program: &Path, scratch: &Path, out: &Path) -> Result<()> {
    let stripped = scratch.join("gradtop");
    binary::strip(program, &stripped, None)?;
    let licences = scratch.join("THIRD-PARTY-LICENCES.txt");
    layout::licences(workspace, &["gradtop".to_owned()], &licences)?;
    let root = &workspace.root;
    let mut python = Command::new("python3");
    python.arg(root.join("xtask/dist/wheel.py")).arg(out).arg(VERSION).arg(&stripped);
    python.args(
        ["python/gradtop.py", "docs/python.md", "LICENSE-MIT", "LICENSE-APACHE"].map(|file| root.join(file)),
    );
    succeed(python.arg(&licences).stdin(Stdio::null()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn arguments_in_any_order() {
        let asked = |args: &[&str]| {
            options(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>(), Path::new("/w/dist"))
        };
        assert_eq!(asked(&[]).unwrap(), Options { wheel: false, as_built: false, out: "/w/dist".into() });
        let all = asked(&["--out", "/o", "--as-built", "wheel"]).unwrap();
        assert_eq!(all, Options { wheel: true, as_built: true, out: "/o".into() });
        assert!(asked(&["--out"]).is_err());
        assert!(asked(&["whel"]).unwrap_err().to_string().contains("unknown argument `whel`"));
    }

    #[test]
    fn the_same_files_are_the_same_bytes_whatever_their_times() {
        let temp = tempfile::tempdir().unwrap();
        let packed: Vec<Vec<u8>> = ["one", "two"]
            .map(|name| {
                let folder = temp.path().join(name).join("it");
                fs::create_dir_all(&folder).unwrap();
                // In another order each time.
                let mut files = ["a", "b"];
                if name == "two" {
                    files.reverse();
                }
                for file in files {
                    fs::write(folder.join(file), file).unwrap();
                }
                let day = if name == "two" { 86_400 } else { 0 };
                let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(day);
                fs::File::open(folder.join("a")).unwrap().set_modified(time).unwrap();
                fs::read(pack(&folder, &temp.path().join(name), 3).unwrap()).unwrap()
            })
            .into();
        assert_eq!(packed[0], packed[1]);
    }
}
