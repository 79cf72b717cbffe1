//! The C++ half of `torch-sys`, compiled once per machine.
//!
//! It is one enormous generated file that takes minutes to compile, although it depends on nothing but its version, libtorch
//! and the compiler. Cargo would compile it anew for each target folder, toolchain and profile. Cargo's "build script
//! overrides" let us state a build script's output instead of running it. So the library is kept in the cache, copied from
//! wherever it was built first: in a plugin's build or in the checkout that built this program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;
use gradtop_host::libtorch;

use super::parsed;
use crate::failure::with_causes;
use crate::files::Cannot as _;
use crate::print;

/// The file name of the library.
const LIBRARY: &str = "libtch.a";
/// The file next to it with the output of the build script.
const PRINTED: &str = "output";
/// The file next to it that records what it was built with.
const BUILT_WITH: &str = "built-with";
/// The first line of a cargo configuration that we wrote and may replace.
const OURS: &str = "# Written by `gradtop plugin build` for this machine: do not commit it.";

/// The compiled library that a plugin needs, whether it exists yet or not.
pub(super) struct Binding {
    /// Its folder in the cache.
    place: PathBuf,
    /// The versions and settings that identify it.
    built_with: String,
    /// The folder with libtorch's libraries.
    libtorch: PathBuf,
}

impl Binding {
    /// Returns the library for the plugin in this folder, or `None` if the plugin does not use `torch-sys` in the usual way.
    pub(super) fn of(folder: &Path, cache: &Path) -> Option<Self> {
        let manifest: toml::Table = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?.parse().ok()?;
        let features = |name: &str| manifest.get("dependencies")?.get(name)?.get("features");
        if ["tch", "torch-sys"].into_iter().any(|name| features(name).is_some()) {
            return None;
        }
        let version = locked(&std::fs::read_to_string(folder.join("Cargo.lock")).ok()?)?;
        let libtorch = libtorch::find(None).ok()?;
        let compiler = Command::new(std::env::var_os("CXX").unwrap_or_else(|| "c++".into()))
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let compiler = String::from_utf8_lossy(&compiler.stdout).lines().next()?.to_owned();
        let of = libtorch::version(&libtorch)?;
        let built_with = format!("{}\n{compiler}\n", libtorch.display());
        Some(Self { place: cache.join(format!("torch-sys-{version}-libtorch-{of}")), built_with, libtorch })
    }

    /// Tells the user how long the build is going to take.
    pub(super) fn announce(&self) {
        if !self.is_there() {
            print::note(
                "compiling the binding to libtorch, once for all plugins: about 3 minutes of processor time",
            );
        }
    }

    fn is_there(&self) -> bool {
        if std::fs::read_to_string(self.place.join(BUILT_WITH)).is_ok_and(|text| text == self.built_with) {
            return true;
        }
        let program = std::env::current_exe().ok();
        let beside = program.as_deref().and_then(Path::parent).map(|folder| folder.join("build"));
        beside.and_then(|build| self.built_in(&build)).is_some_and(|out| self.take(&out).is_ok())
    }

    /// Finds the newest build in cargo's folder `build` that used this libtorch.
    fn built_in(&self, build: &Path) -> Option<PathBuf> {
        let scripts = std::fs::read_dir(build).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        let built = scripts.filter_map(|script| {
            let name = script.file_name()?.to_str()?.starts_with("torch-sys-");
            let printed = std::fs::read_to_string(script.join(PRINTED)).ok().filter(|_| name)?;
            let folder = values(&printed, "rustc-link-search").next()?.strip_prefix("native=")?.to_owned();
            let ours = Path::new(&folder).canonicalize().ok()? == self.libtorch;
            let age = std::fs::metadata(script.join("out").join(LIBRARY)).ok()?.modified().ok()?;
            ours.then_some((age, script.join("out")))
        });
        Some(built.max()?.1)
    }

    /// Copies the library and its build script's output, found in `out`, to the cache.
    fn take(&self, out: &Path) -> Result<()> {
        let beside = self.place.with_extension(format!("{}.tmp", std::process::id()));
        let copied = || -> std::io::Result<()> {
            std::fs::create_dir_all(&beside)?;
            std::fs::copy(out.join(LIBRARY), beside.join(LIBRARY))?;
            std::fs::copy(out.with_file_name(PRINTED), beside.join(PRINTED))?;
            std::fs::write(beside.join(BUILT_WITH), &self.built_with)?;
            std::fs::remove_dir_all(&self.place).or_else(|e| match e.kind() {
                std::io::ErrorKind::NotFound => Ok(()),
                _ => Err(e),
            })?;
            std::fs::rename(&beside, &self.place)
        };
        let copied = copied();
        if copied.is_err() {
            std::fs::remove_dir_all(&beside).ok();
        }
        copied.cannot("write", &self.place)
    }

    /// Caches the library that cargo has just built, found by its messages.
    pub(super) fn keep(&self, messages: &str) {
        let built = parsed(messages, "build-script-executed").find_map(|message| {
            let ours = message["package_id"].as_str()?.contains("torch-sys");
            ours.then(|| message["out_dir"].as_str().map(PathBuf::from)).flatten()
        });
        if let Some(out) = built.filter(|out| out.join(LIBRARY).is_file() && !self.is_there())
            && let Err(e) = self.take(&out)
        {
            print::note(&format!(
                "the next build compiles the binding to libtorch again: {}",
                with_causes(&e)
            ));
        }
    }

    /// Makes cargo use the cached library, if there is one. It is configured by a file in the project, so that plain `cargo
    /// test` uses it too, unless the author has a configuration of their own.
    pub(super) fn configure(&self, cargo: &mut Command, folder: &Path) -> Result<()> {
        let file = folder.join(".cargo/config.toml");
        let foreign = std::fs::read_to_string(&file).is_ok_and(|text| !text.starts_with(OURS));
        let file = if foreign { self.place.join("config.toml") } else { file };
        if !self.is_there() {
            // Our configuration names a library that no longer exists.
            return match std::fs::remove_file(&file) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).cannot("remove", &file),
                _ => Ok(()),
            };
        }
        let text = self.configuration()?;
        if std::fs::read_to_string(&file).ok().as_ref() != Some(&text) {
            let parent = file.parent().unwrap_or(folder);
            std::fs::create_dir_all(parent)
                .and_then(|()| std::fs::write(&file, text))
                .cannot("write", &file)?;
        }
        if foreign {
            cargo.arg("--config").arg(file);
        }
        Ok(())
    }

    fn configuration(&self) -> Result<String> {
        let printed = crate::files::read(&self.place.join(PRINTED))?;
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let mut libraries: Vec<String> = Vec::new();
        for library in values(&printed, "rustc-link-lib").map(quoted) {
            if !libraries.contains(&library) {
                libraries.push(library);
            }
        }
        let (lib, place) = (self.libtorch.display(), self.place.display());
        // Written as a table, including `relative`, so that cargo can merge it with the configuration of our own checkout.
        Ok(format!(
            "{OURS}\n[env]\nLIBTORCH = {{ value = {}, relative = false }}\n\n[target.{}-unknown-linux-gnu.tch]\nrustc-link-lib = [{}]\n\
             rustc-link-search = [{}, {}]\nlibtorch_lib = {}\n",
            quoted(&self.libtorch.parent().unwrap_or(&self.libtorch).display().to_string()),
            std::env::consts::ARCH,
            libraries.join(", "),
            quoted(&format!("native={lib}")),
            quoted(&format!("native={place}")),
            quoted(&lib.to_string()),
        ))
    }
}

/// The version of `torch-sys` in a lock file.
fn locked(lock: &str) -> Option<String> {
    let lock: toml::Table = lock.parse().ok()?;
    let ours = |p: &&toml::Value| p.get("name").and_then(toml::Value::as_str) == Some("torch-sys");
    let mut versions = lock.get("package")?.as_array()?.iter().filter(ours);
    let version = versions.next()?.get("version")?.as_str()?.to_owned();
    versions.next().is_none().then_some(version)
}

/// The values that a build script printed for a key.
fn values<'a>(printed: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> + 'a {
    printed.lines().filter_map(move |line| {
        let line = line.strip_prefix("cargo:")?;
        line.trim_start_matches(':').strip_prefix(key)?.strip_prefix('=')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_locked_one() {
        let package =
            |version: &&str| format!("[[package]]\nname = \"torch-sys\"\nversion = \"{version}\"\n");
        let lock = |versions: &[&str]| versions.iter().map(package).collect::<Vec<_>>().concat();
        assert_eq!(locked(&lock(&["0.24.0"])).as_deref(), Some("0.24.0"));
        assert_eq!(locked(&lock(&[])), None);
        assert_eq!(locked(&lock(&["0.23.0", "0.24.0"])), None);
    }

    #[test]
    fn what_a_build_script_printed_is_read_in_both_spellings() {
        let printed = "CXX = None\ncargo:rustc-link-lib=static=tch\ncargo::rustc-link-lib=c10\ncargo:rustc-link-search=native=/x\n";
        assert_eq!(values(printed, "rustc-link-lib").collect::<Vec<_>>(), ["static=tch", "c10"]);
        assert_eq!(values(printed, "rustc-link-search").collect::<Vec<_>>(), ["native=/x"]);
    }
}
