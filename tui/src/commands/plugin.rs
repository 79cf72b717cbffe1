//! `gradtop plugin`: create, build, install, check and list plugins.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use anyhow::{Context as _, Result};
use gradtop_host::{PluginDesc, libtorch};
use serde_json::{Value, json};

use super::short;
use crate::chart::grid::Ink;
use crate::failure::Failure;
use crate::print::table::{Align, Table, Words};
use crate::print::{self, clean};

/// What to do with plugins.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Create a plugin's crate, ready to build
    New {
        /// Its folder, whose last part is its name
        #[arg(value_name = "NAME")]
        path: PathBuf,
        /// With libtorch, through tch
        #[arg(long)]
        torch: bool,
    },
    /// Build a plugin; prints the path of its library
    Build {
        /// The plugin's folder
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Check a plugin and copy it to where gradtop finds it
    Install {
        /// The library (.so)
        file: PathBuf,
    },
    /// Say what a plugin offers, or exactly why it is refused
    Check {
        /// The library (.so)
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the plugins found, refused and shadowed
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(command: &Command) -> Result<i32> {
    match command {
        Command::New { path, torch } => new(path, *torch),
        Command::Build { dir } => build(dir),
        Command::Install { file } => install(file),
        Command::Check { file, json } => check(file, *json),
        Command::List { json } => list(*json),
    }
}

fn new(path: &Path, torch: bool) -> Result<i32> {
    let dir = crate::scaffold::create(path, torch)?;
    print::line(&format!("created {}", short(&dir)));
    let dir = short(&dir);
    print::line(&print::styled("  next:", Ink::Dim));
    print::line(&format!("  gradtop plugin install $(gradtop plugin build {dir})"));
    print::line("  gradtop experiments");
    Ok(0)
}

/// Where plugins are built: one folder for all, so that the second one finds its dependencies built.
fn target_dir() -> Result<PathBuf> {
    let from = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let cache = from("XDG_CACHE_HOME").or_else(|| from("HOME").map(|h| h.join(".cache")));
    Ok(cache.context("no cache folder: set XDG_CACHE_HOME or HOME")?.join("gradtop/plugin-target"))
}

fn build(dir: &Path) -> Result<i32> {
    let manifest = dir.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(Failure::usage(format!("{} holds no Cargo.toml", dir.display()))
            .help("give the plugin's folder; `gradtop plugin new NAME` makes one")
            .into());
    }
    let target = target_dir()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut process = Process::new(cargo);
    process.args(["build", "--release", "--message-format=json-render-diagnostics"]);
    process.current_dir(dir).env("CARGO_TARGET_DIR", &target).stdin(Stdio::null()).stdout(Stdio::piped());
    match libtorch::find(None) {
        // The folder of the libraries lies in the one that LIBTORCH means.
        Ok(lib) => {
            process.env("LIBTORCH", lib.parent().unwrap_or(&lib));
        }
        Err(_) if std::env::var_os("LIBTORCH").is_some() => {}
        Err(_) => {
            process.env_remove("LIBTORCH");
        }
    }
    let output = process.spawn().context("cannot start cargo: is Rust installed?")?.wait_with_output()?;
    if !output.status.success() {
        return Err(Failure::new(format!("{} did not build", short(dir)))
            .help("cargo's messages are above")
            .into());
    }
    let libraries = libraries(&String::from_utf8_lossy(&output.stdout), &manifest);
    if libraries.is_empty() {
        return Err(Failure::new(format!("{} builds no shared library", short(dir)))
            .help("its Cargo.toml needs  [lib] crate-type = [\"cdylib\"]")
            .into());
    }
    for library in libraries {
        print::line(&library.display().to_string());
    }
    Ok(0)
}

/// The shared libraries of the package itself in cargo's messages, not those of its dependencies.
fn libraries(messages: &str, manifest: &Path) -> Vec<PathBuf> {
    let own = manifest.canonicalize().unwrap_or_else(|_| manifest.to_owned());
    let mut found = Vec::new();
    for line in messages.lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        let cdylib = message["target"]["kind"].as_array().is_some_and(|k| k.iter().any(|k| k == "cdylib"));
        let ours = message["manifest_path"].as_str().is_some_and(|p| Path::new(p) == own);
        if message["reason"] == "compiler-artifact" && cdylib && ours {
            let files = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
            found.extend(files.map(PathBuf::from).filter(|f| f.extension().is_some_and(|e| e == "so")));
        }
    }
    found
}

fn describe(file: &Path) -> Result<PluginDesc> {
    gradtop_host::describe(file).map_err(|refusal| {
        let usage = file.extension().is_some_and(|e| e == "so") || file.is_file();
        let message = format!("{} {}", short(file), clean(&refusal.to_string()));
        if usage { Failure::new(message).into() } else { Failure::usage(message).into() }
    })
}

fn install(file: &Path) -> Result<i32> {
    let desc = describe(file)?;
    let from = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let data = from("XDG_DATA_HOME").or_else(|| from("HOME").map(|h| h.join(".local/share")));
    let dir = data.context("no data folder: set XDG_DATA_HOME or HOME")?.join("gradtop/plugins");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let name = file.file_name().with_context(|| format!("{} is no file", file.display()))?;
    let to = dir.join(name);
    // Copied beside and renamed: a process that has the old file mapped keeps it.
    let beside = dir.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let copied = std::fs::copy(file, &beside)
        .and_then(|_| std::fs::File::open(&beside)?.sync_all())
        .and_then(|()| std::fs::rename(&beside, &to));
    if let Err(e) = copied {
        drop(std::fs::remove_file(&beside));
        return Err(anyhow::Error::new(e).context(format!(
            "cannot install {} as {}",
            file.display(),
            to.display()
        )));
    }
    let ids: Vec<String> = desc.experiments.iter().map(|e| clean(&e.id)).collect();
    print::line(&format!("installed {} with {}", to.display(), ids.join(", ")));
    let found = gradtop_host::discover();
    for s in found.shadowed.iter().filter(|s| s.path == to) {
        print::note(&format!(
            "warning: {} is not used from here: {} comes first",
            clean(&s.experiment),
            s.by.display()
        ));
    }
    Ok(0)
}

fn check(file: &Path, json: bool) -> Result<i32> {
    if json {
        let (value, code) = match gradtop_host::describe(file) {
            Ok(desc) => (json!({"file": file.to_string_lossy(), "ok": true, "plugin": desc}), 0),
            Err(refusal) => {
                (json!({"file": file.to_string_lossy(), "ok": false, "reason": refusal.to_string()}), 1)
            }
        };
        print::json(&value)?;
        return Ok(code);
    }
    let desc = describe(file)?;
    print::line(&format!("{} is a gradtop plugin", short(file)));
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    let mut fact = |name: &str, value: String| table.row(vec![Words::new(name, Ink::Dim), value.into()]);
    fact("abi", format!("{}.{}", desc.abi.0, desc.abi.1));
    fact("built with", desc.built_with.as_deref().map(clean).unwrap_or_default());
    fact("libtorch", if desc.needs_libtorch { "needed".to_owned() } else { "not needed".to_owned() });
    for e in &desc.experiments {
        fact("experiment", format!("{}  {}", clean(&e.id), clean(&e.summary)));
    }
    table.print(2);
    Ok(0)
}

fn list(json: bool) -> Result<i32> {
    let found = gradtop_host::discover();
    if json {
        let plugins: Vec<Value> = found
            .plugins
            .iter()
            .map(|p| {
                let ids: Vec<&str> = p.desc.experiments.iter().map(|e| e.id.as_str()).collect();
                json!({"path": p.path.to_string_lossy(), "origin": p.origin.word(), "experiments": ids, "abi": [p.desc.abi.0, p.desc.abi.1],
                       "built_with": p.desc.built_with, "needs_libtorch": p.desc.needs_libtorch})
            })
            .collect();
        let refused: Vec<Value> = found
            .refused
            .iter()
            .map(|(path, why)| json!({"path": path.to_string_lossy(), "reason": why.to_string()}))
            .collect();
        let shadowed: Vec<Value> = found
            .shadowed
            .iter()
            .map(|s| json!({"experiment": s.experiment, "path": s.path.to_string_lossy(), "by": s.by.to_string_lossy()}))
            .collect();
        print::json(
            &json!({"plugins": plugins, "refused": refused, "shadowed": shadowed, "search_path": gradtop_host::search_path().iter().map(|p| p.to_string_lossy()).collect::<Vec<_>>()}),
        )?;
        return Ok(0);
    }
    for p in &found.plugins {
        let facts = [
            Some(p.origin.word().to_owned()),
            p.desc.built_with.as_deref().map(clean),
            p.desc.needs_libtorch.then(|| "libtorch".to_owned()),
        ];
        let facts: Vec<String> = facts.into_iter().flatten().collect();
        print::line(&format!(
            "{}  {}",
            print::styled(&short(&p.path), Ink::Bold),
            print::styled(&facts.join(", "), Ink::Dim)
        ));
        for e in &p.desc.experiments {
            let hidden = found.shadowed.iter().any(|s| s.experiment == e.id && s.path == p.path);
            let note = if hidden { "  (hidden by an earlier plugin)" } else { "" };
            print::line(&format!(
                "  {}  {}{note}",
                clean(&e.id),
                print::styled(&clean(&e.summary), Ink::Dim)
            ));
        }
    }
    for (path, refusal) in &found.refused {
        print::line(&print::styled(&format!("{} {}", short(path), clean(&refusal.to_string())), Ink::Alert));
    }
    if found.plugins.is_empty() && found.refused.is_empty() {
        print::line("No plugins. They are looked for in");
        for path in gradtop_host::search_path() {
            print::line(&format!("  {}", path.display()));
        }
    }
    Ok(0)
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
