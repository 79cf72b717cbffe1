//! The least program that runs experiments: what `gradtop` does with this crate, without screens. The tests run it.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use gradtop_host as host;

fn main() -> std::process::ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(code) = host::hidden_main(&args) {
        return u8::try_from(code).unwrap_or(1).into();
    }
    let args: Vec<String> = args.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    match run(&args.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok((text, code)) => {
            writeln!(std::io::stdout(), "{text}").ok();
            code.into()
        }
        Err(text) => {
            writeln!(std::io::stderr(), "{text}").ok();
            2.into()
        }
    }
}

fn run(args: &[&str]) -> Result<(String, u8), String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    match args {
        ["describe", file] => {
            let desc = host::describe(Path::new(file)).map_err(|e| text(&e))?;
            Ok((serde_json::to_string_pretty(&desc).map_err(|e| text(&e))?, 0))
        }
        ["discover"] => {
            let found = host::discover();
            let mut lines = Vec::new();
            for (plugin, experiment) in found.experiments() {
                lines.push(format!("{} {} {}", experiment.id, plugin.origin.word(), plugin.path.display()));
            }
            for (path, refusal) in &found.refused {
                lines.push(format!("refused {} {refusal}", path.display()));
            }
            for s in &found.shadowed {
                lines.push(format!("shadowed {} {} {}", s.experiment, s.path.display(), s.by.display()));
            }
            Ok((lines.join("\n"), 0))
        }
        ["watch"] => {
            // A line whenever something changed, until nobody holds standard input open.
            let watch = host::PluginWatch::start(|now| {
                let ids = now.found.experiments().map(|(p, e)| format!("{}@{}", e.id, p.path.display()));
                let refused =
                    now.found.refused.iter().map(|(p, why)| format!("refused {} {why}", p.display()));
                let pending = now.pending.iter().map(|(p, _)| format!("pending {}", p.display()));
                let all: Vec<String> = ids.chain(refused).chain(pending).collect();
                writeln!(std::io::stdout(), "{}", all.join(" | ")).ok();
            })
            .map_err(|e| text(&e))?;
            std::io::stdin().read_line(&mut String::new()).map_err(|e| text(&e))?;
            drop(watch);
            Ok((String::new(), 0))
        }
        ["run", runs, plugin, experiment, sets @ ..] => {
            let desc = host::describe(Path::new(plugin)).map_err(|e| text(&e))?;
            let (_, experiment) = desc.experiment(experiment).ok_or("no such experiment")?;
            let sets: Vec<(String, String)> = sets
                .iter()
                .filter_map(|s| s.split_once('='))
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect();
            let run = host::launch(&host::Launch {
                runs: PathBuf::from(runs),
                plugin: PathBuf::from(plugin),
                experiment: experiment.id.clone(),
                params: host::resolve_params(experiment, None, &sets).map_err(|e| text(&e))?,
                preset: None,
                name: None,
                seed: Some(1),
                device: host::DeviceChoice::Auto,
                threads: None,
                checkpoint_every: host::DEFAULT_CHECKPOINT_EVERY,
            })
            .map_err(|e| text(&e))?;
            Ok((run.path().display().to_string(), 0))
        }
        _ => Err("describe FILE | discover | watch | run RUNS PLUGIN EXPERIMENT [k=v]..".to_owned()),
    }
}
