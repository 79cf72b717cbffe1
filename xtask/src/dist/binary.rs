//! Programs and libraries: separating debug information, and the required glibc.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::workspace::succeed;

/// Strips `file` and writes it to `to`. With `debug`, the symbols are written to that folder, where debuggers find them by a
/// link.
pub(crate) fn strip(file: &Path, to: &Path, debug: Option<&Path>) -> Result<()> {
    let needed = "stripping needs binutils: `sudo apt install binutils`";
    succeed(Command::new("strip").arg("-o").arg(to).arg(file)).context(needed)?;
    if let Some(folder) = debug {
        let name = file.file_name().context("a file with a name")?;
        let apart = folder.join(name).with_added_extension("debug");
        succeed(Command::new("objcopy").arg("--only-keep-debug").arg(file).arg(&apart)).context(needed)?;
        let mut link = Command::new("objcopy");
        link.arg(format!("--add-gnu-debuglink={}", apart.display())).arg(to);
        succeed(&mut link).context(needed)?;
    }
    Ok(())
}

/// The minor number of the newest glibc 2.x that a program or library needs.
pub(crate) fn glibc(file: &Path) -> Result<u32> {
    let done = Command::new("objdump")
        .arg("--dynamic-syms")
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .context("looking at programs needs binutils: `sudo apt install binutils`")?;
    if !done.status.success() {
        bail!("objdump failed: {}", String::from_utf8_lossy(&done.stderr).trim());
    }
    newest(&String::from_utf8_lossy(&done.stdout))
        .with_context(|| format!("{} needs no glibc", file.display()))
}

/// Parses the output of `objdump`. `GLIBC_2.3.4` counts as 2.3.
fn newest(symbols: &str) -> Option<u32> {
    let versions = symbols.split("(GLIBC_2.").skip(1);
    versions.filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).max()
}

pub(crate) fn commit(root: &Path) -> String {
    let git = |args: &[&str]| {
        let done = Command::new("git").args(args).current_dir(root).output().ok()?;
        done.status.success().then(|| String::from_utf8_lossy(&done.stdout).trim().to_owned())
    };
    match (git(&["rev-parse", "HEAD"]), git(&["status", "--porcelain"])) {
        (Some(commit), Some(changes)) if changes.is_empty() => commit,
        (Some(commit), _) => format!("{commit} with changes"),
        (None, _) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::fs;

    use super::*;

    #[test]
    fn the_newest_version_counts_as_a_number() {
        let symbols = "\
            0000 DF *UND* 0000 (GLIBC_2.2.5) read\n\
            0000 DF *UND* 0000 (GLIBC_2.28) fcntl64\n\
            0000 DF *UND* 0000 (GLIBC_2.3.4) __chk\n\
            0000 DF *UND* 0000 (GCC_3.0) _Unwind_Resume\n";
        assert_eq!(newest(symbols), Some(28));
        assert_eq!(newest("0000 DF *UND* 0000 (GCC_3.0) _Unwind_Resume"), None);
        assert!(glibc(&std::env::current_exe().unwrap()).unwrap() >= 17);
    }

    #[test]
    fn debug_information_is_apart_and_found_by_its_name() {
        let temp = tempfile::tempdir().unwrap();
        let own = std::env::current_exe().unwrap();
        let (file, debug) = (temp.path().join("program"), temp.path().join("debug"));
        fs::create_dir(&debug).unwrap();
        fs::copy(&own, &file).unwrap();
        let (bare, linked) = (temp.path().join("bare"), temp.path().join("linked"));
        strip(&file, &bare, None).unwrap();
        strip(&file, &linked, Some(&debug)).unwrap();
        let size = |path: &Path| fs::metadata(path).unwrap().len();
        assert!(size(&bare) < size(&file), "it still has its symbols");
        assert!(size(&linked) < size(&bare) + 1000);
        assert!(size(&debug.join("program.debug")) > 0);
        let bytes = fs::read(&linked).unwrap();
        assert!(bytes.windows(13).any(|w| w == b"program.debug"), "it names its debug information");
    }
}
