//! `gradtop plugin`: create, build, install, check, list and remove plugins.

mod conform;
mod dev;

pub(crate) use conform::say_failed;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use gradtop_host::{ExperimentDesc, PluginDesc};
use serde_json::{Value, json};

use crate::commands::Context;
use crate::config::seconds;
use crate::failure::Failure;
use crate::files::{self, Cannot as _, replace};
use crate::print::table::{Table, Words};
use crate::print::{self, clean};
use crate::scaffold::Kind;
use crate::study::plan_file::{PlanFile, is_plan};
use gradtop_chart::cells::theme::Ink;
use gradtop_store::suggest;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Create a plugin's project, ready to build
    New {
        /// The folder to create; its last part is the plugin's name
        #[arg(value_name = "NAME")]
        path: PathBuf,
        /// Use C++17 and CMake instead of Rust
        #[arg(long)]
        cpp: bool,
        /// Use libtorch
        #[arg(long)]
        torch: bool,
    },
    /// Build a plugin; prints the path of its library
    Build {
        /// The plugin's folder
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Rebuild and install a plugin whenever its sources are saved, until Ctrl-C
    Dev {
        /// The plugin's folder
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Check a plugin, or a study's plan with its report, and copy it to where gradtop finds it
    Install {
        /// The library (.so) or the plan (.plan.toml)
        file: PathBuf,
    },
    /// Show what a plugin offers, or exactly why it is refused
    Check {
        /// The library (.so)
        file: PathBuf,
        /// Also test each experiment: run, pause, stop, resume, kill, wrong parameters
        #[arg(long)]
        conformance: bool,
        /// Only test this experiment; may be given several times
        #[arg(long = "experiment", value_name = "ID", requires = "conformance")]
        experiments: Vec<String>,
        /// Time limit for each of these runs
        #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds, requires = "conformance")]
        timeout: f64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove an installed plugin; runs keep their own copy of it
    Remove {
        /// Its name as in libNAME.so, its file, or one of its experiments
        #[arg(value_name = "NAME|FILE")]
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// List the plugins: found, refused, or hidden by another
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(context: &Context, command: &Command) -> Result<i32> {
    match command {
        Command::New { path, cpp, torch } => new(path, Kind { cpp: *cpp, torch: *torch }),
        Command::Build { dir } => build(dir),
        Command::Install { file } => install(file),
        Command::Dev { dir } => dev::run(dir),
        Command::Check { file, conformance: true, experiments, timeout, json } => {
            conform::run(file, experiments, *timeout, *json)
        }
        Command::Check { file, json, .. } => check(file, *json),
        Command::Remove { name, yes } => remove(context, name, *yes),
        Command::List { json } => list(*json),
    }
}

fn new(path: &Path, kind: Kind) -> Result<i32> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let Some((plugin, _)) = gradtop_host::discover().experiment(name) {
        let place = print::short(&plugin.path);
        return Err(Failure::usage(format!("there is already an experiment `{name}`, in {place}"))
            .help("choose another name: only the first of two experiments with the same name is used")
            .into());
    }
    let dir = print::short(&crate::scaffold::create(path, kind)?);
    print::line(&format!("created {dir}"));
    print::dim("  next:");
    print::command(&format!("gradtop plugin install $(gradtop plugin build {dir})"));
    print::command("gradtop experiments");
    Ok(0)
}

fn build(dir: &Path) -> Result<i32> {
    for library in crate::builder::build(dir)? {
        print::answer(&library.to_string_lossy());
    }
    Ok(0)
}

/// Describes a library. The error says why it is refused.
pub(crate) fn describe(file: &Path) -> Result<PluginDesc> {
    gradtop_host::describe(file).map_err(|refusal| {
        let usage = file.extension().is_some_and(|e| e == "so") || file.is_file();
        let message = format!("{} {}", print::short(file), clean(&refusal.to_string()));
        if usage { Failure::new(message).into() } else { Failure::usage(message).into() }
    })
}

fn install(file: &Path) -> Result<i32> {
    let shown = print::short(file);
    if file.is_dir() {
        return Err(Failure::usage(format!("{shown} is a folder; a plugin is a library (.so)"))
            .help(format!("`gradtop plugin install $(gradtop plugin build {shown})`"))
            .into());
    }
    if is_plan(file) {
        return install_plan(file);
    }
    let desc = describe(file)?;
    if file.extension().is_none_or(|e| e != "so") {
        let why = format!("{shown} is a plugin, but gradtop only finds files whose names end in .so");
        return Err(Failure::usage(why).help("rename it").into());
    }
    let dir = made_folder()?;
    let name = file.file_name().with_context(|| format!("{} is not a file", file.display()))?;
    let to = dir.join(name);
    let ids =
        |desc: &PluginDesc| desc.experiments.iter().map(|e| clean(&e.id)).collect::<Vec<_>>().join(", ");
    let done = if to.exists() {
        let bytes = |path: &Path| std::fs::read(path).cannot("read", path);
        if bytes(&to)? == bytes(file)? {
            print::line(&format!("{} is already installed; its experiments: {}", to.display(), ids(&desc)));
            return Ok(0);
        }
        if let Ok(old) = gradtop_host::describe(&to)
            && !old.experiments.iter().any(|e| desc.experiment(&e.id).is_some())
        {
            let other = "is already installed and is a different plugin; its experiments";
            return Err(Failure::new(format!("{} {other}: {}", to.display(), ids(&old)))
                .help(format!("rename {shown}, or remove the other one first"))
                .into());
        }
        "replaced"
    } else {
        "installed"
    };
    // Copied and renamed, so that processes with the old file mapped keep it.
    let beside = dir.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let copied = std::fs::copy(file, &beside)
        .and_then(|_| std::fs::File::open(&beside)?.sync_all())
        .and_then(|()| std::fs::rename(&beside, &to));
    if let Err(e) = copied {
        drop(std::fs::remove_file(&beside));
        let what = format!("cannot install {} as {}", file.display(), to.display());
        return Err(anyhow::Error::new(e).context(what));
    }
    print::line(&format!("{done} {} with {}", to.display(), ids(&desc)));
    warn(&desc);
    let found = gradtop_host::discover();
    for s in found.shadowed.iter().filter(|s| s.path == to) {
        print::warn(format!("{} is not used from here: {} comes first", s.experiment, s.by.display()));
    }
    Ok(0)
}

/// Installs a plan with its report, after checking both.
fn install_plan(file: &Path) -> Result<i32> {
    let plan = PlanFile::read(file)?;
    plan.report()?;
    let dir = made_folder()?;
    for file in plan.files() {
        let name = file.file_name().with_context(|| format!("{} is not a file", file.display()))?;
        let text = std::fs::read(&file).cannot("read", &file)?;
        replace(&dir.join(name), &text)?;
        print::line(&format!("installed {}", dir.join(name).display()));
    }
    Ok(0)
}

/// The folder that plugins are installed to.
fn folder() -> Result<PathBuf> {
    gradtop_host::installed_plugins().context("no data folder: set XDG_DATA_HOME or HOME")
}

fn made_folder() -> Result<PathBuf> {
    let dir = folder()?;
    files::make_folder(&dir)?;
    Ok(dir)
}

fn warn(desc: &PluginDesc) {
    desc.warnings.iter().for_each(print::warn);
}

fn remove(context: &Context, name: &str, yes: bool) -> Result<i32> {
    let dir = folder()?;
    let plan =
        Path::new(name).file_name().map(|name| dir.join(name)).filter(|path| is_plan(path) && path.exists());
    let file = plan.clone().map_or_else(|| installed(&dir, name), Ok)?;
    let live = live_runs(context, &file);
    if !yes {
        let keep = match live.as_slice() {
            [] => String::new(),
            [one] => format!(" {one} is running and keeps its own copy."),
            many => format!(" {} are running and keep their own copies.", many.join(", ")),
        };
        match print::ask(&format!("Remove {}?{keep}", print::short(&file))) {
            Some(true) => {}
            Some(false) => return Err(Failure::new("nothing was removed").into()),
            None => return Err(Failure::usage("confirm the removal with --yes").into()),
        }
    }
    // For an unreadable plan, only its own file is known.
    let files = plan.and_then(|plan| Some(PlanFile::read(&plan).ok()?.files())).unwrap_or_else(|| vec![file]);
    for file in files {
        std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", print::short(&file)))?;
        print::line(&format!("removed {}", print::short(&file)));
    }
    for run in live {
        print::note(&format!("{run} is running and keeps its own copy"));
    }
    Ok(0)
}

/// Finds an installed plugin by its file name, with or without `lib` and `.so`, or by one of its experiments.
fn installed(dir: &Path, name: &str) -> Result<PathBuf> {
    let is_library = |path: &PathBuf| path.extension().is_some_and(|e| e == "so");
    let files: Vec<PathBuf> = files::entries(dir).into_iter().filter(is_library).collect();
    let bare = |path: &Path| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        stem.strip_prefix("lib").map_or(stem.clone(), str::to_owned)
    };
    // Cargo replaces `-` in a package's name by `_` in its library's name.
    let same = |path: &&PathBuf| {
        path.file_name().is_some_and(|n| n == name) || bare(path).replace('-', "_") == name.replace('-', "_")
    };
    if let Some(file) = files.iter().find(same) {
        return Ok(file.clone());
    }
    let given = Path::new(name).canonicalize().ok();
    if let Some(file) = files.iter().find(|file| given.is_some() && file.canonicalize().ok() == given) {
        return Ok(file.clone());
    }
    let found = gradtop_host::discover_for([name]);
    if let Some((plugin, _)) = found.experiment(name).filter(|(plugin, _)| files.contains(&plugin.path)) {
        return Ok(plugin.path.clone());
    }
    // A plugin found elsewhere was not installed, and is not ours to remove.
    let elsewhere = |plugin: &&gradtop_host::FoundPlugin| {
        !files.contains(&plugin.path) && (same(&&plugin.path) || plugin.desc.experiment(name).is_some())
    };
    let given = given.filter(|path| path.extension().is_some_and(|e| e == "so"));
    if let Some(path) = found.plugins.iter().find(elsewhere).map(|p| p.path.clone()).or(given) {
        let why = format!("{} was not installed by `gradtop plugin install`", print::short(&path));
        return Err(Failure::usage(why).help("delete the file itself if you no longer need it").into());
    }
    let names: Vec<String> = files.iter().map(|file| bare(file)).collect();
    let help = match names.as_slice() {
        [] => format!("no plugin is installed in {}", print::short(dir)),
        names => suggest(name, names.iter().map(String::as_str), "installed plugins"),
    };
    Err(Failure::usage(format!("no installed plugin is called {name:?}")).help(clean(&help)).into())
}

/// The names of runs in progress that use this file.
fn live_runs(context: &Context, file: &Path) -> Vec<String> {
    let runs = context.runs().map(|runs| gradtop_store::list_runs(&runs)).unwrap_or_default();
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    runs.iter()
        .filter_map(|run| gradtop_store::view(run).ok())
        .filter(|view| !view.state.is_final())
        .filter(|view| view.manifest.plugin.as_ref().is_some_and(|p| Path::new(&p.original_path) == file))
        .map(|view| clean(&view.dir.name()))
        .collect()
}

fn check(file: &Path, json: bool) -> Result<i32> {
    if json {
        let path = file.to_string_lossy();
        let (value, code) = match gradtop_host::describe(file) {
            Ok(desc) => (json!({"file": path, "ok": true, "plugin": desc}), 0),
            Err(refusal) => (json!({"file": path, "ok": false, "reason": refusal.to_string()}), 1),
        };
        print::json(&value)?;
        return Ok(code);
    }
    let desc = describe(file)?;
    offers(file, &desc);
    warn(&desc);
    Ok(0)
}

fn offers(file: &Path, desc: &PluginDesc) {
    print::line(&format!("{} is a gradtop plugin", print::short(file)));
    let mut facts = vec![
        ("abi", format!("{}.{}", desc.abi.0, desc.abi.1)),
        ("built with", print::cleaned(desc.built_with.as_deref())),
        ("libtorch", if desc.needs_libtorch { "needed" } else { "not needed" }.to_owned()),
    ];
    let words = |e: &ExperimentDesc| format!("{}  {}", clean(&e.id), clean(&e.summary));
    facts.extend(desc.experiments.iter().map(|e| ("experiment", words(e))));
    Table::of_facts(facts).print(2);
}

fn list(json: bool) -> Result<i32> {
    let found = gradtop_host::discover();
    if json {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let plugins: Vec<Value> = found
            .plugins
            .iter()
            .map(|p| {
                let ids: Vec<&str> = p.desc.experiments.iter().map(|e| e.id.as_str()).collect();
                json!({"path": path(&p.path), "origin": p.origin.word(), "experiments": ids, "abi": [p.desc.abi.0, p.desc.abi.1],
                       "built_with": p.desc.built_with, "needs_libtorch": p.desc.needs_libtorch})
            })
            .collect();
        let refused: Vec<Value> = found
            .refused
            .iter()
            .map(|(at, why)| json!({"path": path(at), "reason": why.to_string()}))
            .collect();
        let shadowed = found.shadowed.iter();
        let shadowed: Vec<Value> = shadowed
            .map(|s| json!({"experiment": s.experiment, "path": path(&s.path), "by": path(&s.by)}))
            .collect();
        let places = gradtop_host::search_path();
        let places: Vec<_> = places.iter().map(path).collect();
        print::json(
            &json!({"plugins": plugins, "refused": refused, "shadowed": shadowed, "search_path": places}),
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
        let path = print::styled(&print::short(&p.path), Ink::Bold);
        print::line(&format!("{path}  {}", print::styled(&facts.join(", "), Ink::Dim)));
        let mut table = Table::of_words(["", "", ""]);
        for e in &p.desc.experiments {
            let hidden = found.shadowed.iter().any(|s| s.experiment == e.id && s.path == p.path);
            let note = if hidden { "hidden by an earlier plugin" } else { "" };
            table.row([clean(&e.id).into(), note.into(), Words::dim(clean(&e.summary))]);
        }
        table.print_wrapped(2);
    }
    for (path, refusal) in &found.refused {
        print::alert(&format!("{} {}", print::short(path), clean(&refusal.to_string())));
    }
    if found.plugins.is_empty() && found.refused.is_empty() {
        print::line("No plugins found. gradtop looks in");
        for path in gradtop_host::search_path() {
            print::line(&format!("  {}", path.display()));
        }
    }
    Ok(0)
}
