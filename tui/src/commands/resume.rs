//! `gradtop resume`: continues a paused run, or an ended one from its checkpoint.

use std::path::Path;

use anyhow::Result;
use gradtop_host::{Launcher, Resume, Resumed};
use gradtop_store::{State, View};

use super::Context;
use super::control;
use super::follow::Follower;
use super::launchers::{On, submitted};
use super::select::{Selection, each_view};
use super::signals::Signals;
use super::watch;
use crate::failure::Failure;
use crate::print::{self, clean};
use gradtop_view::run::remark;

#[derive(Debug, clap::Args)]
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
    // As in `run`: from here on, Ctrl-C and SIGTERM are handled.
    let signals = Signals::new()?;
    let views = args.runs.views(context, args.how().action())?;
    let detach = args.detach || views.len() > 1;
    let launcher = args.on.launcher(context)?;
    let mut resuming = Resuming { args, launcher, detach, signals, unpaused: Vec::new() };
    let code = each_view(&views, |view| resuming.resume(view.clone()))?;
    // Sends all requests before waiting for any.
    for view in &resuming.unpaused {
        control::until(view, control::PATIENCE, |now| now.state != State::Paused)?;
    }
    Ok(code)
}

struct Resuming<'a> {
    args: &'a Args,
    launcher: Launcher,
    detach: bool,
    signals: Signals,
    /// Runs that were asked to continue but have not answered yet.
    unpaused: Vec<View>,
}

impl Resuming<'_> {
    /// Resumes a run and, unless detached, watches it. Returns the exit code.
    fn resume(&mut self, view: View) -> Result<i32> {
        let (args, name) = (self.args, clean(&view.manifest.run));
        if view.state == State::Paused && !self.launcher.is_local() && args.on.is_given() {
            let message = format!("{name} is paused, and can only continue where it is");
            let help = format!("`gradtop resume {name}` without --on, or `gradtop stop {name}` first");
            return Err(Failure::usage(message).help(help).into());
        }
        let view = self.recover(view)?;
        if self.signals.any() {
            return Err(Failure::new("interrupted before the run was resumed".to_owned()).into());
        }
        let output = Follower::from_end(&view.dir, view.dir.console());
        if self.launcher.resume(&view.dir, args.how())? == Resumed::Unpaused {
            if args.json {
                print::json(&serde_json::json!({"run": view.manifest.run, "asked": "unpause"}))?;
            } else {
                print::line(&format!("{name} resumed"));
            }
            self.unpaused.push(view);
            return Ok(0);
        }
        if let Some(changes) = changes(&view).filter(|_| !args.json) {
            print::note(&changes);
        }
        if !self.launcher.is_local() {
            return submitted(&view.dir, self.detach, args.json).map(|()| 0);
        }
        watch::started(&view.dir, "resumed", output, self.detach, args.json, &mut self.signals)
    }

    /// Recovers a run of another machine or an earlier boot, as far as that is allowed, so that it can be resumed. Everything
    /// that can be refused is checked before anything is written.
    fn recover(&mut self, view: View) -> Result<View> {
        let (force, how) = (self.args.force, self.args.how());
        let ended = view.state.is_final() || !view.certain;
        let observe = ended && !force && gradtop_store::is_owned_elsewhere(&view.dir);
        if !view.certain && (force || observe || view.is_of_earlier_boot()) {
            gradtop_host::may_resume(&view.dir, how)?;
        }
        if observe {
            print::note(&format!(
                "{} is {}: watched for a minute",
                clean(&view.manifest.run),
                remark::location(&view)
            ));
            gradtop_host::give_up_if_stale(&view.dir, || !self.signals.any())?;
        }
        // Resuming a run from before a reboot implies that no other machine has it.
        let recovered =
            gradtop_host::recover_after_reboot(&view.dir)? || force && gradtop_host::give_up(&view.dir)?;
        if observe || recovered { super::view(&view.dir) } else { Ok(view) }
    }
}

/// Which defaults a new run would get instead, if the plugin has changed since this one started.
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
