//! Checks what must be on the machine: platform, C++ compiler, python3. Each has a message with a remedy.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The oldest supported glibc.
const GLIBC: (u32, u32) = (2, 34);

/// Rejects platforms without libtorch packages.
pub(crate) fn check_platform() -> Result<()> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")) {
        bail!(
            "gradtop is made for Linux on x86-64 with glibc; this is {} on {}. \
             With a libtorch of your own, LIBTORCH=FOLDER may still work.",
            env::consts::OS,
            env::consts::ARCH
        );
    }
    // Without getconf nothing is known; the dynamic linker will report it later.
    if let Ok(output) = Command::new("getconf").arg("GNU_LIBC_VERSION").output()
        && let Some(found) = parse_glibc(&String::from_utf8_lossy(&output.stdout))
        && found < GLIBC
    {
        bail!(
            "glibc here is {}.{}, gradtop needs {}.{} or newer (Debian 12, Ubuntu 22.04, RHEL 9 or later)",
            found.0,
            found.1,
            GLIBC.0,
            GLIBC.1
        );
    }
    Ok(())
}

fn parse_glibc(text: &str) -> Option<(u32, u32)> {
    let (major, rest) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    let minor = rest.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Compiles and links a tiny C++17 program with the compiler that torch-sys will use.
pub(crate) fn check_compiler(scratch: &Path) -> Result<()> {
    let named = env::var("CXX").ok().filter(|name| !name.trim().is_empty());
    let compiler = named.clone().unwrap_or_else(|| "c++".to_owned());
    let Err(problem) = compile(&compiler, scratch) else { return Ok(()) };
    let hint = match &named {
        Some(name) => format!("CXX names `{name}`: set it to a working C++17 compiler, or unset it"),
        None => match ["g++", "clang++"].into_iter().find(|other| compile(other, scratch).is_ok()) {
            Some(other) => format!("`{other}` works here: export CXX={other}, then run this again"),
            None => "install one: `sudo apt install g++`, or `sudo dnf install gcc-c++`".to_owned(),
        },
    };
    bail!("libtorch's binding needs a C++17 compiler, but {problem}.\n  {hint}")
}

/// With OpenMP, because torch-sys links it.
fn compile(compiler: &str, scratch: &Path) -> std::result::Result<(), String> {
    let unwritable = |error| format!("{} cannot be written: {error}", scratch.display());
    fs::create_dir_all(scratch).map_err(unwritable)?;
    let (source, output) = (scratch.join("check.cpp"), scratch.join("check"));
    let text = "#include <string_view>\n#include <optional>\n\
                int main() { std::optional<std::string_view> s{\"c++17\"}; return s->size() == 5 ? 0 : 1; }\n";
    fs::write(&source, text).map_err(unwritable)?;
    let mut words = compiler.split_whitespace();
    let result = Command::new(words.next().unwrap_or("c++"))
        .args(words)
        .arg("-std=c++17")
        .arg(&source)
        .arg("-o")
        .arg(&output)
        .arg("-lgomp")
        .stdin(Stdio::null())
        .output();
    let outcome = match result {
        Ok(done) if done.status.success() => Ok(()),
        Ok(done) => {
            let said = String::from_utf8_lossy(&done.stderr);
            let first = said.lines().find(|line| line.contains("rror")).unwrap_or("it said nothing");
            Err(format!("`{compiler}` cannot compile and link a tiny program ({first})"))
        }
        Err(error) => Err(format!("`{compiler}` cannot be started ({error})")),
    };
    fs::remove_dir_all(scratch).ok();
    outcome
}

/// Runs a line of Python. Returns its output without the trailing line break.
pub(crate) fn python(code: &str) -> Result<String> {
    let output = Command::new("python3")
        .args(["-c", code])
        .stdin(Stdio::null())
        .output()
        .context("cannot start python3")?;
    if !output.status.success() {
        bail!("python3 failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn glibc_versions_compare_as_numbers() {
        assert_eq!(parse_glibc("glibc 2.36\n"), Some((2, 36)));
        assert_eq!(parse_glibc("glibc 2.4.1"), Some((2, 4)));
        assert!(parse_glibc("glibc 2.4").unwrap() < GLIBC);
        assert_eq!(parse_glibc("musl 1.2"), None);
    }

    #[test]
    fn a_compiler_that_is_not_there_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let scratch = temp.path().join("scratch");
        let problem = compile("no-such-compiler-here", &scratch).unwrap_err();
        assert!(problem.contains("`no-such-compiler-here` cannot be started"), "{problem}");
        let problem = compile("false", &scratch).unwrap_err();
        assert!(problem.contains("cannot compile and link"), "{problem}");
        assert!(!scratch.exists());
    }
}
