//! Builds plugins written in Rust.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::binding::Binding;
use super::{C, CPP, parsed};
use crate::files::Cannot as _;
use crate::print;

const INSTALL: &str = "Rust's own installer is at https://rustup.rs";

/// Builds in a target folder shared by all plugins, so that dependencies are compiled once.
pub(super) fn build(folder: &Path) -> Result<Vec<PathBuf>> {
    let cache = gradtop_host::cache_dir().context("no cache folder: set XDG_CACHE_HOME or HOME")?;
    let target = cache.join("plugin-target");
    let binding = Binding::of(folder, &cache);
    let _turn = wait_for_turn(&target, folder)?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo.args(["build", "--release", "--message-format=json-render-diagnostics"]);
    cargo.current_dir(folder).env("CARGO_TARGET_DIR", &target).stdin(Stdio::null()).stdout(Stdio::piped());
    super::with_libtorch(&mut cargo);
    if let Some(binding) = &binding {
        binding.announce();
        binding.configure(&mut cargo, folder)?;
    }
    let (status, messages) = super::run(cargo, INSTALL)?;
    let messages = String::from_utf8_lossy(&messages);
    if let Some(binding) = &binding {
        binding.keep(&messages);
    }
    if !status.success() {
        let tools: &[_] = if binding.is_some() { &[&CPP, &C] } else { &[&C] };
        return Err(super::failed(folder, tools));
    }
    Ok(libraries(&messages, &folder.join("Cargo.toml")))
}

/// Waits until no other plugin is being built in this target folder and tells the user about the wait. The returned file holds
/// the lock.
fn wait_for_turn(target: &Path, folder: &Path) -> Result<File> {
    let path = target.join("gradtop-build.lock");
    let cannot = || format!("cannot lock {}", path.display());
    std::fs::create_dir_all(target).cannot("create", target)?;
    let options = || File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = options().with_context(cannot)?;
    let mut locked = file.try_lock().map_err(std::io::Error::from);
    if locked.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock) {
        let mut other = String::new();
        file.read_to_string(&mut other).ok();
        say_waiting(target, other.trim());
        locked = file.lock();
    }
    locked.with_context(cannot)?;
    let name = folder.to_string_lossy();
    file.rewind().and_then(|()| file.write_all(name.as_bytes())).with_context(cannot)?;
    file.set_len(name.len() as u64).with_context(cannot)?;
    // Cargo's own lock, held by anybody who runs cargo here.
    let held = File::open(target.join("release/.cargo-lock")).map(|lock| lock.try_lock());
    if let Ok(Err(TryLockError::WouldBlock)) = held {
        say_waiting(target, "");
    }
    Ok(file)
}

fn say_waiting(target: &Path, other: &str) {
    let of = if other.is_empty() { String::new() } else { format!(", of {}", print::clean(other)) };
    print::note(&format!("waiting for another build in {}{of}", target.display()));
}

/// The shared libraries of the package itself, without those of its dependencies.
fn libraries(messages: &str, manifest: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for message in parsed(messages, "compiler-artifact") {
        let cdylib = message["target"]["kind"].as_array().is_some_and(|k| k.iter().any(|k| k == "cdylib"));
        let ours = message["manifest_path"].as_str().is_some_and(|p| Path::new(p) == manifest);
        if cdylib && ours {
            let files = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
            found.extend(files.map(PathBuf::from).filter(|f| f.extension().is_some_and(|e| e == "so")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_packages_own_library_is_taken() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","manifest_path":"/x/dep/Cargo.toml","target":{"kind":["cdylib"]},"filenames":["/t/libdep.so"]}"#,
            "\n",
            r#"{"reason":"compiler-artifact","manifest_path":"/x/mine/Cargo.toml","target":{"kind":["cdylib","rlib"]},"filenames":["/t/libmine.rlib","/t/libmine.so"]}"#,
            "\nnot json\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(libraries(messages, Path::new("/x/mine/Cargo.toml")), [PathBuf::from("/t/libmine.so")]);
    }
}
