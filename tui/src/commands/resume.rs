//! `gradtop resume`: let a paused run go on, or continue an ended one.

use std::path::Path;

use anyhow::Result;
use gradtop_host::{Launcher, Resume, Resumed};
use gradtop_store::{State, View};

use super::Context;
use super::control;
use super::launchers::{On, submitted};
use super::select::{Selection, each};
use super::watch::{self, Caught, Watch};
use crate::failure::Failure;
use crate::print::{self, clean};
use gradtop_view::state;

/// Arguments of `resume`.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "they are flags of a command line")]
pub(crate) struct Args {
    #[command(flatten)]
    runs: Selection,
    /// Also resume a run last seen on another machine, treating it as crashed
    #[arg(long)]
    force: bool,
    /// Return once the run has started
    #[arg(short, long)]
    detach: bool,
    /// Run its copy of the plugin even if it is not the recorded file, or belongs to another user
    #[arg(long)]
    trust: bool,
    #[command(flatten)]
    on: On,
    /// Run from the start if there is no checkpoint; its rows so far are set aside
    #[arg(long)]
    restart: bool,
    /// Print JSON lines: started, event, status, final
    #[arg(long)]
    json: bool,
}

impl Args {
    fn how(&self) -> Resume {
        Resume { trust: self.trust, restart: self.restart }
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    // As in `run`: a Ctrl-C or SIGTERM from here on is answered.
    let mut caught = Caught::new()?;
    let views = args.runs.views(context, args.how().action())?;
    let detach = args.detach || views.len() > 1;
    let elsewhere = args.on.elsewhere(context, false)?;
    let mut unpaused = Vec::new();
    let code = each(&views, |view| {
        resume(view.clone(), args, elsewhere.as_ref(), detach, (&mut caught, &mut unpaused))
    })?;
    // All are asked before any is waited for.
    for view in &unpaused {
        control::until(view, control::PATIENCE, |now| now.state != State::Paused)?;
    }
    Ok(code)
}

fn resume(
    mut view: View,
    args: &Args,
    elsewhere: Option<&Launcher>,
    detach: bool,
    (caught, unpaused): (&mut Caught, &mut Vec<View>),
) -> Result<i32> {
    let name = clean(&view.manifest.run);
    if view.state == State::Paused && elsewhere.is_some() && args.on.is_given() {
        let message = format!("{name} is paused, and can only continue where it is");
        let help = format!("`gradtop resume {name}` without --on, or `gradtop stop {name}` first");
        return Err(Failure::usage(message).help(help).into());
    }
    // What is refused is refused before anything is written.
    let watched = (view.state.is_final() || !view.certain)
        && !args.force
        && gradtop_store::is_owned_elsewhere(&view.dir);
    if !view.certain && (args.force || watched || view.is_of_earlier_boot()) {
        gradtop_host::may_resume(&view.dir, args.how())?;
    }
    if watched {
        print::note(&format!("{name} is {}: watched for a minute", state::far(&view)));
        gradtop_host::give_up_if_stale(&view.dir, || !caught.any())?;
        view = super::view(&view.dir)?;
    }
    // Whoever asks to go on with a run that an earlier boot of this machine left says that no other machine has it.
    if gradtop_host::recover_after_reboot(&view.dir)? || args.force && gradtop_host::give_up(&view.dir)? {
        view = super::view(&view.dir)?;
    }
    if caught.any() {
        return Err(Failure::new("interrupted before the run was resumed".to_owned()).into());
    }
    let resumed = match elsewhere {
        Some(launcher) => launcher.resume(&view.dir, args.how())?,
        None => gradtop_host::resume(&view.dir, args.how())?,
    };
    if resumed == Resumed::Unpaused {
        if args.json {
            print::json(&serde_json::json!({"run": view.manifest.run, "asked": "unpause"}))?;
        } else {
            print::line(&format!("{name} resumed"));
        }
        unpaused.push(view);
        return Ok(0);
    }
    if let Some(changes) = changes(&view).filter(|_| !args.json) {
        print::note(&changes);
    }
    if elsewhere.is_some() {
        return submitted(&view.dir, detach, args.json).map(|()| 0);
    }
    let detach = detach && !caught.any();
    let view = super::view(&view.dir)?;
    if detach && !args.json {
        print::line(&view.manifest.run);
        return Ok(0);
    }
    watch::announce(&view, "resumed", args.json)?;
    if detach {
        return Ok(0);
    }
    watch::watch(&view.dir, Watch { json: args.json, ours: true }, caught)
}

/// What a new run would be given otherwise, if the plugin has changed since this one was started.
fn changes(view: &View) -> Option<String> {
    let plugin = Path::new(&view.manifest.plugin.as_ref()?.original_path);
    let name = clean(&view.manifest.run);
    let desc = gradtop_host::describe(plugin).ok()?;
    let (_, experiment) = desc.experiment(view.manifest.experiment.plugin_id())?;
    let changes = gradtop_host::parameter_changes(&view.manifest.params, experiment);
    let changed = (!changes.is_empty()).then(|| changes.join(", "))?;
    let (plugin, changed) = (print::short(plugin), clean(&changed));
    Some(format!("{name} continues with the plugin it was started with; in {plugin} by now: {changed}"))
}
