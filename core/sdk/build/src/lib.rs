//! For the build script of a gradtop plugin; its `main` is
//!
//! ```no_run
//! gradtop_sdk_build::plugin();
//! gradtop_sdk_build::libtorch(); // only if it depends on tch
//! ```

#![allow(clippy::print_stdout, reason = "a build script talks to cargo on stdout")]

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Hides the symbols of static libraries, so that the plugin exports `gradtop_entry_v1` only, and records the
/// compiler's version for `gradtop plugin check`.
pub fn plugin() {
    // Applies to all linked targets: a package without a cdylib or examples may not name those.
    println!("cargo:rustc-link-arg=-Wl,--exclude-libs,ALL");
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().ok().filter(|output| output.status.success());
    if let Some(version) = version.and_then(|output| String::from_utf8(output.stdout).ok()) {
        println!("cargo:rustc-env=GRADTOP_PLUGIN_RUSTC={}", version.trim());
    }
    println!("cargo:rerun-if-changed=build.rs");
}

/// Finds libtorch and writes its folder into the library as its run path; into its tests and examples too.
///
/// `LIBTORCH_LIB`, then `LIBTORCH`, is the folder whose `lib/` holds `libtorch_cpu.so`: an unpacked libtorch, or the `torch`
/// folder of a Python package. Links are resolved, so the plugin keeps working when a link that leads there changes.
///
/// # Panics
/// Stops the build if no libtorch is found, and says what to set.
pub fn libtorch() {
    for name in VARIABLES {
        println!("cargo:rerun-if-env-changed={name}");
    }
    match find(|name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)) {
        Ok(found) => {
            // A DT_RUNPATH, which yields to LD_LIBRARY_PATH, also where ld's default is DT_RPATH.
            println!("cargo:rustc-link-arg=-Wl,--enable-new-dtags");
            println!("cargo:rustc-link-arg=-Wl,-rpath,{}", found.lib.display());
            if let Some(version) = found.version {
                println!("cargo:rustc-env=GRADTOP_PLUGIN_LIBTORCH={version}");
            }
        }
        Err(why) => panic!("{why}"),
    }
}

/// The variables of torch-sys, in its order.
const VARIABLES: [&str; 2] = ["LIBTORCH_LIB", "LIBTORCH"];

#[derive(Debug, PartialEq)]
struct Libtorch {
    lib: PathBuf,
    version: Option<String>,
}

fn find(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<Libtorch, String> {
    let Some((name, root)) = VARIABLES.iter().find_map(|name| Some((name, variable(name)?))) else {
        return Err(
            "libtorch: set LIBTORCH to a folder whose lib/ holds libtorch_cpu.so (an unpacked libtorch \
                    2.11.0, or the torch folder of PyTorch 2.11.0); `gradtop plugin build` does it"
                .to_owned(),
        );
    };
    let lib = root.join("lib");
    let real = lib.join("libtorch_cpu.so").exists().then(|| lib.canonicalize().ok()).flatten();
    let Some(lib) = real else {
        return Err(format!(
            "libtorch: {name} is {}, but {} has no libtorch_cpu.so",
            root.display(),
            lib.display()
        ));
    };
    if lib.to_string_lossy().contains([',', '\n']) {
        return Err(format!(
            "libtorch: {} has a comma or a line end in its name, which a linker's run path cannot hold",
            lib.display()
        ));
    }
    let version = lib.parent().and_then(version);
    Ok(Libtorch { lib, version })
}

/// Returns the version of a libtorch archive (`build-version`) or of a Python package (`version.py`: `__version__ =
/// '2.11.0+cpu'`).
fn version(root: &Path) -> Option<String> {
    if let Ok(text) = std::fs::read_to_string(root.join("build-version")) {
        return Some(text.trim().to_owned());
    }
    let text = std::fs::read_to_string(root.join("version.py")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("__version__"))?;
    Some(line.split(['\'', '"']).nth(1)?.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use super::*;

    /// A folder that looks like libtorch, and a link to it.
    fn fake(name: &str) -> (PathBuf, PathBuf) {
        let dir = env::temp_dir().join(format!("gradtop-sdk-build-{}-{name}", std::process::id()));
        fs::create_dir_all(dir.join("real/lib")).unwrap();
        fs::write(dir.join("real/lib/libtorch_cpu.so"), "").unwrap();
        fs::write(dir.join("real/version.py"), "from typing import Optional\n__version__ = '2.11.0+cpu'\n")
            .unwrap();
        std::os::unix::fs::symlink("real", dir.join("link")).unwrap();
        (dir.canonicalize().unwrap(), dir.join("link"))
    }

    #[test]
    fn links_are_resolved_and_the_version_read() {
        let (dir, link) = fake("found");
        let found = find(|name| (name == "LIBTORCH").then(|| link.clone())).unwrap();
        assert_eq!(found, Libtorch { lib: dir.join("real/lib"), version: Some("2.11.0+cpu".into()) });
        fs::write(dir.join("real/build-version"), "2.11.0+cu130\n").unwrap();
        let found = find(|name| (name == "LIBTORCH_LIB").then(|| link.clone())).unwrap();
        assert_eq!(found.version.as_deref(), Some("2.11.0+cu130"));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(find(|_| None).unwrap_err().contains("set LIBTORCH"));
        let missing = find(|name| (name == "LIBTORCH").then(|| "/nonexistent".into())).unwrap_err();
        assert_eq!(
            missing,
            "libtorch: LIBTORCH is /nonexistent, but /nonexistent/lib has no libtorch_cpu.so"
        );
    }
}
