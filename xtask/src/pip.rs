//! Python packages for tools of the checkout, each set in a folder of the user's cache.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::toolchain::python;
use crate::workspace::succeed;

/// Returns the folder with these packages, `NAME-py3.N-…` in `cache`, installing them if necessary. `what` describes them to
/// the user.
pub(crate) fn ensure(cache: &Path, name: &str, pinned: &[&str], what: &str) -> Result<PathBuf> {
    // Each is compiled for one version of Python.
    let version = python("import sys; print('py%d.%d' % sys.version_info[:2])")?;
    let pins: Vec<String> = pinned.iter().map(|pin| pin.replace("==", "-")).collect();
    let folder = cache.join(format!("{name}-{version}-{}", pins.join("_")));
    if folder.exists() {
        return Ok(folder);
    }
    fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let lock = File::create(folder.with_added_extension("lock")).context("cannot make a lock")?;
    lock.lock().context("cannot wait for another checkout's download")?;
    if !folder.exists() {
        let fresh = folder.with_added_extension("part");
        fs::remove_dir_all(&fresh).ok();
        eprintln!("Downloading {what}, once for all checkouts");
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--target"]);
        pip.arg(&fresh).args(pinned).stdin(Stdio::null());
        // Settings in some environments that conflict with --target.
        pip.envs([("PIP_USER", "0"), ("PIP_REQUIRE_VIRTUALENV", "0"), ("PIP_ROOT_USER_ACTION", "ignore")]);
        succeed(&mut pip).context("pip is needed (`sudo apt install python3-pip`), and the network")?;
        fs::rename(&fresh, &folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    Ok(folder)
}
