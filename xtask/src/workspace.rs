//! Where things are, and how child processes are started.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// What makes `cargo build --release` compile the program as it is shipped and measured: for speed, not for a quick
/// build after a change (Cargo.toml).
pub(crate) const SHIPPED: [&str; 6] = [
    "--config",
    "profile.release.package.gradtop.incremental=false",
    "--config",
    "profile.release.package.gradtop.codegen-units=1",
    "--config",
    "profile.release.package.gradtop.opt-level=3",
];

/// This checkout and its release build.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Where `cargo build --release` puts the program and the plugins.
    pub(crate) release: PathBuf,
}

impl Workspace {
    /// Finds the checkout by what cargo tells a program it runs, and the release folder by where this very
    /// program lies: that is right for every `CARGO_TARGET_DIR` and cargo configuration.
    pub(crate) fn locate() -> Result<Self> {
        let manifest_dir =
            env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&manifest_dir)
            .parent()
            .context("xtask lies at the top of the file system; run it as `cargo xtask`")?
            .to_path_buf();
        let exe = env::current_exe().context("cannot tell where xtask itself lies")?;
        let release = exe.parent().context("xtask's own path has no folder")?.to_path_buf();
        Ok(Self { root, release })
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.release.join("gradtop")
    }

    /// The packages under plugins/ that build a dynamic library.
    pub(crate) fn plugin_packages(&self) -> Result<Vec<String>> {
        self.plugins("[package]")
    }

    /// The files of those libraries, in the release folder.
    pub(crate) fn plugin_files(&self) -> Result<Vec<PathBuf>> {
        let file = |name: String| self.release.join(format!("lib{name}.so"));
        Ok(self.plugins("[lib]")?.into_iter().map(file).collect())
    }

    /// The `name` in a table of each plugin's Cargo.toml.
    fn plugins(&self, table: &str) -> Result<Vec<String>> {
        let folder = self.root.join("plugins");
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let manifest = entry?.path().join("Cargo.toml");
            if let Ok(text) = fs::read_to_string(&manifest)
                && text.contains("\"cdylib\"")
            {
                names.push(
                    name_in(&text, table)
                        .with_context(|| format!("no name in {table} of {}", manifest.display()))?,
                );
            }
        }
        names.sort();
        Ok(names)
    }

    /// Program and plugins as arguments of cargo.
    pub(crate) fn product(&self) -> Result<Vec<String>> {
        let mut args = vec!["-p".to_owned(), "gradtop".to_owned()];
        for package in self.plugin_packages()? {
            args.extend(["-p".to_owned(), package]);
        }
        Ok(args)
    }

    /// cargo, at the root, in the environment that a plain `cargo` of the user would have, so that both
    /// agree on what is already built.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).stdin(Stdio::null());
        if let Some(target) = env::var_os("CARGO_TARGET_DIR")
            && let Ok(absolute) = std::path::absolute(target)
        {
            command.env("CARGO_TARGET_DIR", absolute); // we change the folder; a relative one must not
        }
        self.clean_env(&mut command);
        command
    }

    /// Takes out of a child's environment what does not belong there: every LIBTORCH setting (the checkout's
    /// .cargo/config.toml names the one that is used), and what `cargo run` added for xtask.
    pub(crate) fn clean_env(&self, command: &mut Command) {
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(is_foreign_variable) {
                command.env_remove(name);
            }
        }
        if let Some(paths) = env::var_os("LD_LIBRARY_PATH") {
            match self.without_cargo_paths(&paths) {
                Some(rest) => command.env("LD_LIBRARY_PATH", rest),
                None => command.env_remove("LD_LIBRARY_PATH"),
            };
        }
    }

    /// `cargo run` puts its target folders and the toolchain's library folder in front of `LD_LIBRARY_PATH`.
    fn without_cargo_paths(&self, paths: &OsString) -> Option<OsString> {
        let rest: Vec<PathBuf> = env::split_paths(paths)
            .filter(|path| {
                let toolchain = path.components().any(|part| part.as_os_str() == "rustlib");
                !path.as_os_str().is_empty() && !toolchain && !path.starts_with(&self.release)
            })
            .collect();
        if rest.is_empty() { None } else { env::join_paths(rest).ok() }
    }
}

/// Puts the plans and reports of studies that are in `plugins/` where the program looks for plugins and them.
pub(crate) fn place_studies(root: &Path, to: &Path) -> Result<()> {
    let folder = root.join("plugins");
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let file = entry?.path();
        let Some(name) = file.file_name().filter(|_| file.extension().is_some_and(|e| e == "toml")) else {
            continue;
        };
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let to = to.join(name);
        if fs::read(&to).ok().as_ref() != Some(&text) {
            fs::write(&to, text).with_context(|| format!("cannot write {}", to.display()))?;
        }
    }
    Ok(())
}

fn is_foreign_variable(name: &str) -> bool {
    let ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| name.starts_with(prefix));
    ours || name.starts_with("LIBTORCH") || name == "TORCH_CUDA_VERSION"
}

/// The `name = "…"` below the heading of a table of a Cargo.toml.
fn name_in(manifest: &str, table: &str) -> Option<String> {
    let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != table).skip(1);
    let value = lines
        .by_ref()
        .take_while(|line| !line.starts_with('['))
        .find_map(|line| line.strip_prefix("name = "))?;
    Some(value.trim().trim_matches('"').to_owned())
}

/// The user's cache folder for gradtop: `$XDG_CACHE_HOME/gradtop`, else `~/.cache/gradtop`.
pub(crate) fn cache_dir() -> Result<PathBuf> {
    cache_dir_from(env::var_os("XDG_CACHE_HOME"), env::var_os("HOME"))
}

fn cache_dir_from(xdg: Option<OsString>, home: Option<OsString>) -> Result<PathBuf> {
    // The XDG specification says that a relative path is to be ignored.
    if let Some(xdg) = xdg.map(PathBuf::from).filter(|path| path.is_absolute()) {
        return Ok(xdg.join("gradtop"));
    }
    match home.map(PathBuf::from).filter(|path| path.is_absolute()) {
        Some(home) => Ok(home.join(".cache/gradtop")),
        None => bail!("neither XDG_CACHE_HOME nor HOME is a folder; set one of them to an absolute path"),
    }
}

/// Runs a command and fails, naming it, if it does not end well.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let name = describe(command);
    let status = command.status().with_context(|| format!("cannot start `{name}`"))?;
    if !status.success() {
        bail!("`{name}` failed ({status})");
    }
    Ok(())
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut text = program.to_string_lossy().into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn cache_follows_xdg_then_home() {
        let cache = |xdg: Option<&str>, home: Option<&str>| {
            cache_dir_from(xdg.map(OsString::from), home.map(OsString::from))
        };
        assert_eq!(cache(Some("/c"), Some("/h")).unwrap(), Path::new("/c/gradtop"));
        assert_eq!(cache(Some("relative"), Some("/h")).unwrap(), Path::new("/h/.cache/gradtop"));
        assert_eq!(cache(None, Some("/h")).unwrap(), Path::new("/h/.cache/gradtop"));
        assert!(cache(Some(""), None).is_err());
    }

    #[test]
    fn only_foreign_variables_are_taken_out() {
        for name in ["LIBTORCH", "LIBTORCH_USE_PYTORCH", "LIBTORCH_BYPASS_VERSION_CHECK", "CARGO_PKG_NAME"] {
            assert!(is_foreign_variable(name), "{name}");
        }
        for name in ["GRADTOP_LIBTORCH", "CARGO_HOME", "CARGO_TARGET_DIR", "PATH", "RUSTFLAGS"] {
            assert!(!is_foreign_variable(name), "{name}");
        }
    }

    #[test]
    fn library_path_keeps_what_the_user_set() {
        let workspace = Workspace { root: "/w".into(), release: "/w/target/release".into() };
        let outer =
            "/w/target/release/deps:/w/target/release:/t/lib/rustlib/x86_64-unknown-linux-gnu/lib:/mine";
        assert_eq!(workspace.without_cargo_paths(&outer.into()), Some("/mine".into()));
        assert_eq!(workspace.without_cargo_paths(&"/w/target/release".into()), None);
    }

    #[test]
    fn every_plugin_package_is_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf();
        let packages = Workspace { root: root.clone(), release: PathBuf::new() }.plugin_packages().unwrap();
        assert!(packages.contains(&"gradtop-deep-vs-shallow".to_owned()), "{packages:?}");
        assert!(!packages.contains(&"gradtop-toolkit".to_owned()), "the toolkit is no plugin: {packages:?}");
        let files = Workspace { root, release: PathBuf::new() }.plugin_files().unwrap();
        assert!(files.contains(&PathBuf::from("libdeep_vs_shallow.so")), "{files:?}");
    }
}
