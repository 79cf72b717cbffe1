//! `gradtop launchers`: lists where runs can start. Also defines the option `--on`.

use anyhow::Result;
use gradtop_host::Launcher;
use gradtop_store::RunDir;
use serde_json::{Value, json};

use super::{Context, watch};
use crate::print::table::{Table, Words};
use crate::print::{self, clean};
use gradtop_chart::cells::theme::Ink;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

/// Where a run starts: options of `run`, `exec`, `resume`, `sweep` and `study`.
#[derive(Debug, clap::Args)]
pub(crate) struct On {
    /// Start with this launcher, such as slurm; `gradtop launchers` lists them [default: local, or as in the settings]
    #[arg(long, value_name = "LAUNCHER")]
    on: Option<String>,
}

impl On {
    /// Returns whether the option was given.
    pub(crate) fn is_given(&self) -> bool {
        self.on.is_some()
    }

    pub(crate) fn launcher(&self, context: &Context) -> Result<Launcher> {
        context.config.launcher(self.on.as_deref())
    }
}

/// Reports the job of a run.
pub(crate) fn submitted(run: &RunDir, detach: bool, as_json: bool) -> Result<()> {
    let view = gradtop_store::view(run)?;
    let name = clean(&view.manifest.run);
    if as_json {
        return watch::print_json(&view, "queued", None);
    }
    if detach {
        print::answer(&name);
    } else {
        let job = view.job.as_ref().and_then(gradtop_store::Job::name).unwrap_or_default();
        print::line(&format!("submitted {name}: job {job}"));
    }
    Ok(())
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let all = context.config.launchers();
    let usual = context.config.launcher(None).map(|launcher| launcher.name);
    // In parallel, so that several launchers without an answer time out together.
    let checked: Vec<(&Launcher, Result<String, String>)> = std::thread::scope(|scope| {
        let asked: Vec<_> = all.iter().map(|launcher| scope.spawn(|| launcher.check())).collect();
        let answer = |asked: std::thread::ScopedJoinHandle<'_, _>| {
            asked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        all.iter().zip(asked.into_iter().map(answer)).collect()
    });
    // A launcher that is neither configured nor installed here is not an error.
    let counts = |launcher: &Launcher| launcher.is_installed() || context.config.sets_up(&launcher.name);
    let code = i32::from(checked.iter().any(|(launcher, checked)| checked.is_err() && counts(launcher)));
    if args.json {
        let all: Vec<Value> = checked
            .iter()
            .map(|(launcher, checked)| {
                json!({"name": launcher.name, "kind": launcher.kind(), "ok": checked.is_ok(),
                    "text": checked.as_ref().unwrap_or_else(|why| why)})
            })
            .collect();
        print::json(&all)?;
        return Ok(code);
    }
    let mut table = Table::of_words(["launcher", "kind", ""]);
    for (launcher, checked) in &checked {
        let default = usual.as_ref().is_ok_and(|name| *name == launcher.name);
        let name = format!("{}{}", clean(&launcher.name), if default { " (default)" } else { "" });
        let (text, ink) = match checked {
            Ok(text) => (text, Ink::Dim),
            Err(why) => (why, Ink::Alert),
        };
        table.row([Words::bold(name), launcher.kind().into(), Words::new(clean(text), ink)]);
    }
    table.print_wrapped(0);
    usual.map(|_| code)
}
