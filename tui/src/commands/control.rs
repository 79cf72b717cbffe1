//! `gradtop pause`, `stop` and `checkpoint`: send requests to runs in progress. What may be done to a run, and the words why
//! not, are in `core/host/src/run/allowed.rs`.

use std::time::{Duration, Instant};

use anyhow::Result;
use gradtop_host::Action;
use gradtop_store::{Life, State, View, checkpoints};
use serde_json::json;

use super::Context;
use super::select::{Selection, each_view, is_filter};
use crate::failure::Failure;
use crate::print::{self, clean};
use gradtop_chart::number;
use gradtop_view::run::state;

/// How long `pause`, `resume` and `checkpoint` wait for an answer, which comes between two steps.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How long a run on another machine gets to notice a kill request and end.
const FAR: Duration = Duration::from_secs(5);

/// How long a cancelled job may take to end and to be reported as ended.
const CANCELLED: Duration = Duration::from_mins(2);

#[derive(Debug, clap::Args)]
pub(crate) struct Pause {
    #[command(flatten)]
    runs: Selection,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Checkpoint {
    /// The run
    run: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Stop {
    #[command(flatten)]
    runs: Selection,
    /// Seconds until it is killed if it does not end by itself [default: 10, or as its command was given]
    #[arg(long, value_name = "SECONDS", value_parser = crate::config::seconds)]
    grace: Option<f64>,
    /// Kill it at once, without waiting for a checkpoint
    #[arg(long, conflicts_with = "grace")]
    kill: bool,
    /// Also stop a run last seen on another machine; with --kill, treat it as crashed if it does not answer
    #[arg(long)]
    force: bool,
    /// Ask, but do not wait until it has ended
    #[arg(long, conflicts_with = "kill")]
    no_wait: bool,
    /// Print each run as a line of JSON
    #[arg(long)]
    json: bool,
}

/// Polls a run until the condition holds or the time is over.
pub(super) fn until(
    view: &View,
    patience: Duration,
    mut so: impl FnMut(&View) -> bool,
) -> Result<(View, bool)> {
    let start = Instant::now();
    loop {
        let now = super::again(view)?;
        if so(&now) {
            return Ok((now, true));
        }
        if start.elapsed() > patience {
            return Ok((now, false));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn pause(context: &Context, args: &Pause) -> Result<i32> {
    let views = args.runs.views(context, Action::Pause)?;
    let code = each_view(&views, |view| Ok(gradtop_host::pause(&view.dir).map(|()| 0)?))?;
    // Sends all requests before waiting for any. A refusal has already been reported.
    let asked = |view: &&View| code == 0 || super::again(view).is_ok_and(|now| !now.state.is_final());
    for view in views.iter().filter(asked) {
        let name = &view.manifest.run;
        let (now, _) = until(view, PATIENCE, |v| v.state == State::Paused || v.state.is_final())?;
        print::line(&match now.state {
            State::Paused => {
                let step = now.status.step.map(|s| format!(" at step {}", number::whole(s)));
                let step = step.unwrap_or_default();
                format!("{name} is paused{step}; `gradtop resume {name}` continues it")
            }
            state if state.is_final() => {
                format!("{name} ended before it could pause: {}", state::label(&now))
            }
            _ => format!("{name} will pause after its current step"),
        });
    }
    Ok(code)
}

pub(crate) fn checkpoint(context: &Context, args: &Checkpoint) -> Result<i32> {
    let view = context.view(&args.run)?;
    let name = &view.manifest.run;
    let newest = || checkpoints(&view.dir).into_iter().map(|c| c.step).max();
    let before = newest();
    gradtop_host::checkpoint(&view.dir)?;
    // A paused run answers only after it resumes.
    let patience = if view.state == State::Paused { Duration::ZERO } else { PATIENCE };
    let (_, saved) = until(&view, patience, |v| v.state.is_final() || newest() > before)?;
    print::line(&match newest().filter(|_| saved).filter(|n| before.is_none_or(|b| *n > b)) {
        Some(step) => format!("{name} saved a checkpoint of step {}", number::whole(step)),
        None if view.state == State::Paused => {
            let how = format!("`gradtop resume {name}` continues it");
            format!("{name} is paused and will save a checkpoint in its next step; {how}")
        }
        None => format!("{name} will save a checkpoint after its current step"),
    });
    Ok(0)
}

pub(crate) fn stop(context: &Context, args: &Stop) -> Result<i32> {
    let by_name = !args.runs.names.iter().any(|name| is_filter(name));
    let views = match args.runs.views(context, Action::Stop) {
        Err(_) if by_name => named_or_killed(context, args)?,
        views => views?,
    };
    // Sends all requests before waiting for any.
    let mut asked = Vec::new();
    let refused = each_view(&views, |view| {
        asked.push((view.clone(), ask_to_stop(view, args)?));
        Ok(0)
    })?;
    let mut code = refused;
    for (view, far) in asked {
        let ended = wait_for_stop(&view, far, args);
        if views.len() == 1 {
            return ended.map(|()| 0);
        }
        if let Err(error) = ended {
            code = crate::failure::report(&error);
        }
    }
    Ok(code)
}

/// Finds the runs by name. With --kill, runs in progress whose files cannot be read are killed.
fn named_or_killed(context: &Context, args: &Stop) -> Result<Vec<View>> {
    let runs = context.existing_runs()?;
    let (mut views, mut unread) = (Vec::new(), Vec::new());
    for name in &args.runs.names {
        match (context.view(name), gradtop_store::find_folder(&runs, name)) {
            (Ok(view), _) => views.push(view),
            (Err(why), Ok(run)) if gradtop_host::is_at_work(&run) => unread.push((run, why)),
            (Err(why), _) => return Err(why),
        }
    }
    for (run, why) in unread {
        let name = clean(&run.name());
        if !args.kill {
            let help = format!("`gradtop stop --kill {name}` needs none of its files, and ends it at once");
            return Err(Failure::new(clean(&format!("cannot ask {name} to stop: {why}"))).help(help).into());
        }
        let count = gradtop_host::kill_unreadable(&run)?;
        print::warn(format!("{why}; the processes of {name} were found by what they were started with"));
        if args.json {
            print::json(&json!({"type": "asked", "run": name, "asked": "kill"}))?;
        } else {
            print::line(&format!("killed {name}: {count} of its processes have ended"));
        }
    }
    Ok(views)
}

fn grace(args: &Stop, view: &View) -> Duration {
    args.grace.map_or_else(|| gradtop_host::grace_of(&view.manifest), Duration::from_secs_f64)
}

/// Requests a stop. Returns `true` if the run may be in progress where this machine cannot see it.
fn ask_to_stop(view: &View, args: &Stop) -> Result<bool> {
    let name = &view.manifest.run;
    let grace = grace(args, view);
    let far =
        args.force && gradtop_host::stop_unseen(&view.dir, if args.kill { Duration::ZERO } else { grace })?;
    if !far && args.kill {
        gradtop_host::kill(&view.dir)?;
    } else if !far && let Some(why) = gradtop_host::stop(&view.dir, grace)? {
        let after = number::duration(gradtop_host::DEFAULT_GRACE.as_secs_f64());
        print::note(&format!(
            "{why}, so {name} was asked to stop by a signal, which cannot carry --grace: it may take {after}"
        ));
        print::note(&format!("  gradtop stop --kill {name}  ends it at once, without writing a file"));
    }
    Ok(far)
}

fn wait_for_stop(view: &View, far: bool, args: &Stop) -> Result<()> {
    let name = &view.manifest.run;
    if args.no_wait {
        if args.json {
            return print::json(&json!({"type": "asked", "run": name, "asked": "stop"}));
        }
        print::line(&format!("asked {name} to stop"));
        return Ok(());
    }
    // After the grace period the keeper kills the run, seals the log and records the end, which takes a moment longer.
    let patience = if args.kill { Duration::ZERO } else { grace(args, view) } + Duration::from_secs(30);
    let patience = if far && args.kill { FAR } else { patience };
    let (mut now, mut ended) = until(view, patience, |v| v.state.is_final())?;
    if !ended && far && args.kill {
        gradtop_host::give_up(&view.dir)?;
        (now, ended) = until(view, Duration::ZERO, |v| v.state.is_final())?;
    }
    if !ended && now.job.is_some() {
        gradtop_host::cancel_job(&now.dir)?;
        (now, ended) = until(view, CANCELLED, |v| v.state.is_final())?;
    }
    if !ended {
        let help = match now.life {
            Life::Unknown => format!("`gradtop stop --kill --force {name}` treats it as gone"),
            _ => format!("`gradtop stop --kill {name}` ends it at once"),
        };
        return Err(Failure::new(format!("{name} has not ended yet: it is {}", now.state)).help(help).into());
    }
    super::watch::end(&now, args.json)
}
